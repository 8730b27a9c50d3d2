//! One answer frame.

use serde_json::{Value, json};

use super::super::admit::Answer;
use super::super::config::Environment;
use super::super::limits::{ORDERS_1M, ORDERS_10S};

/// Writes an answer around the body that REST would have sent.
pub(super) fn frame(id: &Value, answer: &Answer, limits: Option<&Value>, now_ms: i64) -> String {
    let name = if answer.status == 200 { "result" } else { "error" };
    let mut body = answer.body.clone();
    if let Some(seconds) = answer.retry_after_s
        && let Ok(mut error) = serde_json::from_str::<Value>(&body)
    {
        let until_ms = now_ms.saturating_add(i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000));
        error["data"] = json!({"serverTime": now_ms, "retryAfter": until_ms});
        body = error.to_string();
    }
    let limits = limits.map(|limits| format!(",\"rateLimits\":{limits}")).unwrap_or_default();
    format!("{{\"id\":{id},\"status\":{},\"{name}\":{body}{limits}}}", answer.status)
}

/// What is used of the limits that the request counted against. Source: fact sheet 10 (`rateLimits`).
pub(super) fn limits(answer: &Answer, environment: Environment) -> Value {
    let row = |kind: &str, interval: &str, num: u32, limit: u32, count: u32| json!({"rateLimitType": kind, "interval": interval, "intervalNum": num, "limit": limit, "count": count});
    let mut rows = Vec::new();
    if let Some((in_10s, in_1m)) = answer.orders {
        rows.push(row("ORDERS", "SECOND", 10, ORDERS_10S, in_10s));
        rows.push(row("ORDERS", "MINUTE", 1, ORDERS_1M, in_1m));
    }
    if let Some(used) = answer.used_weight {
        rows.push(row("REQUEST_WEIGHT", "MINUTE", 1, environment.weight_per_minute(), used));
    }
    Value::Array(rows)
}
