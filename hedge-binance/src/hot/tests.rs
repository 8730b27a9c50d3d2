//! The fast reader and the serde structs say the same, or the fast reader says nothing.

use proptest::prelude::*;
use serde::de::DeserializeOwned;

use super::{AggTrade, BookTicker, Hot, Kline, MarkPrice, event, frame};
use crate::wire::event::{AggTradeEvent, BookTickerEvent, KlineEvent, MarkPriceEvent};

const BOOK: &str = r#"{"e":"bookTicker","u":400900217,"s":"BTCUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000","T":1568014460891,"E":1568014460893}"#;
const TRADE: &str = r#"{"e":"aggTrade","E":123456789,"a":5933014,"s":"BTCUSDT","p":"0.001","q":"100","nq":"90","f":100,"l":105,"T":123456785,"m":true}"#;
const MARK: &str = r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","ap":"11794.1","i":"11784.62659091","P":"11784.25641265","r":"-0.00038167","T":1562306400000}"#;
const KLINE: &str = r#"{"e":"kline","E":1638747660000,"s":"BTCUSDT","k":{"t":1638747660000,"T":1638747719999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"0"}}"#;
const ALL: [&str; 4] = [BOOK, TRADE, MARK, KLINE];

/// What the fast reader gives and nothing else. The full structs also read what it skips, and refuse a message for that.
mod lean {
    use rust_decimal::Decimal;
    use serde::Deserialize;

    use crate::wire::number::{boolean, int};

    #[derive(Deserialize)]
    pub(super) struct Book {
        #[serde(deserialize_with = "int")]
        pub(super) u: i64,
        #[serde(rename = "E", deserialize_with = "int")]
        pub(super) event_time: i64,
        #[serde(rename = "T", deserialize_with = "int")]
        pub(super) time: i64,
        pub(super) s: String,
        pub(super) b: Decimal,
        #[serde(rename = "B")]
        pub(super) bid_qty: Decimal,
        pub(super) a: Decimal,
        #[serde(rename = "A")]
        pub(super) ask_qty: Decimal,
    }

    #[derive(Deserialize)]
    pub(super) struct Trade {
        #[serde(deserialize_with = "int")]
        pub(super) a: i64,
        #[serde(rename = "E", deserialize_with = "int")]
        pub(super) event_time: i64,
        #[serde(rename = "T", deserialize_with = "int")]
        pub(super) time: i64,
        #[serde(deserialize_with = "int")]
        pub(super) f: i64,
        #[serde(deserialize_with = "int")]
        pub(super) l: i64,
        pub(super) s: String,
        pub(super) p: Decimal,
        pub(super) q: Decimal,
        #[serde(deserialize_with = "boolean")]
        pub(super) m: bool,
    }

    #[derive(Deserialize)]
    pub(super) struct Mark {
        #[serde(rename = "E", deserialize_with = "int")]
        pub(super) event_time: i64,
        pub(super) s: String,
        pub(super) p: Decimal,
        pub(super) i: Decimal,
        pub(super) r: Decimal,
        #[serde(rename = "T", deserialize_with = "int")]
        pub(super) next: i64,
    }

    #[derive(Deserialize)]
    pub(super) struct Candle {
        #[serde(rename = "E", deserialize_with = "int")]
        pub(super) event_time: i64,
        pub(super) s: String,
        pub(super) k: Body,
    }

