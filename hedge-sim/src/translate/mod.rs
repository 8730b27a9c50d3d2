//! Between the engine's words and the exchange's: orders to commands, events to facts, records to reports.

mod commands;
mod reads;
mod reports;

pub(crate) use commands::{ACCOUNT, answer, cancel, place, place_as, reason_of, refused, taken};
pub(crate) use reads::{balances, fills, open_orders, order, position_with_prices, positions};
pub(crate) use reports::{facts, flow_of, news, statements};
