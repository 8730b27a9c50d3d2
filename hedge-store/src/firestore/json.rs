//! A view's JSON as typed fields, so that other readers of the database see numbers and lists, not a text.
//!
//! A number with a point or an exponent becomes text with exactly its digits: it may be money, and there is no decimal type.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::value::{Fields, Value};

/// Deeper content is refused by the service (20 levels); it is kept as text from here on.
const MAX_DEPTH: usize = 16;

/// The fields of a JSON object. `None` for anything else, or where a name is none that the service takes.
pub(super) fn fields(json: &str) -> Option<Fields> {
    object(json, 0)
}

fn object(json: &str, depth: usize) -> Option<Fields> {
    let raw: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    raw.into_iter()
        .map(|(name, value)| {
            is_field_name(&name).then(|| Some((name, of(value.get(), depth + 1, false)?)))?
        })
        .collect()
}

/// Names of fields: not empty, at most 1,500 bytes, not of the form `__…__`.
fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 1_500
        && !(name.len() >= 4 && name.starts_with("__") && name.ends_with("__"))
}

fn of(json: &str, depth: usize, is_in_list: bool) -> Option<Value> {
    let first = *json.as_bytes().first()?;
    Some(match first {
        b'{' | b'[' if depth > MAX_DEPTH => Value::Text(json.to_owned()),
        b'{' => Value::Map(object(json, depth)?),
        b'[' => {
            let raw: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let values: Option<Vec<Value>> =
                raw.iter().map(|value| of(value.get(), depth + 1, true)).collect();
            let list = Value::List(values?);
            // The service refuses a list directly in a list.
            if is_in_list { Value::Map(Fields::from([("values".to_owned(), list)])) } else { list }
        }
        b'"' => Value::Text(serde_json::from_str(json).ok()?),
        b't' => Value::Bool(true),
        b'f' => Value::Bool(false),
        b'n' => Value::Null,
        _ => json.parse().map_or_else(|_| Value::Text(json.to_owned()), Value::Int),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_typed_fields_and_money_stays_exact() {
        let found =
            fields(r#"{"nav":"10234.51","peak":1.50,"legs":3,"ok":true,"none":null,"text":"a\nb"}"#).unwrap();
        let expected = Fields::from([
            ("nav".to_owned(), "10234.51".into()),
            ("peak".to_owned(), "1.50".into()),
            ("legs".to_owned(), Value::Int(3)),
            ("ok".to_owned(), Value::Bool(true)),
            ("none".to_owned(), Value::Null),
            ("text".to_owned(), "a\nb".into()),
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_list_in_a_list_is_wrapped_and_deep_content_becomes_text() {
        let found = fields(r#"{"a":[[1]]}"#).unwrap();
        let inner = Value::Map(Fields::from([("values".to_owned(), Value::List(vec![Value::Int(1)]))]));
        assert_eq!(found["a"], Value::List(vec![inner]));
        let deep = format!("{{\"a\":{}1{}}}", "{\"b\":".repeat(30), "}".repeat(30));
        let text = serde_json::to_string(&fields(&deep).unwrap()["a"]).unwrap();
        assert!(text.matches("mapValue").count() <= MAX_DEPTH, "{text}");
        assert!(text.contains("stringValue"), "{text}");
    }

    #[test]
    fn a_name_that_the_service_refuses_leaves_only_the_text() {
        for json in [r#"{"":1}"#, r#"{"__a__":1}"#, r#"{"a":{"__b__":1}}"#, "[]", "1"] {
            assert_eq!(fields(json), None, "{json}");
        }
    }
}
