//! The band of prices inside which a move concerns nobody: what makes replaying quiet bars cheap.

/// Exclusive bounds. A move whose target lies inside all four cannot touch an order, a trigger or a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) last_lo: i64,
    pub(super) last_hi: i64,
    pub(super) mark_lo_e8: i64,
    pub(super) mark_hi_e8: i64,
    /// No account that holds the symbol was called for margin: there is no call whose end a jump would find.
    pub(super) uncalled: bool,
}

impl Band {
    /// Nothing is known: every move takes the long way, which finds the band anew.
    pub(super) const UNKNOWN: Self =
        Self { last_lo: i64::MAX, last_hi: 0, mark_lo_e8: i64::MAX, mark_hi_e8: 0, uncalled: false };

    /// The band of a market nobody uses.
    pub(super) fn idle(max_ticks: i64) -> Self {
        Self { last_lo: 0, last_hi: max_ticks + 1, mark_lo_e8: 0, mark_hi_e8: i64::MAX / 4, uncalled: true }
    }

    #[inline]
    pub(super) fn is_known(&self) -> bool {
        self.last_lo < self.last_hi
    }

    #[inline]
    pub(super) fn allows(&self, last: i64, mark_e8: i64) -> bool {
        self.last_lo < last && last < self.last_hi && self.mark_lo_e8 < mark_e8 && mark_e8 < self.mark_hi_e8
    }

    /// Whether it allows every price from `lo` up to `hi`, with mark at last.
    #[inline]
    pub(super) fn allows_all(&self, lo: i64, hi: i64, tick_e8: i64) -> bool {
        // A price outside all bounds fails here, so the products cannot overflow where they are used.
        self.last_lo < lo
            && hi < self.last_hi
            && self.mark_lo_e8 < lo.wrapping_mul(tick_e8)
            && hi.wrapping_mul(tick_e8) < self.mark_hi_e8
    }

    /// Narrows the bounds of last.
    pub(super) fn narrow_last(&mut self, lo: i64, hi: i64) {
        self.last_lo = self.last_lo.max(lo);
        self.last_hi = self.last_hi.min(hi);
    }

    /// Narrows the bounds of mark.
    pub(super) fn narrow_mark(&mut self, lo_e8: i64, hi_e8: i64) {
        self.mark_lo_e8 = self.mark_lo_e8.max(lo_e8);
        self.mark_hi_e8 = self.mark_hi_e8.min(hi_e8);
    }
}

impl Default for Band {
    fn default() -> Self {
        Self::UNKNOWN
    }
}
