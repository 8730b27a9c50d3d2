//! Facts about the account, and what follows from them.

use super::doubt::is_open;
use super::run::{Cx, Engine};
use std::{borrow::Cow, mem};

use crate::{
    book::Change,
    event::{Decision, Envelope, Event, Fact, OperatorCommand},
    id::OrderIds,
    position::PositionKey,
    reconcile::{Difference, reconcile},
    risk::{Posture, Stance},
    strategy::StrategyEvent,
    venue::{AccountEvent, Fill},
};

impl Engine {
    pub(super) fn other(&mut self, cx: &mut Cx<'_>, fact: Fact) {
        let seq = self.record(cx, Event::Fact(fact));
        cx.cause = Some(seq);
        let answered = self.take_answer(cx);
        self.react(cx);
        let Some(Envelope { event: Event::Fact(fact), .. }) = cx.step.events.first() else { return };
        match fact {
            Fact::RunStarted(started) => {
                self.order_ids = OrderIds::new(started.run, started.term);
                self.fresh_process = true;
                self.under_way.clear();
                self.name_left_unknown(cx);
            }
            Fact::Instrument { spec, .. } => {
                let (id, trading) = (spec.id, spec.is_trading());
                self.wire_feeds();
                if !trading {
                    self.leave(cx, id);
                }
            }
            Fact::Snapshot { snapshot } => {
                self.snapshot_pending = false;
                let differences = reconcile(&self.book, snapshot);
                self.settle(cx, differences);
            }
            Fact::SubmitFailed { order, reason, retry_at, .. } => {
                let (order, reason, retry_at) = (*order, *reason, *retry_at);
                self.submit_failed(cx, &order, reason, retry_at);
            }
            Fact::CancelFailed { order, message, .. } => {
                let message = message.clone();
                let order = *order;
                if self.book.order(&order).is_none() {
                    self.alert(
                        cx,
                        None,
                        Cow::Owned(format!("an adopted order was not cancelled: {message}")),
                    );
                }
                // "Not found" is not "cancelled": the venue is asked what became of it.
                self.query_if_due(cx, &order);
            }
            Fact::QueryAnswered { order, answer } => {
                let (order, leg_qty) = (*order, answer.leg_qty);
                let open_there =
                    answer.report.as_ref().filter(|report| is_open(report)).map(|report| report.order);
                let stranger = self.stranger_among(&order, &answer.fills);
                self.judge_absence(cx, &order, leg_qty, stranger);
                self.tidy(cx, &order);
                self.end_undead(cx, &order, open_there);
            }
            Fact::Operator { command: OperatorCommand::Flatten, because } => {
                let because = format!("operator: {because}");
                self.flatten(cx, &because);
            }
            Fact::Operator { command: OperatorCommand::Halt | OperatorCommand::ExitOnly, because } => {
                let because = format!("operator: {because}");
                self.withdraw_all(cx, &because);
            }
            Fact::Operator { command: OperatorCommand::FlattenAtStart, because } => {
                let because = format!("operator: {because}");
                self.flatten_at_start(cx, &because);
            }
            Fact::Account { event } => match &**event {
                AccountEvent::Reconnected => self.ask_snapshot(cx),
                AccountEvent::MarginCall { detail } => {
                    let text = format!("margin call: {detail}");
                    self.alert(cx, None, Cow::Owned(text));
                }
                AccountEvent::Unrecognised { name } => {
                    let text = format!("the account stream sent {name}, which this version does not know");
                    self.alert_once(cx, None, text);
                }
                AccountEvent::Fill { fill } => {
                    if let Some(side) = fill.side.leg() {
                        let key = PositionKey::new(fill.instrument, side);
                        if let Some(owner) = self.owner_of(&key) {
                            let fill = fill.clone();
                            self.ask(cx, owner, &StrategyEvent::Fill { position: key, fill: &fill });
                        }
                    }
                }
                _ => {}
            },
            Fact::Tick => self.due(cx),
            _ => {}
        }
        if let Some(key) = answered {
            self.retire_older_stops(cx, &key);
        }
        self.react(cx);
        self.review_missing(cx);
        // The risk managers have seen every record of this, and no price has come.
        self.update_posture(cx);
    }

