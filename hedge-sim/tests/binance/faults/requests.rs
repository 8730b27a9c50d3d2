use std::time::{Duration, Instant};

use hedge_sim::binance::{Fault, FaultKind};
use reqwest::Method;
use serde_json::json;

use super::{BUY, Ending, order_match};
use crate::kit::{Desk, config, wall_ms};

const ORDER: &str = "/fapi/v1/order";

#[tokio::test]
async fn accept_then_drop_executes_and_cuts_the_connection() {
    let desk = Desk::hedged(config()).await;
    desk.arm(json!({"fault": "accept_then_drop", "match": order_match()})).await;
    // A connection that is in use already is cut as well.
    desk.get("/fapi/v1/time", "").await.ok();
    assert!(matches!(desk.try_signed(Method::POST, ORDER, BUY).await, Ending::Cut));
    assert!(desk.has_order("chaos-1"));
    assert_eq!(desk.exchange.legs().unwrap().len(), 1);
    // Only once, and reads were never touched.
    desk.order("symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.500").await.ok();
}

#[tokio::test]
async fn drop_cuts_the_connection_and_executes_nothing() {
    let desk = Desk::hedged(config()).await;
    desk.arm(json!({"fault": "drop", "match": order_match()})).await;
    assert!(matches!(desk.try_signed(Method::POST, ORDER, BUY).await, Ending::Cut));
    assert!(!desk.has_order("chaos-1"));
    desk.order(BUY).await.ok();
}

#[tokio::test]
async fn a_fault_befalls_only_what_fits() {
    let desk = Desk::hedged(config()).await;
    let fault = Fault::new(FaultKind::Http503Internal)
        .on("POST", ORDER)
        .symbol("ETHUSDT")
        .param("positionSide", "SHORT")
        .always();
    desk.exchange.fault(fault).unwrap();
    desk.order(BUY).await.ok();
    desk.order("symbol=BTCUSDT&side=SELL&positionSide=SHORT&type=MARKET&quantity=0.01").await.ok();
    let short = "symbol=ETHUSDT&side=SELL&positionSide=SHORT&type=MARKET&quantity=0.5";
    let said = desk.order(short).await.refused(503, -1001);
    assert_eq!(said, "Internal error; unable to process your request. Please try again.");
    desk.signed(Method::GET, ORDER, "symbol=ETHUSDT&origClientOrderId=chaos-1&positionSide=SHORT").await.ok();
}

#[tokio::test]
async fn a_delayed_answer_comes_after_the_order_and_a_delayed_request_before_it() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    const DELAY: Duration = Duration::from_millis(1_500);
    for (when, executed_first) in [("after", true), ("before", false)] {
        let fault =
            json!({"fault": "delay", "delay_ms": DELAY.as_millis(), "when": when, "match": order_match()});
        desk.arm(fault).await;
        let begun = Instant::now();
        let (answer, event) = tokio::join!(
            async { (desk.order(&BUY.replace("chaos-1", when)).await.ok(), begun.elapsed()) },
            async { (user.event("ORDER_TRADE_UPDATE").await, begun.elapsed()) },
        );
        assert!(answer.1 >= DELAY, "{when}: {:?}", answer.1);
        assert_eq!(event.0["o"]["c"], when);
        // Told while the answer is held back, or not before the request was let through.
        assert_eq!(event.1 < DELAY, executed_first, "{when}: {:?}", event.1);
        while user.event("ORDER_TRADE_UPDATE").await["o"]["X"] != "FILLED" {}
    }
}

#[tokio::test]
async fn a_delayed_request_is_executed_though_its_sender_hung_up() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    desk.arm(json!({"fault": "delay", "delay_ms": 2_000, "when": "before", "match": order_match()})).await;
    let arrived = async {
        while desk.exchange.requests_in_flight() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = desk.try_signed(Method::POST, ORDER, BUY) => panic!("it was answered"),
        () = arrived => {}
    }
    assert!(!desk.has_order("chaos-1"));
    assert_eq!(user.event("ORDER_TRADE_UPDATE").await["o"]["c"], "chaos-1");
}

#[tokio::test]
async fn http_429_bears_the_wait_and_executes_nothing() {
    let desk = Desk::hedged(config()).await;
    desk.arm(json!({"fault": "http_429", "match": order_match(), "retry_after_s": 7})).await;
    let refused = desk.order(BUY).await;
    assert_eq!(refused.header("retry-after"), Some("7"));
    refused.refused(429, -1003);
    desk.arm(json!({"fault": "http_429", "match": order_match(), "pool": "orders"})).await;
    let refused = desk.order(BUY).await;
    assert!((1..=10).contains(&refused.header("retry-after").unwrap().parse::<i64>().unwrap()));
    refused.refused(429, -1015);
    assert!(!desk.has_order("chaos-1"));
}

