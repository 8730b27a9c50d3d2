//! The auditor's book of the journal: what was announced, what was learned, what may be done.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use hedge_core::{
    AccountEvent, Action, CashFlow, CashFlowKind, ClientOrderId, Coverage, Decimal, Decision, Difference,
    Entry, Envelope, Event, Exit, Fact, Fill, Leg, OperatorCommand, OrderRef, OrderReport, OrderSide,
    Outcome, PositionKey, PositionSide, Posture, VenueSnapshot, Verdict,
};
use hedge_sim::venue::{self, Command};

use super::{PER_ORDER_USDT, PER_SYMBOL_USDT, TOTAL_USDT};

/// A leg by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::swarm) struct LegName {
    pub(in crate::swarm) symbol: String,
    pub(in crate::swarm) short: bool,
}

impl fmt::Display for LegName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.symbol, if self.short { "SHORT" } else { "LONG" })
    }
}

impl From<&PositionKey> for LegName {
    fn from(key: &PositionKey) -> Self {
        Self { symbol: key.instrument.symbol.as_str().to_owned(), short: key.side == PositionSide::Short }
    }
}

/// An order as it was announced, and what has become known of it.
#[derive(Clone, Debug)]
struct Announced {
    position: PositionKey,
    leg: Leg,
    qty: Decimal,
    /// The venue's numbers of it.
    numbers: BTreeSet<i64>,
    reported: Decimal,
    ended: bool,
    /// Which life of its leg it was decided in, as far as the journal knew.
    life: usize,
}

impl Announced {
    fn is_plain_close(&self) -> bool {
        matches!(self.leg, Leg::Close(Exit::Market | Exit::Limit { .. }, _))
    }
}

/// What the records say.
#[derive(Debug, Default)]
pub(in crate::swarm) struct JournalBook {
    records: u64,
    orders: BTreeMap<ClientOrderId, Announced>,
    /// What the venue's orders have executed, by symbol and number.
    executed: BTreeMap<(String, i64), Decimal>,
    cancels: BTreeSet<ClientOrderId>,
    adopted_cancels: BTreeSet<u64>,
    /// Which intent an assessment or an opening belongs to.
    intents: BTreeMap<u64, u64>,
    opened_by: BTreeSet<u64>,
    pub(in crate::swarm) trades: BTreeSet<(String, i64)>,
    pub(in crate::swarm) flows: BTreeSet<String>,
    legs: BTreeMap<LegName, Decimal>,
    /// When the journal has learned that each life of a leg was over. Units: milliseconds of the run.
    lives: BTreeMap<LegName, Vec<i64>>,
    now_ms: i64,
    marks: BTreeMap<u16, Decimal>,
    symbols: BTreeMap<u16, String>,
    pub(in crate::swarm) wallet: Option<Decimal>,
    posture: Posture,
    operator: Posture,
    connected: bool,
    booting: bool,
    halted: BTreeSet<LegName>,
    muted_until_ms: BTreeMap<String, i64>,
    /// Legs whose size was taken from the venue, not from executions.
    corrected: bool,
}

/// The opening that a record approves: its id, and the leg beside it.
pub(super) fn opening_in(record: &Envelope) -> Option<(String, String)> {
    match &record.event {
        Event::Decision(Decision::OrderApproved { client_id, position, leg: Leg::Open(_), .. }) => {
            Some((client_id.as_str().to_owned(), format!("opening {client_id} of {position}")))
        }
        _ => None,
    }
}

impl JournalBook {
    pub(super) const fn len(&self) -> u64 {
        self.records
    }

