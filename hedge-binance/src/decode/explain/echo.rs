//! What of a message was understood, in the venue's spelling.

use serde_json::{Map, Value, json};

use super::path::Asked;

/// The parts of `raw` that were asked for, as the venue wrote them. A word that the decoder does not know, which `read` (the
/// struct, written again) shows as `{"unknown":…}`, is shown so.
pub(super) fn understood(raw: &Value, read: &Value, asked: &Asked) -> Value {
    echo(raw, Some(read), asked, "")
}

fn echo(raw: &Value, read: Option<&Value>, asked: &Asked, path: &str) -> Value {
    match (raw, read) {
        (Value::String(_), Some(Value::Object(word))) if word.len() == 1 && word.contains_key("unknown") => {
            Value::Object(word.clone())
        }
        // An internally tagged row of a kind that is not known is written as this word.
        (Value::String(text), Some(Value::String(word))) if word == "Unknown" && text != word => {
            json!({ "unknown": text })
        }
        (Value::Object(fields), read) => {
            let read = read.and_then(Value::as_object);
            let is_known = |key: &str| match asked.get(path) {
                Some(known) => known.contains(&key),
                None => read.is_none_or(|read| read.contains_key(key)),
            };
            let mut out = Map::new();
            for (key, value) in fields.iter().filter(|(key, _)| is_known(key)) {
                let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let read = read.and_then(|read| read.get(key));
                out.insert(key.clone(), echo(value, read, asked, &place));
            }
            Value::Object(out)
        }
        (Value::Array(rows), read) => {
            let read = read.and_then(Value::as_array);
            let row = |(number, row): (usize, &Value)| {
                echo(row, read.and_then(|read| read.get(number)), asked, &format!("{path}[{number}]"))
            };
            rows.iter().enumerate().map(row).collect()
        }
        (raw, _) => raw.clone(),
    }
}

/// Whether a word was not known.
pub(super) fn has_unknown(echoed: &Value) -> bool {
    match echoed {
        Value::Object(fields) => {
            (fields.len() == 1 && fields.get("unknown").is_some_and(Value::is_string))
                || fields.values().any(has_unknown)
        }
        Value::Array(rows) => rows.iter().any(has_unknown),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asked_for_is_not_echoed_and_numbers_keep_their_spelling() {
        let raw = json!({"p": "1.50", "n": 7, "x": [1], "e": "", "o": {"a": "LONG", "z": 1}});
        let read = json!({"p": "1.5", "n": 7, "o": {"a": {"unknown": "LONG"}}});
        let asked = Asked::from([(String::new(), &["p", "n", "o", "e"][..]), ("o".to_owned(), &["a"][..])]);
        let echoed = understood(&raw, &read, &asked);
        assert_eq!(echoed, json!({"p": "1.50", "n": 7, "e": "", "o": {"a": {"unknown": "LONG"}}}));
        assert!(has_unknown(&echoed));
        assert!(!has_unknown(&json!({"unknown": 1, "p": "unknown"})));
    }

    #[test]
    fn where_nothing_is_noted_the_struct_written_again_tells() {
        let raw = json!({"filterType": "NEW_ONE", "limit": 7});
        let read = json!({"filterType": "Unknown"});
        assert_eq!(understood(&raw, &read, &Asked::new()), json!({"filterType": {"unknown": "NEW_ONE"}}));
    }
}
