//! A start at an address whose request budget is used up: it waits where that is soon mended, and no longer.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::time::Duration;

use hedge_core::{BrokerError, Clock, Timestamp};
use hedge_runtime::{Activity, RunError};
use support::{Bench, START_MS};

/// A bench whose venue refuses the history so often, each time for that long.
fn used_up(waits_s: &[u64]) -> Bench {
    let bench = Bench::new(Activity::free());
    bench.venue.budget_waits.lock().unwrap().extend(waits_s.iter().copied().map(Duration::from_secs));
    bench
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_as_long_as_the_venue_says_and_then_has_its_history() {
    let bench = used_up(&[40, 20]);
    let run = bench.start();
    bench.until("refused twice and read", |bench| bench.venue.called("bars") >= 3).await;
    let waited = bench.clock.now().since(Timestamp::from_ms(START_MS));
    assert!(waited >= Duration::from_secs(60) && waited < Duration::from_secs(61), "{waited:?}");
    bench.live().await;
    assert_eq!(bench.venue.called("bars"), 4, "two refusals, and one reading of each series");
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_be_longer_than_a_minute_and_a_half_ends_the_start_at_once() {
    for (waits_s, waited_s) in [(&[91][..], 0), (&[60, 40][..], 60)] {
        let bench = used_up(waits_s);
        let ended = bench.start().await.unwrap();
        let Err(RunError::Venue { source: BrokerError::RateLimited { retry_after }, .. }) = ended else {
            panic!("{ended:?}");
        };
        assert_eq!(retry_after.as_secs(), *waits_s.last().unwrap());
        let waited = bench.clock.now().since(Timestamp::from_ms(START_MS));
        assert_eq!(waited.as_secs(), waited_s, "{waits_s:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_series_may_wait_anew() {
    // For the history of BTC, and after that for that of ETH: longer in all than one may.
    let bench = used_up(&[60, 0, 35]);
    let run = bench.start();
    bench.live().await;
    let waited = bench.clock.now().since(Timestamp::from_ms(START_MS));
    assert_eq!((waited.as_secs(), bench.venue.called("bars")), (95, 4));
    bench.stop(run).await;
}
