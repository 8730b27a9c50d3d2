//! Everything the engine knows: the fold of the journal. Changed by [`Book::apply`] and by nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Outcome, RejectReason},
    event::{Decision, Envelope, Event, Fact, OperatorCommand, QueryAnswer, RunStarted, VenueSnapshot},
    id::{
        Asset, ClientOrderId, InstrumentId, InstrumentIx, OrderPurpose, RunId, Seq, StrategyId, Term,
        TradeId, VenueOrderId,
    },
    instrument::InstrumentSpec,
    money::{Price, Qty, SignedAmount},
    order::{Coverage, Exit, Leg, Protection},
    order_state::{OrderEvent, OrderState, transition},
    position::{Action, Position, PositionKey, PositionMode, PositionSide},
    reconcile::Difference,
    risk::Posture,
    time::Timestamp,
    venue::{
        AccountEvent, CashFlow, CashFlowKind, Fill, MarketEvent, OrderRef, OrderReport, OrderSpace,
        ReportedKind, ReportedState,
    },
};

/// The longest request window that this product ever sends; bounds how long a dead process's request can be accepted.
const MAX_REQUEST_WINDOW: Duration = Duration::from_secs(60);
/// How long an accepted order may stay invisible to queries. Source: fact sheet 14.6, item 6 (0 to 3 s), with reserve.
const VISIBILITY_DELAY: Duration = Duration::from_secs(5);
/// How many trade and flow ids are remembered per instrument. Older ones are older than any back-fill.
const REMEMBERED_IDS: usize = 4_096;

/// One leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegState {
    /// Which leg.
    pub key: PositionKey,
    /// Unsigned quantity; zero is flat.
    pub qty: Decimal,
    /// What the open quantity cost: the sum of `qty × price`, kept exact.
    pub cost: Decimal,
    /// Whose leg it is, from its first approved opening until flat.
    pub owner: Option<StrategyId>,
    /// Realised profit so far, fees excluded.
    pub realized: Decimal,
    /// Fees so far.
    pub fees: Decimal,
    /// Funding so far; negative is paid.
    pub funding: Decimal,
    /// When it was opened from flat.
    pub opened_at: Option<Timestamp>,
    /// Since when it is open without a confirmed live stop, if it should have one.
    pub unprotected_since: Option<Timestamp>,
    /// The protection it should have.
    pub protection: Option<Protection>,
    /// Orders of this leg that are, or may be, live; oldest first.
    pub live: Vec<ClientOrderId>,
}

impl LegState {
    fn flat(key: PositionKey) -> Self {
        Self {
            key,
            qty: Decimal::ZERO,
            cost: Decimal::ZERO,
            owner: None,
            realized: Decimal::ZERO,
            fees: Decimal::ZERO,
            funding: Decimal::ZERO,
            opened_at: None,
            unprotected_since: None,
            protection: None,
            live: Vec::new(),
        }
    }
    /// Whether anything is held.
    pub fn is_open(&self) -> bool {
        !self.qty.is_zero()
    }
    /// Average entry price; `None` when flat.
    pub fn entry(&self) -> Option<Price> {
        if self.qty.is_zero() { None } else { Price::new(self.cost / self.qty).ok() }
    }
    /// Unrealised profit at a price.
    pub fn unrealized(&self, mark: Price) -> Decimal {
        (self.qty * mark.get() - self.cost) * Decimal::from(self.key.side.sign())
    }
    /// As a position; `None` when flat.
    pub fn position(&self) -> Option<Position> {
        Some(Position::new(self.key, Qty::new(self.qty).ok()?, self.entry()?))
    }
}

/// One of our orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Our id.
    pub client_id: ClientOrderId,
    /// Where the journal decided it.
    pub seq: Seq,
    /// When.
    pub decided_at: Timestamp,
    /// Who wanted it; `None` for the engine's own.
    pub strategy: Option<StrategyId>,
    /// Which leg.
    pub position: PositionKey,
    /// What it does and how.
    pub leg: Leg,
    /// How much.
    pub qty: Qty,
    /// What it is for.
    pub purpose: OrderPurpose,
    /// What an opening brings as protection.
    pub protection: Option<Protection>,
    /// Where it stands.
    pub state: OrderState,
    /// The venue's name of it.
    pub venue: Option<OrderRef>,
    /// Filled so far.
    pub filled: Decimal,
    /// Filled according to the venue's answers; fills themselves may still be on their way.
    pub reported_filled: Decimal,
    /// What is known while its outcome is unknown.
    pub doubt: Option<Doubt>,
    /// The venue's reason for a refusal or an expiry.
    pub refusal: Option<String>,
    /// How the venue says it ended, while fills that it counted are still on their way.
    pub ending: Option<ReportedState>,
}

/// What is known about an order whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// Since when.
    pub since: Timestamp,
    /// Venue time until which the request may still be accepted.
    pub acceptable_until: Timestamp,
    /// How often it was asked about.
    pub asked: u32,
    /// When it is asked about next.
    pub ask_at: Timestamp,
    /// Answers "not found" given after the request could no longer be accepted.
    pub absent: u32,
}

