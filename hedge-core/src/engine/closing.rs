//! Closing legs at the market, in pieces, never twice for the same quantity.

use super::intents::OTHER_TOPICS;
use super::run::{Cx, Engine};
use std::{borrow::Cow, time::Duration};

use rust_decimal::Decimal;

use crate::{
    book::OrderRecord,
    event::{Decision, Event},
    gate::Gate,
    id::{ClientOrderId, InstrumentId, OrderPurpose, StrategyId},
    money::{Qty, difference},
    order::{Exit, Leg, Portion},
    position::{Position, PositionKey, PositionSide},
    risk::Verdict,
};

/// How long a symbol opens nothing at least once the venue has refused what this program sends.
const LEAST_REST: Duration = Duration::from_secs(60);

impl Engine {
    /// A leg whose protection failed: it is closed at the market, and its symbol opens nothing for a while.
    pub(super) fn force_close(&mut self, cx: &mut Cx<'_>, key: &PositionKey, because: &'static str) {
        if !self.book.must_flatten(key) {
            let until = cx.at.plus(self.config.mute_for);
            let muted =
                Decision::Muted { instrument: key.instrument, until, because: Cow::Borrowed(because) };
            self.record(cx, Event::Decision(muted));
        }
        self.demand_flat(cx, key, Cow::Borrowed(because));
    }

    /// An opening was refused for what no market changes: a person is told, and the symbol opens nothing for a while. A venue
    /// that has changed overnight would be asked the same thing at every bar.
    pub(super) fn rest(&mut self, cx: &mut Cx<'_>, key: &PositionKey, why: &str) {
        let text = format!("an opening of {key} was refused for what this program sends or its key: {why}");
        if self.book.muted_until(&key.instrument).is_some_and(|until| until > cx.at) {
            return self.alert_once(cx, Some(*key), text);
        }
        let until = cx.at.plus(self.config.mute_for.max(LEAST_REST));
        let because = Cow::Borrowed("the venue refuses what this program sends");
        self.record(cx, Event::Decision(Decision::Muted { instrument: key.instrument, until, because }));
        self.alert(cx, Some(*key), Cow::Owned(text));
    }

    /// A symbol has stopped trading: what is held there goes, as soon as the venue lets it.
    pub(super) fn leave(&mut self, cx: &mut Cx<'_>, id: InstrumentId) {
        for side in PositionSide::BOTH {
            let key = PositionKey::new(id, side);
            let held = self.book.leg(&key).is_some_and(|leg| leg.is_open()) || self.book.has_live_entry(&key);
            // Somebody else's position is named and left to its owner.
            if held && !self.is_adopted(&key) && !self.book.must_flatten(&key) {
                let text = format!("{} does not trade any more; {key} is closed", id.symbol);
                self.alert(cx, Some(key), Cow::Owned(text));
                self.demand_flat(cx, &key, Cow::Borrowed("the symbol stopped trading"));
            }
        }
    }

    /// Whether what could be closed is less than the smallest market order: the venue has made its steps coarser.
    pub(super) fn is_dust(&self, key: &PositionKey) -> bool {
        let Some((position, spec)) = self.closable(key).zip(self.spec_of(key)) else { return false };
        spec.floor_qty(position.qty().get(), &spec.market_lot).is_none()
    }

    /// From now on the leg is closed until it is flat, over rejections and restarts.
    pub(super) fn demand_flat(&mut self, cx: &mut Cx<'_>, key: &PositionKey, because: Cow<'static, str>) {
        if !self.book.must_flatten(key) {
            let demanded = Decision::FlattenRequested { position: *key, because };
            self.record(cx, Event::Decision(demanded));
        }
        self.drive_flat(cx, key);
    }

    /// The next step towards flat: first what rests on the leg goes, then what is left is closed. Paced.
    pub(super) fn drive_flat(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        if !self.book.must_flatten(key) {
            return;
        }
        let in_the_way =
            |order: &OrderRecord| matches!(order.leg, Leg::Open(_) | Leg::Close(Exit::Limit { .. }, _));
        let resting: Vec<ClientOrderId> = self
            .book
            .live_orders_of(key)
            .filter(|order| in_the_way(order))
            .map(|order| order.client_id)
            .collect();
        for id in resting {
            self.cancel(cx, &id, Cow::Borrowed("the leg must become flat"));
        }
        let is_dust = self.is_dust(key);
        if is_dust {
            let text = format!(
                "what is left of {key} is too small for an order; only a stop over the whole leg closes it"
            );
            self.alert_once(cx, Some(*key), text);
        }
        if !self.is_to_be_closed(key) || self.next_close(key).is_some_and(|due| cx.at < due) {
            return;
        }
        self.stamp(key, cx.at);
        if is_dust {
            return self.guard_in_doubt(cx, key);
        }
        self.close_at_market(cx, None, key, &Portion::All);
    }

