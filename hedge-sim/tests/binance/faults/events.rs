use std::time::Duration;

use hedge_sim::binance::{Fault, FaultKind};
use serde_json::{Value, json};

use super::BUY;
use crate::kit::{Desk, SILENCE, Socket, config};

async fn desk_with_user() -> (Desk, Socket) {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    (desk, user)
}

/// What came until nothing comes any more: event and execution type.
async fn kinds(user: &mut Socket) -> Vec<String> {
    let mut kinds = Vec::new();
    while let Some(event) = user.next_within(SILENCE).await {
        kinds.push(format!("{} {}", event["e"].as_str().unwrap(), event["o"]["x"].as_str().unwrap_or("")));
    }
    kinds
}

#[tokio::test]
async fn a_duplicated_event_comes_twice() {
    let (desk, mut user) = desk_with_user().await;
    desk.arm(json!({"fault": "duplicate", "match": {"event": "TRADE_LITE", "symbol": "ETHUSDT"}})).await;
    desk.order("symbol=BTCUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.01").await.ok();
    let other = kinds(&mut user).await;
    assert_eq!(other.iter().filter(|kind| *kind == "TRADE_LITE ").count(), 1, "{other:?}");
    desk.order(BUY).await.ok();
    let first = user.event("TRADE_LITE").await;
    assert_eq!(user.next().await, first);
    assert_ne!(user.next().await["e"], "TRADE_LITE");
}

#[tokio::test]
async fn a_reordered_event_comes_behind_the_next_one_or_alone_when_none_comes() {
    let (desk, mut user) = desk_with_user().await;
    desk.arm(json!({"fault": "reorder", "match": {"event": "ORDER_TRADE_UPDATE"}})).await;
    desk.order(BUY).await.ok();
    let told = kinds(&mut user).await;
    assert_eq!(told[..2], ["TRADE_LITE ", "ORDER_TRADE_UPDATE NEW"], "{told:?}");
    desk.arm(json!({"fault": "reorder", "wait_ms": 300})).await;
    desk.signed(reqwest::Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=9").await.ok();
    assert_eq!(user.next().await["e"], "ACCOUNT_CONFIG_UPDATE");
}

#[tokio::test]
async fn a_late_event_comes_later_and_clearing_its_fault_brings_it_at_once() {
    let (desk, mut user) = desk_with_user().await;
    let late =
        json!({"fault": "late", "delay_ms": 3_600_000, "match": {"event": "ACCOUNT_UPDATE"}, "count": null});
    desk.arm(late).await;
    desk.order(BUY).await.ok();
    let told = kinds(&mut user).await;
    assert!(!told.is_empty() && told.iter().all(|kind| kind != "ACCOUNT_UPDATE "), "{told:?}");
    desk.exchange.clear_faults(None).unwrap();
    assert_eq!(user.next().await["e"], "ACCOUNT_UPDATE");
    // On the venue clock.
    desk.exchange
        .fault(Fault::new(FaultKind::Late { delay_ms: 3_600_000 }).event("ACCOUNT_CONFIG_UPDATE"))
        .unwrap();
    desk.signed(reqwest::Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=9").await.ok();
    assert!(user.is_silent(Duration::from_millis(300)).await);
    desk.exchange.set_speed(30_000.0).unwrap();
    user.event("ACCOUNT_CONFIG_UPDATE").await;
}

#[tokio::test]
async fn a_lost_event_never_comes() {
    let (desk, mut user) = desk_with_user().await;
    desk.exchange.fault(Fault::new(FaultKind::Lose).event("ORDER_TRADE_UPDATE").always()).unwrap();
    desk.order(BUY).await.ok();
    let told = kinds(&mut user).await;
    assert_eq!(told, ["TRADE_LITE ", "ACCOUNT_UPDATE "]);
}

#[tokio::test]
async fn market_events_are_disordered_by_the_name_of_their_stream() {
    let desk = Desk::open(config()).await;
    let mut doubled = desk.socket("/market/ws/ethusdt@markPrice@1s").await;
    let mut other = desk.socket("/market/ws/btcusdt@markPrice@1s").await;
    let fault =
        json!({"fault": "duplicate", "match": {"stream": "@markPrice", "symbol": "ETHUSDT"}, "count": null});
    desk.arm(fault).await;
    let first: Value = doubled.next().await;
    assert_eq!(doubled.next().await, first);
    let (first, second) = (other.next().await, other.next().await);
    assert_ne!(first["E"], second["E"]);
    // The user's events are none of its business.
    assert!(desk.listed().await["last"].as_str().unwrap().starts_with("ethusdt@"));
}
