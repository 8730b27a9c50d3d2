//! Answers that are a list, or its only element.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

/// A list, or one object where a symbol was named: the venue gives either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// An array.
    Many(Vec<T>),
    /// A single object.
    One(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand, because the derived form hides which field is wrong.
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or one object")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(rows)).map(OneOrMany::Many)
            }
            fn visit_map<A: MapAccess<'de>>(self, row: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(row)).map(OneOrMany::One)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T> OneOrMany<T> {
    /// As a list.
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(rows) => rows,
            Self::One(row) => vec![row],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        qty: i64,
    }

    fn read(text: &str) -> Result<Vec<Row>, serde_json::Error> {
        serde_json::from_str::<OneOrMany<Row>>(text).map(OneOrMany::into_vec)
    }

    #[test]
    fn one_row_is_a_list_of_one() {
        assert_eq!(read(r#"{"qty":1}"#).unwrap(), read(r#"[{"qty":1}]"#).unwrap());
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_with_a_row_is_still_said() {
        for text in [r#"{"q":1}"#, r#"[{"q":1}]"#] {
            assert!(read(text).unwrap_err().to_string().contains("qty"), "{text}");
        }
        assert!(read("7").unwrap_err().to_string().contains("a list or one object"));
    }
}
