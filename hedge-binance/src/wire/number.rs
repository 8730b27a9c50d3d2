//! Numbers that travel as text, as JSON numbers, or as an empty string for "none".

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de};

enum Scalar {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
}

// Written by hand: an untagged enum would buffer the value and build an error for each variant that does not fit.
impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, true, false or text")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Int))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A decimal as text or number; `None` for empty text.
struct Amount(Option<Decimal>);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal as text or number")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Amount, E> {
                Ok(Amount(Some(Decimal::from(value))))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Amount, E> {
                Ok(Amount(Some(Decimal::from(value))))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Amount, E> {
                of_double(value).map(|value| Amount(Some(value))).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                if text.trim().is_empty() {
                    return Ok(Amount(None));
                }
                decimal_text(text).map(|value| Amount(Some(value))).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Scalar {
    fn int(self) -> Result<i64, String> {
        match self {
            Self::Int(value) => Ok(value),
            Self::Text(text) => text.trim().parse().map_err(|_| format!("{text:?} is not a whole number")),
            // Ids never pass through floating point: above 2^53 they would be wrong (fact sheet 5.4).
            Self::Float(value) => Err(format!("{value} is not a whole number")),
            Self::Bool(value) => Err(format!("{value} is not a whole number")),
        }
    }

    fn bool(self) -> Result<bool, String> {
        match self {
            Self::Bool(value) => Ok(value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Self::Text(text) => Err(format!("{text:?} is not true or false")),
            Self::Int(value) => Err(format!("{value} is not true or false")),
            Self::Float(value) => Err(format!("{value} is not true or false")),
        }
    }
}

/// A whole number, as number or text.
pub(crate) fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Scalar::deserialize(deserializer)?.int().map_err(de::Error::custom)
}

/// A whole number, absent when missing, null or empty text.
pub(crate) fn opt_int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Scalar>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Scalar::Text(text)) if text.trim().is_empty() => Ok(None),
        Some(scalar) => scalar.int().map(Some).map_err(de::Error::custom),
    }
}

/// A decimal, as text or number.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    Amount::deserialize(deserializer)?.0.ok_or_else(|| de::Error::custom("empty text is not a decimal"))
}

/// A decimal of 0 or more: a quantity.
pub(crate) fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    not_negative(decimal(deserializer)?)
}

/// A quantity, absent when missing, null or empty text.
pub(crate) fn opt_quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    opt_decimal(deserializer)?.map(not_negative).transpose()
}

fn not_negative<E: de::Error>(value: Decimal) -> Result<Decimal, E> {
    if value < Decimal::ZERO {
        return Err(E::custom(format!("{value} is negative, which a quantity cannot be")));
    }
    Ok(value)
}

/// A price and what stands there, as they travel in books: an array of two.
#[derive(Deserialize)]
struct Row(#[serde(deserialize_with = "decimal")] Decimal, #[serde(deserialize_with = "quantity")] Decimal);

/// The side of a book.
pub(crate) fn levels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(Decimal, Decimal)>, D::Error> {
    let rows = Vec::<Row>::deserialize(deserializer)?;
    Ok(rows.into_iter().map(|Row(price, qty)| (price, qty)).collect())
}

/// A decimal, absent when missing, null or empty text.
pub(crate) fn opt_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    Ok(Option::<Amount>::deserialize(deserializer)?.and_then(|amount| amount.0))
}

/// A boolean, as such or as text (`isAutoAddMargin` of positionRisk v2 is text).
pub(crate) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Scalar::deserialize(deserializer)?.bool().map_err(de::Error::custom)
}

/// A boolean, absent when missing, null or empty text.
pub(crate) fn opt_boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Option::<Scalar>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Scalar::Text(text)) if text.trim().is_empty() => Ok(None),
        Some(scalar) => scalar.bool().map(Some).map_err(de::Error::custom),
    }
}

/// Text, or a number shown as text (`code` is `"200"` on one path and `200` on another).
pub(crate) fn opt_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Scalar>::deserialize(deserializer)? {
        None => None,
        Some(Scalar::Text(text)) if text.is_empty() => None,
        Some(Scalar::Text(text)) => Some(text),
        Some(Scalar::Int(value)) => Some(value.to_string()),
        Some(Scalar::Float(value)) => Some(value.to_string()),
        Some(Scalar::Bool(value)) => Some(value.to_string()),
    })
}

/// As written, to the last digit: more digits than a decimal holds are refused, not rounded. Zeros behind them are none.
fn decimal_text(text: &str) -> Result<Decimal, String> {
    let text = text.trim();
    exact(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is not a decimal of at most {MOST_DIGITS} digits")
    })
}

/// A decimal holds so many digits, whatever they are.
const MOST_DIGITS: usize = 28;

