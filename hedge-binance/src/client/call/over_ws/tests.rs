//! What leaves by which way, and when nothing does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use hedge_core::{Clock, SendGuard, Sending, Timestamp};
use hedge_http::Method;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

use super::*;
use crate::{
    Binance, BinanceConfig, Credentials, Endpoints, Mainnet, OrderPath, ReadOnly,
    client::call::tests::{Doorman, NOW_MS, TestClock},
    encode::Params,
};

const LONG: Duration = Duration::from_secs(10);

/// A venue on both ways, and a client that takes the WebSocket API for orders.
struct Bench {
    rest: MockServer,
    venue: TcpListener,
    clock: Arc<TestClock>,
    client: Arc<Binance<ReadOnly>>,
}

impl Bench {
    async fn start(logon: bool) -> Self {
        Self::guarded(logon, None).await
    }

    async fn guarded(logon: bool, guard: Option<Arc<dyn SendGuard>>) -> Self {
        let (rest, clock) = (MockServer::start().await, Arc::new(TestClock(AtomicI64::new(NOW_MS))));
        let time = ResponseTemplate::new(200).set_body_json(json!({ "serverTime": NOW_MS }));
        Mock::given(method("GET")).and(path("/fapi/v1/time")).respond_with(time).mount(&rest).await;
        let taken = ResponseTemplate::new(200).set_body_json(json!({ "by": "rest" }));
        Mock::given(method("POST")).and(path("/fapi/v1/order")).respond_with(taken).mount(&rest).await;
        let venue = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ws = format!("ws://{}", venue.local_addr().unwrap());
        let endpoints = Endpoints::<Mainnet>::new(Some(&rest.uri()), Some(&ws)).unwrap();
        let mut config = BinanceConfig::new(endpoints, Arc::clone(&clock) as Arc<dyn Clock>);
        config.order_path = OrderPath::WsApi { logon };
        config.guard = guard;
        let credentials = Credentials::<Mainnet>::new("key".into(), "secret-of-a-test".into()).unwrap();
        let client = Arc::new(Binance::connect(config, credentials).unwrap());
        client.rest().sync_clock().await.unwrap();
        Self { rest, venue, clock, client }
    }

    async fn accept(&self) -> WebSocketStream<TcpStream> {
        let accepted = async { accept_async(self.venue.accept().await.unwrap().0).await.unwrap() };
        timeout(LONG, accepted).await.expect("nobody connected")
    }

    /// Sends a request in the background; what it may cost, of whom it is and until when it is good is the caller's.
    fn send(
        &self,
        name: &str,
        priority: Priority,
        until: Option<Timestamp>,
    ) -> tokio::task::JoinHandle<Result<Value, CallError>> {
        let params = Params::new().with("newClientOrderId", name);
        let request = ApiRequest::command(Method::Post, "/fapi/v1/order", 0, priority, params);
        let client = Arc::clone(&self.client);
        tokio::spawn(async move {
            let exchange = client.rest().exchange_until(&request, until).await;
            exchange.result.map(|response| serde_json::from_slice(&response.body).unwrap())
        })
    }

    /// The orders that came by REST, by name.
    async fn by_rest(&self) -> Vec<String> {
        let all = self.rest.received_requests().await.unwrap();
        all.iter()
            .filter(|request| request.url.path() == "/fapi/v1/order")
            .filter_map(|request| request.url.query_pairs().find(|(name, _)| name == "newClientOrderId"))
            .map(|(_, name)| name.into_owned())
            .collect()
    }
}

async fn asked(socket: &mut WebSocketStream<TcpStream>) -> Value {
    let frame = timeout(LONG, socket.next()).await.expect("the client said nothing").unwrap().unwrap();
    serde_json::from_str(frame.to_text().unwrap()).unwrap()
}

async fn answer(socket: &mut WebSocketStream<TcpStream>, frame: &Value, status: u16, body: Value) {
    let name = if status == 200 { "result" } else { "error" };
    let text = json!({"id": frame["id"], "status": status, name: body}).to_string();
    socket.send(Message::text(text)).await.unwrap();
}

