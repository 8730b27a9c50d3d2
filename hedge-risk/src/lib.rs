#![doc = include_str!("../README.md")]
#![deny(clippy::float_arithmetic)]

pub mod calendar;
pub mod drawdown;
pub mod freshness;
pub mod limits;
pub mod liquidation;
pub mod rate;
pub mod sizing;

mod config;
mod keys;
mod stack;
#[cfg(test)]
mod test_support;

pub use calendar::{DayCalendar, InvalidCalendar};
pub use config::{LimitProblem, LimitsError, RiskLimits};
pub use drawdown::{Breakers, EquityTrack};
pub use hedge_core::KeyInfo;
pub use keys::{KEYS, find_key};
pub use stack::RiskStack;
