//! A row of an answer.

use rusqlite::types::ValueRef;

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Whole(i64),
    /// A float; only a query makes one, the tables hold none.
    Float(f64),
    /// Text; money is decimal text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Cell {
    pub(super) fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(whole) => Self::Whole(whole),
            ValueRef::Real(float) => Self::Float(float),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
    /// As text for people: nothing is empty, bytes are hexadecimal.
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Whole(whole) => whole.to_string(),
            Self::Float(float) => float.to_string(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
    /// As JSON. A float that JSON cannot hold is null.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Whole(whole) => (*whole).into(),
            Self::Float(float) => (*float).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(_) => self.text().into(),
        }
    }
}

/// One row, and what its columns are called.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Names of the columns.
    pub columns: &'a [String],
    /// The values, in that order.
    pub cells: &'a [Cell],
}

impl Row<'_> {
    /// The values as text for people.
    pub fn texts(&self) -> Vec<String> {
        self.cells.iter().map(Cell::text).collect()
    }
    /// As one JSON object in the order of the columns.
    pub fn json(&self) -> String {
        let mut text = String::from("{");
        for (i, (name, cell)) in self.columns.iter().zip(self.cells).enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(name.as_str()).to_string());
            text.push(':');
            text.push_str(&cell.json().to_string());
        }
        text + "}"
    }
}
