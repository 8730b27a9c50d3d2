//! The fast reader and the serde structs say the same, or the fast reader says nothing.

use proptest::prelude::*;
use serde::Deserialize;

use super::{Hot, event, frame};
use crate::wire::event::{AggTradeEvent, BookTickerEvent, KlineEvent, MarkPriceEvent};

const BOOK: &str = r#"{"e":"bookTicker","u":400900217,"s":"BTCUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000","T":1568014460891,"E":1568014460893}"#;
const TRADE: &str = r#"{"e":"aggTrade","E":123456789,"a":5933014,"s":"BTCUSDT","p":"0.001","q":"100","nq":"90","f":100,"l":105,"T":123456785,"m":true}"#;
const MARK: &str = r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","ap":"11794.1","i":"11784.62659091","P":"11784.25641265","r":"-0.00038167","T":1562306400000}"#;
const KLINE: &str = r#"{"e":"kline","E":1638747660000,"s":"BTCUSDT","k":{"t":1638747660000,"T":1638747719999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"0"}}"#;
const ALL: [&str; 4] = [BOOK, TRADE, MARK, KLINE];

/// Whether the structs read the same from the same text.
fn structs_agree(hot: &Hot<'_>, text: &str) -> bool {
    fn same<'a, T: Deserialize<'a> + PartialEq>(text: &'a str, hot: &T) -> bool {
        serde_json::from_str::<T>(text).is_ok_and(|slow| slow == *hot)
    }
    match hot {
        Hot::BookTicker(hot) => same::<BookTickerEvent<'_>>(text, &hot.into()),
        Hot::AggTrade(hot) => same::<AggTradeEvent<'_>>(text, &hot.into()),
        Hot::MarkPrice(hot) => same::<MarkPriceEvent<'_>>(text, &hot.into()),
        Hot::Kline(hot) => same::<KlineEvent>(
            text,
            &KlineEvent { event_time: hot.event_time, symbol: hot.symbol.to_owned(), kline: hot.into() },
        ),
    }
}

#[test]
fn the_documented_examples_are_read_and_the_structs_agree() {
    for text in ALL {
        let hot = event(text).unwrap_or_else(|| panic!("{text}"));
        assert!(structs_agree(&hot, text), "{hot:?}");
        let combined = format!("{{\"stream\":\"btcusdt@x\",\"data\":{text}}}");
        let frame = frame(&combined).unwrap();
        assert_eq!((frame.stream, frame.event), ("btcusdt@x", hot));
    }
    let Some(Hot::BookTicker(book)) = event(BOOK) else { panic!() };
    assert_eq!((book.bid.to_string().as_str(), book.symbol), ("25.3519", "BTCUSDT"));
    let Some(Hot::MarkPrice(mark)) = event(MARK) else { panic!() };
    assert_eq!(mark.funding_rate.to_string(), "-0.00038167");
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

proptest! {
    #[test]
    fn numbers_are_read_as_the_structs_read_them(a in number(), b in number(), id in any::<i64>()) {
        let text = BOOK
            .replace("25.35190000", &a)
            .replace("40.66000000", &b)
            .replace("400900217", &id.to_string());
        match event(&text) {
            Some(hot) => prop_assert!(structs_agree(&hot, &text), "{hot:?}"),
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
