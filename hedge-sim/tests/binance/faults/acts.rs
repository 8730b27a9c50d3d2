use hedge_sim::binance::{Fault, FaultKind};
use reqwest::Method;
use serde_json::{Value, json};

use super::BUY;
use crate::kit::{Desk, config, number};

const DUAL: &str = "/fapi/v1/positionSide/dual";

#[tokio::test]
async fn somebody_else_switches_the_mode_where_the_venue_lets_them() {
    let desk = Desk::hedged(config()).await;
    let armed = desk.arm(json!({"fault": "mode_flipped"})).await;
    assert_eq!((&armed["hedge"], &armed["last"]), (&json!(false), &json!("the account is in one-way mode")));
    assert_eq!(desk.signed(Method::GET, DUAL, "").await.ok()["dualSidePosition"], false);
    desk.order(BUY).await.refused(400, -4061);
    desk.signed(Method::POST, DUAL, "dualSidePosition=true").await.ok();
    desk.order(BUY).await.ok();
    // With a position the venue refuses, and so does the fault.
    let (status, answer) = desk.try_arm(&json!({"fault": "mode_flipped"})).await;
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("-4068"), "{answer}");
}

#[tokio::test]
async fn a_forced_mode_is_told_everywhere_and_refuses_orders_until_it_is_switched_back() {
    let desk = Desk::hedged(config()).await;
    desk.order(BUY).await.ok();
    desk.arm(json!({"fault": "mode_flipped", "hedge": false, "force": true})).await;
    assert_eq!(desk.signed(Method::GET, DUAL, "").await.ok()["dualSidePosition"], false);
    assert_eq!(desk.signed(Method::GET, "/fapi/v1/accountConfig", "").await.ok()["dualSidePosition"], false);
    let close = "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.500";
    desk.order(close).await.refused(400, -4061);
    desk.algo(
        "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&closePosition=true&triggerPrice=1",
    )
    .await
    .refused(400, -4061);
    desk.signed(Method::POST, DUAL, "dualSidePosition=false").await.refused(400, -4059);
    desk.signed(Method::POST, DUAL, "dualSidePosition=true").await.refused(400, -4068);
    desk.exchange.clear_faults(None).unwrap();
    desk.order(close).await.ok();
    // Flat, a client may switch it back itself.
    desk.exchange.fault(Fault::new(FaultKind::ModeFlipped { hedge: Some(false), force: true })).unwrap();
    desk.signed(Method::POST, DUAL, "dualSidePosition=true").await.ok();
    assert_eq!(desk.listed().await["stage"], "over");
    desk.order(BUY).await.ok();
}

fn filter<'a>(info: &'a Value, symbol: &str, kind: &str) -> &'a Value {
    let row = info["symbols"].as_array().unwrap().iter().find(|row| row["symbol"] == symbol).unwrap();
    row["filters"].as_array().unwrap().iter().find(|filter| filter["filterType"] == kind).unwrap()
}

#[tokio::test]
async fn changed_filters_are_told_checked_and_taken_back() {
    let desk = Desk::hedged(config()).await;
    let mut news = desk.socket("/market/ws/!contractInfo").await;
    let info = || async { desk.get("/fapi/v1/exchangeInfo", "").await.ok() };
    let fault = json!({"fault": "filter_changed", "symbol": "ETHUSDT", "tick": "0.50", "step": 0.1, "min_notional": 500});
    desk.arm(fault).await;
    assert_eq!(news.next().await["e"], "contractInfo");
    let changed = info().await;
    assert_eq!(filter(&changed, "ETHUSDT", "PRICE_FILTER")["tickSize"], "0.5");
    assert_eq!(filter(&changed, "ETHUSDT", "LOT_SIZE")["stepSize"], "0.1");
    assert_eq!(filter(&changed, "ETHUSDT", "MARKET_LOT_SIZE")["minQty"], "0.1");
    assert_eq!(filter(&changed, "ETHUSDT", "MIN_NOTIONAL")["notional"], "500");
    assert_ne!(filter(&changed, "BTCUSDT", "PRICE_FILTER")["tickSize"], "0.5");
    let price = (desk.last("ETHUSDT").await * 0.98).floor();
    let limit = |qty: &str, cents: &str| {
        format!(
            "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity={qty}&price={price}{cents}"
        )
    };
    desk.order(&limit("1.0", ".30")).await.refused(400, -4014);
    desk.order(&limit("1.05", ".50")).await.refused(400, -4023);
    desk.order(&limit("0.05", ".50")).await.refused(400, -4004);
    desk.order(&limit("0.1", ".50")).await.refused(400, -4164);
    desk.order(&limit("1.0", ".50")).await.ok();
    let trigger = (price * 0.5).floor();
    let stop = |cents: &str| {
        format!(
            "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&quantity=0.1&triggerPrice={trigger}{cents}"
        )
    };
    desk.algo(&stop(".30")).await.refused(400, -4014);
    desk.algo(&stop(".50")).await.ok();
    desk.exchange.clear_faults(None).unwrap();
    assert_eq!(news.next().await["e"], "contractInfo");
    assert_eq!(number(&filter(&info().await, "ETHUSDT", "PRICE_FILTER")["tickSize"]), 0.01);
    desk.order(&limit("0.05", ".30")).await.ok();
}

#[tokio::test]
async fn a_symbol_that_stops_taking_openings_goes_back_to_trading() {
    let desk = Desk::hedged(config()).await;
    let mut news = desk.socket("/market/ws/!contractInfo").await;
    desk.arm(
        json!({"fault": "filter_changed", "symbol": "ETHUSDT", "status": "PRE_SETTLE", "for_ms": 600_000}),
    )
    .await;
    assert_eq!(news.next().await["cs"], "PRE_SETTLE");
    desk.order(BUY).await.refused(400, -4140);
    desk.exchange.set_speed(2_000.0).unwrap();
    assert_eq!(news.next().await["cs"], "TRADING");
    desk.exchange.set_speed(1.0).unwrap();
    desk.order(BUY).await.ok();
    assert_eq!(desk.listed().await["stage"], "over");
}
