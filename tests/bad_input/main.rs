//! Arbitrary and damaged bytes on every surface: values or errors, never a panic, never a zero that nobody has written.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod bodies;
mod corpus;

use std::fs;

use hedge_binance::decode::{Explainer, Source};
use hedge_core::{Seq, StateStore};
use hedge_desk::config::FileKind;
use hedge_store::{FileOptions, FileStore};
use hedge_testkit::records::every_kind;
use proptest::prelude::*;
use serde_json::{Value, json};

use bodies::{body, exchange, files, honest::zero, scratch, socket};

/// Some damage: bytes changed, taken away, put in, pieces repeated, the end cut off.
fn damaged(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..6_u8);
    prop::collection::vec(edit, 1..8).prop_map(move |edits| {
        let mut bytes = good.clone();
        for (at, until, byte, what) in edits {
            if bytes.is_empty() {
                bytes.push(byte);
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes[at] = b"0123456789.-+eE\"{},:[]\\ntf\n\t =#"[usize::from(byte) % 31],
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, byte),
                4 => {
                    let piece = bytes[at..(at + until.index(64)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes
    })
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        "[ -~\n]{0,400}".prop_map(String::into_bytes),
        "(\\[|\\{|\"a\":){0,300}".prop_map(String::into_bytes),
    ]
}

/// One message of each kind that decides about money; no value in it is zero.
fn samples() -> Vec<(&'static str, Value)> {
    let order = json!({"orderId":7,"symbol":"ETHUSDT","status":"FILLED","clientOrderId":"h0sn8www00111c","price":"2500.5",
        "avgPrice":"2500.4","origQty":"0.25","executedQty":"0.25","cumQty":"0.25","cumQuote":"625.1","timeInForce":"GTC",
        "type":"LIMIT","origType":"LIMIT","reduceOnly":true,"closePosition":false,"side":"SELL","positionSide":"LONG",
        "stopPrice":"2400.5","time":1795168800160_i64,"updateTime":1795168800161_i64});
    let algo = json!({"algoId":4000000987654321_i64,"clientAlgoId":"h0sn8www00111c","orderType":"STOP_MARKET",
        "symbol":"ETHUSDT","side":"SELL","positionSide":"LONG","quantity":"0.75","algoStatus":"TRIGGERED",
        "triggerPrice":"2401","price":"2399","closePosition":false,"actualOrderId":"70112299001","actualPrice":"2398",
        "actualQty":"0.5","createTime":1795168805010_i64,"updateTime":1795168899998_i64});
    let trade = json!({"symbol":"ETHUSDT","id":5,"orderId":7,"side":"SELL","positionSide":"LONG","price":"2500.5",
        "qty":"0.25","quoteQty":"625.1","realizedPnl":"5.46","commission":"0.31","commissionAsset":"USDT",
        "marginAsset":"USDT","time":1795168800161_i64,"maker":false,"buyer":false});
    let position = json!({"symbol":"ETHUSDT","positionSide":"LONG","positionAmt":"0.75","entryPrice":"2480.5",
        "breakEvenPrice":"2481","markPrice":"2502.3","unRealizedProfit":"16.4","liquidationPrice":"2011.4",
        "isolatedMargin":"1","notional":"1876.7","marginAsset":"USDT","isolatedWallet":"1","initialMargin":"187.6",
        "maintMargin":"7.5","positionInitialMargin":"187.6","openOrderInitialMargin":"1","adl":2,"bidNotional":"1",
        "askNotional":"1","updateTime":1795168800161_i64});
    let income = json!({"symbol":"ETHUSDT","incomeType":"FUNDING_FEE","income":"-0.1876","asset":"USDT","info":"x",
        "time":1795190400000_i64,"tranId":9689322393_i64,"tradeId":"5"});
    let event = json!({"e":"ORDER_TRADE_UPDATE","T":1795168800158_i64,"E":1795168800161_i64,"o":{"s":"ETHUSDT",
        "c":"h0sn8www00111c","S":"SELL","o":"LIMIT","f":"GTC","q":"0.5","p":"2502","ap":"2502.34","x":"TRADE",
        "X":"PARTIALLY_FILLED","i":70112233445_i64,"l":"0.25","z":"0.25","L":"2502.34","n":"0.3127","N":"USDT",
        "T":1795168800158_i64,"t":5511223344_i64,"m":true,"R":true,"ps":"LONG","cp":false,"rp":"5.46"}});
    let account = json!({"e":"ACCOUNT_UPDATE","T":1795168800158_i64,"E":1795168800160_i64,"a":{"m":"ORDER",
        "B":[{"a":"USDT","wb":"10512.14","cw":"10512.14","bc":"1"}],"P":[{"s":"ETHUSDT","pa":"-0.5","ep":"2480.5",
        "cr":"118.22","up":"10.92","mt":"cross","iw":"1","ps":"SHORT","bep":"2481.74"}]}});
    vec![
        ("rest:GET /fapi/v1/order", order.clone()),
        ("rest:POST /fapi/v1/order", order),
        ("rest:GET /fapi/v1/algoOrder", algo),
        ("rest:GET /fapi/v1/userTrades", trade),
        ("rest:GET /fapi/v3/positionRisk", position),
        ("rest:GET /fapi/v1/income", income),
        ("ws", event),
        ("ws", account),
    ]
}

/// Every field of a value, as a pointer.
fn fields(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields_of) => {
            for (name, value) in fields_of {
                let pointer = format!("{pointer}/{name}");
                fields(value, &pointer, found);
                found.push(pointer);
            }
        }
        Value::Array(rows) => {
            rows.iter()
                .enumerate()
                .for_each(|(number, row)| fields(row, &format!("{pointer}/{number}"), found));
        }
        _ => {}
    }
}