impl OrderRecord {
    /// The id space it lives in at the venue.
    pub fn space(&self) -> OrderSpace {
        match &self.leg {
            Leg::Close(exit, _) if exit.is_conditional() => OrderSpace::Algo,
            _ => OrderSpace::Plain,
        }
    }
    /// What can still fill.
    pub fn open_qty(&self) -> Decimal {
        (self.qty.get() - self.filled).max(Decimal::ZERO)
    }
    /// How to name it to the venue now: the child once it has fired, its number where known, else our id.
    pub fn target(&self) -> OrderRef {
        match self.venue {
            Some(OrderRef::Algo { child: Some(child), .. }) if self.state == OrderState::Triggered => {
                OrderRef::Plain(child)
            }
            Some(known) => known,
            None => OrderRef::Client { id: self.client_id, space: self.space() },
        }
    }
    /// Whether it is a stop over the whole leg.
    pub fn is_close_all_stop(&self) -> bool {
        matches!(self.leg, Leg::Close(Exit::StopMarket { .. }, Coverage::WholeLeg))
    }
}

/// Sums since the first start. `nav_start + realized + unrealized − fees + funding + transfers + corrections = equity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Equity at the first snapshot.
    pub nav_start: Decimal,
    /// Realised profit, fees excluded.
    pub realized: Decimal,
    /// Fees paid.
    pub fees: Decimal,
    /// Funding received less paid.
    pub funding: Decimal,
    /// Money moved in less moved out.
    pub transfers: Decimal,
    /// Differences to the venue that were taken over without an explanation.
    pub corrections: Decimal,
    /// Executions.
    pub fills: u64,
}

/// All state. Folds from the journal; two books that saw the same records are equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    run: RunId,
    term: Term,
    next: Seq,
    specs: Vec<Option<InstrumentSpec>>,
    index: BTreeMap<InstrumentId, InstrumentIx>,
    marks: Vec<Option<(Price, Timestamp)>>,
    /// LONG and SHORT of instrument `i` are at `2i` and `2i + 1`.
    legs: Vec<LegState>,
    open: Vec<usize>,
    #[serde(with = "pairs")]
    orders: BTreeMap<ClientOrderId, OrderRecord>,
    #[serde(with = "pairs")]
    by_venue: BTreeMap<(InstrumentId, VenueOrderId), ClientOrderId>,
    live: u32,
    live_conditional: u32,
    doubtful: u32,
    trades: Vec<Remembered>,
    flows: BTreeSet<(Timestamp, String)>,
    wallet: BTreeMap<Asset, Decimal>,
    totals: Totals,
    started: bool,
    mode: Option<PositionMode>,
    connected: bool,
    booting: bool,
    operator: Posture,
    operator_because: String,
    posture: Posture,
    muted: BTreeMap<InstrumentId, Timestamp>,
    last_fact_at: Timestamp,
    last_venue_time: Timestamp,
    foreign: Vec<OrderReport>,
    one_close_all_only: bool,
}

/// Trade ids of one instrument; everything below `floor` counts as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Remembered {
    floor: TradeId,
    ids: BTreeSet<TradeId>,
}

impl Remembered {
    /// Whether this id is new; remembers it.
    fn insert(&mut self, id: TradeId) -> bool {
        if id < self.floor || !self.ids.insert(id) {
            return false;
        }
        if self.ids.len() > REMEMBERED_IDS
            && let Some(oldest) = self.ids.pop_first()
        {
            self.floor = TradeId(oldest.0 + 1);
        }
        true
    }
}

/// JSON objects need text keys; these maps are written as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }
    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// What changed besides numbers; the engine reacts to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A leg grew from a fill of this order.
    Grew(PositionKey, Option<ClientOrderId>),
    /// A leg shrank; `flat` when nothing is left.
    Shrank(PositionKey, bool),
    /// An order ended.
    Ended(ClientOrderId),
    /// An order became confirmed live.
    Confirmed(ClientOrderId),
    /// An order that was believed done has filled.
    LateFill(ClientOrderId),
    /// A fill belongs to no order of ours, or to a one-way account.
    ForeignFill(Box<Fill>),
    /// An order report that fits no row of the life cycle, or no order of ours.
    Unfitting(String),
    /// The venue states a leg size that differs from the book.
    LegDiffers(PositionKey),
}

impl Book {
    // ---- reading -------------------------------------------------------------------------------------------------

