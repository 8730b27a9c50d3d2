//! The sum of many decimals, kept while one after another of them moves.

use rust_decimal::Decimal;

use crate::digits::POWERS;

/// A sum with as many places as the figures in it, whatever they add up to. Exact, or not kept at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    digits: i128,
    scale: u32,
    /// How many figures have so many places. Nothing is no figure.
    by_scale: [u32; 29],
    figures: u32,
}

impl Total {
    /// Of these figures. `None` where they do not fit.
    pub(super) fn of(figures: impl Iterator<Item = Decimal>) -> Option<Self> {
        let mut total = Self::default();
        for figure in figures {
            total.put_in(&figure)?;
        }
        Some(total)
    }

    /// One figure more. `None` where the sum does not fit: it is of no use any more then.
    #[inline]
    pub(super) fn put_in(&mut self, figure: &Decimal) -> Option<()> {
        if figure.is_zero() {
            return Some(());
        }
        if figure.scale() > self.scale {
            self.digits = self.digits.checked_mul(power(figure.scale() - self.scale)?)?;
            self.scale = figure.scale();
        }
        *self.by_scale.get_mut(figure.scale() as usize)? += 1;
        self.figures += 1;
        self.digits = self.digits.checked_add(self.at_scale(figure)?)?;
        Some(())
    }

    /// One figure less: one that was put in.
    #[inline]
    pub(super) fn take_out(&mut self, figure: &Decimal) -> Option<()> {
        if figure.is_zero() {
            return Some(());
        }
        self.digits = self.digits.checked_sub(self.at_scale(figure)?)?;
        let count = self.by_scale.get_mut(figure.scale() as usize)?;
        *count = count.checked_sub(1)?;
        self.figures -= 1;
        // What is left has no digits in the places that nobody uses.
        while self.scale > 0 && self.by_scale.get(self.scale as usize) == Some(&0) {
            self.digits /= 10;
            self.scale -= 1;
        }
        Some(())
    }

    /// What the sum would be with another figure in the place of one that was put in. `None` where that does not fit.
    pub(super) fn exchanged(&self, out: &Decimal, put: &Decimal) -> Option<Decimal> {
        if self.figures == u32::from(!out.is_zero()) {
            return Some(*put);
        }
        let (mut digits, mut scale) = (self.digits, self.scale);
        if !out.is_zero() {
            digits = digits.checked_sub(self.at_scale(out)?)?;
            let is_last = |scale: u32| {
                let others = self.by_scale.get(scale as usize).copied().unwrap_or_default();
                others == u32::from(out.scale() == scale)
            };
            while scale > 0 && is_last(scale) {
                digits /= 10;
                scale -= 1;
            }
        }
        if !put.is_zero() {
            let wide = scale.max(put.scale());
            let at = |digits: i128, by: u32| digits.checked_mul(power(by)?);
            digits = at(digits, wide - scale)?.checked_add(at(put.mantissa(), wide - put.scale())?)?;
            scale = wide;
        }
        Decimal::try_from_i128_with_scale(digits, scale).ok()
    }

    /// The sum; `None` where a decimal cannot hold it.
    #[inline]
    pub(super) fn get(&self) -> Option<Decimal> {
        Decimal::try_from_i128_with_scale(self.digits, self.scale).ok()
    }

    #[inline]
    fn at_scale(&self, figure: &Decimal) -> Option<i128> {
        match self.scale - figure.scale() {
            0 => Some(figure.mantissa()),
            by => figure.mantissa().checked_mul(power(by)?),
        }
    }
}

/// Ten to that power.
#[inline]
fn power(by: u32) -> Option<i128> {
    match POWERS.get(by as usize) {
        Some(power) => Some((*power).into()),
        None => 10_i128.checked_pow(by),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn figures_that_cancel_leave_their_places_behind() {
        let figures = [Decimal::new(125, 2), Decimal::new(-125, 2)];
        let total = Total::of(figures.into_iter()).unwrap().get().unwrap();
        assert_eq!(total.to_string(), "0.00");
        let total = Total::of(std::iter::once(Decimal::new(0, 5))).unwrap().get().unwrap();
        assert_eq!(total.to_string(), "0");
    }

    proptest! {
        #[test]
        fn it_is_what_adding_up_gives_whatever_comes_and_goes(
            moves in proptest::collection::vec((0_usize..6, -1_000_000_i64..1_000_000, 0_u32..9), 1..80),
        ) {
            let mut figures = [Decimal::ZERO; 6];
            let mut total = Total::of(figures.into_iter()).unwrap();
            for (place, digits, scale) in moves {
                let expected = {
                    let mut other = total.clone();
                    other.take_out(&figures[place]).unwrap();
                    other.put_in(&Decimal::new(digits, scale)).unwrap();
                    other.get().unwrap()
                };
                let exchanged = total.exchanged(&figures[place], &Decimal::new(digits, scale)).unwrap();
                prop_assert_eq!(exchanged, expected);
                prop_assert!(exchanged.is_zero() || exchanged.scale() == expected.scale());
                total.take_out(&figures[place]).unwrap();
                figures[place] = Decimal::new(digits, scale);
                total.put_in(&figures[place]).unwrap();
                let sum: Decimal = figures.iter().sum();
                prop_assert_eq!(total.get().unwrap(), sum);
                let places = figures.iter().filter(|figure| !figure.is_zero()).map(|figure| figure.scale()).max();
                prop_assert_eq!(total.get().unwrap().scale(), places.unwrap_or(0));
            }
        }
    }
}
