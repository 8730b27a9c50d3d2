//! What is different for a client that only closes: it is in a hurry, and nothing of ours keeps it waiting.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use hedge_binance::StreamConfig;
use hedge_core::{BrokerError, Exit, OrderSide, Outcome, Qty, RejectReason, VenueReader};
use hedge_http::retry::RetryPolicy;
use serde_json::json;
use support::*;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

#[tokio::test]
async fn a_one_way_position_is_closed_with_the_venues_reduce_only_flag() {
    let server = MockServer::start().await;
    mock_time(&server).await;
    let row = json!({"orderId":1,"symbol":"ETHUSDT","status":"FILLED","clientOrderId":CLIENT_ID,"price":"0","origQty":"0.25",
      "executedQty":"0.25","timeInForce":"GTC","type":"MARKET","reduceOnly":true,"side":"BUY","positionSide":"BOTH",
      "updateTime":1795168800161_i64});
    mock(&server, "POST", "/fapi/v1/order", 200, row).await;
    let client = client(&server).for_closing();
    let qty = Qty::parse("0.25").unwrap();
    let ack = client.submit_reduce_only(&eth(), OrderSide::Buy, qty, id()).await.unwrap();
    assert_eq!(ack.filled.to_string(), "0.25");
    let sent = requests(&server, "/fapi/v1/order").await.remove(0);
    assert_eq!(
        unsigned(&sent),
        "POST symbol=ETHUSDT&side=BUY&type=MARKET&reduceOnly=true&quantity=0.25&newClientOrderId=h0sn8www00111c\
         &newOrderRespType=RESULT"
    );
}

#[tokio::test]
async fn a_budget_that_others_have_used_up_delays_no_close_and_no_look() {
    let server = MockServer::start().await;
    let used = || ResponseTemplate::new(200).insert_header("x-mbx-used-weight-1m", "2399");
    let time = used().set_body_json(json!({ "serverTime": NOW_MS }));
    Mock::given(method("GET")).and(path("/fapi/v1/time")).respond_with(time).mount(&server).await;
    let rows = used().set_body_json(position_rows());
    Mock::given(method("GET")).and(path("/fapi/v3/positionRisk")).respond_with(rows).mount(&server).await;
    mock(&server, "POST", "/fapi/v1/order", 200, order_row("FILLED")).await;
    let looking = client(&server);
    looking.server_time().await.unwrap();
    let error = looking.positions().await.unwrap_err();
    assert!(matches!(error, BrokerError::RateLimited { .. }), "others wait: {error}");
    let client = looking.for_closing();
    for _ in 0..3 {
        assert_eq!(client.positions().await.unwrap().len(), 1);
    }
    client.submit_close(&close(Exit::Market)).await.unwrap();
}

#[tokio::test]
async fn a_ban_is_obeyed_and_known() {
    let server = MockServer::start().await;
    mock_time(&server).await;
    let until_ms = NOW_MS + 90_000;
    let text = format!("Way too many requests; IP(127.0.0.1) banned until {until_ms}.");
    mock(&server, "GET", "/fapi/v3/positionRisk", 418, json!({"code":-1003,"msg":text})).await;
    let client = client(&server).for_closing();
    assert_eq!(client.rest().banned_until(), None);
    client.positions().await.unwrap_err();
    assert_eq!(client.rest().banned_until().map(|until| until.ms()), Some(until_ms));
    let error = client.submit_close(&close(Exit::Market)).await.unwrap_err().error;
    assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(80)), "{error}");
    assert!(requests(&server, "/fapi/v1/order").await.is_empty());
}

#[tokio::test]
async fn a_failed_read_comes_back_at_once_instead_of_being_repeated_silently() {
    let server = MockServer::start().await;
    mock_time(&server).await;
    mock(&server, "GET", "/fapi/v3/positionRisk", 503, json!({"code":-1001,"msg":"Service Unavailable."}))
        .await;
    let client = client(&server).for_closing();
    let error = client.positions().await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert_eq!(requests(&server, "/fapi/v3/positionRisk").await.len(), 1);
}

#[tokio::test]
async fn without_the_venues_clock_a_close_is_signed_with_ours() {
    let server = MockServer::start().await;
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let hang = |_: &wiremock::Request| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        ResponseTemplate::new(502)
    };
    Mock::given(method("GET")).and(path("/fapi/v1/time")).respond_with(hang).mount(&server).await;
    let refused = json!({"code":-2022,"msg":"ReduceOnly Order is rejected."});
    mock(&server, "POST", "/fapi/v1/order", 400, refused).await;
    let client = client(&server).for_closing();
    for _ in 0..2 {
        let error = client.submit_close(&close(Exit::Market)).await.unwrap_err().error;
        assert_eq!(error.reason(), Some(RejectReason::NothingToClose));
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 1, "it does not ask again before every order");
    let sent = requests(&server, "/fapi/v1/order").await.remove(0);
    assert!(sent.contains(&format!("&timestamp={NOW_MS}&")), "{sent}");
}

#[tokio::test]
async fn a_silent_socket_leaves_the_outcome_unknown_after_a_short_while() {
    let server = MockServer::start().await;
    mock_time(&server).await;
    let slow =
        ResponseTemplate::new(200).set_delay(Duration::from_secs(30)).set_body_json(order_row("FILLED"));
    Mock::given(method("POST")).and(path("/fapi/v1/order")).respond_with(slow).mount(&server).await;
    let mut config =
        config(&server.uri(), "ws://127.0.0.1:9", TestClock::at(NOW_MS), StreamConfig::default());
    config.http.timeout = Duration::from_secs(25);
    config.retry = RetryPolicy::default();
    let credentials = hedge_binance::Credentials::new(KEY.into(), SECRET.into()).unwrap();
    let client = hedge_binance::Binance::connect(config, credentials).unwrap().for_closing();
    let began = std::time::Instant::now();
    let failed = client.submit_close(&close(Exit::Market)).await.unwrap_err();
    assert_eq!(failed.error.outcome(), Outcome::Unknown);
    assert_eq!(
        failed.acceptable_until.unwrap().ms(),
        NOW_MS - 10 + 3_000,
        "its bias into the past and its window"
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