#[test]
fn what_a_message_leaves_out_is_never_a_zero() {
    let (mut read, mut refused) = (0, 0);
    for (source, sample) in samples() {
        let explain = |message: &Value| {
            let rows = Explainer::new(Source::parse(source).unwrap()).line(&message.to_string());
            rows.map(|rows| json!(rows.iter().map(|row| json!([row.fields, row.facts])).collect::<Vec<_>>()))
        };
        let whole = explain(&sample).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(zero(&whole, ""), None, "{source}");
        let mut found = Vec::new();
        fields(&sample, "", &mut found);
        for pointer in found {
            // Empty text and null are how the venue writes that there is nothing.
            for gone in [None, Some(json!("")), Some(Value::Null)] {
                let mut message = sample.clone();
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                let of = message.pointer_mut(parent).unwrap();
                match (&gone, of) {
                    (None, Value::Object(of)) => drop(of.remove(name)),
                    (Some(gone), of) => of[name] = gone.clone(),
                    (None, _) => continue,
                }
                // What the child of a conditional order has filled is told by its fills; a row may leave it out.
                if pointer == "/actualQty" {
                    continue;
                }
                match explain(&message) {
                    Err(_) => refused += 1,
                    Ok(rows) => {
                        read += 1;
                        assert_eq!(zero(&rows, ""), None, "{source} without {pointer} ({gone:?}): {rows}");
                    }
                }
            }
        }
    }
    assert!(read > 100 && refused > 60, "{read} read, {refused} refused");
}

