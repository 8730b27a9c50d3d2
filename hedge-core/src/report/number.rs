//! Numbers as operators read them, and as JSON writes them.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;

/// Decimals of an amount of money and of a percentage in the text.
const MONEY_PLACES: u32 = 2;
/// Decimals of a quantity in the text, at least.
const QTY_PLACES: usize = 3;

/// `12,345.67`.
pub(super) fn money(value: Decimal) -> String {
    grouped(rounded(value, MONEY_PLACES), MONEY_PLACES)
}

/// `+123.45`, `-6.10`; a zero is `+0.00`.
pub(super) fn signed(value: Decimal) -> String {
    let rounded = rounded(value, MONEY_PLACES);
    let sign = if rounded.is_sign_negative() { "" } else { "+" };
    format!("{sign}{}", grouped(rounded, MONEY_PLACES))
}

/// `3.2`.
pub(super) fn one_place(value: Decimal) -> String {
    grouped(rounded(value, 1), 1)
}

/// `0.042`, `1.000`, `0.00015`: three decimals or as many as it has.
pub(super) fn qty(value: Decimal) -> String {
    let value = plain(value);
    let text = value.to_string();
    let places = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let places = places.max(QTY_PLACES);
    format!("{value:.places$}")
}

/// Half a unit goes away from zero, as people round; the result has no negative zero.
fn rounded(value: Decimal, places: u32) -> Decimal {
    let rounded = value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    if rounded.is_zero() { Decimal::ZERO } else { rounded }
}

/// With a comma between thousands.
fn grouped(value: Decimal, places: u32) -> String {
    let places = places as usize;
    let text = format!("{:.places$}", value.abs());
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let mut shown = String::with_capacity(text.len() + 4);
    if value.is_sign_negative() {
        shown.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    if !decimals.is_empty() {
        shown.push('.');
        shown.push_str(decimals);
    }
    shown
}

/// Without trailing zeros; a zero has no sign.
fn plain(value: Decimal) -> Decimal {
    if value.is_zero() { Decimal::ZERO } else { value.normalize() }
}

/// A JSON number with exactly these digits: no binary fraction comes in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) Decimal);

impl Number {
    /// At the venue's eight places.
    pub(super) fn amount(value: Decimal) -> Self {
        Self(value.round_dp(8))
    }
    /// At four places.
    pub(super) fn percent(value: Decimal) -> Self {
        Self(value.round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(plain(self.0).to_string()).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn money_has_two_places_and_thousands_separators() {
        for (value, text) in [
            ("12345.67", "12,345.67"),
            ("0", "0.00"),
            ("-0.004", "0.00"),
            ("999.995", "1,000.00"),
            ("1234567.891", "1,234,567.89"),
            ("-1234.5", "-1,234.50"),
        ] {
            assert_eq!(money(dec(value)), text);
        }
    }

    #[test]
    fn a_change_always_has_a_sign_and_a_zero_is_not_negative() {
        for (value, text) in [
            ("123.45", "+123.45"),
            ("-0.289", "-0.29"),
            ("0.157", "+0.16"),
            ("-0.005", "-0.01"),
            ("-0.0049", "+0.00"),
            ("-12345.675", "-12,345.68"),
        ] {
            assert_eq!(signed(dec(value)), text);
        }
    }

    #[test]
    fn a_quantity_shows_three_places_or_as_many_as_it_has() {
        for (value, text) in [
            ("0.042", "0.042"),
            ("1.0", "1.000"),
            ("12000", "12000.000"),
            ("0.00015", "0.00015"),
            ("5.10", "5.100"),
        ] {
            assert_eq!(qty(dec(value)), text);
        }
    }

    #[test]
    fn json_numbers_keep_every_digit() {
        let json = |value: &str| serde_json::to_string(&Number(dec(value))).unwrap();
        assert_eq!(json("9007199254740993.00000001"), "9007199254740993.00000001");
        assert_eq!(json("0.10"), "0.1");
        assert_eq!(json("-0.000"), "0");
        assert_eq!(serde_json::to_string(&Number::percent(dec("1.0100457"))).unwrap(), "1.01");
    }

    proptest! {
        #[test]
        fn without_its_commas_shown_money_is_the_value_rounded(units in -1_000_000_000_000_i64..1_000_000_000_000) {
            let value = Decimal::new(units, 3);
            let shown: Decimal = money(value).replace(',', "").parse().unwrap();
            prop_assert!((shown - value).abs() <= Decimal::new(5, 3));
        }
    }
}
