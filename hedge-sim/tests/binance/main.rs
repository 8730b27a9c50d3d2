//! The simulated exchange over real sockets, spoken to by a client that shares no code with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

mod accounts;
mod amend;
mod clock;
mod contracts;
mod endpoints;
mod environments;
mod faults;
mod keep_alive;
mod keys;
mod kit;
mod limits;
mod lockstep;
mod log;
mod market;
mod orders;
mod recorded;
mod signing;
mod state;
mod statistics;
mod streams;
mod ticks;
mod user_stream;
mod ws_api;