    /// Whether there is something to send for a leg that must become flat. A resting close holds its quantity until it has
    /// ended; its end goes on with the closing. What is too small for an order waits for its stop; one in doubt may have been
    /// refused, and whether it was may stay open for long.
    pub(super) fn is_to_be_closed(&self, key: &PositionKey) -> bool {
        let rests = |order: &OrderRecord| matches!(order.leg, Leg::Close(Exit::Limit { .. }, _));
        let is_held_back = self.book.live_orders_of(key).any(rests);
        !is_held_back && self.closable(key).is_some() && !(self.is_dust(key) && self.book.is_covered(key))
    }

    /// Market closes in pieces that the venue's largest market quantity allows.
    pub(super) fn close_at_market(
        &mut self,
        cx: &mut Cx<'_>,
        strategy: Option<StrategyId>,
        key: &PositionKey,
        portion: &Portion,
    ) -> bool {
        let free = self.closable(key);
        self.close_free(cx, strategy, key, portion, free)
    }

    /// Closes what is free of a leg; what is left of it after a piece is looked at anew.
    fn close_free(
        &mut self,
        cx: &mut Cx<'_>,
        strategy: Option<StrategyId>,
        key: &PositionKey,
        portion: &Portion,
        mut free: Option<Position>,
    ) -> bool {
        let mut sent = false;
        for _ in 0..16 {
            let Some(position) = free else { break };
            let id = self.new_id(OrderPurpose::Close);
            let Some(spec) = self.spec_of(key) else { break };
            let gate = Gate::for_closing(spec, self.book.term());
            match gate.close(id, &position, portion, &Exit::Market) {
                Ok(close) => self.submit(cx, strategy, close),
                Err(refusal) => {
                    let text = format!("{key} cannot be closed: {refusal}");
                    self.alert(cx, Some(*key), Cow::Owned(text));
                    break;
                }
            }
            sent = true;
            if *portion != Portion::All {
                break;
            }
            free = self.closable(key);
        }
        sent
    }

    #[allow(clippy::too_many_arguments)] // the fields of one intent
    pub(super) fn close(
        &mut self,
        cx: &mut Cx<'_>,
        strategy: StrategyId,
        key: &PositionKey,
        portion: &Portion,
        exit: &Exit,
    ) {
        if *exit == Exit::Market {
            let free = self.closable(key);
            let answers = &mut self.answers;
            answers.begin(OTHER_TOPICS);
            let closable = match &free {
                Some(position) => answers.at_least("closable", position.qty().get(), Decimal::ZERO),
                None => answers.holds_or("closable", false, || {
                    Cow::Borrowed("closing orders for the whole leg are live already")
                }),
            };
            let verdict = if closable { Verdict::Approve } else { answers.refusal() };
            let checks = answers.keep();
            let closable = Decision::Assessed { position: *key, checks, verdict };
            let seq = self.record(cx, Event::Decision(closable));
            let cx = &mut cx.because_of(seq);
            self.close_free(cx, Some(strategy), key, portion, free);
            return;
        }
        let available = if exit.is_conditional() { self.position(key) } else { self.closable(key) };
        let (Some(position), Some(spec)) = (available, self.spec_of(key)) else { return };
        let gate = Gate::for_closing(spec, self.book.term());
        let purpose = match exit {
            Exit::TakeProfitMarket { .. } => OrderPurpose::TakeProfit,
            _ => OrderPurpose::Close,
        };
        let id = self.new_id(purpose);
        match gate.close(id, &position, portion, exit) {
            Ok(close) => self.submit(cx, Some(strategy), close),
            Err(refusal) => {
                let text = format!("{key} is not closed as wanted: {refusal}");
                self.alert(cx, Some(*key), Cow::Owned(text));
            }
        }
    }

    pub(super) fn flatten(&mut self, cx: &mut Cx<'_>, because: &str) {
        for key in self.occupied() {
            self.demand_flat(cx, &key, Cow::Owned(because.to_owned()));
        }
        self.dismiss_adopted(cx, because, true);
    }

    /// Sends nothing: whoever commands this has no connection. The first comparison with the venue goes on with it.
    pub(super) fn flatten_at_start(&mut self, cx: &mut Cx<'_>, because: &str) {
        for position in self.occupied() {
            if !self.book.must_flatten(&position) {
                let because = Cow::Owned(because.to_owned());
                self.record(cx, Event::Decision(Decision::FlattenRequested { position, because }));
            }
        }
        self.dismiss_adopted(cx, because, false);
    }

    /// Legs that are open, or may become so by an opening of ours.
    fn occupied(&self) -> Vec<PositionKey> {
        let is_occupied = |key: &PositionKey| {
            self.book.leg(key).is_some_and(|leg| leg.is_open()) || self.book.has_live_entry(key)
        };
        self.book.legs().map(|leg| leg.key).filter(is_occupied).collect()
    }

    /// The leg less what its own resting closes may still take.
    pub(super) fn closable(&self, key: &PositionKey) -> Option<Position> {
        let leg = self.book.leg(key)?;
        let free = Qty::of(difference(&leg.qty, &self.book.resting_closes(key)))?;
        Some(Position::new(*key, free, leg.entry()?))
    }
}
