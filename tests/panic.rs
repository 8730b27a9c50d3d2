//! The panic close as it would be used at three in the morning: the real program, real sockets, and everything that can go
//! wrong on the way.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod support;

#[path = "panic/disk.rs"]
mod disk;
#[path = "panic/executor.rs"]
mod executor;
#[path = "panic/faults.rs"]
mod faults;
#[path = "panic/stage.rs"]
mod stage;
#[path = "panic/usage.rs"]
mod usage;
#[path = "panic/usual.rs"]
mod usual;
