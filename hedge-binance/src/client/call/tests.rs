//! One exchange, and when it is not made twice.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use hedge_core::{SendGuard, Sending};
use hedge_http::{Method, limiter::Priority};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path as path_is},
};

use super::*;
use crate::{Binance, BinanceConfig, Credentials, Endpoints, Mainnet, OrderPath};

pub(super) const NOW_MS: i64 = 1_795_168_800_000;

#[derive(Debug)]
pub(super) struct TestClock(pub(super) AtomicI64);

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
    async fn sleep_until(&self, _: Timestamp) {
        std::future::pending().await
    }
}

fn order() -> ApiRequest {
    ApiRequest::command(Method::Post, "/fapi/v1/order", 0, Priority::Open, Params::new())
}

/// Each question for the time takes `slow_ms`; each order is refused for its timestamp.
async fn refused_order(valid_for_ms: i64, slow_ms: i64) -> (Exchange, usize) {
    let server = MockServer::start().await;
    let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
    let venue = Arc::clone(&clock);
    let time = move |_: &wiremock::Request| {
        let now = venue.0.fetch_add(slow_ms, Ordering::SeqCst);
        ResponseTemplate::new(200).set_body_json(serde_json::json!({ "serverTime": now }))
    };
    Mock::given(method("GET")).and(path_is("/fapi/v1/time")).respond_with(time).mount(&server).await;
    let refused =
        serde_json::json!({"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."});
    Mock::given(method("POST"))
        .and(path_is("/fapi/v1/order"))
        .respond_with(ResponseTemplate::new(400).set_body_json(refused))
        .mount(&server)
        .await;
    let endpoints = Endpoints::<Mainnet>::new(Some(&server.uri()), Some("ws://127.0.0.1:9")).unwrap();
    let config = BinanceConfig::new(endpoints, Arc::clone(&clock) as Arc<dyn Clock>);
    let credentials = Credentials::<Mainnet>::new("key".into(), "secret-of-a-test".into()).unwrap();
    let client = Binance::connect(config, credentials).unwrap();
    client.rest().sync_clock().await.unwrap();
    let until = client.rest().local_now().plus(Duration::from_millis(valid_for_ms.unsigned_abs()));
    let exchange = client.rest().exchange_until(&order(), Some(until)).await;
    let sent = server.received_requests().await.unwrap();
    (exchange, sent.iter().filter(|request| request.url.path() == "/fapi/v1/order").count())
}

#[tokio::test]
async fn an_approval_that_went_stale_is_not_signed_again() {
    let (exchange, sent) = refused_order(2_000, 900).await;
    assert_eq!(sent, 1);
    let error = BrokerError::from(exchange.result.unwrap_err());
    assert!(matches!(error, BrokerError::NotSent { .. }), "{error}");
}

#[tokio::test]
async fn an_approval_that_still_holds_is_signed_once_more() {
    let (exchange, sent) = refused_order(2_000, 10).await;
    assert_eq!(sent, 2);
    // Six questions of ten milliseconds each; half a round trip is taken for the way there, and ten milliseconds are
    // the bias into the past. The window is three seconds, but the approval ends in two, of which three questions are over.
    let stamp_ms = NOW_MS + 60 - 5 - 10;
    assert_eq!(
        exchange.acceptable_until,
        Some(Timestamp::from_ms(stamp_ms + 1_970)),
        "of the second signature"
    );
}

/// Notes what it is asked, and refuses what it is told to.
#[derive(Debug)]
pub(super) struct Doorman {
    pub(super) refuses: fn(usize, Sending) -> bool,
    pub(super) asked: Mutex<Vec<Sending>>,
    lost: Mutex<Vec<(Duration, String)>>,
}

impl Doorman {
    pub(super) fn new(refuses: fn(usize, Sending) -> bool) -> Arc<Self> {
        Arc::new(Self { refuses, asked: Mutex::default(), lost: Mutex::default() })
    }

    pub(super) fn asked(&self) -> Vec<Sending> {
        self.asked.lock().unwrap().clone()
    }
}

impl SendGuard for Doorman {
    fn admits(&self, what: Sending) -> Result<(), String> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(what);
        if (self.refuses)(asked.len(), what) { Err("somebody else leads".to_owned()) } else { Ok(()) }
    }

    fn time_was_lost(&self, by: Duration, how: &str) {
        self.lost.lock().unwrap().push((by, how.to_owned()));
    }
}

/// Admits openings until time is lost, as a lease that was not renewed since.
#[derive(Debug, Default)]
struct Leased(std::sync::atomic::AtomicBool);

impl SendGuard for Leased {
    fn admits(&self, what: Sending) -> Result<(), String> {
        let is_lost = self.0.load(Ordering::SeqCst) && what == Sending::Opening;
        if is_lost { Err("not renewed since".to_owned()) } else { Ok(()) }
    }