async fn done<T>(task: tokio::task::JoinHandle<T>) -> T {
    timeout(LONG, task).await.expect("no end").unwrap()
}

#[tokio::test]
async fn an_opening_whose_approval_went_stale_during_the_log_on_does_not_leave() {
    let bench = Bench::start(true).await;
    let until = Timestamp::from_ms(NOW_MS + 2_000);
    let late = bench.send("late", Priority::Open, Some(until));
    let mut socket = bench.accept().await;
    let logon = asked(&mut socket).await;
    assert_eq!(logon["method"], "session.logon");
    bench.clock.0.store(NOW_MS + 2_001, Ordering::SeqCst);
    answer(&mut socket, &logon, 200, json!({})).await;
    let failed = done(late).await.unwrap_err();
    assert!(matches!(failed, CallError::Stale), "{failed:?}");
    // What leaves next is the next request, on the same connection and under the clock of now.
    let next = bench.send("next", Priority::Open, None);
    let frame = asked(&mut socket).await;
    assert_eq!(frame["params"]["newClientOrderId"], "next");
    answer(&mut socket, &frame, 200, json!({})).await;
    done(next).await.unwrap();
    assert_eq!(bench.client.rest().budget_used("order-count-10s"), Some(0), "the test's orders cost nothing");
    assert!(bench.by_rest().await.is_empty());
}

#[tokio::test]
async fn what_the_guard_refuses_at_the_socket_goes_no_other_way() {
    let guard = Doorman::new(|nth, _| nth <= 2);
    let bench = Bench::guarded(false, Some(Arc::clone(&guard) as Arc<dyn SendGuard>)).await;
    let opening = bench.send("opening", Priority::Open, None);
    let mut socket = bench.accept().await;
    for task in [opening, bench.send("close", Priority::Protect, None)] {
        let failed = done(task).await.unwrap_err();
        assert!(
            matches!(&failed, CallError::Guarded(because) if because == "somebody else leads"),
            "{failed:?}"
        );
    }
    assert_eq!(guard.asked(), [Sending::Opening, Sending::Exit]);
    let next = bench.send("next", Priority::Open, None);
    let frame = asked(&mut socket).await;
    assert_eq!(frame["params"]["newClientOrderId"], "next", "the first thing that was written");
    answer(&mut socket, &frame, 200, json!({})).await;
    done(next).await.unwrap();
    assert!(bench.by_rest().await.is_empty());
}

#[tokio::test]
async fn an_opening_that_finds_no_connection_is_not_sent_and_a_close_goes_by_rest() {
    let bench = Bench::start(false).await;
    let refuse = async |task| {
        drop(bench.venue.accept().await.unwrap());
        done(task).await
    };
    let failed = refuse(bench.send("opening", Priority::Open, None)).await.unwrap_err();
    assert!(matches!(BrokerError::from(failed), BrokerError::NotSent { .. }));
    assert!(bench.by_rest().await.is_empty(), "no other way is tried for an opening");
    // Nobody waits for a connection right after one could not be made: nothing is accepted here.
    assert_eq!(done(bench.send("close", Priority::Protect, None)).await.unwrap(), json!({ "by": "rest" }));
    assert_eq!(bench.by_rest().await, ["close"]);
}

