//! The last `n` values.

/// A ring that is allocated once.
#[derive(Clone, Debug)]
pub(super) struct Window {
    values: Box<[f64]>,
    next: usize,
    len: usize,
}

impl Window {
    pub(super) fn new(period: usize) -> Self {
        Self { values: vec![0.0; period.max(1)].into_boxed_slice(), next: 0, len: 0 }
    }
    /// Puts a value in; gives back the one that fell out, once the window is full.
    #[inline]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let slot = &mut self.values[self.next];
        let old = std::mem::replace(slot, value);
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        if self.len == self.values.len() {
            return Some(old);
        }
        self.len += 1;
        None
    }
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == self.values.len()
    }
    pub(super) fn period(&self) -> usize {
        self.values.len()
    }
    /// Whether the next value starts the ring again.
    #[inline]
    pub(super) fn at_start(&self) -> bool {
        self.next == 0
    }
    pub(super) fn clear(&mut self) {
        self.next = 0;
        self.len = 0;
    }
}
