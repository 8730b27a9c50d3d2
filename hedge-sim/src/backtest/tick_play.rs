//! Plays recorded ticks: exchange first, then the engine, tick by tick.

use std::sync::Arc;

use hedge_core::{InstrumentIx, MarketEvent, Price, Qty, Timestamp};
use rust_decimal::Decimal;

use super::{BacktestError, Observer, play::Backtest, setup::Source};
use crate::market::{Tick, TickKind, TickSet};

/// A mark is told no more often than venues stream it.
const MARK_EVERY_MS: i64 = 1_000;

/// Where the replay of a tick set stands.
#[derive(Debug)]
pub(super) struct TickPlay {
    data: Arc<TickSet>,
    /// Per symbol: the next tick, and when its mark is told again.
    next: Vec<usize>,
    mark_due_ms: Vec<i64>,
    done: usize,
    total: usize,
}

/// A tick and whose it is.
#[derive(Clone, Copy, Debug)]
struct Due {
    symbol_ix: u16,
    tick: Tick,
    price_scale: u8,
    qty_scale: u8,
}

impl TickPlay {
    pub(super) fn new(data: Arc<TickSet>) -> Self {
        let symbols = data.series().len();
        let total = data.len();
        Self { data, next: vec![0; symbols], mark_due_ms: vec![i64::MIN; symbols], done: 0, total }
    }

    /// Ticks done and ticks in all.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.done, self.total)
    }

    /// The earliest tick that was not played; of two at the same time the one of the earlier symbol.
    fn take(&mut self) -> Option<Due> {
        let heads = self.data.series().iter().zip(&self.next).zip(0_u16..);
        let (symbol_ix, tick, series) = heads
            .filter_map(|((series, next), symbol_ix)| Some((symbol_ix, *series.ticks.get(*next)?, series)))
            .min_by_key(|(_, tick, _)| tick.at_ms)?;
        let due = Due { symbol_ix, tick, price_scale: series.price_scale, qty_scale: series.qty_scale };
        self.next[usize::from(symbol_ix)] += 1;
        self.done += 1;
        Some(due)
    }

    /// Whether the symbol's mark is to be told again.
    fn takes_mark(&mut self, symbol_ix: u16, at_ms: i64) -> bool {
        let due_ms = &mut self.mark_due_ms[usize::from(symbol_ix)];
        let due = at_ms >= *due_ms;
        if due {
            *due_ms = (at_ms.div_euclid(MARK_EVERY_MS) + 1) * MARK_EVERY_MS;
        }
        due
    }
}

impl Backtest {
    pub(super) fn advance_tick(&mut self, observer: &mut dyn Observer) -> Result<bool, BacktestError> {
        let Source::Ticks(play) = &mut self.source else { return Ok(false) };
        let Some(due) = play.take() else {
            self.end_bar_time(None, observer);
            return Ok(false);
        };
        let at_ms = due.tick.at_ms;
        let tells_mark = play.takes_mark(due.symbol_ix, at_ms);
        self.played += 1;
        self.end_bar_time(Some(at_ms), observer);
        let last = self.follow(&due, observer)?;
        let instrument = InstrumentIx(due.symbol_ix);
        let venue_time = Timestamp::from_ms(at_ms);
        if tells_mark {
            let mark = self.track(due.symbol_ix)?.rules.price_of(last);
            let mark = Price::new(mark).map_err(|error| BacktestError::Setup(error.to_string()))?;
            self.market(venue_time, &MarketEvent::Mark { instrument, mark, venue_time }, observer);
            self.bar_time = Some(at_ms);
        }
        self.market(venue_time, &event(&due, venue_time)?, observer);
        Ok(true)
    }

    /// The exchange takes the tick over, and the engine reacts to what that did to the account. Returns last in ticks.
    fn follow(&mut self, due: &Due, observer: &mut dyn Observer) -> Result<i64, BacktestError> {
        let at_ms = due.tick.at_ms;
        let id = self.track(due.symbol_ix)?.id;
        let ticks = |price: i64| self.ticks(due.symbol_ix, price, at_ms);
        let moved = match due.tick.kind {
            TickKind::Quote { bid, ask, .. } => {
                let best = (ticks(bid)?, ticks(ask)?);
                self.venue.follow_quote(at_ms, id, best, &mut Vec::new())
            }
            TickKind::Print { price, seller_aggressed, .. } => {
                let price = ticks(price)?;
                self.venue.follow_print(at_ms, id, (price, seller_aggressed), &mut Vec::new())
            }
        };
        let moved = moved
            .map_err(|source| BacktestError::Venue { doing: "a tick of the data".to_owned(), source })?;
        if moved.eventful {
            self.settle(Timestamp::from_ms(at_ms), observer);
        }
        Ok(moved.last)
    }
}

/// The tick as a venue's stream tells it. Errors: a number beyond what prices and quantities may be.
fn event(due: &Due, venue_time: Timestamp) -> Result<MarketEvent, BacktestError> {
    let beyond =
        |what: &str| BacktestError::Setup(format!("a recorded {what} at {venue_time} is beyond reason"));
    let price = |mantissa| Price::from_scaled(mantissa, due.price_scale).ok_or_else(|| beyond("price"));
    let qty =
        |mantissa| Qty::new(Decimal::new(mantissa, u32::from(due.qty_scale))).map_err(|_| beyond("quantity"));
    let instrument = InstrumentIx(due.symbol_ix);
    Ok(match due.tick.kind {
        TickKind::Quote { bid, bid_qty, ask, ask_qty } => MarketEvent::Book {
            instrument,
            bid: price(bid)?,
            bid_qty: qty(bid_qty)?,
            ask: price(ask)?,
            ask_qty: qty(ask_qty)?,
            venue_time,
        },
        TickKind::Print { price: at, qty: size, seller_aggressed } => MarketEvent::Trade {
            instrument,
            price: price(at)?,
            qty: qty(size)?,
            seller_aggressed,
            venue_time,
        },
    })
}
