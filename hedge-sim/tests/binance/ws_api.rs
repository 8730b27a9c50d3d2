//! Orders and account over the WS-API.

use std::time::Duration;

use hedge_sim::binance::{ApiKey, ExchangeConfig, Fault, FaultKind, PublicKey, When};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::keys::{base64, pem_of};
use crate::kit::{Desk, Socket, config, sign};

const PATH: &str = "/ws-fapi/v1";

/// A request with its parameters sorted, signed as the fact sheet's vector D is.
fn signed(desk: &Desk, method: &str, mut params: Value) -> Value {
    let fields = params.as_object_mut().unwrap();
    fields.insert("apiKey".to_owned(), json!(ApiKey::DEMO_KEY));
    fields.insert("timestamp".to_owned(), json!(desk.exchange.now_ms()));
    let signature = sign(&payload(fields));
    fields.insert("signature".to_owned(), json!(signature));
    json!({"id": method, "method": method, "params": params})
}

fn payload(fields: &serde_json::Map<String, Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    pairs.sort();
    pairs.join("&")
}

async fn ask(socket: &mut Socket, request: Value) -> Value {
    socket.say(request.clone()).await;
    loop {
        let answer = socket.next().await;
        if answer["id"] == request["id"] {
            return answer;
        }
    }
}

#[track_caller]
fn ok(answer: &Value) -> Value {
    assert_eq!(answer["status"], 200, "{answer}");
    answer["result"].clone()
}

#[track_caller]
fn refused(answer: &Value, status: u16, code: i64) {
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(status), &json!(code)), "{answer}");
}

#[tokio::test]
async fn an_order_is_placed_looked_up_amended_and_cancelled_over_one_socket() {
    let desk = Desk::hedged(config()).await;
    let mut socket = desk.socket(PATH).await;
    let price = format!("{:.2}", desk.last("ETHUSDT").await * 0.97);
    let order = json!({
        "symbol": "ETHUSDT", "side": "BUY", "positionSide": "LONG", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.250", "price": price, "newClientOrderId": "frame-1", "recvWindow": 5000,
    });
    let answer = ask(&mut socket, signed(&desk, "order.place", order.clone())).await;
    let placed = ok(&answer);
    assert_eq!((&placed["status"], &placed["origQty"]), (&json!("NEW"), &json!("0.250")));
    assert_eq!(placed["selfTradePreventionMode"], "NONE", "the default of this page");
    assert!(placed.get("avgPrice").is_none(), "an acknowledgement has no average price");
    let limits = answer["rateLimits"].as_array().unwrap();
    assert_eq!((&limits[0]["interval"], &limits[0]["count"]), (&json!("SECOND"), &json!(1)));
    assert_eq!(limits[2]["rateLimitType"], "REQUEST_WEIGHT");
    // The same id once more is a duplicate, as over REST.
    refused(&ask(&mut socket, signed(&desk, "order.place", order)).await, 400, -4116);
    let named = json!({"symbol": "ETHUSDT", "origClientOrderId": "frame-1"});
    let found = ok(&ask(&mut socket, signed(&desk, "order.status", named.clone())).await);
    assert_eq!((&found["orderId"], &found["cumQuote"]), (&placed["orderId"], &json!("0.00000000")));
    let change = json!({
        "symbol": "ETHUSDT", "origClientOrderId": "frame-1", "side": "BUY", "quantity": "0.300", "price": price,
        "modifyId": 9,
    });
    let changed = ok(&ask(&mut socket, signed(&desk, "order.modify", change)).await);
    assert_eq!((&changed["origQty"], &changed["modifyId"]), (&json!("0.300"), &json!(9)));
    let gone = ok(&ask(&mut socket, signed(&desk, "order.cancel", named.clone())).await);
    assert_eq!(gone["status"], "CANCELED");
    refused(&ask(&mut socket, signed(&desk, "order.cancel", named)).await, 400, -2011);
}