    fn time_was_lost(&self, _: Duration, _: &str) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A venue that answers each POST of an order with `order`, a client with that guard, and what has arrived.
async fn guarded(
    guard: Arc<dyn SendGuard>,
    order: ResponseTemplate,
) -> (MockServer, Binance<crate::ReadOnly>) {
    let server = MockServer::start().await;
    let time = ResponseTemplate::new(200).set_body_json(serde_json::json!({ "serverTime": NOW_MS }));
    Mock::given(method("GET")).and(path_is("/fapi/v1/time")).respond_with(time).mount(&server).await;
    Mock::given(path_is("/fapi/v1/order")).respond_with(order).mount(&server).await;
    let endpoints = Endpoints::<Mainnet>::new(Some(&server.uri()), Some("ws://127.0.0.1:9")).unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
    let mut config = BinanceConfig::new(endpoints, clock as Arc<dyn Clock>);
    config.guard = Some(guard);
    let credentials = Credentials::<Mainnet>::new("key".into(), "secret-of-a-test".into()).unwrap();
    (server, Binance::connect(config, credentials).unwrap())
}

async fn orders_at(server: &MockServer) -> Vec<wiremock::Request> {
    let all = server.received_requests().await.unwrap();
    all.into_iter().filter(|request| request.url.path() == "/fapi/v1/order").collect()
}

#[tokio::test]
async fn what_the_guard_refuses_does_not_leave_and_costs_nothing() {
    let guard = Doorman::new(|_, what| what == Sending::Opening);
    let done = ResponseTemplate::new(200).set_body_json(serde_json::json!({}));
    let (server, client) = guarded(Arc::clone(&guard) as _, done).await;
    let priced = ApiRequest { cost: crate::encode::Cost::Order, ..order() };
    let exchange = client.rest().exchange(&priced).await;
    let error = BrokerError::from(exchange.result.unwrap_err());
    assert!(matches!(&error, BrokerError::NotSent { .. }), "{error}");
    assert!(error.to_string().contains("somebody else leads"), "{error}");
    assert_eq!(client.rest().budget_used("order-count-10s"), Some(0));
    assert!(orders_at(&server).await.is_empty() && exchange.acceptable_until.is_none());
    // A close passes, and nobody is asked about questions.
    let close = ApiRequest { priority: Priority::Protect, ..order() };
    client.rest().exchange(&close).await.result.unwrap();
    client.rest().sync_clock().await.unwrap();
    client
        .rest()
        .exchange(&ApiRequest::signed_read("/fapi/v1/order", 1, Params::new()))
        .await
        .result
        .unwrap();
    assert_eq!(guard.asked(), [Sending::Opening, Sending::Exit]);
    assert_eq!(orders_at(&server).await.len(), 2);
}

#[tokio::test]
async fn the_guard_is_asked_anew_for_the_second_signature_of_a_call() {
    let guard = Doorman::new(|nth, _| nth == 2);
    let refused =
        serde_json::json!({"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."});
    let refused = ResponseTemplate::new(400).set_body_json(refused);
    let (server, client) = guarded(Arc::clone(&guard) as _, refused).await;
    let exchange = client.rest().exchange(&order()).await;
    assert!(matches!(exchange.result, Err(CallError::Guarded(_))), "{exchange:?}");
    assert_eq!((guard.asked().len(), orders_at(&server).await.len()), (2, 1));
}

fn too_old() -> ResponseTemplate {
    let refused =
        serde_json::json!({"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."});
    ResponseTemplate::new(400).set_body_json(refused)
}

#[tokio::test]
async fn an_opening_whose_timestamp_is_refused_leaves_again_only_if_the_lease_is_looked_at_again() {
    // A machine that was paused with all its clocks: by its own time, its lease and its approval are as good as before.
    let (server, client) = guarded(Arc::new(Leased::default()), too_old()).await;
    let exchange = client.rest().exchange(&order()).await;
    assert!(matches!(exchange.result, Err(CallError::Guarded(_))), "{exchange:?}");
    assert_eq!(orders_at(&server).await.len(), 1);
    // A close is signed with the right time: nobody asks whether it still wants to lead.
    let close = ApiRequest { priority: Priority::Protect, ..order() };
    client.rest().exchange(&close).await.result.unwrap_err();
    assert_eq!(orders_at(&server).await.len(), 3);
}

#[tokio::test]
async fn whoever_leads_hears_that_the_venues_clock_has_moved_away_from_ours() {
    let guard = Doorman::new(|_, _| false);
    let server = MockServer::start().await;
    let venue_ms = Arc::new(AtomicI64::new(NOW_MS));
    let now = Arc::clone(&venue_ms);
    let time = move |_: &wiremock::Request| {
        let now = now.load(Ordering::SeqCst);
        ResponseTemplate::new(200).set_body_json(serde_json::json!({ "serverTime": now }))
    };
    Mock::given(method("GET")).and(path_is("/fapi/v1/time")).respond_with(time).mount(&server).await;
    let endpoints = Endpoints::<Mainnet>::new(Some(&server.uri()), Some("ws://127.0.0.1:9")).unwrap();
    let mut config = BinanceConfig::new(endpoints, Arc::new(TestClock(AtomicI64::new(NOW_MS))));
    config.guard = Some(Arc::clone(&guard) as _);
    let credentials = Credentials::<Mainnet>::new("key".into(), "secret-of-a-test".into()).unwrap();
    let client = Binance::connect(config, credentials).unwrap();
    let told = || guard.lost.lock().unwrap().clone();
    for (moved_ms, expected) in [(0, 0), (1_000, 0), (2_000, 0), (122_000, 1), (2_000, 2)] {
        venue_ms.store(NOW_MS + moved_ms, Ordering::SeqCst);
        client.rest().sync_clock().await.unwrap();
        assert_eq!(told().len(), expected, "{moved_ms} ms: {:?}", told());
    }
    assert!(told()[0].1.contains("120000 ms") && told()[1].1.contains("-120000 ms"), "{:?}", told());
    assert_eq!(told().iter().map(|(by, _)| by.as_secs()).collect::<Vec<_>>(), [120, 120]);
}

#[tokio::test]
async fn the_venue_may_accept_an_opening_no_longer_than_its_approval_lasts() {
    let guard = Doorman::new(|_, _| false);
    let done = ResponseTemplate::new(200).set_body_json(serde_json::json!({}));
    let (server, client) = guarded(guard, done).await;
    for (valid_for_ms, window) in [(1_250, "1250"), (2_999, "2999"), (60_000, "3000"), (0, "1")] {
        let until = Timestamp::from_ms(NOW_MS + valid_for_ms);
        client.rest().exchange_until(&order(), Some(until)).await.result.unwrap();
        let last = orders_at(&server).await.pop().unwrap();
        let sent = last.url.query_pairs().find(|(name, _)| name == "recvWindow").unwrap().1.into_owned();
        assert_eq!(sent, window);
    }
}

/// An RSA key that can be read and whose computations do not verify: its exponent modulo p - 1 is damaged.
fn key_that_cannot_sign() -> String {
    let text = include_str!("../../../../hedge-http/tests/keys/rsa_of_tests.txt");
    let mut der = hedge_http::sign::base64_decode(text).unwrap();
    // PKCS#8 around PKCS#1, whose integers are version, n, e, d, p, q, dP, dQ and qInv. Those of n and d are the long ones.
    let mut at = der.windows(4).position(|four| four == [0x02, 0x82, 0x01, 0x01]).unwrap();
    for _ in 0..5 {
        at = next_integer(&der, at);
    }
    let middle = (at + next_integer(&der, at)) / 2;
    der[middle] ^= 1;
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&der))
}

