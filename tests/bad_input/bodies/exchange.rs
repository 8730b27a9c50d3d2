//! What an exchange may send.

use std::collections::BTreeSet;

use hedge_binance::{
    codes::{ErrorBody, banned_until_ms, judge},
    decode::{self, Explained, Explainer, Source},
    hot::{self, Hot},
    order_book::LocalBook,
    wire::{
        event::{AggTradeEvent, BookTickerEvent, DepthEvent, KlineEvent, MarkPriceEvent},
        market::Depth,
    },
    ws_api,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{headed, honest};

/// Every source of messages by its words.
pub(crate) fn sources() -> Vec<String> {
    let rest = decode::endpoints().map(|(verb, path)| format!("rest:{verb} {path}"));
    ["ws".to_owned(), "wsapi".to_owned()].into_iter().chain(rest).collect()
}

/// Messages of one source, a line each, as one session reads them.
pub(crate) fn messages(source: Source, bytes: &[u8]) {
    let mut explainer = Explainer::new(source);
    for line in String::from_utf8_lossy(bytes).lines() {
        let outcomes = explainer.each(line);
        assert!(outcomes.len() <= 1 + line.len(), "more events than letters");
        let rows: Vec<Explained> = outcomes.into_iter().flatten().collect();
        if !rows.is_empty() {
            is_what_was_written(source, line, &rows);
        }
    }
}

/// No number is invented, none is a zero that nobody wrote, and what was read reads the same again.
fn is_what_was_written(source: Source, line: &str, rows: &[Explained]) {
    let message: Value = serde_json::from_str(line).unwrap();
    let mut written = BTreeSet::new();
    honest::numbers(&message, &mut written);
    for row in rows {
        let fields = Value::Object(row.fields.clone());
        let invented = honest::invented(&fields, &written, "");
        assert_eq!(invented, None, "a number that does not stand in {line}: {fields}");
        // What the child of a conditional order has filled is told by its fills; a row may leave it out.
        let is_of_algo = row.kind.starts_with("algo") || row.kind.starts_with("ALGO");
        if !written.contains(&hedge_core::Decimal::ZERO) && !is_of_algo {
            let facts = json!(row.facts);
            assert_eq!(honest::zero(&facts, ""), None, "a zero that nobody wrote: {line}: {facts}");
        }
        reads_the_same_again(source, row);
    }
}

fn reads_the_same_again(source: Source, row: &Explained) {
    let is_bare = matches!(source, Source::Ws) || (matches!(source, Source::Rest(_)) && row.kind != "error");
    if !is_bare || !row.venue.is_object() || honest_unknown(&row.venue) {
        return;
    }
    let text = row.venue.to_string();
    let again = Explainer::new(source).line(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let [again] = again.as_slice() else { panic!("{text} is {} events", again.len()) };
    assert_eq!((&again.fields, &again.facts), (&row.fields, &row.facts), "{text}");
}

/// Whether a word was not known: it is echoed as an object.
fn honest_unknown(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key("unknown") || fields.values().any(honest_unknown),
        Value::Array(rows) => rows.iter().any(honest_unknown),
        _ => false,
    }
}

/// Events of market and user streams, a line each.
pub(crate) fn stream(bytes: &[u8]) {
    messages(Source::Ws, bytes);
}

/// `METHOD /path` in the first line, the body of the answer behind it, and what its status would make of it.
pub(crate) fn rest(bytes: &[u8]) {
    let Some((call, body)) = headed(bytes) else { return };
    if let Ok(source) = Source::parse(&format!("rest:{call}")) {
        messages(source, body);
    }
    let error = ErrorBody::parse(body);
    for status in [200, 400, 401, 408, 418, 429, 500, 503, 504] {
        let _ = judge(status, error.as_ref()).outcome();
    }
    if let Some(error) = &error {
        let _ = banned_until_ms(&error.msg);
    }
}

/// Frames of the WebSocket API, a line each: requests and answers.
pub(crate) fn ws_api(bytes: &[u8]) {
    for line in String::from_utf8_lossy(bytes).lines() {
        let Some((id, response)) = ws_api::response(line, 1_795_168_800_000) else { continue };
        // Where nobody looks may stand a number that no value holds.
        let Ok(frame) = serde_json::from_str::<Value>(line) else { continue };
        assert_eq!(frame["status"], json!(response.status), "{line}");
        let number = frame["id"].to_string();
        assert!(frame["id"].as_str() == Some(id.as_str()) || number == id, "{line} is for {id}");
        assert!(response.body.len() <= line.len() + 32, "{} bytes of {}", response.body.len(), line.len());
        let stated = frame.get("error").filter(|error| !error.is_null()).or(frame.get("result"));
        let body: Option<Value> = serde_json::from_slice(&response.body).ok();
        // The levels of a book may stand beside the result; they are put into it.
        let is_joined = frame.get("bids").is_some() && frame.get("asks").is_some();
        assert!(is_joined || body.as_ref() == stated || response.body.is_empty(), "{line}: {body:?}");
        let _ = judge(response.status, ErrorBody::parse(&response.body).as_ref());
    }
    messages(Source::WsApi, bytes);
}

/// What the fast reader answers is what the serde structs answer, and what the text says.
pub(crate) fn hot(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(frame) = hot::frame(text) {
        let message: Value = serde_json::from_str(text).unwrap();
        assert_eq!(message["stream"], json!(frame.stream));
        is_read_by_serde(&frame.event, &message["data"]);
    }
    if let Some(event) = hot::event(text) {
        is_read_by_serde(&event, &serde_json::from_str(text).unwrap());
    }
}

/// The full structs may refuse a field that the fast reader skips; they never say something else.
fn is_read_by_serde(event: &Hot<'_>, message: &Value) {
    let says = |key: &str, value: hedge_core::Decimal| {
        let (object, key) = key.strip_prefix("k.").map_or((message, key), |key| (&message["k"], key));
        assert_eq!(honest::number(&object[key]), Some(value.normalize()), "{key} of {message}");
    };
    match event {
        Hot::BookTicker(hot) => {
            for (key, value) in [
                ("b", hot.bid),
                ("B", hot.bid_qty),
                ("a", hot.ask),
                ("A", hot.ask_qty),
                ("u", hot.update_id.into()),
            ] {
                says(key, value);
            }
            let slow = struct_of::<BookTickerEvent>(message);
            assert!(slow.is_none_or(|slow| hot::BookTicker::from(&slow) == *hot), "{message}");
        }
        Hot::AggTrade(hot) => {
            for (key, value) in
                [("p", hot.price), ("q", hot.qty), ("a", hot.id.into()), ("T", hot.trade_time.into())]
            {
                says(key, value);
            }
            assert_eq!(message["m"], json!(hot.buyer_is_maker));
            let slow = struct_of::<AggTradeEvent>(message);
            assert!(slow.is_none_or(|slow| hot::AggTrade::from(&slow) == *hot), "{message}");
        }
        Hot::MarkPrice(hot) => {
            for (key, value) in [("p", hot.mark), ("i", hot.index)] {
                says(key, value);
            }
            let slow = struct_of::<MarkPriceEvent>(message);
            assert!(slow.is_none_or(|slow| hot::MarkPrice::from(&slow) == *hot), "{message}");
        }
        Hot::Kline(hot) => {
            for (key, value) in [
                ("k.o", hot.open),
                ("k.h", hot.high),
                ("k.l", hot.low),
                ("k.c", hot.close),
                ("k.v", hot.volume),
            ] {
                says(key, value);
            }
            assert_eq!(message["k"]["x"], json!(hot.closed));
            let slow = struct_of::<KlineEvent>(message);
            assert!(slow.is_none_or(|slow| hot::Kline::from(&slow) == *hot), "{message}");
        }
    }
}

fn struct_of<T: DeserializeOwned>(message: &Value) -> Option<T> {
    serde_json::from_value(message.clone()).ok()
}

/// Snapshots and diffs of one book, a line each. A book that is shown is not crossed and has something at every price.
pub(crate) fn order_book(bytes: &[u8]) {
    let mut book = LocalBook::new();
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Ok(diff) = serde_json::from_str::<DepthEvent>(line) {
            book.on_diff(&diff);
        } else if let Ok(snapshot) = serde_json::from_str::<Depth>(line) {
            book.on_snapshot(&snapshot, 1_000);
        }
        let Some(ladder) = book.ladder() else { continue };
        assert!(!ladder.is_crossed(), "{line}");
        assert!(ladder.bids().chain(ladder.asks()).all(|(_, qty)| qty > hedge_core::Decimal::ZERO), "{line}");
        for side in [hedge_core::OrderSide::Buy, hedge_core::OrderSide::Sell] {
            let _ = ladder.cost(side, hedge_core::Decimal::ONE);
        }
        let _ = (ladder.mid(), ladder.spread());
    }
}
