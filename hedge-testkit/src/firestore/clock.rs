//! The server's clock: never the same microsecond twice.

use std::time::{Duration, Instant};

use hedge_core::Timestamp;

/// Strictly increasing microseconds. Moves when it is told to, or by itself once it runs.
#[derive(Debug)]
pub(super) struct ServerClock {
    at_us: i64,
    /// The instant that has been counted in last.
    runs_from: Option<Instant>,
}

impl ServerClock {
    pub(super) fn new() -> Self {
        // 2026-11-20T09:00:00Z. Independent of the machine's clock, as a server's is.
        Self { at_us: 1_795_165_200_000_000, runs_from: None }
    }
    /// From now on it moves as time passes.
    pub(super) fn run(&mut self) {
        self.runs_from.get_or_insert_with(Instant::now);
    }
    /// The next instant, as the service writes it.
    pub(super) fn tick(&mut self) -> String {
        if let Some(from) = self.runs_from {
            let now = Instant::now();
            self.runs_from = Some(now);
            self.advance(now.duration_since(from));
        }
        self.at_us += 137;
        let whole = Timestamp::from_ms(self.at_us.div_euclid(1_000)).to_string();
        format!("{}.{:06}Z", &whole[..19], self.at_us.rem_euclid(1_000_000))
    }
    pub(super) fn advance(&mut self, by: Duration) {
        self.at_us += i64::try_from(by.as_micros()).expect("a step that a clock can make");
    }
}
