#![doc = include_str!("../README.md")]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a conformance suite reports by failing the test that calls it"
)]

pub mod bars;
pub mod conformance;
pub mod mint;
pub mod records;
pub mod rehearsal;
