//! Reads parsed JSON into wire structs and knows where it is: an error names the field, and what each struct asked for is
//! remembered.

use std::{cell::RefCell, collections::BTreeMap, fmt};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// The fields that the struct at a place knows, by place (`o`, `a.P[0]`).
pub(super) type Asked = BTreeMap<String, &'static [&'static str]>;

/// A field that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", if .path.is_empty() { "message" } else { .path.as_str() })]
pub struct FieldError {
    /// Where: names joined by dots, elements in brackets.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

/// Reads a value, and notes what its structs asked for.
pub(super) fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<(T, Asked), FieldError> {
    let asked = RefCell::new(Asked::new());
    let at = At { value, path: String::new(), asked: &asked };
    let read = T::deserialize(at).map_err(|problem| problem.at("").0)?;
    Ok((read, asked.into_inner()))
}

/// A value and its place.
struct At<'de, 'a> {
    value: &'de Value,
    path: String,
    asked: &'a RefCell<Asked>,
}

/// An error that may not know its place yet.
#[derive(Debug)]
struct Problem {
    path: Option<String>,
    missing: Option<&'static str>,
    text: String,
}

/// An error that knows its place.
struct Placed(FieldError);

impl Problem {
    fn at(self, path: &str) -> Placed {
        let path = match (self.path, self.missing) {
            (Some(known), _) => known,
            (None, Some(field)) => join(path, field),
            (None, None) => path.to_owned(),
        };
        Placed(FieldError { path, problem: self.text })
    }

    fn placed(self, path: &str) -> Self {
        let Placed(FieldError { path, problem }) = self.at(path);
        Self { path: Some(path), missing: None, text: problem }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(text: T) -> Self {
        // Values may be long; where and what is enough.
        let text = text.to_string().chars().take(200).collect();
        Self { path: None, missing: None, text }
    }
    fn missing_field(field: &'static str) -> Self {
        Self { path: None, missing: Some(field), text: "missing".to_owned() }
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

impl<'de> At<'de, '_> {
    fn map<V: Visitor<'de>>(self, map: &'de Map<String, Value>, visitor: V) -> Result<V::Value, Problem> {
        let fields = Fields { rows: map.iter(), next: None, path: &self.path, asked: self.asked };
        visitor.visit_map(fields).map_err(|problem| problem.placed(&self.path))
    }

    fn seq<V: Visitor<'de>>(self, rows: &'de [Value], visitor: V) -> Result<V::Value, Problem> {
        let rows = Rows { rows: rows.iter().enumerate(), path: &self.path, asked: self.asked };
        visitor.visit_seq(rows).map_err(|problem| problem.placed(&self.path))
    }
}

impl<'de> Deserializer<'de> for At<'de, '_> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let path = self.path.clone();
        let read = match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_i64(value),
                (None, Some(value), _) => visitor.visit_u64(value),
                (None, None, Some(value)) => visitor.visit_f64(value),
                (None, None, None) => Err(de::Error::custom(format!("{number} is beyond every number"))),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(rows) => return self.seq(rows, visitor),
            Value::Object(map) => return self.map(map, visitor),
        };
        read.map_err(|problem: Problem| problem.placed(&path))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        self.asked.borrow_mut().insert(self.path.clone(), fields);
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let path = self.path;
        match self.value {
            Value::String(text) => IntoDeserializer::<Problem>::into_deserializer(text.as_str())
                .deserialize_enum(name, variants, visitor),
            _ => Err(de::Error::custom("expected one of the venue's words")),
        }
        .map_err(|problem: Problem| problem.placed(&path))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Fields<'de, 'a> {
    rows: serde_json::map::Iter<'de>,
    next: Option<(&'de str, &'de Value)>,
    path: &'a str,
    asked: &'a RefCell<Asked>,
}

impl<'de> MapAccess<'de> for Fields<'de, '_> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        let Some((key, value)) = self.rows.next() else { return Ok(None) };
        self.next = Some((key, value));
        let key: de::value::BorrowedStrDeserializer<'de, Problem> =
            de::value::BorrowedStrDeserializer::new(key);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let Some((key, value)) = self.next.take() else {
            return Err(de::Error::custom("a value without its key"));
        };
        let path = join(self.path, key);
        seed.deserialize(At { value, path: path.clone(), asked: self.asked })
            .map_err(|problem| problem.placed(&path))
    }
}

struct Rows<'de, 'a> {
    rows: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    path: &'a str,
    asked: &'a RefCell<Asked>,
}

impl<'de> SeqAccess<'de> for Rows<'de, '_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some((number, value)) = self.rows.next() else { return Ok(None) };
        let path = format!("{}[{number}]", self.path);
        seed.deserialize(At { value, path: path.clone(), asked: self.asked })
            .map(Some)
            .map_err(|problem| problem.placed(&path))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::event::{AccountUpdate, OrderEvent};

    fn error<T: for<'de> Deserialize<'de>>(value: Value) -> String {
        read::<T>(&value).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_field_by_its_whole_path() {
        assert_eq!(error::<AccountUpdate>(json!({"T": 1, "a": {"m": "ORDER"}})), "E: missing");
        let text = error::<OrderEvent>(json!({"E": 1, "o": {"i": 1, "T": 2}}));
        assert_eq!(text, "o.q: missing");
        let text = error::<AccountUpdate>(
            json!({"E": 1, "T": 1, "a": {"m": "ORDER", "P": [{"s": "X", "ps": "LONG", "pa": true}]}}),
        );
        assert!(text.starts_with("a.P[0].pa: "), "{text}");
        assert!(error::<AccountUpdate>(json!({"E": 1.5, "T": 1, "a": {"m": "ORDER"}})).starts_with("E: "));
        assert!(
            error::<AccountUpdate>(json!([])).starts_with("message: ")
                || error::<AccountUpdate>(json!([])).contains("missing")
        );
    }

    #[test]
    fn what_a_struct_asked_for_is_remembered_by_place() {
        let value = json!({"E": 1, "T": 1, "a": {"m": "ORDER", "P": [], "B": [{"a": "USDT", "wb": "1"}]}});
        let (_, asked) = read::<AccountUpdate>(&value).unwrap();
        assert!(asked[""].contains(&"a") && asked["a"].contains(&"S") && asked["a.B[0]"].contains(&"bc"));
    }
}
