//! Faults beside a driver that waits until its client is idle: no barrier hangs, nothing that was held stays behind.

use std::time::Duration;

use hedge_core::Interval;
use hedge_sim::binance::{ExchangeConfig, Fault, FaultKind, LockstepStep, MarketSource, Pace};
use reqwest::Method;
use serde_json::json;

use super::{BUY, Ending, order_match};
use crate::kit::{Desk, PATIENCE, Socket, config};

async fn desk() -> (Desk, Socket) {
    let market =
        MarketSource::Generated { seed: 7, symbols: vec!["ETHUSDT".to_owned()], bars: Interval::M15 };
    let desk = Desk::hedged(ExchangeConfig {
        market,
        pace: Pace::Lockstep,
        start_ms: Some(1_795_168_800_000),
        ..config()
    })
    .await;
    let key = desk.listen_key().await;
    let user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    (desk, user)
}

/// A barrier that a reading client lets pass; what came meanwhile.
async fn barrier(desk: &Desk, user: &mut Socket) -> Vec<String> {
    let mut told = Vec::new();
    let passed = async {
        let barrier = desk.exchange.barrier();
        tokio::pin!(barrier);
        loop {
            tokio::select! {
                passed = &mut barrier => break passed.unwrap(),
                event = user.next_within(Duration::from_millis(100)) => {
                    told.extend(event.map(|event| event["e"].as_str().unwrap().to_owned()));
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, passed).await.expect("the barrier hangs");
    while let Some(event) = user.next_within(Duration::from_millis(20)).await {
        told.push(event["e"].as_str().unwrap().to_owned());
    }
    told
}

fn bar(desk: &Desk) {
    while !matches!(desk.exchange.lockstep_step().unwrap(), LockstepStep::BarClosed { .. }) {}
}

#[tokio::test]
async fn a_barrier_passes_silent_sockets_and_nothing_but_it_is_sent() {
    let (desk, mut user) = desk().await;
    desk.exchange.fault(Fault::new(FaultKind::Silence)).unwrap();
    desk.order(BUY).await.ok();
    assert_eq!(barrier(&desk, &mut user).await, [""; 0]);
    desk.exchange.clear_faults(None).unwrap();
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=9").await.ok();
    assert_eq!(barrier(&desk, &mut user).await, ["ACCOUNT_CONFIG_UPDATE"]);
}

#[tokio::test]
async fn a_barrier_passes_cut_sockets() {
    let (desk, mut user) = desk().await;
    desk.exchange.fault(Fault::new(FaultKind::Cut).under("/private")).unwrap();
    assert_eq!(barrier(&desk, &mut user).await, [""; 0]);
    while desk.exchange.open_sockets() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn held_events_come_with_the_step_that_reaches_their_time() {
    let (desk, mut user) = desk().await;
    desk.exchange.fault(Fault::new(FaultKind::Late { delay_ms: 60_000 }).event("ACCOUNT_UPDATE")).unwrap();
    desk.exchange
        .fault(Fault::new(FaultKind::Reorder { wait_ms: 60_000 }).event("ACCOUNT_CONFIG_UPDATE"))
        .unwrap();
    desk.order(BUY).await.ok();
    let told = barrier(&desk, &mut user).await;
    assert!(!told.is_empty() && !told.iter().any(|event| event == "ACCOUNT_UPDATE"), "{told:?}");
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=9").await.ok();
    assert_eq!(barrier(&desk, &mut user).await, [""; 0]);
    bar(&desk);
    let told = barrier(&desk, &mut user).await;
    assert_eq!(told[..2], ["ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE"], "{told:?}");
}

#[tokio::test]
async fn a_delayed_answer_is_a_request_in_flight_until_it_came() {
    let (desk, mut user) = desk().await;
    let delay = json!({"fault": "delay", "delay_ms": 2_000, "when": "before", "match": order_match()});
    desk.arm(delay).await;
    let (answer, ()) = tokio::join!(desk.order(BUY), async {
        while desk.exchange.requests_in_flight() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(desk.exchange.requests_in_flight(), 1);
    });
    answer.ok();
    assert_eq!(desk.exchange.requests_in_flight(), 0);
    assert!(!barrier(&desk, &mut user).await.is_empty());
}

#[tokio::test]
async fn a_cut_connection_leaves_no_request_in_flight() {
    let (desk, mut user) = desk().await;
    desk.exchange.fault(Fault::new(FaultKind::AcceptThenDrop).on("POST", "/fapi/v1/order")).unwrap();
    assert!(matches!(desk.try_signed(Method::POST, "/fapi/v1/order", BUY).await, Ending::Cut));
    assert_eq!(desk.exchange.requests_in_flight(), 0);
    assert!(barrier(&desk, &mut user).await.contains(&"ORDER_TRADE_UPDATE".to_owned()));
}

#[tokio::test]
async fn acts_wait_for_the_step_that_reaches_their_time() {
    let (desk, mut user) = desk().await;
    desk.exchange.fault(Fault::new(FaultKind::ListenKeyExpired).after_ms(60_000)).unwrap();
    assert_eq!(barrier(&desk, &mut user).await, [""; 0]);
    bar(&desk);
    assert_eq!(barrier(&desk, &mut user).await, ["listenKeyExpired"]);
    assert_eq!(desk.exchange.faults()[0].hits, 1);
}

#[tokio::test]
async fn a_ban_is_refused_where_its_end_would_never_come() {
    let (desk, _user) = desk().await;
    let (status, answer) = desk.try_arm(&json!({"fault": "http_418"})).await;
    assert!(status == 409 && answer["error"].as_str().unwrap().contains("in lockstep"), "{status} {answer}");
}
