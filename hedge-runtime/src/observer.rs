//! Watching the loop without taking part in it.

use std::fmt;

use hedge_core::{Book, Envelope, Timestamp, engine::Step};

/// Sees every step after it was taken and before its effects leave: for log lines, progress, views and reports.
///
/// Called inside the loop, so it must be quick and must not wait for anything.
pub trait Observer: fmt::Debug + Send + 'static {
    /// An old record was folded at start-up.
    fn on_replay(&mut self, envelope: &Envelope, book: &Book) {
        let _ = (envelope, book);
    }
    /// Start-up is over; live facts follow.
    fn on_ready(&mut self, at: Timestamp, book: &Book) {
        let _ = (at, book);
    }
    /// A step was taken. `step.events` holds its records, `step.effects` what will be done.
    fn on_step(&mut self, at: Timestamp, step: &Step, book: &Book);
}
