//! Market streams against a venue that falls silent, drops and rotates.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;
#[path = "support/venue.rs"]
mod venue;

use std::{sync::Arc, time::Duration};

use hedge_binance::{Binance, ReadOnly, StreamConfig};
use hedge_core::{
    Channel, EventSource, InstrumentIx, Interval, MarketEvent, Subscription, Timestamp, VenueReader,
};
use serde_json::{Value, json};
use support::*;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use venue::{LONG, Venue};
use wiremock::MockServer;

const IX: InstrumentIx = InstrumentIx(3);
const KLINES: &str = "ethusdt@kline_1m";
const MARK: &str = "ethusdt@markPrice@1s";

fn want(channel: Channel) -> Subscription {
    Subscription { id: eth(), instrument: IX, channel }
}

async fn client(venue: &Venue, streams: StreamConfig) -> (Binance<ReadOnly>, MockServer, Arc<TestClock>) {
    let rest = MockServer::start().await;
    let clock = TestClock::at(NOW_MS);
    mock_clock(&rest, Arc::clone(&clock)).await;
    (client_at(&rest.uri(), &venue.url, Arc::clone(&clock), streams), rest, clock)
}

async fn next(events: &mut Box<dyn EventSource<MarketEvent>>) -> MarketEvent {
    timeout(LONG, events.next()).await.expect("no event").expect("the stream ended")
}

fn kline(open_ms: i64, closed: bool) -> Value {
    json!({"e":"kline","E":open_ms + 60_000,"s":"ETHUSDT","k":{"t":open_ms,"T":open_ms + 59_999,"s":"ETHUSDT","i":"1m",
      "f":1,"L":2,"o":"1.2038","c":"1.2041","h":"1.2043","l":"1.2037","v":"5120.0","n":23,"x":closed,"q":"6164.88",
      "V":"0","Q":"0","B":"0"}})
}

fn kline_row(open_ms: i64) -> Value {
    json!([
        open_ms,
        "1.2038",
        "1.2043",
        "1.2037",
        "1.2041",
        "5120.0",
        open_ms + 59_999,
        "0",
        1,
        "0",
        "0",
        "0"
    ])
}

fn mark(price: &str, rate: &str) -> Value {
    json!({"e":"markPriceUpdate","E":NOW_MS,"s":"ETHUSDT","p":price,"ap":price,"i":price,"P":price,"r":rate,
      "T":1795190400000_i64,"st":1})
}

fn minute(n: i64) -> i64 {
    NOW_MS + n * 60_000
}

fn bar_open(event: &MarketEvent) -> (char, i64) {
    match event {
        MarketEvent::Bar { bar, instrument: IX } => ('B', bar.open_time.ms()),
        MarketEvent::History { bar, instrument: IX } => ('H', bar.open_time.ms()),
        other => panic!("expected a bar, found {other:?}"),
    }
}

#[tokio::test]
async fn each_stream_is_asked_for_on_its_route_and_klines_share_a_connection_with_marks() {
    let mut venue = Venue::start().await;
    let (client, ..) = client(&venue, quick_streams()).await;
    let what = [
        want(Channel::Bars(Interval::M1)),
        want(Channel::Mark),
        want(Channel::Trades),
        want(Channel::BookTicker),
    ];
    let _events = client.market_events(&what).await.unwrap();
    let mut uris = [venue.accept().await.uri, venue.accept().await.uri];
    uris.sort();
    assert_eq!(
        uris,
        [
            "/market/stream?streams=ethusdt@kline_1m/ethusdt@markPrice@1s/ethusdt@aggTrade",
            "/public/stream?streams=ethusdt@bookTicker",
        ]
    );
}

