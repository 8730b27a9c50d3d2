//! What only the exchange can do: list, delist, change brackets, take legs away.

use hedge_sim::binance::{ExchangeConfig, LockstepStep, Pace};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, Reply, config, number};

async fn sim(desk: &Desk, path: &str, body: Value) -> Reply {
    desk.send(Method::POST, path, "", Some(&body.to_string()), None).await
}

/// ETHUSDT long 0.5, hedged by a short of 0.2, with a resting order, a stop and somebody who listens.
async fn held() -> (Desk, crate::kit::Socket) {
    let desk = Desk::hedged(config()).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    desk.order("symbol=ETHUSDT&side=SELL&positionSide=SHORT&type=MARKET&quantity=0.2").await.ok();
    let low = format!("{:.2}", desk.last("ETHUSDT").await * 0.97);
    let rest = format!(
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.1&price={low}"
    );
    desk.order(&rest).await.ok();
    let stop = format!(
        "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&quantity=0.5&triggerPrice={low}"
    );
    desk.algo(&stop).await.ok();
    let key = desk.listen_key().await;
    let socket = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    (desk, socket)
}

/// The next filled order event.
async fn fill(socket: &mut crate::kit::Socket) -> Value {
    loop {
        let event = socket.event("ORDER_TRADE_UPDATE").await;
        if event["o"]["X"] == "FILLED" {
            return event["o"].clone();
        }
    }
}

#[tokio::test]
async fn a_liquidation_on_command_sweeps_orders_and_closes_the_leg() {
    let (desk, mut socket) = held().await;
    let mut public = desk.socket("/market/ws/ethusdt@forceOrder").await;
    sim(&desk, "/sim/force", json!({"symbol": "ETHUSDT", "position_side": "LONG", "by": "liquidation"}))
        .await
        .ok();
    let swept = socket.event("ORDER_TRADE_UPDATE").await;
    assert_eq!((&swept["o"]["X"], &swept["o"]["er"]), (&json!("EXPIRED"), &json!("5")));
    assert_eq!(socket.event("ALGO_UPDATE").await["o"]["X"], "EXPIRED");
    let closed = fill(&mut socket).await;
    assert!(closed["c"].as_str().unwrap().starts_with("autoclose-"));
    assert_eq!((&closed["x"], &closed["o"]), (&json!("CALCULATED"), &json!("LIQUIDATION")));
    assert_eq!((&closed["ps"], &closed["l"]), (&json!("LONG"), &json!("0.500")));
    assert_eq!(socket.event("ACCOUNT_UPDATE").await["a"]["m"], "INSURANCE_CLEAR");
    let told = public.event("forceOrder").await;
    assert_eq!((&told["o"]["S"], &told["o"]["z"]), (&json!("SELL"), &json!("0.500")));
    let rows = desk.signed(Method::GET, "/fapi/v1/forceOrders", "autoCloseType=LIQUIDATION").await.ok();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/forceOrders", "autoCloseType=ADL").await.ok(), json!([]));
    let legs = desk.exchange.legs().unwrap();
    assert_eq!(legs.len(), 1, "the short leg stays");
    let fund = desk.get("/fapi/v1/insuranceBalance", "").await.ok();
    assert!(number(&fund[0]["assets"][0]["marginBalance"]) > 1_000_000.0, "the clearance fee was paid in");
}

#[tokio::test]
async fn a_deleveraging_takes_part_of_a_leg_without_a_fee() {
    let (desk, mut socket) = held().await;
    let adl = json!({"symbol": "ETHUSDT", "position_side": "LONG", "by": "adl", "qty": "0.3"});
    sim(&desk, "/sim/force", adl).await.ok();
    let closed = fill(&mut socket).await;
    assert_eq!((&closed["c"], &closed["x"]), (&json!("adl_autoclose"), &json!("CALCULATED")));
    assert_eq!((&closed["l"], &closed["n"]), (&json!("0.300"), &json!("0.00000000")));
    let rows = desk.signed(Method::GET, "/fapi/v1/forceOrders", "autoCloseType=ADL").await.ok();
    assert_eq!(
        (&rows[0]["clientOrderId"], &rows[0]["type"]),
        (&json!("adl_autoclose"), &json!("LIQUIDATION"))
    );
    let left = desk.signed(Method::GET, "/fapi/v3/positionRisk", "symbol=ETHUSDT").await.ok();
    assert_eq!(left[0]["positionAmt"], "0.200");
    // The resting opening order and the stop of the leg stay.
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/openOrders", "").await.ok().as_array().unwrap().len(), 1);
    assert_eq!(
        desk.signed(Method::GET, "/fapi/v1/openAlgoOrders", "").await.ok().as_array().unwrap().len(),
        1
    );
    for (body, status) in [
        (json!({"symbol": "ETHUSDT", "position_side": "LONG", "by": "adl", "qty": "9"}), 409),
        (json!({"symbol": "BTCUSDT", "position_side": "LONG", "by": "adl"}), 409),
        (json!({"symbol": "ETHUSDT", "position_side": "UP", "by": "adl"}), 400),
        (json!({"symbol": "ETHUSDT", "position_side": "LONG", "by": "magic"}), 400),
        (json!({"symbol": "ETHUSDT", "leg": "LONG", "by": "adl"}), 400),
    ] {
        let reply = sim(&desk, "/sim/force", body.clone()).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.json);
        assert!(reply.json["error"].is_string());
    }
}

