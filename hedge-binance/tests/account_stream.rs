//! The account's stream: keys that expire, connections that die, and what REST fills in.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;
#[path = "support/venue.rs"]
mod venue;

use std::time::Duration;

use futures_util::SinkExt;
use hedge_binance::{Binance, ReadOnly, StreamConfig};
use hedge_core::{
    AccountEvent, Brokerage, CashFlowKind, EventSource, Exit, ForcedClose, ReportedSide, ReportedState,
    VenueReader,
};
use serde_json::{Value, json};
use support::*;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use venue::{LONG, Venue};
use wiremock::{
    Mock, MockServer,
    matchers::{method, path},
};

type Events = Box<dyn EventSource<AccountEvent>>;

const LISTEN_KEY: &str = "demoKeyDemoKeyDemoKeyDemoKeyDemoKeyDemoKeyDemoKeyDemoKeyDemoKey01";

/// A venue whose account is quiet: one long leg, nothing open, nothing missed.
struct Rig {
    venue: Venue,
    rest: MockServer,
}

impl Rig {
    async fn start() -> Self {
        let rest = MockServer::start().await;
        mock_time(&rest).await;
        mock(&rest, "POST", "/fapi/v1/listenKey", 200, json!({ "listenKey": LISTEN_KEY })).await;
        Self { venue: Venue::start().await, rest }
    }

    /// What a back-fill finds.
    async fn backfill(&self, open: Value, trades: Value, income: Value) {
        mock(&self.rest, "GET", "/fapi/v1/openOrders", 200, open).await;
        mock(&self.rest, "GET", "/fapi/v1/openAlgoOrders", 200, json!([])).await;
        mock(&self.rest, "GET", "/fapi/v3/positionRisk", 200, position_rows()).await;
        mock(&self.rest, "GET", "/fapi/v3/account", 200, account_v3()).await;
        mock(&self.rest, "GET", "/fapi/v1/userTrades", 200, trades).await;
        mock(&self.rest, "GET", "/fapi/v1/income", 200, income).await;
        // After whatever a test says about them: the first answer counts.
        mock(&self.rest, "GET", "/fapi/v1/forceOrders", 200, json!([])).await;
        mock(&self.rest, "GET", "/fapi/v1/allOrders", 200, json!([order_row("FILLED")])).await;
    }

    /// Loses the connection and reads what the back-fill tells.
    async fn after_a_gap(&mut self) -> Vec<AccountEvent> {
        let mut events = self.client(quick_streams()).account_events().await.unwrap();
        drop(self.venue.accept().await);
        let _new = self.venue.accept().await;
        let AccountEvent::Disconnected { .. } = next(&mut events).await else { panic!("not disconnected") };
        until_reconnected(&mut events).await
    }

    /// The same where the first back-fill fails, and with it its connection.
    async fn after_a_failed_back_fill(&mut self) -> Vec<AccountEvent> {
        let mut events = self.client(quick_streams()).account_events().await.unwrap();
        drop(self.venue.accept().await);
        let _first = self.venue.accept().await;
        let _second = self.venue.accept().await;
        until_reconnected(&mut events).await
    }

    fn client(&self, streams: StreamConfig) -> Binance<ReadOnly> {
        client_at(&self.rest.uri(), &self.venue.url, TestClock::at(NOW_MS), streams)
    }

    async fn never_deleted_the_listen_key(&self) {
        let verbs = requests(&self.rest, "/fapi/v1/listenKey").await;
        assert!(verbs.iter().all(|request| !request.starts_with("DELETE")), "{verbs:?}");
    }
}

async fn next(events: &mut Events) -> AccountEvent {
    timeout(LONG, events.next()).await.expect("no event").expect("the stream ended")
}

/// Reads up to `Reconnected` and names what came before it.
async fn until_reconnected(events: &mut Events) -> Vec<AccountEvent> {
    let mut seen = Vec::new();
    loop {
        match next(events).await {
            AccountEvent::Reconnected => return seen,
            event => seen.push(event),
        }
    }
}