fn exact(text: &str) -> Option<Decimal> {
    if let Ok(value) = Decimal::from_str_exact(text) {
        return Some(value);
    }
    let (mantissa, has_exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], true),
        None => (text, false),
    };
    if has_exponent {
        // Only the exponent may be left to a reader that rounds, and it rounds nothing that is short.
        let is_short = mantissa.bytes().filter(u8::is_ascii_digit).count() <= MOST_DIGITS;
        return is_short.then(|| Decimal::from_scientific(text).ok()).flatten();
    }
    let kept = mantissa.contains('.').then(|| mantissa.trim_end_matches('0'))?;
    Decimal::from_str_exact(kept.strip_suffix('.').unwrap_or(kept)).ok()
}

/// So many digits survive the way into a double and back.
const DIGITS_OF_DOUBLE: usize = 15;

/// A number that travels as a JSON number has become a double before it is seen here. With up to fifteen digits it is still
/// the one that was written; with more, nobody can tell, and money is not guessed.
fn of_double(value: f64) -> Result<Decimal, String> {
    let text = value.to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !value.is_finite() || digits.trim_matches('0').len() > DIGITS_OF_DOUBLE {
        return Err(format!(
            "the number {text} has more than {DIGITS_OF_DOUBLE} digits, which a JSON number does not keep; expected text"
        ));
    }
    decimal_text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Row {
        #[serde(deserialize_with = "decimal")]
        qty: Decimal,
        #[serde(default, deserialize_with = "opt_decimal")]
        price: Option<Decimal>,
        #[serde(default, deserialize_with = "opt_int")]
        id: Option<i64>,
    }

    fn row(text: &str) -> Row {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_decimal_is_read_from_text_and_from_a_number() {
        assert_eq!(row(r#"{"qty":"0.10"}"#).qty.to_string(), "0.10");
        assert_eq!(row(r#"{"qty":0.1}"#).qty.to_string(), "0.1");
        assert_eq!(row(r#"{"qty":5000}"#).qty.to_string(), "5000");
    }

    #[test]
    fn a_number_that_a_double_does_not_keep_is_refused_and_its_text_is_read_to_the_last_digit() {
        for (written, read) in [
            ("0.000000123456789012345", "0.000000123456789012345"),
            ("123456789012345.5", ""),
            ("0.30000000000000004", ""),
            ("1234567890.1234567", ""),
            ("999999999999999", "999999999999999"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551617", ""),
            ("1e-7", "0.0000001"),
            ("1e300", ""),
            ("1e-300", ""),
        ] {
            let row = serde_json::from_str::<Row>(&format!(r#"{{"qty":{written}}}"#));
            match read {
                "" => assert!(row.is_err(), "{written} was read"),
                read => assert_eq!(row.unwrap().qty.to_string(), read),
            }
        }
        assert_eq!(
            row(r#"{"qty":"1234567890.12345678901234567"}"#).qty.to_string(),
            "1234567890.12345678901234567"
        );
    }

    #[test]
    fn text_with_more_digits_than_a_decimal_holds_is_refused_and_zeros_behind_them_are_none() {
        let error = |text: &str| serde_json::from_str::<Row>(&format!(r#"{{"qty":"{text}"}}"#)).err();
        assert!(error("0.12345678901234567890123456789").is_some(), "29 digits were rounded");
        assert!(error("79228162514264337593543950336").is_some());
        for text in ["", "-", ".", "1e", "1.2.3", "0x1", "NaN", "inf", "--1"] {
            assert!(error(text).is_some(), "{text:?} was read");
        }
        let zeros = format!(r#"{{"qty":"1.5{}"}}"#, "0".repeat(40));
        assert_eq!(row(&zeros).qty.normalize().to_string(), "1.5");
        assert_eq!(row(r#"{"qty":"-2.5e3"}"#).qty.to_string(), "-2500");
    }

    #[test]
    fn a_quantity_is_not_negative() {
        #[derive(Debug, Deserialize)]
        struct Held {
            #[serde(deserialize_with = "quantity")]
            qty: Decimal,
        }
        assert_eq!(serde_json::from_str::<Held>(r#"{"qty":"0"}"#).unwrap().qty, Decimal::ZERO);
        let error = serde_json::from_str::<Held>(r#"{"qty":"-310.0"}"#).unwrap_err().to_string();
        assert!(error.starts_with("-310.0 is negative, which a quantity cannot be"), "{error}");
    }

    #[test]
    fn empty_null_and_missing_are_none() {
        for text in [r#"{"qty":1,"price":"","id":""}"#, r#"{"qty":1,"price":null,"id":null}"#, r#"{"qty":1}"#]
        {
            let row = row(text);
            assert_eq!((row.price, row.id), (None, None), "{text}");
        }
    }

    #[test]
    fn an_id_near_two_to_the_fifty_third_keeps_its_last_digit() {
        assert_eq!(row(r#"{"qty":1,"id":9007199254740993}"#).id, Some(9_007_199_254_740_993));
        assert_eq!(row(r#"{"qty":1,"id":"9007199254740993"}"#).id, Some(9_007_199_254_740_993));
        assert!(serde_json::from_str::<Row>(r#"{"qty":1,"id":1.5}"#).is_err());
    }
}