/// A journal with records of many kinds, as its store writes it.
fn journal_bytes() -> Vec<u8> {
    scratch::with(|dir| {
        let store = FileStore::open(dir, FileOptions::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(store.append(Seq(0), &every_kind()[..24])).unwrap();
        drop(store);
        let segment = fs::read_dir(dir.join("journal")).unwrap().next().unwrap().unwrap();
        fs::read(segment.path()).unwrap()
    })
}

const KLINES: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
    taker_buy_quote_volume,ignore\n1706745600000,42569.80,42620.00,42500.10,42580.50,120.5,1706746499999,5130000.1,900,60.2,\
    2560000.1,0\n1706746500000,42580.50,42600.00,42550.00,42590.00,80.5,1706747399999,3430000.1,700,40.2,1710000.1,0\n";
const TRADES: &str = "id,price,qty,quote_qty,time,is_buyer_maker\n1,42569.80,0.5,21284.9,1706745600001,true\n\
    2,42569.90,0.25,10642.475,1706745600002,false\n";
const QUOTES: &str = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n\
    1,42569.80,1.5,42569.90,2.5,1706745600001,1706745600002\n";
const RUNTIME: &str =
    "[engine]\nprotect_within_ms = 1500\n[journal]\nretention_days = 3\n[log]\nlevel = \"info\"\n";
const UNIVERSE: &str = r#"{"symbols":["BTCUSDT","ETHUSDT"],"BTCUSDT":{"tier":1,"max_notional":"1000"}}"#;
const VARIABLES: &str =
    "# comment\nexport MAX_LEVERAGE=3\nLIVE_MODE='0'\nKILL_DD_PCT=\"5.5\"\nBINANCE_UM_API_KEY=abc\n";
const REQUESTS: [&str; 3] = [
    r#"{"command":"status"}"#,
    r#"{"command":"halt","because":"the exchange behaves oddly"}"#,
    r#"{"command":"flatten"}"#,
];

const MARKET: [&str; 6] = [
    r#"{"e":"bookTicker","u":400900217,"s":"BTCUSDT","b":"25.3519","B":"31.21","a":"25.3652","A":"40.66","T":1568014460891,"E":1568014460893}"#,
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1795168800001,"a":5933014,"s":"BTCUSDT","p":"0.001","q":"100","f":100,"l":105,"T":1795168800000,"m":true}}"#,
    r#"{"e":"markPriceUpdate","E":1795168800000,"s":"BTCUSDT","p":"11794.15","ap":"11794.1","i":"11784.62659091","P":"11784.25641265","r":"-0.00038167","T":1795190400000}"#,
    r#"{"e":"kline","E":1795168800000,"s":"BTCUSDT","k":{"t":1795168740000,"T":1795168799999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":true,"q":"1.5","V":"500","Q":"0.5","B":"0"}}"#,
    "{\"lastUpdateId\":10,\"bids\":[[\"1.19\",\"3\"]],\"asks\":[[\"1.21\",\"5\"]]}\n{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"s\":\"ABCUSDT\",\"U\":8,\"u\":12,\"pu\":7,\"b\":[[\"1.18\",\"4\"]],\"a\":[]}",
    r#"{"e":"forceOrder","E":1795168800000,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"9910","ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1795168800000}}"#,
];
const DOCUMENT: &str = r#"{"mapValue":{"fields":{"qty":{"stringValue":"0.250"},"seq":{"integerValue":"17"},
    "at":{"timestampValue":"2026-11-20T08:15:00.123456Z"},"rows":{"arrayValue":{"values":[{"nullValue":null},
    {"booleanValue":true},{"doubleValue":0.5},{"bytesValue":"aGVkZ2U="}]}}}}}"#;
const FENCE: &str = r#"{"term":7,"posture":"halted","because":"panic close","by":"hedge-panic-close","at":"2026-11-20T08:15:00.123Z"}"#;
const CONSENT: &str = r#"{"venue":"binance","environment":"mainnet","host":"fapi.binance.com","key_digest":"1f2e3d4c",
    "config_hash":"a1b2c3","operator":"someone","given_at":"2026-11-20T08:15:00Z","expires_at":"2026-11-27T08:15:00Z"}"#;

