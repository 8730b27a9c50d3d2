//! The listener: HTTP and WebSocket on one loopback port.
//!
//! [`router`] is the one place every request passes; a layer put there sees REST calls and WebSocket handshakes alike.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::admin;
use super::admit::{Answer, Asked};
use super::clock::{ClockState, Pace};
use super::error::ApiError;
use super::faults::{self, CuttableListener, End, Peer, Plan};
use super::params::Params;
use super::state::App;
use super::ws::{Registered, Target};

/// Bodies are short forms; more is refused.
const MOST_BODY_BYTES: usize = 64 * 1024;

pub(crate) fn router(app: Arc<App>) -> Router {
    let clock = Router::new().route("/sim/clock", get(show_clock).post(set_clock));
    clock.merge(faults::routes()).merge(admin::routes()).fallback(serve).with_state(app)
}

/// Serves until the stop signal; open sockets are closed by their own tasks.
pub(crate) async fn run(app: Arc<App>, listener: TcpListener) -> std::io::Result<()> {
    let mut stop = app.stop.subscribe();
    let service = router(app).into_make_service_with_connect_info::<Peer>();
    axum::serve(CuttableListener::new(listener), service)
        .with_graceful_shutdown(async move {
            // The sender gone means stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await
}

async fn serve(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let address = peer.address.ip().to_canonical();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if let Some(target) = Target::parse(&path, &query) {
        return upgrade(app, target, address, request).await;
    }
    let in_flight = app.in_flight();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BODY_BYTES).await else {
        return write(Answer::refused(&ApiError::new(413, -1100, "The request body is too long.")));
    };
    let Ok(body) = std::str::from_utf8(&body) else {
        return write(Answer::refused(&ApiError::bad(
            -1100,
            "Illegal characters found in the request body.",
        )));
    };
    let owned = Owned {
        method: parts.method.as_str().to_owned(),
        path,
        alias: None,
        // A GET takes its parameters from the query alone. Source: fact sheet 2.2.
        params: Params::read(&query, if parts.method == Method::GET { "" } else { body }),
        api_key: api_key(&parts.headers).map(str::to_owned),
        trusted: false,
        address,
    };
    let plan = planned(&app, &owned.asked());
    if plan.is_plain() {
        return write(finished(app.answer(&owned.asked())).await);
    }
    // What a venue has received it executes, also when the sender hangs up meanwhile.
    let outliving = async move {
        let answer = ill_fated(app, owned, plan).await;
        (answer, in_flight)
    };
    match tokio::spawn(outliving).await {
        Ok((Some(answer), _)) => write(answer),
        _ => {
            peer.cut();
            Response::new(Body::empty())
        }
    }
}

/// What becomes of a request. A banned sender meets its ban first.
pub(crate) fn planned(app: &App, asked: &Asked<'_>) -> Plan {
    if app.faults.is_quiet()
        || app.with(|core| core.limits.ban(asked.address, app.clock.window_ms())).is_some()
    {
        return Plan::default();
    }
    app.faults.plan(asked.seen(), app.clock.now_ms())
}

/// A request that may outlive its connection.
pub(crate) struct Owned {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) alias: Option<String>,
    pub(crate) params: Params,
    pub(crate) api_key: Option<String>,
    pub(crate) trusted: bool,
    pub(crate) address: IpAddr,
}

impl Owned {
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            path: &self.path,
            alias: self.alias.as_deref(),
            params: &self.params,
            api_key: self.api_key.as_deref(),
            trusted: self.trusted,
            address: self.address,
        }
    }
}

