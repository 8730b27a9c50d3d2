//! Decimals in nine bytes instead of sixteen.

use hedge_core::Decimal;

/// Some decimals: digits with their sign, and places behind the point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<const N: usize> {
    digits: [i64; N],
    places: [u8; N],
}

/// No decimal has so many places.
const ABSENT: u8 = u8::MAX;

impl<const N: usize> Numbers<N> {
    /// `None` when one of them does not fit.
    #[inline]
    pub(super) fn of(values: [Option<&Decimal>; N]) -> Option<Self> {
        let mut numbers = Self { digits: [0; N], places: [ABSENT; N] };
        for (place, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                (numbers.digits[place], numbers.places[place]) = few(value)?;
            }
        }
        Some(numbers)
    }

    /// The number at a place, if there is one.
    pub(super) fn get(&self, place: usize) -> Option<Decimal> {
        let places = self.places.get(place).filter(|places| **places != ABSENT)?;
        Some(Decimal::new(*self.digits.get(place)?, u32::from(*places)))
    }
}

/// Digits and places of a number with few digits. Nothing below zero would not be read back as it is written.
#[inline]
fn few(value: &Decimal) -> Option<(i64, u8)> {
    let parts = value.unpack();
    let digits = i64::try_from(u64::from(parts.lo) | u64::from(parts.mid) << 32).ok()?;
    if parts.hi != 0 || digits == 0 && parts.negative {
        return None;
    }
    Some((if parts.negative { -digits } else { digits }, parts.scale as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_to_the_last_zero_or_do_not_fit() {
        let values = [Decimal::new(-1_250, 3), Decimal::new(0, 5), Decimal::new(i64::MAX, 28)];
        let numbers = Numbers::of([Some(&values[0]), None, Some(&values[1]), Some(&values[2])]).unwrap();
        let read = [0, 1, 2, 3].map(|place| numbers.get(place).map(|value| value.serialize()));
        assert_eq!(
            read,
            [Some(values[0]), None, Some(values[1]), Some(values[2])]
                .map(|value| value.map(|v| v.serialize()))
        );
        assert!(Numbers::of([Some(&-Decimal::ZERO)]).is_none());
        assert!(Numbers::of([Some(&Decimal::MAX)]).is_none());
    }
}
