//! Numbers that travel as text, as JSON numbers, or as an empty string for "none".

use std::fmt;

use rust_decimal::Decimal;
use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer},
};

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
                <Decimal as Deserialize>::deserialize(value.into_deserializer())
                    .map(|value| Amount(Some(value)))
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

fn decimal_text(text: &str) -> Result<Decimal, String> {
    let text = text.trim();
    text.parse()
        .or_else(|_| Decimal::from_scientific(text))
        .map_err(|_| format!("{:?} is not a decimal", text.chars().take(40).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Row {
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
