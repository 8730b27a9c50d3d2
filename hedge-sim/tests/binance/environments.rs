//! Demo venue and main net, difference by difference. Source: fact sheet 1 and 6.1.

use hedge_sim::binance::{ApiKey, Environment, ExchangeConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, SILENCE, config, two_symbols};

async fn both() -> [Desk; 2] {
    let of = |environment| Desk::hedged(ExchangeConfig { environment, market: two_symbols(), ..config() });
    [of(Environment::Demo).await, of(Environment::Mainnet).await]
}

async fn bitcoin(desk: &Desk) -> Value {
    let info = desk.get("/fapi/v1/exchangeInfo", "").await.ok();
    info["symbols"].as_array().unwrap().iter().find(|row| row["symbol"] == "BTCUSDT").unwrap().clone()
}

fn filter(row: &Value, kind: &str, field: &str) -> Value {
    let filters = row["filters"].as_array().unwrap();
    filters.iter().find(|filter| filter["filterType"] == kind).unwrap()[field].clone()
}

#[tokio::test]
async fn the_demo_venue_has_a_finer_bitcoin_step() {
    let [demo, mainnet] = both().await;
    for (desk, step) in [(&demo, "0.0001"), (&mainnet, "0.001")] {
        let row = bitcoin(desk).await;
        assert_eq!(filter(&row, "LOT_SIZE", "stepSize"), step);
        assert_eq!(filter(&row, "MARKET_LOT_SIZE", "stepSize"), step);
    }
    // Filters of one host do not fit the other.
    let order = "symbol=BTCUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.0105";
    demo.order(order).await.ok();
    mainnet.order(order).await.refused(400, -1111);
}

#[tokio::test]
async fn the_demo_venue_lets_ten_thousand_orders_rest_and_the_main_net_two_hundred() {
    let [demo, mainnet] = both().await;
    assert_eq!(filter(&bitcoin(&demo).await, "MAX_NUM_ORDERS", "limit"), 10_000);
    assert_eq!(filter(&bitcoin(&mainnet).await, "MAX_NUM_ORDERS", "limit"), 200);
    let price = (mainnet.last("BTCUSDT").await * 0.97).floor();
    let order = format!(
        "symbol=BTCUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.002&price={price}"
    );
    let all_rest = async |desk: &Desk| {
        for _ in 0..200 {
            desk.order(&order).await.ok();
        }
        desk.order(&order).await
    };
    all_rest(&mainnet).await.refused(400, -2025);
    all_rest(&demo).await.ok();
}

#[tokio::test]
async fn the_demo_venue_takes_further_from_mark() {
    let [demo, mainnet] = both().await;
    assert_eq!(bitcoin(&demo).await["marketTakeBound"], "0.30");
    assert_eq!(bitcoin(&mainnet).await["marketTakeBound"], "0.05");
}

#[tokio::test]
async fn the_demo_venue_allows_six_thousand_weight_a_minute_and_the_main_net_2400() {
    let [demo, mainnet] = both().await;
    let weight = |info: &Value| {
        let rows = info["rateLimits"].as_array().unwrap();
        rows.iter().find(|row| row["rateLimitType"] == "REQUEST_WEIGHT").unwrap()["limit"].clone()
    };
    assert_eq!(weight(&demo.get("/fapi/v1/exchangeInfo", "").await.ok()), 6_000);
    assert_eq!(weight(&mainnet.get("/fapi/v1/exchangeInfo", "").await.ok()), 2_400);
}

#[tokio::test]
async fn the_demo_venue_serves_market_streams_without_a_route_and_the_main_net_only_the_book() {
    let [demo, mainnet] = both().await;
    demo.socket("/ws/ethusdt@markPrice@1s").await.event("markPriceUpdate").await;
    demo.socket("/ws/ethusdt@bookTicker").await.event("bookTicker").await;
    mainnet.socket("/ws/ethusdt@bookTicker").await.event("bookTicker").await;
    let mut silent = mainnet.socket("/stream?streams=ethusdt@aggTrade/ethusdt@kline_1m").await;
    let mut wrong = mainnet.socket("/public/ws/ethusdt@aggTrade").await;
    assert!(silent.is_silent(SILENCE).await && wrong.is_silent(SILENCE).await, "no error either");
}

#[tokio::test]
async fn the_demo_venue_sends_user_data_without_a_route_and_the_main_net_only_on_private() {
    let [demo, mainnet] = both().await;
    let order = "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5";
    for (desk, is_served) in [(&demo, true), (&mainnet, false)] {
        let key = desk.listen_key().await;
        let mut bare = desk.socket(&format!("/ws/{key}")).await;
        let mut private = desk.socket(&format!("/private/ws?listenKey={key}")).await;
        desk.order(order).await.ok();
        private.event("ORDER_TRADE_UPDATE").await;
        let came = bare.next_within(SILENCE).await;
        assert_eq!(came.is_some(), is_served, "{came:?}");
    }
}

#[tokio::test]
async fn a_key_of_one_environment_is_unknown_to_the_other() {
    let live = ApiKey::new("L".repeat(64), "live secret");
    let mainnet =
        Desk::open(ExchangeConfig { environment: Environment::Mainnet, api_key: live, ..config() }).await;
    mainnet.signed(Method::GET, "/fapi/v3/balance", "").await.refused(401, -2015);
}

#[tokio::test]
async fn the_state_names_the_environment() {
    let [demo, mainnet] = both().await;
    for (desk, name) in [(&demo, "demo"), (&mainnet, "mainnet")] {
        let (_, state) = desk.sim(Method::GET, "/sim/state", "").await;
        assert_eq!(state["environment"], json!(name));
    }
}
