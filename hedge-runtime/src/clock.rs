//! The machine's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use hedge_core::{Clock, Timestamp};

/// A long sleep is cut into pieces, so that a step of the machine's clock is noticed soon.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// The machine's wall clock, UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since)
    }
    async fn sleep_until(&self, deadline: Timestamp) {
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_NAP)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_in_the_past_is_over_at_once() {
        let clock = SystemClock;
        assert!(clock.now() > Timestamp::from_ms(1_700_000_000_000));
        clock.sleep_until(Timestamp::EPOCH).await;
    }
}
