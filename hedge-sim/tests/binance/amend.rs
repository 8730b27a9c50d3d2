//! Amending, batches, the countdown, and what else clients call that ours does not.

use std::time::Duration;

use hedge_sim::binance::{ApiKey, Pace};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, at_speed, config, number};

/// A price some percent away from last, on ETHUSDT's grid.
async fn off(desk: &Desk, percent: f64) -> String {
    format!("{:.2}", (desk.last("ETHUSDT").await * (100.0 + percent)).floor() / 100.0)
}

async fn resting(desk: &Desk, id: &str, percent: f64) -> (String, Value) {
    let price = off(desk, percent).await;
    let order = desk
        .order(&format!(
            "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.500&price={price}&newClientOrderId={id}"
        ))
        .await
        .ok();
    (price, order)
}

async fn batch(desk: &Desk, method: Method, orders: &Value) -> crate::kit::Reply {
    let encoded: String = orders.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    desk.signed(method, "/fapi/v1/batchOrders", &format!("batchOrders={encoded}")).await
}

#[tokio::test]
async fn an_amended_order_keeps_its_id_and_its_history() {
    let desk = Desk::hedged(config()).await;
    let mut socket = {
        let key = desk.listen_key().await;
        desk.socket(&format!("/private/ws?listenKey={key}")).await
    };
    let (_, order) = resting(&desk, "amend-1", -2.0).await;
    let price = off(&desk, -3.0).await;
    let change = format!("symbol=ETHUSDT&side=BUY&quantity=0.600&price={price}");
    let modify = async |query: String| desk.signed(Method::PUT, "/fapi/v1/order", &query).await;
    let amended = modify(format!("{change}&origClientOrderId=amend-1&modifyId=7")).await.ok();
    assert_eq!(amended["orderId"], order["orderId"]);
    assert_eq!((&amended["price"], &amended["origQty"]), (&json!(price), &json!("0.600")));
    assert_eq!((&amended["pair"], &amended["modifyId"]), (&json!("ETHUSDT"), &json!(7)));
    assert!(amended.get("avgPrice").is_none(), "{amended}");
    let event = loop {
        let event = socket.event("ORDER_TRADE_UPDATE").await;
        if event["o"]["x"] == "AMENDMENT" {
            break event;
        }
    };
    assert_eq!((&event["o"]["X"], &event["o"]["M"]), (&json!("NEW"), &json!(7)));
    assert_eq!((&event["o"]["p"], &event["o"]["q"]), (&json!(price), &json!("0.600")));
    modify(format!("{change}&orderId={}", order["orderId"])).await.refused(400, -5027);
    modify(format!("{change}&orderId=1")).await.refused(400, -2013);
    modify(format!("{change}&orderId={}&priceMatch=QUEUE", order["orderId"])).await.refused(400, -5037);
    modify("symbol=ETHUSDT&side=BUY&quantity=0.600&orderId=1".to_owned()).await.refused(400, -1102);
    let matched =
        format!("symbol=ETHUSDT&side=BUY&quantity=0.600&orderId={}&priceMatch=QUEUE_5", order["orderId"]);
    let matched = modify(matched).await.ok();
    assert_ne!(matched["price"], amended["price"]);
    let record = desk
        .signed(Method::GET, "/fapi/v1/orderAmendment", "symbol=ETHUSDT&origClientOrderId=amend-1")
        .await
        .ok();
    let rows = record.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["amendment"]["origQty"], json!({"before": "0.500", "after": "0.600"}));
    assert_eq!((&rows[0]["amendment"]["count"], &rows[0]["amendment"]["modifyId"]), (&json!(1), &json!(7)));
    assert!(rows[0]["amendmentId"].is_i64() && rows[0]["time"].is_i64());
}

