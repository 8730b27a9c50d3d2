//! The simulated exchange over real sockets, spoken to by a client that shares no code with it.

mod accounts;
mod clock;
mod kit;
mod limits;
mod lockstep;
mod log;
mod market;
mod orders;
mod signing;
mod streams;
mod user_stream;
