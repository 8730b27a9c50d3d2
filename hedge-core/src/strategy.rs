//! What acts: strategies. Pure: the same events in the same order give the same intents.

use std::fmt;

use crate::{
    bar::Bar,
    book::{Book, LegState},
    event::Reading,
    id::{InstrumentId, InstrumentIx, StrategyId},
    instrument::InstrumentSpec,
    money::{Price, Qty},
    order::Intent,
    position::PositionKey,
    time::{Interval, Timestamp},
    venue::Fill,
};

/// Bars that a strategy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataNeed {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Which length.
    pub interval: Interval,
    /// How many bars of history it needs before its first decision.
    pub warmup_bars: usize,
}

/// What a strategy is told. Only data it [needs](Strategy::needs) and legs it owns.
#[derive(Clone, Copy, Debug)]
pub enum StrategyEvent<'a> {
    /// A bar from before the start: update indicators; intents are ignored.
    History {
        /// Which instrument.
        instrument: InstrumentIx,
        /// The bar.
        bar: &'a Bar,
    },
    /// A bar has closed.
    Bar {
        /// Which instrument.
        instrument: InstrumentIx,
        /// The bar.
        bar: &'a Bar,
    },
    /// The best bid and ask, for who [reads ticks](Strategy::tick_needs).
    Quote {
        /// Which instrument.
        instrument: InstrumentIx,
        /// Best bid.
        bid: Price,
        /// Its size.
        bid_qty: Qty,
        /// Best ask.
        ask: Price,
        /// Its size.
        ask_qty: Qty,
    },
    /// A public trade, for who [reads ticks](Strategy::tick_needs).
    Print {
        /// Which instrument.
        instrument: InstrumentIx,
        /// Price.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Whether the seller aggressed.
        seller_aggressed: bool,
    },
    /// Data is missing: warm up again before the next decision.
    Gap {
        /// Which instrument.
        instrument: InstrumentIx,
    },
    /// One of the strategy's legs filled.
    Fill {
        /// Which leg.
        position: PositionKey,
        /// The execution.
        fill: &'a Fill,
    },
    /// One of the strategy's legs is flat now.
    Flat {
        /// Which leg.
        position: PositionKey,
    },
}

/// What a strategy may look at.
#[derive(Clone, Copy, Debug)]
pub struct StrategyView<'a> {
    /// All state.
    pub book: &'a Book,
    /// The time of the fact that led here.
    pub now: Timestamp,
}

impl<'a> StrategyView<'a> {
    /// The leg, when it is open.
    #[inline]
    pub fn leg(&self, position: &PositionKey) -> Option<&'a LegState> {
        self.book.leg(position).filter(|leg| leg.is_open())
    }
    /// Whether the leg is neither open nor about to be: no position, no live or unknown entry.
    pub fn is_free(&self, position: &PositionKey) -> bool {
        self.leg(position).is_none() && !self.book.has_live_entry(position)
    }
    /// The instrument's rules.
    pub fn spec(&self, instrument: InstrumentIx) -> Option<&'a InstrumentSpec> {
        self.book.spec(instrument)
    }
    /// The latest mark price.
    pub fn mark(&self, instrument: InstrumentIx) -> Option<Price> {
        self.book.mark(instrument).map(|(price, _)| price)
    }
}

/// Where a strategy writes what it wants. Reused between calls.
#[derive(Debug, Default)]
pub struct Output {
    /// What it wants, in order.
    pub intents: Vec<Intent>,
    /// What it saw, for the screener log and for `why`.
    pub readings: Vec<Reading>,
}

impl Output {
    /// Wants something.
    pub fn want(&mut self, intent: Intent) {
        self.intents.push(intent);
    }
    /// Tells what it saw.
    pub fn saw(&mut self, reading: Reading) {
        self.readings.push(reading);
    }
    /// Empties it without giving back its memory.
    pub fn clear(&mut self) {
        self.intents.clear();
        self.readings.clear();
    }
}

/// Decides. Synchronous on purpose: `async` here would mean I/O in a decision.
pub trait Strategy: fmt::Debug + Send + 'static {
    /// Unique in one engine; owns the legs it opens.
    fn id(&self) -> StrategyId;
    /// Bars that it must be fed.
    fn needs(&self) -> Vec<DataNeed>;
    /// Instruments of which it wants every quote and every trade besides. None, unless it says otherwise.
    fn tick_needs(&self) -> Vec<InstrumentId> {
        Vec::new()
    }
    /// Told what happened; writes what it wants.
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output);
}