#[tokio::test]
async fn events_come_in_order_and_only_closed_bars_are_bars() {
    let mut venue = Venue::start().await;
    let (client, ..) = client(&venue, quick_streams()).await;
    let mut events =
        client.market_events(&[want(Channel::Bars(Interval::M1)), want(Channel::Mark)]).await.unwrap();
    let mut socket = venue.accept().await;
    socket.stream(KLINES, kline(minute(0), false)).await;
    socket.stream(MARK, mark("1.2041", "0.00010000")).await;
    socket.stream(KLINES, kline(minute(0), true)).await;
    socket.stream(KLINES, kline(minute(0), true)).await;
    socket.stream(MARK, mark("1.2050", "0.00010000")).await;
    socket.stream(MARK, mark("1.2060", "0.00020000")).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(match next(&mut events).await {
            MarketEvent::Mark { mark, .. } => format!("mark {mark}"),
            MarketEvent::Funding { rate, settles_at, .. } => format!("funding {rate} {}", settles_at.ms()),
            MarketEvent::Bar { bar, .. } => format!("bar {}", bar.open_time.ms()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(
        seen,
        [
            "mark 1.2041",
            "funding 0.00010000 1795190400000",
            "bar 1795168800000",
            "mark 1.205",
            "mark 1.206",
            "funding 0.00020000 1795190400000",
        ]
    );
}

#[tokio::test]
async fn quotes_and_trades_arrive_once_each() {
    let mut venue = Venue::start().await;
    let (client, ..) = client(&venue, quick_streams()).await;
    let mut events = client.market_events(&[want(Channel::BookTicker), want(Channel::Trades)]).await.unwrap();
    let (one, two) = (venue.accept().await, venue.accept().await);
    let (mut book, mut trades) = if one.uri.starts_with("/public") { (one, two) } else { (two, one) };
    let quote = json!({"e":"bookTicker","u":5,"E":NOW_MS,"T":NOW_MS,"s":"ETHUSDT","b":"1.2040","B":"350.0","a":"1.2042",
        "A":"90.5"});
    book.stream("ethusdt@bookTicker", quote.clone()).await;
    book.stream("ethusdt@bookTicker", quote).await;
    assert!(
        matches!(next(&mut events).await, MarketEvent::Book { ask_qty, .. } if ask_qty.to_string() == "90.5")
    );
    let trade = json!({"e":"aggTrade","E":NOW_MS,"s":"ETHUSDT","a":9,"p":"1.2041","q":"310.0","f":1,"l":2,"T":NOW_MS,"m":true});
    trades.stream("ethusdt@aggTrade", trade).await;
    assert!(matches!(next(&mut events).await, MarketEvent::Trade { seller_aggressed: true, .. }));
}

#[tokio::test]
async fn a_ping_is_answered_only_when_everything_before_it_was_dealt_with() {
    let mut venue = Venue::start().await;
    let (client, ..) = client(&venue, quick_streams()).await;
    let mut events = client.market_events(&[want(Channel::Bars(Interval::M1))]).await.unwrap();
    let mut socket = venue.accept().await;
    socket.stream(KLINES, kline(minute(0), true)).await;
    socket.ping().await;
    next(&mut events).await;
    assert!(socket.is_silent_for(Duration::from_millis(50)).await, "the bar is still in somebody's hands");
    let waiting = tokio::spawn(async move { events.next().await });
    assert!(matches!(socket.heard().await, Some(Message::Pong(_))));
    waiting.abort();
}

#[tokio::test]
async fn a_silent_connection_is_said_to_be_silent_and_replaced() {
    let mut venue = Venue::start().await;
    let streams = StreamConfig { market_silence: Duration::from_millis(80), ..quick_streams() };
    let (client, ..) = client(&venue, streams).await;
    let mut events = client.market_events(&[want(Channel::Mark)]).await.unwrap();
    let silent = venue.accept().await;
    assert_eq!(next(&mut events).await, MarketEvent::Silent { instrument: IX });
    let mut socket = venue.accept().await;
    socket.stream(MARK, mark("1.2041", "0.0001")).await;
    assert!(matches!(next(&mut events).await, MarketEvent::Mark { .. }));
    drop(silent);
}

#[tokio::test]
async fn pings_alone_are_not_data() {
    let mut venue = Venue::start().await;
    let streams = StreamConfig { market_silence: Duration::from_millis(80), ..quick_streams() };
    let (client, ..) = client(&venue, streams).await;
    let mut events = client.market_events(&[want(Channel::Mark)]).await.unwrap();
    let mut socket = venue.accept().await;
    let pings = tokio::spawn(async move {
        while socket.is_silent_for(Duration::from_millis(10)).await {
            socket.ping().await;
            if socket.heard().await.is_none() {
                return;
            }
        }
    });
    assert_eq!(next(&mut events).await, MarketEvent::Silent { instrument: IX });
    pings.abort();
}

#[tokio::test]
async fn bars_missed_while_away_are_history_and_the_newest_one_still_counts() {
    let mut venue = Venue::start().await;
    let (client, rest, clock) = client(&venue, quick_streams()).await;
    let rows = json!([kline_row(minute(1)), kline_row(minute(2)), kline_row(minute(3))]);
    mock(&rest, "GET", "/fapi/v1/klines", 200, rows).await;
    let mut events = client.market_events(&[want(Channel::Bars(Interval::M1))]).await.unwrap();
    let mut socket = venue.accept().await;
    socket.stream(KLINES, kline(minute(0), true)).await;
    assert_eq!(bar_open(&next(&mut events).await), ('B', minute(0)));
    // Ten seconds after the third missed bar has closed.
    clock.set(minute(4) + 10_000);
    drop(socket);
    assert_eq!(next(&mut events).await, MarketEvent::Silent { instrument: IX });
    let mut socket = venue.accept().await;
    assert_eq!(bar_open(&next(&mut events).await), ('H', minute(1)));
    assert_eq!(bar_open(&next(&mut events).await), ('H', minute(2)));
    assert_eq!(bar_open(&next(&mut events).await), ('B', minute(3)));
    socket.stream(KLINES, kline(minute(3), true)).await;
    socket.stream(KLINES, kline(minute(4), true)).await;
    assert_eq!(bar_open(&next(&mut events).await), ('B', minute(4)));
    assert!(requests(&rest, "/fapi/v1/klines").await[0].contains(&format!("startTime={}", minute(1))));
}

#[tokio::test]
async fn a_hole_that_cannot_be_filled_is_a_gap() {
    let mut venue = Venue::start().await;
    let (client, rest, clock) = client(&venue, quick_streams()).await;
    mock(&rest, "GET", "/fapi/v1/klines", 200, json!([kline_row(minute(2))])).await;
    let mut events = client.market_events(&[want(Channel::Bars(Interval::M1))]).await.unwrap();
    let mut socket = venue.accept().await;
    clock.set(minute(5));
    socket.stream(KLINES, kline(minute(0), true)).await;
    socket.stream(KLINES, kline(minute(4), true)).await;
    assert_eq!(bar_open(&next(&mut events).await), ('B', minute(0)));
    let gap = |from, to| MarketEvent::Gap {
        instrument: IX,
        from: Timestamp::from_ms(from),
        to: Timestamp::from_ms(to),
    };
    assert_eq!(next(&mut events).await, gap(minute(1), minute(2)));
    assert_eq!(bar_open(&next(&mut events).await), ('H', minute(2)));
    assert_eq!(next(&mut events).await, gap(minute(3), minute(4)));
    assert_eq!(bar_open(&next(&mut events).await), ('B', minute(4)));
}

#[tokio::test]
async fn a_rotation_loses_nothing_and_repeats_nothing() {
    let mut venue = Venue::start().await;
    let streams = StreamConfig {
        rotate_after: Duration::from_millis(100),
        rotate_overlap: Duration::from_millis(700),
        ..quick_streams()
    };
    let (client, ..) = client(&venue, streams).await;
    let mut events = client.market_events(&[want(Channel::Bars(Interval::M1))]).await.unwrap();
    let mut old = venue.accept().await;
    old.stream(KLINES, kline(minute(0), true)).await;
    let mut new = venue.accept().await;
    // Both connections carry the same bars for a while; the new one is even faster.
    new.stream(KLINES, kline(minute(1), true)).await;
    old.stream(KLINES, kline(minute(1), true)).await;
    old.stream(KLINES, kline(minute(2), true)).await;
    new.stream(KLINES, kline(minute(2), true)).await;
    for n in 0..3 {
        assert_eq!(bar_open(&next(&mut events).await), ('B', minute(n)));
    }
    old.until_closed().await;
    new.stream(KLINES, kline(minute(3), true)).await;
    assert_eq!(bar_open(&next(&mut events).await), ('B', minute(3)));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_a_lost_connection_and_not_skipped() {
    let mut venue = Venue::start().await;
    let (client, ..) = client(&venue, quick_streams()).await;
    let mut events = client.market_events(&[want(Channel::Mark)]).await.unwrap();
    let mut socket = venue.accept().await;
    socket.stream(MARK, json!({"e":"markPriceUpdate","E":1,"s":"ETHUSDT","p":"-1"})).await;
    assert_eq!(next(&mut events).await, MarketEvent::Silent { instrument: IX });
    venue.accept().await;
}

#[tokio::test]
async fn a_consumer_that_leaves_ends_the_connection() {
    let mut venue = Venue::start().await;
    let (client, ..) = client(&venue, quick_streams()).await;
    let events = client.market_events(&[want(Channel::Mark)]).await.unwrap();
    let socket = venue.accept().await;
    drop(events);
    socket.until_closed().await;
}

#[tokio::test]
async fn a_venue_that_cannot_be_reached_is_an_error_at_once() {
    let rest = MockServer::start().await;
    let client = client_at(&rest.uri(), "ws://127.0.0.1:9", TestClock::at(NOW_MS), quick_streams());
    assert!(client.market_events(&[want(Channel::Mark)]).await.is_err());
}

#[tokio::test]
async fn a_mark_price_of_zero_silences_its_symbol_and_not_the_connection() {
    let mut venue = Venue::start().await;
    let (client, ..) = client(&venue, quick_streams()).await;
    let mut events = client.market_events(&[want(Channel::Mark)]).await.unwrap();
    let mut socket = venue.accept().await;
    socket.stream(MARK, mark("0.00000000", "0")).await;
    socket.stream(MARK, mark("0.00000000", "0")).await;
    socket.stream(MARK, mark("1.2041", "0.0001")).await;
    assert_eq!(next(&mut events).await, MarketEvent::Silent { instrument: IX });
    assert!(
        matches!(next(&mut events).await, MarketEvent::Mark { .. }),
        "said once, and the same connection goes on"
    );
    assert!(venue.is_quiet());
}

#[tokio::test]
async fn a_stream_that_is_unreadable_each_time_is_asked_for_ever_more_slowly() {
    let mut venue = Venue::start().await;
    let streams =
        StreamConfig { reconnect: (Duration::from_millis(40), Duration::from_secs(5)), ..quick_streams() };
    let (client, ..) = client(&venue, streams).await;
    let _events = client.market_events(&[want(Channel::Mark)]).await.unwrap();
    let started = std::time::Instant::now();
    for _ in 0..4 {
        let mut socket = venue.accept().await;
        socket.stream(MARK, json!({"e":"markPriceUpdate","p":"?"})).await;
    }
    // Three pauses of at least half of 40, 80 and 160 ms.
    assert!(started.elapsed() >= Duration::from_millis(140), "{:?}", started.elapsed());
}
