#![doc = include_str!("../README.md")]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a conformance suite reports by failing the test that calls it"
)]

pub mod bars;
pub mod conformance;
#[cfg(feature = "firestore")]
pub mod firestore;
pub mod mint;
pub mod records;
pub mod rehearsal;
pub mod swarm;
