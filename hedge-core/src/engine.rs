//! The engine: one fact in, journal records and effects out. No clock, no I/O, no randomness.

use std::{borrow::Cow, collections::BTreeSet, mem, time::Duration};

use rust_decimal::Decimal;

use crate::{
    bar::Bar,
    book::{Book, Change},
    error::RejectReason,
    event::{Decision, Envelope, Event, Fact, OperatorCommand},
    gate::{Gate, OpenRequest, is_beyond},
    id::{ClientOrderId, InstrumentId, InstrumentIx, OrderIds, OrderPurpose, Seq, StrategyId},
    money::{Bps, Price, Qty, Ratio},
    order::{
        Approved, Close, Coverage, Entry, Exit, Intent, Leg, Order, Portion, Protection, Size, TriggerBy,
    },
    order_state::OrderState,
    position::{Action, Position, PositionKey},
    reconcile::{Difference, reconcile},
    risk::{GateCheck, Posture, RiskManager, Stance, Verdict},
    strategy::{DataNeed, Output, Strategy, StrategyEvent, StrategyView},
    time::{Interval, Timestamp},
    venue::{AccountEvent, MarketEvent, OrderRef},
};

/// How the engine behaves where the rules leave a choice.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// How far from mark a market entry may reach. Units: basis points.
    pub max_slippage: Bps,
    /// How long a leg may be open without a confirmed stop before it is closed at the market.
    pub protect_within: Duration,
    /// How long a symbol opens nothing after its protection failed.
    pub mute_for: Duration,
    /// How long an approved opening may be sent after the fact that caused it.
    pub approval_ttl: Duration,
    /// How far from the mark a stop is placed on a position that somebody else opened; `None` leaves it alone, named.
    pub adopt_stop: Option<Bps>,
    /// Whether market facts are journalled. Replays keep their data in its file.
    pub journal_market: bool,
    /// Whether screener readings are journalled.
    pub journal_readings: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_slippage: Bps::new(Decimal::from(30)).unwrap_or(Bps::ZERO),
            protect_within: Duration::from_secs(3),
            mute_for: Duration::from_secs(900),
            approval_ttl: Duration::from_secs(2),
            adopt_stop: Bps::new(Decimal::from(500)).ok(),
            journal_market: true,
            journal_readings: true,
        }
    }
}

/// Something the shell must do. Every result comes back as a fact.
#[derive(Debug)]
pub enum Effect {
    /// Send an order, once.
    Submit(Approved<Order>),
    /// Cancel an order of ours.
    Cancel {
        /// Which.
        order: ClientOrderId,
        /// On which instrument.
        instrument: InstrumentId,
        /// How to name it to the venue.
        target: OrderRef,
    },
    /// Ask what became of an order, and read the evidence around it.
    Query {
        /// Which.
        order: ClientOrderId,
        /// On which leg.
        position: PositionKey,
        /// How to name it to the venue.
        target: OrderRef,
        /// Since when fills matter.
        since: Timestamp,
    },
    /// Read the whole account again.
    Snapshot {
        /// Since when fills and flows matter (venue time).
        since: Timestamp,
    },
}

/// What one fact led to. Owned by the caller and reused: a market fact without a decision allocates nothing.
#[derive(Debug, Default)]
pub struct Step {
    /// The journal place of the first record.
    pub expected_next: Seq,
    /// Records, in order.
    pub events: Vec<Envelope>,
    /// Effects, in order. They may leave only after the records are durable.
    pub effects: Vec<Effect>,
}

impl Step {
    /// Empties it without giving back its memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.effects.clear();
    }
    /// Whether an effect changes the account, so that the records must be durable first.
    pub fn has_commands(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Submit(_) | Effect::Cancel { .. }))
    }
}

/// Bars of one length of one instrument, and who reads them.
#[derive(Debug)]
struct Feed {
    interval: Interval,
    seen_until: Timestamp,
    readers: Vec<usize>,
}

/// More missing bars than this reset a strategy's warm-up.
const TOLERATED_MISSING_BARS: i64 = 2;
/// The least time between two attempts to close the same leg by force.
const CLOSE_PAUSE: Duration = Duration::from_secs(1);

/// Decides. Owns the book, the strategies and the risk managers; nothing else changes them.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    book: Book,
    risk: Box<dyn RiskManager>,
    strategies: Vec<Box<dyn Strategy>>,
    ids: Vec<StrategyId>,
    needs: Vec<(usize, DataNeed)>,
    feeds: Vec<Vec<Feed>>,
    output: Output,
    changes: Vec<Change>,
    checks: Vec<GateCheck>,
    /// Legs whose forced close was last tried then.
    forced: Vec<(PositionKey, Timestamp)>,
    /// Differences of the last snapshot that wait to be seen a second time.
    suspects: Vec<Difference>,
    /// Things that were named to the operator already.
    named: BTreeSet<String>,
    snapshot_pending: bool,
    fresh_process: bool,
    gaps: u64,
}

impl Engine {
    /// An engine with an empty book. Strategies are asked in this order.
    pub fn new(config: EngineConfig, risk: Box<dyn RiskManager>, strategies: Vec<Box<dyn Strategy>>) -> Self {
        let ids = strategies.iter().map(|strategy| strategy.id()).collect();
        let needs = strategies
            .iter()
            .enumerate()
            .flat_map(|(i, strategy)| strategy.needs().into_iter().map(move |need| (i, need)))
            .collect();
        Self {
            config,
            book: Book::default(),
            risk,
            strategies,
            ids,
            needs,
            feeds: Vec::new(),
            output: Output::default(),
            changes: Vec::new(),
            checks: Vec::new(),
            forced: Vec::new(),
            suspects: Vec::new(),
            named: BTreeSet::new(),
            snapshot_pending: false,
            fresh_process: true,
            gaps: 0,
        }
    }

    /// Everything known.
    pub const fn book(&self) -> &Book {
        &self.book
    }
    /// What the strategies must be fed.
    pub fn needs(&self) -> Vec<DataNeed> {
        self.needs.iter().map(|(_, need)| *need).collect()
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
    }

