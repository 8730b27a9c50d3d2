//! Decimal arithmetic on the digits themselves, where they are few.
//!
//! Prices, quantities and sums of money nearly always fit into 64 bits. Rounding and dividing them as whole numbers costs a
//! twentieth of what the general decimal division costs. Every function here gives what its general form gives, to the
//! last digit and with as many zeros; where the two could part, the general form is used.

use std::cmp::Ordering;

use rust_decimal::Decimal;

/// Powers of ten that fit into 64 bits.
pub(crate) const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    while i < 20 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The digits without point and sign, where they fit into 64 bits: nearly always.
#[inline]
pub(crate) fn digits(value: &Decimal) -> Option<u64> {
    let parts = value.unpack();
    (parts.hi == 0).then_some(u64::from(parts.lo) | u64::from(parts.mid) << 32)
}

/// Digits of two numbers at the larger of their scales, where 64 bits hold them.
#[inline(always)]
fn aligned(a: &Decimal, b: &Decimal) -> Option<(u64, u64, u32)> {
    let (a, b) = (a.unpack(), b.unpack());
    if a.hi | b.hi != 0 {
        return None;
    }
    let (x, y) = (u64::from(a.lo) | u64::from(a.mid) << 32, u64::from(b.lo) | u64::from(b.mid) << 32);
    if a.scale == b.scale {
        Some((x, y, a.scale))
    } else if a.scale < b.scale {
        let power = *POWERS.get((b.scale - a.scale) as usize)?;
        Some((x.checked_mul(power)?, y, b.scale))
    } else {
        let power = *POWERS.get((a.scale - b.scale) as usize)?;
        Some((x, y.checked_mul(power)?, a.scale))
    }
}

/// Two numbers together, the second with that sign; `None` for nothing, which is written in several ways, and for what 64
/// bits do not hold.
#[inline(always)]
fn together(a: &Decimal, b: &Decimal, turns: bool) -> Option<Decimal> {
    let (x, y, scale) = aligned(a, b)?;
    let (a_negative, negative) = (a.is_sign_negative(), b.is_sign_negative() != turns);
    if a_negative == negative {
        return Some(of_digits(x.checked_add(y)?, negative, scale));
    }
    match x.cmp(&y) {
        Ordering::Greater => Some(of_digits(x - y, a_negative, scale)),
        Ordering::Less => Some(of_digits(y - x, negative, scale)),
        Ordering::Equal => None,
    }
}

/// Whether a number of either sign is at most ten to that power.
#[inline]
pub(crate) fn is_at_most_power(value: &Decimal, power: u32) -> bool {
    match digits(value) {
        // Where the table ends, 64 bits end too.
        Some(digits) => POWERS.get((power + value.scale()) as usize).is_none_or(|bound| digits <= *bound),
        None => value.abs() <= Decimal::from_i128_with_scale(10_i128.pow(power), 0),
    }
}

/// Without trailing zeros behind the point, as [`Decimal::normalize`] has it.
#[inline]
pub(crate) fn normal(value: Decimal) -> Decimal {
    match digits(&value) {
        Some(digits) if digits != 0 => {
            let (digits, scale) = without_zeros(digits, value.scale());
            of_digits(digits, value.is_sign_negative(), scale)
        }
        _ => general::normal(&value),
    }
}

/// Digits and scale of the same number with as few digits as possible.
#[inline]
pub(crate) fn without_zeros(mut digits: u64, mut scale: u32) -> (u64, u32) {
    while scale > 0 && digits.is_multiple_of(10) {
        digits /= 10;
        scale -= 1;
    }
    (digits, scale)
}

/// The number of these digits.
#[inline]
pub(crate) fn of_digits(digits: u64, negative: bool, scale: u32) -> Decimal {
    Decimal::from_parts(digits as u32, (digits >> 32) as u32, 0, negative, scale)
}

/// Whether two numbers are written the same: stricter than being equal, and cheaper.
#[inline]
pub fn is_same(a: &Decimal, b: &Decimal) -> bool {
    let (a, b) = (a.unpack(), b.unpack());
    a.lo == b.lo && a.mid == b.mid && a.hi == b.hi && a.scale == b.scale && a.negative == b.negative
}