#[tokio::test]
async fn a_delisting_is_announced_then_everything_is_settled() {
    let (desk, mut socket) = held().await;
    let mut news = desk.socket("/market/ws/!contractInfo").await;
    sim(&desk, "/sim/contract", json!({"symbol": "ETHUSDT", "delivery_in_ms": 1_500})).await.ok();
    let announced = news.event("contractInfo").await;
    assert_eq!((&announced["s"], &announced["cs"]), (&json!("ETHUSDT"), &json!("TRADING")));
    assert!(announced.get("bks").is_none());
    let info = desk.get("/fapi/v1/exchangeInfo", "").await.ok();
    let row =
        info["symbols"].as_array().unwrap().iter().find(|row| row["symbol"] == "ETHUSDT").unwrap().clone();
    assert_eq!(row["deliveryDate"], announced["dt"]);
    let gone = news.event("contractInfo").await;
    assert_eq!((&gone["cs"], &gone["dt"]), (&json!("SETTLING"), &announced["dt"]));
    let swept = socket.event("ORDER_TRADE_UPDATE").await;
    assert_eq!((&swept["o"]["X"], &swept["o"]["er"]), (&json!("EXPIRED"), &json!("7")));
    for leg in ["LONG", "SHORT"] {
        let closed = fill(&mut socket).await;
        assert!(closed["c"].as_str().unwrap().starts_with("settlement_autoclose-"), "{closed}");
        assert_eq!(closed["ps"], leg);
    }
    assert!(desk.exchange.legs().unwrap().is_empty());
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5")
        .await
        .refused(400, -4141);
    // Settled positions are nobody's forced orders.
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/forceOrders", "").await.ok(), json!([]));
}

#[tokio::test]
async fn a_listing_waits_for_its_date() {
    let desk = Desk::hedged(config()).await;
    let mut news = desk.socket("/market/ws/!contractInfo").await;
    let change = json!({"symbol": "ETHUSDT", "status": "PENDING_TRADING", "onboard_in_ms": 1_500});
    sim(&desk, "/sim/contract", change).await.ok();
    let listed = news.event("contractInfo").await;
    assert_eq!(listed["cs"], "PENDING_TRADING");
    let order = "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5";
    desk.order(order).await.refused(400, -4140);
    let opened = news.event("contractInfo").await;
    assert_eq!((&opened["cs"], &opened["ot"]), (&json!("TRADING"), &listed["ot"]));
    desk.order(order).await.ok();
}

#[tokio::test]
async fn new_brackets_are_told_and_bring_leverage_down() {
    let desk = Desk::hedged(config()).await;
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=20").await.ok();
    let mut news = desk.socket("/market/ws/!contractInfo").await;
    let brackets = json!([
        {"bracket": 1, "initialLeverage": 10, "notionalCap": 50000, "notionalFloor": 0, "maintMarginRatio": 0.02, "cum": 0.0},
        {"bracket": 2, "initialLeverage": 5, "notionalCap": 100000, "notionalFloor": 50000, "maintMarginRatio": 0.04, "cum": 1000.0},
    ]);
    sim(&desk, "/sim/contract", json!({"symbol": "ETHUSDT", "brackets": brackets})).await.ok();
    let told = news.event("contractInfo").await;
    assert_eq!(
        told["bks"][0],
        json!({"bs": 1, "bnf": 0, "bnc": 50000, "mmr": 0.02, "cf": 0, "mi": 6, "ma": 10})
    );
    assert_eq!((&told["bks"][1]["mi"], &told["bks"][1]["ma"]), (&json!(1), &json!(5)));
    let asked = desk.signed(Method::GET, "/fapi/v1/leverageBracket", "symbol=ETHUSDT").await.ok();
    assert_eq!(asked[0]["brackets"][1]["maintMarginRatio"], 0.04);
    let set = desk.signed(Method::GET, "/fapi/v1/symbolConfig", "symbol=ETHUSDT").await.ok();
    assert_eq!(set[0]["leverage"], 10);
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=11").await.refused(400, -4028);
    for body in [
        json!({"symbol": "ETHUSDT", "brackets": []}),
        json!({"symbol": "NOPE", "status": "CLOSE"}),
        json!({"symbol": "ETHUSDT", "status": "ASLEEP"}),
        json!({"symbol": "ETHUSDT", "delivery_ms": -1}),
    ] {
        sim(&desk, "/sim/contract", body.clone()).await.json["error"].as_str().unwrap();
    }
    assert_eq!(sim(&desk, "/sim/contract", json!({"symbol": "ETHUSDT", "colour": 1})).await.status, 400);
}

