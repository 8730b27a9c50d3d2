//! The largest fall of equity from its peak.

use std::ops::RangeInclusive;

use hedge_core::money::compare;
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
    /// Equity with so many places that is neither a new low nor a new peak, as digits: most of it. Follows from the rest.
    usual: Option<(u32, RangeInclusive<i128>)>,
}

impl From<Decimal> for Drawdown {
    fn from(start: Decimal) -> Self {
        Self { peak: start, low: start, worst: Decimal::ZERO, usual: None }
    }
}

impl Drawdown {
    #[inline]
    pub(super) fn see(&mut self, equity: Decimal) {
        match &self.usual {
            Some((places, usual)) if equity.scale() == *places && usual.contains(&equity.mantissa()) => {}
            _ => self.look(equity),
        }
    }

    #[inline(never)]
    fn look(&mut self, equity: Decimal) {
        if compare(&equity, &self.low).is_lt() {
            self.low = equity;
        } else if compare(&equity, &self.peak).is_gt() {
            self.worst = self.worst();
            (self.peak, self.low) = (equity, equity);
        }
        let places = equity.scale();
        let digits = |value: &Decimal| {
            value.mantissa().checked_mul(10_i128.checked_pow(places.checked_sub(value.scale())?)?)
        };
        self.usual = digits(&self.low).zip(digits(&self.peak)).map(|(low, peak)| (places, low..=peak));
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
    fn places_behind_the_point_make_no_difference() {
        let path = ["100", "99.50", "99.5", "101.125", "99.4", "99.400000", "101", "98", "101.1250"];
        let mut drawdown = Drawdown::from(Decimal::from(100));
        let (mut peak, mut worst) = (Decimal::from(100), Decimal::ZERO);
        for equity in path.map(|text| text.parse::<Decimal>().unwrap()) {
            drawdown.see(equity);
            peak = peak.max(equity);
            worst = worst.max((peak - equity) / peak);
            assert_eq!(drawdown.worst(), worst, "{equity}");
        }
    }

    #[test]
    fn an_account_that_never_had_anything_does_not_fall() {
        let mut drawdown = Drawdown::from(Decimal::ZERO);
        drawdown.see(Decimal::from(-5));
        assert_eq!(drawdown.worst(), Decimal::ZERO);
    }
}
