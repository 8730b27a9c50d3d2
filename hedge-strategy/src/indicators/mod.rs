//! Incremental indicators over `f64`. Each one says `None` until it has warmed up, then a value for every update.
//!
//! Every update is O(1) (rolling extremes: amortised) and allocates nothing after construction. A period of 0 counts
//! as 1. Inputs are finite numbers: a [`Bar`](hedge_core::Bar) cannot hold anything else.

mod atr;
mod cross;
mod ema;
mod rolling;
mod rsi;
mod sma;
mod wilder;
mod window;
mod zscore;

pub use atr::Atr;
pub use cross::{Cross, Crossing};
pub use ema::Ema;
pub use rolling::{RollingHigh, RollingLow};
pub use rsi::Rsi;
pub use sma::Sma;
pub use zscore::ZScore;
