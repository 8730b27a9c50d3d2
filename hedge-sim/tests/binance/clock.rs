use std::time::Duration;

use hedge_sim::venue::Command::SetStatus;
use hedge_sim::venue::{SymbolId, SymbolStatus};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, SILENCE, at_speed, config, wall_ms};

impl Desk {
    async fn set_clock(&self, body: Value) -> (u16, Value) {
        let url = format!("{}/sim/clock", self.exchange.rest_url());
        let response = self.http.post(url).body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }
}

#[tokio::test]
async fn timestamps_are_accepted_inside_the_window_only() {
    let desk = Desk::open(config()).await;
    let balance = |query: &'static str, at: i64| desk.signed_at(Method::GET, "/fapi/v3/balance", query, at);
    balance("", wall_ms() - 1_000).await.ok();
    let msg = balance("", wall_ms() - 5_500).await.refused(400, -1021);
    assert!(msg.contains("recvWindow"), "{msg}");
    balance("recvWindow=60000", wall_ms() - 5_500).await.ok();
    let msg = balance("", wall_ms() + 60_000).await.refused(400, -1021);
    assert!(msg.contains("1000ms ahead"), "{msg}");
    balance("", wall_ms() + 500).await.ok();
}

#[tokio::test]
async fn a_fast_venue_takes_its_own_time_and_wall_time() {
    let desk = Desk::open(at_speed(1_000.0)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(desk.exchange.now_ms() - wall_ms() > 50_000);
    // Far ahead, and from here on no faster than a request.
    desk.exchange.set_speed(1.0).unwrap();
    desk.signed_at(Method::GET, "/fapi/v3/balance", "", wall_ms()).await.ok();
    desk.signed_at(Method::GET, "/fapi/v3/balance", "recvWindow=60000", desk.exchange.now_ms()).await.ok();
    let between = wall_ms() + 30_000;
    desk.signed_at(Method::GET, "/fapi/v3/balance", "", between).await.refused(400, -1021);
}

#[tokio::test]
async fn server_time_follows_the_speed() {
    let desk = Desk::open(at_speed(100.0)).await;
    let time = || async { desk.get("/fapi/v1/time", "").await.ok()["serverTime"].as_i64().unwrap() };
    let first = time().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(time().await - first >= 10_000);
}

#[tokio::test]
async fn the_clock_is_shown_changed_and_paused_over_http() {
    let desk = Desk::open(config()).await;
    let shown = desk.get("/sim/clock", "").await.ok();
    assert_eq!((&shown["speed"], &shown["paused"]), (&json!(1.0), &json!(false)));
    assert_eq!(desk.set_clock(json!({"speed": 50})).await.1["speed"], 50.0);
    assert_eq!(desk.set_clock(json!({"paused": true})).await.1["paused"], true);
    let at = desk.exchange.now_ms();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(desk.exchange.now_ms(), at);
    for wrong in [json!({"speed": 0}), json!({"speed": "fast"}), json!({}), json!({"stop": true}), json!([1])]
    {
        assert_eq!(desk.set_clock(wrong.clone()).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_paused_venue_answers_and_matches_but_streams_no_market_data() {
    let desk = Desk::hedged(config()).await;
    let mut market = desk.socket("/public/ws/ethusdt@bookTicker").await;
    let mut news = desk.socket("/market/ws/!contractInfo").await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    let mut last = market.next().await;
    desk.exchange.set_paused(true).unwrap();
    while let Some(event) = market.next_within(Duration::from_millis(150)).await {
        last = event;
    }
    let order = "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5&newOrderRespType=RESULT";
    assert_eq!(
        desk.signed_at(Method::POST, "/fapi/v1/order", order, wall_ms()).await.ok()["status"],
        "FILLED"
    );
    assert_eq!(user.event("ORDER_TRADE_UPDATE").await["o"]["s"], "ETHUSDT");
    // What the order took from the book is not told before the clock goes on, and neither are news.
    let bitcoin = SetStatus { symbol: SymbolId(0), status: SymbolStatus::PreSettle };
    desk.exchange.apply(&bitcoin).unwrap().unwrap();
    assert!(market.is_silent(SILENCE).await && news.is_silent(SILENCE).await);
    desk.exchange.set_paused(false).unwrap();
    let told = news.next().await;
    assert_eq!((&told["e"], &told["s"]), (&"contractInfo".into(), &"BTCUSDT".into()));
    let pushed = market.next().await;
    assert!(pushed["u"].as_i64() > last["u"].as_i64(), "{pushed} after {last}");
    assert!(news.is_silent(SILENCE).await, "told once");
}
