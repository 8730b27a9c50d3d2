//! `/sim/faults`: arming, listing and clearing faults over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::fault::{Fault, FaultKind, OrderPool, When};
use super::list::{FaultError, FaultStatus};
use crate::binance::server::json_response;
use crate::binance::state::App;

/// The routes of faults.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/sim/faults", get(list).post(arm).delete(clear))
}

async fn list(State(app): State<Arc<App>>) -> Response {
    let now_ms = app.clock.now_ms();
    let faults: Vec<Value> = app.faults.statuses(now_ms).iter().map(row).collect();
    json_response(StatusCode::OK, &json!({"now": now_ms, "faults": faults}))
}

async fn arm(State(app): State<Arc<App>>, body: String) -> Response {
    let armed = Fault::parse(&body).and_then(|fault| app.with(|core| core.arm_fault(fault)));
    match armed.and_then(|id| app.faults.status(id, app.clock.now_ms()).ok_or(FaultError::Unknown(id))) {
        Ok(status) => json_response(StatusCode::OK, &row(&status)),
        Err(error) => refused(&error),
    }
}

/// `?id=N` clears one, nothing clears all.
async fn clear(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let id = match query.as_deref() {
        None | Some("") => Ok(None),
        Some(query) => match query.strip_prefix("id=").map(str::parse) {
            Some(Ok(id)) => Ok(Some(id)),
            _ => Err(FaultError::Invalid(format!(
                "cannot read {query:?}; expected ?id= and a number, or nothing"
            ))),
        },
    };
    match id.and_then(|id| app.with(|core| core.clear_faults(id))) {
        Ok(cleared) => json_response(StatusCode::OK, &json!({"cleared": cleared})),
        Err(error) => refused(&error),
    }
}

fn refused(error: &FaultError) -> Response {
    let status = match error {
        FaultError::Invalid(_) => StatusCode::BAD_REQUEST,
        FaultError::Refused(_) => StatusCode::CONFLICT,
        FaultError::Unknown(_) => StatusCode::NOT_FOUND,
    };
    json_response(status, &json!({"error": error.to_string()}))
}

/// A fault as it is listed: what was asked for, and what became of it.
pub(crate) fn row(status: &FaultStatus) -> Value {
    let fault = &status.fault;
    let mut row = Map::new();
    row.insert("id".to_owned(), json!(status.id));
    row.insert("fault".to_owned(), json!(fault.kind.name()));
    row.insert("match".to_owned(), matching(fault));
    parameters(&fault.kind, &mut row);
    for (name, value) in [
        ("count", json!(fault.count)),
        ("after_ms", json!(fault.after_ms)),
        ("for_ms", json!(fault.for_ms)),
        ("stage", json!(status.stage.as_str())),
        ("hits", json!(status.hits)),
        ("remaining", json!(status.remaining)),
        ("from_ms", json!(status.from_ms)),
        ("until_ms", json!(status.until_ms)),
        ("last", json!(status.last)),
    ] {
        row.insert(name.to_owned(), value);
    }
    Value::Object(row)
}

fn matching(fault: &Fault) -> Value {
    let matching = &fault.matching;
    let mut out = Map::new();
    for (name, value) in [
        ("method", &matching.method),
        ("path", &matching.path),
        ("symbol", &matching.symbol),
        ("event", &matching.event),
        ("stream", &matching.stream),
    ] {
        if let Some(value) = value {
            out.insert(name.to_owned(), json!(value));
        }
    }
    if !matching.params.is_empty() {
        out.insert("params".to_owned(), json!(matching.params));
    }
    Value::Object(out)
}

fn parameters(kind: &FaultKind, row: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| {
        row.insert(name.to_owned(), value);
    };
    match kind {
        FaultKind::Delay { delay_ms, when } => {
            put("delay_ms", json!(delay_ms));
            put("when", json!(if *when == When::Before { "before" } else { "after" }));
        }
        FaultKind::Http429 { pool, retry_after_s } => {
            put("pool", json!(if *pool == OrderPool::Weight { "weight" } else { "orders" }));
            put("retry_after_s", json!(retry_after_s));
        }
        FaultKind::Http503Unknown { executed } => put("executed", json!(executed)),
        FaultKind::Http503Overload { spare_closes } => put("spare_closes", json!(spare_closes)),
        FaultKind::Refuse { code, msg } => {
            put("code", json!(code));
            put("msg", json!(msg));
        }
        FaultKind::Skew { skew_ms } => put("skew_ms", json!(skew_ms)),
        FaultKind::Reorder { wait_ms } => put("wait_ms", json!(wait_ms)),
        FaultKind::Late { delay_ms } => put("delay_ms", json!(delay_ms)),
        FaultKind::ModeFlipped { hedge, force } => {
            put("hedge", json!(hedge));
            put("force", json!(force));
        }
        FaultKind::FilterChanged(change) => {
            put("symbol", json!(change.symbol));
            let numbers =
                [("tick", change.tick), ("step", change.step), ("min_notional", change.min_notional)];
            for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                put(name, json!(value.normalize().to_string()));
            }
            if let Some(status) = change.status {
                put("status", json!(status.as_str()));
            }
        }
        FaultKind::AcceptThenDrop
        | FaultKind::Drop
        | FaultKind::Http418
        | FaultKind::Http503Unavailable
        | FaultKind::Http503Internal
        | FaultKind::Duplicate
        | FaultKind::Lose
        | FaultKind::Cut
        | FaultKind::Silence
        | FaultKind::ListenKeyExpired => {}
    }
}
