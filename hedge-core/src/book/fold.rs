//! Folding records: which fact and which decision changes what.

use super::leg::LegState;
use super::order::OrderRecord;
use super::orders::note_unknown_word;
use super::remembered::Remembered;
use super::state::{Book, Change, LegHalt};
use super::value::Kept;
use rust_decimal::Decimal;

use crate::{
    error::{Outcome, RejectReason},
    event::{Decision, Envelope, Event, Fact, OperatorCommand, RunStarted, VenueSnapshot},
    id::{Asset, ClientOrderId, InstrumentIx},
    instrument::InstrumentSpec,
    money::Price,
    order_state::{OrderEvent, OrderState},
    position::{Action, PositionKey},
    reconcile::Difference,
    risk::Posture,
    time::Timestamp,
    venue::{AccountEvent, MarketEvent, OrderSpace},
};

impl Book {
    /// Folds one record. What the engine must react to is appended to `changes`.
    pub fn apply(&mut self, envelope: &Envelope, changes: &mut Vec<Change>) {
        self.next = envelope.seq.next();
        match &envelope.event {
            Event::Fact(fact) => self.apply_fact(envelope.at, fact, changes),
            Event::Decision(decision) => self.apply_decision(envelope, decision, changes),
        }
        self.keep_sums();
    }

    pub(super) fn apply_fact(&mut self, at: Timestamp, fact: &Fact, changes: &mut Vec<Change>) {
        self.last_fact_at = at;
        match fact {
            Fact::RunStarted(started) => self.run_started(at, started),
            Fact::Instrument { ix, spec } => self.set_spec(*ix, spec),
            Fact::Market { event } => self.apply_market(at, event),
            Fact::Account { event } => self.apply_account(at, event, changes),
            Fact::Snapshot { snapshot } => self.apply_snapshot(at, snapshot, changes),
            Fact::SubmitAcked { order, venue, state, filled } => match self.orders.place(order) {
                Some(place) => {
                    self.name_order(place, *venue, at, changes);
                    self.report_state(place, state, *filled, at, changes);
                }
                None => {
                    note_unknown_word(order, state, changes);
                    self.advance_named(order, &OrderEvent::Reported(state), at, changes);
                }
            },
            Fact::SubmitFailed { order, outcome, reason, message, acceptable_until, .. } => {
                self.one_close_all_only |= *reason == Some(RejectReason::SecondCloseAll);
                if let Some(record) = self.orders.get_mut(order) {
                    record.refusal = Some(message.clone());
                }
                self.advance_named(order, &OrderEvent::SubmitFailed(*outcome), at, changes);
                if *outcome == Outcome::Unknown
                    && let Some(place) = self.orders.place(order)
                {
                    self.doubt(place, at, *acceptable_until);
                }
            }
            Fact::CancelAcked { order } => self.await_cancel(order, at),
            Fact::CancelFailed { order, outcome, retry_at, .. } => {
                // The cancel of an adopted order is answered under an id that no order of ours has.
                if let Some(place) = self.orders.place(order) {
                    self.advance(place, &OrderEvent::CancelFailed, at, changes);
                    self.cancel_refused(place, *outcome, *retry_at, at);
                }
            }
            Fact::QueryAnswered { order, answer } => self.apply_answer(order, at, answer, changes),
            // The question stays open and is asked again at its time.
            Fact::QueryFailed { .. } => {}
            Fact::Operator { command, because } => self.command(*command, because),
            Fact::Tick | Fact::RunStopped { .. } => {}
        }
    }

    pub(super) fn run_started(&mut self, at: Timestamp, started: &RunStarted) {
        self.run = started.run;
        self.term = started.term;
        self.connected = false;
        self.booting = true;
        // A cancel that died with its process may never have been sent: the order counts as live until it is asked about.
        let canceling: Vec<ClientOrderId> = self
            .live_orders()
            .filter(|order| order.state == OrderState::Canceling)
            .map(|order| order.client_id)
            .collect();
        for id in canceling {
            self.advance_named(&id, &OrderEvent::CancelFailed, at, &mut Vec::new());
        }
        let unanswered: Vec<ClientOrderId> = self
            .live_orders()
            .filter(|order| matches!(order.state, OrderState::Journalled | OrderState::InFlight))
            .map(|order| order.client_id)
            .collect();
        for place in unanswered.iter().filter_map(|id| self.orders.place(id)).collect::<Vec<_>>() {
            self.advance(place, &OrderEvent::ProcessDied, at, &mut Vec::new());
            // The dead process cannot have sent it later than now.
            self.doubt(place, at, None);
        }
    }

