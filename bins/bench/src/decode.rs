//! Stream message to typed event, beside serde structs that borrow and parse to floating point.

use std::{fs, hint::black_box, path::PathBuf};

use hedge_binance::hot::{self, Hot};
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::json;

use crate::figure::{ours, passes, print};

/// Messages that are made up where no file is given.
const GENERATED: usize = 200_000;

pub(crate) fn run() -> Result<(), String> {
    let text = match std::env::var_os("BENCH_DATA") {
        Some(folder) => {
            let path = PathBuf::from(folder).join("ws.ndjson");
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => generated(GENERATED),
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    if let Some(line) = lines.iter().find(|line| hot::frame(line).is_none()) {
        return Err(format!(
            "not one of the four hot events: {}",
            line.chars().take(200).collect::<String>()
        ));
    }
    let n = lines.len();
    let mut checksum = 0.0;
    let measured = passes(n, || {
        checksum = lines
            .iter()
            .filter_map(|line| hot::frame(line))
            .map(|frame| price(&black_box(frame).event))
            .sum();
    });
    let more =
        [("min", json!(measured.min)), ("checksum", json!(checksum)), ("numbers", json!("exact decimals"))];
    print("B1", ours(), "decode", measured.median, "ns/msg", n, &more);
    let mut floor_sum = 0.0;
    let floor = passes(n, || floor_sum = lines.iter().filter_map(|line| floor_price(line)).sum());
    let more = [("min", json!(floor.min)), ("checksum", json!(floor_sum))];
    print("B1", "floor: serde_json, typed", "decode", floor.median, "ns/msg", n, &more);
    print("B1", ours(), "decode_to_floor", measured.median / floor.median, "ratio", n, &[]);
    // The sums are of floating point numbers, so the last digits may differ.
    if (checksum - floor_sum).abs() > floor_sum.abs() * 1e-9 {
        return Err(format!("the checksums differ: {checksum} and {floor_sum}"));
    }
    Ok(())
}

fn price(event: &Hot<'_>) -> f64 {
    let price = match event {
        Hot::BookTicker(event) => event.ask,
        Hot::AggTrade(event) => event.price,
        Hot::MarkPrice(event) => event.mark,
        Hot::Kline(event) => event.close,
    };
    price.to_f64().unwrap_or(f64::NAN)
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Book<'a> {
    u: u64,
    s: &'a str,
    b: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
    #[serde(rename = "T")]
    t: u64,
    #[serde(rename = "E")]
    e: u64,
}

#[derive(Deserialize)]
struct Trade<'a> {
    #[serde(rename = "E")]
    e: u64,
    a: u64,
    s: &'a str,
    p: &'a str,
    q: &'a str,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    t: u64,
    m: bool,
}

#[derive(Deserialize)]
struct Mark<'a> {
    #[serde(rename = "E")]
    e: u64,
    s: &'a str,
    p: &'a str,
    i: &'a str,
    r: &'a str,
    #[serde(rename = "T")]
    t: u64,
}

#[derive(Deserialize)]
struct Candle<'a> {
    #[serde(rename = "E")]
    e: u64,
    s: &'a str,
    #[serde(borrow)]
    k: Body<'a>,
}

#[derive(Deserialize)]
struct Body<'a> {
    t: u64,
    #[serde(rename = "T")]
    until: u64,
    o: &'a str,
    h: &'a str,
    l: &'a str,
    c: &'a str,
    v: &'a str,
    q: &'a str,
    n: u64,
    x: bool,
}

/// Every field is read and every number parsed; the price counts.
fn floor_price(line: &str) -> Option<f64> {
    let number = |text: &str| black_box(text.parse::<f64>().ok());
    let at = line.bytes().position(|byte| byte == b'@')?;
    match line.as_bytes().get(at + 1)? {
        b'b' => {
            let Book { u, s, b, bid_qty, a, ask_qty, t, e } = data(line)?;
            black_box((u, s, t, e, number(b), number(bid_qty), number(ask_qty)));
            number(a)
        }
        b'a' => {
            let Trade { e, a, s, p, q, f, l, t, m } = data(line)?;
            black_box((e, a, s, f, l, t, m, number(q)));
            number(p)
        }
        b'm' => {
            let Mark { e, s, p, i, r, t } = data(line)?;
            black_box((e, s, t, number(i), number(r)));
            number(p)
        }
        _ => {
            let Candle { e, s, k: Body { t, until, o, h, l, c, v, q, n, x } } = data(line)?;
            black_box((e, s, t, until, n, x, [o, h, l, v, q].map(number)));
            number(c)
        }
    }
}

fn data<'a, T: Deserialize<'a>>(line: &'a str) -> Option<T> {
    serde_json::from_str::<Envelope<T>>(line).ok().map(|envelope| envelope.data)
}

/// Three book tickers in five messages, three trades in ten, the rest marks and candles.
pub(crate) fn generated(count: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let mut state = 7_u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for i in 0..count as u64 {
        let (px, qty, t) = (600_000 + below(9_999), 1 + below(9_999), 1_700_000_040_000 + i * 3);
        let price = format!("{}.{}0", px / 10, px % 10);
        let qty = format!("{}.{:03}", qty / 1_000, qty % 1_000);
        // Writing to a String cannot fail.
        let _ = match i % 20 {
            0..12 => writeln!(
                text,
                r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{i},"s":"BTCUSDT","b":"{price}","B":"{qty}","a":"{price}","A":"{qty}","T":{t},"E":{t}}}}}"#
            ),
            12..18 => writeln!(
                text,
                r#"{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{t},"a":{i},"s":"BTCUSDT","p":"{price}","q":"{qty}","f":{i},"l":{i},"T":{t},"m":true}}}}"#
            ),
            18 => writeln!(
                text,
                r#"{{"stream":"btcusdt@markPrice@1s","data":{{"e":"markPriceUpdate","E":{t},"s":"BTCUSDT","p":"{price}","i":"{price}","P":"{price}","r":"0.00010000","T":{t}}}}}"#
            ),
            _ => writeln!(
                text,
                r#"{{"stream":"btcusdt@kline_1m","data":{{"e":"kline","E":{t},"s":"BTCUSDT","k":{{"t":{t},"T":{t},"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"{price}","c":"{price}","h":"{price}","l":"{price}","v":"{qty}","n":2,"x":false,"q":"{qty}","V":"{qty}","Q":"{qty}","B":"0"}}}}}}"#
            ),
        };
    }
    text
}
