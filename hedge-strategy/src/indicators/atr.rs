//! Average true range after Wilder.

use super::wilder::Wilder;

/// Smoothed true range, in price units. Warm after `period` bars: the first bar's range is its high less its low.
#[derive(Clone, Debug)]
pub struct Atr {
    last_close: Option<f64>,
    range: Wilder,
}

impl Atr {
    /// Over that many bars.
    pub fn new(period: usize) -> Self {
        Self { last_close: None, range: Wilder::new(period) }
    }
    /// Takes one bar in.
    #[inline]
    pub fn update(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        let range = match self.last_close.replace(close) {
            Some(last) => high.max(last) - low.min(last),
            None => high - low,
        };
        self.range.update(range)
    }
    /// The range now.
    #[inline]
    pub fn value(&self) -> Option<f64> {
        self.range.value()
    }
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.last_close = None;
        self.range.reset();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_atr_of_a_hand_computed_series_is_exact() {
        // True ranges by hand: 2; max(3, |13-11|, |10-11|) = 3; max(1, |9-12|, |8-12|) = 4; max(2, |15-8.5|, |13-8.5|) = 6.5.
        let bars = [(12.0, 10.0, 11.0), (13.0, 10.0, 12.0), (9.0, 8.0, 8.5), (15.0, 13.0, 14.0)];
        let mut atr = Atr::new(3);
        let values: Vec<_> = bars.iter().map(|&(high, low, close)| atr.update(high, low, close)).collect();
        // Mean of 2, 3, 4 is 3; then (3 × 2 + 6.5) / 3 = 4.1666…
        assert_eq!(values[..3], [None, None, Some(3.0)]);
        assert!((values[3].unwrap() - 4.166_666_666_666_667).abs() < 1e-12);
    }

    #[test]
    fn a_jump_between_bars_counts_as_range() {
        let mut atr = Atr::new(1);
        atr.update(10.0, 10.0, 10.0);
        assert_eq!(atr.update(20.0, 19.0, 20.0), Some(10.0));
        atr.reset();
        assert_eq!(atr.update(20.0, 19.0, 20.0), Some(1.0));
    }

    proptest! {
        #[test]
        fn an_incremental_atr_equals_the_batch_formula(
            bars in proptest::collection::vec((1.0_f64..1_000.0, 0.0_f64..50.0, 0.0_f64..=1.0), 1..150),
            period in 1_usize..30,
        ) {
            let bars: Vec<(f64, f64, f64)> =
                bars.iter().map(|&(low, height, at)| (low + height, low, low + height * at)).collect();
            let mut atr = Atr::new(period);
            let last = bars.iter().map(|&(high, low, close)| atr.update(high, low, close)).last().flatten();
            let ranges: Vec<f64> = (0..bars.len())
                .map(|i| {
                    let (high, low, _) = bars[i];
                    if i == 0 {
                        return high - low;
                    }
                    let before = bars[i - 1].2;
                    (high - low).max((high - before).abs()).max((low - before).abs())
                })
                .collect();
            if ranges.len() < period {
                prop_assert_eq!(last, None);
            } else {
                let seed = ranges[..period].iter().sum::<f64>() / period as f64;
                let expected = ranges[period..]
                    .iter()
                    .fold(seed, |average, range| (average * (period as f64 - 1.0) + range) / period as f64);
                prop_assert!((last.unwrap() - expected).abs() <= 1e-9 * expected.max(1.0));
            }
        }
    }
}
