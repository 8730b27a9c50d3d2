//! The largest fall of equity from its peak.

use hedge_core::money::{compare, is_same};
use rust_decimal::Decimal;

/// Watches equity. Between two peaks only the lowest equity matters, so nothing is divided until somebody asks or a new
/// peak comes.
#[derive(Clone, Debug)]
pub(super) struct Drawdown {
    peak: Decimal,
    /// Lowest since the peak.
    low: Decimal,
    /// Of earlier peaks, as a fraction.
    worst: Decimal,
    /// Seen last: it mostly stays as it is.
    seen: Decimal,
}

impl From<Decimal> for Drawdown {
    fn from(start: Decimal) -> Self {
        Self { peak: start, low: start, worst: Decimal::ZERO, seen: start }
    }
}

impl Drawdown {
    #[inline]
    pub(super) fn see(&mut self, equity: Decimal) {
        if is_same(&equity, &self.seen) {
            return;
        }
        self.seen = equity;
        if compare(&equity, &self.low).is_lt() {
            self.low = equity;
        } else if compare(&equity, &self.peak).is_gt() {
            self.worst = self.worst();
            (self.peak, self.low) = (equity, equity);
        }
    }

    /// The largest fall so far, as a fraction of the peak it began at.
    pub(super) fn worst(&self) -> Decimal {
        if self.peak > Decimal::ZERO && self.low < self.peak {
            self.worst.max((self.peak - self.low) / self.peak)
        } else {
            self.worst
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_fall_is_the_one_that_step_by_step_division_finds() {
        let path = [100, 90, 95, 120, 119, 100, 130, 70, 75, 140, 139];
        let mut drawdown = Drawdown::from(Decimal::from(100));
        let (mut peak, mut worst) = (Decimal::from(100), Decimal::ZERO);
        for equity in path.map(Decimal::from) {
            drawdown.see(equity);
            peak = peak.max(equity);
            worst = worst.max((peak - equity) / peak);
            assert_eq!(drawdown.worst(), worst);
        }
        assert_eq!(drawdown.worst(), Decimal::from(60) / Decimal::from(130));
    }

    #[test]
    fn an_account_that_never_had_anything_does_not_fall() {
        let mut drawdown = Drawdown::from(Decimal::ZERO);
        drawdown.see(Decimal::from(-5));
        assert_eq!(drawdown.worst(), Decimal::ZERO);
    }
}
