//! The simulated venue's clock as the program's own.

use std::time::Duration;

use async_trait::async_trait;
use hedge_core::{Clock, Timestamp};
use hedge_sim::binance::{Pace, VenueClock};

/// Shortest nap: the venue's clock counts milliseconds.
const SHORTEST_NAP: Duration = Duration::from_millis(1);

/// Follows an exchange in the same process: jumps with it in lockstep, runs as fast as it otherwise.
#[derive(Clone, Debug)]
pub struct VenueTime(VenueClock);

impl VenueTime {
    /// The time of that exchange.
    pub const fn new(clock: VenueClock) -> Self {
        Self(clock)
    }
}

#[async_trait]
impl Clock for VenueTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.now_ms())
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let mut changes = self.0.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            let nap = match state.pace {
                Pace::Speed(speed) if !state.paused => {
                    Duration::try_from_secs_f64(left.as_secs_f64() / speed).unwrap_or(Duration::MAX)
                }
                Pace::Speed(_) | Pace::Lockstep => Duration::MAX,
            };
            tokio::select! {
                // The exchange gone means that its time stands still.
                changed = changes.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = tokio::time::sleep(nap.max(SHORTEST_NAP)) => {}
            }
        }
    }
}