#[tokio::test]
async fn http_418_bans_the_address_until_its_time_or_its_clearing() {
    let desk = Desk::hedged(config()).await;
    desk.arm(json!({"fault": "http_418", "match": order_match(), "for_ms": 600_000})).await;
    desk.get("/fapi/v1/time", "").await.ok();
    let refused = desk.order(BUY).await;
    assert_eq!(refused.header("retry-after"), Some("600"));
    let until: i64 =
        refused.refused(418, -1003).split("banned until ").nth(1).unwrap()[..13].parse().unwrap();
    assert!((until - desk.exchange.now_ms() - 600_000).abs() < 30_000);
    // The ban is the address's: nothing is answered any more, but for what is no venue's.
    desk.get("/fapi/v1/time", "").await.refused(418, -1003);
    assert_eq!(desk.listed().await["hits"], 1);
    assert_eq!(desk.exchange.refused_while_banned(), 1, "the request that began the ban is none of them");
    desk.exchange.clear_faults(None).unwrap();
    desk.get("/fapi/v1/time", "").await.ok();
    assert!(!desk.has_order("chaos-1"));
    // It ends on the venue clock.
    desk.arm(json!({"fault": "http_418", "for_ms": 60_000})).await;
    desk.get("/fapi/v1/time", "").await.refused(418, -1003);
    desk.exchange.set_speed(2_000.0).unwrap();
    let free = async { while desk.get("/fapi/v1/time", "").await.status == 418 {} };
    tokio::time::timeout(Duration::from_secs(20), free).await.unwrap();
}

#[tokio::test]
async fn the_503s_say_what_the_venue_says_and_one_of_them_may_have_executed() {
    let desk = Desk::hedged(config()).await;
    for (fault, code, said, executed) in [
        (
            json!({"fault": "http_503_unknown"}),
            -1000,
            "Unknown error, please check your request or try again later.",
            true,
        ),
        (
            json!({"fault": "http_503_unknown", "executed": false}),
            -1000,
            "Unknown error, please check your request or try again later.",
            false,
        ),
        (json!({"fault": "http_503_unavailable"}), -1001, "Service Unavailable.", false),
        (
            json!({"fault": "http_503_internal"}),
            -1001,
            "Internal error; unable to process your request. Please try again.",
            false,
        ),
        (
            json!({"fault": "http_503_overload"}),
            -1008,
            "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
            false,
        ),
    ] {
        let id = desk.arm(fault.clone()).await["id"].clone();
        let id = format!("n{id}");
        let msg = desk.order(&BUY.replace("chaos-1", &id)).await.refused(503, code);
        assert_eq!((msg.as_str(), desk.has_order(&id)), (said, executed), "{fault}");
    }
}

#[tokio::test]
async fn a_refusal_bears_the_code_that_was_asked_for_and_executes_nothing() {
    let desk = Desk::hedged(config()).await;
    let moved = "Order type not supported for this endpoint.";
    desk.arm(json!({"fault": "refuse", "code": -4120, "msg": moved, "match": order_match()})).await;
    assert_eq!(desk.order(BUY).await.refused(400, -4120), moved);
    assert!(!desk.has_order("chaos-1"));
    desk.order(BUY).await.ok();
    for (wrong, expected) in [
        (json!({"fault": "refuse"}), "needs \"code\""),
        (json!({"fault": "refuse", "code": 200}), "needs \"code\""),
    ] {
        let told = Fault::parse(&wrong.to_string()).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn overload_spares_what_closes_unless_it_is_told_not_to() {
    let desk = Desk::hedged(config()).await;
    desk.order(BUY).await.ok();
    desk.arm(json!({"fault": "http_503_overload", "match": {"path": "/fapi/v1/"}, "count": null})).await;
    let close = "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.200";
    desk.order(close).await.ok();
    desk.order(BUY).await.refused(503, -1008);
    desk.exchange.clear_faults(None).unwrap();
    desk.arm(json!({"fault": "http_503_overload", "match": order_match(), "spare_closes": false})).await;
    desk.order(close).await.refused(503, -1008);
    desk.order(close).await.ok();
}

#[tokio::test]
async fn a_skewed_server_clock_refuses_what_another_clock_stamped() {
    let desk = Desk::open(config()).await;
    let balance = |at: i64| desk.signed_at(Method::GET, "/fapi/v3/balance", "", at);
    desk.arm(json!({"fault": "skew", "skew_ms": 60_000})).await;
    let msg = balance(wall_ms()).await.refused(400, -1021);
    assert!(msg.contains("recvWindow"), "{msg}");
    // Whoever asks for the time gets along.
    let server = desk.get("/fapi/v1/time", "").await.ok()["serverTime"].as_i64().unwrap();
    assert!((server - wall_ms() - 60_000).abs() < 5_000);
    balance(server).await.ok();
    desk.exchange.clear_faults(None).unwrap();
    balance(wall_ms()).await.ok();
    desk.exchange.fault(Fault::new(FaultKind::Skew { skew_ms: -5_000 }).under("/fapi/v3/").times(1)).unwrap();
    let msg = balance(wall_ms()).await.refused(400, -1021);
    assert!(msg.contains("1000ms ahead"), "{msg}");
    balance(wall_ms()).await.ok();
}