#[tokio::test]
async fn every_method_of_the_table_answers() {
    let desk = Desk::hedged(config()).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    let mut socket = desk.socket(PATH).await;
    let trigger = format!("{:.2}", desk.last("ETHUSDT").await * 0.9);
    let stop = json!({
        "algoType": "CONDITIONAL", "symbol": "ETHUSDT", "side": "SELL", "positionSide": "LONG", "type": "STOP_MARKET",
        "quantity": "0.5", "triggerPrice": trigger, "clientAlgoId": "stop-1",
    });
    let placed = ok(&ask(&mut socket, signed(&desk, "algoOrder.place", stop)).await);
    assert_eq!(placed["algoStatus"], "NEW");
    let cancelled =
        ask(&mut socket, signed(&desk, "algoOrder.cancel", json!({"clientAlgoId": "stop-1"}))).await;
    assert_eq!(ok(&cancelled)["code"], "200");
    for (method, field) in [
        ("account.position", "leverage"),
        ("v2/account.position", "initialMargin"),
        ("account.balance", "accountAlias"),
        ("v2/account.balance", "accountAlias"),
    ] {
        let rows = ok(&ask(&mut socket, signed(&desk, method, json!({}))).await);
        assert!(rows[0].get(field).is_some(), "{method}: {rows}");
    }
    for (method, field) in [("account.status", "canTrade"), ("v2/account.status", "totalWalletBalance")] {
        let account = ok(&ask(&mut socket, signed(&desk, method, json!({}))).await);
        assert!(account.get(field).is_some(), "{method}");
    }
    // Market data needs no key.
    for (method, params, field) in [
        ("depth", json!({"symbol": "ETHUSDT", "limit": 5}), "lastUpdateId"),
        ("ticker.price", json!({"symbol": "ETHUSDT"}), "price"),
        ("ticker.book", json!({"symbol": "ETHUSDT"}), "lastUpdateId"),
    ] {
        let row = ok(&ask(&mut socket, json!({"id": 7, "method": method, "params": params})).await);
        assert!(row.get(field).is_some(), "{method}: {row}");
    }
    assert!(
        ok(&ask(&mut socket, json!({"id": 8, "method": "ticker.price"})).await).as_array().unwrap().len()
            == 2
    );
    let key = json!({"apiKey": ApiKey::DEMO_KEY});
    let request = |method: &str| json!({"id": method, "method": method, "params": key.clone()});
    let started = ok(&ask(&mut socket, request("userDataStream.start")).await);
    assert_eq!(started["listenKey"].as_str().unwrap().len(), 64);
    assert_eq!(ok(&ask(&mut socket, request("userDataStream.ping")).await), started);
    assert_eq!(ok(&ask(&mut socket, request("userDataStream.stop")).await), json!({}));
    refused(&ask(&mut socket, request("userDataStream.ping")).await, 400, -1125);
}

