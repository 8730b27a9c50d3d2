//! The released executor, really killed, beside the released exchange: over sockets, at random moments and at every
//! failpoint, on full and broken disks. What must hold afterwards is asked of the exchange and read from the journal.
//!
//! `HEDGE_KILLS=n` kills so often instead of sixty times, `HEDGE_KILL_SEED=n` at other moments.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod boot;
mod disk;
mod journal;
mod kills;
mod moments;
mod stage;
mod venue;
