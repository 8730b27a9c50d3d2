//! Market streams by name against a venue that is slow, silent and sharp about its limits.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;
#[path = "support/venue.rs"]
mod venue;

use std::time::Duration;

use hedge_binance::{
    StreamConfig,
    stream::{DepthSpeed, MAX_STREAMS, Route, Stream, StreamEvent, StreamUpdate, Streams},
};
use hedge_core::Symbol;
use serde_json::{Value, json};
use support::*;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use venue::{Connection, LONG, Venue};

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

fn streams(venue: &Venue, config: StreamConfig) -> Streams {
    Streams::new(venue.url.clone(), config, 7)
}

async fn next(streams: &mut Streams) -> StreamUpdate {
    timeout(LONG, streams.next()).await.expect("no update").expect("the streams ended")
}

/// The next command, answered as the venue answers.
async fn command(connection: &mut Connection) -> (String, Vec<String>) {
    loop {
        match connection.heard().await.expect("the client is gone") {
            Message::Text(text) => {
                let command: Value = serde_json::from_str(&text).unwrap();
                connection.send(json!({"result": null, "id": command["id"]})).await;
                let names = command["params"].as_array().unwrap();
                let names = names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
                return (command["method"].as_str().unwrap().to_owned(), names);
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn trade(id: i64) -> Value {
    json!({"e":"aggTrade","E":NOW_MS,"s":"ABCUSDT","a":id,"p":"1.2","q":"3","f":1,"l":2,"T":NOW_MS,"m":true,"st":1})
}

fn depth(first: i64, last: i64) -> Value {
    json!({"e":"depthUpdate","E":1,"T":1,"s":"ABCUSDT","U":first,"u":last,"pu":first - 1,"b":[["1","2"]],"a":[]})
}

fn trade_id(update: &StreamUpdate) -> i64 {
    match update {
        StreamUpdate::Event { event, .. } => match &**event {
            StreamEvent::AggTrade(trade) => trade.id,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

const TRADES: &str = "abcusdt@aggTrade";

/// The next command, whole.
async fn asked(connection: &mut Connection) -> Value {
    loop {
        if let Message::Text(text) = connection.heard().await.expect("the client is gone") {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// The answer to a command that the venue takes.
fn taken(command: &Value) -> Value {
    json!({"result": null, "id": command["id"]})
}

#[tokio::test]
async fn each_stream_is_asked_for_on_its_route_and_its_events_are_typed() {
    let mut venue = Venue::start().await;
    let mut streams = streams(&venue, quick_streams());
    let abc = symbol("ABCUSDT");
    streams.subscribe(&[Stream::agg_trades(abc), Stream::depth(abc, DepthSpeed::Ms100)]).unwrap();
    let (one, two) = (venue.accept().await, venue.accept().await);
    let (mut market, mut public) = if one.uri.starts_with("/market") { (one, two) } else { (two, one) };
    assert_eq!((market.uri.as_str(), public.uri.as_str()), ("/market/stream", "/public/stream"));
    assert_eq!(command(&mut market).await, ("SUBSCRIBE".to_owned(), vec![TRADES.to_owned()]));
    assert_eq!(command(&mut public).await.1, ["abcusdt@depth@100ms"]);
    public.stream("abcusdt@depth@100ms", depth(5, 9)).await;
    let StreamUpdate::Event { stream, event } = next(&mut streams).await else { panic!() };
    let StreamEvent::Depth(diff) = *event else { panic!("{event:?}") };
    assert_eq!((stream.as_str(), diff.last_update_id), ("abcusdt@depth@100ms", 9));
    market.stream(TRADES, trade(4)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 4);
}

#[tokio::test]
async fn subscriptions_come_and_go_on_one_connection_and_what_was_given_up_is_not_told() {
    let mut venue = Venue::start().await;
    let mut streams = streams(&venue, quick_streams());
    streams.subscribe(&[Stream::agg_trades(symbol("ABCUSDT"))]).unwrap();
    let mut market = venue.accept().await;
    command(&mut market).await;
    streams
        .subscribe(&[Stream::agg_trades(symbol("ABCUSDT")), Stream::force_orders(symbol("XYZUSDT"))])
        .unwrap();
    assert_eq!(command(&mut market).await, ("SUBSCRIBE".to_owned(), vec!["xyzusdt@forceOrder".to_owned()]));
    streams.unsubscribe(&[Stream::agg_trades(symbol("ABCUSDT"))]);
    assert_eq!(command(&mut market).await, ("UNSUBSCRIBE".to_owned(), vec![TRADES.to_owned()]));
    assert_eq!(streams.subscribed().count(), 1);
    market.stream(TRADES, trade(1)).await;
    market.send(json!({"error": {"code": 2, "msg": "Invalid request"}, "id": 9})).await;
    assert_eq!(
        next(&mut streams).await,
        StreamUpdate::Refused { why: "code 2: \"Invalid request\"".to_owned() }
    );
    assert!(venue.is_quiet());
}

#[tokio::test]
async fn many_names_are_asked_for_in_small_commands_that_keep_their_distance() {
    let mut venue = Venue::start().await;
    let mut streams = streams(&venue, quick_streams());
    let all: Vec<Stream> = (0..250).map(|i| Stream::agg_trades(symbol(&format!("A{i}USDT")))).collect();
    let began = tokio::time::Instant::now();
    streams.subscribe(&all).unwrap();
    let mut market = venue.accept().await;
    let mut asked = Vec::new();
    for expected in [100, 100, 50] {
        let (_, names) = command(&mut market).await;
        assert_eq!(names.len(), expected);
        asked.extend(names);
    }
    assert!(began.elapsed() >= Duration::from_millis(400), "at most five commands a second");
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 250);
    let more: Vec<Stream> = (0..MAX_STREAMS).map(|i| Stream::ticker(symbol(&format!("B{i}USDT")))).collect();
    let error = streams.subscribe(&more).unwrap_err();
    assert_eq!((error.count, error.route), (250 + MAX_STREAMS, Route::Market));
    assert_eq!(streams.subscribed().count(), 250, "nothing was changed");
}

#[tokio::test]
async fn a_lost_connection_is_said_and_everything_is_asked_for_again() {
    let mut venue = Venue::start().await;
    let mut streams = streams(&venue, quick_streams());
    streams.subscribe(&[Stream::agg_trades(symbol("ABCUSDT"))]).unwrap();
    let mut first = venue.accept().await;
    command(&mut first).await;
    drop(first);
    assert!(matches!(next(&mut streams).await, StreamUpdate::Lost { route: Route::Market, .. }));
    let mut second = venue.accept().await;
    assert_eq!(command(&mut second).await.1, [TRADES]);
    assert_eq!(next(&mut streams).await, StreamUpdate::Back { route: Route::Market });
    second.stream(TRADES, trade(9)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 9);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_told_and_the_connection_stays() {
    let mut venue = Venue::start().await;
    let mut streams = streams(&venue, quick_streams());
    streams.subscribe(&[Stream::agg_trades(symbol("ABCUSDT")), Stream::all_mark_prices()]).unwrap();
    let mut market = venue.accept().await;
    command(&mut market).await;
    market.stream(TRADES, json!({"e":"aggTrade","E":1})).await;
    assert!(matches!(next(&mut streams).await, StreamUpdate::Unreadable { .. }));
    let mark = |name: &str, st: i64| json!({"e":"markPriceUpdate","E":1,"s":name,"p":"1","i":"1","P":"1","r":"0","T":0,"st":st});
    market
        .stream("!markPrice@arr@1s", json!([mark("ABCUSDT", 1), mark("ABCUSD_PERP", 2), mark("XYZUSDT", 1)]))
        .await;
    for expected in ["ABCUSDT", "XYZUSDT"] {
        let StreamUpdate::Event { event, .. } = next(&mut streams).await else { panic!() };
        let StreamEvent::MarkPrice(mark) = *event else { panic!() };
        assert_eq!(mark.symbol, expected);
    }
}

#[tokio::test]
async fn a_rotation_overlaps_and_each_event_is_told_once() {
    let mut venue = Venue::start().await;
    let config = StreamConfig {
        rotate_after: Duration::from_millis(300),
        rotate_overlap: Duration::from_millis(200),
        ..quick_streams()
    };
    let mut streams = streams(&venue, config);
    streams.subscribe(&[Stream::agg_trades(symbol("ABCUSDT"))]).unwrap();
    let mut old = venue.accept().await;
    command(&mut old).await;
    old.stream(TRADES, trade(1)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 1);
    let mut new = venue.accept().await;
    command(&mut new).await;
    new.stream(TRADES, trade(2)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 2);
    old.stream(TRADES, trade(2)).await;
    old.stream(TRADES, trade(3)).await;
    new.stream(TRADES, trade(3)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 3);
    old.until_closed().await;
    new.stream(TRADES, trade(4)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 4, "no gap, and nothing twice");
}

/// Streams on two commands, and the first connection with both of them answered.
async fn two_commands(rotate_after: Duration) -> (Venue, Streams, Connection) {
    let mut venue = Venue::start().await;
    let config = StreamConfig { rotate_after, rotate_overlap: Duration::from_millis(50), ..quick_streams() };
    let mut streams = streams(&venue, config);
    let mut all = vec![Stream::agg_trades(symbol("ABCUSDT"))];
    all.extend((0..120).map(|i| Stream::agg_trades(symbol(&format!("Z{i}USDT")))));
    streams.subscribe(&all).unwrap();
    let mut old = venue.accept().await;
    for _ in 0..2 {
        command(&mut old).await;
    }
    (venue, streams, old)
}

#[tokio::test]
async fn a_new_connection_replaces_the_old_one_only_when_every_subscription_was_answered() {
    let (mut venue, mut streams, mut old) = two_commands(Duration::from_millis(300)).await;
    let mut new = venue.accept().await;
    let first = asked(&mut new).await;
    new.send(taken(&first)).await;
    // It speaks, and is long past the overlap; half of its streams were not even answered.
    new.stream(TRADES, trade(1)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 1);
    let second = asked(&mut new).await;
    assert!(old.is_silent_for(Duration::from_millis(700)).await, "the old connection was closed");
    old.stream(TRADES, trade(2)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 2);
    new.send(taken(&second)).await;
    old.until_closed().await;
    new.stream(TRADES, trade(3)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 3);
}

#[tokio::test]
async fn an_old_connection_that_ends_before_the_new_one_is_complete_is_a_loss_that_is_said() {
    let (mut venue, mut streams, old) = two_commands(Duration::from_millis(300)).await;
    let mut new = venue.accept().await;
    command(&mut new).await;
    new.stream(TRADES, trade(1)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 1);
    drop(old);
    assert!(matches!(next(&mut streams).await, StreamUpdate::Lost { route: Route::Market, .. }));
    let _third = venue.accept().await;
    assert_eq!(next(&mut streams).await, StreamUpdate::Back { route: Route::Market });
}

#[tokio::test]
async fn a_new_connection_that_is_refused_a_stream_is_dropped_and_the_old_one_stays() {
    let (mut venue, mut streams, mut old) = two_commands(Duration::from_millis(300)).await;
    let mut new = venue.accept().await;
    let first = asked(&mut new).await;
    new.send(json!({"error": {"code": 3, "msg": "too many requests"}, "id": first["id"]})).await;
    assert!(matches!(next(&mut streams).await, StreamUpdate::Refused { .. }));
    // Gone without a good-bye, and nothing is said: the old one has everything.
    while new.heard().await.is_some() {}
    old.stream(TRADES, trade(1)).await;
    assert_eq!(trade_id(&next(&mut streams).await), 1);
}

#[tokio::test]
async fn streams_that_may_be_quiet_for_hours_are_rotated_all_the_same() {
    let mut venue = Venue::start().await;
    let config = StreamConfig {
        rotate_after: Duration::from_millis(300),
        rotate_overlap: Duration::from_millis(50),
        ..quick_streams()
    };
    let mut streams = streams(&venue, config);
    streams.subscribe(&[Stream::force_orders(symbol("ABCUSDT"))]).unwrap();
    let mut old = venue.accept().await;
    command(&mut old).await;
    let mut new = venue.accept().await;
    command(&mut new).await;
    old.until_closed().await;
}
