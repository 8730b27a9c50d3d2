//! Firestore's typed values, as JSON writes them: an object with one key that names the type.
//!
//! Source: fact sheet "services", sections a.2 and a.10.

use std::{collections::BTreeMap, fmt};

use hedge_core::Timestamp;
use hedge_http::sign::{base64, base64_decode};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::time;

/// Named values.
pub type Fields = BTreeMap<String, Value>;

/// One value of a document.
///
/// There is no decimal type: money is text. Times have microseconds; finer digits are cut off, as the server does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number; travels as text.
    Int(i64),
    /// A measure that is not money.
    Double(f64),
    /// An instant.
    Time(Timestamp),
    /// Text, and every amount of money.
    Text(String),
    /// Bytes; travel as base64.
    Bytes(Vec<u8>),
    /// A list. The server refuses a list directly in a list.
    List(Vec<Value>),
    /// Named values.
    Map(Fields),
    /// A kind that this version does not know, kept as it came.
    Other {
        /// Its type key.
        kind: String,
        /// Its content.
        raw: serde_json::Value,
    },
}

impl Value {
    /// Text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
    /// A whole number, if it is one.
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
    /// An instant, if it is one.
    pub const fn as_time(&self) -> Option<Timestamp> {
        match self {
            Self::Time(at) => Some(*at),
            _ => None,
        }
    }
    /// The named values, if it is a map.
    pub const fn as_map(&self) -> Option<&Fields> {
        match self {
            Self::Map(fields) => Some(fields),
            _ => None,
        }
    }
    /// The values, if it is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Null => map.serialize_entry("nullValue", &())?,
            Self::Bool(is) => map.serialize_entry("booleanValue", is)?,
            Self::Int(number) => map.serialize_entry("integerValue", &number.to_string())?,
            Self::Double(number) if number.is_nan() => map.serialize_entry("doubleValue", "NaN")?,
            Self::Double(number) if number.is_infinite() => {
                let text = if *number > 0.0 { "Infinity" } else { "-Infinity" };
                map.serialize_entry("doubleValue", text)?;
            }
            Self::Double(number) => map.serialize_entry("doubleValue", number)?,
            Self::Time(at) => map.serialize_entry("timestampValue", &time::to_text(*at))?,
            Self::Text(text) => map.serialize_entry("stringValue", text)?,
            Self::Bytes(bytes) => map.serialize_entry("bytesValue", &base64(bytes))?,
            Self::List(values) => map.serialize_entry("arrayValue", &ListOut { values })?,
            Self::Map(fields) => map.serialize_entry("mapValue", &MapOut { fields })?,
            Self::Other { kind, raw } => map.serialize_entry(kind, raw)?,
        }
        map.end()
    }
}

/// An empty list is written, and read, as an object without `values`; likewise a map.
#[derive(Serialize)]
struct ListOut<'a> {
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    values: &'a [Value],
}

#[derive(Serialize)]
struct MapOut<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: &'a Fields,
}

#[derive(Deserialize)]
struct ListIn {
    #[serde(default)]
    values: Vec<Value>,
}

#[derive(Deserialize)]
struct MapIn {
    #[serde(default)]
    fields: Fields,
}

/// A number that may come as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Int(i64),
    Double(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneKind;

        impl<'de> Visitor<'de> for OneKind {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one key that names a Firestore type")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let Some(kind) = map.next_key::<String>()? else {
                    return Err(A::Error::custom("a Firestore value without a type"));
                };
                let value = read(&kind, &mut map)?;
                match map.next_key::<String>()? {
                    None => Ok(value),
                    Some(second) => {
                        map.next_value::<IgnoredAny>()?;
                        Err(A::Error::custom(format!(
                            "a Firestore value with two types, {kind} and {second}"
                        )))
                    }
                }
            }
        }

        deserializer.deserialize_map(OneKind)
    }
}

