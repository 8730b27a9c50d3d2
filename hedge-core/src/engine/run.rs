//! The engine itself: its parts, its clockless timer, and the one place where records are made.

use super::{
    protection::UnsentStop,
    sent::Attempt,
    step::{EngineConfig, Step},
    validator::Watch,
};
use std::{borrow::Cow, collections::BTreeSet, mem};

use crate::{
    answers::Answers,
    book::{Book, Change},
    event::{Decision, Envelope, Event, Fact},
    id::{ClientOrderId, InstrumentId, OrderIds, RunId, Seq, StrategyId, Term},
    position::PositionKey,
    reconcile::Difference,
    risk::RiskManager,
    strategy::{DataNeed, Output, Strategy},
    time::{Interval, Timestamp},
    venue::MarketEvent,
};

/// Bars of one length of one instrument, and who reads them.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) interval: Interval,
    pub(super) seen_until: Timestamp,
    pub(super) readers: Vec<usize>,
}

/// More missing bars than this reset a strategy's warm-up.
pub(super) const TOLERATED_MISSING_BARS: i64 = 2;

/// Decides. Owns the book, the strategies and the risk managers; nothing else changes them.
#[derive(Debug)]
pub struct Engine {
    pub(super) config: EngineConfig,
    pub(super) book: Book,
    pub(super) risk: Box<dyn RiskManager>,
    pub(super) strategies: Vec<Box<dyn Strategy>>,
    pub(super) ids: Vec<StrategyId>,
    /// Which strategy has an id, sorted by id.
    pub(super) places: Vec<(StrategyId, usize)>,
    /// Derives the ids of this run and term.
    pub(super) order_ids: OrderIds,
    pub(super) needs: Vec<(usize, DataNeed)>,
    pub(super) feeds: Vec<Vec<Feed>>,
    pub(super) tick_needs: Vec<(usize, InstrumentId)>,
    /// Who reads quotes and trades, by instrument.
    pub(super) tick_readers: Vec<Vec<usize>>,
    pub(super) output: Output,
    pub(super) changes: Vec<Change>,
    /// The other buffer of changes, while these are worked on.
    pub(super) spare_changes: Vec<Change>,
    /// Where the rules write their answers, and what the lists of them have in common.
    pub(super) answers: Answers,
    /// Commands of this process that are without an answer.
    pub(super) under_way: Vec<(ClientOrderId, PositionKey)>,
    /// Legs that were closed by force, or guarded.
    pub(super) attempts: Vec<Attempt>,
    /// Differences of the last snapshot that wait to be seen a second time.
    pub(super) suspects: Vec<Difference>,
    /// Things that were named to the operator already, and in which position of their leg.
    pub(super) named: BTreeSet<(String, Option<Seq>)>,
    pub(super) snapshot_pending: bool,
    /// Legs behind a stop by quantity, and when the stop over the whole leg is tried again.
    pub(super) bridges: Vec<(PositionKey, Timestamp)>,
    /// Stops that could not be sent, and when each is tried again.
    pub(super) unsent: Vec<UnsentStop>,
    /// When a difference is looked at a second time.
    pub(super) reread_at: Option<Timestamp>,
    pub(super) fresh_process: bool,
    /// What [`deadline`](Engine::deadline) answers until the next record.
    pub(super) next_due: Option<Timestamp>,
    pub(super) gaps: u64,
    /// What guards a leg and was found missing.
    pub(super) watch: Watch,
    /// Orders that a person was told are of unknown outcome for too long.
    pub(super) told_unknown: BTreeSet<ClientOrderId>,
}

/// One fact being worked on.
#[derive(Debug)]
pub(super) struct Cx<'s> {
    pub(super) at: Timestamp,
    /// The record that led to what is decided now.
    pub(super) cause: Option<Seq>,
    pub(super) step: &'s mut Step,
}

impl Cx<'_> {
    /// The same fact, with a later record as the cause of what follows.
    pub(super) fn because_of(&mut self, seq: Seq) -> Cx<'_> {
        Cx { at: self.at, cause: Some(seq), step: self.step }
    }
}

