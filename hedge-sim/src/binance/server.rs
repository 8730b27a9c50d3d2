//! The listener: HTTP and WebSocket on one loopback port.
//!
//! [`router`] is the one place every request passes; a layer put there sees REST calls and WebSocket handshakes alike.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::admit::{Answer, Asked};
use super::clock::{ClockState, Pace};
use super::error::ApiError;
use super::state::App;
use super::ws::{self, Target};

/// Bodies are short forms; more is refused.
const MOST_BODY_BYTES: usize = 64 * 1024;

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new().route("/sim/clock", get(show_clock).post(set_clock)).fallback(serve).with_state(app)
}

/// Serves until the stop signal; open sockets are closed by their own tasks.
pub(crate) async fn run(app: Arc<App>, listener: TcpListener) -> std::io::Result<()> {
    let mut stop = app.stop.subscribe();
    // Small answers must not wait for more bytes: a lockstep run is a long chain of them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            // The sender gone means stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await
}

async fn serve(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if let Some(target) = Target::parse(&path, &query) {
        return upgrade(app, target, request).await;
    }
    let _in_flight = app.in_flight();
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
    let asked = Asked {
        method: &parts.method,
        path: &path,
        query: &query,
        // A GET takes its parameters from the query alone. Source: fact sheet 2.2.
        body: if parts.method == Method::GET { "" } else { body },
        api_key: api_key(&parts.headers),
        address: address(peer.ip()),
    };
    let mut answer = app.answer(&asked);
    if let Some(later) = answer.later.take() {
        match tokio::task::spawn_blocking(move || later.answer().to_string()).await {
            Ok(body) => answer.body = body,
            // It was cut off by the end of the program.
            Err(_) => answer = Answer::refused(&ApiError::internal()),
        }
    }
    write(answer)
}

async fn upgrade(app: Arc<App>, target: Target, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &app).await {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| ws::serve(app, target, socket)),
        Err(rejection) => rejection.into_response(),
    }
}

fn api_key(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-mbx-apikey").map(|value| value.to_str().unwrap_or(""))
}

fn address(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
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

fn clock_json(state: ClockState) -> Value {
    let speed = match state.pace {
        Pace::Speed(speed) => json!(speed),
        Pace::Lockstep => json!("max"),
    };
    json!({"now": state.now_ms, "speed": speed, "paused": state.paused})
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], value.to_string()).into_response()
}