    /// When the shell must send [`Fact::Tick`] at the latest; `None` when nothing can fall due.
    pub fn deadline(&self) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        let mut consider = |at: Timestamp| next = Some(next.map_or(at, |known| known.min(at)));
        if self.book.doubtful_orders() > 0 {
            for order in self.book.live_orders() {
                if let Some(doubt) = &order.doubt {
                    consider(doubt.ask_at);
                }
            }
        }
        for leg in self.book.open_legs() {
            if let Some(since) = leg.unprotected_since
                && self.wants_stop(&leg.key)
                && !self.is_being_closed(&leg.key)
            {
                let due = since.plus(self.config.protect_within);
                let paced = self.forced_at(&leg.key).map_or(due, |at| due.max(at.plus(CLOSE_PAUSE)));
                consider(paced);
            }
        }
        next
    }

    /// Takes one fact, appends records and effects to `step` (cleared first).
    ///
    /// `at` never goes backwards: an earlier one counts as the latest seen. The state has moved when this returns, before
    /// anything is durable: a failed append must end the process.
    pub fn step(&mut self, at: Timestamp, fact: Fact, step: &mut Step) {
        step.clear();
        step.expected_next = self.book.next_seq();
        let at = at.max(self.book.last_fact_at());
        match fact {
            Fact::Market { event } => self.market(at, event, step),
            other => self.other(at, other, step),
        }
    }

    // ---- market --------------------------------------------------------------------------------------------------

    fn market(&mut self, at: Timestamp, event: MarketEvent, step: &mut Step) {
        let instrument = match event {
            MarketEvent::Bar { instrument, bar } | MarketEvent::History { instrument, bar } => {
                if !self.is_new_bar(instrument, &bar) {
                    return;
                }
                instrument
            }
            MarketEvent::Mark { instrument, .. }
            | MarketEvent::Funding { instrument, .. }
            | MarketEvent::Book { instrument, .. }
            | MarketEvent::Trade { instrument, .. }
            | MarketEvent::Gap { instrument, .. }
            | MarketEvent::Silent { instrument } => instrument,
        };
        let cause = if self.config.journal_market {
            Some(self.record(at, None, Event::Fact(Fact::Market { event }), step))
        } else {
            self.book.apply_market(at, &event);
            None
        };
        if self.book.posture() != Posture::Normal || self.book.holds(instrument) {
            self.risk.mark(&self.book, at);
            self.update_posture(at, cause, step);
        }
        match event {
            MarketEvent::History { instrument, bar } => {
                self.bar(at, cause, instrument, &bar, true, step);
            }
            MarketEvent::Bar { instrument, bar } => self.bar(at, cause, instrument, &bar, false, step),
            MarketEvent::Gap { instrument, .. } => self.gap(at, instrument, None),
            MarketEvent::Silent { instrument } => {
                let symbol = self.book.spec(instrument).map(|spec| spec.id.symbol);
                self.alert(at, cause, None, Cow::Owned(format!("no market data for {symbol:?}")), step);
            }
            _ => {}
        }
    }

    /// Whether somebody reads such bars and has not seen this one.
    fn is_new_bar(&self, instrument: InstrumentIx, bar: &Bar) -> bool {
        self.feeds
            .get(usize::from(instrument.0))
            .and_then(|feeds| feeds.iter().find(|feed| feed.interval == bar.interval))
            .is_none_or(|feed| bar.open_time >= feed.seen_until)
    }

    fn bar(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        instrument: InstrumentIx,
        bar: &Bar,
        history: bool,
        step: &mut Step,
    ) {
        let ix = usize::from(instrument.0);
        let Some(feed) = self
            .feeds
            .get_mut(ix)
            .and_then(|feeds| feeds.iter_mut().find(|feed| feed.interval == bar.interval))
        else {
            return;
        };
        let missing = (bar.open_time.ms() - feed.seen_until.ms()) / bar.interval.ms();
        let gap = feed.seen_until > Timestamp::EPOCH && missing > TOLERATED_MISSING_BARS;
        feed.seen_until = bar.end();
        let readers = mem::take(&mut feed.readers);
        if gap {
            self.gaps += 1;
            self.gap(at, instrument, Some(&readers));
        }
        for &reader in &readers {
            let event = if history {
                StrategyEvent::History { instrument, bar }
            } else {
                StrategyEvent::Bar { instrument, bar }
            };
            self.ask(at, cause, reader, &event, step);
        }
        if let Some(feed) = self.feeds[ix].iter_mut().find(|feed| feed.interval == bar.interval) {
            feed.readers = readers;
        }
    }

    fn gap(&mut self, at: Timestamp, instrument: InstrumentIx, readers: Option<&[usize]>) {
        let view = StrategyView { book: &self.book, now: at };
        for (i, strategy) in self.strategies.iter_mut().enumerate() {
            let reads = match readers {
                Some(readers) => readers.contains(&i),
                None => self
                    .needs
                    .iter()
                    .any(|(reader, need)| *reader == i && self.book.ix(&need.instrument) == Some(instrument)),
            };
            if reads {
                strategy.on_event(&StrategyEvent::Gap { instrument }, &view, &mut self.output);
            }
        }
        // Nothing may be wanted because data is missing.
        self.output.clear();
    }

    fn wire_feeds(&mut self) {
        let count = self.book.instruments().count();
        while self.feeds.len() < count {
            self.feeds.push(Vec::new());
        }
        for (reader, need) in &self.needs {
            let Some(ix) = self.book.ix(&need.instrument) else { continue };
            let Some(feeds) = self.feeds.get_mut(usize::from(ix.0)) else { continue };
            let feed = match feeds.iter_mut().find(|feed| feed.interval == need.interval) {
                Some(feed) => feed,
                None => {
                    feeds.push(Feed {
                        interval: need.interval,
                        seen_until: Timestamp::EPOCH,
                        readers: Vec::new(),
                    });
                    let last = feeds.len() - 1;
                    &mut feeds[last]
                }
            };
            if !feed.readers.contains(reader) {
                feed.readers.push(*reader);
            }
        }
    }

    // ---- everything else -----------------------------------------------------------------------------------------

    fn other(&mut self, at: Timestamp, fact: Fact, step: &mut Step) {
        let seq = self.record(at, None, Event::Fact(fact), step);
        let cause = Some(seq);
        self.react(at, cause, step);
        let Some(Envelope { event: Event::Fact(fact), .. }) = step.events.first() else { return };
        match fact {
            Fact::RunStarted(_) => self.fresh_process = true,
            Fact::Instrument { .. } => self.wire_feeds(),
            Fact::Snapshot { snapshot } => {
                self.snapshot_pending = false;
                let differences = reconcile(&self.book, snapshot);
                self.settle(at, cause, differences, step);
            }
            Fact::SubmitFailed { order, reason, .. } => {
                let (order, reason) = (*order, *reason);
                self.submit_failed(at, cause, &order, reason, step);
            }
            Fact::CancelFailed { order, .. } => {
                // "Not found" is not "cancelled": the venue is asked what became of it.
                let order = *order;
                self.query(at, cause, &order, step);
            }
            Fact::QueryAnswered { order, answer } => {
                let (order, leg_qty) = (*order, answer.leg_qty);
                self.judge_absence(at, cause, &order, leg_qty, step);
            }
            Fact::Operator { command: OperatorCommand::Flatten, because } => {
                let because = format!("operator: {because}");
                self.flatten(at, cause, &because, step);
            }
            Fact::Account { event } => match &**event {
                AccountEvent::Reconnected => self.ask_snapshot(step),
                AccountEvent::MarginCall { detail } => {
                    let text = format!("margin call: {detail}");
                    self.alert(at, cause, None, Cow::Owned(text), step);
                }
                AccountEvent::Unrecognised { name } => {
                    let text = format!("the account stream sent {name}, which this version does not know");
                    self.alert_once(at, cause, text, step);
                }
                AccountEvent::Fill { fill } => {
                    if let Some(side) = fill.side.leg() {
                        let key = PositionKey::new(fill.instrument, side);
                        let fill = fill.clone();
                        self.tell_owner(
                            at,
                            cause,
                            &key,
                            &StrategyEvent::Fill { position: key, fill: &fill },
                            step,
                        );
                    }
                }
                _ => {}
            },
            Fact::Tick => self.due(at, cause, step),
            _ => {}
        }
        self.react(at, cause, step);
        self.risk.mark(&self.book, at);
        self.update_posture(at, cause, step);
    }

    /// Acts on what changed in the book: protection first, then housekeeping.
    fn react(&mut self, at: Timestamp, cause: Option<Seq>, step: &mut Step) {
        let mut rounds = 0;
        while !self.changes.is_empty() && rounds < 8 {
            rounds += 1;
            let changes = mem::take(&mut self.changes);
            for change in &changes {
                if let Change::Grew(key, order) = change {
                    self.protect_new(at, cause, key, order.as_ref(), step);
                }
            }
            for change in changes {
                self.react_to(at, cause, change, step);
            }
        }
    }

    fn react_to(&mut self, at: Timestamp, cause: Option<Seq>, change: Change, step: &mut Step) {
        match change {
            Change::Grew(..) => {}
            Change::Shrank(key, flat) => {
                if flat {
                    self.sweep(at, cause, &key, step);
                    self.tell_flat(at, cause, &key, step);
                }
            }
            Change::Confirmed(id) => self.confirmed(at, cause, &id, step),
            Change::Ended(id) => self.ended(at, cause, &id, step),
            Change::LateFill(id) => {
                let position = self.book.order(&id).map(|order| order.position);
                let text = format!("order {id} was believed done and filled after all; the position is real");
                self.alert(at, cause, position, Cow::Owned(text), step);
            }
            Change::ForeignFill(fill) => {
                let text = format!(
                    "fill {} of {} {} {} at {} belongs to no order of this journal",
                    fill.trade_id, fill.order_side, fill.qty, fill.instrument.symbol, fill.price
                );
                self.alert(at, cause, None, Cow::Owned(text), step);
                self.ask_snapshot(step);
            }
            Change::Unfitting(text) => self.alert_once(at, cause, text, step),
            Change::LegDiffers(_) => {
                // Fills may still be on their way; a full read settles it.
            }
        }
    }

    // ---- protection ----------------------------------------------------------------------------------------------

    fn wants_stop(&self, key: &PositionKey) -> bool {
        match self.book.leg(key).and_then(|leg| leg.protection.as_ref()) {
            Some(Protection::Stop { .. }) => true,
            Some(Protection::Unprotected { .. }) => false,
            None => self.config.adopt_stop.is_some() && self.book.foreign_stop(key).is_none(),
        }
    }

    fn has_stop(&self, key: &PositionKey) -> bool {
        self.book.stop_of(key).is_some()
    }

    fn is_being_closed(&self, key: &PositionKey) -> bool {
        self.book.live_orders_of(key).any(|order| matches!(order.leg, Leg::Close(Exit::Market, _)))
    }

    /// On the first fill of a leg one close-all stop goes out before any other order; later fills are covered by it.
    fn protect_new(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        key: &PositionKey,
        order: Option<&ClientOrderId>,
        step: &mut Step,
    ) {
        if self.has_stop(key) || self.book.leg(key).is_none_or(|leg| !leg.is_open()) {
            return;
        }
        let planned = order
            .and_then(|id| self.book.order(id)?.protection.as_ref())
            .or_else(|| self.book.leg(key)?.protection.as_ref());
        match planned {
            Some(Protection::Stop { trigger, .. }) => {
                let trigger = *trigger;
                self.place_stop(at, cause, key, trigger, Coverage::WholeLeg, step);
            }
            Some(Protection::Unprotected { .. }) => {}
            None => self.adopt(at, cause, key, step),
        }
    }

    /// Protects a position that no order of this journal opened.
    fn adopt(&mut self, at: Timestamp, cause: Option<Seq>, key: &PositionKey, step: &mut Step) {
        if self.has_stop(key) {
            return;
        }
        if let Some(stop) = self.book.foreign_stop(key) {
            let text = format!("{key} is protected by stop {} of somebody else", stop.client_id.as_str());
            self.alert_once(at, cause, text, step);
            return;
        }
        let mark = self.book.mark_of(&key.instrument).map(|(mark, _)| mark);
        let Some((mark, distance)) = mark.zip(self.config.adopt_stop) else {
            let text = format!("{key} is open, not ours and has no stop; it is left alone by configuration");
            self.alert_once(at, cause, text, step);
            return;
        };
        let fraction = distance.ratio().get() * Decimal::from(-key.side.sign());
        if let Ok(trigger) = mark.moved_by(Ratio::new(fraction).unwrap_or_else(|_| distance.ratio())) {
            let text =
                format!("{key} is open and was not opened by this journal; adopted with a stop at {trigger}");
            self.alert_once(at, cause, text, step);
            self.place_stop(at, cause, key, trigger, Coverage::WholeLeg, step);
        }
    }

    fn place_stop(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        key: &PositionKey,
        trigger: Price,
        covers: Coverage,
        step: &mut Step,
    ) {
        let Some(position) = self.position(key) else { return };
        let Some(spec) = self.book.mark_of(&key.instrument).and(self.spec_of(key)) else { return };
        let gate = Gate::for_closing(spec, self.book.term());
        let id = self.new_id(OrderPurpose::Stop);
        let approved = match covers {
            Coverage::WholeLeg => gate.protect(id, &position, trigger),
            Coverage::Qty => {
                let exit = Exit::StopMarket { trigger, by: TriggerBy::Mark };
                gate.close(id, &position, &Portion::All, &exit)
            }
        };
        match approved {
            Ok(close) => self.submit(at, cause, None, close, step),
            Err(refusal) => {
                let text = format!("no stop could be written for {key}: {refusal}; closing it");
                self.alert(at, cause, Some(*key), Cow::Owned(text), step);
                self.force_close(at, cause, key, "no stop possible", step);
            }
        }
    }

    fn confirmed(&mut self, at: Timestamp, cause: Option<Seq>, id: &ClientOrderId, step: &mut Step) {
        let Some(order) = self.book.order(id) else { return };
        let key = order.position;
        if order.purpose == OrderPurpose::Stop {
            // The new stop is live: the older ones may go.
            let older: Vec<ClientOrderId> = self
                .book
                .live_orders_of(&key)
                .filter(|other| {
                    other.purpose == OrderPurpose::Stop
                        && other.seq < order.seq
                        && matches!(other.state, OrderState::Working | OrderState::PartiallyFilled)
                })
                .map(|other| other.client_id)
                .collect();
            for old in older {
                self.cancel(at, cause, &old, Cow::Borrowed("replaced by a newer stop"), step);
            }
        }
        // It was confirmed after its leg went flat: nothing is left for it to protect.
        if self.book.leg(&key).is_some_and(|leg| !leg.is_open()) && !self.book.has_live_entry(&key) {
            self.sweep(at, cause, &key, step);
        }
    }

    fn ended(&mut self, at: Timestamp, cause: Option<Seq>, id: &ClientOrderId, step: &mut Step) {
        let Some(order) = self.book.order(id) else { return };
        let (key, purpose, state) = (order.position, order.purpose, order.state);
        let open = self.book.leg(&key).is_some_and(|leg| leg.is_open());
        match purpose {
            OrderPurpose::Entry if open && !order.filled.is_zero() => {
                let filled = order.filled;
                if let Some(Protection::Stop { take_profits, .. }) = order.protection.clone() {
                    for rung in take_profits {
                        self.place_take_profit(
                            at,
                            cause,
                            &key,
                            filled * rung.portion.get(),
                            rung.trigger,
                            step,
                        );
                    }
                }
            }
            OrderPurpose::Entry if !open => self.sweep(at, cause, &key, step),
            OrderPurpose::Stop if open && !self.has_stop(&key) && self.wants_stop(&key) => {
                self.stop_lost(at, cause, &key, id, state, step);
            }
            _ => {}
        }
    }

    /// A leg is open and its last stop has ended.
    fn stop_lost(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        key: &PositionKey,
        id: &ClientOrderId,
        state: OrderState,
        step: &mut Step,
    ) {
        let Some(order) = self.book.order(id) else { return };
        let Leg::Close(exit, covers) = order.leg else { return };
        let trigger = exit.trigger();
        let in_time = self
            .book
            .leg(key)
            .and_then(|leg| leg.unprotected_since)
            .is_none_or(|since| at < since.plus(self.config.protect_within));
        let second_refused = self.book.one_close_all_only() && covers == Coverage::WholeLeg;
        match (state, trigger) {
            // It never reached the venue: the same protection may be decided again, under a new id.
            (OrderState::Dropped, Some(trigger)) if in_time => {
                self.place_stop(at, cause, key, trigger, covers, step);
            }
            // We cancelled it ourselves, and what should have replaced it is gone too.
            (OrderState::Canceled, Some(trigger)) if in_time && !second_refused => {
                self.place_stop(at, cause, key, trigger, Coverage::WholeLeg, step);
            }
            _ => {
                let why = order.refusal.clone().unwrap_or_default();
                let text =
                    format!("the stop {id} of {key} ended as {state:?} {why}; closing the leg at the market");
                self.alert(at, cause, Some(*key), Cow::Owned(text), step);
                self.force_close(at, cause, key, "protection failed", step);
            }
        }
    }

    fn submit_failed(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        id: &ClientOrderId,
        reason: Option<RejectReason>,
        step: &mut Step,
    ) {
        let Some(order) = self.book.order(id) else { return };
        let key = order.position;
        if order.state == OrderState::Unknown {
            self.alert(
                at,
                cause,
                Some(key),
                Cow::Owned(format!(
                    "the outcome of order {id} is unknown; openings of {key} are frozen until it is known"
                )),
                step,
            );
            self.query(at, cause, id, step);
            return;
        }
        let Leg::Close(exit, _) = order.leg else { return };
        match reason {
            // The venue allows one close-all stop a leg: a stop by quantity bridges the move.
            Some(RejectReason::SecondCloseAll) => {
                if let Some(trigger) = exit.trigger() {
                    self.place_stop(at, cause, &key, trigger, Coverage::Qty, step);
                }
            }
            // The leg is not what we believe it is.
            Some(RejectReason::NothingToClose) => self.ask_snapshot(step),
            _ => {}
        }
    }

    fn place_take_profit(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        key: &PositionKey,
        qty: Decimal,
        trigger: Price,
        step: &mut Step,
    ) {
        let Some(position) = self.position(key) else { return };
        let Some(spec) = self.spec_of(key) else { return };
        let Some(qty) = spec.floor_qty(qty.min(position.qty().get()), &spec.market_lot) else { return };
        let gate = Gate::for_closing(spec, self.book.term());
        let id = self.new_id(OrderPurpose::TakeProfit);
        let exit = Exit::TakeProfitMarket { trigger, by: TriggerBy::Mark };
        match gate.close(id, &position, &Portion::Qty(qty), &exit) {
            Ok(close) => self.submit(at, cause, None, close, step),
            Err(refusal) => {
                let text = format!("no take-profit for {key}: {refusal}");
                self.alert(at, cause, Some(*key), Cow::Owned(text), step);
            }
        }
    }

    /// Closes a leg at the market and mutes its symbol. Paced, and never twice for the same quantity.
    fn force_close(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        key: &PositionKey,
        because: &'static str,
        step: &mut Step,
    ) {
        if self.forced_at(key).is_some_and(|last| at < last.plus(CLOSE_PAUSE)) {
            return;
        }
        self.forced.retain(|(other, _)| other != key);
        self.forced.push((*key, at));
        let until = at.plus(self.config.mute_for);
        let muted = Decision::Muted { instrument: key.instrument, until, because: Cow::Borrowed(because) };
        self.record(at, cause, Event::Decision(muted), step);
        self.close_at_market(at, cause, None, key, &Portion::All, step);
    }

    fn forced_at(&self, key: &PositionKey) -> Option<Timestamp> {
        self.forced.iter().find(|(other, _)| other == key).map(|(_, at)| *at)
    }

    /// Market closes in pieces that the venue's largest market quantity allows.
    fn close_at_market(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: Option<StrategyId>,
        key: &PositionKey,
        portion: &Portion,
        step: &mut Step,
    ) -> bool {
        let mut sent = false;
        for _ in 0..16 {
            let Some(position) = self.closable(key) else { break };
            let Some(spec) = self.spec_of(key) else { break };
            let gate = Gate::for_closing(spec, self.book.term());
            let id = self.new_id(OrderPurpose::Close);
            match gate.close(id, &position, portion, &Exit::Market) {
                Ok(close) => self.submit(at, cause, strategy, close, step),
                Err(refusal) => {
                    let text = format!("{key} cannot be closed: {refusal}");
                    self.alert(at, cause, Some(*key), Cow::Owned(text), step);
                    break;
                }
            }
            sent = true;
            if *portion != Portion::All {
                break;
            }
        }
        sent
    }

    fn flatten(&mut self, at: Timestamp, cause: Option<Seq>, because: &str, step: &mut Step) {
        let entries: Vec<ClientOrderId> = self
            .book
            .live_orders()
            .filter(|order| order.leg.action() == Action::Open && order.state.is_confirmed_live())
            .map(|order| order.client_id)
            .collect();
        for id in entries {
            self.cancel(at, cause, &id, Cow::Owned(because.to_owned()), step);
        }
        let open: Vec<PositionKey> = self.book.open_legs().map(|leg| leg.key).collect();
        for key in open {
            // Resting limit closes would make a full close fail: they go first.
            let resting: Vec<ClientOrderId> = self
                .book
                .live_orders_of(&key)
                .filter(|order| matches!(order.leg, Leg::Close(Exit::Limit { .. }, _)))
                .map(|order| order.client_id)
                .collect();
            for id in resting {
                self.cancel(at, cause, &id, Cow::Owned(because.to_owned()), step);
            }
            self.close_at_market(at, cause, None, &key, &Portion::All, step);
        }
    }

    /// A flat leg keeps no closing order: it would close the next position of that leg at an old price.
    fn sweep(&mut self, at: Timestamp, cause: Option<Seq>, key: &PositionKey, step: &mut Step) {
        if self.book.leg(key).is_none_or(|leg| leg.is_open()) {
            return;
        }
        let leftovers: Vec<ClientOrderId> = self
            .book
            .live_orders_of(key)
            .filter(|order| order.leg.action() == Action::Close)
            .filter(|order| matches!(order.state, OrderState::Working | OrderState::PartiallyFilled))
            .map(|order| order.client_id)
            .collect();
        for id in leftovers {
            self.cancel(at, cause, &id, Cow::Borrowed("the leg is flat"), step);
        }
    }

    // ---- timers, doubt, reconciliation ---------------------------------------------------------------------------

    fn due(&mut self, at: Timestamp, cause: Option<Seq>, step: &mut Step) {
        let doubtful: Vec<ClientOrderId> = self
            .book
            .live_orders()
            .filter(|order| order.doubt.as_ref().is_some_and(|doubt| at >= doubt.ask_at))
            .map(|order| order.client_id)
            .collect();
        for id in doubtful {
            self.query(at, cause, &id, step);
        }
        let bare: Vec<PositionKey> = self
            .book
            .open_legs()
            .filter(|leg| {
                leg.unprotected_since.is_some_and(|since| at >= since.plus(self.config.protect_within))
            })
            .map(|leg| leg.key)
            .filter(|key| self.wants_stop(key) && !self.is_being_closed(key))
            .collect();
        for key in bare {
            let text = format!(
                "{key} has no confirmed stop after {:?}; closing it at the market",
                self.config.protect_within
            );
            self.alert(at, cause, Some(key), Cow::Owned(text), step);
            self.force_close(at, cause, &key, "no stop in time", step);
        }
    }

    fn query(&mut self, at: Timestamp, cause: Option<Seq>, id: &ClientOrderId, step: &mut Step) {
        let Some(order) = self.book.order(id) else { return };
        let effect = Effect::Query {
            order: *id,
            position: order.position,
            target: OrderRef::Client { id: *id, space: order.space() },
            since: order.decided_at.minus(Duration::from_secs(60)),
        };
        self.record(at, cause, Event::Decision(Decision::QueryRequested { order: *id }), step);
        step.effects.push(effect);
    }

    /// Absence is proven only when the request can no longer be accepted, the order is not found twice after that, and
    /// nothing around it is unexplained.
    fn judge_absence(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        id: &ClientOrderId,
        leg_qty: Decimal,
        step: &mut Step,
    ) {
        let Some(order) = self.book.order(id) else { return };
        let (key, Some(doubt)) = (order.position, &order.doubt) else { return };
        if order.state != OrderState::Unknown || doubt.absent < 2 {
            return;
        }
        if self.book.leg(&key).is_none_or(|leg| leg.qty != leg_qty) {
            let text =
                format!("order {id} is not found, but {key} holds {leg_qty} at the venue: still unknown");
            self.alert_once(at, cause, text, step);
            self.ask_snapshot(step);
            return;
        }
        self.record(at, cause, Event::Decision(Decision::AbsenceProven { order: *id }), step);
        self.react(at, cause, step);
    }

    fn ask_snapshot(&mut self, step: &mut Step) {
        if !self.snapshot_pending {
            self.snapshot_pending = true;
            step.effects.push(Effect::Snapshot { since: self.book.last_venue_time() });
        }
    }

    fn settle(&mut self, at: Timestamp, cause: Option<Seq>, differences: Vec<Difference>, step: &mut Step) {
        let mut suspects = Vec::new();
        for difference in differences {
            match &difference {
                Difference::LegSize { .. } | Difference::Wallet { .. } => {
                    // A read may race with fills that are on their way: only what differs twice is taken over, except
                    // by a process that has just started and has nothing on its way.
                    if self.fresh_process || self.suspects.contains(&difference) {
                        if let Difference::LegSize { position, book, venue, .. } = &difference {
                            let text = format!(
                                "{position} is {venue} at the venue and was {book} in the book; the venue's word is taken"
                            );
                            self.alert(at, cause, Some(*position), Cow::Owned(text), step);
                        }
                        self.record(at, cause, Event::Decision(Decision::Corrected { difference }), step);
                    } else {
                        suspects.push(difference);
                    }
                }
                Difference::Mode { venue } => {
                    let text =
                        format!("the account is in {venue:?} mode, not in hedge mode; nothing is opened");
                    self.alert_once(at, cause, text, step);
                    self.record(at, cause, Event::Decision(Decision::Corrected { difference }), step);
                }
                Difference::NotOpen { order, .. } | Difference::State { order, .. } => {
                    let order = *order;
                    self.query(at, cause, &order, step);
                }
                Difference::OwnOrder { report } | Difference::ForeignOrder { report } => {
                    let text = format!(
                        "order {} ({:?} {} {}) is not in this journal; it is left alone",
                        report.client_id.as_str(),
                        report.kind,
                        report.order_side,
                        report.instrument.symbol
                    );
                    self.alert_once(at, cause, text, step);
                }
                Difference::ForeignPosition { instrument, detail } => {
                    let text = format!(
                        "position {} {detail} is not traded here; it is left alone",
                        instrument.symbol
                    );
                    self.alert_once(at, cause, text, step);
                }
            }
        }
        if !suspects.is_empty() {
            self.ask_snapshot(step);
        }
        self.suspects = suspects;
        self.fresh_process = false;
        let bare: Vec<PositionKey> =
            self.book.open_legs().filter(|leg| leg.unprotected_since.is_some()).map(|leg| leg.key).collect();
        for key in bare {
            self.protect_new(at, cause, &key, None, step);
        }
        let flat: Vec<PositionKey> = self
            .book
            .legs()
            .filter(|leg| !leg.is_open() && !leg.live.is_empty())
            .map(|leg| leg.key)
            .collect();
        for key in flat {
            self.sweep(at, cause, &key, step);
        }
    }

    // ---- posture -------------------------------------------------------------------------------------------------

    fn update_posture(&mut self, at: Timestamp, cause: Option<Seq>, step: &mut Step) {
        let mut stance = self.risk.posture(&self.book, at);
        let (operator, because) = self.book.operator();
        if operator > stance.posture {
            stance = Stance { posture: operator, because: Cow::Owned(format!("operator: {because}")) };
        }
        if self.book.is_started() && !self.book.is_connected() && stance.posture < Posture::ExitOnly {
            stance = Stance {
                posture: Posture::ExitOnly,
                because: Cow::Borrowed("the account stream is not connected"),
            };
        }
        if stance.posture != self.book.posture() {
            let changed = Decision::PostureChanged { posture: stance.posture, because: stance.because };
            self.record(at, cause, Event::Decision(changed), step);
        }
    }

    // ---- strategies ----------------------------------------------------------------------------------------------

    fn owner_of(&self, key: &PositionKey) -> Option<usize> {
        let owner = self.book.leg(key)?.owner?;
        self.ids.iter().position(|id| *id == owner)
    }

    fn tell_owner(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        key: &PositionKey,
        event: &StrategyEvent<'_>,
        step: &mut Step,
    ) {
        if let Some(owner) = self.owner_of(key) {
            self.ask(at, cause, owner, event, step);
        }
    }

    /// The leg's owner may already be released; every strategy that reads the instrument is told.
    fn tell_flat(&mut self, at: Timestamp, cause: Option<Seq>, key: &PositionKey, step: &mut Step) {
        for i in 0..self.strategies.len() {
            let reads =
                self.needs.iter().any(|(reader, need)| *reader == i && need.instrument == key.instrument);
            if reads {
                self.ask(at, cause, i, &StrategyEvent::Flat { position: *key }, step);
            }
        }
    }

    fn ask(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: usize,
        event: &StrategyEvent<'_>,
        step: &mut Step,
    ) {
        let view = StrategyView { book: &self.book, now: at };
        self.strategies[strategy].on_event(event, &view, &mut self.output);
        if self.output.intents.is_empty() && self.output.readings.is_empty() {
            return;
        }
        let mut output = mem::take(&mut self.output);
        let id = self.ids[strategy];
        if !matches!(event, StrategyEvent::History { .. }) {
            if self.config.journal_readings {
                for reading in output.readings.drain(..) {
                    self.record(
                        at,
                        cause,
                        Event::Decision(Decision::Screened { strategy: id, reading }),
                        step,
                    );
                }
            }
            for intent in output.intents.drain(..) {
                self.intend(at, cause, id, intent, step);
            }
        }
        output.clear();
        self.output = output;
    }

    fn intend(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: StrategyId,
        intent: Intent,
        step: &mut Step,
    ) {
        let intended = Decision::Intended { strategy, intent: intent.clone() };
        let cause = Some(self.record(at, cause, Event::Decision(intended), step));
        match &intent {
            Intent::Open { position, size, entry, protection, .. } => {
                self.open(at, cause, strategy, position, *size, entry, protection, step);
            }
            Intent::Close { position, portion, exit, .. } => {
                if self.may_act(at, cause, strategy, position, step) {
                    self.close(at, cause, strategy, position, portion, exit, step);
                }
            }
            Intent::Protect { position, trigger, .. } => {
                if self.may_act(at, cause, strategy, position, step) {
                    self.move_stop(at, cause, position, *trigger, step);
                }
            }
            Intent::Cancel { order, because } => {
                let mine = self.book.order(order).is_some_and(|order| order.strategy == Some(strategy));
                if mine {
                    self.cancel(at, cause, order, because.clone(), step);
                } else {
                    let text = format!("{strategy} wants to cancel {order}, which is not its order");
                    self.alert(at, cause, None, Cow::Owned(text), step);
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // the fields of one intent
    fn open(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: StrategyId,
        position: &PositionKey,
        size: Size,
        entry: &Entry,
        protection: &Protection,
        step: &mut Step,
    ) {
        let mut checks = mem::take(&mut self.checks);
        checks.clear();
        // The assessment takes the next place, the order the one after it.
        let order_seq = self.book.next_seq().next();
        let id = self.id_at(order_seq, OrderPurpose::Entry);
        let result = match self.book.ix(&position.instrument) {
            Some(instrument) => match self.book.spec(instrument) {
                Some(spec) => {
                    let gate = Gate::new(
                        spec,
                        self.book.term(),
                        at,
                        Some(self.config.max_slippage),
                        self.config.approval_ttl,
                    );
                    let request =
                        OpenRequest { strategy, position: *position, instrument, size, entry, protection };
                    gate.open(id, &request, &self.book, &*self.risk, &mut checks)
                }
                None => Err(Verdict::Refuse { rule: Cow::Borrowed("instrument_known") }),
            },
            None => {
                checks.push(GateCheck::holds("instrument_known", false, None));
                Err(Verdict::Refuse { rule: Cow::Borrowed("instrument_known") })
            }
        };
        let verdict = match &result {
            Ok(_) if checks.iter().any(|check| check.verdict == crate::risk::CheckVerdict::Shrink) => result
                .as_ref()
                .map_or(Verdict::Approve, |(order, _)| Verdict::Shrink { to: order.get().qty() }),
            Ok(_) => Verdict::Approve,
            Err(verdict) => verdict.clone(),
        };
        let assessed = Decision::Assessed { position: *position, checks: checks.clone(), verdict };
        self.checks = checks;
        let cause = Some(self.record(at, cause, Event::Decision(assessed), step));
        if let Ok((order, protection)) = result {
            self.approve(at, cause, Some(strategy), order, Some(protection), step);
        }
    }

    /// Only a leg's owner may act on it; a leg without an owner is the engine's.
    fn may_act(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: StrategyId,
        position: &PositionKey,
        step: &mut Step,
    ) -> bool {
        let leg = self.book.leg(position);
        let open = leg.is_some_and(|leg| leg.is_open());
        let owner = leg.and_then(|leg| leg.owner);
        let mine = owner == Some(strategy);
        if open && mine {
            return true;
        }
        let note = owner.filter(|_| !mine).map(|owner| Cow::Owned(format!("leg belongs to {owner}")));
        let checks =
            vec![GateCheck::holds("leg_open", open, None), GateCheck::holds("leg_owner", mine, note)];
        let rule = if open { "leg_owner" } else { "leg_open" };
        let verdict = Verdict::Refuse { rule: Cow::Borrowed(rule) };
        let assessed = Decision::Assessed { position: *position, checks, verdict };
        self.record(at, cause, Event::Decision(assessed), step);
        false
    }

    #[allow(clippy::too_many_arguments)] // the fields of one intent
    fn close(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: StrategyId,
        key: &PositionKey,
        portion: &Portion,
        exit: &Exit,
        step: &mut Step,
    ) {
        if *exit == Exit::Market {
            let closable = self.closable(key).map_or(
                Decision::Assessed {
                    position: *key,
                    checks: vec![GateCheck::holds(
                        "closable",
                        false,
                        Cow::Borrowed("closing orders for the whole leg are live already"),
                    )],
                    verdict: Verdict::Refuse { rule: Cow::Borrowed("closable") },
                },
                |position| Decision::Assessed {
                    position: *key,
                    checks: vec![GateCheck::at_least("closable", position.qty().get(), Decimal::ZERO)],
                    verdict: Verdict::Approve,
                },
            );
            let cause = Some(self.record(at, cause, Event::Decision(closable), step));
            self.close_at_market(at, cause, Some(strategy), key, portion, step);
            return;
        }
        let available = if exit.is_conditional() { self.position(key) } else { self.closable(key) };
        let (Some(position), Some(spec)) = (available, self.spec_of(key)) else { return };
        let gate = Gate::for_closing(spec, self.book.term());
        let purpose = match exit {
            Exit::TakeProfitMarket { .. } => OrderPurpose::TakeProfit,
            Exit::StopMarket { .. } | Exit::TrailingStop { .. } => OrderPurpose::Stop,
            _ => OrderPurpose::Close,
        };
        let id = self.new_id(purpose);
        match gate.close(id, &position, portion, exit) {
            Ok(close) => self.submit(at, cause, Some(strategy), close, step),
            Err(refusal) => {
                let text = format!("{key} is not closed as wanted: {refusal}");
                self.alert(at, cause, Some(*key), Cow::Owned(text), step);
            }
        }
    }

    /// Moves the leg's stop: the new one is placed first, the old one goes once the new one is confirmed.
    fn move_stop(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        key: &PositionKey,
        trigger: Price,
        step: &mut Step,
    ) {
        let Some(spec) = self.spec_of(key) else { return };
        let Some(trigger) = spec.round_price(trigger.get()) else { return };
        let through =
            self.book.mark_of(&key.instrument).is_some_and(|(mark, _)| !is_beyond(key.side, mark, trigger));
        let pending = self.book.live_orders_of(key).any(|order| {
            order.purpose == OrderPurpose::Stop && !order.state.is_confirmed_live()
                || order.purpose == OrderPurpose::Stop && order.state == OrderState::Canceling
        });
        let same = self.book.stop_of(key).is_some_and(|stop| {
            matches!(stop.leg, Leg::Close(Exit::StopMarket { trigger: current, .. }, _) if current == trigger)
        });
        let refused = [
            (through, "stop_side", "the mark is already through the new stop"),
            (pending, "stop_pending", "another stop of this leg is on its way"),
            (same, "stop_same", "the stop is already there"),
        ]
        .into_iter()
        .find(|(applies, _, _)| *applies);
        let (verdict, checks) = match refused {
            Some((_, rule, note)) => (
                Verdict::Refuse { rule: Cow::Borrowed(rule) },
                vec![GateCheck::holds(rule, false, Cow::Borrowed(note))],
            ),
            None => (Verdict::Approve, vec![GateCheck::holds("stop_move", true, None)]),
        };
        let approved = verdict == Verdict::Approve;
        let assessed = Decision::Assessed { position: *key, checks, verdict };
        let cause = Some(self.record(at, cause, Event::Decision(assessed), step));
        if approved {
            // Where the venue keeps one close-all stop a leg, stops by quantity take turns.
            let covers = if self.book.one_close_all_only() { Coverage::Qty } else { Coverage::WholeLeg };
            self.place_stop(at, cause, key, trigger, covers, step);
        }
    }

    // ---- small parts ---------------------------------------------------------------------------------------------

    fn spec_of(&self, key: &PositionKey) -> Option<&crate::instrument::InstrumentSpec> {
        self.book.spec(self.book.ix(&key.instrument)?)
    }

    fn position(&self, key: &PositionKey) -> Option<Position> {
        self.book.leg(key)?.position()
    }

    /// The leg less what its own resting closes may still take.
    fn closable(&self, key: &PositionKey) -> Option<Position> {
        let leg = self.book.leg(key)?;
        let free = Qty::new(leg.qty - self.book.resting_closes(key)).ok()?;
        Some(Position::new(*key, free, leg.entry()?))
    }

    fn new_id(&self, purpose: OrderPurpose) -> ClientOrderId {
        self.id_at(self.book.next_seq(), purpose)
    }

    fn id_at(&self, seq: Seq, purpose: OrderPurpose) -> ClientOrderId {
        OrderIds::new(self.book.run(), self.book.term()).derive(seq, purpose)
    }

    fn submit(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: Option<StrategyId>,
        close: Approved<Close>,
        step: &mut Step,
    ) {
        self.approve(at, cause, strategy, close.into(), None, step);
    }

    fn approve(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        strategy: Option<StrategyId>,
        approved: Approved<Order>,
        protection: Option<Protection>,
        step: &mut Step,
    ) {
        let order = approved.get();
        let decision = Decision::OrderApproved {
            client_id: *order.client_id(),
            strategy,
            position: *order.position(),
            leg: *order.leg(),
            qty: order.qty(),
            purpose: order.purpose(),
            protection,
        };
        self.record(at, cause, Event::Decision(decision), step);
        step.effects.push(Effect::Submit(approved));
    }

    fn cancel(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        id: &ClientOrderId,
        because: Cow<'static, str>,
        step: &mut Step,
    ) {
        let Some(order) = self.book.order(id) else { return };
        if !order.state.is_confirmed_live() || order.state == OrderState::Canceling {
            return;
        }
        let effect =
            Effect::Cancel { order: *id, instrument: order.position.instrument, target: order.target() };
        self.record(at, cause, Event::Decision(Decision::CancelRequested { order: *id, because }), step);
        step.effects.push(effect);
    }

    fn alert(
        &mut self,
        at: Timestamp,
        cause: Option<Seq>,
        position: Option<PositionKey>,
        text: Cow<'static, str>,
        step: &mut Step,
    ) {
        self.record(at, cause, Event::Decision(Decision::Alert { position, text }), step);
    }

    /// Says something once per process.
    fn alert_once(&mut self, at: Timestamp, cause: Option<Seq>, text: String, step: &mut Step) {
        if self.named.insert(text.clone()) {
            self.alert(at, cause, None, Cow::Owned(text), step);
        }
    }

    /// The only place where a record is made: folded, shown to the risk managers, and put into the step.
    fn record(&mut self, at: Timestamp, cause: Option<Seq>, event: Event, step: &mut Step) -> Seq {
        let seq = self.book.next_seq();
        let envelope = Envelope { seq, at, cause, event };
        self.book.apply(&envelope, &mut self.changes);
        self.risk.observe(&envelope, &self.book);
        step.events.push(envelope);
        seq
    }
}
