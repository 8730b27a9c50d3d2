#![doc = include_str!("../README.md")]

pub mod backtest;
pub mod market;
pub mod venue;
