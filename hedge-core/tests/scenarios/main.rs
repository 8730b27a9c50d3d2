//! The engine, driven fact by fact: what it decides, what it never does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod given;
mod rig;

mod banned;
mod boot;
mod clock_ahead;
mod doubt;
mod exits;
mod forced;
mod foreign;
mod gate;
mod hedge;
mod idle;
mod income;
mod journal_text;
mod late_events;
mod life_cycle;
mod money;
mod posture;
mod protection;
mod queued;
mod replay;
mod resting;
mod stop_moves;
mod storm;
mod ticks;
mod tiny_venue;
mod unknown;
mod validator;
mod withdrawn;
mod word_first;
