//! Playing recordings: what comes next, and what has been traded so far.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use rust_decimal::Decimal;

use super::super::candle::Candle;
use super::super::tape::Print;
use super::event::{Tick, What};
use super::read::TickSeries;
use crate::market::{KlineInterval, KlineQuery};
use crate::venue::InstrumentRules;

const MINUTE_MS: i64 = 60_000;
/// Prints that are kept while a recording is run over without being played.
const KEPT_PRINTS: usize = 10_000;

/// All recordings of one exchange, on its clock.
#[derive(Debug)]
pub(crate) struct TickPlay {
    symbols: Vec<Recording>,
    /// What is added to recorded times. Units: milliseconds.
    shift_ms: i64,
}

#[derive(Debug)]
struct Recording {
    rules: InstrumentRules,
    ticks: Vec<Tick>,
    next: usize,
    best: Option<((i64, i64), (i64, i64))>,
    /// What was traded in each minute that had trades, by its open on the venue clock.
    minutes: BTreeMap<i64, Candle>,
    skipped: VecDeque<Print>,
}

impl TickPlay {
    /// Recordings that begin at `start_ms`: by then every symbol's book, best prices and first trade are known.
    pub(crate) fn new(series: Vec<TickSeries>, rules: &[InstrumentRules], start_ms: i64) -> Self {
        let recording = |one: TickSeries| {
            let rules = rules.iter().find(|rules| rules.symbol == one.symbol.as_str())?.clone();
            let (best, minutes, skipped) = (None, BTreeMap::new(), VecDeque::new());
            Some(Recording { rules, ticks: one.ticks, next: 0, best, minutes, skipped })
        };
        let symbols: Vec<Recording> = series.into_iter().filter_map(recording).collect();
        let known_ms = symbols.iter().filter_map(Recording::known_ms).max();
        Self { shift_ms: start_ms - known_ms.unwrap_or(start_ms), symbols }
    }

    /// The price that a symbol is listed at: its first trade's.
    pub(crate) fn first_price(&self, ix: u16) -> Option<Decimal> {
        let recording = self.symbols.get(usize::from(ix))?;
        recording.ticks.iter().find_map(|tick| match tick.what {
            What::Trade { ticks, .. } => Some(recording.rules.price_of(ticks)),
            _ => None,
        })
    }

    /// What comes next of a symbol, if it falls due until `now_ms`, at its time on the venue clock.
    pub(crate) fn take(&mut self, ix: u16, now_ms: i64) -> Option<(i64, What)> {
        let shift_ms = self.shift_ms;
        self.symbols.get_mut(usize::from(ix))?.take(now_ms - shift_ms, shift_ms)
    }

    /// Runs over everything until `now_ms` without playing it: a log did that.
    pub(crate) fn skip_to(&mut self, now_ms: i64) {
        let shift_ms = self.shift_ms;
        for recording in &mut self.symbols {
            while let Some((at_ms, what)) = recording.take(now_ms - shift_ms, shift_ms) {
                if let Some(print) = recording.print(at_ms, &what) {
                    if recording.skipped.len() == KEPT_PRINTS {
                        recording.skipped.pop_front();
                    }
                    recording.skipped.push_back(print);
                }
            }
        }
    }

    /// Prints that were run over, oldest first.
    pub(crate) fn skipped(&mut self, ix: u16) -> VecDeque<Print> {
        self.symbols.get_mut(usize::from(ix)).map(|one| std::mem::take(&mut one.skipped)).unwrap_or_default()
    }

    /// A trade as a public print.
    pub(crate) fn print(&self, ix: u16, at_ms: i64, what: &What) -> Option<Print> {
        self.symbols.get(usize::from(ix))?.print(at_ms, what)
    }

    /// Best bid and ask so far, in ticks.
    pub(crate) fn best(&self, ix: u16) -> Option<(i64, i64)> {
        let (bid, ask) = self.symbols.get(usize::from(ix))?.best?;
        Some((bid.0, ask.0))
    }

    /// One kline of what was traded so far; nothing where nothing was.
    pub(crate) fn kline(&self, ix: u16, interval: KlineInterval, open_ms: i64) -> Option<Candle> {
        self.over(ix, open_ms, interval.next_open_ms(open_ms))
    }