/// Lets a fault befall a request; no answer means that the connection is to be cut.
pub(crate) async fn ill_fated(app: Arc<App>, request: Owned, plan: Plan) -> Option<Answer> {
    tokio::time::sleep(plan.before).await;
    let answer = match plan.end {
        End::Answered => Some(finished(app.answer(&request.asked())).await),
        End::ExecutedThenCut => {
            app.answer(&request.asked());
            None
        }
        End::Cut => None,
        End::ExecutedThenRefused(error) => {
            app.answer(&request.asked());
            Some(Answer::refused(&error))
        }
        End::Refused(error) => Some(Answer::refused(&error)),
        End::Banned { fault, for_ms } => {
            let now_ms = app.clock.window_ms();
            let error = app.with(|core| core.ban_by_fault(fault, request.address, now_ms, for_ms));
            Some(Answer::refused(&error))
        }
    };
    tokio::time::sleep(plan.after).await;
    answer
}

/// Makes what an answer left for later.
pub(crate) async fn finished(mut answer: Answer) -> Answer {
    let Some(later) = answer.later.take() else { return answer };
    match tokio::task::spawn_blocking(move || later.answer().to_string()).await {
        Ok(body) => Answer { body, ..answer },
        // It was cut off by the end of the program.
        Err(_) => Answer::refused(&ApiError::internal()),
    }
}

async fn upgrade(app: Arc<App>, target: Target, address: IpAddr, request: Request) -> Response {
    if app.faults.refuses_socket(target.path(), app.clock.now_ms()) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if app.limits_messages()
        && let Err(error) = app.with(|core| core.limits.handshake(address, app.clock.window_ms()))
    {
        return write(Answer::refused(&error));
    }
    if target.is_api()
        && let Err(error) = app.with(|core| core.limits.api_handshake(address, app.clock.window_ms()))
    {
        return write(Answer::refused(&error));
    }
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &app).await {
        Ok(upgrade) => {
            let registered = Registered::new(app, target, address);
            upgrade.on_upgrade(move |socket| registered.serve(socket))
        }
        Err(rejection) => rejection.into_response(),
    }
}

fn api_key(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-mbx-apikey").map(|value| value.to_str().unwrap_or(""))
}

fn write(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    if let Some(used) = answer.used_weight {
        headers.insert("x-mbx-used-weight-1m", HeaderValue::from(used));
    }
    if let Some((in_10s, in_1m)) = answer.orders {
        headers.insert("x-mbx-order-count-10s", HeaderValue::from(in_10s));
        headers.insert("x-mbx-order-count-1m", HeaderValue::from(in_1m));
    }
    if let Some(seconds) = answer.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn show_clock(State(app): State<Arc<App>>) -> Response {
    json_response(StatusCode::OK, &clock_json(app.clock.state()))
}

/// `{"speed":x}`, `{"paused":true|false}` or both.
async fn set_clock(State(app): State<Arc<App>>, body: String) -> Response {
    match change_clock(&app, &body) {
        Ok(()) => json_response(StatusCode::OK, &clock_json(app.clock.state())),
        Err(message) => json_response(StatusCode::BAD_REQUEST, &json!({"error": message})),
    }
}

fn change_clock(app: &App, body: &str) -> Result<(), String> {
    let request: Value =
        serde_json::from_str(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let fields = request.as_object().ok_or("the body must be an object")?;
    if fields.is_empty() || fields.keys().any(|key| key != "speed" && key != "paused") {
        return Err("give \"speed\" (a number) or \"paused\" (true or false)".to_owned());
    }
    let speed = fields.get("speed").map(|v| v.as_f64().ok_or("speed must be a number")).transpose()?;
    let paused =
        fields.get("paused").map(|v| v.as_bool().ok_or("paused must be true or false")).transpose()?;
    if let Some(speed) = speed {
        app.clock.set_speed(speed)?;
    }
    if let Some(paused) = paused {
        app.set_paused(paused)?;
    }
    Ok(())
}

pub(crate) fn clock_json(state: ClockState) -> Value {
    let speed = match state.pace {
        Pace::Speed(speed) => json!(speed),
        Pace::Lockstep => json!("max"),
    };
    json!({"now": state.now_ms, "speed": speed, "paused": state.paused})
}

pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], value.to_string()).into_response()
}