#[tokio::test]
async fn a_batch_answers_every_order_in_its_place() {
    let desk = Desk::hedged(config()).await;
    let (low, high) = (off(&desk, -2.0).await, off(&desk, 2.0).await);
    let order = |id: &str, side: &str, leg: &str, price: &str| {
        json!({"symbol": "ETHUSDT", "side": side, "positionSide": leg, "type": "LIMIT", "timeInForce": "GTC",
               "quantity": "0.100", "price": price, "newClientOrderId": id})
    };
    let mut bad = order("b-2", "BUY", "LONG", &low);
    bad["reduceOnly"] = json!(true);
    let orders = json!([order("b-1", "BUY", "LONG", &low), bad, order("b-3", "SELL", "SHORT", &high)]);
    let reply = batch(&desk, Method::POST, &orders).await;
    assert_eq!(
        (reply.header("x-mbx-order-count-10s"), reply.header("x-mbx-order-count-1m")),
        (Some("5"), Some("1"))
    );
    let answers = reply.ok();
    assert_eq!((&answers[0]["clientOrderId"], &answers[2]["clientOrderId"]), (&json!("b-1"), &json!("b-3")));
    assert_eq!(answers[1], json!({"code": -1106, "msg": "Parameter 'reduceonly' sent when not required."}));
    let change = |id: &str, side: &str, price: &str| json!({"symbol": "ETHUSDT", "side": side, "origClientOrderId": id, "quantity": "0.200", "price": price});
    let changes =
        json!([change("b-1", "BUY", &low), change("b-9", "BUY", &low), change("b-3", "SELL", &high)]);
    let answers = batch(&desk, Method::PUT, &changes).await.ok();
    assert_eq!((&answers[0]["origQty"], &answers[2]["origQty"]), (&json!("0.200"), &json!("0.200")));
    assert_eq!(answers[1]["code"], -2013);
    batch(&desk, Method::POST, &json!([])).await.refused(400, -4082);
    batch(&desk, Method::POST, &Value::Array(vec![orders[0].clone(); 6])).await.refused(400, -4082);
    desk.signed(Method::POST, "/fapi/v1/batchOrders", "batchOrders=no").await.refused(400, -1102);

    let cancel = async |query: String| desk.signed(Method::DELETE, "/fapi/v1/batchOrders", &query).await;
    let ids = format!("symbol=ETHUSDT&orderIdList=%5B{},1%5D", answers[0]["orderId"]);
    let gone = cancel(ids).await.ok();
    assert_eq!((&gone[0]["status"], &gone[1]["code"]), (&json!("CANCELED"), &json!(-2011)));
    // ccxt and python-binance write the name in lower case.
    let gone = cancel("symbol=ETHUSDT&origclientorderidlist=%5B%22b-3%22%5D".to_owned()).await.ok();
    assert_eq!((&gone[0]["status"], &gone[0]["activatePrice"]), (&json!("CANCELED"), &json!("0")));
    cancel("symbol=ETHUSDT".to_owned()).await.refused(400, -1102);
    cancel("symbol=ETHUSDT&orderIdList=%5B1,2,3,4,5,6,7,8,9,10,11%5D".to_owned()).await.refused(400, -4032);
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/openOrders", "").await.ok(), json!([]));
}