    /// What was traded in minutes that open in `[from_ms, to_ms)`.
    pub(crate) fn over(&self, ix: u16, from_ms: i64, to_ms: i64) -> Option<Candle> {
        let minutes = &self.symbols.get(usize::from(ix))?.minutes;
        minutes.range(from_ms..to_ms).map(|(_, candle)| *candle).reduce(Candle::and)
    }

    /// Every minute so far.
    pub(crate) fn minutes(&self, ix: u16) -> Vec<(i64, Candle)> {
        let one = self.symbols.get(usize::from(ix));
        one.map(|one| one.minutes.iter().map(|(open_ms, candle)| (*open_ms, *candle)).collect())
            .unwrap_or_default()
    }
}

impl Recording {
    /// When book (where there is one), best prices and a trade have all been told.
    fn known_ms(&self) -> Option<i64> {
        let first =
            |is: fn(&What) -> bool| self.ticks.iter().find(|tick| is(&tick.what)).map(|tick| tick.at_ms);
        let best = first(|what| matches!(what, What::Best { .. }));
        let trade = first(|what| matches!(what, What::Trade { .. }));
        let book = first(|what| matches!(what, What::Book { .. }));
        [best, trade, book].into_iter().flatten().max()
    }

    fn take(&mut self, until_ms: i64, shift_ms: i64) -> Option<(i64, What)> {
        let tick = self.ticks.get(self.next).filter(|tick| tick.at_ms <= until_ms)?;
        self.next += 1;
        let (at_ms, what) = (tick.at_ms + shift_ms, tick.what.clone());
        match what {
            What::Best { bid, ask } => self.best = Some((bid, ask)),
            What::Trade { ticks, steps, buyer_is_maker, .. } => {
                self.note(at_ms, ticks, steps, buyer_is_maker)
            }
            What::Book { .. } => {}
        }
        Some((at_ms, what))
    }

    fn note(&mut self, at_ms: i64, ticks: i64, steps: i64, buyer_is_maker: bool) {
        let (price, qty) = (self.rules.price_of(ticks), self.rules.qty_of(steps));
        let quote = price * qty;
        let zero = Decimal::ZERO;
        let (taker_volume, taker_quote) = if buyer_is_maker { (zero, zero) } else { (qty, quote) };
        let one = Candle {
            open: price,
            high: price,
            low: price,
            close: price,
            volume: qty,
            quote,
            trades: 1,
            taker_volume,
            taker_quote,
        };
        let minute = at_ms - at_ms.rem_euclid(MINUTE_MS);
        self.minutes.entry(minute).and_modify(|candle| *candle = candle.and(one)).or_insert(one);
    }

    fn print(&self, at_ms: i64, what: &What) -> Option<Print> {
        let What::Trade { id, ticks, steps, buyer_is_maker } = *what else { return None };
        let (price, qty) = (self.rules.price_of(ticks), self.rules.qty_of(steps));
        Some(Print { id, first_trade: id, last_trade: id, at_ms, price, qty, buyer_is_maker })
    }
}

/// Klines out of minutes, as [`KlineQuery`] asks for them; a kline without trades is not there.
pub(crate) fn klines(minutes: &[(i64, Candle)], query: &KlineQuery) -> Vec<(i64, Candle)> {
    let mut rows: Vec<(i64, Candle)> = Vec::new();
    for (minute_ms, candle) in minutes {
        let open_ms = query.interval.open_ms(*minute_ms);
        match rows.last_mut() {
            Some((last, sum)) if *last == open_ms => *sum = sum.and(*candle),
            _ => rows.push((open_ms, *candle)),
        }
    }
    let end_ms = query.end_ms.unwrap_or(query.now_ms).min(query.now_ms);
    rows.retain(|(open_ms, _)| *open_ms <= end_ms && query.start_ms.is_none_or(|start| *open_ms >= start));
    if query.start_ms.is_none() {
        rows.drain(..rows.len().saturating_sub(query.limit));
    }
    rows.truncate(query.limit);
    rows
}
