//! Checked decimals. Only the arithmetic that means something exists.
//!
//! Multiplying two prices does not compile:
//!
//! ```compile_fail
//! # use hedge_core::Price;
//! fn nonsense(a: Price, b: Price) { let _ = a.checked_mul(b); }
//! ```

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::{
    digits::{POWERS, digits, is_at_most_power, normal, of_digits, without_zeros},
    id::Asset,
};

pub use crate::digits::{
    ceil_to, compare, difference, div_round, floor_to, greatest, is_same, least, product, round_to, sum,
};

/// A number that cannot be that kind of amount.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} {value} is not usable: expected {expected}")]
pub struct InvalidAmount {
    /// Which kind of amount.
    pub what: &'static str,
    /// What was given.
    pub value: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Decimal);

        impl $name {
            #[doc = concat!("Checks and normalises. Errors: [`InvalidAmount`] unless the value is ", $expected, ".")]
            pub fn new(value: Decimal) -> Result<Self, InvalidAmount> {
                Self::of(value).ok_or_else(|| InvalidAmount {
                    what: $what,
                    value: value.to_string(),
                    expected: $expected,
                })
            }
            /// The value as such an amount; `None` where [`new`](Self::new) would say what is wrong with it.
            #[inline]
            pub fn of(value: Decimal) -> Option<Self> {
                let valid: fn(&Decimal) -> bool = $valid;
                valid(&value).then(|| Self(normal(value)))
            }
            #[doc = concat!("Reads decimal text. Errors: [`InvalidAmount`] unless it is ", $expected, ".")]
            pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
                let bad = || InvalidAmount {
                    what: $what,
                    value: text.chars().take(64).collect(),
                    expected: $expected,
                };
                Self::new(Decimal::from_str_exact(text).map_err(|_| bad())?)
            }
            /// The bare number.
            pub const fn get(self) -> Decimal {
                self.0
            }
        }
        impl TryFrom<Decimal> for $name {
            type Error = InvalidAmount;
            fn try_from(value: Decimal) -> Result<Self, InvalidAmount> {
                Self::new(value)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(<Decimal as Deserialize>::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

amount!(
    /// Quote per base. Always above zero, and small enough that no product with a [`Qty`] leaves the decimal range.
    Price, "price", "a decimal above 0 and at most 10000000000",
    |v| v.is_sign_positive() && !v.is_zero() && is_at_most_power(v, 10)
);
amount!(
    /// Base units or contracts. Always above zero; "no position" is `None`.
    Qty, "qty", "a decimal above 0 and at most 10000000000000",
    |v| v.is_sign_positive() && !v.is_zero() && is_at_most_power(v, 13)
);
amount!(
    /// Quantity times price in the quote asset. Never negative.
    Notional, "notional", "a decimal of at least 0 and at most 10^23",
    |v| (!v.is_sign_negative() || v.is_zero()) && is_at_most_power(v, 23)
);
amount!(
    /// A profit, loss, fee or balance in a settlement asset; may be negative.
    SignedAmount, "amount", "a decimal", |_| true
);
amount!(
    /// A plain fraction: 0.05 is five percent.
    Ratio, "ratio", "a decimal", |_| true
);
amount!(
    /// Basis points: 5 is five hundredths of a percent.
    Bps, "bps", "a decimal", |_| true
);

impl Price {
    /// The price `mantissa / 10^scale`; `None` when that is not a price.
    #[inline]
    pub fn from_scaled(mantissa: i64, scale: u8) -> Option<Self> {
        let digits = u64::try_from(mantissa).ok().filter(|&digits| digits > 0)?;
        let within = POWERS.get(10 + usize::from(scale)).is_none_or(|bound| digits <= *bound);
        if scale > 28 || !within {
            return None;
        }
        let (digits, scale) = without_zeros(digits, u32::from(scale));
        Some(Self(of_digits(digits, false, scale)))
    }
    /// Price times quantity. Errors: [`InvalidAmount`] when the product leaves the decimal range.
    pub fn checked_mul(self, qty: Qty) -> Result<Notional, InvalidAmount> {
        // Few digits cannot leave the range.
        if let (Some(price), Some(amount)) = (digits(&self.0), digits(&qty.0))
            && price.checked_mul(amount).is_some()
            && let Some(notional) = Notional::of(product(&self.0, &qty.0))
        {
            return Ok(notional);
        }
        let product = self.0.checked_mul(qty.0).ok_or_else(|| InvalidAmount {
            what: "notional",
            value: format!("{self} x {qty}"),
            expected: "a product inside the decimal range",
        })?;
        Notional::new(product)
    }
    /// This price moved by a fraction of itself: `0.01` is one percent up. Errors when nothing positive is left.
    pub fn moved_by(self, fraction: Ratio) -> Result<Self, InvalidAmount> {
        Self::new(self.0 * (Decimal::ONE + fraction.0))
    }
}

impl Qty {
    /// What is left after taking `other` away; `None` when nothing is.
    pub fn minus(self, other: Self) -> Option<Self> {
        Self::of(self.0 - other.0)
    }
    /// The sum of two quantities.
    pub fn plus(self, other: Self) -> Self {
        Self(normal(self.0 + other.0))
    }
}

impl Notional {
    /// No exposure at all.
    pub const ZERO: Self = Self(Decimal::ZERO);
}

impl SignedAmount {
    /// Nothing gained, nothing lost.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// Any decimal is a signed amount.
    pub fn from_decimal(value: Decimal) -> Self {
        Self(normal(value))
    }
}

impl Bps {
    /// No distance at all.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// Five percent.
    pub const FIVE_PERCENT: Self = Self(Decimal::from_parts(500, 0, 0, false, 0));
    /// As a plain fraction: 25 bps is 0.0025.
    pub fn ratio(self) -> Ratio {
        Ratio(moved(self.0, 4))
    }
}

/// A number divided by ten to the power `places`.
fn moved(value: Decimal, places: u32) -> Decimal {
    match digits(&value) {
        Some(digits) if digits != 0 && value.scale() + places <= Decimal::MAX_SCALE => {
            let (digits, scale) = without_zeros(digits, value.scale() + places);
            of_digits(digits, value.is_sign_negative(), scale)
        }
        _ => (value / Decimal::from(10_u32.pow(places))).normalize(),
    }
}

impl Ratio {
    /// Percent to fraction: 9 becomes 0.09.
    pub fn from_percent(percent: Decimal) -> Self {
        Self(moved(percent, 2))
    }
}

/// Money with its asset. Amounts of different assets never add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Which asset.
    pub asset: Asset,
    /// How much; negative is owed or paid.
    pub value: SignedAmount,
}

impl Amount {
    /// An amount of an asset.
    pub fn new(asset: Asset, value: Decimal) -> Self {
        Self { asset, value: SignedAmount::from_decimal(value) }
    }
    /// An amount of USDT.
    pub fn usdt(value: Decimal) -> Self {
        Self::new(Asset::usdt(), value)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.asset)
    }
}

/// Leverage as a whole multiple, 1 to 125.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Leverage(u8);

impl Leverage {
    /// No leverage.
    pub const ONE: Self = Self(1);

    /// Checks the multiple. Errors: [`InvalidAmount`] outside 1..=125.
    pub fn new(multiple: u32) -> Result<Self, InvalidAmount> {
        match u8::try_from(multiple) {
            Ok(value @ 1..=125) => Ok(Self(value)),
            _ => Err(InvalidAmount {
                what: "leverage",
                value: multiple.to_string(),
                expected: "a whole multiple from 1 to 125",
            }),
        }
    }
    /// The multiple.
    pub const fn get(self) -> u32 {
        self.0 as u32
    }
}

impl<'de> Deserialize<'de> for Leverage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u32::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl fmt::Display for Leverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_above_zero() {
        assert!(Price::parse("0").is_err());
        assert!(Price::parse("-1").is_err());
        assert_eq!(Price::parse("1.500").unwrap().to_string(), "1.5");
    }

    #[test]
    fn an_amount_is_bounded_at_its_bound_however_it_is_written() {
        for (text, usable) in [
            ("10000000000", true),
            ("10000000000.000000000000", true),
            ("10000000000.00000000001", false),
            ("10000000001", false),
            ("9999999999.9999999999999999", true),
            ("99999999999999999999999999", false),
        ] {
            assert_eq!(Price::parse(text).is_ok(), usable, "{text}");
        }
        assert!(Notional::parse("100000000000000000000000").is_ok());
        assert!(Notional::parse("100000000000000000000000.1").is_err());
        assert!(Notional::parse("-0.0").is_ok() && Notional::parse("-0.1").is_err());
    }

    #[test]
    fn a_scaled_price_is_the_price_of_its_decimal() {
        for mantissa in [1, 10, 1_050, 99_999, 100_000_000_000, 10_000_000_000_000_000, i64::MAX, 0, -5] {
            for scale in [0_u8, 1, 2, 8, 18, 28] {
                let price = Price::new(Decimal::from_i128_with_scale(mantissa.into(), scale.into())).ok();
                assert_eq!(Price::from_scaled(mantissa, scale), price, "{mantissa} {scale}");
                let digits = |price: Option<Price>| price.map(|price| price.get().serialize());
                assert_eq!(digits(Price::from_scaled(mantissa, scale)), digits(price));
            }
        }
        assert_eq!(Price::from_scaled(1, 29), None);
    }

    proptest::proptest! {
        #[test]
        fn an_amount_has_no_zeros_behind_its_last_digit(
            mantissa in proptest::prelude::any::<i128>(), shift in 31_u32..120, zeros in 0_u32..9, scale in 0_u32..=28,
        ) {
            let mantissa = (mantissa >> shift).saturating_mul(10_i128.pow(zeros)) % (1 << 96);
            let value = Decimal::from_i128_with_scale(mantissa, scale);
            let amount = SignedAmount::new(value).unwrap();
            proptest::prop_assert_eq!(amount.get().serialize(), value.normalize().serialize());
            let bound = Decimal::from_i128_with_scale(10_i128.pow(13), 0);
            let usable = value > Decimal::ZERO && value <= bound;
            proptest::prop_assert_eq!(Qty::new(value).is_ok(), usable);
        }
    }

    #[test]
    fn leverage_is_one_to_one_hundred_and_twenty_five() {
        assert!(Leverage::new(0).is_err());
        assert!(Leverage::new(126).is_err());
        assert_eq!(Leverage::new(125).unwrap().get(), 125);
    }
}
