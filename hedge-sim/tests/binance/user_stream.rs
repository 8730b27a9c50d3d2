use std::time::Duration;

use hedge_sim::binance::{ApiKey, Environment, ExchangeConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, SILENCE, at_speed, config, number};

const BUY: &str =
    "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.500&newClientOrderId=open-1";

#[tokio::test]
async fn a_fill_is_told_as_trade_lite_then_account_then_order() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    desk.order(BUY).await.ok();
    let mut kinds = Vec::new();
    let mut events = Vec::new();
    while events.iter().all(|event: &Value| event["o"]["X"] != "FILLED") {
        let event = user.next().await;
        let execution = event["o"]["x"].as_str().unwrap_or("");
        kinds.push(format!("{} {execution}", event["e"].as_str().unwrap()));
        events.push(event);
    }
    assert_eq!(kinds[0], "ORDER_TRADE_UPDATE NEW");
    assert_eq!(kinds[1..4], ["TRADE_LITE ", "ACCOUNT_UPDATE ", "ORDER_TRADE_UPDATE TRADE"]);
    let (lite, account, order) = (&events[1], &events[2], &events[3]["o"]);
    assert_eq!((&lite["t"], &lite["i"], &lite["c"]), (&order["t"], &order["i"], &json!("open-1")));
    assert_eq!(
        (&order["ps"], &order["S"], &order["o"], &order["R"]),
        (&json!("LONG"), &json!("BUY"), &json!("MARKET"), &json!(false))
    );
    assert!(number(&order["n"]) > 0.0 && order["N"] == "USDT" && order["t"].is_i64() && order["er"] == "0");
    let leg = &account["a"]["P"][0];
    assert_eq!(
        (&account["a"]["m"], &leg["ps"], &leg["mt"]),
        (&json!("ORDER"), &json!("LONG"), &json!("cross"))
    );
    assert_eq!((&leg["pa"], number(&account["a"]["B"][0]["bc"])), (&order["z"], 0.0));
}

#[tokio::test]
async fn every_way_of_addressing_a_key_works() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    assert_eq!(desk.listen_key().await, key, "a second POST gives the same key");
    let mut query = desk.socket(&format!("/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE")).await;
    let mut path = desk.socket(&format!("/private/ws/{key}")).await;
    let mut combined =
        desk.socket(&format!("/private/stream?listenKey={key}&events=ORDER_TRADE_UPDATE/TRADE_LITE")).await;
    let mut subscribed = desk.socket("/private/stream").await;
    subscribed.subscribe(&[&key]).await;
    let mut bare = desk.socket(&format!("/ws/{key}")).await;
    desk.order(BUY).await.ok();
    for socket in [&mut query, &mut path, &mut bare] {
        assert_eq!(socket.next().await["e"], "ORDER_TRADE_UPDATE");
    }
    assert_eq!(query.next().await["e"], "ORDER_TRADE_UPDATE", "only the wanted events come");
    for socket in [&mut combined, &mut subscribed] {
        let message = socket.next().await;
        assert_eq!((&message["stream"], &message["data"]["e"]), (&json!(key), &json!("ORDER_TRADE_UPDATE")));
    }
}

#[tokio::test]
async fn a_bogus_key_a_wrong_route_and_the_main_net_without_a_route_are_silent() {
    let desk = Desk::hedged(ExchangeConfig { environment: Environment::Mainnet, ..config() }).await;
    let key = desk.listen_key().await;
    let mut bogus = desk.socket("/private/ws?listenKey=nobodysKey").await;
    let mut market = desk.socket(&format!("/market/ws/{key}")).await;
    let mut bare = desk.socket(&format!("/ws/{key}")).await;
    desk.order(BUY).await.ok();
    for socket in [&mut bogus, &mut market, &mut bare] {
        assert!(socket.is_silent(SILENCE).await);
    }
}

