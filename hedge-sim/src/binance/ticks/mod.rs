//! Recorded tick streams as the live market: every change of the book, every best price, every trade at its time.
//!
//! Files are what was captured from the venue's own sockets: raw frames (`…jsonl`), or tables of best prices and of
//! trades. Columns: fact sheet 13 (bookTicker, trades); frames: fact sheet 8.2; joining a snapshot to the changes
//! around it: fact sheet 8.3.

mod event;
mod frames;
mod player;
mod read;
mod table;

pub(crate) use event::What;
pub(crate) use player::{TickPlay, klines};
pub(crate) use read::read;
