//! The engine, driven fact by fact: what it decides, what it never does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

mod boot;
mod doubt;
mod exits;
mod foreign;
mod hedge;
mod idle;
mod posture;
mod protection;
mod stop_moves;
