//! The course against a small account that does what a test tells it to, in paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ending;
mod script;
mod trouble;
mod usual;

use script::*;
