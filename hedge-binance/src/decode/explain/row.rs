//! One explained event.

use hedge_core::{AccountEvent, BrokerError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    echo::{has_unknown, understood},
    path::{self, Asked, FieldError},
};
use crate::{
    codes::{ErrorBody, Verdict, judge},
    decode::DecodeError,
    wire::event::Fields,
};

/// What one event says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// What it is: the venue's name of a stream event, or ours of an answer.
    pub kind: String,
    /// The stream that it came on, where stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Its values under our names.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
    /// What the engine would be told, as the journal writes it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Value>,
    /// Why the engine would be told nothing, where a word is not known or the row alone does not say enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_a_fact: Option<String>,
    /// Every field that was read, in the venue's spelling and unit.
    pub venue: Value,
}

/// A struct that was read, and all that is said about it except facts.
pub(super) struct Understood<T> {
    pub(super) value: T,
    pub(super) row: Explained,
}

impl<T> Understood<T> {
    /// Adds the facts. What cannot be told because of an unknown word is noted; anything else is an error.
    pub(super) fn with(
        mut self,
        facts: impl FnOnce(&T) -> Result<Vec<Value>, DecodeError>,
    ) -> Result<Explained, FieldError> {
        match facts(&self.value) {
            Ok(facts) => self.row.facts = facts,
            Err(error) if has_unknown(&self.row.venue) => self.row.not_a_fact = Some(error.to_string()),
            Err(error) => {
                // Orders and their fields travel one level down.
                let is_inside = self.row.venue.get("o").is_some_and(Value::is_object);
                let path = if is_inside { format!("o.{}", error.what) } else { error.what.to_owned() };
                return Err(FieldError { path, problem: error.problem });
            }
        }
        Ok(self.row)
    }
}

impl<T> Understood<T> {
    /// Adds the fact, or what the row leaves out of it and the request says.
    pub(super) fn with_what_is_there(
        mut self,
        left_out: &[&str],
        fact: impl FnOnce(&T) -> Result<Value, DecodeError>,
    ) -> Result<Explained, FieldError> {
        if left_out.is_empty() {
            return self.with(|row| Ok(vec![fact(row)?]));
        }
        let missing = left_out.join(", ");
        self.row.not_a_fact = Some(format!("the answer leaves out {missing}; its request says more"));
        Ok(self.row)
    }
}

/// Reads a stream event with its struct.
pub(super) fn event<T: DeserializeOwned + Serialize + Fields>(
    kind: &str,
    raw: &Value,
) -> Result<Understood<T>, FieldError> {
    let (value, asked) = path::read::<T>(raw)?;
    let fields = value.fields();
    Ok(understand(kind, raw, value, fields, &asked))
}

/// Reads an answer with its struct. Its fields are ours in the venue's words, but written as Rust writes names.
pub(super) fn answer<T: for<'de> Deserialize<'de> + Serialize>(
    kind: &str,
    raw: &Value,
) -> Result<Understood<T>, FieldError> {
    let (value, asked) = path::read::<T>(raw)?;
    let fields = match snake(serde_json::to_value(&value).unwrap_or_default()) {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    Ok(understand(kind, raw, value, fields, &asked))
}

fn understand<T: Serialize>(
    kind: &str,
    raw: &Value,
    value: T,
    fields: Map<String, Value>,
    asked: &Asked,
) -> Understood<T> {
    let mut venue = understood(raw, &serde_json::to_value(&value).unwrap_or_default(), asked);
    // The event's name was read before the struct.
    if let (Value::Object(venue), Some(name)) = (&mut venue, raw.get("e")) {
        venue.insert("e".to_owned(), name.clone());
    }
    let row = Explained {
        kind: kind.to_owned(),
        stream: None,
        fields: fields.into_iter().map(|(name, value)| (free_name(&name), value)).collect(),
        facts: Vec::new(),
        not_a_fact: None,
        venue,
    };
    Understood { value, row }
}

/// The names of the row's own members are taken.
fn free_name(name: &str) -> String {
    match name {
        "kind" | "stream" | "facts" | "not_a_fact" | "venue" => format!("{name}_"),
        _ => name.to_owned(),
    }
}

/// `orderId` as `order_id`, all the way down.
fn snake(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (snake_name(&name), snake(value))).collect()
        }
        Value::Array(rows) => rows.into_iter().map(snake).collect(),
        other => other,
    }
}

fn snake_name(name: &str) -> String {
    match name {
        "E" => return "event_time".to_owned(),
        "T" => return "time".to_owned(),
        _ => {}
    }
    // Words in capitals are names of things (`BTCUSDT`, `LONG`) and stay.
    if !name.chars().any(|c| c.is_ascii_lowercase()) {
        return name.to_owned();
    }
    let mut text = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// Account events as the journal writes them.
pub(super) fn facts(events: &[AccountEvent]) -> Vec<Value> {
    events.iter().map(fact).collect()
}

/// A fact as the journal writes it.
pub(super) fn fact<T: Serialize>(fact: &T) -> Value {
    serde_json::to_value(fact).unwrap_or_default()
}

/// An error body: `{"code":-1121,"msg":"…"}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct VenueError {
    #[serde(deserialize_with = "crate::wire::number::int")]
    code: i64,
    #[serde(default)]
    msg: String,
}

/// Explains an error, and what it says about the request that it answers.
pub(super) fn error(raw: &Value, status: u16) -> Result<Explained, FieldError> {
    let mut read = answer::<VenueError>("error", raw)?;
    let body = ErrorBody { code: read.value.code, msg: read.value.msg.clone() };
    let verdict = judge(status, Some(&body));
    read.row.fields.insert("outcome".to_owned(), fact(&verdict.outcome()));
    if let Verdict::Refused(code) = verdict {
        read.row.fields.insert("reason".to_owned(), fact(&code.reason));
    }
    read.with(|_| Ok(Vec::new()))
}

/// Whether a value is an error body. `{"code":200,"msg":"success"}` is none.
pub(super) fn is_error(raw: &Value) -> bool {
    let code = raw.get("code").and_then(|code| match code {
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    });
    raw.get("msg").is_some() && code.is_some_and(|code| code < 0)
}

impl From<FieldError> for BrokerError {
    fn from(error: FieldError) -> Self {
        Self::Malformed { detail: error.path, source: error.problem.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_rust_writes_them_and_capitals_stay() {
        assert_eq!(snake_name("orderId"), "order_id");
        assert_eq!(snake_name("BTCUSDT"), "BTCUSDT");
        assert_eq!(snake_name("T"), "time");
        assert_eq!(snake_name("unRealizedProfit"), "un_realized_profit");
        assert_eq!(free_name("kind"), "kind_");
    }

    #[test]
    fn success_is_no_error() {
        assert!(!is_error(&serde_json::json!({"code": 200, "msg": "success"})));
        assert!(!is_error(&serde_json::json!({"code": "200", "msg": "success", "algoId": 1})));
        assert!(is_error(&serde_json::json!({"code": -1121, "msg": "Invalid symbol."})));
    }
}
