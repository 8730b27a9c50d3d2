//! What keeps a socket open and what closes it. Source: fact sheet 6.1 and 8.1.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hedge_sim::binance::ExchangeConfig;
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::kit::{Desk, PATIENCE, config};

const MINUTE: Duration = Duration::from_secs(60);

/// Reads until something other than market data comes.
async fn control(socket: &mut crate::kit::Socket) -> Message {
    loop {
        match socket.0.next().await.unwrap().unwrap() {
            Message::Text(_) => {}
            other => return other,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_pings_every_three_minutes() {
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket("/market/ws").await;
    let begun = Instant::now();
    for n in 1..=2 {
        assert!(matches!(control(&mut socket).await, Message::Ping(_)));
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        assert!((minutes - 3.0 * f64::from(n)).abs() < 0.1, "{minutes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_no_pong_for_ten_minutes_is_cut() {
    let desk = Desk::open(config()).await;
    let mut mute = desk.socket("/market/ws").await;
    let mut alive = desk.socket("/market/ws").await;
    let reads = async {
        let until = Instant::now() + 13 * MINUTE;
        while Instant::now() < until {
            let _ = tokio::time::timeout(MINUTE, alive.0.next()).await;
        }
    };
    reads.await;
    assert_eq!(desk.exchange.open_sockets(), 1, "only the one that answered its pings is left");
    let ended = async {
        loop {
            match mute.0.next().await {
                Some(Ok(Message::Close(frame))) => break frame.unwrap().reason.to_string(),
                Some(Ok(_)) => {}
                // The first late pong may meet a closed connection before the goodbye is read.
                Some(Err(_)) | None => break "no pong".to_owned(),
            }
        }
    };
    assert_eq!(ended.await, "no pong");
    // Pongs nobody asked for are welcome.
    alive.0.send(Message::Pong(vec![1].into())).await.unwrap();
    alive.say(json!({"method": "LIST_SUBSCRIPTIONS", "id": 3})).await;
    let answer = loop {
        if let Message::Text(text) = alive.0.next().await.unwrap().unwrap() {
            break text;
        }
    };
    assert!(answer.contains("\"id\":3"), "{answer}");
}

#[tokio::test]
async fn more_than_ten_messages_a_second_cost_the_connection_and_repeated_the_address() {
    let start = ExchangeConfig { start_ms: Some(1_795_168_800_100), ..config() };
    let desk = Desk::open(start).await;
    for _ in 0..6 {
        let mut socket = desk.socket("/market/ws").await;
        for n in 0..11 {
            socket.say(json!({"method": "LIST_SUBSCRIPTIONS", "id": n})).await;
        }
        let closed = async {
            loop {
                match socket.0.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => break frame.reason.to_string(),
                    Some(Ok(_)) => {}
                    // The goodbye may get lost behind what was not read any more.
                    Some(Err(_)) | None => break "too many requests".to_owned(),
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, closed).await.unwrap(), "too many requests");
    }
    let refused = connect_async(format!("{}/market/ws", desk.exchange.ws_url())).await.unwrap_err();
    assert!(refused.to_string().contains("418"), "{refused}");
    desk.get("/fapi/v1/time", "").await.ok();
    // It ends on the venue clock.
    desk.exchange.set_speed(1_000.0).unwrap();
    let again = async {
        while connect_async(format!("{}/market/ws", desk.exchange.ws_url())).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn an_address_opens_300_connections_in_five_minutes() {
    let start = ExchangeConfig { start_ms: Some(1_795_168_800_100), ..config() };
    let desk = Desk::open(start).await;
    let url = format!("{}/market/ws", desk.exchange.ws_url());
    for _ in 0..300 {
        connect_async(&url).await.unwrap();
    }
    let refused = connect_async(&url).await.unwrap_err();
    assert!(refused.to_string().contains("429"), "{refused}");
}
