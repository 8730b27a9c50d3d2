use std::time::Duration;

use hedge_sim::binance::{Environment, ExchangeConfig};
use serde_json::{Value, json};

use crate::kit::{Desk, PATIENCE, SILENCE, config, number};

fn mainnet() -> ExchangeConfig {
    ExchangeConfig { environment: Environment::Mainnet, ..config() }
}

#[tokio::test]
async fn every_market_stream_comes_again_and_again() {
    let desk = Desk::open(config()).await;
    let streams = [
        ("/public", "ethusdt@bookTicker", "bookTicker"),
        ("/public", "ethusdt@depth", "depthUpdate"),
        ("/public", "ethusdt@depth@100ms", "depthUpdate"),
        ("/public", "ethusdt@depth@500ms", "depthUpdate"),
        ("/public", "ethusdt@rpiDepth@500ms", "depthUpdate"),
        ("/public", "ethusdt@depth5", "depthUpdate"),
        ("/public", "ethusdt@depth20@100ms", "depthUpdate"),
        ("/market", "ethusdt@aggTrade", "aggTrade"),
        ("/market", "ethusdt@trade", "trade"),
        ("/market", "ethusdt@markPrice@1s", "markPriceUpdate"),
        ("/market", "ethusdt@kline_1m", "kline"),
        ("/market", "ethusdt@kline_1d", "kline"),
    ];
    let mut sockets = Vec::new();
    for (route, name, kind) in streams {
        sockets.push((name, kind, desk.socket(&format!("{route}/ws/{name}")).await));
    }
    for (name, kind, socket) in &mut sockets {
        for _ in 0..2 {
            let event = socket.next_within(PATIENCE).await;
            let event = event.unwrap_or_else(|| panic!("{name} is silent"));
            assert_eq!((&event["e"], &event["s"]), (&json!(*kind), &json!("ETHUSDT")), "{name}");
        }
    }
}

#[tokio::test]
async fn slower_streams_and_arrays_come_too() {
    let desk = Desk::open(config()).await;
    let names =
        "ethusdt@markPrice/ethusdt@miniTicker/ethusdt@ticker/!markPrice@arr@1s/!miniTicker@arr/!ticker@arr";
    let mut socket = desk.socket(&format!("/market/stream?streams={names}")).await;
    let mut missing: Vec<&str> = names.split('/').collect();
    while !missing.is_empty() {
        let message = socket.next().await;
        missing.retain(|name| *name != message["stream"]);
        if message["stream"] == "!miniTicker@arr" {
            assert_eq!(
                (&message["data"][0]["e"], &message["data"][0]["st"]),
                (&json!("24hrMiniTicker"), &json!(1))
            );
        }
    }
}

#[tokio::test]
async fn depth_updates_form_a_chain_that_keeps_a_local_book() {
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket("/public/ws/ethusdt@depth@100ms").await;
    let first = socket.next().await;
    let mut events = vec![first];
    let snapshot = desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=1000").await.ok();
    let id = snapshot["lastUpdateId"].as_i64().unwrap();
    while events.len() < 12 {
        events.push(socket.next().await);
    }
    let at = |event: &Value, key: &str| event[key].as_i64().unwrap();
    for pair in events.windows(2) {
        assert_eq!(at(&pair[1], "pu"), at(&pair[0], "u"));
    }
    events.retain(|event| at(event, "u") >= id);
    assert!(at(&events[0], "U") <= id, "the snapshot lies inside the first event");
    let mut bids = levels(&snapshot["bids"]);
    for event in &events {
        for (price, qty) in levels(&event["b"]) {
            bids.retain(|(known, _)| *known != price);
            if qty != "0.000" {
                bids.push((price, qty));
            }
        }
    }
    desk.exchange.set_paused(true).unwrap();
    while let Some(event) = socket.next_within(SILENCE).await {
        for (price, qty) in levels(&event["b"]) {
            bids.retain(|(known, _)| *known != price);
            if qty != "0.000" {
                bids.push((price, qty));
            }
        }
    }
    let mut book = levels(&desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=1000").await.ok()["bids"]);
    bids.sort();
    book.sort();
    // The last tick may have stirred the book without a push of this pace; everything before is kept.
    let kept = bids.iter().filter(|level| book.contains(level)).count();
    assert!(kept * 10 >= book.len() * 5, "{kept} of {} levels agree", book.len());
}

fn levels(side: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    side.as_array().unwrap().iter().map(|level| (text(&level[0]), text(&level[1]))).collect()
}

#[tokio::test]
async fn a_stream_on_the_wrong_route_is_accepted_and_silent() {
    let desk = Desk::open(config()).await;
    let mut wrong = desk.socket("/public/ws").await;
    wrong.subscribe(&["ethusdt@kline_1m", "ethusdt@markPrice@1s"]).await;
    assert!(wrong.is_silent(Duration::from_millis(1_300)).await);
    let mut wrong = desk.socket("/market/ws/ethusdt@depth@100ms").await;
    assert!(wrong.is_silent(SILENCE).await);
    let mut upper = desk.socket("/public/ws/ETHUSDT@bookTicker").await;
    assert!(upper.is_silent(SILENCE).await);
}

#[tokio::test]
async fn the_demo_venue_serves_everything_without_a_route_and_the_main_net_only_books() {
    let demo = Desk::open(config()).await;
    let mut socket = demo.socket("/stream?streams=ethusdt@kline_1m/ethusdt@bookTicker").await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        seen.insert(socket.next().await["stream"].as_str().unwrap().to_owned());
    }
    let main = Desk::open(mainnet()).await;
    let mut socket = main.socket("/ws/ethusdt@kline_1m/ethusdt@markPrice@1s").await;
    assert!(socket.is_silent(Duration::from_millis(1_300)).await);
    socket.subscribe(&["ethusdt@bookTicker"]).await;
    assert_eq!(socket.next().await["e"], "bookTicker");
}

