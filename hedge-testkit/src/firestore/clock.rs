//! The server's clock: never the same microsecond twice.

use std::time::Duration;

use hedge_core::Timestamp;

/// Strictly increasing microseconds.
#[derive(Debug)]
pub(super) struct ServerClock(i64);

impl ServerClock {
    pub(super) fn new() -> Self {
        // 2026-11-20T09:00:00Z. Independent of the machine's clock, as a server's is.
        Self(1_795_165_200_000_000)
    }
    /// The next instant, as the service writes it.
    pub(super) fn tick(&mut self) -> String {
        self.0 += 137;
        let whole = Timestamp::from_ms(self.0.div_euclid(1_000)).to_string();
        format!("{}.{:06}Z", &whole[..19], self.0.rem_euclid(1_000_000))
    }
    pub(super) fn advance(&mut self, by: Duration) {
        self.0 += i64::try_from(by.as_micros()).expect("a step that a clock can make");
    }
}
