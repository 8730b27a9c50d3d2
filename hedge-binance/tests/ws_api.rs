//! Orders over the WebSocket API: the same outcomes as by REST, and never sent twice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;
#[path = "support/venue.rs"]
mod venue;

use std::{sync::Arc, time::Duration};

use hedge_binance::{
    Binance, BinanceConfig, Credentials, Live, Mainnet, OrderPath, ReadOnly, StreamConfig,
    encode::ws_api_payload,
};
use hedge_core::{
    Approved, BrokerError, Brokerage, Exit, Order, OrderAck, OrderRef, Outcome, RejectReason, ReportedState,
    SubmitError, Timestamp, VenueOrderId, VenueReader,
};
use hedge_http::{
    secret::Secret,
    sign::{HmacSha256Hex, Signer},
};
use serde_json::{Value, json};
use support::*;
use tokio::{task::JoinHandle, time::timeout};
use tokio_tungstenite::tungstenite::Message;
use venue::{Connection, LONG, Venue};
use wiremock::MockServer;

struct Bench {
    venue: Venue,
    rest: MockServer,
    client: Arc<Binance<Live>>,
}

async fn bench(edit: impl FnOnce(&mut BinanceConfig<Mainnet>)) -> Bench {
    let venue = Venue::start().await;
    let rest = MockServer::start().await;
    mock_time(&rest).await;
    let mut config = config(&rest.uri(), &venue.url, TestClock::at(NOW_MS), quick_streams());
    config.order_path = OrderPath::WsApi { logon: false };
    config.http.timeout = LONG;
    edit(&mut config);
    let client = Arc::new(live(connect(config)));
    client.rest().sync_clock().await.unwrap();
    Bench { venue, rest, client }
}

fn connect(config: BinanceConfig<Mainnet>) -> Binance<ReadOnly> {
    let credentials = Credentials::<Mainnet>::new(KEY.into(), SECRET.into()).unwrap();
    Binance::connect(config, credentials).unwrap()
}

fn market() -> Approved<Order> {
    close(Exit::Market).into()
}

impl Bench {
    /// Sends an order in the background.
    fn submit(&self, order: Approved<Order>) -> JoinHandle<Result<OrderAck, SubmitError>> {
        let client = Arc::clone(&self.client);
        tokio::spawn(async move { client.submit(&order).await })
    }

    /// How many order requests came by REST.
    async fn by_rest(&self) -> usize {
        requests(&self.rest, "/fapi/v1/order").await.len()
    }
}