fn order_event(status: &str, execution: &str, trade_id: i64) -> Value {
    json!({"e":"ORDER_TRADE_UPDATE","T":NOW_MS,"E":NOW_MS + 3,"o":{"s":"ETHUSDT","c":CLIENT_ID,"S":"SELL","o":"MARKET",
      "f":"GTC","q":"0.250","p":"0","ap":"2502.34","sp":"0","x":execution,"X":status,"i":70112233445_i64,"l":"0.250",
      "z":"0.250","L":"2502.34","n":"0.31279250","N":"USDT","T":NOW_MS,"t":trade_id,"b":"0","a":"0","m":false,"R":true,
      "wt":"CONTRACT_PRICE","ot":"MARKET","ps":"LONG","cp":false,"rp":"5.46","pP":false,"si":0,"ss":0,
      "V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"0"}})
}

#[tokio::test]
async fn the_private_route_is_opened_with_key_and_event_list() {
    let mut rig = Rig::start().await;
    let _events = rig.client(quick_streams()).account_events().await.unwrap();
    assert_eq!(
        rig.venue.accept().await.uri,
        format!(
            "/private/ws?listenKey={LISTEN_KEY}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/ALGO_UPDATE/ALGO_ORDER_UPDATE/\
             MARGIN_CALL/ACCOUNT_CONFIG_UPDATE/listenKeyExpired"
        )
    );
    let all = rig.rest.received_requests().await.unwrap();
    let post = all.iter().find(|request| request.url.path() == "/fapi/v1/listenKey").unwrap();
    assert_eq!((post.url.query(), post.headers["X-MBX-APIKEY"].to_str().unwrap()), (None, KEY));
}

#[tokio::test]
async fn fills_are_told_once_before_their_report() {
    let mut rig = Rig::start().await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(order_event("FILLED", "TRADE", 5511223344)).await;
    socket.send(order_event("FILLED", "TRADE", 5511223344)).await;
    socket.send(json!({"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"ETHUSDT","l":10}})).await;
    assert!(
        matches!(next(&mut events).await, AccountEvent::Fill { fill } if fill.trade_id.0 == 5_511_223_344)
    );
    assert!(
        matches!(next(&mut events).await, AccountEvent::Order { report } if report.state == ReportedState::Filled)
    );
    assert!(matches!(next(&mut events).await, AccountEvent::LeverageChanged { .. }));
}

#[tokio::test]
async fn an_expired_key_is_replaced_and_what_was_missed_is_filled_in_once() {
    let mut rig = Rig::start().await;
    let trades = json!([trade_row(5511223344, NOW_MS), trade_row(5511223345, NOW_MS + 1)]);
    let income = json!([income_row("FUNDING_FEE", 7, NOW_MS), income_row("COMMISSION", 8, NOW_MS)]);
    rig.backfill(json!([]), trades, income).await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(order_event("FILLED", "TRADE", 5511223344)).await;
    next(&mut events).await;
    next(&mut events).await;
    socket.send(json!({"e":"listenKeyExpired","E":NOW_MS,"listenKey":LISTEN_KEY})).await;
    let AccountEvent::Disconnected { reason } = next(&mut events).await else { panic!("not disconnected") };
    assert_eq!(reason, "the listen key has expired");
    let mut socket = rig.venue.accept().await;
    let seen = until_reconnected(&mut events).await;
    let [
        AccountEvent::Fill { fill },
        AccountEvent::CashFlow { flow },
        AccountEvent::Legs { legs, .. },
        AccountEvent::Balances { balances, .. },
    ] = &seen[..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!(fill.trade_id.0, 5_511_223_345, "the other one was heard before");
    assert_eq!((&flow.kind, flow.id.as_str()), (&CashFlowKind::Funding, "FUNDING_FEE:7:ETHUSDT"));
    // The short leg is not in the venue's answer: it is flat, and that is said.
    let sizes: Vec<_> = legs.iter().map(|leg| (leg.side, leg.qty.to_string())).collect();
    assert_eq!(sizes, [(ReportedSide::Long, "0.750".into()), (ReportedSide::Short, "0".into())]);
    assert_eq!(balances[0].wallet.to_string(), "10512.1482311");
    socket.send(order_event("FILLED", "TRADE", 5511223346)).await;
    assert!(
        matches!(next(&mut events).await, AccountEvent::Fill { fill } if fill.trade_id.0 == 5_511_223_346)
    );
    assert_eq!(requests(&rig.rest, "/fapi/v1/listenKey").await.len(), 2);
    rig.never_deleted_the_listen_key().await;
}

#[tokio::test]
async fn an_order_that_ended_while_away_is_looked_up() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    mock(&rig.rest, "GET", "/fapi/v1/order", 200, order_row("CANCELED")).await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(order_event("PARTIALLY_FILLED", "TRADE", 1)).await;
    next(&mut events).await;
    next(&mut events).await;
    drop(socket);
    assert!(matches!(next(&mut events).await, AccountEvent::Disconnected { .. }));
    let _socket = rig.venue.accept().await;
    let seen = until_reconnected(&mut events).await;
    assert!(
        matches!(&seen[0], AccountEvent::Order { report } if report.state == ReportedState::Canceled),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_back_fill_that_fails_is_tried_again_before_anything_is_called_good() {
    let mut rig = Rig::start().await;
    Mock::given(method("GET"))
        .and(path("/fapi/v1/openOrders"))
        .respond_with(in_turn(vec![
            answer(401, json!({"code":-2015,"msg":"Invalid API-key, IP, or permissions."})),
            answer(200, json!([])),
        ]))
        .mount(&rig.rest)
        .await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    drop(rig.venue.accept().await);
    assert!(matches!(next(&mut events).await, AccountEvent::Disconnected { .. }));
    until_reconnected(&mut events).await;
    assert_eq!(requests(&rig.rest, "/fapi/v1/openOrders").await.len(), 2);
}

#[tokio::test]
async fn a_key_is_renewed_in_time() {
    let mut rig = Rig::start().await;
    mock(&rig.rest, "PUT", "/fapi/v1/listenKey", 200, json!({})).await;
    let streams = StreamConfig { listen_key_renewal: Duration::from_millis(20), ..quick_streams() };
    let _events = rig.client(streams).account_events().await.unwrap();
    let _socket = rig.venue.accept().await;
    timeout(LONG, async {
        while requests(&rig.rest, "/fapi/v1/listenKey")
            .await
            .iter()
            .filter(|one| one.starts_with("PUT"))
            .count()
            < 3
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the key was not renewed");
    rig.never_deleted_the_listen_key().await;
}

#[tokio::test]
async fn a_key_that_the_venue_does_not_know_is_replaced_and_not_renewed_again() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    mock(
        &rig.rest,
        "PUT",
        "/fapi/v1/listenKey",
        400,
        json!({"code":-1125,"msg":"This listenKey does not exist."}),
    )
    .await;
    let streams = StreamConfig { listen_key_renewal: Duration::from_millis(200), ..quick_streams() };
    let mut events = rig.client(streams).account_events().await.unwrap();
    let _old = rig.venue.accept().await;
    let AccountEvent::Disconnected { reason } = next(&mut events).await else { panic!("not disconnected") };
    assert_eq!(reason, "the venue does not know the listen key any more");
    let _new = rig.venue.accept().await;
    until_reconnected(&mut events).await;
    let verbs = requests(&rig.rest, "/fapi/v1/listenKey").await;
    assert_eq!(verbs[..3], ["POST ", "PUT ", "POST "]);
}

#[tokio::test]
async fn a_key_that_cannot_be_renewed_twice_is_replaced() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    mock(&rig.rest, "PUT", "/fapi/v1/listenKey", 401, json!({"code":-2015,"msg":"Invalid API-key"})).await;
    let streams = StreamConfig { listen_key_renewal: Duration::from_millis(40), ..quick_streams() };
    let mut events = rig.client(streams).account_events().await.unwrap();
    let _old = rig.venue.accept().await;
    let AccountEvent::Disconnected { reason } = next(&mut events).await else { panic!("not disconnected") };
    assert!(reason.starts_with("the listen key could not be renewed: "), "{reason}");
}

#[tokio::test]
async fn a_connection_that_answers_no_ping_is_dead() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    let streams = StreamConfig {
        private_ping: Duration::from_millis(40),
        pong_timeout: Duration::from_millis(60),
        ..quick_streams()
    };
    let mut events = rig.client(streams).account_events().await.unwrap();
    // Nobody reads this connection, so nobody answers its pings.
    let _dead = rig.venue.accept().await;
    let AccountEvent::Disconnected { reason } = next(&mut events).await else { panic!("not disconnected") };
    assert_eq!(reason, "no pong within 60ms");
    let alive = rig.venue.accept().await.keep_reading();
    until_reconnected(&mut events).await;
    alive.abort();
}

#[tokio::test]
async fn an_acknowledged_order_that_the_stream_does_not_mention_means_a_dead_stream() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    mock(&rig.rest, "POST", "/fapi/v1/order", 200, order_row("NEW")).await;
    mock(&rig.rest, "GET", "/fapi/v1/order", 200, order_row("FILLED")).await;
    let streams = StreamConfig { ack_silence: Duration::from_millis(60), ..quick_streams() };
    let client = live(rig.client(streams));
    let mut events = client.account_events().await.unwrap();
    let _mute = rig.venue.accept().await.keep_reading();
    client.submit(&close(Exit::Market).into()).await.unwrap();
    let AccountEvent::Disconnected { reason } = next(&mut events).await else { panic!("not disconnected") };
    assert_eq!(reason, "order 70112233445 was acknowledged and the stream does not mention it");
    let _new = rig.venue.accept().await;
    let seen = until_reconnected(&mut events).await;
    assert!(
        matches!(&seen[0], AccountEvent::Order { report } if report.state == ReportedState::Filled),
        "{seen:?}"
    );
}

fn funding_push() -> Value {
    json!({"e":"ACCOUNT_UPDATE","T":NOW_MS + 7,"E":NOW_MS + 11,"a":{"m":"FUNDING_FEE",
      "B":[{"a":"USDT","wb":"10511.96057285","cw":"10511.96057285","bc":"-0.18765825"}],"P":[],"S":"ETHUSDT"}})
}

#[tokio::test]
async fn a_funding_push_becomes_the_flow_of_the_income_history_once() {
    let mut rig = Rig::start().await;
    mock(&rig.rest, "GET", "/fapi/v1/income", 200, json!([income_row("FUNDING_FEE", 7, NOW_MS)])).await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(funding_push()).await;
    socket.send(funding_push()).await;
    socket.send(order_event("FILLED", "TRADE", 1)).await;
    assert!(matches!(next(&mut events).await, AccountEvent::Balances { .. }));
    assert!(
        matches!(next(&mut events).await, AccountEvent::CashFlow { flow } if flow.id == "FUNDING_FEE:7:ETHUSDT")
    );
    assert!(matches!(next(&mut events).await, AccountEvent::Balances { .. }));
    assert!(matches!(next(&mut events).await, AccountEvent::Fill { .. }));
    assert_eq!(requests(&rig.rest, "/fapi/v1/income").await.len(), 1);
}

#[tokio::test]
async fn an_income_history_that_lags_is_asked_again() {
    let mut rig = Rig::start().await;
    Mock::given(method("GET"))
        .and(path("/fapi/v1/income"))
        .respond_with(in_turn(vec![
            answer(200, json!([])),
            answer(200, json!([income_row("FUNDING_FEE", 7, NOW_MS)])),
        ]))
        .mount(&rig.rest)
        .await;
    let streams = StreamConfig { rotate_overlap: Duration::from_millis(40), ..quick_streams() };
    let mut events = rig.client(streams).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(funding_push()).await;
    assert!(matches!(next(&mut events).await, AccountEvent::Balances { .. }));
    assert!(matches!(next(&mut events).await, AccountEvent::CashFlow { .. }));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_leads_to_a_back_fill() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([trade_row(9, NOW_MS)]), json!([])).await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(json!({"e":"ORDER_TRADE_UPDATE","E":NOW_MS,"o":{"s":"ETHUSDT"}})).await;
    let AccountEvent::Disconnected { reason } = next(&mut events).await else { panic!("not disconnected") };
    assert!(reason.starts_with("a message could not be read"), "{reason}");
    let _socket = rig.venue.accept().await;
    let seen = until_reconnected(&mut events).await;
    assert!(matches!(&seen[0], AccountEvent::Fill { fill } if fill.trade_id.0 == 9), "{seen:?}");
}

#[tokio::test]
async fn a_rotation_is_neither_a_gap_nor_a_disconnect() {
    let mut rig = Rig::start().await;
    let streams = StreamConfig {
        rotate_after: Duration::from_millis(80),
        rotate_overlap: Duration::from_millis(80),
        ..quick_streams()
    };
    let mut events = rig.client(streams).account_events().await.unwrap();
    let mut old = rig.venue.accept().await;
    let mut new = rig.venue.accept().await;
    // The new connection is asked for life before it may replace the old one.
    assert!(new.heard().await.unwrap().is_ping());
    old.send(order_event("FILLED", "TRADE", 1)).await;
    new.send(order_event("FILLED", "TRADE", 1)).await;
    old.until_closed().await;
    new.send(order_event("FILLED", "TRADE", 2)).await;
    let mut fills = Vec::new();
    while fills.len() < 2 {
        match next(&mut events).await {
            AccountEvent::Fill { fill } => fills.push(fill.trade_id.0),
            AccountEvent::Order { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fills, [1, 2]);
    assert_eq!(requests(&rig.rest, "/fapi/v1/listenKey").await, ["POST "], "both connections use one key");
}

#[tokio::test]
async fn a_ping_waits_for_the_consumer() {
    let mut rig = Rig::start().await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(order_event("NEW", "NEW", 0)).await;
    socket.ping().await;
    next(&mut events).await;
    assert!(socket.is_silent_for(Duration::from_millis(50)).await, "the report is still in somebody's hands");
    let waiting = tokio::spawn(async move { events.next().await });
    assert!(socket.heard().await.unwrap().is_pong());
    waiting.abort();
}

#[tokio::test]
async fn a_back_fill_begins_by_the_venues_clock_and_not_by_ours() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    // Ours is an hour ahead.
    let clock = TestClock::at(NOW_MS + 3_600_000);
    let client = client_at(&rig.rest.uri(), &rig.venue.url, clock, quick_streams());
    let mut events = client.account_events().await.unwrap();
    drop(rig.venue.accept().await);
    let _new = rig.venue.accept().await;
    until_reconnected(&mut events).await;
    let trades = requests(&rig.rest, "/fapi/v1/userTrades").await;
    let since = format!("startTime={}", NOW_MS - 60_000);
    assert!(trades.iter().any(|request| request.contains(&since)), "{trades:?}");
}

#[tokio::test]
async fn a_fill_does_not_wait_for_the_handshake_of_the_next_connection() {
    let rig = Rig::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ws = format!("ws://{}", listener.local_addr().unwrap());
    let streams = StreamConfig { rotate_after: Duration::from_millis(40), ..quick_streams() };
    let client = client_at(&rig.rest.uri(), &ws, TestClock::at(NOW_MS), streams);
    let (events, first) = tokio::join!(client.account_events(), async {
        tokio_tungstenite::accept_async(listener.accept().await.unwrap().0).await.unwrap()
    });
    let (mut events, mut first) = (events.unwrap(), first);
    // Accepted, and then nobody speaks.
    let _mute = listener.accept().await.unwrap();
    first.send(Message::Text(order_event("FILLED", "TRADE", 1).to_string().into())).await.unwrap();
    let event =
        timeout(Duration::from_secs(2), events.next()).await.expect("the handshake is waited for").unwrap();
    assert!(matches!(event, AccountEvent::Fill { .. }), "{event:?}");
}

const LIQUIDATION: &str = "autoclose-1795168800";

/// A close of the long leg by an order of that number, which was not given here.
fn close_of(trade: i64, order: i64) -> Value {
    let mut row = trade_row(trade, NOW_MS + trade);
    row["orderId"] = json!(order);
    row
}

fn order_named(order: i64, name: &str) -> Value {
    let mut row = order_row("FILLED");
    (row["orderId"], row["clientOrderId"]) = (json!(order), json!(name));
    row
}

/// The trades whose executions say that the venue has liquidated, and all trades.
fn liquidated(events: &[AccountEvent]) -> (Vec<i64>, Vec<i64>) {
    let fills = || {
        events.iter().filter_map(|event| match event {
            AccountEvent::Fill { fill } => Some(fill),
            _ => None,
        })
    };
    let forced = fills().filter(|fill| fill.forced() == Some(ForcedClose::Liquidation));
    (forced.map(|fill| fill.trade_id.0).collect(), fills().map(|fill| fill.trade_id.0).collect())
}

#[tokio::test]
async fn a_liquidation_that_was_missed_is_named_before_its_execution() {
    let mut rig = Rig::start().await;
    mock(&rig.rest, "GET", "/fapi/v1/forceOrders", 200, json!([order_named(9_001, LIQUIDATION)])).await;
    rig.backfill(json!([]), json!([close_of(77, 9_001)]), json!([])).await;
    let seen = rig.after_a_gap().await;
    let order = seen.iter().position(
        |event| matches!(event, AccountEvent::Order { report } if report.forced() == Some(ForcedClose::Liquidation)),
    );
    let fill = seen.iter().position(|event| matches!(event, AccountEvent::Fill { .. }));
    assert!(order.is_some() && order < fill, "{seen:?}");
    assert_eq!(liquidated(&seen), (vec![77], vec![77]));
    let asked = requests(&rig.rest, "/fapi/v1/forceOrders").await;
    let since = format!("GET startTime={}&limit=100", NOW_MS - 60_000);
    assert_eq!(asked.iter().map(|request| unsigned(request)).collect::<Vec<_>>(), [since]);
    assert!(requests(&rig.rest, "/fapi/v1/allOrders").await.is_empty(), "nothing is left to be explained");
}

#[tokio::test]
async fn a_liquidation_behind_a_burst_of_closes_is_named_wherever_the_venue_lists_it() {
    let closes = || (1..=30_i64).map(|n| close_of(n, 9_000 + n)).collect::<Value>();
    let somebody = |n: i64| order_named(9_000 + n, "web_abc");
    let last = || order_named(9_030, LIQUIDATION);
    let (all, others): (Value, Value) =
        ((1..30).map(somebody).chain([last()]).collect(), (1..30).map(somebody).collect());
    // Among all orders; among the forced ones of the symbol only; or nowhere but under its number.
    for (all, forced, by_number) in
        [(all, json!([]), 0), (others.clone(), json!([last()]), 0), (others, json!([]), 1)]
    {
        let mut rig = Rig::start().await;
        Mock::given(method("GET"))
            .and(path("/fapi/v1/forceOrders"))
            .and(wiremock::matchers::query_param("symbol", "ETHUSDT"))
            .respond_with(answer(200, forced))
            .mount(&rig.rest)
            .await;
        mock(&rig.rest, "GET", "/fapi/v1/allOrders", 200, all).await;
        mock(&rig.rest, "GET", "/fapi/v1/order", 200, last()).await;
        rig.backfill(json!([]), closes(), json!([])).await;
        let (forced, trades) = liquidated(&rig.after_a_gap().await);
        assert_eq!((forced, trades.len()), (vec![30], 30));
        assert_eq!(requests(&rig.rest, "/fapi/v1/order").await.len(), by_number);
        let asked = requests(&rig.rest, "/fapi/v1/allOrders").await;
        assert_eq!(
            asked.iter().map(|request| unsigned(request)).collect::<Vec<_>>(),
            ["GET symbol=ETHUSDT&orderId=9001&limit=1000"]
        );
    }
}

#[tokio::test]
async fn an_execution_whose_order_could_not_be_found_out_is_not_told_before_it_is() {
    for broken in ["/fapi/v1/allOrders", "/fapi/v1/forceOrders"] {
        let mut rig = Rig::start().await;
        // One attempt of the back-fill is three questions.
        let unwell = || answer(503, json!({"code":-1001,"msg":"Service Unavailable."}));
        let well = match broken {
            "/fapi/v1/allOrders" => answer(200, json!([order_named(9_001, LIQUIDATION)])),
            _ => answer(200, json!([])),
        };
        let answers = in_turn(vec![unwell(), unwell(), unwell(), well]);
        Mock::given(method("GET")).and(path(broken)).respond_with(answers).mount(&rig.rest).await;
        mock(&rig.rest, "GET", "/fapi/v1/allOrders", 200, json!([order_named(9_001, LIQUIDATION)])).await;
        rig.backfill(json!([]), json!([close_of(77, 9_001)]), json!([])).await;
        let seen = rig.after_a_failed_back_fill().await;
        assert_eq!(liquidated(&seen), (vec![77], vec![77]), "{broken}: {seen:?}");
    }
}

#[tokio::test]
async fn an_order_that_a_replica_does_not_show_yet_is_nobody_elses() {
    let mut rig = Rig::start().await;
    let hidden = answer(400, json!({"code":-2013,"msg":"Order does not exist."}));
    let answers = in_turn(vec![hidden, answer(200, order_named(9_001, LIQUIDATION))]);
    Mock::given(method("GET")).and(path("/fapi/v1/order")).respond_with(answers).mount(&rig.rest).await;
    rig.backfill(json!([]), json!([close_of(77, 9_001)]), json!([])).await;
    let seen = rig.after_a_failed_back_fill().await;
    assert_eq!(liquidated(&seen), (vec![77], vec![77]), "{seen:?}");
}

#[tokio::test]
async fn a_liquidation_while_nobody_looked_is_named_in_the_executions_that_a_start_reads() {
    let rig = Rig::start().await;
    mock(
        &rig.rest,
        "GET",
        "/fapi/v1/allOrders",
        200,
        json!([order_row("FILLED"), order_named(9_001, LIQUIDATION)]),
    )
    .await;
    rig.backfill(json!([]), json!([trade_row(76, NOW_MS), close_of(77, 9_001)]), json!([])).await;
    let client = rig.client(quick_streams());
    let since = hedge_core::Timestamp::from_ms(NOW_MS - 1_000);
    for _ in 0..2 {
        let fills = client.fills_since(&eth(), since).await.unwrap();
        assert_eq!(fills[0].client_id.as_ref().map(|id| id.as_str()), Some(CLIENT_ID), "our own");
        assert_eq!(fills[1].forced(), Some(ForcedClose::Liquidation));
    }
    assert_eq!(requests(&rig.rest, "/fapi/v1/allOrders").await.len(), 1, "what is known is not asked again");
}

#[tokio::test]
async fn what_a_panic_close_has_closed_bears_its_name_and_somebody_elses_names_nobody() {
    let rig = Rig::start().await;
    let names = ["h0tou39tzzz01c", "web_abc"];
    mock(
        &rig.rest,
        "GET",
        "/fapi/v1/allOrders",
        200,
        json!([order_named(9_001, names[0]), order_named(9_002, names[1])]),
    )
    .await;
    let mut opening = close_of(79, 9_003);
    opening["side"] = json!("BUY");
    rig.backfill(json!([]), json!([close_of(77, 9_001), close_of(78, 9_002), opening]), json!([])).await;
    let since = hedge_core::Timestamp::from_ms(NOW_MS - 1_000);
    let fills = rig.client(quick_streams()).fills_since(&eth(), since).await.unwrap();
    let found: Vec<_> = fills.iter().map(|fill| fill.client_id.clone()).collect();
    let panics = hedge_core::ReportedId::parse(names[0]);
    assert!(panics.ours().is_some(), "a panic close, which no journal knows");
    assert_eq!(found, [Some(panics), None, None], "the second may be the child of a stop of ours");
}

#[tokio::test]
async fn executions_that_nobody_can_name_are_told_to_who_asks_and_those_that_can_be_named_are() {
    let broken = json!({"orderId":9_002,"symbol":"ETHUSDT","executedQty":"a lot"});
    let rig = Rig::start().await;
    mock(&rig.rest, "GET", "/fapi/v1/allOrders", 200, json!([order_named(9_001, LIQUIDATION), broken])).await;
    Mock::given(method("GET"))
        .and(path("/fapi/v1/order"))
        .and(wiremock::matchers::query_param("orderId", "9001"))
        .respond_with(answer(200, order_named(9_001, LIQUIDATION)))
        .mount(&rig.rest)
        .await;
    mock(&rig.rest, "GET", "/fapi/v1/order", 200, broken).await;
    rig.backfill(json!([]), json!([close_of(77, 9_001), close_of(78, 9_002)]), json!([])).await;
    let client = rig.client(quick_streams());
    let since = hedge_core::Timestamp::from_ms(NOW_MS - 1_000);
    let fills = client.fills_since(&eth(), since).await.expect("an order of unknown fate waits for them");
    assert_eq!(fills[0].forced(), Some(ForcedClose::Liquidation));
    assert_eq!((fills[1].trade_id.0, &fills[1].client_id), (78, &None));
}

#[tokio::test]
async fn orders_are_not_asked_for_one_by_one_where_many_of_them_have_no_list() {
    let rig = Rig::start().await;
    mock(&rig.rest, "GET", "/fapi/v1/allOrders", 200, json!({"odd": true})).await;
    mock(&rig.rest, "GET", "/fapi/v1/order", 200, order_named(9_001, "web_abc")).await;
    let closes = (1..=51_i64).map(|n| close_of(n, 9_000 + n)).collect();
    rig.backfill(json!([]), closes, json!([])).await;
    let client = rig.client(quick_streams());
    let since = hedge_core::Timestamp::from_ms(NOW_MS - 1_000);
    assert_eq!(client.fills_since(&eth(), since).await.unwrap().len(), 51);
    assert!(requests(&rig.rest, "/fapi/v1/order").await.is_empty());
}

/// A liquidation's execution as it is pushed without its fee.
fn liquidation_without_fee() -> Value {
    let mut event = order_event("FILLED", "CALCULATED", 77);
    let order = event["o"].as_object_mut().unwrap();
    order.insert("c".to_owned(), json!("autoclose-1795168800158"));
    assert!(order.remove("n").is_some() && order.remove("N").is_some());
    event
}

#[tokio::test]
async fn a_forced_execution_without_its_fee_is_looked_up_and_never_free() {
    let mut rig = Rig::start().await;
    // Another one's order is not known yet: it is told when it is.
    let listed = json!([close_of(70, 9_001), trade_row(77, NOW_MS)]);
    mock(&rig.rest, "GET", "/fapi/v1/userTrades", 200, listed).await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(liquidation_without_fee()).await;
    socket.send(json!({"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"ETHUSDT","l":10}})).await;
    let forced = next(&mut events).await;
    assert!(
        matches!(&forced, AccountEvent::Order { report } if report.forced() == Some(ForcedClose::Liquidation)),
        "{forced:?}"
    );
    let AccountEvent::Fill { fill } = next(&mut events).await else { panic!("no execution") };
    assert_eq!((fill.trade_id.0, fill.fee.value.get().is_zero()), (77, false));
    assert!(
        matches!(next(&mut events).await, AccountEvent::LeverageChanged { .. }),
        "the connection has stayed"
    );
    assert_eq!(requests(&rig.rest, "/fapi/v1/userTrades").await.len(), 1);
}

#[tokio::test]
async fn a_fee_that_is_not_listed_yet_leads_to_a_back_fill() {
    let mut rig = Rig::start().await;
    rig.backfill(json!([]), json!([]), json!([])).await;
    let mut events = rig.client(quick_streams()).account_events().await.unwrap();
    let mut socket = rig.venue.accept().await;
    socket.send(liquidation_without_fee()).await;
    assert!(matches!(next(&mut events).await, AccountEvent::Order { .. }));
    let AccountEvent::Disconnected { reason } = next(&mut events).await else { panic!("not disconnected") };
    assert_eq!(reason, "the fee of forced execution 77 is not known: it is not listed yet");
}
