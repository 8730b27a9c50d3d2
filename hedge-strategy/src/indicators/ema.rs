//! Exponential moving average.

/// `ema += 2 / (period + 1) × (value − ema)`, seeded with the mean of the first `period` values. Warm after `period`
/// values.
#[derive(Clone, Debug)]
pub struct Ema {
    alpha: f64,
    period: usize,
    seen: usize,
    value: f64,
}

impl Ema {
    /// With the usual smoothing of that period.
    pub fn new(period: usize) -> Self {
        let period = period.max(1);
        Self { alpha: 2.0 / (period as f64 + 1.0), period, seen: 0, value: 0.0 }
    }
    /// Takes one value in.
    #[inline]
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if self.seen < self.period {
            self.seen += 1;
            // A running mean: the seed needs no window.
            self.value += (value - self.value) / self.seen as f64;
        } else {
            self.value += self.alpha * (value - self.value);
        }
        self.value()
    }
    /// The average now.
    #[inline]
    pub fn value(&self) -> Option<f64> {
        (self.seen == self.period).then_some(self.value)
    }
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.seen = 0;
        self.value = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ema_of_a_known_series_has_the_published_values() {
        // The 10-day exponential average of the same textbook example: seed 22.221, then 22.208, 22.241, 22.266.
        let closes =
            [22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38];
        let mut ema = Ema::new(10);
        let values: Vec<_> = closes.iter().filter_map(|&close| ema.update(close)).collect();
        let expected = [22.221, 22.208_090_909_1, 22.241_165_289_3, 22.266_407_963_9];
        assert_eq!(values.len(), expected.len());
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
        }
    }

    #[test]
    fn an_ema_of_period_one_is_its_input() {
        let mut ema = Ema::new(1);
        assert_eq!(ema.update(5.0), Some(5.0));
        assert_eq!(ema.update(7.0), Some(7.0));
    }

    proptest! {
        #[test]
        fn an_incremental_ema_equals_the_weighted_batch_sum(
            values in proptest::collection::vec(1.0_f64..100_000.0, 1..150),
            period in 1_usize..30,
        ) {
            let mut ema = Ema::new(period);
            let last = values.iter().map(|&value| ema.update(value)).last().flatten();
            if values.len() < period {
                prop_assert_eq!(last, None);
            } else {
                // Closed form: the seed and each later value, weighted by how often it has been faded.
                let keep = 1.0 - 2.0 / (period as f64 + 1.0);
                let later = &values[period..];
                let seed = values[..period].iter().sum::<f64>() / period as f64;
                let mut sum = seed * keep.powi(later.len() as i32);
                for (age, value) in later.iter().rev().enumerate() {
                    sum += value * (1.0 - keep) * keep.powi(age as i32);
                }
                prop_assert!((last.unwrap() - sum).abs() <= 1e-9 * sum.abs());
            }
        }
    }
}
