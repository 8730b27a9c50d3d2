//! Dry runs: a real venue's market and a simulated account on it.
//!
//! [`Simulation`] is pure: market events, orders and settings go in, account events come out. With the feature `broker`
//! `Paper` is its asynchronous face: a `Brokerage` around a `VenueReader`. Prices, rules and history are the reader's;
//! account, positions, orders, executions and flows are the simulation's. It holds no client that could trade, so
//! nothing that is done to it can reach the venue.
//!
//! What it simulates and what not stands in `docs/simulator.md`, "Dry runs".

mod clock;
mod config;
#[cfg(feature = "broker")]
mod feed;
#[cfg(feature = "broker")]
mod paper;
mod rules;
mod settings;
mod simulation;
mod start;
mod track;

#[cfg(test)]
mod tests;

pub use config::{PaperConfig, PaperError, SymbolSetting};
#[cfg(feature = "broker")]
pub use paper::{Paper, PaperSeed};
pub use rules::rules_of;
pub use simulation::Simulation;
pub use start::{Start, StartLeg};