async fn request(connection: &mut Connection) -> Value {
    loop {
        match connection.heard().await.expect("the client is gone") {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn done<T>(task: JoinHandle<T>) -> T {
    timeout(LONG, task).await.expect("no end").unwrap()
}

fn limits(weight: u64, orders: u64) -> Value {
    json!([{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":weight},
        {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":orders}])
}

#[tokio::test]
async fn an_order_is_signed_over_its_sorted_parameters_and_acknowledged() {
    let mut bench = bench(|_| {}).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    assert_eq!(connection.uri, "/ws-fapi/v1");
    let frame = request(&mut connection).await;
    assert_eq!(frame["method"], "order.place");
    let params = frame["params"].as_object().unwrap();
    assert_eq!((&params["positionSide"], &params["quantity"]), (&json!("LONG"), &json!("0.25")));
    assert_eq!((&params["timestamp"], &params["recvWindow"]), (&json!(NOW_MS - 10), &json!(3_000)));
    assert!(!params.contains_key("reduceOnly"));
    assert_eq!(params["selfTradePreventionMode"], "EXPIRE_MAKER", "this way defaults to NONE");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs: Vec<(&str, String)> = params
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let signer = HmacSha256Hex::new(&Secret::new(SECRET.to_owned())).unwrap();
    assert_eq!(params["signature"], signer.sign(ws_api_payload(&pairs).as_bytes()).unwrap());
    assert!(pairs.contains(&("apiKey", KEY)));
    connection
        .send(json!({"id": frame["id"], "status": 200, "result": order_row("FILLED"), "rateLimits": limits(41, 7)}))
        .await;
    let ack = done(sent).await.unwrap();
    assert_eq!(
        (ack.order, ack.state),
        (OrderRef::Plain(VenueOrderId(70_112_233_445)), ReportedState::Filled)
    );
    assert_eq!(bench.client.rest().budget_used("used-weight-1m"), Some(41));
    assert_eq!(bench.client.rest().budget_used("order-count-10s"), Some(7));
    assert_eq!(bench.by_rest().await, 0);
}

#[tokio::test]
async fn answers_in_another_order_reach_whoever_asked() {
    let mut bench = bench(|_| {}).await;
    let client = Arc::clone(&bench.client);
    let first = tokio::spawn(async move { client.ws_api().price("ABCUSDT").await });
    let mut connection = bench.venue.accept().await;
    let one = request(&mut connection).await;
    let client = Arc::clone(&bench.client);
    let second = tokio::spawn(async move { client.ws_api().price("XYZUSDT").await });
    let two = request(&mut connection).await;
    assert_eq!(two["params"], json!({"symbol":"XYZUSDT"}), "an open question carries no key");
    for (frame, price) in [(&two, "2"), (&one, "1")] {
        let result = json!({"symbol": frame["params"]["symbol"], "price": price, "time": NOW_MS});
        connection.send(json!({"id": frame["id"], "status": 200, "result": result})).await;
    }
    assert_eq!(done(first).await.unwrap().price.to_string(), "1");
    assert_eq!(done(second).await.unwrap().price.to_string(), "2");
    assert!(bench.venue.is_quiet(), "one connection serves both");
}

#[tokio::test]
async fn a_refusal_means_what_its_code_means_by_rest() {
    let mut bench = bench(|_| {}).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    let frame = request(&mut connection).await;
    let error = json!({"code":-2019,"msg":"Margin is insufficient."});
    connection.send(json!({"id": frame["id"], "status": 400, "error": error})).await;
    let failed = done(sent).await.unwrap_err();
    let BrokerError::Rejected { reason, code, .. } = &failed.error else { panic!("{failed:?}") };
    assert_eq!((*reason, *code), (RejectReason::InsufficientMargin, -2019));
    let sent = bench.submit(market());
    let frame = request(&mut connection).await;
    let error = json!({"code":-1007,"msg":"Timeout waiting for response from backend server."});
    connection.send(json!({"id": frame["id"], "status": 408, "error": error})).await;
    assert_eq!(done(sent).await.unwrap_err().error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn a_connection_that_ends_after_the_write_leaves_the_outcome_unknown_and_nothing_is_sent_again() {
    let mut bench = bench(|_| {}).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    request(&mut connection).await;
    drop(connection);
    let failed = done(sent).await.unwrap_err();
    assert_eq!(failed.error.outcome(), Outcome::Unknown, "{failed:?}");
    assert_eq!(failed.acceptable_until, Some(Timestamp::from_ms(NOW_MS - 10 + 3_000)));
    // The next order goes out on a connection of its own, and is the only thing that does.
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    let frame = request(&mut connection).await;
    connection.send(json!({"id": frame["id"], "status": 200, "result": order_row("NEW")})).await;
    done(sent).await.unwrap();
    assert!(connection.is_silent_for(Duration::from_millis(100)).await);
    assert_eq!(bench.by_rest().await, 0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown() {
    let mut bench = bench(|config| config.http.timeout = Duration::from_millis(150)).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    let late = request(&mut connection).await;
    let failed = done(sent).await.unwrap_err();
    assert_eq!(failed.error.outcome(), Outcome::Unknown, "{failed:?}");
    // Whatever holds the answers back would hold back the next one: it goes out on a connection of its own, at once. The
    // late answer is nobody's.
    let sent = bench.submit(market());
    let mut next = bench.venue.accept().await;
    let frame = request(&mut next).await;
    assert_ne!(frame["id"], late["id"]);
    connection.send(json!({"id": late["id"], "status": 400, "error": {"code":-2019,"msg":"late"}})).await;
    next.send(json!({"id": frame["id"], "status": 200, "result": order_row("NEW")})).await;
    done(sent).await.unwrap();
    assert_eq!(bench.by_rest().await, 0, "what may have left is not sent again");
}

#[tokio::test]
async fn what_a_connection_owes_to_others_is_waited_for_when_one_answer_did_not_come_in_time() {
    let mut bench = bench(|config| config.http.timeout = Duration::from_millis(400)).await;
    let unanswered = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    request(&mut connection).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    let owed = bench.submit(market());
    let frame = request(&mut connection).await;
    assert_eq!(done(unanswered).await.unwrap_err().error.outcome(), Outcome::Unknown);
    connection.send(json!({"id": frame["id"], "status": 200, "result": order_row("NEW")})).await;
    done(owed).await.unwrap();
}

#[tokio::test]
async fn a_close_goes_by_rest_while_the_connection_cannot_be_made() {
    let bench = bench(|config| {
        // Nobody listens on a port that was just given back.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let endpoints =
            hedge_binance::Endpoints::new(Some(config.endpoints.rest()), Some(&format!("ws://{free}")));
        config.endpoints = endpoints.unwrap();
    })
    .await;
    mock(&bench.rest, "POST", "/fapi/v1/order", 200, order_row("FILLED")).await;
    for sent in 1..=2 {
        assert_eq!(bench.client.submit(&market()).await.unwrap().state, ReportedState::Filled);
        assert_eq!(bench.by_rest().await, sent);
    }
}

#[tokio::test]
async fn a_refused_timestamp_is_signed_once_more_after_the_clock_was_measured() {
    let mut bench = bench(|_| {}).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    let frame = request(&mut connection).await;
    let error = json!({"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."});
    connection.send(json!({"id": frame["id"], "status": 400, "error": error})).await;
    let again = request(&mut connection).await;
    assert_ne!(again["id"], frame["id"]);
    assert_eq!(again["params"]["newClientOrderId"], frame["params"]["newClientOrderId"]);
    connection.send(json!({"id": again["id"], "status": 200, "result": order_row("NEW")})).await;
    done(sent).await.unwrap();
}

#[tokio::test]
async fn too_many_orders_are_not_sent_and_wait() {
    let mut bench = bench(|_| {}).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    let frame = request(&mut connection).await;
    let error = json!({"code":-1015,"msg":"Too many new orders.","data":{"serverTime":NOW_MS,"retryAfter":NOW_MS + 4_000}});
    connection.send(json!({"id": frame["id"], "status": 429, "error": error})).await;
    let failed = done(sent).await.unwrap_err();
    let BrokerError::RateLimited { retry_after } = failed.error else { panic!("{failed:?}") };
    assert_eq!(retry_after, Duration::from_secs(4));
    let failed = bench.client.submit(&market()).await.unwrap_err();
    assert!(matches!(failed.error, BrokerError::RateLimited { .. }), "{failed:?}");
    assert!(connection.is_silent_for(Duration::from_millis(100)).await);
}

#[tokio::test]
async fn cancels_and_conditional_orders_take_the_same_way_and_questions_stay_with_rest() {
    let mut bench = bench(|_| {}).await;
    let client = Arc::clone(&bench.client);
    let order = OrderRef::Plain(VenueOrderId(70_112_233_445));
    let cancel = tokio::spawn(async move { client.cancel(&eth(), &order).await });
    let mut connection = bench.venue.accept().await;
    let frame = request(&mut connection).await;
    assert_eq!(
        (&frame["method"], &frame["params"]["orderId"]),
        (&json!("order.cancel"), &json!(70_112_233_445_i64))
    );
    connection.send(json!({"id": frame["id"], "status": 200, "result": order_row("CANCELED")})).await;
    done(cancel).await.unwrap();

    let stop = bench.submit(stop());
    let frame = request(&mut connection).await;
    assert_eq!(frame["method"], "algoOrder.place");
    connection.send(json!({"id": frame["id"], "status": 200, "result": algo_row("NEW")})).await;
    done(stop).await.unwrap();

    // What became of an order is asked by the way that does not lose answers.
    mock(&bench.rest, "GET", "/fapi/v1/order", 200, order_row("FILLED")).await;
    assert!(bench.client.find_order(&eth(), &order).await.unwrap().is_some());
    mock(&bench.rest, "GET", "/fapi/v1/openOrders", 200, json!([])).await;
    mock(&bench.rest, "GET", "/fapi/v1/openAlgoOrders", 200, json!([])).await;
    assert!(bench.client.open_orders().await.unwrap().is_empty());
}

#[tokio::test]
async fn every_other_method_of_the_table_is_asked_by_its_name() {
    let mut bench = bench(|config| config.order_path = OrderPath::Rest).await;
    let client = Arc::clone(&bench.client);
    let asked = tokio::spawn(async move {
        let api = client.ws_api();
        api.balance().await.unwrap();
        api.balance_v1().await.unwrap();
        api.account().await.unwrap();
        api.positions(Some("ETHUSDT")).await.unwrap();
        api.positions_v1(None).await.unwrap();
        api.order("ETHUSDT", &OrderRef::Plain(VenueOrderId(7))).await.unwrap();
        api.book_ticker("ETHUSDT").await.unwrap();
        api.depth("ETHUSDT", 5).await.unwrap();
        api.start_user_data_stream().await.unwrap();
        api.ping_user_data_stream().await.unwrap();
        api.stop_user_data_stream().await.unwrap();
    });
    let mut connection = bench.venue.accept().await;
    let balance = json!([{"accountAlias":"S","asset":"USDT","balance":"1","crossWalletBalance":"1","crossUnPnl":"0",
        "availableBalance":"1","maxWithdrawAmount":"1","marginAvailable":true,"updateTime":1}]);
    let ticker = json!({"symbol":"ETHUSDT","bidPrice":"1","bidQty":"1","askPrice":"2","askQty":"1","time":1});
    for (method, signed, result) in [
        ("v2/account.balance", true, balance.clone()),
        ("account.balance", true, balance),
        ("v2/account.status", true, account_v3()),
        ("v2/account.position", true, position_rows()),
        ("account.position", true, position_rows()),
        ("order.status", true, order_row("NEW")),
        ("ticker.book", false, ticker),
        ("depth", false, json!({"lastUpdateId":7,"bids":[["1","2"]],"asks":[["3","4"]]})),
        ("userDataStream.start", false, json!({"listenKey":"k"})),
        ("userDataStream.ping", false, json!({"listenKey":"k"})),
        ("userDataStream.stop", false, json!({})),
    ] {
        let frame = request(&mut connection).await;
        assert_eq!(frame["method"], method);
        assert_eq!(frame["params"].get("signature").is_some(), signed, "{method}");
        if method.starts_with("userDataStream") {
            assert_eq!(frame["params"], json!({"apiKey": KEY}));
        }
        connection.send(json!({"id": frame["id"], "status": 200, "result": result})).await;
    }
    done(asked).await;
}

#[tokio::test]
async fn a_log_on_comes_first_and_then_requests_carry_neither_key_nor_signature() {
    let mut bench = bench(|config| config.order_path = OrderPath::WsApi { logon: true }).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    let frame = request(&mut connection).await;
    assert_eq!((&frame["method"], &frame["params"]["apiKey"]), (&json!("session.logon"), &json!(KEY)));
    assert!(frame["params"]["signature"].is_string());
    connection
        .send(json!({"id": frame["id"], "status": 200, "result": {"apiKey": KEY, "authorizedSince": NOW_MS}}))
        .await;
    let frame = request(&mut connection).await;
    assert_eq!(frame["method"], "order.place");
    let params = frame["params"].as_object().unwrap();
    assert!(!params.contains_key("apiKey") && !params.contains_key("signature"), "{params:?}");
    assert_eq!(params["timestamp"], json!(NOW_MS - 10));
    connection.send(json!({"id": frame["id"], "status": 200, "result": order_row("NEW")})).await;
    done(sent).await.unwrap();
}

#[tokio::test]
async fn after_a_refused_log_on_a_close_goes_by_rest() {
    let mut bench = bench(|config| config.order_path = OrderPath::WsApi { logon: true }).await;
    mock(&bench.rest, "POST", "/fapi/v1/order", 200, order_row("FILLED")).await;
    let sent = bench.submit(market());
    let mut connection = bench.venue.accept().await;
    let frame = request(&mut connection).await;
    let error = json!({"code":-4056,"msg":"HMAC_SHA256 API key is not supported."});
    connection.send(json!({"id": frame["id"], "status": 400, "error": error})).await;
    assert_eq!(done(sent).await.unwrap().state, ReportedState::Filled);
    assert_eq!(bench.by_rest().await, 1);
}

#[tokio::test]
async fn a_cancel_that_is_answered_for_another_order_leaves_its_own_unknown() {
    let mut bench = bench(|_| {}).await;
    let mut connection = None;
    for (asked, status) in [(70_112_233_446, "CANCELED"), (70_112_233_445, "NEW")] {
        let client = Arc::clone(&bench.client);
        let order = OrderRef::Plain(VenueOrderId(asked));
        let cancel = tokio::spawn(async move { client.cancel(&eth(), &order).await });
        if connection.is_none() {
            connection = Some(bench.venue.accept().await);
        }
        let connection = connection.as_mut().unwrap();
        let frame = request(connection).await;
        connection.send(json!({"id": frame["id"], "status": 200, "result": order_row(status)})).await;
        let failed = done(cancel).await.unwrap_err();
        assert_eq!(failed.outcome(), Outcome::Unknown, "{failed:?}");
    }
}

#[tokio::test]
async fn a_connection_near_the_end_of_its_day_is_replaced_before_the_next_request() {
    let mut bench = bench(|config| {
        config.streams = StreamConfig { rotate_after: Duration::from_millis(200), ..quick_streams() }
    })
    .await;
    let sent = bench.submit(market());
    let mut old = bench.venue.accept().await;
    let owed = request(&mut old).await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    let next = bench.submit(market());
    let mut new = bench.venue.accept().await;
    let frame = request(&mut new).await;
    new.send(json!({"id": frame["id"], "status": 200, "result": order_row("NEW")})).await;
    done(next).await.unwrap();
    old.send(json!({"id": owed["id"], "status": 200, "result": order_row("FILLED")})).await;
    assert_eq!(
        done(sent).await.unwrap().state,
        ReportedState::Filled,
        "what the old one owes is still answered"
    );
    old.until_closed().await;
}
