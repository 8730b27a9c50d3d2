//! The Firestore store, on a small fake always and on the real emulator where it is installed.

#![cfg(feature = "firestore")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "../common/mod.rs"]
mod common;

mod append;
mod credentials;
mod emulator;
mod faults;
mod lease;
mod stage;
mod suite;
mod views;
