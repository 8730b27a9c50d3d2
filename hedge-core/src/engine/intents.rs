//! Strategies: what they are told, what they want, and what becomes of it.

use super::run::{Cx, Engine};
use super::step::Effect;
use std::{borrow::Cow, mem};

use crate::{
    book::{Book, OrderRecord},
    checks::GateChecks,
    event::{Decision, Event},
    gate::{Gate, OpenRequest},
    id::{ClientOrderId, InstrumentIx, OrderIds, OrderPurpose, Seq, StrategyId},
    instrument::InstrumentSpec,
    order::{Approved, Close, Entry, Intent, Order, Protection, Size},
    order_state::OrderState,
    position::{Position, PositionKey, PositionSide},
    risk::{GateCheck, Verdict},
    strategy::{StrategyEvent, StrategyView},
};

/// What lists of answers are about, besides openings.
pub(super) const OTHER_TOPICS: usize = 0;

/// The openings of one leg look alike.
fn topic_of(instrument: InstrumentIx, side: PositionSide) -> usize {
    1 + usize::from(instrument.0) * 2 + usize::from(side == PositionSide::Short)
}

fn id_at(ids: &OrderIds, book: &Book, seq: Seq, purpose: OrderPurpose) -> ClientOrderId {
    let (run, term) = (book.run(), book.term());
    if ids.are_of(run, term) {
        ids.derive(seq, purpose)
    } else {
        OrderIds::new(run, term).derive(seq, purpose)
    }
}

impl Engine {
    pub(super) fn owner_of(&self, key: &PositionKey) -> Option<usize> {
        let owner = self.book.leg(key)?.owner?;
        let place = self.places.binary_search_by(|(id, _)| id.cmp(&owner)).ok()?;
        self.places.get(place).map(|(_, strategy)| *strategy)
    }

