//! Frames of the WebSocket API. A response does not name its method: the request with its id does, or else its shape.
//! Source: fact sheet 10.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ExplainError, FieldError, Outcomes, rest,
    row::{self, Explained},
};
use crate::{
    wire::number::{int, opt_text},
    ws_api::METHODS,
};

/// A field that tells what a result is, where no request is known; the first that fits counts.
const SHAPES: &[(&str, &str)] = &[
    ("algoStatus", "algoOrder.place"),
    ("algoId", "algoOrder.cancel"),
    ("orderId", "order.place"),
    // Its best prices carry the number of the update, too.
    ("bidPrice", "ticker.book"),
    ("lastUpdateId", "depth"),
    ("listenKey", "userDataStream.start"),
    ("totalWalletBalance", "v2/account.status"),
    ("unRealizedProfit", "v2/account.position"),
    ("accountAlias", "v2/account.balance"),
    ("authorizedSince", "session.status"),
    ("price", "ticker.price"),
];

/// What surrounds a result.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(deserialize_with = "int")]
    status: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rate_limits: Vec<Limit>,
}

/// One budget.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limit {
    rate_limit_type: String,
    interval: String,
    #[serde(deserialize_with = "int")]
    interval_num: i64,
    #[serde(deserialize_with = "int")]
    limit: i64,
    #[serde(deserialize_with = "int")]
    count: i64,
}

/// `session.logon`, `session.status` and `session.logout`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorized_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connected_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_rate_limits: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_time: Option<i64>,
}

pub(super) fn message(message: &Value, asked: &mut BTreeMap<String, String>) -> Outcomes {
    parts(message, asked).unwrap_or_else(|error| vec![Err(error)])
}

fn parts(message: &Value, asked: &mut BTreeMap<String, String>) -> Result<Outcomes, ExplainError> {
    let id = message.get("id").map(id_text).unwrap_or_default();
    if let Some(method) = message.get("method") {
        return request(message, method, id, asked).map(|row| vec![Ok(row)]);
    }
    if message.get("status").is_none() && message.get("e").is_some() {
        let kind = message.get("e").and_then(Value::as_str).unwrap_or("event");
        return Err(ExplainError::UnknownKind { kind: kind.chars().take(64).collect() });
    }
    let envelope = row::answer::<Envelope>("response", message)?;
    let status = u16::try_from(envelope.value.status).unwrap_or_default();
    let around = envelope.row;
    if let Some(error) = message.get("error") {
        let row = row::error(error, status).map_err(|error| inside(error, "error"))?;
        return Ok(vec![Ok(wrapped(row, &around, "error"))]);
    }
    let Some(result) = message.get("result") else {
        return Err(FieldError { path: "result".to_owned(), problem: "missing".to_owned() }.into());
    };
    // Some generators put the levels of a book beside the result (fact sheet 10).
    let result = match (result, message.get("bids"), message.get("asks")) {
        (Value::Object(fields), Some(bids), Some(asks)) if !fields.contains_key("bids") => {
            let mut fields = fields.clone();
            fields.extend([("bids".to_owned(), bids.clone()), ("asks".to_owned(), asks.clone())]);
            &Value::Object(fields)
        }
        _ => result,
    };
    let known = asked.remove(&id);
    let method = match &known {
        Some(method) => method,
        None => shape_of(result)?,
    };
    let rows = explain(method, result).into_iter().map(|row| match row {
        Ok(mut row) => {
            // A shape says how to read a result, not what was asked.
            if let Some(method) = &known {
                row.fields.insert("method".to_owned(), json!(method));
            }
            Ok(wrapped(row, &around, "result"))
        }
        Err(ExplainError::Field(error)) => Err(inside(error, "result").into()),
        Err(other) => Err(other),
    });
    Ok(rows.collect())
}

/// Our side of the exchange. Who asks and how it is signed is not shown.
fn request(
    message: &Value,
    method: &Value,
    id: String,
    asked: &mut BTreeMap<String, String>,
) -> Result<Explained, ExplainError> {
    let Value::String(method) = method else {
        return Err(FieldError { path: "method".to_owned(), problem: "expected text".to_owned() }.into());
    };
    let known = METHODS.iter().any(|(name, ..)| name == method) || is_session(method) || method == "ping";
    if !known {
        return Err(ExplainError::UnknownKind { kind: method.chars().take(64).collect() });
    }
    let mut venue = message.clone();
    if let Some(params) = venue.get_mut("params").and_then(Value::as_object_mut) {
        params.retain(|name, _| name != "signature" && name != "apiKey");
    }
    asked.insert(id, method.clone());
    let mut row = row::answer::<Value>("request", &json!({}))?.row;
    row.fields.insert("method".to_owned(), json!(method));
    row.venue = venue;
    Ok(row)
}

fn is_session(method: &str) -> bool {
    matches!(method, "session.logon" | "session.status" | "session.logout")
}

fn id_text(id: &Value) -> String {
    match id {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shape_of(result: &Value) -> Result<&'static str, ExplainError> {
    let sample = result.as_array().and_then(|rows| rows.first()).unwrap_or(result);
    match sample {
        Value::Object(fields) if fields.is_empty() => Ok("ping"),
        Value::Array(rows) if rows.is_empty() => Ok("v2/account.position"),
        sample => SHAPES
            .iter()
            .find(|(field, _)| sample.get(field).is_some())
            .map(|(_, method)| *method)
            .ok_or_else(|| ExplainError::UnknownKind { kind: "response".to_owned() }),
    }
}

fn explain(method: &str, result: &Value) -> Outcomes {
    if is_session(method) {
        let session =
            row::answer::<Session>("session", result).and_then(|read| read.with(|_| Ok(Vec::new())));
        return vec![session.map_err(Into::into)];
    }
    if method == "ping" || method == "userDataStream.stop" {
        return vec![row::answer::<Value>("ping", &json!({})).map(|read| read.row).map_err(Into::into)];
    }
    let twin = METHODS.iter().find(|(name, ..)| *name == method);
    let endpoint = twin.and_then(|(_, verb, path)| rest::find(verb, path));
    let Some(endpoint) = endpoint else {
        return vec![Err(ExplainError::UnknownKind { kind: method.to_owned() })];
    };
    rest::answer(endpoint, result)
}

/// The frame around a result stays visible: its id, its status, and what is left of the budgets.
fn wrapped(mut row: Explained, around: &Explained, place: &str) -> Explained {
    for (name, value) in &around.fields {
        row.fields.entry(format!("response_{name}")).or_insert_with(|| value.clone());
    }
    let mut frame = around.venue.clone();
    if let Value::Object(frame) = &mut frame {
        frame.insert(place.to_owned(), row.venue);
    }
    row.venue = frame;
    row
}

fn inside(error: FieldError, place: &str) -> FieldError {
    let path = match error.path.as_str() {
        "" => place.to_owned(),
        path if path.starts_with('[') => format!("{place}{path}"),
        path => format!("{place}.{path}"),
    };
    FieldError { path, ..error }
}
