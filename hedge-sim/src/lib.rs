#![doc = include_str!("../README.md")]

pub mod market;
pub mod venue;
