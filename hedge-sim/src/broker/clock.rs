//! The simulated exchange's time: the venue's, as far as it has been told.

/// Time that only goes forward, and never stays where it was stated.
#[derive(Clone, Copy, Debug)]
pub(super) struct VenueTime {
    now_ms: i64,
    stated_ms: i64,
}

impl VenueTime {
    pub(super) const fn at(now_ms: i64) -> Self {
        Self { now_ms, stated_ms: now_ms }
    }

    pub(super) const fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The venue said what time it is. Whatever happens now is later than everything that has been read: who read the
    /// account must be able to tell what came after.
    pub(super) fn arrive(&mut self, at_ms: i64) -> i64 {
        self.now_ms = self.now_ms.max(at_ms).max(self.stated_ms + 1);
        self.now_ms
    }

    /// Something happens without the venue saying when.
    pub(super) fn pass(&mut self) -> i64 {
        self.arrive(self.now_ms)
    }

    /// Tells the time with an answer.
    pub(super) fn state(&mut self) -> i64 {
        self.stated_ms = self.now_ms;
        self.now_ms
    }
}