#[tokio::test]
async fn subscriptions_are_listed_changed_and_wrapped_on_request() {
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket("/market/ws/3").await;
    let mut ask = async |request: Value| {
        socket.say(request.clone()).await;
        loop {
            let answer = socket.next().await;
            if answer["id"] == request["id"] {
                return answer;
            }
        }
    };
    assert_eq!(ask(json!({"method": "LIST_SUBSCRIPTIONS", "id": 1})).await["result"], json!([]));
    ask(json!({"method": "SUBSCRIBE", "params": ["ethusdt@kline_1m", "btcusdt@kline_1m"], "id": 2})).await;
    ask(json!({"method": "UNSUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 3})).await;
    let list = ask(json!({"method": "LIST_SUBSCRIPTIONS", "id": "text-id"})).await;
    assert_eq!(list["result"], json!(["ethusdt@kline_1m"]));
    assert_eq!(
        ask(json!({"method": "GET_PROPERTY", "params": ["combined"], "id": 4})).await["result"],
        false
    );
    ask(json!({"method": "SET_PROPERTY", "params": ["combined", true], "id": 5})).await;
    assert!(ask(json!({"method": "DANCE", "id": 6})).await["error"]["msg"].is_string());
    let event = socket.next().await;
    assert_eq!((&event["stream"], &event["data"]["e"]), (&json!("ethusdt@kline_1m"), &json!("kline")));
}

#[tokio::test]
async fn more_than_ten_messages_a_second_end_the_connection() {
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket("/market/ws").await;
    for n in 0..12 {
        socket.say(json!({"method": "LIST_SUBSCRIPTIONS", "id": n})).await;
    }
    let mut answers = 0;
    while socket.next_within(PATIENCE).await.is_some() {
        answers += 1;
    }
    assert_eq!(answers, 10);
}

#[tokio::test]
async fn a_closed_kline_is_pushed_once_and_equals_the_rest_row() {
    let desk = Desk::open(crate::kit::at_speed(120.0)).await;
    let mut socket = desk.socket("/market/ws/ethusdt@kline_1m").await;
    let mut closed = Vec::new();
    while closed.len() < 3 {
        let event = socket.next().await;
        if event["k"]["x"] == true {
            closed.push(event["k"].clone());
        }
    }
    let open = |k: &Value| k["t"].as_i64().unwrap();
    assert_eq!(open(&closed[1]) - open(&closed[0]), 60_000);
    assert_eq!(open(&closed[2]) - open(&closed[1]), 60_000);
    let query = format!("symbol=ETHUSDT&interval=1m&startTime={}&limit=1", open(&closed[1]));
    let row = desk.get("/fapi/v1/klines", &query).await.ok()[0].clone();
    for (letter, column) in [("o", 1), ("h", 2), ("l", 3), ("c", 4), ("v", 5), ("q", 7), ("V", 9)] {
        assert_eq!(closed[1][letter], row[column], "{letter}");
    }
    assert_eq!((closed[1]["T"].as_i64(), closed[1]["n"].as_i64()), (row[6].as_i64(), row[8].as_i64()));
}

#[tokio::test]
async fn prices_on_streams_and_rest_are_of_one_market() {
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket("/market/ws/ethusdt@aggTrade").await;
    let trade = socket.next().await;
    let last = desk.last("ETHUSDT").await;
    assert!((number(&trade["p"]) / last - 1.0).abs() < 0.01);
    let query = format!("symbol=ETHUSDT&fromId={}&limit=1", trade["a"]);
    let row = desk.get("/fapi/v1/aggTrades", &query).await.ok()[0].clone();
    assert_eq!((&row["p"], &row["q"], &row["T"]), (&trade["p"], &trade["q"], &trade["T"]));
}

#[tokio::test]
async fn a_symbol_that_stops_trading_is_told_on_contract_info() {
    use hedge_sim::venue::{Command, SymbolId, SymbolStatus};
    let desk = Desk::open(config()).await;
    let mut socket = desk.socket("/market/ws/!contractInfo").await;
    assert!(socket.is_silent(Duration::from_millis(200)).await);
    let halt = Command::SetStatus { symbol: SymbolId(1), status: SymbolStatus::Settling };
    desk.exchange.apply(&halt).unwrap().unwrap();
    let event = socket.next().await;
    assert_eq!((&event["s"], &event["cs"]), (&json!("ETHUSDT"), &json!("SETTLING")));
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_answered_before_the_connection_ends() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;

    let desk = Desk::open(config()).await;
    let mut socket = desk.socket("/market/ws/ethusdt@aggTrade").await;
    socket.0.send(Message::Close(None)).await.unwrap();
    let mut last = None;
    while let Some(Ok(message)) = socket.0.next().await {
        last = Some(message);
    }
    assert!(matches!(last, Some(Message::Close(_))), "{last:?}");
}
