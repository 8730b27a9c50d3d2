use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::BUY;
use crate::kit::{Desk, PATIENCE, SILENCE, config};

#[tokio::test]
async fn a_cut_ends_the_sockets_of_its_route_without_a_goodbye() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    let mut market = desk.socket("/market/ws/ethusdt@markPrice@1s").await;
    let armed = desk.arm(json!({"fault": "cut", "match": {"path": "/private"}})).await;
    assert_eq!((&armed["last"], &armed["stage"]), (&json!("1 sockets cut"), &json!("over")));
    let ending = tokio::time::timeout(PATIENCE, user.0.next()).await.unwrap();
    assert!(matches!(ending, Some(Err(_))), "no closing handshake: {ending:?}");
    market.event("markPriceUpdate").await;
    // The next connection is served.
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    desk.order(BUY).await.ok();
    user.event("ORDER_TRADE_UPDATE").await;
}

#[tokio::test]
async fn a_cut_that_lasts_refuses_new_connections() {
    let desk = Desk::open(config()).await;
    desk.arm(json!({"fault": "cut", "match": {"path": "/market"}, "for_ms": 3_600_000})).await;
    assert_eq!(desk.listed().await["stage"], "active");
    let url = format!("{}/market/ws/ethusdt@markPrice", desk.exchange.ws_url());
    let refused = connect_async(&url).await.unwrap_err().to_string();
    assert!(refused.contains("503"), "{refused}");
    desk.socket("/public/ws/ethusdt@bookTicker").await.next().await;
    desk.sim(Method::DELETE, "/sim/faults", "").await;
    desk.socket("/market/ws/ethusdt@markPrice").await.event("markPriceUpdate").await;
}

#[tokio::test]
async fn a_silent_socket_sends_nothing_not_even_a_pong_and_what_was_due_is_lost() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    let mut market = desk.socket("/public/ws/ethusdt@bookTicker").await;
    desk.arm(json!({"fault": "silence", "match": {"path": "/private"}})).await;
    // Whoever connects meanwhile finds the same.
    let mut later = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    user.0.send(Message::Ping(vec![7].into())).await.unwrap();
    desk.order(BUY).await.ok();
    assert!(tokio::time::timeout(SILENCE, user.0.next()).await.is_err(), "nothing at all");
    assert!(later.is_silent(Duration::from_millis(50)).await);
    market.next().await;
    desk.sim(Method::DELETE, "/sim/faults", "").await;
    // The ping is answered now; the fill is lost, the next event comes.
    assert!(matches!(user.0.next().await, Some(Ok(Message::Pong(_)))));
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=9").await.ok();
    assert_eq!(user.next().await["e"], "ACCOUNT_CONFIG_UPDATE");
    assert_eq!(later.next().await["e"], "ACCOUNT_CONFIG_UPDATE");
}

#[tokio::test]
async fn silence_ends_by_itself_on_the_venue_clock() {
    let desk = Desk::open(config()).await;
    let mut market = desk.socket("/public/ws/ethusdt@bookTicker").await;
    market.next().await;
    desk.arm(json!({"fault": "silence", "for_ms": 600_000})).await;
    while market.next_within(Duration::from_millis(200)).await.is_some() {}
    assert!(market.is_silent(SILENCE).await);
    desk.exchange.set_speed(1_000.0).unwrap();
    market.next().await;
}

#[tokio::test]
async fn an_expired_listen_key_is_told_and_leaves_a_mute_socket() {
    let desk = Desk::hedged(config()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    desk.arm(json!({"fault": "listen_key_expired"})).await;
    assert_eq!(user.next().await["e"], "listenKeyExpired");
    desk.order(BUY).await.ok();
    assert!(user.is_silent(SILENCE).await);
    let demo = hedge_sim::binance::ApiKey::DEMO_KEY;
    desk.send(Method::PUT, "/fapi/v1/listenKey", "", None, Some(demo)).await.refused(400, -1125);
    assert_ne!(desk.listen_key().await, key);
}
