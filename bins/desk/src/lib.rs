//! Shared parts of the binaries.

pub mod config;
pub mod env;
pub mod backtest;
pub mod journal;
pub mod why;
pub mod logging;
pub mod progress;
pub mod report;
pub mod runs;
pub mod compose;
pub mod paper;
