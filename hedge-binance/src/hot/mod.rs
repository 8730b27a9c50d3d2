//! The four market events that arrive thousands of times a second, read without a general JSON parser.
//!
//! [`frame`] understands the compact form in which the venue sends `bookTicker`, `aggTrade`, `markPriceUpdate` and `kline` and
//! borrows every text from the message. It answers `None` for everything else: another event, another order of the first
//! keys, blanks, escapes, numbers of a form that it does not know, a field that is missing or stands twice. `None` is no
//! error; the caller then asks the serde structs of [`wire::event`](crate::wire::event), which decide what is malformed.
//! Where this reader answers, the structs give the same values: a property test holds the two together.
//!
//! Source: Binance USD-M docs, WebSocket Market Streams; fact sheet 8.

mod cursor;
mod event;
mod read;
mod swar;

pub use event::{AggTrade, BookTicker, Frame, Hot, Kline, MarkPrice};
pub use read::{event, frame};

#[cfg(test)]
mod tests;
