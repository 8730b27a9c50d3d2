//! How far the server's clock is from ours.
//!
//! Each sample is one round trip to the server's time endpoint. Of several, the one with the shortest round trip is the
//! most exact. The stamp made from it is biased into the past: venues accept an old stamp inside the request window but
//! refuse one from the future.

/// One question for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Our clock just before sending.
    pub sent_ms: i64,
    /// Our clock just after the answer.
    pub received_ms: i64,
    /// What the server said.
    pub server_ms: i64,
}

impl Sample {
    const fn round_trip_ms(&self) -> i64 {
        self.received_ms - self.sent_ms
    }
}

/// The server's clock as seen from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    offset_ms: i64,
    bias_ms: i64,
    measured_at_ms: i64,
}

/// Smallest and usual largest step into the past.
const BIAS_MS: (i64, i64) = (10, 50);
/// A stamp may be so far ahead of the server when the whole round trip was spent on the way there. Binance refuses one that is
/// a second ahead (fact sheet 2.2); a venue whose clock runs fast makes seconds of milliseconds.
const AHEAD_MS: i64 = 500;

impl ClockOffset {
    /// Takes the best of several samples; `None` without a usable one (a clock that ran backwards in between is none).
    pub fn from_samples(samples: &[Sample]) -> Option<Self> {
        let best = samples
            .iter()
            .filter(|sample| sample.round_trip_ms() >= 0)
            .min_by_key(|sample| sample.round_trip_ms())?;
        let half_trip_ms = (best.round_trip_ms() + 1) / 2;
        Some(Self {
            offset_ms: best.server_ms - (best.sent_ms + best.round_trip_ms() / 2),
            bias_ms: half_trip_ms.clamp(BIAS_MS.0, BIAS_MS.1).max(half_trip_ms - AHEAD_MS),
            measured_at_ms: best.received_ms,
        })
    }

    /// Best estimate of the server's time.
    pub const fn server_ms(&self, local_ms: i64) -> i64 {
        local_ms + self.offset_ms
    }

    /// A timestamp for a request: the server's time, some milliseconds into the past.
    pub const fn stamp_ms(&self, local_ms: i64) -> i64 {
        self.server_ms(local_ms) - self.bias_ms
    }

    /// Server time minus ours.
    pub const fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// How old the measurement is.
    pub const fn age_ms(&self, local_ms: i64) -> i64 {
        local_ms - self.measured_at_ms
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn sample(sent_ms: i64, received_ms: i64, server_ms: i64) -> Sample {
        Sample { sent_ms, received_ms, server_ms }
    }

    #[test]
    fn the_shortest_round_trip_wins() {
        let offset = ClockOffset::from_samples(&[
            sample(0, 400, 5_390),
            sample(1_000, 1_020, 6_010),
            sample(2_000, 2_100, 7_099),
        ])
        .unwrap();
        assert_eq!(offset.offset_ms(), 5_000);
        assert_eq!(offset.stamp_ms(2_000), 6_990);
    }

    #[test]
    fn a_clock_that_ran_backwards_gives_no_sample() {
        assert_eq!(ClockOffset::from_samples(&[sample(100, 90, 5_000)]), None);
        assert_eq!(ClockOffset::from_samples(&[]), None);
    }

    #[test]
    fn the_bias_is_ten_to_fifty_milliseconds_on_round_trips_below_a_second() {
        let bias = |trip_ms| {
            let offset = ClockOffset::from_samples(&[sample(0, trip_ms, trip_ms / 2)]).unwrap();
            offset.server_ms(0) - offset.stamp_ms(0)
        };
        assert_eq!([bias(0), bias(19), bias(60), bias(100), bias(1_100)], [10, 10, 30, 50, 50]);
    }

    #[test]
    fn however_a_long_round_trip_was_divided_the_stamp_is_no_second_ahead() {
        // On a clock that runs sixty times as fast, 80 ms on a busy machine are almost five seconds.
        for trip_ms in [0, 90, 900, 1_100, 4_800, 20_000] {
            let sample = Sample { sent_ms: 0, received_ms: trip_ms, server_ms: 1_000_000 };
            let stamp_ms = ClockOffset::from_samples(&[sample]).unwrap().stamp_ms(trip_ms);
            // All of it on the way there: the server's clock still shows what it said.
            assert!((1_000_000 - 10..=1_000_000 + AHEAD_MS).contains(&stamp_ms), "{trip_ms}: {stamp_ms}");
        }
        let usual = Sample { sent_ms: 0, received_ms: 200, server_ms: 1_000_000 };
        assert_eq!(ClockOffset::from_samples(&[usual]).unwrap().stamp_ms(200), 1_000_000 + 100 - 50);
    }

    proptest! {
        /// Whatever part of the round trip the request took, the stamp is never ahead of the server (up to 100 ms trips).
        #[test]
        fn a_stamp_never_exceeds_the_servers_time(true_offset in -100_000_i64..100_000, there in 0_i64..50, back in 0_i64..50) {
            let (sent, received) = (1_000_000, 1_000_000 + there + back);
            let server_ms = sent + there + true_offset;
            let offset = ClockOffset::from_samples(&[sample(sent, received, server_ms)]).unwrap();
            prop_assert!(offset.stamp_ms(received) <= received + true_offset);
        }
    }
}
