//! Wilder's smoothing, shared by RSI and ATR.

/// Mean of the first `period` values, then `(previous × (period − 1) + value) / period`.
#[derive(Clone, Debug)]
pub(super) struct Wilder {
    period: usize,
    seen: usize,
    value: f64,
}

impl Wilder {
    pub(super) fn new(period: usize) -> Self {
        Self { period: period.max(1), seen: 0, value: 0.0 }
    }
    #[inline]
    pub(super) fn update(&mut self, value: f64) -> Option<f64> {
        self.seen = (self.seen + 1).min(self.period);
        // While warming up `seen` is the count so far, so this one line is the running mean as well.
        self.value += (value - self.value) / self.seen as f64;
        self.value()
    }
    #[inline]
    pub(super) fn value(&self) -> Option<f64> {
        (self.seen == self.period).then_some(self.value)
    }
    pub(super) fn reset(&mut self) {
        self.seen = 0;
        self.value = 0.0;
    }
}
