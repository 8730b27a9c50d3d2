//! The executor meets every fault of the exchange over its sockets, and goes on: no order twice, every leg covered, books
//! equal.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use hedge_core::{CashFlowKind, Decision, Difference, Envelope, Event, Seq};
use hedge_store::FileJournal;
use serde_json::{Value, json};
use support::{
    Temp,
    audit::{books_equal_the_exchange, nothing_is_doubled},
    exchange::replayed,
    executor,
    following::Following,
};

const SEED: u64 = 42;
const BARS: &str = "1100";
const HOUR_MS: u64 = 3_600_000;
/// Much longer than a loaded machine needs for 1,100 bars; an executor that spins or waits for ever takes longer.
const PATIENCE: Duration = Duration::from_secs(150);

/// A request to the exchange inside the executor; `None` once it is gone.
fn ask(rest: &str, method: &str, body: &str) -> Option<Value> {
    let host = rest.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).ok()?;
    let length = body.len();
    let head = format!(
        "{method} /sim/faults HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

/// Plays the generated market with faults, each beginning six hours of venue time after the one before it, and returns
/// how they are listed last.
fn play(temp: &Temp, faults: &[Value]) -> Vec<Value> {
    play_with(temp, faults, &[])
}

/// The same with variables of the executor's.
fn play_with(temp: &Temp, faults: &[Value], variables: &[(&str, &str)]) -> Vec<Value> {
    let seed = SEED.to_string();
    let args = ["--state-dir", "d", "--bars", BARS, "--seed", &seed, "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT"];
    let mut command = executor(temp, &args);
    command.env("HEDGE__JOURNAL__DURABILITY", "os").envs(variables.iter().copied());
    let mut run = Following::start(command);
    let preflight = run.wait_for("[preflight]");
    let rest = preflight.split(" base=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    for (at, fault) in faults.iter().enumerate() {
        let mut fault = fault.clone();
        fault["after_ms"] = json!((at as u64 + 1) * 6 * HOUR_MS);
        let armed = ask(&rest, "POST", &fault.to_string()).expect("the exchange answers");
        assert_eq!(armed["fault"], fault["fault"], "{armed}");
    }
    let until = Instant::now() + PATIENCE;
    let mut last = Value::Null;
    while let Some(list) = ask(&rest, "GET", "") {
        last = list;
        assert!(Instant::now() < until, "it does not come to its end: {last:#}");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(run.end(), Some(0), "{:#?}", run.seen.iter().rev().take(20).collect::<Vec<_>>());
    last["faults"].as_array().expect("faults were listed").clone()
}

fn records(dir: &Path) -> Vec<Envelope> {
    FileJournal::open_read_only(dir).unwrap().records(Seq(0)).collect::<Result<_, _>>().unwrap()
}

/// No order was sent twice, every open leg has its stop, and journal, views and exchange agree.
fn all_is_well(dir: &Path) {
    let records = records(dir);
    assert!(records.len() < 60_000, "{} records: something was tried over and over", records.len());
    nothing_is_doubled(dir, &records);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exchange = replayed(dir, SEED).await;
        books_equal_the_exchange(dir, &records, &exchange);
        exchange.shutdown().await;
    });
}

fn each_happened(faults: &[Value]) {
    for fault in faults {
        // A silence is not counted: it is over when its time is.
        let happened =
            fault["hits"].as_u64() > Some(0) || (fault["fault"] == "silence" && fault["stage"] == "over");
        assert!(happened, "{fault}");
    }
}

fn on(path: &str, fault: &str, more: Value) -> Value {
    let mut fault = json!({"fault": fault, "match": {"method": "POST", "path": path}, "count": 2});
    fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fault
}

#[test]
fn answers_that_are_lost_late_or_errors_double_no_order_and_bare_no_leg() {
    let temp = Temp::new("faults-requests");
    let mut faults = Vec::new();
    for path in ["/fapi/v1/order", "/fapi/v1/algoOrder"] {
        faults.extend([
            on(path, "accept_then_drop", json!({})),
            on(path, "drop", json!({})),
            on(path, "delay", json!({"delay_ms": 100, "when": "after"})),
            on(path, "delay", json!({"delay_ms": 100, "when": "before"})),
            on(path, "http_503_unknown", json!({"executed": true})),
            on(path, "http_503_unknown", json!({"executed": false})),
            on(path, "http_503_unavailable", json!({})),
            on(path, "http_503_internal", json!({})),
            on(path, "http_503_overload", json!({"spare_closes": false})),
            on(path, "http_429", json!({"retry_after_s": 1})),
        ]);
    }
    each_happened(&play(&temp, &faults));
    all_is_well(&temp.join("d"));
}