/// The order of two numbers, as [`Decimal`]'s own.
#[inline]
pub fn compare(a: &Decimal, b: &Decimal) -> Ordering {
    let Some((x, y, _)) = aligned(a, b) else { return general::compare(a, b) };
    match (a.is_sign_negative(), b.is_sign_negative()) {
        (false, false) => x.cmp(&y),
        (true, true) => y.cmp(&x),
        _ if x | y == 0 => Ordering::Equal,
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
    }
}

/// The smaller of two numbers, as [`Decimal`]'s own.
#[inline]
pub fn least(a: Decimal, b: Decimal) -> Decimal {
    if compare(&a, &b).is_gt() { b } else { a }
}

/// The larger of two numbers, as [`Decimal`]'s own.
#[inline]
pub fn greatest(a: Decimal, b: Decimal) -> Decimal {
    if compare(&a, &b).is_lt() { b } else { a }
}

/// What two numbers are together, as [`Decimal`]'s own.
#[inline]
pub fn sum(a: &Decimal, b: &Decimal) -> Decimal {
    // Adding nothing changes nothing, not even the number of places.
    if a.is_zero() {
        return *b;
    }
    if b.is_zero() {
        return *a;
    }
    match together(a, b, false) {
        Some(sum) => sum,
        None => general::sum(a, b),
    }
}

/// What is left of a number after taking another away, as [`Decimal`]'s own.
#[inline]
pub fn difference(a: &Decimal, b: &Decimal) -> Decimal {
    if a.is_zero() {
        return if b.is_zero() { *b } else { -*b };
    }
    if b.is_zero() {
        return *a;
    }
    match together(a, b, true) {
        Some(left) => left,
        None => general::difference(a, b),
    }
}

/// The product of two numbers, as [`Decimal`]'s own.
#[inline]
pub fn product(a: &Decimal, b: &Decimal) -> Decimal {
    if a.is_zero() || b.is_zero() {
        return Decimal::ZERO;
    }
    let quick = || {
        let digits = digits(a)?.checked_mul(digits(b)?)?;
        let scale = a.scale() + b.scale();
        (scale <= Decimal::MAX_SCALE)
            .then(|| of_digits(digits, a.is_sign_negative() != b.is_sign_negative(), scale))
    };
    match quick() {
        Some(product) => product,
        None => general::product(a, b),
    }
}

/// How far from a tie or a whole number a quotient must be for its 28 rounded digits to be as good as all of them.
const CLEAR: u128 = 1_000_000_000_000_000;

/// A quotient of two numbers above zero, in whole units of `10^-scale`.
struct Quotient {
    whole: u128,
    rest: u128,
    divisor: u128,
}

impl Quotient {
    /// `None` where it is too large to be worked out here.
    #[inline]
    fn new(value: &Decimal, by: &Decimal, scale: u32) -> Option<Self> {
        let (value_digits, by_digits) = (digits(value)?, digits(by).filter(|&digits| digits != 0)?);
        let (up, down) = (by.scale() + scale, value.scale());
        let (dividend, divisor) = if up >= down {
            (u128::from(value_digits) * u128::from(*POWERS.get((up - down) as usize)?), u128::from(by_digits))
        } else {
            (u128::from(value_digits), u128::from(by_digits) * u128::from(*POWERS.get((down - up) as usize)?))
        };
        // What `CLEAR` is multiplied with must stay in range.
        if divisor >= u128::MAX / CLEAR / 2 {
            return None;
        }
        let whole = match (u64::try_from(dividend), u64::try_from(divisor)) {
            (Ok(dividend), Ok(divisor)) => (dividend / divisor).into(),
            _ => dividend / divisor,
        };
        // A second division would cost as much as the first.
        Some(Self { whole, rest: dividend - whole * divisor, divisor })
    }
    /// Above the whole number by a part that rounding to 28 digits cannot take away.
    fn is_clear_of_below(&self) -> bool {
        self.rest * CLEAR >= self.divisor
    }
    /// Below the next whole number by such a part.
    fn is_clear_of_above(&self) -> bool {
        (self.divisor - self.rest) * CLEAR >= self.divisor
    }
    /// The nearest whole number, where there is no doubt which it is.
    fn nearest(&self) -> Option<u128> {
        let twice = self.rest * 2;
        let clear = twice.abs_diff(self.divisor) * CLEAR >= self.divisor;
        clear.then_some(self.whole + u128::from(twice > self.divisor))
    }
}

