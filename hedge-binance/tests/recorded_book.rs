//! The local book on recorded streams.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
};

use flate2::read::GzDecoder;
use hedge_binance::{
    hot::{self, Hot},
    order_book::{LocalBook, Next},
    wire::{
        event::{Combined, DepthEvent},
        market::Depth,
    },
};
use rust_decimal::Decimal;

/// Levels that the book showed at an update: best bid and best ask.
type Best = [(Decimal, Decimal); 2];

#[test]
fn a_recorded_book_never_breaks_and_shows_the_best_prices_that_were_streamed_beside_it() {
    let Some(root) = std::env::var_os("HEDGE_TEST_DATA") else {
        println!("SKIP recorded depth: HEDGE_TEST_DATA is not set");
        return;
    };
    let path = PathBuf::from(root).join("binance_um/ticks/BTCUSDT-raw-streams-2024-08-08T2354.jsonl.gz");
    println!("DATA TEST {}", path.display());
    let lines = BufReader::new(GzDecoder::new(File::open(&path).unwrap())).lines();
    let mut book = LocalBook::new();
    let (mut diffs, mut shown, mut compared) = (0_u32, 0_u32, 0_u32);
    let mut quotes: Vec<(i64, Best)> = Vec::new();
    for line in lines {
        let line = line.unwrap();
        let (_, text) = line.split_once(' ').unwrap();
        if let Some(frame) = hot::frame(text) {
            if let Hot::BookTicker(quote) = frame.event {
                quotes.push((quote.update_id, [(quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)]));
            }
            continue;
        }
        if let Ok(depth) = serde_json::from_str::<Depth>(text) {
            assert_eq!((depth.bids.len(), depth.asks.len()), (1_000, 1_000));
            assert_eq!(book.on_snapshot(&depth, 1_000), Next::Current);
            continue;
        }
        let frame: Combined<'_> = serde_json::from_str(text).unwrap();
        if !frame.stream.contains("@depth") {
            continue;
        }
        let diff: DepthEvent = serde_json::from_str(frame.data.get()).unwrap();
        diffs += 1;
        book.on_diff(&diff);
        let Some(ladder) = book.ladder() else { continue };
        shown += 1;
        assert!(!ladder.is_crossed());
        // Quotes carry the number of the update that made them: the last one up to this diff is the best of this book.
        let at = book.last_update_id().unwrap();
        let upto = quotes.partition_point(|(update, _)| *update <= at);
        if let Some((update, best)) = upto.checked_sub(1).map(|last| quotes[last])
            && update > diff.first_update_id
            && quotes.get(upto).is_some()
        {
            compared += 1;
            assert_eq!([ladder.best_bid().unwrap(), ladder.best_ask().unwrap()], best, "at update {at}");
        }
        quotes.drain(..upto.saturating_sub(1));
    }
    // The recording has one snapshot, and after four minutes the price falls through its thousand bids.
    assert_eq!(book.resyncs(), 1);
    println!("{diffs} diffs, {shown} books, {compared} compared with quotes");
    assert!(diffs > 6_000 && shown > 4_000 && compared > 100, "{diffs} {shown} {compared}");
}