#[tokio::test]
async fn a_close_waits_for_a_handshake_no_longer_than_a_panic_close_for_an_answer() {
    let bench = Bench::start(false).await;
    let began = std::time::Instant::now();
    // The connection is taken by the system, and nobody answers the handshake.
    assert_eq!(done(bench.send("close", Priority::Protect, None)).await.unwrap(), json!({ "by": "rest" }));
    // An opening would have waited for ten seconds.
    assert!((URGENT_TIMEOUT..LONG).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_close_on_a_session_that_the_venue_has_dropped_goes_by_rest_and_the_next_order_logs_on_anew() {
    for error in [
        json!({"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}),
        json!({"code":-1102,"msg":"Mandatory parameter 'apiKey' was not sent, was empty/null, or malformed."}),
    ] {
        let bench = Bench::start(true).await;
        let close = bench.send("close", Priority::Protect, None);
        let mut socket = bench.accept().await;
        let logon = asked(&mut socket).await;
        answer(&mut socket, &logon, 200, json!({})).await;
        let frame = asked(&mut socket).await;
        answer(&mut socket, &frame, 400, error).await;
        assert_eq!(done(close).await.unwrap(), json!({ "by": "rest" }));
        let next = bench.send("next", Priority::Open, None);
        let mut socket = bench.accept().await;
        let logon = asked(&mut socket).await;
        assert_eq!(logon["method"], "session.logon", "nothing leaves on a connection that has not logged on");
        answer(&mut socket, &logon, 200, json!({})).await;
        let frame = asked(&mut socket).await;
        answer(&mut socket, &frame, 200, json!({ "by": "ws" })).await;
        assert_eq!(done(next).await.unwrap(), json!({ "by": "ws" }));
        assert_eq!(bench.by_rest().await, ["close"]);
    }
}

#[tokio::test]
async fn a_refusal_of_an_order_itself_is_final_on_a_session_too() {
    let bench = Bench::start(true).await;
    let close = bench.send("close", Priority::Protect, None);
    let mut socket = bench.accept().await;
    let logon = asked(&mut socket).await;
    answer(&mut socket, &logon, 200, json!({})).await;
    let frame = asked(&mut socket).await;
    let error = json!({"code":-1102,"msg":"Mandatory parameter 'quantity' was not sent, was empty/null, or malformed."});
    answer(&mut socket, &frame, 400, error).await;
    assert!(matches!(
        BrokerError::from(done(close).await.unwrap_err()),
        BrokerError::Rejected { code: -1102, .. }
    ));
    assert!(bench.by_rest().await.is_empty());
    assert!(bench.client.rest().ws_api.line().is_some());
}

#[tokio::test]
async fn a_log_on_that_is_refused_for_its_timestamp_is_made_once_more_by_the_clock_as_measured() {
    let bench = Bench::start(true).await;
    let sent = bench.send("opening", Priority::Open, None);
    let mut socket = bench.accept().await;
    let logon = asked(&mut socket).await;
    let error = json!({"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."});
    answer(&mut socket, &logon, 400, error).await;
    let mut socket = bench.accept().await;
    let logon = asked(&mut socket).await;
    answer(&mut socket, &logon, 200, json!({})).await;
    let frame = asked(&mut socket).await;
    answer(&mut socket, &frame, 200, json!({ "by": "ws" })).await;
    assert_eq!(done(sent).await.unwrap(), json!({ "by": "ws" }));
}

#[tokio::test]
async fn a_log_on_that_is_refused_until_an_instant_freezes_until_then() {
    let bench = Bench::start(true).await;
    let sent = bench.send("opening", Priority::Open, None);
    let mut socket = bench.accept().await;
    let logon = asked(&mut socket).await;
    let error = json!({"code":-1003,"msg":"Way too many requests.","data":{"retryAfter":NOW_MS + 150_000}});
    answer(&mut socket, &logon, 418, error).await;
    assert!(done(sent).await.is_err());
    let until = bench.client.rest().banned_until().expect("a ban").ms();
    assert!((NOW_MS + 149_000..=NOW_MS + 152_000).contains(&until), "{} ms from now", until - NOW_MS);
}

#[tokio::test]
async fn a_panic_close_goes_by_rest() {
    let bench = Bench::start(false).await;
    bench.client.rest().make_urgent();
    assert_eq!(done(bench.send("close", Priority::Protect, None)).await.unwrap(), json!({ "by": "rest" }));
    assert!(timeout(Duration::from_millis(50), bench.venue.accept()).await.is_err(), "nobody connected");
}

#[tokio::test]
async fn a_close_whose_bytes_have_left_is_not_sent_by_the_other_way() {
    let bench = Bench::start(false).await;
    let close = bench.send("close", Priority::Protect, None);
    let mut socket = bench.accept().await;
    asked(&mut socket).await;
    drop(socket);
    let failed = done(close).await.unwrap_err();
    assert!(matches!(BrokerError::from(failed), BrokerError::OutcomeUnknown { .. }));
    assert!(bench.by_rest().await.is_empty());
}
