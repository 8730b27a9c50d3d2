//! Relative strength index after Wilder.

use super::wilder::Wilder;

/// 0 to 100 from smoothed gains and losses. Warm after `period + 1` values. A window without any change reads 50.
#[derive(Clone, Debug)]
pub struct Rsi {
    last: Option<f64>,
    gain: Wilder,
    loss: Wilder,
}

impl Rsi {
    /// Over that many changes.
    pub fn new(period: usize) -> Self {
        Self { last: None, gain: Wilder::new(period), loss: Wilder::new(period) }
    }
    /// Takes one close in.
    #[inline]
    pub fn update(&mut self, close: f64) -> Option<f64> {
        let change = close - self.last.replace(close)?;
        self.gain.update(change.max(0.0));
        self.loss.update((-change).max(0.0));
        self.value()
    }
    /// The index now.
    #[inline]
    pub fn value(&self) -> Option<f64> {
        let (gain, loss) = (self.gain.value()?, self.loss.value()?);
        let both = gain + loss;
        Some(if both > 0.0 { 100.0 * gain / both } else { 50.0 })
    }
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.last = None;
        self.gain.reset();
        self.loss.reset();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_rsi_of_a_known_series_has_the_published_values() {
        // Closes of the usual textbook example of the 14-day RSI; the values were recomputed from Wilder's rule by
        // an independent script. The book prints 70.53, 66.32, 66.55, 69.41 from rounded intermediate figures.
        let closes = [
            44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
            45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116,
        ];
        let mut rsi = Rsi::new(14);
        let values: Vec<_> = closes.iter().filter_map(|&close| rsi.update(close)).collect();
        let expected = [70.532_789_480, 66.318_561_805, 66.549_829_936, 69.406_305_339];
        assert_eq!(values.len(), expected.len());
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
        }
    }

    #[test]
    fn an_rsi_is_100_without_losses_0_without_gains_and_50_without_changes() {
        let last = |closes: [f64; 4]| {
            let mut rsi = Rsi::new(3);
            closes.iter().filter_map(|&close| rsi.update(close)).last()
        };
        assert_eq!(last([1.0, 2.0, 3.0, 4.0]), Some(100.0));
        assert_eq!(last([4.0, 3.0, 2.0, 1.0]), Some(0.0));
        assert_eq!(last([2.0, 2.0, 2.0, 2.0]), Some(50.0));
    }

    #[test]
    fn an_rsi_is_silent_for_period_plus_one_values() {
        let mut rsi = Rsi::new(2);
        assert_eq!(rsi.update(1.0), None);
        assert_eq!(rsi.update(2.0), None);
        assert!(rsi.update(1.5).is_some());
        rsi.reset();
        assert_eq!(rsi.update(1.0), None);
    }

    proptest! {
        #[test]
        fn an_incremental_rsi_equals_the_batch_formula(
            closes in proptest::collection::vec(1.0_f64..100_000.0, 2..150),
            period in 1_usize..30,
        ) {
            let mut rsi = Rsi::new(period);
            let last = closes.iter().map(|&close| rsi.update(close)).last().flatten();
            let changes: Vec<f64> = closes.windows(2).map(|pair| pair[1] - pair[0]).collect();
            if changes.len() < period {
                prop_assert_eq!(last, None);
            } else {
                let smooth = |part: &dyn Fn(f64) -> f64| {
                    let seed = changes[..period].iter().map(|&c| part(c)).sum::<f64>() / period as f64;
                    changes[period..].iter().fold(seed, |average, &change| {
                        (average * (period as f64 - 1.0) + part(change)) / period as f64
                    })
                };
                let gain = smooth(&|change| if change > 0.0 { change } else { 0.0 });
                let loss = smooth(&|change| if change < 0.0 { -change } else { 0.0 });
                let expected = if loss == 0.0 { 100.0 } else { 100.0 - 100.0 / (1.0 + gain / loss) };
                prop_assert!((last.unwrap() - expected).abs() <= 1e-6);
            }
        }
    }
}