    pub(super) fn set_spec(&mut self, ix: InstrumentIx, spec: &InstrumentSpec) {
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
        self.kept = Kept::default();
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
                    (bar.close_price(), self.marks.get(usize::from(instrument.0)).copied())
                    && mark.is_none_or(|(_, known)| known < bar.end())
                {
                    self.set_mark(*instrument, price, bar.end());
                }
                return;
            }
            _ => return,
        };
        if let Some(price) = price {
            self.set_mark(ix, price, at);
        }
    }

    #[inline]
    fn set_mark(&mut self, ix: InstrumentIx, price: Price, at: Timestamp) {
        let i = usize::from(ix.0);
        let Some(mark) = self.marks.get_mut(i) else { return };
        *mark = Some((price, at));
        self.kept.latest = i;
        if self.open.is_empty() || self.remark_only_leg(i, price) {
            return;
        }
        for slot in [i * 2, i * 2 + 1] {
            if self.legs.get(slot).is_some_and(LegState::is_open) {
                self.kept.leg_moved(slot);
            }
        }
        self.keep_sums();
    }

    pub(super) fn apply_account(&mut self, at: Timestamp, event: &AccountEvent, changes: &mut Vec<Change>) {
        match event {
            AccountEvent::Order { report } => self.apply_report(report, at, changes),
            AccountEvent::Fill { fill } => self.apply_fill(fill, at, changes),
            AccountEvent::CashFlow { flow } => {
                self.apply_flow(flow);
            }
            AccountEvent::Legs { legs, .. } => {
                for row in legs {
                    let Some(side) = row.side.leg() else { continue };
                    let key = PositionKey::new(row.instrument, side);
                    // Fills may still be on their way; if it lasts, the account is read again.
                    match self.leg(&key) {
                        Some(leg) if leg.qty != row.qty => {
                            self.differs.entry(key).or_insert(at);
                        }
                        _ => {
                            self.differs.remove(&key);
                        }
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

    pub(super) fn apply_snapshot(
        &mut self,
        at: Timestamp,
        snapshot: &VenueSnapshot,
        changes: &mut Vec<Change>,
    ) {
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
                if self.apply_flow(flow) {
                    changes.push(Change::MissedFlow(Box::new(flow.clone())));
                }
            }
        } else {
            // The first look at the account: what is there is the starting point, not a difference.
            self.started = true;
            self.first_venue_time = snapshot.account.venue_time;
            for balance in &snapshot.account.balances {
                self.wallet.insert(balance.asset, balance.wallet.get());
                self.kept.wallet_moved();
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
                        self.kept.leg_moved(slot);
                        self.kept.leg_moved(slot ^ 1);
                    }
                }
            }
            for fill in &snapshot.fills {
                if let Some(ix) = self.ix(&fill.instrument) {
                    self.trades[usize::from(ix.0)].insert(fill.trade_id);
                }
            }
            for flow in &snapshot.flows {
                self.flows.insert(flow.id.clone(), flow.venue_time);
            }
            self.totals.nav_start = self.equity();
            // What is open already is in the start and will be counted again as unrealised.
            self.totals.corrections = Decimal::ZERO - self.unrealized();
        }
        self.last_venue_time = self.last_venue_time.max(snapshot.account.venue_time);
        self.snapshot_venue_time = snapshot.account.venue_time;
        self.differs.clear();
        self.foreign.clear();
        for report in &snapshot.orders {
            match report.client_id.ours() {
                Some(id) if self.orders.contains_key(id) => self.apply_report(report, at, changes),
                _ if self.note_forced(report, changes) => {}
                _ => self.foreign.push(report.clone()),
            }
        }
        self.forget_gone_strangers();
    }

    pub(super) fn command(&mut self, command: OperatorCommand, because: &str) {
        self.operator = match command {
            OperatorCommand::Halt => Posture::Halted,
            OperatorCommand::ExitOnly | OperatorCommand::Flatten | OperatorCommand::FlattenAtStart => {
                Posture::ExitOnly
            }
            OperatorCommand::Resume | OperatorCommand::Lift => Posture::Normal,
        };
        if command == OperatorCommand::Resume {
            self.halted_legs.clear();
        }
        self.operator_because = because.to_owned();
    }

    pub(super) fn apply_decision(
        &mut self,
        envelope: &Envelope,
        decision: &Decision,
        changes: &mut Vec<Change>,
    ) {
        let at = envelope.at;
        match decision {
            Decision::OrderApproved { client_id, strategy, position, leg, qty, purpose, protection } => {
                let record = OrderRecord {
                    client_id: *client_id,
                    seq: envelope.seq,
                    decided_at: at,
                    not_before: self.venue_time_before(at),
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
                    cancels_refused: 0,
                    cancel_unsent: false,
                };
                self.live += 1;
                self.live_conditional += u32::from(record.space() == OrderSpace::Algo);
                if let Some(slot) = self.slot(position) {
                    let state = &mut self.legs[slot];
                    state.live.push(*client_id);
                    self.kept.used(slot);
                    if leg.action() == Action::Open {
                        state.owner = state.owner.or(*strategy);
                        // An open leg keeps the protection it was opened with.
                        if !state.is_open() && protection.is_some() {
                            state.protection.clone_from(protection);
                        }
                    }
                }
                self.orders.insert(*client_id, record);
            }
            Decision::CancelRequested { order, .. } => {
                if let Some(record) = self.orders.get_mut(order) {
                    record.cancel_unsent = false;
                    record.doubt = None;
                    self.questions.remove(order);
                }
                self.advance_named(order, &OrderEvent::CancelSent, at, changes);
                if let Some(place) = self.orders.place(order) {
                    self.review(place, at, false);
                }
            }
            Decision::AbsenceProven { order } => {
                self.advance_named(order, &OrderEvent::AbsenceProven, at, changes);
            }
            Decision::OrderAdopted { instrument, order } => {
                self.adopted.insert((*instrument, *order), None);
            }
            Decision::AdoptedCancelRequested { instrument, order, .. } => {
                self.adopted.insert((*instrument, *order), Some(at));
            }
            Decision::PostureChanged { posture, .. } => self.posture = *posture,
            Decision::LegHalted { position, forced, .. } => {
                self.halted_legs.entry(*position).or_insert(LegHalt { forced: *forced, since: at });
            }
            Decision::Muted { instrument, until, .. } => {
                self.muted.insert(*instrument, *until);
            }
            Decision::Corrected { difference } => self.correct(at, difference),
            Decision::QueryRequested { order } => self.asked(order, at),
            Decision::FlattenRequested { position, because } => {
                self.flattening.insert(*position, because.clone().into_owned());
            }
            Decision::Screened { .. }
            | Decision::Intended { .. }
            | Decision::Assessed { .. }
            | Decision::StopMissing { .. }
            | Decision::StopRepaired { .. }
            | Decision::Alert { .. } => {}
        }
    }

    pub(super) fn correct(&mut self, at: Timestamp, difference: &Difference) {
        match difference {
            Difference::LegSize { position, venue, entry, .. } => {
                let Some(slot) = self.slot(position) else { return };
                let cost = entry.map_or(Decimal::ZERO, |price| price.get() * venue);
                self.legs[slot].taken_over_at = Some(self.snapshot_venue_time);
                self.set_leg(slot, *venue, cost, at);
            }
            Difference::Wallet { asset, venue, .. } => {
                // By what this book holds: a flow that came late may have been booked in another way by the writer.
                let held = self.wallet.insert(*asset, *venue).unwrap_or_default();
                self.wallet_taken_over.insert(*asset, self.snapshot_venue_time);
                self.kept.wallet_moved();
                if *asset == Asset::usdt() {
                    self.totals.corrections += venue - held;
                }
            }
            Difference::Mode { venue } => self.mode = Some(*venue),
            Difference::Fee { flow, book } => self.correct_fee(flow, *book),
            Difference::OwnOrder { .. }
            | Difference::NotOpen { .. }
            | Difference::State { .. }
            | Difference::ForeignOrder { .. }
            // Folded with the snapshot that brought it.
            | Difference::Flow { .. }
            | Difference::ForeignPosition { .. } => {}
        }
    }
}