#[tokio::test]
async fn in_lockstep_a_delisting_comes_at_its_time() {
    let start_ms = Some(1_795_168_800_000);
    let desk = Desk::hedged(ExchangeConfig { pace: Pace::Lockstep, start_ms, ..config() }).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    let at_ms = desk.exchange.now_ms() + 60_000;
    sim(&desk, "/sim/contract", json!({"symbol": "ETHUSDT", "delivery_ms": at_ms})).await.ok();
    loop {
        let step = desk.exchange.lockstep_step().unwrap();
        if step == LockstepStep::UserEvents && desk.exchange.legs().unwrap().is_empty() {
            break;
        }
        assert!(desk.exchange.now_ms() <= at_ms, "the date went by");
    }
    assert_eq!(desk.exchange.now_ms(), at_ms);
}

#[tokio::test]
async fn the_switches_of_an_account_follow_the_venues_rules() {
    let desk = Desk::hedged(config()).await;
    let post = async |path: &str, query: &str| desk.signed(Method::POST, path, query).await;
    let multi = async |on: &str| post("/fapi/v1/multiAssetsMargin", &format!("multiAssetsMargin={on}")).await;
    multi("false").await.refused(400, -4171);
    let low = format!("{:.2}", desk.last("ETHUSDT").await * 0.97);
    let rest = format!(
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.1&price={low}"
    );
    desk.order(&rest).await.ok();
    multi("true").await.refused(400, -4170);
    desk.signed(Method::DELETE, "/fapi/v1/allOpenOrders", "symbol=ETHUSDT").await.ok();
    post("/fapi/v1/marginType", "symbol=ETHUSDT&marginType=ISOLATED").await.ok();
    multi("true").await.refused(400, -4167);
    post("/fapi/v1/marginType", "symbol=ETHUSDT&marginType=CROSSED").await.ok();
    let key = desk.listen_key().await;
    let mut socket = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    multi("true").await.ok();
    assert_eq!(socket.event("ACCOUNT_CONFIG_UPDATE").await["ai"], json!({"j": true}));
    let config = desk.signed(Method::GET, "/fapi/v1/accountConfig", "").await.ok();
    assert_eq!(config["multiAssetsMargin"], true);
    post("/fapi/v1/marginType", "symbol=ETHUSDT&marginType=ISOLATED").await.refused(400, -4168);
    multi("true").await.refused(400, -4171);
    multi("false").await.ok();
    // There is no BNB: the switch is kept and fees stay as they are.
    post("/fapi/v1/feeBurn", "feeBurn=true").await.ok();
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/feeBurn", "").await.ok(), json!({"feeBurn": true}));
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=1").await.ok();
    let trade = desk.signed(Method::GET, "/fapi/v1/userTrades", "symbol=ETHUSDT").await.ok()[0].clone();
    assert_eq!(trade["commissionAsset"], "USDT");
    let rate = number(&trade["commission"]) / number(&trade["quoteQty"]);
    assert!((rate - 0.0005).abs() < 1e-6, "{trade}");
    post("/fapi/v1/feeBurn", "").await.refused(400, -1102);
}

#[tokio::test]
async fn switches_and_announcements_outlive_a_restart_on_the_log() {
    let folder = std::env::temp_dir().join(format!("hedge-sim-contracts-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let logged = || ExchangeConfig {
        pace: Pace::Lockstep,
        start_ms: Some(1_795_168_800_000),
        log_path: Some(folder.join("log")),
        ..config()
    };
    let desk = Desk::hedged(logged()).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    desk.signed(Method::POST, "/fapi/v1/feeBurn", "feeBurn=true").await.ok();
    let at_ms = desk.exchange.now_ms() + 30_000;
    sim(&desk, "/sim/contract", json!({"symbol": "ETHUSDT", "delivery_ms": at_ms})).await.ok();
    let digest = desk.exchange.state_digest();
    desk.exchange.shutdown().await;
    let desk = Desk::open(logged()).await;
    assert_eq!(desk.exchange.state_digest(), digest);
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/feeBurn", "").await.ok(), json!({"feeBurn": true}));
    while !desk.exchange.legs().unwrap().is_empty() {
        desk.exchange.lockstep_step().unwrap();
        assert!(desk.exchange.now_ms() <= at_ms, "the date went by");
    }
    desk.exchange.shutdown().await;
    std::fs::remove_dir_all(&folder).unwrap();
}