/// Where the value after the one at `at` begins.
fn next_integer(der: &[u8], at: usize) -> usize {
    assert_eq!(der[at], 0x02, "an integer");
    match der[at + 1] {
        0x82 => at + 4 + usize::from(u16::from_be_bytes([der[at + 2], der[at + 3]])),
        0x81 => at + 3 + usize::from(der[at + 2]),
        short => at + 2 + usize::from(short),
    }
}

fn base64(bytes: &[u8]) -> String {
    hedge_http::sign::base64(bytes)
}

#[tokio::test]
async fn what_cannot_be_signed_costs_nothing_of_the_budgets() {
    for path in [OrderPath::Rest, OrderPath::WsApi { logon: false }] {
        let server = MockServer::start().await;
        let time = serde_json::json!({ "serverTime": NOW_MS });
        let answer = ResponseTemplate::new(200).set_body_json(time);
        Mock::given(method("GET")).and(path_is("/fapi/v1/time")).respond_with(answer).mount(&server).await;
        let venue = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ws = format!("ws://{}", venue.local_addr().unwrap());
        tokio::spawn(async move {
            let (stream, _) = venue.accept().await.unwrap();
            let _open = tokio_tungstenite::accept_async(stream).await.unwrap();
            std::future::pending::<()>().await;
        });
        let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
        let mut config =
            BinanceConfig::new(Endpoints::<Mainnet>::new(Some(&server.uri()), Some(&ws)).unwrap(), clock);
        config.order_path = path;
        let credentials = Credentials::<Mainnet>::new("key".into(), key_that_cannot_sign()).unwrap();
        let client = Binance::connect(config, credentials).unwrap();
        let exchange = client.rest().exchange(&placed()).await;
        assert!(matches!(exchange.result, Err(CallError::Sign(_))), "{exchange:?}");
        for pool in ["order-count-10s", "order-count-1m"] {
            assert_eq!(client.rest().budget_used(pool), Some(0), "{pool} {path:?}");
        }
    }
}

/// An opening that costs what an order costs.
fn placed() -> ApiRequest {
    ApiRequest { cost: crate::encode::Cost::Order, ..order() }
}
