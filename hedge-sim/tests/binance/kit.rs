//! A small client of its own: signed requests and sockets, nothing interpreted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use hedge_sim::binance::{ApiKey, Exchange, ExchangeConfig, ExchangeHandle, MarketSource, Pace};
use hmac::{Hmac, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

pub(crate) fn sign(payload: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(ApiKey::DEMO_SECRET.as_bytes()).unwrap();
    mac.update(payload.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn two_symbols() -> MarketSource {
    MarketSource::Generated {
        seed: 7,
        symbols: vec!["BTCUSDT".to_owned(), "ETHUSDT".to_owned()],
        bars: hedge_core::Interval::M15,
    }
}

/// Two generated symbols at speed 1.
pub(crate) fn config() -> ExchangeConfig {
    ExchangeConfig { market: two_symbols(), ..ExchangeConfig::default() }
}

pub(crate) fn at_speed(speed: f64) -> ExchangeConfig {
    ExchangeConfig { pace: Pace::Speed(speed), ..config() }
}

/// An exchange and a client of it.
pub(crate) struct Desk {
    pub(crate) exchange: ExchangeHandle,
    pub(crate) http: reqwest::Client,
}

/// An answer: status, headers, JSON.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) json: Value,
}

impl Reply {
    pub(crate) fn code(&self) -> i64 {
        self.json["code"].as_i64().unwrap_or(0)
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.json);
        self.json
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: i64) -> String {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.json);
        self.json["msg"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Desk {
    pub(crate) async fn open(config: ExchangeConfig) -> Self {
        Self { exchange: Exchange::start(config).await.unwrap(), http: reqwest::Client::new() }
    }

    /// An account in hedge mode with leverage 10.
    pub(crate) async fn hedged(config: ExchangeConfig) -> Self {
        let desk = Self::open(config).await;
        desk.signed(Method::POST, "/fapi/v1/positionSide/dual", "dualSidePosition=true").await.ok();
        desk
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: Option<&str>,
        key: Option<&str>,
    ) -> Reply {
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request =
            self.http.request(method, format!("{}{path}{mark}{query}", self.exchange.rest_url()));
        if let Some(key) = key {
            request = request.header("X-MBX-APIKEY", key);
        }
        if let Some(body) = body {
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text:?} is not JSON"));
        Reply { status, headers, json }
    }

    pub(crate) async fn get(&self, path: &str, query: &str) -> Reply {
        self.send(Method::GET, path, query, None, None).await
    }

    /// Adds a timestamp and signs. A venue that runs fast is given wall time: its own would be over on arrival.
    pub(crate) async fn signed(&self, method: Method, path: &str, query: &str) -> Reply {
        let state = self.exchange.clock().state();
        let is_fast = matches!(state.pace, Pace::Speed(speed) if speed > 1.0);
        let timestamp = if is_fast { wall_ms() } else { state.now_ms };
        self.signed_at(method, path, query, timestamp).await
    }

    pub(crate) async fn signed_at(&self, method: Method, path: &str, query: &str, timestamp: i64) -> Reply {
        let and = if query.is_empty() { "" } else { "&" };
        let payload = format!("{query}{and}timestamp={timestamp}");
        let query = format!("{payload}&signature={}", sign(&payload));
        self.send(method, path, &query, None, Some(ApiKey::DEMO_KEY)).await
    }

    pub(crate) async fn order(&self, query: &str) -> Reply {
        self.signed(Method::POST, "/fapi/v1/order", query).await
    }

    pub(crate) async fn algo(&self, query: &str) -> Reply {
        self.signed(Method::POST, "/fapi/v1/algoOrder", &format!("algoType=CONDITIONAL&{query}")).await
    }

    pub(crate) async fn listen_key(&self) -> String {
        let reply = self.send(Method::POST, "/fapi/v1/listenKey", "", None, Some(ApiKey::DEMO_KEY)).await;
        reply.ok()["listenKey"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn last(&self, symbol: &str) -> f64 {
        let row = self.get("/fapi/v1/ticker/price", &format!("symbol={symbol}")).await.ok();
        number(&row["price"])
    }

    pub(crate) async fn socket(&self, path: &str) -> Socket {
        let (socket, _) = connect_async(format!("{}{path}", self.exchange.ws_url())).await.unwrap();
        Socket(socket)
    }
}

/// A decimal sent as text.
#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).parse().unwrap()
}

/// A WebSocket that reads JSON.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn say(&mut self, request: Value) {
        self.0.send(Message::text(request.to_string())).await.unwrap();
    }

    /// The next text message; pings and pongs are passed over.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let within = self.next_within(PATIENCE).await;
            within.unwrap_or_else(|| panic!("nothing came, {place}"))
        }
    }

    pub(crate) async fn next_within(&mut self, wait: Duration) -> Option<Value> {
        let text = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(wait, text).await.ok().flatten()
    }

    /// The next event of a kind; others are passed over.
    #[track_caller]
    pub(crate) fn event(&mut self, kind: &str) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            for _ in 0..2_000 {
                let Some(event) = self.next_within(PATIENCE).await else { break };
                if event["e"] == kind {
                    return event;
                }
            }
            panic!("no {kind} came, {place}")
        }
    }

    /// Whether nothing comes for `wait`.
    pub(crate) async fn is_silent(&mut self, wait: Duration) -> bool {
        self.next_within(wait).await.is_none()
    }

    pub(crate) async fn subscribe(&mut self, names: &[&str]) {
        self.say(json!({"method": "SUBSCRIBE", "params": names, "id": 1})).await;
        let answer = self.next().await;
        assert_eq!(answer["result"], Value::Null, "{answer}");
    }
}

/// Longer than anything that is waited for takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SILENCE: Duration = Duration::from_millis(700);
