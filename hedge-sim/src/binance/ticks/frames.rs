//! Raw frames: one captured message a line, with the local time before it where it was kept.
//!
//! Combined envelopes and bare events are both understood, and the REST snapshot of the book that belongs between them.

use serde::Deserialize;

use super::event::{Grid, Tick, What};

/// A combined message.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<Event<'a>>,
}

/// The event of a line: what it is shows in its fields.
fn event(line: &str) -> Result<Event<'_>, serde_json::Error> {
    let json = json_of(line);
    match serde_json::from_str::<Envelope<'_>>(json)?.data {
        Some(event) => Ok(event),
        None => serde_json::from_str(json),
    }
}

/// Every field of the three streams and of the snapshot; each uses its own.
#[derive(Deserialize, Default)]
struct Event<'a> {
    e: Option<&'a str>,
    #[serde(rename = "E")]
    event_ms: Option<i64>,
    s: Option<&'a str>,
    #[serde(rename = "U")]
    first: Option<u64>,
    u: Option<u64>,
    pu: Option<u64>,
    #[serde(rename = "lastUpdateId")]
    snapshot: Option<u64>,
    bids: Option<Vec<[&'a str; 2]>>,
    asks: Option<Vec<[&'a str; 2]>>,
    #[serde(borrow)]
    b: Option<Side<'a>>,
    #[serde(borrow)]
    a: Option<Side<'a>>,
    #[serde(rename = "B")]
    bid_qty: Option<&'a str>,
    #[serde(rename = "A")]
    ask_qty: Option<&'a str>,
    t: Option<u64>,
    p: Option<&'a str>,
    q: Option<&'a str>,
    m: Option<bool>,
}

/// `b` and `a` are levels in `depthUpdate` and a price in `bookTicker`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Side<'a> {
    Price(&'a str),
    #[serde(borrow)]
    Levels(Vec<[&'a str; 2]>),
}

/// Reads frames in their order.
#[derive(Debug, Default)]
pub(super) struct Reader {
    ticks: Vec<Tick>,
    /// Changes since the beginning that a snapshot may still need: first id, last id, where they stand.
    pending: Vec<(u64, What)>,
    snapshot: Option<u64>,
    last: Option<u64>,
    now_ms: i64,
    /// Changes that did not continue the one before.
    pub(super) breaks: usize,
}

impl Reader {
    /// The symbol that a line speaks of, if it names one.
    pub(super) fn symbol(line: &str) -> Option<String> {
        event(line).ok()?.s.map(str::to_owned)
    }

    /// Takes one line; streams that no market is made of are passed over.
    pub(super) fn line(&mut self, line: &str, grid: Grid<'_>) -> Result<(), String> {
        let event = event(line).map_err(|error| format!("not a captured message: {error}"))?;
        if event.s.is_some_and(|symbol| symbol != grid.0.symbol) {
            return Ok(());
        }
        if let Some(at_ms) = event.event_ms {
            // Streams overtake each other by a little; time does not go back.
            self.now_ms = self.now_ms.max(at_ms);
        }
        match event.e {
            None if event.snapshot.is_some() => self.snapshot(&event, grid),
            Some("depthUpdate") => self.diff(&event, grid),
            Some("bookTicker") => self.best(&event, grid),
            Some("trade") => self.trade(&event, grid),
            _ => Ok(()),
        }
    }

    fn push(&mut self, what: What) {
        self.ticks.push(Tick { at_ms: self.now_ms, what });
    }

    /// Source: fact sheet 8.3: of the changes before the snapshot only those count that end at or after it.
    fn snapshot(&mut self, event: &Event<'_>, grid: Grid<'_>) -> Result<(), String> {
        let id = event.snapshot.unwrap_or(0);
        let side = |side: &Option<Vec<[&str; 2]>>| levels(side.as_deref().unwrap_or_default(), grid);
        let (bids, asks) = (side(&event.bids)?, side(&event.asks)?);
        // Before its snapshot a book is not known; what was told of it until then is taken back.
        self.ticks.retain(|tick| !matches!(tick.what, What::Book { .. }));
        self.push(What::Book { whole: true, bids, asks });
        for (_, what) in std::mem::take(&mut self.pending).into_iter().filter(|(last, _)| *last >= id) {
            self.push(what);
        }
        self.snapshot = Some(id);
        Ok(())
    }

    fn diff(&mut self, event: &Event<'_>, grid: Grid<'_>) -> Result<(), String> {
        let (Some(Side::Levels(bids)), Some(Side::Levels(asks)), Some(u), Some(_)) =
            (&event.b, &event.a, event.u, event.first)
        else {
            return Err("depthUpdate without U, u, b and a".to_owned());
        };
        if let (Some(last), Some(pu)) = (self.last, event.pu)
            && pu != last
        {
            self.breaks += 1;
        }
        self.last = Some(u);
        let what = What::Book { whole: false, bids: levels(bids, grid)?, asks: levels(asks, grid)? };
        match self.snapshot {
            Some(id) if u < id => return Ok(()),
            Some(_) => {}
            None => self.pending.push((u, what.clone())),
        }
        self.push(what);
        Ok(())
    }

    fn best(&mut self, event: &Event<'_>, grid: Grid<'_>) -> Result<(), String> {
        let (Some(Side::Price(bid)), Some(Side::Price(ask)), Some(bid_qty), Some(ask_qty)) =
            (&event.b, &event.a, event.bid_qty, event.ask_qty)
        else {
            return Err("bookTicker without b, B, a and A".to_owned());
        };
        let (bid, ask) = (grid.level(bid, bid_qty)?, grid.level(ask, ask_qty)?);
        self.push(What::Best { bid, ask });
        Ok(())
    }

    fn trade(&mut self, event: &Event<'_>, grid: Grid<'_>) -> Result<(), String> {
        let (Some(id), Some(price), Some(qty), Some(buyer_is_maker)) = (event.t, event.p, event.q, event.m)
        else {
            return Err("trade without t, p, q and m".to_owned());
        };
        let (ticks, steps) = grid.level(price, qty)?;
        if steps > 0 {
            self.push(What::Trade { id, ticks, steps, buyer_is_maker });
        }
        Ok(())
    }

    /// Everything that was read.
    pub(super) fn finish(self) -> Vec<Tick> {
        self.ticks
    }
}

fn levels(side: &[[&str; 2]], grid: Grid<'_>) -> Result<Vec<(i64, i64)>, String> {
    side.iter().map(|[price, qty]| grid.level(price, qty)).collect()
}

/// The message behind the local time.
fn json_of(line: &str) -> &str {
    let digits = line.trim_start().trim_start_matches(|letter: char| letter.is_ascii_digit());
    digits.trim_start()
}