/// `value / by`, rounded to `places` behind the point, half to even.
pub fn div_round(value: Decimal, by: Decimal, places: u32) -> Decimal {
    let quick = || {
        let quotient = Quotient::new(&value, &by, places)?;
        // A quotient with fewer places is not padded with zeros: the general form knows how many it has.
        if !quotient.is_clear_of_below() || !quotient.is_clear_of_above() {
            return None;
        }
        let digits = u64::try_from(quotient.nearest()?).ok().filter(|&digits| digits != 0)?;
        // With more digits than that the general form has no places left to round.
        (digits < POWERS[18] && places <= 9)
            .then(|| of_digits(digits, value.is_sign_negative() != by.is_sign_negative(), places))
    };
    quick().unwrap_or_else(|| general::div_round(value, by, places))
}

/// So many steps as a number; `None` where they are none or do not fit.
#[inline]
fn steps(count: u128, step: &Decimal) -> Option<Decimal> {
    let digits = u64::try_from(count).ok()?.checked_mul(digits(step)?).filter(|&digits| digits != 0)?;
    Some(of_digits(digits, false, step.scale()))
}

/// How many steps a value has, where both are above zero.
#[inline]
fn in_steps(value: &Decimal, step: &Decimal) -> Option<Quotient> {
    if value.is_sign_negative() || step.is_sign_negative() {
        return None;
    }
    Quotient::new(value, step, 0)
}

/// Rounds towards zero onto a grid of `step`. A step of zero leaves the value alone.
pub fn floor_to(value: Decimal, step: Decimal) -> Decimal {
    let quick = || {
        let quotient = in_steps(&value, &step).filter(Quotient::is_clear_of_above)?;
        steps(quotient.whole, &step)
    };
    if step.is_zero() { value } else { quick().unwrap_or_else(|| general::floor_to(value, step)) }
}

/// Rounds a positive value up onto a grid of `step`.
pub fn ceil_to(value: Decimal, step: Decimal) -> Decimal {
    let quick = || {
        let quotient = in_steps(&value, &step)?;
        let exact = quotient.rest == 0;
        (exact || quotient.is_clear_of_below())
            .then(|| steps(quotient.whole + u128::from(!exact), &step))
            .flatten()
    };
    if step.is_zero() { value } else { quick().unwrap_or_else(|| general::ceil_to(value, step)) }
}

/// Rounds half away from zero onto a grid of `step`.
pub fn round_to(value: Decimal, step: Decimal) -> Decimal {
    let quick = || steps(in_steps(&value, &step)?.nearest()?, &step);
    if step.is_zero() { value } else { quick().unwrap_or_else(|| general::round_to(value, step)) }
}

/// What the quick forms leave over. Never inlined: the general arithmetic is long, and whoever takes it in saves every
/// register for it, also where it is not needed.
mod general {
    use std::cmp::Ordering;

    use rust_decimal::{Decimal, RoundingStrategy};

