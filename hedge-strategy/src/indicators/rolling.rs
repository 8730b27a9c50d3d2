//! Highest and lowest of the last values.

use std::collections::VecDeque;

/// Values that may still become the extreme, best first: each is worse than the one before and younger.
#[derive(Clone, Debug)]
struct Extremes {
    period: u64,
    seen: u64,
    candidates: VecDeque<(u64, f64)>,
}

impl Extremes {
    fn new(period: usize) -> Self {
        let period = period.max(1);
        Self { period: period as u64, seen: 0, candidates: VecDeque::with_capacity(period + 1) }
    }
    #[inline]
    fn push(&mut self, value: f64, beats: impl Fn(f64, f64) -> bool) {
        while self.candidates.back().is_some_and(|&(_, other)| beats(value, other)) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.seen, value));
        self.seen += 1;
        while self.candidates.front().is_some_and(|&(at, _)| at + self.period < self.seen) {
            self.candidates.pop_front();
        }
    }
    #[inline]
    fn best(&self) -> Option<f64> {
        if self.seen < self.period { None } else { self.candidates.front().map(|&(_, value)| value) }
    }
    fn reset(&mut self) {
        self.seen = 0;
        self.candidates.clear();
    }
}

macro_rules! rolling {
    ($(#[$doc:meta])* $name:ident, $beats:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Extremes);

        impl $name {
            /// Over that many values.
            pub fn new(period: usize) -> Self {
                Self(Extremes::new(period))
            }
            /// Takes one value in.
            #[inline]
            pub fn update(&mut self, value: f64) -> Option<f64> {
                self.0.push(value, $beats);
                self.value()
            }
            #[doc = concat!("The ", $what, " of the window. Ask before [`update`](Self::update) to leave the latest value out.")]
            #[inline]
            pub fn value(&self) -> Option<f64> {
                self.0.best()
            }
            /// Forgets everything.
            pub fn reset(&mut self) {
                self.0.reset();
            }
        }
    };
}

rolling!(
    /// Highest of the last `period` values. Warm after `period` values.
    RollingHigh, |new, old| new >= old, "highest value"
);
rolling!(
    /// Lowest of the last `period` values. Warm after `period` values.
    RollingLow, |new, old| new <= old, "lowest value"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn extremes_of_a_hand_written_series_are_right() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0];
        let mut high = RollingHigh::new(3);
        let mut low = RollingLow::new(3);
        let highs: Vec<_> = values.iter().filter_map(|&value| high.update(value)).collect();
        let lows: Vec<_> = values.iter().filter_map(|&value| low.update(value)).collect();
        assert_eq!(highs, [4.0, 4.0, 5.0, 9.0, 9.0, 9.0, 6.0]);
        assert_eq!(lows, [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn a_rolling_high_never_grows_beyond_its_first_allocation() {
        let mut high = RollingHigh::new(16);
        let room = high.0.candidates.capacity();
        for i in 0..10_000 {
            high.update(f64::from(10_000 - i));
        }
        assert_eq!(high.0.candidates.capacity(), room);
        high.reset();
        assert_eq!(high.value(), None);
    }

    proptest! {
        #[test]
        fn incremental_extremes_equal_the_batch_extremes(
            values in proptest::collection::vec(-1_000.0_f64..1_000.0, 1..200),
            period in 1_usize..30,
        ) {
            let mut high = RollingHigh::new(period);
            let mut low = RollingLow::new(period);
            for end in 1..=values.len() {
                let (top, bottom) = (high.update(values[end - 1]), low.update(values[end - 1]));
                if end < period {
                    prop_assert_eq!((top, bottom), (None, None));
                } else {
                    let window = &values[end - period..end];
                    prop_assert_eq!(top, window.iter().copied().reduce(f64::max));
                    prop_assert_eq!(bottom, window.iter().copied().reduce(f64::min));
                }
            }
        }
    }
}
