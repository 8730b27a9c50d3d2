//! How unusual the latest value is.

use super::window::Window;

/// `(value − mean) / standard deviation` of the last `period` values, the latest included; population deviation.
/// Warm after `period` values. A window without any deviation reads 0.
///
/// Mean and squares slide by Welford's rule. As in [`Sma`](super::Sma) a second pair is built up from nothing and takes
/// over once per window, so rounding errors never outlive a window.
#[derive(Clone, Debug)]
pub struct ZScore {
    window: Window,
    sliding: Moments,
    fresh: Moments,
    last: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
}

impl Moments {
    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }
    #[inline]
    fn replace(&mut self, old: f64, new: f64) {
        let before = self.mean;
        self.mean += (new - old) / self.count;
        self.squares += (new - old) * (new - self.mean + old - before);
    }
}

impl ZScore {
    /// Over that many values.
    pub fn new(period: usize) -> Self {
        Self {
            window: Window::new(period),
            sliding: Moments::default(),
            fresh: Moments::default(),
            last: 0.0,
        }
    }
    /// Takes one value in.
    #[inline]
    pub fn update(&mut self, value: f64) -> Option<f64> {
        self.last = value;
        match self.window.push(value) {
            Some(old) => self.sliding.replace(old, value),
            None => self.sliding.add(value),
        }
        self.fresh.add(value);
        if self.window.at_start() {
            self.sliding = std::mem::take(&mut self.fresh);
        }
        self.value()
    }
    /// The score of the latest value.
    #[inline]
    pub fn value(&self) -> Option<f64> {
        let deviation = self.deviation()?;
        // What is left of a flat window is rounding, not deviation.
        let flat = deviation <= self.sliding.mean.abs() * 1e-12;
        Some(if flat { 0.0 } else { (self.last - self.sliding.mean) / deviation })
    }
    /// Mean of the window.
    pub fn mean(&self) -> Option<f64> {
        self.window.is_full().then_some(self.sliding.mean)
    }
    /// Population standard deviation of the window.
    #[inline]
    pub fn deviation(&self) -> Option<f64> {
        self.window.is_full().then(|| (self.sliding.squares.max(0.0) / self.sliding.count).sqrt())
    }
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.window.clear();
        self.sliding = Moments::default();
        self.fresh = Moments::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_z_score_of_a_hand_computed_window_is_exact() {
        // 2 4 4 4 5 5 7 9 has mean 5 and population deviation 2.
        let mut z = ZScore::new(8);
        let mut last = None;
        for value in [100.0, -3.0, 2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            last = z.update(value);
        }
        assert!((last.unwrap() - 2.0).abs() < 1e-12);
        assert!((z.mean().unwrap() - 5.0).abs() < 1e-12);
        assert!((z.deviation().unwrap() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_flat_window_scores_zero_also_after_a_storm() {
        let mut z = ZScore::new(4);
        for value in [68_123.4, 99_000.1, 12_345.6, 70_000.3, 50_000.1, 50_000.1, 50_000.1] {
            z.update(value);
        }
        assert_eq!(z.update(50_000.1), Some(0.0));
    }

    #[test]
    fn a_z_score_is_silent_until_its_window_is_full() {
        let mut z = ZScore::new(3);
        assert_eq!((z.update(1.0), z.update(2.0)), (None, None));
        assert!(z.update(3.0).is_some());
        z.reset();
        assert_eq!(z.update(1.0), None);
    }

    proptest! {
        #[test]
        fn an_incremental_z_score_equals_the_batch_formula(
            values in proptest::collection::vec(1.0_f64..100_000.0, 1..200),
            period in 2_usize..30,
        ) {
            let mut z = ZScore::new(period);
            for end in 1..=values.len() {
                let score = z.update(values[end - 1]);
                if end < period {
                    prop_assert_eq!(score, None);
                    continue;
                }
                let window = &values[end - period..end];
                let mean = window.iter().sum::<f64>() / period as f64;
                let variance = window.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / period as f64;
                let expected = if variance == 0.0 { 0.0 } else { (values[end - 1] - mean) / variance.sqrt() };
                prop_assert!((score.unwrap() - expected).abs() <= 1e-5, "{:?} is not {}", score, expected);
            }
        }
    }
}
