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
mod environments;
mod faults;
mod keep_alive;
mod kit;
mod limits;
mod lockstep;
mod log;
mod market;
mod orders;
mod recorded;
mod signing;
mod state;
mod streams;
mod user_stream;