/// So many cases, or as many as `BAD_INPUT_CASES` says: for a long run.
fn cases(few: u32) -> u32 {
    std::env::var("BAD_INPUT_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// A message with a first line that says what it is.
fn headed(head: &str, bytes: &[u8]) -> Vec<u8> {
    [head.as_bytes(), b"\n", bytes].concat()
}

/// A kept input.
fn kept(surface: &str, name: &str) -> Vec<u8> {
    fs::read(hedge_tests::workspace().join("tests/fuzz/corpus").join(surface).join(name)).unwrap()
}

/// Every surface of the exchange with the same bytes; one endpoint of many.
fn every_source(bytes: &[u8], endpoint: &str) {
    exchange::stream(bytes);
    exchange::ws_api(bytes);
    exchange::ws_api(&[br#"{"id":"1","status":200,"result":"#.as_slice(), bytes, b"}"].concat());
    exchange::rest(&headed(endpoint, bytes));
}

fn endpoints() -> Vec<String> {
    exchange::sources()
        .into_iter()
        .filter_map(|source| source.strip_prefix("rest:").map(str::to_owned))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(96)))]

    #[test]
    fn no_bytes_from_the_exchange_make_a_decoder_panic(bytes in anything(), which in any::<prop::sample::Index>()) {
        every_source(&bytes, which.get::<String>(&endpoints()));
        exchange::hot(&bytes);
        exchange::order_book(&bytes);
        body("fold")(&bytes);
    }

    #[test]
    fn no_damage_to_a_message_makes_a_decoder_panic_or_lie(
        (source, bytes) in prop::sample::select(samples()).prop_flat_map(|(source, sample)| {
            (Just(source), damaged(sample.to_string().into_bytes()))
        }),
        other in any::<prop::sample::Index>(),
    ) {
        exchange::messages(Source::parse(source).unwrap(), &bytes);
        every_source(&bytes, other.get::<String>(&endpoints()));
        body("fold")(&bytes);
    }

    #[test]
    fn no_damage_to_a_market_event_makes_the_fast_reader_say_something_else(
        bytes in prop::sample::select(&MARKET[..]).prop_flat_map(|text| damaged(text.into())),
    ) {
        exchange::hot(&bytes);
        exchange::stream(&bytes);
        exchange::order_book(&bytes);
    }

    #[test]
    fn no_bytes_on_the_control_socket_make_it_panic(
        bytes in prop_oneof![anything(), prop::sample::select(&REQUESTS[..]).prop_flat_map(|text| damaged(text.into()))],
    ) {
        socket::control(&bytes);
    }

    #[test]
    fn no_file_of_candles_makes_the_reader_panic_or_lie(bytes in prop_oneof![anything(), damaged(KLINES.into())]) {
        files::klines(&bytes);
    }

    #[test]
    fn no_damage_to_a_record_makes_it_another_one_when_it_is_written_again(
        bytes in prop::sample::select(every_kind()).prop_flat_map(|record| damaged(serde_json::to_vec(&record).unwrap())),
    ) {
        body("record")(&bytes);
    }

    #[test]
    fn no_document_is_another_one_when_it_is_written_again(
        bytes in prop_oneof![anything(), damaged(DOCUMENT.into())],
    ) {
        files::firestore(&bytes);
    }
}

proptest! {
    // These go through files.
    #![proptest_config(ProptestConfig::with_cases(cases(48)))]

    #[test]
    fn no_journal_makes_the_store_panic_and_what_counts_can_be_read(
        bytes in prop_oneof![1 => anything(), 3 => damaged(journal_bytes())],
    ) {
        files::journal(&bytes);
    }

    #[test]
    fn no_packed_segment_makes_the_store_panic_and_packing_changes_no_record(
        bytes in prop_oneof![
            1 => anything(),
            2 => damaged(kept("packed", "whole")),
            2 => damaged(kept("packed", "sums_fit")),
            2 => damaged(kept("packed", "to_pack")),
        ],
    ) {
        body("packed")(&bytes);
    }

    #[test]
    fn no_incident_pack_makes_its_reader_panic_and_what_is_packed_opens_and_says_the_same(
        bytes in prop_oneof![
            1 => anything(),
            2 => damaged(kept("incident", "whole")),
            2 => damaged(kept("incident", "unpacked")),
            2 => damaged(kept("incident", "to_pack")),
        ],
    ) {
        body("incident")(&bytes);
    }

    #[test]
    fn no_view_no_owner_and_no_lease_make_their_readers_panic(
        bytes in prop_oneof![
            anything(),
            damaged(kept("view", "ours")),
            damaged(kept("owner", "paper")),
            damaged(kept("lease", "held")),
        ],
    ) {
        body("view")(&bytes);
        body("owner")(&bytes);
        body("lease")(&bytes);
    }

    #[test]
    fn no_configuration_file_makes_loading_panic(
        (kind, bytes) in prop_oneof![
            (prop::sample::select(FileKind::ALL.to_vec()), anything()),
            damaged(RUNTIME.into()).prop_map(|bytes| (FileKind::Runtime, bytes)),
            damaged(UNIVERSE.into()).prop_map(|bytes| (FileKind::Universe, bytes)),
        ],
    ) {
        files::configuration(kind, &bytes);
    }

    #[test]
    fn no_file_of_variables_makes_reading_panic(bytes in prop_oneof![anything(), damaged(VARIABLES.into())]) {
        files::variables(&bytes);
    }

    #[test]
    fn no_file_of_ticks_makes_the_reader_panic(
        (kind, bytes) in prop_oneof![
            (prop::sample::select(vec!["trades", "bookTicker"]), anything()),
            damaged(TRADES.into()).prop_map(|bytes| ("trades", bytes)),
            damaged(QUOTES.into()).prop_map(|bytes| ("bookTicker", bytes)),
        ],
    ) {
        files::ticks(&headed(kind, &bytes));
    }

    #[test]
    fn no_fence_and_no_consent_make_their_readers_panic(
        bytes in prop_oneof![anything(), damaged(FENCE.into()), damaged(CONSENT.into())],
    ) {
        files::fence(&bytes);
        files::consent(&bytes);
    }
}
