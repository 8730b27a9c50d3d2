//! Between the engine's words and the exchange's: orders to commands, events to facts, records to reports.

mod commands;
mod lexicon;
mod reads;
mod reports;

pub(crate) use commands::{
    ACCOUNT, answer_taken, cancel, fill_in, place, place_as, placed, reason_of, refused, taken,
};
pub(crate) use lexicon::Lexicon;
pub(crate) use reads::{balances, fills, open_orders, order, position_with_prices, positions};
pub(crate) use reports::{flow_of, news, statements};
