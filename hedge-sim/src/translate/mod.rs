//! Between the engine's words and the exchange's: orders to commands, events to facts, records to reports.
//!
//! For whoever drives a [`Venue`](crate::venue::Venue) without a [`broker`](crate::broker): the account is [`ACCOUNT`].

mod commands;
mod lexicon;
mod reads;
mod reports;

pub use commands::{ACCOUNT, cancel, place, reason_of, taken};
pub(crate) use commands::{answer_taken, fill_in, place_as, placed, refused};
pub(crate) use lexicon::Lexicon;
pub use reads::position_with_prices;
pub(crate) use reads::{balances, fills, open_orders, order, positions};
pub use reports::{algo_report, flow_of, news, past_fill, report_of, statements};