#[tokio::test]
async fn a_countdown_cancels_the_orders_of_its_symbol_unless_it_is_called_again() {
    let desk = Desk::hedged(at_speed(60.0)).await;
    resting(&desk, "dead-1", -4.0).await;
    let arm = async |ms: &str| {
        let query = format!("symbol=ETHUSDT&countdownTime={ms}");
        desk.signed(Method::POST, "/fapi/v1/countdownCancelAll", &query).await
    };
    assert_eq!(arm("60000").await.ok(), json!({"symbol": "ETHUSDT", "countdownTime": "60000"}));
    assert_eq!(arm("0").await.ok()["countdownTime"], "0");
    arm("-1").await.refused(400, -1130);
    let status = || async {
        let row =
            desk.signed(Method::GET, "/fapi/v1/order", "symbol=ETHUSDT&origClientOrderId=dead-1").await.ok();
        row["status"].as_str().unwrap().to_owned()
    };
    // The stopped countdown would have ended here.
    let after = desk.exchange.now_ms() + 90_000;
    while desk.exchange.now_ms() < after {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status().await, "NEW");
    arm("1").await.ok();
    tokio::time::timeout(crate::kit::PATIENCE, async {
        while status().await != "CANCELED" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the countdown cancels");
}

#[tokio::test]
async fn a_countdown_survives_a_restart_from_the_log() {
    let folder = std::env::temp_dir().join(format!("hedge-sim-countdown-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let log = folder.join("commands.jsonl");
    let _ = std::fs::remove_file(&log);
    let logged = || hedge_sim::binance::ExchangeConfig {
        log_path: Some(log.clone()),
        start_ms: Some(1_700_000_000_000),
        pace: Pace::Lockstep,
        ..config()
    };
    let desk = Desk::hedged(logged()).await;
    resting(&desk, "dead-2", -4.0).await;
    desk.signed(Method::POST, "/fapi/v1/countdownCancelAll", "symbol=ETHUSDT&countdownTime=600000")
        .await
        .ok();
    let armed_at = desk.exchange.now_ms();
    desk.exchange.shutdown().await;
    let desk = Desk::open(logged()).await;
    let step = desk.exchange.lockstep_step().unwrap();
    assert_eq!(step, hedge_sim::binance::LockstepStep::UserEvents);
    let order =
        desk.signed(Method::GET, "/fapi/v1/order", "symbol=ETHUSDT&origClientOrderId=dead-2").await.ok();
    assert_eq!((&order["status"], &order["updateTime"]), (&json!("CANCELED"), &json!(armed_at + 600_000)));
    desk.exchange.shutdown().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_test_order_meets_every_check_and_leaves_nothing() {
    let desk = Desk::hedged(config()).await;
    let test = async |query: &str| {
        let query = format!("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&{query}");
        desk.signed(Method::POST, "/fapi/v1/order/test", &query).await
    };
    let answer = test("quantity=0.500&newClientOrderId=t-1").await.ok();
    assert_eq!((&answer["orderId"], &answer["clientOrderId"]), (&json!(0), &json!("t-1")));
    assert_eq!((&answer["executedQty"], &answer["avgPrice"]), (&json!("0.000"), &json!("0.00")));
    test("quantity=400").await.refused(400, -2019);
    test("quantity=0.00001").await.refused(400, -1111);
    test("").await.refused(400, -1102);
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/allOrders", "symbol=ETHUSDT").await.ok(), json!([]));
}

#[tokio::test]
async fn isolated_margin_is_moved_by_hand_and_told() {
    let desk = Desk::hedged(config()).await;
    desk.signed(Method::POST, "/fapi/v1/marginType", "symbol=ETHUSDT&marginType=ISOLATED").await.ok();
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500").await.ok();
    let key = desk.listen_key().await;
    let mut socket = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    let adjust = async |query: &str| {
        desk.signed(Method::POST, "/fapi/v1/positionMargin", &format!("symbol=ETHUSDT&{query}")).await
    };
    let added = adjust("positionSide=LONG&amount=12.5&type=1").await.ok();
    assert_eq!(added["amount"], 12.5);
    assert_eq!((&added["code"], &added["type"]), (&json!(200), &json!(1)));
    let event = socket.event("ACCOUNT_UPDATE").await;
    assert_eq!(event["a"]["m"], "MARGIN_TRANSFER");
    assert_eq!((&event["a"]["P"][0]["ps"], &event["a"]["P"][0]["mt"]), (&json!("LONG"), &json!("isolated")));
    adjust("positionSide=LONG&amount=12&type=2").await.ok();
    adjust("positionSide=LONG&amount=12&type=2").await.refused(400, -4051);
    adjust("positionSide=LONG&amount=-1&type=1").await.refused(400, -4055);
    adjust("positionSide=LONG&amount=1&type=3").await.refused(400, -1130);
    adjust("amount=1&type=1").await.refused(400, -4061);
    adjust("positionSide=SHORT&amount=1&type=1").await.refused(400, -4054);
    let rows = desk.signed(Method::GET, "/fapi/v1/positionMargin/history", "symbol=ETHUSDT").await.ok();
    assert_eq!((&rows[0]["type"], &rows[0]["amount"]), (&json!(1), &json!("12.5")));
    assert_eq!((&rows[1]["type"], &rows[1]["amount"]), (&json!(2), &json!("12")));
    let only =
        desk.signed(Method::GET, "/fapi/v1/positionMargin/history", "symbol=ETHUSDT&type=2").await.ok();
    assert_eq!(only.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ranks_interest_and_forced_orders_tell_of_the_account() {
    let desk = Desk::hedged(config()).await;
    let get = async |path: &str, query: &str| desk.signed(Method::GET, path, query).await;
    assert_eq!(get("/fapi/v1/adlQuantile", "").await.ok(), json!([]));
    let interest =
        || async { number(&desk.get("/fapi/v1/openInterest", "symbol=ETHUSDT").await.ok()["openInterest"]) };
    let crowd = interest().await;
    assert!(crowd > 0.0);
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500").await.ok();
    desk.order("symbol=ETHUSDT&side=SELL&positionSide=SHORT&type=MARKET&quantity=0.200").await.ok();
    // The crowd's part moves on with the market, a little in so short a time.
    assert!((interest().await - crowd - 0.7).abs() < crowd * 0.01);
    let ranks = get("/fapi/v1/adlQuantile", "symbol=ETHUSDT").await.ok();
    assert!(ranks[0]["adlQuantile"]["LONG"].is_i64() && ranks[0]["adlQuantile"]["HEDGE"].is_i64(), "{ranks}");
    assert_eq!(get("/fapi/v1/forceOrders", "symbol=ETHUSDT").await.ok(), json!([]));
    assert_eq!(get("/fapi/v1/forceOrders", "autoCloseType=ADL").await.ok(), json!([]));
    get("/fapi/v1/forceOrders", "autoCloseType=OTHER").await.refused(400, -1130);
    let status = get("/fapi/v1/apiTradingStatus", "").await.ok();
    assert!(status["indicators"].as_object().unwrap().is_empty() && status["updateTime"].is_i64());
}

#[tokio::test]
async fn klines_come_in_every_kind_and_old_trades_need_a_key() {
    let desk = Desk::open(config()).await;
    let rows = async |path: &str, query: &str| desk.get(path, query).await.ok();
    let last = rows("/fapi/v1/klines", "symbol=ETHUSDT&interval=1h&limit=3").await;
    let same =
        rows("/fapi/v1/continuousKlines", "pair=ETHUSDT&contractType=PERPETUAL&interval=1h&limit=3").await;
    assert_eq!((&same[0], &same[1]), (&last[0], &last[1]));
    for query in [
        "pair=NOPE&contractType=PERPETUAL&interval=1h",
        "pair=ETHUSDT&contractType=CURRENT_QUARTER&interval=1h",
    ] {
        assert_eq!(desk.get("/fapi/v1/continuousKlines", query).await.status, 400, "{query}");
    }
    for (path, name) in [("markPriceKlines", "symbol"), ("indexPriceKlines", "pair")] {
        let path = format!("/fapi/v1/{path}");
        let priced = desk.get(&path, &format!("{name}=ETHUSDT&interval=1h&limit=3")).await.ok();
        for (row, traded) in priced.as_array().unwrap().iter().zip(last.as_array().unwrap()).take(2) {
            assert_eq!((&row[0], &row[6]), (&traded[0], &traded[6]));
            assert_eq!(number(&row[4]), number(&traded[4]));
            assert_eq!((&row[5], &row[8]), (&json!("0"), &json!(0)));
        }
    }
    let premium = rows("/fapi/v1/premiumIndexKlines", "symbol=ETHUSDT&interval=1h&limit=3").await;
    assert_eq!((&premium[0][0], &premium[0][1]), (&last[0][0], &json!("0.00000000")));

    let trades = rows("/fapi/v1/trades", "symbol=ETHUSDT&limit=20").await;
    let from = trades[3]["id"].as_i64().unwrap();
    desk.get("/fapi/v1/historicalTrades", "symbol=ETHUSDT").await.refused(401, -2014);
    let query = format!("symbol=ETHUSDT&fromId={from}&limit=5");
    let old =
        desk.send(Method::GET, "/fapi/v1/historicalTrades", &query, None, Some(ApiKey::DEMO_KEY)).await.ok();
    assert_eq!(old.as_array().unwrap(), &trades.as_array().unwrap()[3..8]);
    let depth = rows("/fapi/v1/rpiDepth", "symbol=ETHUSDT").await;
    assert!(!depth["bids"].as_array().unwrap().is_empty());
    desk.get("/fapi/v1/rpiDepth", "symbol=ETHUSDT&limit=5").await.refused(400, -4021);
}
