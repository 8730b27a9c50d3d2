//! Everything that is stored, and the two ways of reading it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::clock::ServerClock;

/// One document.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) fields: Map<String, Value>,
    pub(super) create_time: String,
    pub(super) update_time: String,
}

/// Documents by their full names.
pub(super) type Documents = BTreeMap<String, Stored>;

/// HTTP status and body.
pub(super) type Answer = (u16, Value);

pub(super) fn error(http: u16, status: &str, message: &str) -> Answer {
    (http, json!({"error": {"code": http, "message": message, "status": status}}))
}

pub(super) fn invalid() -> Answer {
    error(400, "INVALID_ARGUMENT", "Payload isn't valid for request.")
}

fn document(name: &str, stored: &Stored) -> Value {
    let mut document =
        json!({"name": name, "createTime": stored.create_time, "updateTime": stored.update_time});
    // A document without fields has no such key.
    if !stored.fields.is_empty() {
        document["fields"] = Value::Object(stored.fields.clone());
    }
    document
}

/// `documents:batchGet`. In another order than asked for: none is promised.
pub(super) fn batch_get(documents: &Documents, clock: &mut ServerClock, body: &Value) -> Answer {
    let Some(names) = body["documents"].as_array() else { return invalid() };
    let read_time = clock.tick();
    let mut rows = Vec::new();
    for name in names.iter().rev() {
        let Some(name) = name.as_str() else { return invalid() };
        rows.push(match documents.get(name) {
            Some(stored) => json!({"found": document(name, stored), "readTime": read_time}),
            None => json!({"missing": name, "readTime": read_time}),
        });
    }
    (200, Value::Array(rows))
}

/// `…:runQuery` over one collection in the order of names, from a name on.
pub(super) fn run_query(
    documents: &Documents,
    clock: &mut ServerClock,
    parent: &str,
    body: &Value,
) -> Answer {
    let query = &body["structuredQuery"];
    let order = &query["orderBy"];
    let is_known =
        order.is_null() || *order == json!([{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}]);
    let Some(collection) = query["from"][0]["collectionId"].as_str().filter(|_| is_known) else {
        return invalid();
    };
    let prefix = format!("{parent}/{collection}/");
    let start = &query["startAt"];
    let from = start["values"][0]["referenceValue"].as_str().unwrap_or_default();
    let is_at_or_after = |name: &str| name > from || (name == from && start["before"] == json!(true));
    let limit = match &query["limit"] {
        Value::Null => usize::MAX,
        limit => match limit.as_u64() {
            Some(limit) => limit as usize,
            None => return invalid(),
        },
    };
    let read_time = clock.tick();
    let mut rows: Vec<Value> = documents
        .iter()
        .filter(|(name, _)| {
            name.strip_prefix(&prefix).is_some_and(|id| !id.contains('/')) && is_at_or_after(name)
        })
        .take(limit)
        .map(|(name, stored)| json!({"document": document(name, stored), "readTime": read_time}))
        .collect();
    match rows.last_mut() {
        Some(last) => last["done"] = json!(true),
        // An element without a document.
        None => rows.push(json!({"readTime": read_time, "done": true})),
    }
    (200, Value::Array(rows))
}