fn read<'de, A: MapAccess<'de>>(kind: &str, map: &mut A) -> Result<Value, A::Error> {
    let wrong = |text: &str| A::Error::custom(format!("{kind} {text:?} cannot be read"));
    Ok(match kind {
        "nullValue" => {
            map.next_value::<IgnoredAny>()?;
            Value::Null
        }
        "booleanValue" => Value::Bool(map.next_value()?),
        "integerValue" => Value::Int(match map.next_value()? {
            Loose::Int(number) => number,
            Loose::Double(number) => return Err(wrong(&number.to_string())),
            Loose::Text(text) => text.parse().map_err(|_| wrong(&text))?,
        }),
        "doubleValue" => Value::Double(match map.next_value()? {
            // A whole double may come without its point.
            Loose::Int(number) => number as f64,
            Loose::Double(number) => number,
            Loose::Text(text) => match text.as_str() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => return Err(wrong(&text)),
            },
        }),
        "timestampValue" => {
            let text: String = map.next_value()?;
            match time::parse(&text) {
                Some(at) => Value::Time(at),
                // Years that nanoseconds cannot hold.
                None => Value::Other { kind: kind.to_owned(), raw: text.into() },
            }
        }
        "stringValue" => Value::Text(map.next_value()?),
        "bytesValue" => {
            let text: String = map.next_value()?;
            Value::Bytes(base64_decode(&text).ok_or_else(|| wrong(&text))?)
        }
        "arrayValue" => Value::List(map.next_value::<ListIn>()?.values),
        "mapValue" => Value::Map(map.next_value::<MapIn>()?.fields),
        _ => Value::Other { kind: kind.to_owned(), raw: map.next_value()? },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_written(value: &Value, json: &str) {
        assert_eq!(serde_json::to_string(value).unwrap(), json);
        assert_eq!(&serde_json::from_str::<Value>(json).unwrap(), value, "{json}");
    }

    #[test]
    fn every_type_is_written_as_the_service_documents_it() {
        is_written(&Value::Null, r#"{"nullValue":null}"#);
        is_written(&Value::Bool(true), r#"{"booleanValue":true}"#);
        is_written(&Value::Int(-7), r#"{"integerValue":"-7"}"#);
        is_written(&Value::Double(0.25), r#"{"doubleValue":0.25}"#);
        is_written(&Value::Double(f64::NEG_INFINITY), r#"{"doubleValue":"-Infinity"}"#);
        is_written(&Value::from("10234.51"), r#"{"stringValue":"10234.51"}"#);
        is_written(&Value::Bytes(b"hello".to_vec()), r#"{"bytesValue":"aGVsbG8="}"#);
        is_written(&Value::List(Vec::new()), r#"{"arrayValue":{}}"#);
        is_written(&Value::List(vec![Value::Int(1)]), r#"{"arrayValue":{"values":[{"integerValue":"1"}]}}"#);
        is_written(&Value::Map(Fields::new()), r#"{"mapValue":{}}"#);
        is_written(
            &Value::Time(Timestamp::from_ns(1_795_165_200_123_456_000)),
            r#"{"timestampValue":"2026-11-20T09:00:00.123456Z"}"#,
        );
        let raw = serde_json::json!({"latitude": 1.5, "longitude": 2.5});
        is_written(
            &Value::Other { kind: "geoPointValue".to_owned(), raw },
            r#"{"geoPointValue":{"latitude":1.5,"longitude":2.5}}"#,
        );
    }

    #[test]
    fn numbers_are_read_in_every_form_the_service_takes_or_gives() {
        for json in [r#"{"integerValue":7}"#, r#"{"integerValue":"7"}"#] {
            assert_eq!(serde_json::from_str::<Value>(json).unwrap(), Value::Int(7));
        }
        for json in [r#"{"doubleValue":100000000000000000000}"#, r#"{"doubleValue":1.0E20}"#] {
            assert_eq!(serde_json::from_str::<Value>(json).unwrap(), Value::Double(1e20));
        }
        assert!(
            matches!(serde_json::from_str(r#"{"doubleValue":"NaN"}"#).unwrap(), Value::Double(x) if x.is_nan())
        );
    }

    #[test]
    fn nanoseconds_are_cut_to_microseconds() {
        let value: Value =
            serde_json::from_str(r#"{"timestampValue":"2026-11-20T09:00:00.123456789Z"}"#).unwrap();
        assert_eq!(value, Value::Time(Timestamp::from_ns(1_795_165_200_123_456_000)));
        let text =
            serde_json::to_string(&Value::Time(Timestamp::from_ns(1_795_165_200_123_456_789))).unwrap();
        assert_eq!(text, r#"{"timestampValue":"2026-11-20T09:00:00.123456Z"}"#);
    }

    #[test]
    fn a_value_that_is_not_one_is_refused() {
        for json in
            ["{}", "7", r#"{"integerValue":"7.5"}"#, r#"{"integerValue":1.5}"#, r#"{"bytesValue":"a"}"#]
        {
            assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
        }
        let error = serde_json::from_str::<Value>(r#"{"nullValue":null,"booleanValue":true}"#).unwrap_err();
        assert!(error.to_string().contains("two types, nullValue and booleanValue"), "{error}");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("equal to itself", |x| !x.is_nan()).prop_map(Value::Double),
            any::<i64>().prop_map(|ns| Value::Time(Timestamp::from_ns(
                ns.div_euclid(1_000).max(i64::MIN / 1_000 + 1) * 1_000
            ))),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_value_reads_back_as_it_was_written(value in value()) {
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
        }
    }
}
