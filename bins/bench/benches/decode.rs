//! The four hot market events: our reader beside the serde structs, which decide what is malformed.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hedge_binance::{
    hot,
    wire::event::{AggTradeEvent, BookTickerEvent, KlineEvent, MarkPriceEvent},
};
use serde::de::DeserializeOwned;

const BOOK: &str = r#"{"e":"bookTicker","u":3900000000000,"s":"BTCUSDT","b":"60000.10","B":"3.142","a":"60000.20","A":"0.271","T":1700000040000,"E":1700000040003}"#;
const TRADE: &str = r#"{"e":"aggTrade","E":1700000040003,"a":5933014,"s":"BTCUSDT","p":"60000.10","q":"0.100","nq":"0.100","f":100,"l":105,"T":1700000040000,"m":true}"#;
const MARK: &str = r#"{"e":"markPriceUpdate","E":1700000040003,"s":"BTCUSDT","p":"60000.15000000","ap":"60000.1","i":"60001.62659091","P":"59990.25641265","r":"0.00010000","T":1700006400000}"#;
const KLINE: &str = r#"{"e":"kline","E":1700000040003,"s":"BTCUSDT","k":{"t":1699999980000,"T":1700000039999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"60000.10","c":"60010.00","h":"60011.30","l":"59999.90","v":"103.210","n":100,"x":true,"q":"6193142.1040","V":"50.000","Q":"3000221.500","B":"0"}}"#;

fn decode(c: &mut Criterion) {
    both::<BookTickerEvent>(c, "bookTicker", BOOK);
    both::<AggTradeEvent>(c, "aggTrade", TRADE);
    both::<MarkPriceEvent>(c, "markPriceUpdate", MARK);
    both::<KlineEvent>(c, "kline", KLINE);
}

fn both<T: DeserializeOwned>(c: &mut Criterion, kind: &str, text: &str) {
    assert!(hot::event(text).is_some(), "{kind} is not read the fast way");
    let mut group = c.benchmark_group(format!("decode/{kind}"));
    group.bench_function("ours", |b| b.iter(|| hot::event(black_box(text))));
    group.bench_function("serde", |b| b.iter(|| serde_json::from_str::<T>(black_box(text)).unwrap()));
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