    #[derive(Deserialize)]
    pub(super) struct Body {
        #[serde(deserialize_with = "int")]
        pub(super) t: i64,
        #[serde(rename = "T", deserialize_with = "int")]
        pub(super) end: i64,
        pub(super) i: String,
        pub(super) o: Decimal,
        pub(super) c: Decimal,
        pub(super) h: Decimal,
        pub(super) l: Decimal,
        pub(super) v: Decimal,
        pub(super) q: Decimal,
        #[serde(deserialize_with = "int")]
        pub(super) n: i64,
        #[serde(deserialize_with = "boolean")]
        pub(super) x: bool,
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Whether serde reads the same from the same text, field by field. The full structs too, unless they refuse a field that
/// the fast reader skips.
fn structs_agree(hot: &Hot<'_>, text: &str) -> bool {
    let (lean, full) = match hot {
        Hot::BookTicker(hot) => (
            read(text).is_some_and(|row: lean::Book| {
                let times = (row.event_time, row.time) == (hot.event_time, hot.transaction_time);
                times
                    && (row.u, &*row.s) == (hot.update_id, hot.symbol)
                    && (row.b, row.bid_qty, row.a, row.ask_qty)
                        == (hot.bid, hot.bid_qty, hot.ask, hot.ask_qty)
            }),
            read(text).is_none_or(|slow: BookTickerEvent| BookTicker::from(&slow) == *hot),
        ),
        Hot::AggTrade(hot) => (
            read(text).is_some_and(|row: lean::Trade| {
                (row.a, row.event_time, row.time, row.f, row.l)
                    == (hot.id, hot.event_time, hot.trade_time, hot.first_trade, hot.last_trade)
                    && (&*row.s, row.p, row.q, row.m) == (hot.symbol, hot.price, hot.qty, hot.buyer_is_maker)
            }),
            read(text).is_none_or(|slow: AggTradeEvent| AggTrade::from(&slow) == *hot),
        ),
        Hot::MarkPrice(hot) => (
            read(text).is_some_and(|row: lean::Mark| {
                (row.event_time, &*row.s, row.p, row.i) == (hot.event_time, hot.symbol, hot.mark, hot.index)
                    && (Some(row.r), Some(row.next)) == (hot.funding_rate, hot.next_funding)
            }),
            read(text).is_none_or(|slow: MarkPriceEvent| MarkPrice::from(&slow) == *hot),
        ),
        Hot::Kline(hot) => (
            read(text).is_some_and(|row: lean::Candle| {
                let k = &row.k;
                (row.event_time, &*row.s, k.t, k.end, &*k.i)
                    == (hot.event_time, hot.symbol, hot.open_time, hot.close_time, hot.interval)
                    && (k.o, k.h, k.l, k.c) == (hot.open, hot.high, hot.low, hot.close)
                    && (k.v, k.q, k.n, k.x) == (hot.volume, hot.quote_volume, hot.trades, hot.closed)
            }),
            read(text).is_none_or(|slow: KlineEvent| Kline::from(&slow) == *hot),
        ),
    };
    lean && full
}

/// Whether one of the full structs reads it.
fn is_read_in_full(text: &str) -> bool {
    read::<BookTickerEvent>(text).is_some()
        || read::<AggTradeEvent>(text).is_some()
        || read::<MarkPriceEvent>(text).is_some()
        || read::<KlineEvent>(text).is_some()
}

#[test]
fn the_documented_examples_are_read_and_the_structs_agree() {
    for text in ALL {
        let hot = event(text).unwrap_or_else(|| panic!("{text}"));
        assert!(is_read_in_full(text), "{text}");
        assert!(structs_agree(&hot, text), "{hot:?}");
        let combined = format!("{{\"stream\":\"btcusdt@x\",\"data\":{text}}}");
        let frame = frame(&combined).unwrap();
        assert_eq!((frame.stream, frame.event), ("btcusdt@x", hot));
    }
    let Some(Hot::BookTicker(book)) = event(BOOK) else { panic!() };
    assert_eq!((book.bid.to_string().as_str(), book.symbol), ("25.3519", "BTCUSDT"));
    let Some(Hot::MarkPrice(mark)) = event(MARK) else { panic!() };
    assert_eq!(mark.funding_rate.unwrap().to_string(), "-0.00038167");
}

#[test]
fn what_is_not_plain_is_left_to_the_structs() {
    let changed = [
        BOOK.replace("\"E\":1568014460893", "\"E\":\"1568014460893\""),
        BOOK.replace("\"E\":1568014460893", "\"E\":1568014460893.0"),
        BOOK.replace("\"E\":1568014460893", "\"E\":9223372036854775807"),
        BOOK.replace("BTCUSDT", "BTC\\u0055SDT"),
        BOOK.replace("25.3519", "2.53519e1"),
        BOOK.replace("\"25.35190000\"", "25.3519"),
        BOOK.replace("25.35190000", "25."),
        BOOK.replace("25.35190000", ""),
        BOOK.replace("25.35190000", "123456789012345678.9"),
        BOOK.replace(",\"a\":", ", \"a\":"),
        BOOK.replace("\"u\":400900217,", ""),
        BOOK.replace("\"u\":400900217", "\"u\":1,\"u\":400900217"),
        BOOK.replace("\"u\":400900217", "\"u\":1,\"x\":[1]"),
        BOOK.replace("bookTicker", "bookTickers"),
        MARK.replace("\"-0.00038167\"", "\"\""),
        format!("{BOOK} "),
        format!("{BOOK}{BOOK}"),
        format!(" {BOOK}"),
    ];
    for text in changed {
        assert_eq!(event(&text), None, "{text}");
    }
    for cut in 0..KLINE.len() {
        assert_eq!(event(&KLINE[..cut]), None);
    }
}

#[test]
fn unknown_fields_change_nothing() {
    let more = BOOK.replace("\"u\":", "\"st\":1,\"ps\":\"BTCUSDT\",\"z\":null,\"y\":false,\"测\":-3,\"u\":");
    assert_eq!(event(&more), event(BOOK));
    assert!(structs_agree(&event(&more).unwrap(), &more));
}

/// Digits with a point somewhere, as venues write numbers.
fn number() -> impl Strategy<Value = String> {
    (any::<bool>(), "[0-9]{1,10}", proptest::option::of("[0-9]{1,8}")).prop_map(|(minus, whole, part)| {
        let minus = if minus { "-" } else { "" };
        part.map_or_else(|| format!("{minus}{whole}"), |part| format!("{minus}{whole}.{part}"))
    })
}

#[test]
fn a_quantity_below_zero_is_left_to_the_structs_which_refuse_it() {
    for (message, qty, minus) in [(BOOK, "40.66000000", "-40.66000000"), (TRADE, "\"q\":\"", "\"q\":\"-")] {
        let text = message.replace(qty, minus);
        assert_ne!(text, message);
        assert_eq!(event(&text), None);
    }
    assert!(serde_json::from_str::<AggTradeEvent>(&TRADE.replace("\"q\":\"", "\"q\":\"-")).is_err());
}

proptest! {
    #[test]
    fn numbers_are_read_as_the_structs_read_them(a in number(), b in number(), id in any::<i64>()) {
        let text = BOOK
            .replace("25.35190000", &a)
            .replace("40.66000000", &b)
            .replace("400900217", &id.to_string());
        match event(&text) {
            Some(hot) => prop_assert!(structs_agree(&hot, &text), "{hot:?}"),
            // A quantity below zero is malformed, and that is for the structs to say.
            None if b.starts_with('-') => {}
            None => prop_assert!(id.unsigned_abs() >= 1_000_000_000_000_000_000, "{text}"),
        }
    }

    #[test]
    fn a_damaged_message_is_never_read_differently(
        which in 0..4_usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = ALL[which].as_bytes().to_vec();
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            match byte {
                0..=99 => bytes[at] = b"0123456789.-eE\"{},:[]\\ntf"[usize::from(byte) % 25],
                100..=179 => { bytes.remove(at); }
                _ => bytes.insert(at, byte & 0x7f),
            }
        }
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Some(hot) = event(text)
        {
            prop_assert!(structs_agree(&hot, text), "{text}: {hot:?}");
        }
    }
}
