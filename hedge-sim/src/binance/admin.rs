//! `/sim/state`: everything the exchange holds, for whoever watches a client from outside. `/sim/contract` and
//! `/sim/force`: what only the exchange itself can do.
//!
//! Numbers are text, times are milliseconds since 1970 on the venue clock.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::Environment;
use super::contracts::Change;
use super::error::ApiError;
use super::faults::FaultStage;
use super::server::{clock_json, json_response};
use super::state::{ACCOUNT, App, Core};
use crate::venue::{
    AccountId, AlgoView, Command, ForceClose, ForcedBy, OrderView, PositionSide, VenueError, Window,
};

/// The route of the state.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/sim/state", get(show))
        .route("/sim/contract", post(contract))
        .route("/sim/force", post(force))
}

async fn show(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let all = match query.as_deref() {
        None | Some("" | "all=0" | "all=false") => false,
        Some("all=1" | "all=true") => true,
        Some(other) => {
            let error = format!("cannot read {other:?}; expected ?all=1 for finished orders too, or nothing");
            return json_response(StatusCode::BAD_REQUEST, &json!({"error": error}));
        }
    };
    match app.with(|core| state(core, all)) {
        Ok(mut state) => {
            state["clock"] = clock_json(app.clock.state());
            state["requests_in_flight"] = json!(app.requests_in_flight());
            json_response(StatusCode::OK, &state)
        }
        Err(error) => json_response(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": error.to_string()})),
    }
}

/// Changes what a contract is: status, dates, brackets.
async fn contract(State(app): State<Arc<App>>, body: String) -> Response {
    done(read(&body).map(|change: Change| app.with(|core| core.change_contract(&change))))
}

/// What `/sim/force` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Force {
    symbol: String,
    position_side: Option<String>,
    by: String,
    qty: Option<Decimal>,
}

/// Takes a leg away from the account: a liquidation or a deleveraging.
async fn force(State(app): State<Arc<App>>, body: String) -> Response {
    let forced = read(&body).and_then(|wanted: Force| {
        let side = wanted.position_side.as_deref().unwrap_or("BOTH");
        let position_side = PositionSide::parse(side)
            .ok_or_else(|| format!("position_side {side:?} is unknown; expected LONG, SHORT or BOTH"))?;
        let by = match (wanted.by.as_str(), wanted.qty) {
            ("liquidation", None) => ForcedBy::Liquidation,
            ("adl", qty) => ForcedBy::Adl { qty },
            _ => {
                return Err(
                    "by must be \"liquidation\" (without qty: it takes the whole leg) or \"adl\"".to_owned()
                );
            }
        };
        Ok(ForceClose { account: ACCOUNT, symbol: wanted.symbol, position_side, by })
    });
    done(forced.map(|forced| {
        app.with(|core| {
            core.command_at(core.now_ms(), &Command::ForceClose(forced))??;
            Ok(())
        })
    }))
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| format!("the body cannot be read: {error}"))
}

/// 200 when it was done, 400 for what cannot be read, 409 for what the exchange refuses.
fn done(outcome: Result<Result<(), ApiError>, String>) -> Response {
    match outcome {
        Ok(Ok(())) => json_response(StatusCode::OK, &json!({"done": true})),
        Ok(Err(error)) => {
            let error = format!("the exchange refuses it: {} {}", error.code, error.msg);
            json_response(StatusCode::CONFLICT, &json!({"error": error}))
        }
        Err(error) => json_response(StatusCode::BAD_REQUEST, &json!({"error": error})),
    }
}

fn state(core: &Core, all: bool) -> Result<Value, ApiError> {
    let accounts = core.venue.accounts().map(|id| account(core, id, all)).collect::<Result<Vec<_>, _>>()?;
    let symbols: Vec<Value> = core
        .venue
        .instruments()
        .map(|(id, rules)| {
            let prices = core.venue.prices(id);
            json!({
                "symbol": rules.symbol,
                "status": rules.status.as_str(),
                "last": prices.map(|prices| prices.last.to_string()),
                "mark": prices.map(|prices| prices.mark.to_string()),
            })
        })
        .collect();
    let now_ms = core.now_ms();
    let active = core.faults.statuses(now_ms).iter().filter(|fault| fault.stage != FaultStage::Over).count();
    Ok(json!({
        "environment": match core.environment {
            Environment::Demo => "demo",
            Environment::Mainnet => "mainnet",
        },
        "accounts": accounts,
        "symbols": symbols,
        "listen_key": {"active": core.key.active().is_some(), "valid_until_ms": core.key.valid_until_ms()},
        "connections": core.hub.connections(core.key.active().as_deref()),
        "user_events": core.hub.user_events(),
        "limits": core.limits.used(core.clock.window_ms()),
        "faults": active,
    }))
}

fn account(core: &Core, id: AccountId, all: bool) -> Result<Value, ApiError> {
    let venue = &core.venue;
    let config = venue.account_config(id)?;
    let mut legs = venue.positions(id, None)?;
    legs.retain(|leg| !leg.qty.is_zero());
    let orders: Vec<OrderView> =
        if all { venue.all_orders(id, None, Window::default())? } else { venue.open_orders(id, None)? };
    let algos: Vec<AlgoView> = if all { every_algo(core, id)? } else { venue.open_algos(id, None)? };
    Ok(json!({
        "account": id.0,
        "hedge_mode": core.hedge_shown()?,
        "can_trade": config.can_trade,
        "assets": rows(&venue.assets(id)?)?,
        "legs": rows(&legs)?,
        "orders": rows(&orders)?,
        "algo_orders": rows(&algos)?,
    }))
}

fn every_algo(core: &Core, id: AccountId) -> Result<Vec<AlgoView>, VenueError> {
    let mut algos = Vec::new();
    for (_, rules) in core.venue.instruments() {
        algos.extend(core.venue.all_algos(id, &rules.symbol, Window::default())?);
    }
    Ok(algos)
}

/// The core's own views: their fields are documented with it.
fn rows<T: Serialize>(rows: &[T]) -> Result<Value, ApiError> {
    serde_json::to_value(rows).map_err(|_| ApiError::internal())
}
