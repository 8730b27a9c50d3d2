//! Simple moving average.

use super::window::Window;

/// Mean of the last `period` values. Warm after `period` values.
///
/// A running sum drifts with every rounding. So a second sum is built up from nothing beside it and takes over each
/// time the window has been replaced once: the error never grows beyond one window.
///
/// ```
/// use hedge_strategy::indicators::Sma;
///
/// let mut sma = Sma::new(3);
/// assert_eq!(sma.update(1.0), None);
/// assert_eq!(sma.update(2.0), None);
/// assert_eq!(sma.update(6.0), Some(3.0));
/// assert_eq!(sma.update(10.0), Some(6.0));
/// ```
#[derive(Clone, Debug)]
pub struct Sma {
    window: Window,
    sum: f64,
    fresh: f64,
    scale: f64,
}

impl Sma {
    /// Over that many values.
    pub fn new(period: usize) -> Self {
        let window = Window::new(period);
        let scale = window.period() as f64;
        Self { window, sum: 0.0, fresh: 0.0, scale }
    }
    /// Takes one value in.
    #[inline]
    pub fn update(&mut self, value: f64) -> Option<f64> {
        let old = self.window.push(value).unwrap_or(0.0);
        self.sum += value - old;
        self.fresh += value;
        if self.window.at_start() {
            self.sum = self.fresh;
            self.fresh = 0.0;
        }
        self.value()
    }
    /// The mean now.
    #[inline]
    pub fn value(&self) -> Option<f64> {
        self.window.is_full().then(|| self.sum / self.scale)
    }
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.window.clear();
        self.sum = 0.0;
        self.fresh = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_sma_of_a_known_series_has_the_published_values() {
        // The 10-day simple average of the textbook example for moving averages (22.27, 22.19, ...).
        let closes =
            [22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38];
        let mut sma = Sma::new(10);
        let values: Vec<_> = closes.iter().filter_map(|&close| sma.update(close)).collect();
        let expected = [22.221, 22.209, 22.229, 22.259];
        assert_eq!(values.len(), expected.len());
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
        }
    }

    #[test]
    fn an_sma_after_a_reset_is_as_new() {
        let mut sma = Sma::new(2);
        sma.update(100.0);
        sma.update(100.0);
        sma.reset();
        assert_eq!(sma.update(1.0), None);
        assert_eq!(sma.update(3.0), Some(2.0));
    }

    #[test]
    fn a_huge_value_that_left_the_window_leaves_no_trace() {
        let mut sma = Sma::new(3);
        for value in [1e15, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3] {
            sma.update(value);
        }
        assert!((sma.value().unwrap() - 0.2).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn an_incremental_sma_equals_the_batch_mean(
            values in proptest::collection::vec(1.0_f64..100_000.0, 1..200),
            period in 1_usize..30,
        ) {
            let mut sma = Sma::new(period);
            for end in 1..=values.len() {
                let value = sma.update(values[end - 1]);
                if end < period {
                    prop_assert_eq!(value, None);
                } else {
                    let mean = values[end - period..end].iter().sum::<f64>() / period as f64;
                    prop_assert!((value.unwrap() - mean).abs() <= 1e-10 * mean);
                }
            }
        }
    }
}