#[tokio::test]
async fn leverage_and_algo_orders_have_events_of_their_own() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=9").await.ok();
    let event = user.event("ACCOUNT_CONFIG_UPDATE").await;
    assert_eq!(event["ac"], json!({"s": "ETHUSDT", "l": 9}));
    desk.order(BUY).await.ok();
    let trigger = (desk.last("ETHUSDT").await * 0.9).floor();
    let stop = format!(
        "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&closePosition=true&triggerPrice={trigger:.2}&clientAlgoId=sl-7"
    );
    desk.algo(&stop).await.ok();
    let placed = user.event("ALGO_UPDATE").await["o"].clone();
    assert_eq!(
        (&placed["caid"], &placed["X"], &placed["ai"], &placed["cp"]),
        (&json!("sl-7"), &json!("NEW"), &json!(""), &json!(true))
    );
    assert_eq!(
        (&placed["R"], &placed["at"], &placed["ia"]),
        (&json!(true), &json!("CONDITIONAL"), &json!(false))
    );
}

#[tokio::test]
async fn a_triggered_stop_has_a_child_with_an_id_of_its_own() {
    use hedge_sim::venue::{Command, SymbolId};
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    desk.order(BUY).await.ok();
    let trigger = (desk.last("ETHUSDT").await * 0.995).floor();
    let stop = format!(
        "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&closePosition=true&triggerPrice={trigger:.2}&clientAlgoId=sl-8"
    );
    let algo = desk.algo(&stop).await.ok();
    desk.exchange.set_paused(true).unwrap();
    let jump = Command::Jump { symbol: SymbolId(1), to: (trigger * 100.0) as i64 - 50, mark: None };
    desk.exchange.apply(&jump).unwrap().unwrap();
    let mut states = Vec::new();
    let mut child = Value::Null;
    while states.last() != Some(&"FINISHED".to_owned()) {
        let event = user.next().await;
        if event["e"] == "ALGO_UPDATE" {
            states.push(event["o"]["X"].as_str().unwrap().to_owned());
            child = event["o"]["ai"].clone();
        }
    }
    assert_eq!(states.first().map(String::as_str), Some("NEW"));
    assert!(states.contains(&"TRIGGERED".to_owned()), "{states:?}");
    let row =
        desk.signed(Method::GET, "/fapi/v1/algoOrder", &format!("algoId={}", algo["algoId"])).await.ok();
    assert_eq!((&row["actualOrderId"], &row["algoStatus"]), (&child, &json!("FINISHED")));
    let order = format!("symbol=ETHUSDT&orderId={}", child.as_str().unwrap());
    let order = desk.signed(Method::GET, "/fapi/v1/order", &order).await.ok();
    assert_eq!(
        (&order["status"], &order["type"], &order["reduceOnly"]),
        (&json!("FILLED"), &json!("MARKET"), &json!(true))
    );
    assert_eq!(desk.signed(Method::GET, "/fapi/v3/positionRisk", "").await.ok(), json!([]));
}

#[tokio::test]
async fn a_key_that_is_not_renewed_expires_and_the_socket_goes_mute() {
    let desk = Desk::hedged(at_speed(2_000.0)).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    let event = user.event("listenKeyExpired").await;
    assert_eq!((&event["listenKey"], event["E"].is_i64()), (&json!(key), true));
    desk.order(BUY).await.ok();
    assert!(user.is_silent(SILENCE).await, "the socket stays open and mute");
    let renew = desk.send(Method::PUT, "/fapi/v1/listenKey", "", None, Some(ApiKey::DEMO_KEY)).await;
    renew.refused(400, -1125);
    let next = desk.listen_key().await;
    assert_ne!(next, key);
}

#[tokio::test]
async fn a_renewed_key_lives_on_and_a_deleted_one_is_silent() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    let renewed = desk.send(Method::PUT, "/fapi/v1/listenKey", "", None, Some(ApiKey::DEMO_KEY)).await.ok();
    assert_eq!(renewed["listenKey"], json!(key));
    desk.send(Method::DELETE, "/fapi/v1/listenKey", "", None, Some(ApiKey::DEMO_KEY)).await.ok();
    desk.order(BUY).await.ok();
    assert!(user.is_silent(SILENCE).await);
}

#[tokio::test]
async fn a_connection_is_cut_after_a_day() {
    let desk = Desk::open(at_speed(100_000.0)).await;
    let mut socket = desk.socket("/market/ws").await;
    let cut = tokio::time::timeout(Duration::from_secs(20), async {
        while socket.next_within(Duration::from_secs(20)).await.is_some() {}
    });
    cut.await.unwrap();
    assert!(desk.exchange.open_sockets() == 0);
}
