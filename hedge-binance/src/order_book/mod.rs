//! A local copy of a symbol's order book, kept from the diff stream. Source: fact sheet 8.3.
//!
//! * [`Ladder`] is the book itself: best prices, depth, what a quantity would cost.
//! * [`LocalBook`] is pure: diffs and snapshots go in, what to do next comes out. It never shows a book that it cannot prove:
//!   a gap, a crossed book or a stale snapshot empties it until the next snapshot.
//! * [`SnapshotQueue`] spaces the snapshots out, because each one costs 20 of the 2,400 units of weight a minute.
//!
//! ```
//! use hedge_binance::{order_book::{LocalBook, Next}, wire::{event::DepthEvent, market::Depth}};
//!
//! let mut book = LocalBook::new();
//! let diff: DepthEvent = serde_json::from_str(r#"{"e":"depthUpdate","E":1,"T":1,"s":"ABCUSDT","U":8,"u":12,"pu":7,
//!     "b":[["1.19","0"],["1.18","4"]],"a":[]}"#)?;
//! assert_eq!(book.on_diff(&diff), Next::FetchSnapshot, "nothing is known before a snapshot");
//! let snapshot: Depth = serde_json::from_str(r#"{"lastUpdateId":10,"bids":[["1.19","3"]],"asks":[["1.21","5"]]}"#)?;
//! assert_eq!(book.on_snapshot(&snapshot, 1_000), Next::Current);
//! let ladder = book.ladder().unwrap();
//! assert_eq!(ladder.best_bid().unwrap().0.to_string(), "1.18");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod ladder;
mod local;
mod queue;

pub use ladder::{Cost, Ladder};
pub use local::{LocalBook, Next};
pub use queue::SnapshotQueue;

#[cfg(test)]
mod tests;
