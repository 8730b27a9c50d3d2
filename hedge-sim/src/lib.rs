#![doc = include_str!("../README.md")]

pub mod backtest;
#[cfg(feature = "binance-server")]
pub mod binance;
pub mod broker;
pub mod market;
pub mod translate;
pub mod venue;
