//! Whether what was read is what was written: no number that does not stand in the text, and no zero where nothing stands.

use std::collections::BTreeSet;

use hedge_core::Decimal;
use serde_json::Value;

/// A number as a decimal, also one that is written as text; `None` for words and for what a decimal does not hold.
pub(crate) fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => decimal(&number.to_string()),
        Value::String(text) => decimal(text.trim()),
        _ => None,
    }
}

/// Exact, or none at all.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    let text = if text.contains('.') && !text.contains(['e', 'E']) {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    };
    Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_scientific(text))
        .ok()
        .map(|value| value.normalize())
}

/// Every number of a message.
pub(crate) fn numbers(value: &Value, found: &mut BTreeSet<Decimal>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| numbers(value, found)),
        Value::Array(rows) => rows.iter().for_each(|row| numbers(row, found)),
        value => found.extend(number(value)),
    }
}

/// The first number of `read` that does not stand in the message, by its path.
pub(crate) fn invented(read: &Value, written: &BTreeSet<Decimal>, path: &str) -> Option<String> {
    match read {
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| invented(value, written, &format!("{path}.{name}")))
        }
        Value::Array(rows) => rows.iter().find_map(|row| invented(row, written, path)),
        value => {
            number(value).filter(|value| !written.contains(value)).map(|value| format!("{path} = {value}"))
        }
    }
}

/// The first value that is zero, by its path.
pub(crate) fn zero(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| zero(value, &format!("{path}.{name}")))
        }
        Value::Array(rows) => rows.iter().find_map(|row| zero(row, path)),
        value => number(value).filter(Decimal::is_zero).map(|_| path.to_owned()),
    }
}
