#![doc = include_str!("../README.md")]

pub mod backtest;
pub mod compose;
pub mod config;
pub mod consent;
pub mod control;
pub mod decode;
pub mod doctor;
#[cfg(unix)]
pub mod drill;
pub mod env;
mod failpoint;
pub mod fetch;
pub mod incident;
pub mod journal;
mod lease;
pub mod ledger;
mod live;
pub mod logging;
pub mod operate;
pub mod panic;
pub mod paper;
pub mod preflight;
pub mod probe;
pub mod progress;
pub mod report;
pub mod request;
pub mod runs;
pub mod sweep;
#[cfg(test)]
mod temp;
pub mod trade;
pub mod venue;
pub mod why;
