//! The tool that explains raw answers, on every sample of every endpoint.

use hedge_binance::decode::{self, Explainer, Source};
use serde_json::{Value, json};

use super::{endpoints, table::Endpoint};

fn explain(endpoint: &Endpoint, body: &Value) -> Result<Vec<decode::Explained>, decode::ExplainError> {
    let source = Source::parse(&format!("rest:{} {}", endpoint.verb, endpoint.path)).unwrap();
    Explainer::new(source).line(&body.to_string())
}

/// What came, as the tool should show it: a list gives a row an element.
fn rows(endpoint: &Endpoint) -> Vec<Value> {
    match &endpoint.answer {
        Value::Array(rows) if !endpoint.path.ends_with("lines") || rows.iter().all(Value::is_array) => {
            rows.clone()
        }
        body => vec![body.clone()],
    }
}

#[test]
fn every_sample_is_explained_with_every_field_in_the_venues_spelling() {
    for endpoint in endpoints() {
        let what = endpoint.name();
        let explained =
            explain(&endpoint, &endpoint.answer).unwrap_or_else(|error| panic!("{what}: {error}"));
        let venue: Vec<Value> = explained.iter().map(|row| row.venue.clone()).collect();
        if !endpoint.answers_anything {
            assert_eq!(venue, rows(&endpoint), "{what}");
        }
        let is_ours =
            |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        for row in &explained {
            assert!(row.fields.keys().all(|name| is_ours(name)), "{what}: {:?}", row.fields.keys());
        }
    }
}

#[test]
fn every_endpoint_of_the_table_is_one_that_the_client_asks() {
    let tested: Vec<(&str, &str)> =
        endpoints().iter().map(|endpoint| (endpoint.verb, endpoint.path)).collect();
    for known in decode::endpoints() {
        assert!(tested.contains(&known), "{known:?}");
    }
    for endpoint in &tested {
        assert!(decode::endpoints().any(|known| known == *endpoint), "{endpoint:?} has no row");
    }
}

#[test]
fn an_error_body_is_an_error_whatever_was_asked_and_says_what_it_means() {
    for endpoint in endpoints() {
        let rows =
            explain(&endpoint, &json!({"code":-2019,"msg":"Margin is insufficient.","more":1})).unwrap();
        let [row] = &rows[..] else { panic!("{}: {rows:?}", endpoint.name()) };
        assert_eq!((row.kind.as_str(), &row.fields["outcome"]), ("error", &json!("rejected")));
        assert_eq!(row.venue, json!({"code":-2019,"msg":"Margin is insufficient."}), "{}", endpoint.name());
    }
}

/// Every place of a value: as a JSON pointer, and as the tool names it.
fn places(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                found.push((format!("{pointer}/{name}"), path.clone()));
                places(value, &format!("{pointer}/{name}"), &path, found);
            }
        }
        Value::Array(rows) => {
            for (number, value) in rows.iter().enumerate() {
                let path = format!("{path}[{number}]");
                found.push((format!("{pointer}/{number}"), path.clone()));
                places(value, &format!("{pointer}/{number}"), &path, found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_field_of_another_type_is_either_harmless_or_named_by_its_path() {
    let mut named = 0;
    for endpoint in endpoints() {
        let mut found = Vec::new();
        places(&endpoint.answer, "", "", &mut found);
        for (pointer, path) in found {
            let mut damaged = endpoint.answer.clone();
            *damaged.pointer_mut(&pointer).unwrap() = json!([{"surprise": 1}]);
            if let Err(decode::ExplainError::Field(error)) = explain(&endpoint, &damaged) {
                named += 1;
                // A row that is buffered before its kind is known can only be named as a whole.
                assert!(
                    error.path.starts_with(&path) || path.starts_with(&error.path),
                    "{}: {path} was damaged, {error} was said",
                    endpoint.name()
                );
            }
        }
    }
    assert!(named > 300, "{named}");
}

#[test]
fn a_field_that_is_missing_is_either_optional_or_named_by_its_path() {
    let mut named = 0;
    for endpoint in endpoints() {
        let mut found = Vec::new();
        places(&endpoint.answer, "", "", &mut found);
        for (pointer, path) in found {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut damaged = endpoint.answer.clone();
            let Some(fields) = damaged.pointer_mut(parent).unwrap().as_object_mut() else { continue };
            // Without it an order has a quantity of its own, and 0 is none.
            if name == "closePosition" {
                continue;
            }
            fields.remove(name);
            if let Err(decode::ExplainError::Field(error)) = explain(&endpoint, &damaged) {
                named += 1;
                assert!(
                    error.path == path || path.starts_with(&error.path),
                    "{}: {path} was taken away, {error} was said",
                    endpoint.name()
                );
            }
        }
    }
    assert!(named > 150, "{named}");
}