    /// Acts on what changed in the book: protection first, then housekeeping.
    #[inline]
    pub(super) fn react(&mut self, cx: &mut Cx<'_>) {
        if !self.changes.is_empty() {
            self.work_off_changes(cx);
        }
    }

    #[inline(never)]
    fn work_off_changes(&mut self, cx: &mut Cx<'_>) {
        let mut rounds = 0;
        while !self.changes.is_empty() && rounds < 8 {
            rounds += 1;
            let mut changes = mem::replace(&mut self.changes, mem::take(&mut self.spare_changes));
            for change in &changes {
                if let Change::Grew(key, order) = change {
                    self.protect_new(cx, key, order.as_ref());
                }
            }
            for change in changes.drain(..) {
                self.react_to(cx, change);
            }
            self.spare_changes = changes;
        }
    }

    pub(super) fn react_to(&mut self, cx: &mut Cx<'_>, change: Change) {
        match change {
            Change::Grew(key, _) => self.drive_flat(cx, &key),
            Change::Shrank(key, flat) => {
                if flat {
                    self.forget_attempts(&key);
                    self.sweep(cx, &key);
                    self.tell_flat(cx, &key);
                }
            }
            Change::Confirmed(id) => self.confirmed(cx, &id),
            Change::Ended(id) => self.ended(cx, &id),
            Change::LateFill(id) => {
                let position = self.book.order(&id).map(|order| order.position);
                let text = format!("order {id} was believed done and filled after all; the position is real");
                self.alert(cx, position, Cow::Owned(text));
            }
            // A past execution that does not say whose it is, while an order of ours may have made it: that order is asked
            // about, and takes the execution over when its venue number is known.
            Change::ForeignFill(fill) if self.may_be_ours(&fill) => self.ask_snapshot(cx),
            Change::ForeignFill(fill) => {
                let text = format!(
                    "fill {} of {} {} {} at {} belongs to no order of this journal",
                    fill.trade_id, fill.order_side, fill.qty, fill.instrument.symbol, fill.price
                );
                self.alert(cx, None, Cow::Owned(text));
                self.ask_snapshot(cx);
            }
            Change::Forced(forced) => self.forced_close(cx, &forced),
            Change::MissedFlow(flow) => {
                let difference = Difference::Flow { flow };
                self.record(cx, Event::Decision(Decision::Corrected { difference }));
            }
            Change::Unfitting(text) => self.alert_once(cx, None, text),
            Change::ForeignOrder(key) => {
                if self.book.leg(&key).is_some_and(|leg| leg.unprotected_since.is_some()) {
                    self.protect_new(cx, &key, None);
                }
            }
        }
    }

    fn may_be_ours(&self, fill: &Fill) -> bool {
        let Some(side) = fill.side.leg().filter(|_| fill.client_id.is_none()) else { return false };
        let key = PositionKey::new(fill.instrument, side);
        self.book.live_orders_of(&key).any(|order| side.order_side(order.leg.action()) == fill.order_side)
    }

    pub(super) fn update_posture(&mut self, cx: &mut Cx<'_>) {
        let mut stance = self.risk.posture(&self.book, cx.at);
        let mut is_of_risk = stance.posture > Posture::Normal;
        let (operator, because) = self.book.operator();
        if operator > stance.posture {
            stance = Stance { posture: operator, because: Cow::Owned(format!("operator: {because}")) };
            is_of_risk = false;
        }
        if self.book.is_started() && !self.book.is_connected() && stance.posture < Posture::ExitOnly {
            stance = Stance {
                posture: Posture::ExitOnly,
                because: Cow::Borrowed("the account stream is not connected"),
            };
        }
        if stance.posture != self.book.posture() {
            let because = is_of_risk.then(|| stance.because.clone());
            let changed = Decision::PostureChanged { posture: stance.posture, because: stance.because };
            self.record(cx, Event::Decision(changed));
            if let Some(because) = because {
                self.withdraw_all(cx, &because);
            }
        }
    }
}