    macro_rules! general {
        ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty = $form:expr;)*) => {
            $(
                #[cold]
                #[inline(never)]
                pub(super) fn $name($($argument: $kind),*) -> $result {
                    $form
                }
            )*
        };
    }

    general! {
        compare(a: &Decimal, b: &Decimal) -> Ordering = a.cmp(b);
        sum(a: &Decimal, b: &Decimal) -> Decimal = a + b;
        difference(a: &Decimal, b: &Decimal) -> Decimal = a - b;
        product(a: &Decimal, b: &Decimal) -> Decimal = a * b;
        normal(value: &Decimal) -> Decimal = value.normalize();
        div_round(value: Decimal, by: Decimal, places: u32) -> Decimal = (value / by).round_dp(places);
        floor_to(value: Decimal, step: Decimal) -> Decimal = (value / step).trunc() * step;
        ceil_to(value: Decimal, step: Decimal) -> Decimal = (value / step).ceil() * step;
        round_to(value: Decimal, step: Decimal) -> Decimal =
            (value / step).round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero) * step;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::RoundingStrategy;

    use super::*;

    #[test]
    fn rounding_keeps_to_the_grid() {
        let step = Decimal::new(5, 1);
        assert_eq!(floor_to(Decimal::new(129, 2), step), Decimal::ONE);
        assert_eq!(ceil_to(Decimal::new(129, 2), step), Decimal::new(15, 1));
        assert_eq!(round_to(Decimal::new(125, 2), step), Decimal::new(15, 1));
    }

    /// Numbers as they occur, and numbers at the edges of the range.
    fn number() -> impl Strategy<Value = Decimal> {
        let usual = (1_i64..100_000_000, 0_u32..9).prop_map(|(digits, scale)| Decimal::new(digits, scale));
        let round = (1_i64..2_000, 0_i64..9, 0_u32..9)
            .prop_map(|(digits, zeros, scale)| Decimal::new(digits * 10_i64.pow(zeros as u32), scale));
        let odd = (any::<i64>(), 0_u32..=28).prop_map(|(digits, scale)| Decimal::new(digits, scale));
        let wide = (any::<i128>(), 33_u32..126, 0_u32..=28)
            .prop_map(|(digits, shift, scale)| Decimal::from_i128_with_scale(digits >> shift, scale));
        prop_oneof![4 => usual, 4 => round, 1 => odd, 1 => wide]
    }

    /// Nothing too, as it is written with any number of places.
    fn number_or_nothing() -> impl Strategy<Value = Decimal> {
        prop_oneof![6 => number(), 1 => (0_u32..9).prop_map(|scale| Decimal::new(0, scale))]
    }

    /// Range errors of the general form are not what is compared.
    fn fits(value: Decimal, by: Decimal) -> bool {
        value
            .checked_div(by)
            .is_some_and(|quotient| quotient.abs() < Decimal::from(1_000_000_000_000_000_i64))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_rounded_quotient_is_that_of_the_general_division_to_the_last_digit(
            value in number(), by in number(), places in 0_u32..9,
        ) {
            prop_assume!(fits(value, by));
            let expected = (value / by).round_dp(places);
            prop_assert_eq!(div_round(value, by, places).serialize(), expected.serialize(), "{}", expected);
        }

        #[test]
        fn numbers_have_the_order_sum_difference_and_product_that_the_general_forms_find(
            a in number_or_nothing(), b in number_or_nothing(), signs in 0_u8..4, alike in any::<bool>(),
        ) {
            let b = if alike { Decimal::from_i128_with_scale(a.mantissa(), b.scale()) } else { b };
            let a = if signs & 1 == 0 { a } else { -a };
            let b = if signs & 2 == 0 { b } else { -b };
            prop_assert_eq!(compare(&a, &b), a.cmp(&b));
            prop_assert_eq!(least(a, b).serialize(), a.min(b).serialize());
            prop_assert_eq!(greatest(a, b).serialize(), a.max(b).serialize());
            prop_assert_eq!(is_same(&a, &b), a.serialize() == b.serialize());
            if let Some(expected) = a.checked_add(b) {
                prop_assert_eq!(sum(&a, &b).serialize(), expected.serialize());
            }
            if let Some(expected) = a.checked_sub(b) {
                prop_assert_eq!(difference(&a, &b).serialize(), expected.serialize());
            }
            if let Some(expected) = a.checked_mul(b) {
                prop_assert_eq!(product(&a, &b).serialize(), expected.serialize());
            }
        }

        #[test]
        fn a_grid_holds_what_the_general_division_finds_to_the_last_digit(value in number(), step in number()) {
            prop_assume!(fits(value, step));
            let quotient = value / step;
            let ours = [floor_to(value, step), ceil_to(value, step), round_to(value, step)];
            let half_up = quotient.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
            let general = [quotient.trunc(), quotient.ceil(), half_up].map(|count| count * step);
            prop_assert_eq!(ours.map(|value| value.serialize()), general.map(|value| value.serialize()));
        }

        #[test]
        fn a_tie_and_a_near_tie_are_rounded_as_the_general_division_rounds_them(
            count in 0_i64..1_000_000, step in 1_i64..1_000, nudge in -1_i64..=1, scale in 0_u32..9,
        ) {
            // Half a step more than a whole number of them, and the smallest amounts beside it.
            let step = Decimal::new(step * 2, scale);
            let tie = step * Decimal::from(count) + step / Decimal::TWO;
            let value = tie + Decimal::new(nudge, 19);
            let general = (value / step).round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero) * step;
            prop_assert_eq!(round_to(value, step).serialize(), general.serialize());
            prop_assert_eq!(div_round(value, step, 0).serialize(), (value / step).round_dp(0).serialize());
        }
    }
}