#[tokio::test]
async fn vector_d_is_let_in() {
    let secret = "unit-test-secret-0123456789abcdefABCDEF";
    let start = ExchangeConfig {
        api_key: ApiKey::new("unit-test-key", secret),
        start_ms: Some(1_795_168_800_789),
        ..config()
    };
    let desk = Desk::open(start).await;
    let mut socket = desk.socket(PATH).await;
    let mut request = json!({"id": "b7-000131", "method": "order.place", "params": {
        "apiKey": "unit-test-key", "positionSide": "LONG", "price": "2500.00", "quantity": "0.250", "recvWindow": 4000,
        "side": "BUY", "symbol": "ETHUSDT", "timeInForce": "GTC", "timestamp": 1_795_168_800_789_i64, "type": "LIMIT",
        "signature": "fe4f185b2230e70605355bc1f2d3a2c6e26b211f39f6cd565bdb6414c58c1eb1",
    }});
    // One-way account: the signature passed, the order's leg does not fit.
    refused(&ask(&mut socket, request.clone()).await, 400, -4061);
    request["params"]["quantity"] = json!("0.251");
    refused(&ask(&mut socket, request.clone()).await, 400, -1022);
    request["params"]["apiKey"] = json!("x");
    refused(&ask(&mut socket, request).await, 401, -2014);
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_and_the_socket_lives_on() {
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket(PATH).await;
    for (text, code) in [
        ("{", -1135),
        (r#"{"id":null,"method":7}"#, -1102),
        (r#"{"id":null,"method":"order.dance","params":{}}"#, -1020),
        (r#"{"id":null,"method":"order.place","params":{}}"#, -2014),
    ] {
        use futures_util::SinkExt;
        use tokio_tungstenite::tungstenite::Message;
        socket.0.send(Message::text(text)).await.unwrap();
        let answer = socket.next().await;
        assert_eq!(answer["error"]["code"], code, "{text}: {answer}");
        assert_eq!(answer["id"], Value::Null);
    }
    assert_eq!(ok(&ask(&mut socket, json!({"id": 1, "method": "ping"})).await), json!({}));
}

#[tokio::test]
async fn limits_can_be_left_out_for_a_connection_and_for_a_request() {
    let desk = Desk::open(config()).await;
    let mut loud = desk.socket(PATH).await;
    let request = |limits: Option<bool>| match limits {
        None => json!({"id": 1, "method": "ping"}),
        Some(limits) => json!({"id": 1, "method": "ping", "params": {"returnRateLimits": limits}}),
    };
    assert!(ask(&mut loud, request(None)).await["rateLimits"].is_array());
    assert!(ask(&mut loud, request(Some(false))).await.get("rateLimits").is_none());
    let mut quiet = desk.socket("/ws-fapi/v1?returnRateLimits=false").await;
    assert!(ask(&mut quiet, request(None)).await.get("rateLimits").is_none());
    let limits = ask(&mut quiet, request(Some(true))).await["rateLimits"].clone();
    // Two handshakes of 5 and four pings of 1.
    assert_eq!((&limits[0]["count"], &limits[0]["limit"]), (&json!(14), &json!(6_000)));
}

#[tokio::test]
async fn a_session_needs_an_ed25519_key_and_then_no_signatures() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key = PublicKey::from_pem("session-key", &pem_of(pair.public_key().as_ref())).unwrap();
    let desk = Desk::hedged(ExchangeConfig { public_keys: vec![key], ..config() }).await;
    let mut socket = desk.socket(PATH).await;
    let balance = |timestamp: Option<i64>| match timestamp {
        Some(at) => json!({"id": 3, "method": "v2/account.balance", "params": {"timestamp": at}}),
        None => json!({"id": 3, "method": "v2/account.balance", "params": {}}),
    };
    let now = || desk.exchange.now_ms();
    refused(&ask(&mut socket, balance(Some(now()))).await, 401, -2014);
    refused(&ask(&mut socket, signed(&desk, "session.logon", json!({}))).await, 400, -4056);
    let text = format!("apiKey=session-key&timestamp={}", now());
    let at: i64 = text.rsplit('=').next().unwrap().parse().unwrap();
    let logon = |signature: String| {
        let params = json!({"apiKey": "session-key", "timestamp": at, "signature": signature});
        json!({"id": 1, "method": "session.logon", "params": params})
    };
    refused(&ask(&mut socket, logon(base64(&[0; 64]))).await, 400, -1022);
    let on = ok(&ask(&mut socket, logon(base64(pair.sign(text.as_bytes()).as_ref()))).await);
    assert_eq!(on["apiKey"], "session-key");
    assert!(on["authorizedSince"].as_i64() >= on["connectedSince"].as_i64());
    assert_eq!(ok(&ask(&mut socket, balance(Some(now()))).await)[0]["asset"], "USDT");
    refused(&ask(&mut socket, balance(None)).await, 400, -1102);
    refused(&ask(&mut socket, balance(Some(now() - 60_000))).await, 400, -1021);
    // A key of its own on a request stands for that request alone.
    assert!(ok(&ask(&mut socket, signed(&desk, "account.balance", json!({}))).await).is_array());
    let status = ok(&ask(&mut socket, json!({"id": 4, "method": "session.status"})).await);
    assert_eq!(status["apiKey"], "session-key");
    let off = ok(&ask(&mut socket, json!({"id": 5, "method": "session.logout"})).await);
    assert_eq!(off["apiKey"], Value::Null);
    refused(&ask(&mut socket, balance(Some(now()))).await, 401, -2014);
    // Another connection knows nothing of the session.
    let mut other = desk.socket(PATH).await;
    refused(&ask(&mut other, balance(Some(now()))).await, 401, -2014);
}

#[tokio::test]
async fn faults_reach_frames_as_they_reach_requests() {
    let desk = Desk::hedged(config()).await;
    let order = |id: &str| {
        let params = json!({
            "symbol": "ETHUSDT", "side": "BUY", "positionSide": "LONG", "type": "MARKET", "quantity": "0.1",
            "newClientOrderId": id,
        });
        signed(&desk, "order.place", params)
    };
    let status = async |id: &str| {
        let query = format!("symbol=ETHUSDT&origClientOrderId={id}");
        desk.signed(reqwest::Method::GET, "/fapi/v1/order", &query).await
    };
    // Executed, and the socket ends without an answer.
    let mut socket = desk.socket(PATH).await;
    desk.exchange.fault(Fault::new(FaultKind::AcceptThenDrop).on("POST", "/fapi/v1/order")).unwrap();
    socket.say(order("lost")).await;
    assert!(socket.next_within(Duration::from_secs(5)).await.is_none());
    assert_eq!(status("lost").await.ok()["status"], "FILLED");
    // Not executed, and the socket ends without an answer; named by the method's own path.
    let mut socket = desk.socket(PATH).await;
    desk.exchange.fault(Fault::new(FaultKind::Drop).under("/ws-fapi/v1/order.place")).unwrap();
    socket.say(order("dropped")).await;
    assert!(socket.next_within(Duration::from_secs(5)).await.is_none());
    status("dropped").await.refused(400, -2013);
    // REST is not befallen by what names the method.
    desk.exchange.fault(Fault::new(FaultKind::Http503Internal).under("/ws-fapi/v1/order.place")).unwrap();
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.1").await.ok();
    let mut socket = desk.socket(PATH).await;
    refused(&ask(&mut socket, order("503")).await, 503, -1001);
    // An unknown outcome that was none, a limit, a ban.
    desk.exchange.fault(Fault::new(FaultKind::Http503Unknown { executed: true })).unwrap();
    refused(&ask(&mut socket, order("unknown")).await, 503, -1000);
    assert_eq!(status("unknown").await.ok()["status"], "FILLED");
    let limited = FaultKind::Http429 { pool: hedge_sim::binance::OrderPool::Orders, retry_after_s: Some(3) };
    desk.exchange.fault(Fault::new(limited)).unwrap();
    let answer = ask(&mut socket, order("limited")).await;
    refused(&answer, 429, -1015);
    assert!(answer["error"]["data"]["retryAfter"].as_i64() > answer["error"]["data"]["serverTime"].as_i64());
    // A late answer lets a later one pass.
    let late = FaultKind::Delay { delay_ms: 300, when: When::After };
    desk.exchange.fault(Fault::new(late).under("/ws-fapi/v1/order.place")).unwrap();
    socket.say(order("late")).await;
    socket.say(json!({"id": "second", "method": "ping"})).await;
    assert_eq!(socket.next().await["id"], "second");
    assert_eq!(socket.next().await["id"], "order.place");
    // A cut under the path takes the socket along.
    desk.exchange.fault(Fault::new(FaultKind::Cut).under(PATH)).unwrap();
    assert!(socket.next_within(Duration::from_secs(5)).await.is_none());
    desk.exchange.clear_faults(None).unwrap();
    desk.exchange.fault(Fault::new(FaultKind::Http418)).unwrap();
    let mut socket = desk.socket(PATH).await;
    let answer = ask(&mut socket, json!({"id": 1, "method": "ping"})).await;
    refused(&answer, 418, -1003);
    assert!(answer["error"]["msg"].as_str().unwrap().contains("banned until"));
}

#[tokio::test]
async fn requests_are_limited_by_weight_and_not_by_number() {
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket(PATH).await;
    for n in 0..30 {
        socket.say(json!({"id": n, "method": "ticker.price", "params": {"symbol": "ETHUSDT"}})).await;
    }
    for n in 0..30 {
        assert_eq!(socket.next().await["id"], n);
    }
}
