//! One WebSocket: its URL, its commands, its pings.
//!
//! Source: fact sheet 8.1 and 9.1.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::hub::{Hub, Push, UserFeed};
use super::params::decode;
use super::state::App;
use super::streams::Route;
use super::ws_api::{self, Connection};

/// Source: fact sheet 8.1 (a ping every 3 minutes, cut without a pong within 10).
const PING_EVERY: Duration = Duration::from_secs(3 * 60);
const PONG_WITHIN: Duration = Duration::from_secs(10 * 60);
/// How often a silent socket looks whether the silence is over.
const SILENCE_LOOK: Duration = Duration::from_millis(20);
/// Client messages per second and connection. Source: fact sheet 6.1.
const MESSAGES_PER_SECOND: u32 = 10;
/// Pings and pongs per second of a WS-API connection. Source: fact sheet 6.1.
const API_PINGS_PER_SECOND: u32 = 5;

/// What a WebSocket URL asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    route: Route,
    path: String,
    combined: bool,
    names: Vec<String>,
    feeds: Vec<UserFeed>,
    query: String,
}

impl Target {
    /// Reads `/ws-fapi/v1` and `/[public|market|private/](ws[/a/b]|stream)` with its query; `None` for any other path.
    pub(crate) fn parse(path: &str, query: &str) -> Option<Self> {
        if path.strip_suffix('/').unwrap_or(path) == ws_api::PATH {
            let (names, feeds) = (Vec::new(), Vec::new());
            let (path, query) = (ws_api::PATH.to_owned(), query.to_owned());
            return Some(Self { route: Route::Api, path, combined: false, names, feeds, query });
        }
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let mut kind = parts.next()?;
        let route = match kind {
            "public" => Route::Public,
            "market" => Route::Market,
            "private" => Route::Private,
            _ => Route::Bare,
        };
        if route != Route::Bare {
            kind = parts.next()?;
        }
        let combined = match kind {
            "ws" => false,
            "stream" => true,
            _ => return None,
        };
        let mut names: Vec<String> = parts.map(decode).collect();
        let mut feeds: Vec<UserFeed> = Vec::new();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decode(value);
            match key {
                "streams" => names.extend(value.split('/').map(str::to_owned)),
                "listenKey" => feeds.push(UserFeed { key: value, events: None }),
                "events" => {
                    // Each list belongs to the key before it.
                    if let Some(feed) = feeds.last_mut() {
                        feed.events = Some(value.split('/').map(str::to_owned).collect());
                    }
                }
                _ => {}
            }
        }
        // A bare number is a client's way of telling its connections apart.
        names.retain(|name| !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit()));
        let (path, query) = (path.to_owned(), String::new());
        Some(Self { route, path, combined, names, feeds, query })
    }
}

impl Target {
    /// The path it was opened under.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is the WS-API.
    pub(crate) fn is_api(&self) -> bool {
        self.route == Route::Api
    }
}

/// What a socket's messages are.
enum Role {
    /// Commands about streams.
    Streams,
    /// Requests of the WS-API.
    Api(Connection),
}

/// A socket that is registered with its streams and not yet, or still, served. Dropping it takes it off the register,
/// also when the handshake comes to nothing.
pub(crate) struct Registered {
    app: Arc<App>,
    id: u64,
    path: String,
    address: IpAddr,
    role: Role,
    pushes: mpsc::UnboundedReceiver<Push>,
    queued: Arc<AtomicUsize>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.app.with(|core| core.hub.close(self.id));
    }
}

impl Registered {
    /// Registers a socket before its handshake is answered: a client that reads the answer misses nothing after it.
    pub(crate) fn new(app: Arc<App>, target: Target, address: IpAddr) -> Self {
        let (push, pushes) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let path = target.path.clone();
        let role = match target.is_api() {
            true => Role::Api(Connection::new(address, &target.query, app.clock.now_ms())),
            false => Role::Streams,
        };
        let id = app.with(|core| {
            let opened_ms = app.clock.now_ms();
            let place = (target.route, target.path);
            let id = core.hub.open(place, target.combined, opened_ms, push, Arc::clone(&queued));
            for name in &target.names {
                // More streams in the URL than allowed: the rest stays silent.
                let _ = core.hub.subscribe(id, name);
            }
            for feed in target.feeds {
                core.hub.follow(id, feed);
            }
            id
        });
        Self { app, id, path, address, role, pushes, queued }
    }