impl Engine {
    /// An engine with an empty book. Strategies are asked in this order.
    pub fn new(config: EngineConfig, risk: Box<dyn RiskManager>, strategies: Vec<Box<dyn Strategy>>) -> Self {
        let ids: Vec<StrategyId> = strategies.iter().map(|strategy| strategy.id()).collect();
        let mut places: Vec<(StrategyId, usize)> = ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        places.sort_unstable();
        places.dedup_by_key(|(id, _)| *id);
        let needs = strategies
            .iter()
            .enumerate()
            .flat_map(|(i, strategy)| strategy.needs().into_iter().map(move |need| (i, need)))
            .collect();
        let tick_needs = strategies
            .iter()
            .enumerate()
            .flat_map(|(i, strategy)| strategy.tick_needs().into_iter().map(move |need| (i, need)))
            .collect();
        Self {
            config,
            book: Book::default(),
            risk,
            strategies,
            ids,
            places,
            order_ids: OrderIds::new(RunId::default(), Term::default()),
            needs,
            feeds: Vec::new(),
            tick_needs,
            tick_readers: Vec::new(),
            output: Output::default(),
            changes: Vec::new(),
            spare_changes: Vec::new(),
            answers: Answers::default(),
            under_way: Vec::new(),
            attempts: Vec::new(),
            suspects: Vec::new(),
            named: BTreeSet::new(),
            snapshot_pending: false,
            bridges: Vec::new(),
            unsent: Vec::new(),
            reread_at: None,
            fresh_process: true,
            next_due: None,
            gaps: 0,
            watch: Watch::default(),
            told_unknown: BTreeSet::new(),
        }
    }

    /// Everything known.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// How it behaves where the rules leave a choice.
    pub const fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// What the strategies must be fed.
    pub fn needs(&self) -> Vec<DataNeed> {
        self.needs.iter().map(|(_, need)| *need).collect()
    }

    /// Instruments of which the strategies must be fed every quote and every trade, each once.
    pub fn tick_needs(&self) -> Vec<InstrumentId> {
        let needed: BTreeSet<InstrumentId> = self.tick_needs.iter().map(|(_, need)| *need).collect();
        needed.into_iter().collect()
    }

    /// How many gaps in bars were seen that reset a warm-up.
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Folds an old record at boot. Nothing is decided.
    pub fn replay(&mut self, envelope: &Envelope) {
        self.book.apply(envelope, &mut self.changes);
        self.changes.clear();
        self.risk.observe(envelope, &self.book);
        if let Event::Fact(Fact::Instrument { .. }) = &envelope.event {
            self.wire_feeds();
        }
        self.next_due = self.earliest_due();
    }

    /// Takes one fact, appends records and effects to `step` (cleared first).
    ///
    /// `at` never goes backwards: an earlier one counts as the latest seen. The state has moved when this returns, before
    /// anything is durable: a failed append must end the process.
    #[inline]
    pub fn step(&mut self, at: Timestamp, fact: Fact, step: &mut Step) {
        if let Fact::Market { event } = &fact {
            self.step_market(at, event, step);
            // It owns nothing.
            mem::forget(fact);
        } else {
            self.step_other(at, fact, step);
        }
    }

    /// As [`step`](Self::step) with a market fact, which stays the caller's.
    pub fn step_market(&mut self, at: Timestamp, event: &MarketEvent, step: &mut Step) {
        self.market(&mut self.begin(at, step), event);
        self.end(step);
    }

    fn step_other(&mut self, at: Timestamp, fact: Fact, step: &mut Step) {
        self.other(&mut self.begin(at, step), fact);
        self.end(step);
    }

    #[inline]
    fn begin<'s>(&self, at: Timestamp, step: &'s mut Step) -> Cx<'s> {
        step.clear();
        step.expected_next = self.book.next_seq();
        Cx { at: at.max(self.book.last_fact_at()), cause: None, step }
    }

    #[inline]
    fn end(&mut self, step: &Step) {
        if !step.events.is_empty() {
            self.next_due = self.earliest_due();
        }
    }

    /// The only place where a record is made: folded, shown to the risk managers, and put into the step.
    pub(super) fn record(&mut self, cx: &mut Cx<'_>, event: Event) -> Seq {
        let seq = self.book.next_seq();
        // Put in its place first: a record is large, and is moved only once.
        cx.step.events.push(Envelope { seq, at: cx.at, cause: cx.cause, event });
        if let Some(envelope) = cx.step.events.last() {
            self.book.apply(envelope, &mut self.changes);
            self.risk.observe(envelope, &self.book);
        }
        seq
    }

    pub(super) fn alert(&mut self, cx: &mut Cx<'_>, position: Option<PositionKey>, text: Cow<'static, str>) {
        self.record(cx, Event::Decision(Decision::Alert { position, text }));
    }

    /// Says something once per process; of a leg, once per position.
    pub(super) fn alert_once(&mut self, cx: &mut Cx<'_>, position: Option<PositionKey>, text: String) {
        let opened = position.and_then(|key| self.book.leg(&key)).map(|leg| leg.opened_seq);
        if self.named.insert((text.clone(), opened)) {
            self.alert(cx, position, Cow::Owned(text));
        }
    }
}