    /// Identity of the state directory.
    pub const fn run(&self) -> RunId {
        self.run
    }
    /// The current leadership term.
    pub const fn term(&self) -> Term {
        self.term
    }
    /// The place of the next record.
    pub const fn next_seq(&self) -> Seq {
        self.next
    }
    /// When the last fact came in.
    pub const fn last_fact_at(&self) -> Timestamp {
        self.last_fact_at
    }
    /// The latest venue time seen in a fill or flow: where a back-fill starts.
    pub const fn last_venue_time(&self) -> Timestamp {
        self.last_venue_time
    }
    /// Sums since the first start.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }
    /// Whether a first snapshot has been taken.
    pub const fn is_started(&self) -> bool {
        self.started
    }
    /// Whether the account stream is connected.
    pub const fn is_connected(&self) -> bool {
        self.connected
    }
    /// The account's position mode, once known.
    pub const fn mode(&self) -> Option<PositionMode> {
        self.mode
    }
    /// The engine's stance: the strictest of operator and risk managers.
    pub const fn posture(&self) -> Posture {
        self.posture
    }
    /// What the operator commanded, and why.
    pub fn operator(&self) -> (Posture, &str) {
        (self.operator, &self.operator_because)
    }
    /// How many orders have an unknown outcome.
    pub const fn doubtful_orders(&self) -> u32 {
        self.doubtful
    }
    /// How many orders are, or may be, live.
    pub const fn live_order_count(&self) -> u32 {
        self.live
    }
    /// How many conditional orders are, or may be, open on the account, foreign ones included.
    pub fn conditional_orders(&self) -> u32 {
        let foreign = self.foreign.iter().filter(|report| report.order.space() == OrderSpace::Algo).count();
        self.live_conditional + foreign as u32
    }
    /// Foreign orders seen in the last snapshot.
    pub fn foreign_orders(&self) -> &[OrderReport] {
        &self.foreign
    }
    /// The engine's index of an instrument.
    pub fn ix(&self, id: &InstrumentId) -> Option<InstrumentIx> {
        self.index.get(id).copied()
    }
    /// The rules of an instrument.
    pub fn spec(&self, ix: InstrumentIx) -> Option<&InstrumentSpec> {
        self.specs.get(usize::from(ix.0))?.as_ref()
    }
    /// Every instrument, in index order.
    pub fn instruments(&self) -> impl Iterator<Item = (InstrumentIx, &InstrumentSpec)> {
        self.specs.iter().enumerate().filter_map(|(i, spec)| Some((InstrumentIx(i as u16), spec.as_ref()?)))
    }
    /// The latest mark and when it was learned.
    pub fn mark(&self, ix: InstrumentIx) -> Option<(Price, Timestamp)> {
        self.marks.get(usize::from(ix.0)).copied().flatten()
    }
    /// The latest mark of an instrument by name.
    pub fn mark_of(&self, id: &InstrumentId) -> Option<(Price, Timestamp)> {
        self.mark(self.ix(id)?)
    }
    /// A leg, open or flat; `None` for an instrument that is not configured.
    pub fn leg(&self, key: &PositionKey) -> Option<&LegState> {
        self.legs.get(self.slot(key)?)
    }
    /// Every leg of every instrument, flat ones included.
    pub fn legs(&self) -> impl Iterator<Item = &LegState> {
        self.legs.iter()
    }
    /// Open legs.
    pub fn open_legs(&self) -> impl Iterator<Item = &LegState> {
        self.open.iter().filter_map(|&slot| self.legs.get(slot))
    }
    /// Whether anything is held on either leg of an instrument.
    pub fn holds(&self, ix: InstrumentIx) -> bool {
        let base = usize::from(ix.0) * 2;
        self.open.iter().any(|&slot| slot == base || slot == base + 1)
    }
    /// An order of ours.
    pub fn order(&self, id: &ClientOrderId) -> Option<&OrderRecord> {
        self.orders.get(id)
    }
    /// Every order ever, by id.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRecord> {
        self.orders.values()
    }
    /// Orders that are, or may be, live, by leg.
    pub fn live_orders(&self) -> impl Iterator<Item = &OrderRecord> {
        self.legs.iter().flat_map(|leg| leg.live.iter()).filter_map(|id| self.orders.get(id))
    }
    /// Live orders of one leg.
    pub fn live_orders_of(&self, key: &PositionKey) -> impl Iterator<Item = &OrderRecord> {
        self.leg(key).into_iter().flat_map(|leg| leg.live.iter()).filter_map(|id| self.orders.get(id))
    }
    /// Whether an opening of that leg is, or may be, live.
    pub fn has_live_entry(&self, key: &PositionKey) -> bool {
        self.live_orders_of(key).any(|order| order.leg.action() == Action::Open)
    }
    /// Whether an order of that leg has an unknown outcome.
    pub fn has_doubt(&self, key: &PositionKey) -> bool {
        self.doubtful > 0 && self.live_orders_of(key).any(|order| order.state == OrderState::Unknown)
    }
    /// What our own plain closing orders may still take from a leg.
    pub fn resting_closes(&self, key: &PositionKey) -> Decimal {
        self.live_orders_of(key)
            .filter(|order| order.leg.action() == Action::Close && order.space() == OrderSpace::Plain)
            .map(OrderRecord::open_qty)
            .sum()
    }
    /// The leg's newest close-all stop that is, or may be, live.
    pub fn stop_of(&self, key: &PositionKey) -> Option<&OrderRecord> {
        self.live_orders_of(key)
            .filter(|order| order.purpose == OrderPurpose::Stop && order.state != OrderState::Canceling)
            .last()
    }
    /// Wallet balance of an asset, without unrealised profit.
    pub fn wallet(&self, asset: &Asset) -> Decimal {
        self.wallet.get(asset).copied().unwrap_or_default()
    }
    /// Unrealised profit of all legs at their marks (entry where no mark is known).
    pub fn unrealized(&self) -> Decimal {
        self.open
            .iter()
            .filter_map(|&slot| {
                let (mark, _) = self.marks.get(slot / 2).copied().flatten()?;
                Some(self.legs.get(slot)?.unrealized(mark))
            })
            .sum()
    }
    /// Net asset value in USDT: wallet plus unrealised profit.
    pub fn equity(&self) -> Decimal {
        self.wallet(&Asset::usdt()) + self.unrealized()
    }
    /// Notional of open legs and of openings that may still fill (unknown ones count as filled), by leg.
    pub fn exposure(&self, key: &PositionKey) -> Decimal {
        let mark = self.mark_of(&key.instrument).map(|(price, _)| price.get());
        let held = self.leg(key).map_or(Decimal::ZERO, |leg| match mark {
            Some(mark) => leg.qty * mark,
            None => leg.cost,
        });
        let pending: Decimal = self
            .live_orders_of(key)
            .filter_map(|order| match &order.leg {
                Leg::Open(crate::order::Entry::Limit { price, .. }) => Some(order.open_qty() * price.get()),
                Leg::Open(crate::order::Entry::Market) => Some(order.open_qty() * mark.unwrap_or_default()),
                Leg::Close(..) => None,
            })
            .sum();
        held + pending
    }
    /// Legs that are open or have an opening that may still fill.
    pub fn occupied_legs(&self) -> usize {
        self.legs.iter().filter(|leg| leg.is_open() || self.has_live_entry(&leg.key)).count()
    }
    /// Whether the venue has refused a second close-all stop on a leg.
    pub const fn one_close_all_only(&self) -> bool {
        self.one_close_all_only
    }
    /// A close-all stop of a leg that is not in this journal: a person's, or ours from a lost state directory.
    pub fn foreign_stop(&self, key: &PositionKey) -> Option<&OrderReport> {
        self.foreign.iter().find(|report| {
            report.instrument == key.instrument
                && report.side.leg() == Some(key.side)
                && report.is_close() == Some(true)
                && report.covers == Coverage::WholeLeg
                && report.kind == ReportedKind::StopMarket
                && !report.state.is_terminal()
        })
    }
    /// Until when a symbol is muted.
    pub fn muted_until(&self, id: &InstrumentId) -> Option<Timestamp> {
        self.muted.get(id).copied()
    }

    fn slot(&self, key: &PositionKey) -> Option<usize> {
        Some(usize::from(self.ix(&key.instrument)?.0) * 2 + usize::from(key.side == PositionSide::Short))
    }

    // ---- folding -------------------------------------------------------------------------------------------------

    /// Folds one record. What the engine must react to is appended to `changes`.
    pub fn apply(&mut self, envelope: &Envelope, changes: &mut Vec<Change>) {
        self.next = envelope.seq.next();
        match &envelope.event {
            Event::Fact(fact) => self.apply_fact(envelope.at, fact, changes),
            Event::Decision(decision) => self.apply_decision(envelope, decision, changes),
        }
    }

    fn apply_fact(&mut self, at: Timestamp, fact: &Fact, changes: &mut Vec<Change>) {
        self.last_fact_at = at;
        match fact {
            Fact::RunStarted(started) => self.run_started(at, started),
            Fact::Instrument { ix, spec } => self.set_spec(*ix, spec),
            Fact::Market { event } => self.apply_market(at, event),
            Fact::Account { event } => self.apply_account(at, event, changes),
            Fact::Snapshot { snapshot } => self.apply_snapshot(at, snapshot, changes),
            Fact::SubmitAcked { order, venue, state, filled } => {
                self.name_order(order, *venue);
                self.report_state(order, state, *filled, at, changes);
            }
            Fact::SubmitFailed { order, outcome, reason, message, acceptable_until, .. } => {
                self.one_close_all_only |= *reason == Some(RejectReason::SecondCloseAll);
                if let Some(record) = self.orders.get_mut(order) {
                    record.refusal = Some(message.clone());
                }
                self.advance(order, &OrderEvent::SubmitFailed(*outcome), at, changes);
                if *outcome == Outcome::Unknown {
                    let until = acceptable_until.unwrap_or(at.plus(MAX_REQUEST_WINDOW));
                    self.doubt(order, at, until);
                }
            }
            Fact::CancelAcked { .. } => {}
            Fact::CancelFailed { order, .. } => self.advance(order, &OrderEvent::CancelFailed, at, changes),
            Fact::QueryAnswered { order, answer } => self.apply_answer(order, at, answer, changes),
            Fact::QueryFailed { order, .. } => self.asked(order, at),
            Fact::Operator { command, because } => self.command(*command, because),
            Fact::Tick | Fact::RunStopped { .. } => {}
        }
    }

    fn run_started(&mut self, at: Timestamp, started: &RunStarted) {
        self.run = started.run;
        self.term = started.term;
        self.connected = false;
        self.booting = true;
        let unanswered: Vec<ClientOrderId> = self
            .live_orders()
            .filter(|order| matches!(order.state, OrderState::Journalled | OrderState::InFlight))
            .map(|order| order.client_id)
            .collect();
        for id in unanswered {
            self.advance(&id, &OrderEvent::ProcessDied, at, &mut Vec::new());
            // The dead process cannot have sent it later than now.
            self.doubt(&id, at, at.plus(MAX_REQUEST_WINDOW));
        }
    }

    fn set_spec(&mut self, ix: InstrumentIx, spec: &InstrumentSpec) {
        let i = usize::from(ix.0);
        while self.specs.len() <= i {
            self.specs.push(None);
            self.marks.push(None);
            self.trades.push(Remembered::default());
            self.legs.push(LegState::flat(PositionKey::long(spec.id)));
            self.legs.push(LegState::flat(PositionKey::short(spec.id)));
        }
        self.index.insert(spec.id, ix);
        if self.specs[i].is_none() {
            self.legs[i * 2] = LegState::flat(PositionKey::long(spec.id));
            self.legs[i * 2 + 1] = LegState::flat(PositionKey::short(spec.id));
        }
        self.specs[i] = Some(spec.clone());
    }

    /// Folds a market fact. Separate because replays do not journal these: their data stays in its file.
    pub fn apply_market(&mut self, at: Timestamp, event: &MarketEvent) {
        self.last_fact_at = at;
        let (ix, price) = match event {
            MarketEvent::Mark { instrument, mark, .. } => (*instrument, Some(*mark)),
            // A venue that streams marks has told this one already; a replay of bars has no other mark.
            MarketEvent::Bar { instrument, bar } => (*instrument, bar.close_price()),
            MarketEvent::History { instrument, bar } => {
                // An old price is better than none, and counts as old as it is.
                if let (Some(price), Some(mark)) =
                    (bar.close_price(), self.marks.get_mut(usize::from(instrument.0)))
                    && mark.is_none_or(|(_, known)| known < bar.end())
                {
                    *mark = Some((price, bar.end()));
                }
                return;
            }
            _ => return,
        };
        if let (Some(price), Some(mark)) = (price, self.marks.get_mut(usize::from(ix.0))) {
            *mark = Some((price, at));
        }
    }

    fn apply_account(&mut self, at: Timestamp, event: &AccountEvent, changes: &mut Vec<Change>) {
        match event {
            AccountEvent::Order { report } => self.apply_report(report, at, changes),
            AccountEvent::Fill { fill } => self.apply_fill(fill, at, changes),
            AccountEvent::CashFlow { flow } => self.apply_flow(flow),
            AccountEvent::Legs { legs, .. } => {
                for row in legs {
                    let Some(side) = row.side.leg() else { continue };
                    let key = PositionKey::new(row.instrument, side);
                    if self.leg(&key).is_some_and(|leg| leg.qty != row.qty) {
                        changes.push(Change::LegDiffers(key));
                    }
                }
            }
            AccountEvent::Disconnected { .. } => self.connected = false,
            AccountEvent::Reconnected => self.connected = true,
            AccountEvent::Balances { .. }
            | AccountEvent::LeverageChanged { .. }
            | AccountEvent::MarginCall { .. }
            | AccountEvent::Unrecognised { .. } => {}
        }
    }

    fn apply_snapshot(&mut self, at: Timestamp, snapshot: &VenueSnapshot, changes: &mut Vec<Change>) {
        self.mode = Some(snapshot.account.mode);
        // The boot connects the account stream before it takes its snapshot; later ones prove nothing about the stream.
        if self.booting {
            self.booting = false;
            self.connected = true;
        }
        if self.started {
            for fill in &snapshot.fills {
                self.apply_fill(fill, at, changes);
            }
            for flow in &snapshot.flows {
                self.apply_flow(flow);
            }
        } else {
            // The first look at the account: what is there is the starting point, not a difference.
            self.started = true;
            for balance in &snapshot.account.balances {
                self.wallet.insert(balance.asset, balance.wallet.get());
            }
            for position in &snapshot.positions {
                if let Some(slot) = self.slot(position.key()) {
                    self.set_leg(
                        slot,
                        position.qty().get(),
                        position.entry().get() * position.qty().get(),
                        at,
                    );
                    if let Some(mark) = position.mark()
                        && let Some(entry) = self.marks.get_mut(slot / 2)
                    {
                        entry.get_or_insert((mark, at));
                    }
                }
            }
            for fill in &snapshot.fills {
                if let Some(ix) = self.ix(&fill.instrument) {
                    self.trades[usize::from(ix.0)].insert(fill.trade_id);
                }
            }
            for flow in &snapshot.flows {
                self.flows.insert((flow.venue_time, flow.id.clone()));
            }
            self.totals.nav_start = self.equity();
        }
        self.last_venue_time = self.last_venue_time.max(snapshot.account.venue_time);
        self.foreign.clear();
        for report in &snapshot.orders {
            match report.client_id.ours() {
                Some(id) if self.orders.contains_key(id) => self.apply_report(report, at, changes),
                _ => self.foreign.push(report.clone()),
            }
        }
    }

    fn apply_report(&mut self, report: &OrderReport, at: Timestamp, changes: &mut Vec<Change>) {
        let known =
            report.client_id.ours().copied().filter(|id| self.orders.contains_key(id)).or_else(|| {
                let OrderRef::Plain(number) = report.order else { return None };
                self.by_venue.get(&(report.instrument, number)).copied()
            });
        let Some(id) = known else {
            changes.push(Change::Unfitting(format!(
                "order {} on {} is not ours",
                report.client_id.as_str(),
                report.instrument.symbol
            )));
            return;
        };
        let Some(record) = self.orders.get_mut(&id) else { return };
        if report.order_side != record.position.side.order_side(record.leg.action()) {
            changes.push(Change::Unfitting(format!("order {id} is reported on the other side of the book")));
            return;
        }
        // The plain child of a conditional order reports under the same client id; it is not the order itself.
        let child_of_ours = record.space() == OrderSpace::Algo && report.order.space() == OrderSpace::Plain;
        if report.reason.is_some() {
            record.refusal.clone_from(&report.reason);
        }
        if child_of_ours {
            if let OrderRef::Plain(child) = report.order {
                self.adopt_child(&id, child);
                self.by_venue.insert((report.instrument, child), id);
            }
            let state = if report.state.is_terminal() && report.state != ReportedState::Filled {
                &report.state
            } else {
                &ReportedState::Triggered
            };
            self.advance(&id, &OrderEvent::Reported(state), at, changes);
        } else {
            self.name_order(&id, report.order);
            self.report_state(&id, &report.state, report.filled, at, changes);
        }
    }

    /// Takes the venue's word on an order's state. An end that counts fills we have not booked yet waits for them.
    fn report_state(
        &mut self,
        id: &ClientOrderId,
        state: &ReportedState,
        filled: Decimal,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let mut waits = false;
        if let Some(record) = self.orders.get_mut(id) {
            record.reported_filled = record.reported_filled.max(filled);
            waits = state.is_terminal() && record.state.is_live() && record.filled < record.reported_filled;
            if waits {
                record.ending = Some(state.clone());
            }
        }
        let state = if waits { &ReportedState::Working } else { state };
        self.advance(id, &OrderEvent::Reported(state), at, changes);
    }

    fn apply_fill(&mut self, fill: &Fill, at: Timestamp, changes: &mut Vec<Change>) {
        let (Some(side), Some(ix)) = (fill.side.leg(), self.ix(&fill.instrument)) else {
            changes.push(Change::ForeignFill(Box::new(fill.clone())));
            return;
        };
        if !self.trades[usize::from(ix.0)].insert(fill.trade_id) {
            return;
        }
        self.last_venue_time = self.last_venue_time.max(fill.venue_time);
        let key = PositionKey::new(fill.instrument, side);
        let slot = usize::from(ix.0) * 2 + usize::from(side == PositionSide::Short);
        let id = fill
            .client_id
            .as_ref()
            .and_then(crate::venue::ReportedId::ours)
            .copied()
            .filter(|id| self.orders.contains_key(id))
            .or_else(|| self.by_venue.get(&(fill.instrument, fill.order)).copied());
        self.book_fill(slot, fill, at);
        match id {
            Some(id) => {
                self.by_venue.insert((fill.instrument, fill.order), id);
                if self.legs[slot].protection.is_none() {
                    let planned = self.orders.get(&id).and_then(|record| record.protection.clone());
                    self.legs[slot].protection = planned;
                }
                let complete = self.orders.get_mut(&id).is_some_and(|record| {
                    record.filled += fill.qty.get();
                    record.filled >= record.qty.get()
                });
                self.adopt_child(&id, fill.order);
                let was_done = self
                    .orders
                    .get(&id)
                    .is_some_and(|record| record.state.is_terminal() && record.state != OrderState::Filled);
                // A close-all stop fills whatever the leg holds; it is done when the leg is flat.
                let whole_leg = self.orders.get(&id).is_some_and(OrderRecord::is_close_all_stop);
                let flat = self.legs[slot].qty.is_zero();
                let complete = if whole_leg { flat } else { complete };
                self.advance(&id, &OrderEvent::Fill { complete }, at, changes);
                self.finish(&id, at, changes);
                if was_done {
                    changes.push(Change::LateFill(id));
                }
            }
            None => changes.push(Change::ForeignFill(Box::new(fill.clone()))),
        }
        if fill.is_close() == Some(true) {
            changes.push(Change::Shrank(key, self.legs[slot].qty.is_zero()));
        } else {
            changes.push(Change::Grew(key, id));
        }
    }

    /// Ends an order whose last missing fill has arrived.
    fn finish(&mut self, id: &ClientOrderId, at: Timestamp, changes: &mut Vec<Change>) {
        let Some(record) = self.orders.get_mut(id) else { return };
        if record.filled >= record.reported_filled
            && let Some(ending) = record.ending.take()
        {
            self.advance(id, &OrderEvent::Reported(&ending), at, changes);
        }
    }

    /// Books one execution on a leg. Money is conserved exactly: what the venue realises leaves the cost.
    fn book_fill(&mut self, slot: usize, fill: &Fill, at: Timestamp) {
        let notional = fill.qty.get() * fill.price.get();
        let (mut qty, mut cost) = (self.legs[slot].qty, self.legs[slot].cost);
        let mut realized = Decimal::ZERO;
        if fill.is_close() == Some(true) {
            let closed = fill.qty.get().min(qty);
            let sign = Decimal::from(self.legs[slot].key.side.sign());
            let share = if closed >= qty || qty.is_zero() { cost } else { (cost * closed / qty).round_dp(8) };
            realized = fill.realized.map_or((notional - share) * sign, SignedAmount::get);
            cost -= notional - realized * sign;
            qty -= closed;
            if qty.is_zero() {
                // The venue rounds entry prices; what is left of the cost is that rounding.
                realized -= cost * sign;
                cost = Decimal::ZERO;
            }
        } else {
            qty += fill.qty.get();
            cost += notional;
        }
        let leg = &mut self.legs[slot];
        leg.realized += realized;
        let settle = self.specs[slot / 2].as_ref().map_or_else(Asset::usdt, |spec| spec.settle);
        *self.wallet.entry(settle).or_default() += realized;
        self.totals.realized += realized;
        *self.wallet.entry(fill.fee.asset).or_default() -= fill.fee.value.get();
        if fill.fee.asset == settle {
            leg.fees += fill.fee.value.get();
            self.totals.fees += fill.fee.value.get();
        }
        self.totals.fills += 1;
        self.set_leg(slot, qty, cost, at);
    }

    fn set_leg(&mut self, slot: usize, qty: Decimal, cost: Decimal, at: Timestamp) {
        let leg = &mut self.legs[slot];
        let was_open = leg.is_open();
        leg.qty = qty;
        leg.cost = cost;
        if leg.is_open() && !was_open {
            leg.opened_at = Some(at);
            leg.unprotected_since = Some(at);
            self.open.push(slot);
            self.open.sort_unstable();
        } else if !leg.is_open() && was_open {
            leg.opened_at = None;
            leg.unprotected_since = None;
            leg.protection = None;
            self.open.retain(|&other| other != slot);
        }
        self.release(slot);
    }

    /// A leg that is flat and has no live opening belongs to nobody.
    fn release(&mut self, slot: usize) {
        let key = self.legs[slot].key;
        if !self.legs[slot].is_open() && self.legs[slot].owner.is_some() && !self.has_live_entry(&key) {
            self.legs[slot].owner = None;
        }
    }

    fn apply_flow(&mut self, flow: &CashFlow) {
        if !self.flows.insert((flow.venue_time, flow.id.clone())) {
            return;
        }
        if self.flows.len() > REMEMBERED_IDS {
            self.flows.pop_first();
        }
        self.last_venue_time = self.last_venue_time.max(flow.venue_time);
        let value = flow.amount.value.get();
        let ours = flow.amount.asset == Asset::usdt();
        match flow.kind {
            // These arrive with their fills; the income ledger repeats them.
            CashFlowKind::Fee | CashFlowKind::RealizedPnl => return,
            CashFlowKind::Funding if ours => {
                self.totals.funding += value;
                if let Some(id) = &flow.instrument {
                    self.split_funding(id, value);
                }
            }
            CashFlowKind::Transfer if ours => self.totals.transfers += value,
            CashFlowKind::Other(_) if ours => self.totals.corrections += value,
            _ => {}
        }
        *self.wallet.entry(flow.amount.asset).or_default() += value;
    }

    /// The venue books funding of a symbol in one sum; it is attributed to the leg whose sign it has, or to the larger one.
    fn split_funding(&mut self, id: &InstrumentId, value: Decimal) {
        let Some(ix) = self.ix(id) else { return };
        let base = usize::from(ix.0) * 2;
        let slot = if self.legs[base].qty >= self.legs[base + 1].qty { base } else { base + 1 };
        self.legs[slot].funding += value;
    }

    fn apply_answer(
        &mut self,
        id: &ClientOrderId,
        at: Timestamp,
        answer: &QueryAnswer,
        changes: &mut Vec<Change>,
    ) {
        for fill in &answer.fills {
            self.apply_fill(fill, at, changes);
        }
        match &answer.report {
            // A report older than its own intent is somebody else's order under a reused id: never evidence.
            Some(report)
                if self.orders.get(id).is_none_or(|record| {
                    report.venue_time.plus(Duration::from_secs(60)) >= record.decided_at
                }) =>
            {
                self.apply_report(report, at, changes);
                self.asked(id, at);
            }
            _ => {
                self.asked(id, at);
                if let Some(doubt) = self.orders.get_mut(id).and_then(|record| record.doubt.as_mut())
                    && answer.venue_time > doubt.acceptable_until.plus(VISIBILITY_DELAY)
                {
                    doubt.absent += 1;
                }
            }
        }
    }

    fn asked(&mut self, id: &ClientOrderId, at: Timestamp) {
        if let Some(doubt) = self.orders.get_mut(id).and_then(|record| record.doubt.as_mut()) {
            doubt.asked += 1;
            // 0.2 s, 0.4 s, … at most 5 s apart: quick at first, patient later.
            let wait_ms = (200_u64 << doubt.asked.min(5)).min(5_000);
            doubt.ask_at = at.plus(Duration::from_millis(wait_ms));
        }
    }

    fn doubt(&mut self, id: &ClientOrderId, at: Timestamp, acceptable_until: Timestamp) {
        if let Some(record) = self.orders.get_mut(id)
            && record.state == OrderState::Unknown
            && record.doubt.is_none()
        {
            record.doubt = Some(Doubt { since: at, acceptable_until, asked: 0, ask_at: at, absent: 0 });
        }
    }

    fn command(&mut self, command: OperatorCommand, because: &str) {
        self.operator = match command {
            OperatorCommand::Halt => Posture::Halted,
            OperatorCommand::ExitOnly | OperatorCommand::Flatten => Posture::ExitOnly,
            OperatorCommand::Resume => Posture::Normal,
        };
        self.operator_because = because.to_owned();
    }

    fn apply_decision(&mut self, envelope: &Envelope, decision: &Decision, changes: &mut Vec<Change>) {
        let at = envelope.at;
        match decision {
            Decision::OrderApproved { client_id, strategy, position, leg, qty, purpose, protection } => {
                let record = OrderRecord {
                    client_id: *client_id,
                    seq: envelope.seq,
                    decided_at: at,
                    strategy: *strategy,
                    position: *position,
                    leg: *leg,
                    qty: *qty,
                    purpose: *purpose,
                    protection: protection.clone(),
                    // The step that decides an order also hands it to the dispatcher.
                    state: OrderState::InFlight,
                    venue: None,
                    filled: Decimal::ZERO,
                    reported_filled: Decimal::ZERO,
                    doubt: None,
                    refusal: None,
                    ending: None,
                };
                self.live += 1;
                self.live_conditional += u32::from(record.space() == OrderSpace::Algo);
                if let Some(slot) = self.slot(position) {
                    let state = &mut self.legs[slot];
                    state.live.push(*client_id);
                    if leg.action() == Action::Open {
                        state.owner = state.owner.or(*strategy);
                        if protection.is_some() {
                            state.protection.clone_from(protection);
                        }
                    }
                }
                self.orders.insert(*client_id, record);
            }
            Decision::CancelRequested { order, .. } => {
                self.advance(order, &OrderEvent::CancelSent, at, changes);
            }
            Decision::AbsenceProven { order } => {
                self.advance(order, &OrderEvent::AbsenceProven, at, changes);
            }
            Decision::PostureChanged { posture, .. } => self.posture = *posture,
            Decision::Muted { instrument, until, .. } => {
                self.muted.insert(*instrument, *until);
            }
            Decision::Corrected { difference } => self.correct(at, difference),
            Decision::Screened { .. }
            | Decision::Intended { .. }
            | Decision::Assessed { .. }
            | Decision::QueryRequested { .. }
            | Decision::Alert { .. } => {}
        }
    }

    fn correct(&mut self, at: Timestamp, difference: &Difference) {
        match difference {
            Difference::LegSize { position, venue, entry, .. } => {
                let Some(slot) = self.slot(position) else { return };
                let before = self.unrealized();
                let cost = entry.map_or(Decimal::ZERO, |price| price.get() * venue);
                self.set_leg(slot, *venue, cost, at);
                // Equity must not jump in the sums: what appeared or vanished is a correction.
                self.totals.corrections += self.unrealized() - before;
            }
            Difference::Wallet { asset, book, venue } => {
                self.wallet.insert(*asset, *venue);
                if *asset == Asset::usdt() {
                    self.totals.corrections += venue - book;
                }
            }
            Difference::Mode { venue } => self.mode = Some(*venue),
            Difference::OwnOrder { .. }
            | Difference::NotOpen { .. }
            | Difference::State { .. }
            | Difference::ForeignOrder { .. }
            | Difference::ForeignPosition { .. } => {}
        }
    }

    fn name_order(&mut self, id: &ClientOrderId, venue: OrderRef) {
        if let Some(record) = self.orders.get_mut(id) {
            let instrument = record.position.instrument;
            let child = match (record.venue, venue) {
                (Some(OrderRef::Algo { child: Some(old), .. }), OrderRef::Algo { id, child: None }) => {
                    record.venue = Some(OrderRef::Algo { id, child: Some(old) });
                    None
                }
                (_, OrderRef::Client { .. }) => None,
                _ => {
                    record.venue = Some(venue);
                    match venue {
                        OrderRef::Plain(number) => Some(number),
                        OrderRef::Algo { child, .. } => child,
                        OrderRef::Client { .. } => None,
                    }
                }
            };
            if let Some(number) = child {
                self.by_venue.insert((instrument, number), *id);
            }
        }
    }

    fn adopt_child(&mut self, id: &ClientOrderId, child: VenueOrderId) {
        if let Some(record) = self.orders.get_mut(id)
            && let Some(OrderRef::Algo { child: known, .. }) = &mut record.venue
        {
            known.get_or_insert(child);
        }
    }

    fn advance(
        &mut self,
        id: &ClientOrderId,
        event: &OrderEvent<'_>,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let Some(record) = self.orders.get_mut(id) else {
            changes.push(Change::Unfitting(format!("order {id} is not in the book: {event:?}")));
            return;
        };
        let from = record.state;
        let next = match transition(from, event, !record.filled.is_zero()) {
            Ok(next) => next,
            Err(illegal) => {
                changes.push(Change::Unfitting(format!("{id}: {illegal}")));
                return;
            }
        };
        let to = next.to;
        if to == from {
            return;
        }
        record.state = to;
        let (position, conditional) = (record.position, record.space() == OrderSpace::Algo);
        if to != OrderState::Unknown {
            record.doubt = None;
        }
        self.doubtful =
            self.doubtful + u32::from(to == OrderState::Unknown) - u32::from(from == OrderState::Unknown);
        if from.is_live() && to.is_terminal() {
            self.live -= 1;
            self.live_conditional -= u32::from(conditional);
            if let Some(slot) = self.slot(&position) {
                self.legs[slot].live.retain(|other| other != id);
                self.release(slot);
            }
            changes.push(Change::Ended(*id));
        } else if to.is_confirmed_live() && !from.is_confirmed_live() {
            changes.push(Change::Confirmed(*id));
        }
        self.update_protection(&position, at);
    }

    /// A leg is protected while a close-all stop is confirmed live.
    fn update_protection(&mut self, key: &PositionKey, at: Timestamp) {
        let Some(slot) = self.slot(key) else { return };
        if !self.legs[slot].is_open() {
            return;
        }
        let covered = self
            .live_orders_of(key)
            .any(|order| order.purpose == OrderPurpose::Stop && order.state.is_confirmed_live());
        let leg = &mut self.legs[slot];
        match (covered, leg.unprotected_since) {
            (true, Some(_)) => leg.unprotected_since = None,
            (false, None) => leg.unprotected_since = Some(at),
            _ => {}
        }
    }
}