    /// Serves the accepted socket until it closes.
    pub(crate) async fn serve(mut self, socket: WebSocket) {
        let app = Arc::clone(&self.app);
        let place = (self.path.as_str(), self.address);
        pump(&app, self.id, place, &mut self.role, socket, (&mut self.pushes, &self.queued)).await;
    }
}

async fn pump(
    app: &Arc<App>,
    id: u64,
    (path, address): (&str, IpAddr),
    role: &mut Role,
    socket: WebSocket,
    (pushes, queued): (&mut mpsc::UnboundedReceiver<Push>, &AtomicUsize),
) {
    let (mut sink, mut stream) = socket.split();
    let mut stop = app.stop.subscribe();
    let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut last_pong = Instant::now();
    let mut rate = MessageRate::default();
    let is_silent = || app.faults.is_silent(path, app.clock.now_ms());
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {
                let _ = sink.send(closing("server stops")).await;
                return;
            }
            push = pushes.recv() => {
                let Some(first) = push else { return };
                let mut next = Some(first);
                while let Some(push) = next {
                    if matches!(push, Push::Cut) {
                        return;
                    }
                    queued.fetch_sub(1, Ordering::Relaxed);
                    let last = matches!(push, Push::Close(_));
                    if sink.feed(frame(push)).await.is_err() || (last && sink.flush().await.is_ok()) {
                        return;
                    }
                    next = pushes.try_recv().ok();
                }
                if sink.flush().await.is_err() {
                    return;
                }
            }
            // A silent peer does not read either: it would answer pings. In lockstep it must, for the barrier's sake.
            () = tokio::time::sleep(SILENCE_LOOK), if is_silent() && app.limits_messages() => {}
            message = stream.next(), if !(is_silent() && app.limits_messages()) => {
                let Some(Ok(message)) = message else { return };
                let most = match (&*role, &message) {
                    (Role::Streams, _) => MESSAGES_PER_SECOND,
                    // Requests have limits of their own.
                    (Role::Api(_), Message::Text(_)) => u32::MAX,
                    (Role::Api(_), _) => API_PINGS_PER_SECOND,
                };
                if app.limits_messages() && most < u32::MAX && !rate.admits(Instant::now(), most) {
                    app.with(|core| core.limits.flooded(address, app.clock.window_ms()));
                    let _ = sink.send(closing("too many requests")).await;
                    return;
                }
                match message {
                    Message::Text(text) => match role {
                        Role::Streams => app.with(|core| {
                            let answer = answer(&mut core.hub, id, &text);
                            core.hub.send(id, answer);
                        }),
                        Role::Api(connection) => connection.take(app, id, &text),
                    },
                    Message::Pong(payload) => {
                        last_pong = Instant::now();
                        app.with(|core| core.hub.pong(id, &payload));
                    }
                    Message::Close(_) => {
                        // The answer lies in the socket layer; without it the client takes this for a lost connection.
                        let _ = sink.flush().await;
                        return;
                    }
                    // Pings are answered by the socket layer itself.
                    Message::Ping(_) | Message::Binary(_) => {}
                }
            }
            _ = pings.tick() => {
                if last_pong.elapsed() > PONG_WITHIN {
                    let _ = sink.send(closing("no pong")).await;
                    return;
                }
                if is_silent() {
                    continue;
                }
                let payload = Bytes::from(app.clock.now_ms().to_string());
                if sink.send(Message::Ping(payload)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Resolves when the server stops (or is gone).
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn frame(push: Push) -> Message {
    match push {
        Push::Text(text) => Message::Text(text),
        Push::Ping(payload) => Message::Ping(payload),
        Push::Close(reason) => closing(reason),
        // A cut connection is left before anything is framed.
        Push::Cut => closing("cut"),
    }
}

fn closing(reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code: 1008, reason: Utf8Bytes::from_static(reason) }))
}

#[derive(Default)]
struct MessageRate {
    since: Option<Instant>,
    count: u32,
}

impl MessageRate {
    fn admits(&mut self, now: Instant, most: u32) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1)) {
            *self = Self { since: Some(now), count: 0 };
        }
        self.count += 1;
        self.count <= most
    }
}

