//! Follows a run for its report. Folds from the journal, so a run that continued is reported as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use hedge_core::{
    AccountEvent, Book, Decimal, Decision, Envelope, Event, Fact, Fill, MarketEvent, PositionKey, Timestamp,
    Verdict, engine::Step,
};
use hedge_runtime::{Observer, StopFigures, StopWatch};

use super::closes::Closes;

/// One execution, as the report lists it.
#[derive(Clone, Debug)]
pub struct Trade {
    /// The venue's time.
    pub at: Timestamp,
    /// Which leg; `None` on a one-way account.
    pub leg: Option<PositionKey>,
    /// The execution.
    pub fill: Fill,
}

/// Equity and exposure at one time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Timestamp,
    pub(super) nav: Decimal,
    /// Notional of each open leg, by its place in [`Record::legs`].
    pub(super) exposure: Vec<(usize, Decimal)>,
}

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub(super) samples: Vec<Sample>,
    pub(super) legs: Vec<PositionKey>,
    pub(super) trades: Vec<Trade>,
    known: BTreeSet<(PositionKey, i64)>,
    /// Openings refused at the gate, by the rule that refused.
    pub(super) refusals: BTreeMap<String, u64>,
    /// Signals that the screeners held back, by reason.
    pub(super) held_back: BTreeMap<String, u64>,
    closes: Closes,
    orders: u64,
    starts: u64,
    peak: Option<Decimal>,
    max_drawdown: Decimal,
    stops: StopWatch,
    last_at: Timestamp,
}

impl Record {
    /// Orders that were approved.
    pub const fn orders(&self) -> u64 {
        self.orders
    }
    /// Executions that were listed; those from before the first snapshot are among them.
    pub fn fills(&self) -> usize {
        self.trades.len()
    }
    /// Starts of the program that the journal tells of.
    pub const fn starts(&self) -> u64 {
        self.starts
    }
    /// Openings that the gate refused.
    pub fn vetoes(&self) -> u64 {
        self.refusals.values().sum()
    }
    /// Closed bars of all symbols together.
    pub fn bars(&self) -> u64 {
        self.closes.bars()
    }
    /// Closed bars of the symbol that closed most.
    pub fn bars_per_symbol(&self) -> u64 {
        self.closes.bars_per_symbol()
    }
    /// Bars, of all symbols together, at whose close the symbol held LONG and SHORT, what was decided on the bar
    /// included. Counts what a backtest counts.
    pub fn hedged_bars(&self) -> u64 {
        self.closes.hedged()
    }
    /// Takes over a count of [`hedged_bars`](Self::hedged_bars) that was made where the bars closed.
    pub fn set_hedged_bars(&mut self, hedged_bars: u64) {
        self.closes.set_hedged(hedged_bars);
    }
    /// How well legs were protected since the last start.
    pub fn stops(&self) -> StopFigures {
        self.stops.figures(self.last_at)
    }
    /// Largest fall from a peak, as a percentage of the peak.
    pub fn max_drawdown_pct(&self) -> Decimal {
        (self.max_drawdown * Decimal::ONE_HUNDRED).round_dp(4).normalize()
    }

    fn observe(&mut self, envelope: &Envelope, book: &Book) {
        self.closes.observe(envelope, book);
        self.stops.observe(envelope, book);
        self.last_at = self.last_at.max(envelope.at);
        match &envelope.event {
            Event::Fact(Fact::Market { event: MarketEvent::Bar { .. } }) => self.sample(envelope.at, book),
            Event::Fact(Fact::RunStarted(_)) => self.starts += 1,
            Event::Fact(Fact::Account { event }) => {
                if let AccountEvent::Fill { fill } = &**event {
                    self.trade(fill);
                }
            }
            Event::Fact(Fact::Snapshot { snapshot }) => {
                snapshot.fills.iter().for_each(|fill| self.trade(fill))
            }
            Event::Fact(Fact::QueryAnswered { answer, .. }) => {
                answer.fills.iter().for_each(|fill| self.trade(fill));
            }
            Event::Decision(Decision::OrderApproved { .. }) => self.orders += 1,
            Event::Decision(Decision::Assessed { verdict: Verdict::Refuse { rule }, .. }) => {
                *self.refusals.entry(rule.clone().into_owned()).or_default() += 1;
            }
            Event::Decision(Decision::Screened { reading, .. }) => {
                for word in &reading.veto {
                    *self.held_back.entry(word.clone().into_owned()).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// One sample per time; of several facts at one time the last counts.
    fn sample(&mut self, at: Timestamp, book: &Book) {
        if !book.is_started() {
            return;
        }
        let nav = book.equity();
        let peak = self.peak.map_or(nav, |peak| peak.max(nav));
        self.peak = Some(peak);
        if peak > Decimal::ZERO {
            self.max_drawdown = self.max_drawdown.max((peak - nav) / peak);
        }
        let exposure = book
            .open_legs()
            .map(|leg| {
                let mark = book.mark_of(&leg.key.instrument);
                (self.place_of(leg.key), mark.map_or(leg.cost, |(mark, _)| leg.qty * mark.get()))
            })
            .collect();
        let sample = Sample { at, nav, exposure };
        match self.samples.last_mut() {
            Some(last) if last.at == at => *last = sample,
            _ => self.samples.push(sample),
        }
    }

    fn place_of(&mut self, key: PositionKey) -> usize {
        self.legs.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.legs.push(key);
            self.legs.len() - 1
        })
    }

    fn trade(&mut self, fill: &Fill) {
        let leg = fill.side.leg().map(|side| PositionKey::new(fill.instrument, side));
        if leg.is_none_or(|leg| self.known.insert((leg, fill.trade_id.0))) {
            self.trades.push(Trade { at: fill.venue_time, leg, fill: fill.clone() });
        }
    }
}

/// Records while the loop runs; the record is read through a clone.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

impl Recorder {
    /// What was recorded so far.
    pub fn record(&self) -> Record {
        self.lock().clone()
    }
    /// Reads one figure without copying everything.
    pub fn with<R>(&self, read: impl FnOnce(&Record) -> R) -> R {
        read(&self.lock())
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn on_replay(&mut self, envelope: &Envelope, book: &Book) {
        self.lock().observe(envelope, book);
    }
    fn on_step(&mut self, _: Timestamp, step: &Step, book: &Book) {
        let mut record = self.lock();
        for envelope in &step.events {
            record.observe(envelope, book);
        }
    }
}