    pub(super) fn announced(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    fn find(&self, id: &str) -> Option<&Announced> {
        self.orders.get(&ClientOrderId::parse(id).ok()?)
    }

    /// How long the journal has known that the position is gone for which an order was decided.
    pub(super) fn outlived_ms(&self, id: &str, now_ms: i64) -> Option<i64> {
        let order = self.find(id)?;
        let over_ms = self.lives.get(&LegName::from(&order.position))?.get(order.life)?;
        Some(now_ms - over_ms)
    }

    pub(super) fn cancel_announced(&self, id: &str) -> bool {
        ClientOrderId::parse(id).is_ok_and(|id| self.cancels.contains(&id))
    }

    pub(super) fn adopted_cancel_announced(&self, number: u64) -> bool {
        self.adopted_cancels.contains(&number)
    }

    /// Whether openings are forbidden by what a person has ordered.
    pub(super) fn is_forbidden(&self) -> bool {
        self.operator != Posture::Normal
    }

    /// How what is sent differs from what was announced.
    pub(super) fn differs(&self, id: &str, command: &Command) -> Option<String> {
        let order = self.find(id)?;
        let side = match order.position.side.order_side(order.leg.action()) {
            OrderSide::Buy => venue::Side::Buy,
            OrderSide::Sell => venue::Side::Sell,
        };
        let row = match order.position.side {
            PositionSide::Long => venue::PositionSide::Long,
            PositionSide::Short => venue::PositionSide::Short,
        };
        let symbol = order.position.instrument.symbol.as_str();
        let said = |what: &str, announced: String, sent: String| {
            (announced != sent).then(|| format!("{what} {announced} is sent as {sent}"))
        };
        match command {
            Command::Place(new) => {
                let price = match &order.leg {
                    Leg::Open(Entry::Limit { price, .. }) | Leg::Close(Exit::Limit { price, .. }, _) => {
                        Some(price.get())
                    }
                    _ => None,
                };
                said("symbol", symbol.to_owned(), new.symbol.clone())
                    .or_else(|| said("side", side.to_string(), new.side.to_string()))
                    .or_else(|| said("leg", format!("{:?}", Some(row)), format!("{:?}", new.position_side)))
                    .or_else(|| said("quantity", order.qty.normalize().to_string(), text(new.qty)))
                    .or_else(|| said("price", text(price), text(new.price)))
            }
            Command::PlaceAlgo(new) => {
                let Leg::Close(exit, covers) = &order.leg else {
                    return Some("an opening as a conditional order".to_owned());
                };
                let whole = *covers == Coverage::WholeLeg;
                let qty = (!whole).then_some(order.qty);
                said("symbol", symbol.to_owned(), new.symbol.clone())
                    .or_else(|| said("side", side.to_string(), new.side.to_string()))
                    .or_else(|| said("leg", format!("{:?}", Some(row)), format!("{:?}", new.position_side)))
                    .or_else(|| said("close-all", whole.to_string(), new.close_position.to_string()))
                    .or_else(|| said("quantity", text(qty), text(new.qty)))
                    .or_else(|| {
                        said(
                            "trigger",
                            text(exit.trigger().map(|price| price.get())),
                            text(new.trigger_price),
                        )
                    })
            }
            _ => None,
        }
    }

    /// One more record. What is wrong about it goes to `found`, with the number of the invariant.
    pub(super) fn read(&mut self, record: &Envelope, now_ms: i64, found: &mut Vec<(u8, String)>) {
        self.now_ms = now_ms;
        if record.seq.0 != self.records {
            found.push((7, format!("record {} stands at place {}", record.seq, self.records)));
        }
        self.records += 1;
        match &record.event {
            Event::Fact(fact) => self.fact(fact),
            Event::Decision(decision) => self.decision(record, decision, found),
        }
    }

    fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::RunStarted(_) => (self.connected, self.booting) = (false, true),
            Fact::Instrument { ix, spec } => {
                self.symbols.insert(ix.0, spec.id.symbol.as_str().to_owned());
            }
            Fact::Market { event: hedge_core::MarketEvent::Mark { instrument, mark, .. } } => {
                self.marks.insert(instrument.0, mark.get());
            }
            Fact::Account { event } => match &**event {
                AccountEvent::Fill { fill } => self.fill(fill),
                AccountEvent::Order { report } => self.report(report),
                AccountEvent::CashFlow { flow } => self.flow(flow),
                AccountEvent::Disconnected { .. } => self.connected = false,
                AccountEvent::Reconnected => self.connected = true,
                _ => {}
            },
            Fact::Snapshot { snapshot } => self.snapshot(snapshot),
            Fact::SubmitAcked { order, venue, state, filled } => {
                self.name(order, venue);
                self.progress(order, state.is_terminal(), *filled);
            }
            Fact::SubmitFailed { order, outcome, .. } if *outcome != Outcome::Unknown => {
                self.progress(order, true, Decimal::ZERO);
            }
            Fact::QueryAnswered { order, answer } => {
                if let Some(report) = &answer.report {
                    self.name(order, &report.order);
                    self.report(report);
                }
                answer.fills.iter().for_each(|fill| self.fill(fill));
            }
            Fact::Operator { command, .. } => {
                self.operator = match command {
                    OperatorCommand::Halt => Posture::Halted,
                    OperatorCommand::Resume | OperatorCommand::Lift => Posture::Normal,
                    _ => Posture::ExitOnly,
                };
                if *command == OperatorCommand::Resume {
                    self.halted.clear();
                }
            }
            _ => {}
        }
    }

    fn snapshot(&mut self, snapshot: &VenueSnapshot) {
        if self.booting {
            (self.booting, self.connected) = (false, true);
        }
        if self.wallet.is_none() {
            self.wallet = Some(snapshot.account.balances.iter().map(|balance| balance.wallet.get()).sum());
            self.flows.extend(snapshot.flows.iter().map(|flow| flow.id.clone()));
            return;
        }
        snapshot.fills.iter().for_each(|fill| self.fill(fill));
        snapshot.flows.iter().for_each(|flow| self.flow(flow));
        snapshot.orders.iter().for_each(|report| self.report(report));
    }

    fn name(&mut self, id: &ClientOrderId, venue: &OrderRef) {
        if let (Some(order), OrderRef::Plain(number) | OrderRef::Algo { child: Some(number), .. }) =
            (self.orders.get_mut(id), venue)
        {
            order.numbers.insert(number.0);
        }
    }

    /// What an order may still execute, as far as the journal tells. One of unknown outcome may execute all of it.
    fn left(&self, order: &Announced) -> Decimal {
        let symbol = order.position.instrument.symbol.as_str();
        let filled =
            |number: &i64| self.executed.get(&(symbol.to_owned(), *number)).copied().unwrap_or_default();
        let filled: Decimal = order.numbers.iter().map(filled).sum();
        let most = if order.ended { order.reported } else { order.qty };
        (most - filled).max(Decimal::ZERO)
    }

    fn report(&mut self, report: &OrderReport) {
        let Some(id) = report.client_id.ours().copied() else { return };
        self.name(&id, &report.order);
        self.progress(&id, report.state.is_terminal(), report.filled);
    }

    fn progress(&mut self, id: &ClientOrderId, ended: bool, filled: Decimal) {
        if let Some(order) = self.orders.get_mut(id) {
            order.ended |= ended;
            order.reported = order.reported.max(filled);
        }
    }

    fn fill(&mut self, fill: &Fill) {
        let symbol = fill.instrument.symbol.as_str().to_owned();
        let Some(side) = fill.side.leg() else { return };
        // An execution that was listed without a name may come again with it.
        let id = fill.client_id.as_ref().and_then(|id| id.ours());
        if let Some(order) = id.and_then(|id| self.orders.get_mut(id)) {
            order.numbers.insert(fill.order.0);
        }
        if !self.trades.insert((symbol.clone(), fill.trade_id.0)) {
            return;
        }
        let closes = side.order_side(Action::Close) == fill.order_side;
        let leg = LegName { symbol: symbol.clone(), short: side == PositionSide::Short };
        let qty = if closes { -fill.qty.get() } else { fill.qty.get() };
        let held = self.legs.entry(leg.clone()).or_default();
        let was_open = *held > Decimal::ZERO;
        *held += qty;
        if was_open && *held <= Decimal::ZERO {
            self.lives.entry(leg).or_default().push(self.now_ms);
        }
        if let Some(wallet) = &mut self.wallet {
            *wallet += fill.realized.map_or(Decimal::ZERO, |realized| realized.get()) - fill.fee.value.get();
        }
        *self.executed.entry((symbol, fill.order.0)).or_default() += fill.qty.get();
    }

    fn flow(&mut self, flow: &CashFlow) {
        // A fee is told with its execution; the ledger repeats it.
        if flow.kind == CashFlowKind::Fee {
            return;
        }
        if self.flows.insert(flow.id.clone())
            && let Some(wallet) = &mut self.wallet
        {
            *wallet += flow.amount.value.get();
        }
    }

    fn decision(&mut self, record: &Envelope, decision: &Decision, found: &mut Vec<(u8, String)>) {
        let cause = record.cause.map(|seq| seq.0);
        match decision {
            Decision::Intended { .. } => {
                self.intents.insert(record.seq.0, record.seq.0);
            }
            Decision::Assessed { verdict, .. } => {
                if let Some(intent) = cause.and_then(|cause| self.intents.get(&cause)).copied()
                    && !matches!(verdict, Verdict::Refuse { .. })
                {
                    self.intents.insert(record.seq.0, intent);
                }
            }
            Decision::OrderApproved { client_id, position, leg, qty, .. } => {
                let order = Announced {
                    position: *position,
                    leg: *leg,
                    qty: qty.get(),
                    numbers: BTreeSet::new(),
                    reported: Decimal::ZERO,
                    ended: false,
                    life: self.lives.get(&LegName::from(position)).map_or(0, Vec::len),
                };
                match leg {
                    Leg::Open(_) => self.opening(record, client_id, &order, cause, found),
                    Leg::Close(..) => self.close(client_id, &order, found),
                }
                if self.orders.insert(*client_id, order).is_some() {
                    found.push((1, format!("order id {client_id} is given twice")));
                }
            }
            Decision::CancelRequested { order, .. } => {
                self.cancels.insert(*order);
            }
            Decision::AdoptedCancelRequested { order, .. } => {
                let number = match order {
                    OrderRef::Plain(number) | OrderRef::Algo { id: number, .. } => number.0,
                    OrderRef::Client { .. } => return,
                };
                self.adopted_cancels.insert(number.unsigned_abs());
            }
            Decision::AbsenceProven { order } => self.progress(order, true, Decimal::ZERO),
            Decision::PostureChanged { posture, .. } => self.posture = *posture,
            Decision::LegHalted { position, .. } => {
                self.halted.insert(LegName::from(position));
            }
            Decision::Muted { instrument, until, .. } => {
                self.muted_until_ms.insert(instrument.symbol.as_str().to_owned(), until.ms());
            }
            Decision::Corrected { difference } => self.correction(difference, found),
            _ => {}
        }
    }

    /// What the venue's word replaced without an execution or a flow that explains it.
    fn correction(&mut self, difference: &Difference, found: &mut Vec<(u8, String)>) {
        match difference {
            Difference::Wallet { book, venue, .. } => {
                found.push((
                    8,
                    format!(
                        "the wallet was corrected from {book} to {venue}: money moved that no record explains"
                    ),
                ));
            }
            Difference::LegSize { position, book, venue, .. } => {
                self.corrected = true;
                found.push((
                    8,
                    format!("{position} was corrected from {book} to {venue}: an execution is missing"),
                ));
            }
            _ => {}
        }
    }

    fn opening(
        &mut self,
        record: &Envelope,
        id: &ClientOrderId,
        order: &Announced,
        cause: Option<u64>,
        found: &mut Vec<(u8, String)>,
    ) {
        let key = order.position;
        let name = LegName::from(&key);
        let at_ms = record.at.ms();
        let stance = [
            (self.posture != Posture::Normal, "the posture is not Normal"),
            (self.operator != Posture::Normal, "a person has forbidden it"),
            (!self.connected, "the account stream is not connected"),
            (self.halted.contains(&name), "the venue has closed that leg by force"),
            (
                self.muted_until_ms.get(&name.symbol).is_some_and(|until| at_ms < *until),
                "the symbol is muted",
            ),
        ];
        for (forbids, why) in stance {
            if forbids {
                found.push((4, format!("{id} opens {key} although {why}")));
            }
        }
        match cause.and_then(|cause| self.intents.get(&cause)).copied() {
            Some(intent) if self.opened_by.insert(intent) => {}
            Some(intent) => found.push((1, format!("{id} is the second opening of intent {intent}"))),
            None => found.push((1, format!("{id} opens {key} without an intent"))),
        }
        let live = self.orders.iter().find(|(_, other)| {
            other.position == key
                && matches!(other.leg, Leg::Open(_))
                && !other.ended
                && !self.left(other).is_zero()
        });
        if let Some((other, _)) = live {
            found.push((1, format!("{id} opens {key} while opening {other} may still be live")));
        }
        let own = match &order.leg {
            Leg::Open(Entry::Limit { price, .. }) => order.qty * price.get(),
            _ => order.qty * self.mark(&name.symbol),
        };
        let of_symbol = self.exposure(Some(&name.symbol)) + own;
        let total = self.exposure(None) + own;
        for (usdt, limit, what) in [
            (own, PER_ORDER_USDT, "order"),
            (of_symbol, PER_SYMBOL_USDT, "symbol"),
            (total, TOTAL_USDT, "account"),
        ] {
            if usdt > Decimal::from(limit) {
                found.push((
                    6,
                    format!("with {id} the {what} is exposed with {usdt} USDT; the limit is {limit}"),
                ));
            }
        }
    }

    fn mark(&self, symbol: &str) -> Decimal {
        let ix = self.symbols.iter().find(|(_, known)| *known == symbol).map(|(ix, _)| *ix);
        ix.and_then(|ix| self.marks.get(&ix)).copied().unwrap_or_default()
    }

    /// Legs at the mark, and all that openings may still add. What a close took before its opening was told is among that.
    fn exposure(&self, symbol: Option<&str>) -> Decimal {
        let wanted = |name: &str| symbol.is_none_or(|symbol| symbol == name);
        let legs = self.legs.iter().filter(|(name, _)| wanted(&name.symbol));
        let opening = |name: &LegName| -> Decimal {
            let of_leg = |order: &&Announced| {
                matches!(order.leg, Leg::Open(_)) && LegName::from(&order.position) == *name
            };
            self.orders.values().filter(of_leg).map(|order| self.left(order)).sum()
        };
        let held = |(name, qty): (&LegName, &Decimal)| (*qty).max(-opening(name)) * self.mark(&name.symbol);
        let held: Decimal = legs.map(held).sum();
        let pending = self.orders.values().filter(|order| wanted(order.position.instrument.symbol.as_str()));
        let pending: Decimal = pending
            .map(|order| match &order.leg {
                Leg::Open(Entry::Limit { price, .. }) => self.left(order) * price.get(),
                _ => Decimal::ZERO,
            })
            .sum();
        held + pending
    }

    fn close(&self, id: &ClientOrderId, order: &Announced, found: &mut Vec<(u8, String)>) {
        let name = LegName::from(&order.position);
        if self.corrected {
            return;
        }
        let held = self.legs.get(&name).copied().unwrap_or_default();
        let promised: Decimal = self
            .orders
            .values()
            .filter(|other| {
                order.is_plain_close() && other.position == order.position && other.is_plain_close()
            })
            .map(|other| self.left(other))
            .sum();
        if order.qty > held - promised {
            found.push((
                5,
                format!(
                    "{id} closes {} of {name}, which holds {held}, of which {promised} are being closed",
                    order.qty
                ),
            ));
        }
    }

    /// Size of a leg by the executions in the journal.
    pub(super) fn leg(&self, name: &LegName) -> Decimal {
        self.legs.get(name).copied().unwrap_or_default()
    }
}

fn text(number: Option<Decimal>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.normalize().to_string())
}
