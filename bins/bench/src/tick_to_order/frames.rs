//! Book tickers of a price that walks, one text each.

use std::fmt::Write as _;

/// Texts one after another in one buffer.
#[derive(Debug)]
pub(super) struct Frames {
    text: String,
    ends: Vec<usize>,
}

impl Frames {
    pub(super) fn generate(count: usize) -> Self {
        let mut frames = Self { text: String::with_capacity(count * 180), ends: Vec::with_capacity(count) };
        let mut state = 7_u64;
        let mut below = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let mut bid = 600_000_u64;
        for i in 0..count as u64 {
            bid = (bid + below(21)).saturating_sub(10).clamp(550_000, 650_000);
            let ask = bid + 1 + below(3);
            let (bid_qty, ask_qty) = (1 + below(9_999), 1 + below(9_999));
            let time = 1_700_000_040_000 + i * 3;
            let pushed = time + below(5);
            let price = |tenths: u64| format!("{}.{}", tenths / 10, tenths % 10);
            let qty = |thousandths: u64| format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
            // Writing to a String cannot fail.
            let _ = write!(
                frames.text,
                r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{},"s":"BTCUSDT","b":"{}","B":"{}","a":"{}","A":"{}","T":{time},"E":{pushed}}}}}"#,
                3_900_000_000_000 + i,
                price(bid),
                qty(bid_qty),
                price(ask),
                qty(ask_qty),
            );
            frames.ends.push(frames.text.len());
        }
        frames
    }
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
    pub(super) fn text(&self, i: usize) -> &str {
        let from = i.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[from..self.ends[i]]
    }
}