#[test]
fn disordered_events_dead_sockets_and_a_meddling_venue_leave_the_books_right() {
    let temp = Temp::new("faults-events");
    let two_hours = 2 * HOUR_MS;
    let faults = [
        json!({"fault": "duplicate", "count": 40}),
        json!({"fault": "reorder", "count": 20}),
        json!({"fault": "late", "delay_ms": 1_800_000, "count": 10}),
        json!({"fault": "lose", "match": {"event": "ORDER_TRADE_UPDATE"}, "count": 6}),
        json!({"fault": "lose", "match": {"event": "ALGO_UPDATE"}, "count": 6}),
        json!({"fault": "skew", "skew_ms": -5_000, "for_ms": two_hours}),
        json!({"fault": "skew", "skew_ms": 60_000, "for_ms": two_hours}),
        json!({"fault": "cut"}),
        json!({"fault": "cut", "match": {"path": "/private"}, "for_ms": two_hours}),
        json!({"fault": "silence", "match": {"path": "/private"}, "for_ms": two_hours}),
        json!({"fault": "silence", "for_ms": two_hours}),
        json!({"fault": "listen_key_expired"}),
        json!({"fault": "filter_changed", "symbol": "ETHUSDT", "tick": "0.10", "step": "0.01", "for_ms": 12 * HOUR_MS}),
        json!({"fault": "mode_flipped", "hedge": false, "force": true, "for_ms": HOUR_MS}),
    ];
    each_happened(&play(&temp, &faults));
    all_is_well(&temp.join("d"));
}

#[test]
fn orders_over_the_websocket_api_survive_lost_answers_and_torn_lines_like_orders_by_rest() {
    let temp = Temp::new("faults-ws-api");
    let two_hours = 2 * HOUR_MS;
    let mut faults = Vec::new();
    for path in ["/ws-fapi/v1/order.place", "/ws-fapi/v1/algoOrder.place"] {
        faults.extend([
            // Executed, and the line ends without an answer; not executed, and the same.
            on(path, "accept_then_drop", json!({})),
            on(path, "drop", json!({})),
            on(path, "delay", json!({"delay_ms": 100, "when": "after"})),
            on(path, "http_503_unknown", json!({"executed": true})),
            on(path, "http_503_unknown", json!({"executed": false})),
            on(path, "http_503_internal", json!({})),
            on(path, "http_429", json!({"retry_after_s": 1})),
        ]);
    }
    // The host of the connection is away, and REST is not: exits go on, entries wait.
    faults.push(json!({"fault": "cut", "match": {"path": "/ws-fapi/v1"}, "for_ms": two_hours}));
    // From here on everything is counted: that it happened says that the orders went this way to the end.
    faults.push(
        json!({"fault": "delay", "match": {"path": "/ws-fapi/v1/order.place"}, "count": 5, "delay_ms": 1}),
    );
    each_happened(&play_with(&temp, &faults, &[("HEDGE__BINANCE__ORDER_PATH", "ws-api")]));
    all_is_well(&temp.join("d"));
}

#[test]
fn a_settlement_that_the_stream_lost_is_found_as_the_funding_it_was() {
    let temp = Temp::new("faults-funding");
    let lost = json!({"fault": "lose", "match": {"event": "ACCOUNT_UPDATE"}, "count": 60});
    each_happened(&play(&temp, &[lost]));
    all_is_well(&temp.join("d"));
    let records = records(&temp.join("d"));
    let (mut book, mut changes) = (hedge_core::Book::default(), Vec::new());
    let (mut funding, mut anonymous) = (0, 0);
    for record in &records {
        book.apply(record, &mut changes);
        changes.clear();
        let Event::Decision(Decision::Corrected { difference }) = &record.event else { continue };
        match difference {
            Difference::Flow { flow } if flow.kind == CashFlowKind::Funding => funding += 1,
            Difference::Wallet { .. } => anonymous += 1,
            _ => {}
        }
    }
    assert!(funding > 0, "no settlement was lost, or none was found");
    assert_eq!(anonymous, 0, "money moved without a cause");
    assert!(!book.totals().funding.is_zero() && book.totals().corrections.is_zero(), "{:?}", book.totals());
}