    /// The leg's owner may already be released; every strategy that reads the instrument is told.
    pub(super) fn tell_flat(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        let Some(ix) = self.book.ix(&key.instrument).map(|ix| usize::from(ix.0)) else { return };
        let mut from = 0;
        loop {
            let bars = self.feeds.get(ix).into_iter().flatten().flat_map(|feed| &feed.readers);
            let ticks = self.tick_readers.get(ix).into_iter().flatten();
            let readers = bars.chain(ticks).copied();
            let Some(reader) = readers.filter(|reader| *reader >= from).min() else { return };
            from = reader + 1;
            self.ask(cx, reader, &StrategyEvent::Flat { position: *key });
        }
    }

    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, strategy: usize, event: &StrategyEvent<'_>) {
        let view = StrategyView { book: &self.book, now: cx.at };
        self.strategies[strategy].on_event(event, &view, &mut self.output);
        if !self.output.intents.is_empty() || !self.output.readings.is_empty() {
            self.take_output(cx, strategy, event);
        }
    }

    /// Records what a strategy saw, and what it wants with all that follows. Apart, because most answers are nothing.
    #[inline(never)]
    fn take_output(&mut self, cx: &mut Cx<'_>, strategy: usize, event: &StrategyEvent<'_>) {
        let mut output = mem::take(&mut self.output);
        let id = self.ids[strategy];
        if !matches!(event, StrategyEvent::History { .. }) {
            if self.config.journal_readings {
                for reading in output.readings.drain(..) {
                    self.record(cx, Event::Decision(Decision::Screened { strategy: id, reading }));
                }
            }
            for intent in output.intents.drain(..) {
                self.intend(cx, id, intent);
            }
        }
        output.clear();
        self.output = output;
    }

    pub(super) fn intend(&mut self, cx: &mut Cx<'_>, strategy: StrategyId, intent: Intent) {
        let intended = Decision::Intended { strategy, intent: intent.clone() };
        let seq = self.record(cx, Event::Decision(intended));
        let cx = &mut cx.because_of(seq);
        match &intent {
            Intent::Open { position, size, entry, protection, .. } => {
                self.open(cx, strategy, position, *size, entry, protection);
            }
            Intent::Close { position, portion, exit, .. } => {
                if self.may_act(cx, strategy, position) {
                    self.close(cx, strategy, position, portion, exit);
                }
            }
            Intent::Protect { position, trigger, .. } => {
                if self.may_act(cx, strategy, position) {
                    self.move_stop(cx, position, *trigger);
                }
            }
            Intent::Cancel { order, because } => {
                let mine = self.book.order(order).is_some_and(|order| order.strategy == Some(strategy));
                if mine {
                    self.cancel_now(cx, order, because.clone());
                } else {
                    let text = format!("{strategy} wants to cancel {order}, which is not its order");
                    self.alert(cx, None, Cow::Owned(text));
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // the fields of one intent
    pub(super) fn open(
        &mut self,
        cx: &mut Cx<'_>,
        strategy: StrategyId,
        position: &PositionKey,
        size: Size,
        entry: &Entry,
        protection: &Protection,
    ) {
        // Baselines that depend on the time of day must be today's, also when no mark has moved equity since.
        self.risk.mark(&self.book, cx.at);
        self.book.keep_at_risk();
        let answers = &mut self.answers;
        // The assessment takes the next place, the order the one after it.
        let order_seq = self.book.next_seq().next();
        let id = id_at(&self.order_ids, &self.book, order_seq, OrderPurpose::Entry);
        let result = match self.book.ix(&position.instrument) {
            Some(instrument) => match self.book.spec(instrument) {
                Some(spec) => {
                    answers.begin(topic_of(instrument, position.side));
                    let gate = Gate::new(
                        spec,
                        self.book.term(),
                        cx.at,
                        Some(self.config.max_slippage),
                        self.config.approval_ttl,
                    )
                    .vanishing(self.config.entries_vanish_after);
                    let request =
                        OpenRequest { strategy, position: *position, instrument, size, entry, protection };
                    gate.open(id, &request, &self.book, &*self.risk, answers)
                }
                None => {
                    answers.begin(OTHER_TOPICS);
                    Err(Verdict::Refuse { rule: Cow::Borrowed("instrument_known") })
                }
            },
            None => {
                answers.begin(OTHER_TOPICS);
                answers.holds("instrument_known", false);
                Err(Verdict::Refuse { rule: Cow::Borrowed("instrument_known") })
            }
        };
        let verdict = match &result {
            Ok((order, _)) if answers.is_cut_back() => Verdict::Shrink { to: order.get().qty() },
            Ok(_) => Verdict::Approve,
            Err(verdict) => verdict.clone(),
        };
        let checks = answers.keep();
        let assessed = Decision::Assessed { position: *position, checks, verdict };
        let seq = self.record(cx, Event::Decision(assessed));
        let cx = &mut cx.because_of(seq);
        if let Ok((order, protection)) = result {
            self.approve(cx, Some(strategy), order, Some(protection));
        }
    }

    /// Only a leg's owner may act on it; a leg without an owner is the engine's.
    pub(super) fn may_act(&mut self, cx: &mut Cx<'_>, strategy: StrategyId, position: &PositionKey) -> bool {
        let leg = self.book.leg(position);
        let open = leg.is_some_and(|leg| leg.is_open());
        let owner = leg.and_then(|leg| leg.owner);
        let mine = owner == Some(strategy);
        if open && mine {
            return true;
        }
        let note = owner.filter(|_| !mine).map(|owner| Cow::Owned(format!("leg belongs to {owner}")));
        let checks = self.answers_of([
            GateCheck::holds("leg_open", open, None),
            GateCheck::holds("leg_owner", mine, note),
        ]);
        let rule = if open { "leg_owner" } else { "leg_open" };
        let verdict = Verdict::Refuse { rule: Cow::Borrowed(rule) };
        let assessed = Decision::Assessed { position: *position, checks, verdict };
        self.record(cx, Event::Decision(assessed));
        false
    }

    pub(super) fn spec_of(&self, key: &PositionKey) -> Option<&InstrumentSpec> {
        self.book.spec(self.book.ix(&key.instrument)?)
    }

    pub(super) fn position(&self, key: &PositionKey) -> Option<Position> {
        self.book.leg(key)?.position()
    }

    pub(super) fn new_id(&self, purpose: OrderPurpose) -> ClientOrderId {
        id_at(&self.order_ids, &self.book, self.book.next_seq(), purpose)
    }

    /// A list of answers about anything but an opening.
    pub(super) fn answers_of<const N: usize>(&mut self, checks: [GateCheck; N]) -> GateChecks {
        self.answers.begin(OTHER_TOPICS);
        checks.into_iter().for_each(|check| self.answers.push(check));
        self.answers.keep()
    }

    pub(super) fn submit(&mut self, cx: &mut Cx<'_>, strategy: Option<StrategyId>, close: Approved<Close>) {
        self.approve(cx, strategy, close.into(), None);
    }

    pub(super) fn approve(
        &mut self,
        cx: &mut Cx<'_>,
        strategy: Option<StrategyId>,
        approved: Approved<Order>,
        protection: Option<Protection>,
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
        self.is_sent(order.client_id(), order.position());
        self.record(cx, Event::Decision(decision));
        cx.step.effects.push(Effect::Submit(approved));
    }

    /// Cancels an order, unless a cancel of it could not be sent and waits for its time.
    pub(super) fn cancel(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId, because: Cow<'static, str>) {
        let waits = |order: &OrderRecord| order.doubt.as_ref().is_some_and(|doubt| cx.at < doubt.ask_at);
        if self.book.order(id).is_some_and(|order| order.cancel_unsent && waits(order)) {
            return;
        }
        self.cancel_now(cx, id, because);
    }

    fn cancel_now(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId, because: Cow<'static, str>) {
        let Some(order) = self.book.order(id) else { return };
        if !order.state.is_confirmed_live() || order.state == OrderState::Canceling {
            return;
        }
        let position = order.position;
        let effect = Effect::Cancel { order: *id, instrument: position.instrument, target: order.target() };
        self.is_sent(id, &position);
        self.record(cx, Event::Decision(Decision::CancelRequested { order: *id, because }));
        cx.step.effects.push(effect);
    }
}