/// Performs one command and gives its reply.
fn answer(hub: &mut Hub, id: u64, text: &str) -> String {
    let Ok(request) = serde_json::from_str::<Value>(text) else {
        return refusal(2, "Invalid JSON", &Value::Null);
    };
    let request_id = request.get("id").cloned().unwrap_or(Value::Null);
    match perform(hub, id, &request) {
        Ok(result) => json!({"result": result, "id": request_id}).to_string(),
        Err(message) => refusal(2, &message, &request_id),
    }
}

/// Source: fact sheet 8.1; which of two error envelopes the venue uses is UNCONFIRMED, this is the documented-looking one.
fn refusal(code: i64, message: &str, id: &Value) -> String {
    json!({"error": {"code": code, "msg": message}, "id": id}).to_string()
}

fn perform(hub: &mut Hub, id: u64, request: &Value) -> Result<Value, String> {
    let method = request.get("method").and_then(Value::as_str).ok_or("Invalid request: no method")?;
    let params = request.get("params").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = || {
        let text = |value: &Value| {
            value.as_str().map(str::to_owned).ok_or("Invalid request: a stream name must be text")
        };
        params.iter().map(text).collect::<Result<Vec<_>, _>>()
    };
    match method {
        "SUBSCRIBE" => {
            for name in names()? {
                hub.subscribe(id, &name)?;
            }
            Ok(Value::Null)
        }
        "UNSUBSCRIBE" => {
            for name in names()? {
                hub.unsubscribe(id, &name);
            }
            Ok(Value::Null)
        }
        "LIST_SUBSCRIPTIONS" => Ok(json!(hub.names(id))),
        "SET_PROPERTY" => match params {
            [Value::String(property), Value::Bool(value)] if property == "combined" => {
                hub.set_combined(id, *value);
                Ok(Value::Null)
            }
            _ => Err("Invalid request: the only property is combined, true or false".to_owned()),
        },
        "GET_PROPERTY" => match params {
            [Value::String(property)] if property == "combined" => Ok(json!(hub.combined(id))),
            _ => Err("Invalid request: the only property is combined".to_owned()),
        },
        other => Err(format!("Invalid request: unknown method {other}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn events(list: &[&str]) -> Option<BTreeSet<String>> {
        Some(list.iter().map(|name| (*name).to_owned()).collect())
    }

    fn feed(key: &str, wanted: Option<BTreeSet<String>>) -> UserFeed {
        UserFeed { key: key.to_owned(), events: wanted }
    }

    #[test]
    fn every_documented_url_form_is_understood() {
        let parse = |path, query| Target::parse(path, query).unwrap();
        let path = parse("/public/ws/ethusdt@depth@100ms/btcusdt@bookTicker", "");
        assert_eq!((path.route, path.combined, path.names.len()), (Route::Public, false, 2));
        let combined = parse("/market/stream", "streams=ethusdt@kline_1m/%21contractInfo");
        assert_eq!(combined.names, ["ethusdt@kline_1m", "!contractInfo"]);
        assert!(combined.combined);
        assert!(parse("/market/ws/7", "").names.is_empty());
        assert_eq!(parse("/ws", "").route, Route::Bare);
        assert_eq!(Target::parse("/fapi/v1/ping", ""), None);
        assert_eq!(Target::parse("/public", ""), None);
        assert!(parse("/ws-fapi/v1", "returnRateLimits=false").is_api());
        assert_eq!(Target::parse("/ws-fapi/v2", ""), None);
    }

    #[test]
    fn user_data_is_addressed_by_query_or_by_path() {
        let query =
            Target::parse("/private/ws", "listenKey=K&events=ORDER_TRADE_UPDATE/ALGO_UPDATE").unwrap();
        assert_eq!(query.feeds, [feed("K", events(&["ORDER_TRADE_UPDATE", "ALGO_UPDATE"]))]);
        let two = Target::parse("/private/stream", "listenKey=K1&events=A&listenKey=K2").unwrap();
        assert_eq!(two.feeds, [feed("K1", events(&["A"])), feed("K2", None)]);
        assert_eq!(Target::parse("/private/ws/K", "").unwrap().names, ["K"]);
    }

    #[test]
    fn the_eleventh_message_of_a_second_is_too_many() {
        let mut rate = MessageRate::default();
        let now = Instant::now();
        assert_eq!((0..11).filter(|_| rate.admits(now, MESSAGES_PER_SECOND)).count(), 10);
        assert!(rate.admits(now + Duration::from_secs(1), MESSAGES_PER_SECOND));
    }
}
