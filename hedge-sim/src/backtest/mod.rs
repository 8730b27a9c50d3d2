//! The engine against the simulated exchange, in one thread and without sockets.
//!
//! [`Backtest`] plays a [`Schedule`](crate::market::Schedule): the same steps, the same exchange and the same order of
//! reactions as the embedded exchange in lockstep, so that both place the same orders. Strategies decide on closed bars;
//! inside a bar the price walks the bar's inner path and the engine reacts to every fill where it happens.

mod config;
mod drawdown;
mod figures;
mod instruments;
mod kept;
mod perform;
mod play;
mod setup;
mod summary;
mod tick_play;

#[cfg(test)]
mod tests;

pub use config::{BacktestConfig, BacktestError};
pub use instruments::{InstrumentError, Instruments, spec_of};
pub use play::{Backtest, Observer};
pub use summary::{Summary, VetoCounts};
