//! Protection is part of opening: stops, take-profits, and what happens when a stop is lost.

use super::run::{Cx, Engine};
use std::{borrow::Cow, time::Duration};

use rust_decimal::Decimal;

use crate::{
    book::{OrderRecord, heeded},
    error::RejectReason,
    event::{Decision, Event, Fact},
    gate::{Gate, is_beyond},
    id::{ClientOrderId, OrderPurpose},
    money::{Bps, Price, Ratio},
    order::{Coverage, Exit, Leg, Portion, Protection, TakeProfit, TriggerBy},
    order_state::OrderState,
    position::{Action, PositionKey},
    risk::{GateCheck, Verdict},
    time::Timestamp,
};

/// How long a stop by quantity stands in before the stop over the whole leg is tried again.
const BRIDGE_PAUSE: Duration = Duration::from_secs(60);
/// How long the second attempt to send a stop waits after the first; doubled from attempt to attempt.
const FIRST_RESEND_PAUSE: Duration = Duration::from_millis(100);
/// How far from the mark a leg in doubt is guarded where nothing else is configured.
const DOUBT_STOP: Bps = Bps::FIVE_PERCENT;

/// A stop that could not be sent.
#[derive(Debug, Clone)]
pub(super) struct UnsentStop {
    key: PositionKey,
    /// Since when the leg is bare: another time is another story.
    since: Option<Timestamp>,
    trigger: Price,
    covers: Coverage,
    pause: Duration,
    /// When it is tried again; `None` while an attempt is on its way.
    pub(super) due: Option<Timestamp>,
}

/// A price on the losing side of `mark`, by that distance.
fn away_from(mark: Price, distance: Bps, key: &PositionKey) -> Option<Price> {
    let fraction = distance.ratio().get() * Decimal::from(-key.side.sign());
    Ratio::of(fraction).and_then(|fraction| mark.moved_by(fraction).ok())
}

impl Engine {
    pub(super) fn wants_stop(&self, key: &PositionKey) -> bool {
        match self.book.leg(key).and_then(|leg| leg.protection.as_ref()) {
            Some(Protection::Stop { .. }) => true,
            Some(Protection::Unprotected { .. }) => false,
            None => {
                self.config.adopt_stop.is_some()
                    && self.book.mark_of(&key.instrument).is_some()
                    && self.book.foreign_stop(key).is_none()
            }
        }
    }

    pub(super) fn has_stop(&self, key: &PositionKey) -> bool {
        self.book.stop_of(key).is_some()
    }

    pub(super) fn is_being_closed(&self, key: &PositionKey) -> bool {
        self.book.live_orders_of(key).any(|order| matches!(order.leg, Leg::Close(Exit::Market, _)))
    }

    /// On the first fill of a leg one close-all stop goes out before any other order; later fills are covered by it.
    pub(super) fn protect_new(&mut self, cx: &mut Cx<'_>, key: &PositionKey, order: Option<&ClientOrderId>) {
        if self.book.is_covered(key) || self.book.leg(key).is_none_or(|leg| !leg.is_open()) {
            return;
        }
        // A stop by quantity that no longer covers the leg gives way to one over the whole leg, where it stands. Where one in
        // doubt would stand the price may have been since.
        let stands = self.book.stops_of(key).filter(|stop| stop.state != OrderState::Unknown).last();
        let trigger = stands.and_then(|stop| match stop.leg {
            Leg::Close(exit, _) => exit.trigger(),
            Leg::Open(_) => None,
        });
        match trigger {
            // The price may be through it: that is often why the leg is to be flat.
            Some(_) if self.book.must_flatten(key) => return self.guard_in_doubt(cx, key),
            Some(trigger) => return self.place_stop(cx, key, trigger, Coverage::WholeLeg),
            None => {}
        }
        let planned = order
            .and_then(|id| self.book.order(id)?.protection.as_ref())
            .or_else(|| self.book.leg(key)?.protection.as_ref());
        match planned {
            // As above.
            Some(Protection::Stop { .. }) if self.book.must_flatten(key) => self.guard_in_doubt(cx, key),
            Some(Protection::Stop { trigger, .. }) => {
                let trigger = *trigger;
                self.place_stop(cx, key, trigger, Coverage::WholeLeg);
            }
            Some(Protection::Unprotected { .. }) => {}
            None => self.adopt(cx, key),
        }
    }

    /// Protects a position that no order of this journal opened, also beside a stop in doubt: whether that stands may stay open
    /// for long.
    fn adopt(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        if self.book.stops_of(key).count() > 1 {
            return;
        }
        if let Some(stop) = self.book.foreign_stop(key) {
            let text = format!("{key} is protected by stop {} of somebody else", stop.client_id.as_str());
            self.alert_once(cx, Some(*key), text);
            return;
        }
        let mark = self.book.mark_of(&key.instrument).map(|(mark, _)| mark);
        let Some((mark, distance)) = mark.zip(self.config.adopt_stop) else {
            let text = format!("{key} is open, not ours and has no stop; it is left alone by configuration");
            self.alert_once(cx, Some(*key), text);
            return;
        };
        if let Some(trigger) = away_from(mark, distance, key) {
            let text =
                format!("{key} is open and was not opened by this journal; adopted with a stop at {trigger}");
            self.alert_once(cx, Some(*key), text);
            self.place_stop(cx, key, trigger, Coverage::WholeLeg);
        }
    }

    /// Whether a leg stands bare while a close of it is in doubt: closing it again would be a guess.
    pub(super) fn is_bare_in_doubt(&self, key: &PositionKey) -> bool {
        if self.book.doubtful_orders() == 0 {
            return false;
        }
        let doubtful = |order: &OrderRecord| {
            order.state == OrderState::Unknown
                && matches!(order.leg, Leg::Close(exit, _) if !exit.is_conditional())
        };
        // A stop that is in doubt itself protects nobody.
        let guarded = self.book.stops_of(key).any(|stop| stop.state != OrderState::Unknown);
        !guarded && self.book.live_orders_of(key).any(doubtful)
    }

    /// A stop over the whole leg closes nothing twice and takes any quantity, so it may stand in where no close can be sent.
    pub(super) fn guard_in_doubt(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        let mark = self.book.mark_of(&key.instrument).map(|(mark, _)| mark);
        let distance = self.config.adopt_stop.unwrap_or(DOUBT_STOP);
        let planned = match self.book.leg(key).and_then(|leg| leg.protection.as_ref()) {
            Some(Protection::Stop { trigger, .. }) => Some(*trigger),
            _ => None,
        };
        // The planned trigger, unless the price is through it.
        let trigger = match (planned, mark) {
            (Some(planned), Some(mark)) if !is_beyond(key.side, mark, planned) => {
                away_from(mark, distance, key)
            }
            (Some(planned), _) => Some(planned),
            (None, Some(mark)) => away_from(mark, distance, key),
            (None, None) => None,
        };
        if let Some(trigger) = trigger {
            self.place_stop(cx, key, trigger, Coverage::WholeLeg);
        }
    }

    pub(super) fn place_stop(
        &mut self,
        cx: &mut Cx<'_>,
        key: &PositionKey,
        trigger: Price,
        covers: Coverage,
    ) {
        let Some(position) = self.position(key) else { return };
        let Some(spec) = self.spec_of(key) else { return };
        let gate = Gate::for_closing(spec, self.book.term());
        let id = self.new_id(OrderPurpose::Stop);
        let approved = match covers {
            Coverage::WholeLeg => gate.protect(id, &position, trigger),
            Coverage::Qty => {
                let exit = Exit::StopMarket { trigger, by: TriggerBy::Mark };
                gate.close_as(id, &position, &Portion::All, &exit, OrderPurpose::Stop)
            }
        };
        match approved {
            Ok(close) => self.submit(cx, None, close),
            Err(refusal) => {
                let text = format!("no stop could be written for {key}: {refusal}; closing it");
                self.alert(cx, Some(*key), Cow::Owned(text));
                self.force_close(cx, key, "no stop possible");
            }
        }
    }

    pub(super) fn confirmed(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId) {
        let Some(order) = self.book.order(id) else { return };
        let key = order.position;
        let (purpose, seq, closes) = (order.purpose, order.seq, order.leg.action() == Action::Close);
        let leg = self.book.leg(&key);
        let earlier = leg.is_none_or(|leg| !leg.is_open() || seq < leg.opened_seq);
        if closes && earlier {
            // It was decided for a position that is gone: it must not close the next one.
            self.cancel(cx, id, Cow::Borrowed("its position is gone"));
            return;
        }
        if purpose == OrderPurpose::Stop {
            self.retire_older_stops(cx, &key);
        }
        self.withdraw_openings(cx, &key);
        self.drive_flat(cx, &key);
    }

    /// Once a newer stop is confirmed live, the older ones may go: if it covers all that the leg holds or may still get.
    ///
    /// Not behind a command of the leg that is without an answer: by the time that the cancel leaves the newer one may be gone.
    /// And not while a comparison is under way: an execution that nothing explains may be the newer one's. Both are followed
    /// by another look.
    pub(super) fn retire_older_stops(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        if self.is_busy(key) || self.snapshot_pending {
            return;
        }
        let newest = self.book.stops_of(key).filter(|stop| is_certain(stop)).last();
        let Some(newest) = newest else { return };
        // A stop by quantity may be too small: the venue bounds market quantities, and entries go on filling. Such a one
        // replaces only those that are too small themselves.
        let at_most = self.at_most(key);
        let suffices = |stop: &OrderRecord| stop.is_close_all_stop() || stop.qty.get() >= at_most;
        let (newest, replaces_all) = (newest.seq, suffices(newest));
        let older: Vec<ClientOrderId> = self
            .book
            .live_orders_of(key)
            .filter(|other| {
                other.purpose == OrderPurpose::Stop
                    && other.seq < newest
                    && (replaces_all || !suffices(other))
                    && matches!(other.state, OrderState::Working | OrderState::PartiallyFilled)
            })
            .map(|other| other.client_id)
            .collect();
        for old in older {
            self.cancel(cx, &old, Cow::Borrowed("replaced by a newer stop"));
        }
    }

    /// Whether a leg keeps a stop that suffices when that one goes now.
    pub(super) fn is_kept_without(&self, key: &PositionKey, id: &ClientOrderId) -> bool {
        let at_most = self.at_most(key);
        let waits = self.is_busy(key) || self.snapshot_pending;
        self.book.stops_of(key).any(|stop| {
            !waits
                && stop.client_id != *id
                && is_certain(stop)
                && (stop.is_close_all_stop() || stop.qty.get() >= at_most)
        })
    }

    /// What a leg holds, and what its openings may still add.
    fn at_most(&self, key: &PositionKey) -> Decimal {
        let held = self.book.leg(key).map_or(Decimal::ZERO, |leg| leg.qty);
        let openings = self.book.live_orders_of(key).filter(|order| order.leg.action() == Action::Open);
        held + openings.map(OrderRecord::open_qty).sum::<Decimal>()
    }

    /// Whether the leg is somebody else's position, protected by us without having been asked.
    pub(super) fn is_adopted(&self, key: &PositionKey) -> bool {
        self.book.leg(key).is_some_and(|leg| leg.is_open() && leg.protection.is_none())
    }

    pub(super) fn ended(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId) {
        let Some(order) = self.book.order(id) else { return };
        let (key, purpose, state) = (order.position, order.purpose, order.state);
        let open = self.book.leg(&key).is_some_and(|leg| leg.is_open());
        match purpose {
            OrderPurpose::Entry if open && !order.filled.is_zero() => {
                let filled = order.filled;
                if let Some(Protection::Stop { take_profits, .. }) = order.protection.clone() {
                    self.place_ladder(cx, &key, filled, &take_profits);
                }
            }
            OrderPurpose::Entry if !open => self.sweep(cx, &key),
            OrderPurpose::Stop if open && !self.has_stop(&key) && self.wants_stop(&key) => {
                self.stop_lost(cx, &key, id, state);
            }
            OrderPurpose::Stop if open && order.is_close_all_stop() && state != OrderState::Rejected => {
                self.finish_bridge(cx, &key);
            }
            OrderPurpose::TakeProfit if open && order.strategy.is_none() && state != OrderState::Filled => {
                let trigger = match order.leg {
                    Leg::Close(exit, _) => exit.trigger(),
                    Leg::Open(_) => None,
                };
                self.take_profit_lost(cx.at, &key, trigger);
            }
            _ => {}
        }
        self.drive_flat(cx, &key);
    }

    /// The old close-all stop is gone and a stop by quantity stands in: the new close-all stop takes over from it.
    pub(super) fn finish_bridge(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        let stops = || self.book.live_orders_of(key).filter(|order| order.purpose == OrderPurpose::Stop);
        if stops().any(|order| order.is_close_all_stop()) {
            return;
        }
        let trigger = stops().find_map(|order| match order.leg {
            Leg::Close(exit, Coverage::Qty) => exit.trigger(),
            _ => None,
        });
        if let Some(trigger) = trigger {
            self.place_stop(cx, key, trigger, Coverage::WholeLeg);
        }
    }

    /// A leg is open and its last stop has ended.
    pub(super) fn stop_lost(
        &mut self,
        cx: &mut Cx<'_>,
        key: &PositionKey,
        id: &ClientOrderId,
        state: OrderState,
    ) {
        let Some(order) = self.book.order(id) else { return };
        let Leg::Close(exit, covers) = order.leg else { return };
        let trigger = exit.trigger();
        let in_time = self
            .book
            .leg(key)
            .and_then(|leg| leg.unprotected_since)
            .is_none_or(|since| cx.at < since.plus(self.config.protect_within));
        match (state, trigger) {
            // The venue keeps one close-all stop: `submit_failed` bridges.
            (OrderState::Rejected, Some(_)) if is_second_close_all(cx, id) => {}
            // The whole leg is being closed already.
            _ if self.is_being_closed(key) || self.book.must_flatten(key) => {}
            _ if self.is_adopted(key) => {
                let text = format!("the stop {id} of {key} ended as {state:?}; it is placed again");
                self.alert_once(cx, Some(*key), text);
            }
            // It never reached the venue: the same protection may be decided again, under a new id.
            (OrderState::Dropped, Some(trigger)) if in_time => self.send_again(cx, key, trigger, covers),
            // We cancelled it ourselves, and what should have replaced it is gone too.
            (OrderState::Canceled, Some(trigger)) if in_time => {
                self.place_stop(cx, key, trigger, Coverage::WholeLeg);
            }
            _ => {
                let why = order.refusal.clone().unwrap_or_default();
                let text =
                    format!("the stop {id} of {key} ended as {state:?} {why}; closing the leg at the market");
                self.alert(cx, Some(*key), Cow::Owned(text));
                self.force_close(cx, key, "protection failed");
            }
        }
    }

    /// A stop that never reached the venue: at once the first time, then ever more patiently. What keeps one from being
    /// sent (a used-up budget, a lost connection) lasts, and every attempt is a record.
    fn send_again(&mut self, cx: &mut Cx<'_>, key: &PositionKey, trigger: Price, covers: Coverage) {
        let since = self.book.leg(key).and_then(|leg| leg.unprotected_since);
        let known = self.unsent.iter_mut().find(|stop| stop.key == *key && stop.since == since);
        let Some(stop) = known else {
            self.unsent.retain(|stop| stop.key != *key);
            let pause = FIRST_RESEND_PAUSE;
            self.unsent.push(UnsentStop { key: *key, since, trigger, covers, pause, due: None });
            self.place_stop(cx, key, trigger, covers);
            return;
        };
        (stop.trigger, stop.covers, stop.due) = (trigger, covers, Some(cx.at.plus(stop.pause)));
        stop.pause *= 2;
    }

    /// Sends the stops whose pause is over, unless the leg has become safe or is being closed meanwhile.
    pub(super) fn send_again_if_due(&mut self, cx: &mut Cx<'_>) {
        let book = &self.book;
        self.unsent.retain(|stop| {
            book.leg(&stop.key).is_some_and(|leg| leg.is_open() && leg.unprotected_since == stop.since)
        });
        let due: Vec<UnsentStop> = self
            .unsent
            .iter_mut()
            .filter(|stop| stop.due.is_some_and(|due| cx.at >= due))
            .map(|stop| {
                let due = stop.clone();
                stop.due = None;
                due
            })
            .collect();
        for stop in due {
            let key = &stop.key;
            if !self.has_stop(key) && !self.is_being_closed(key) && !self.book.must_flatten(key) {
                self.place_stop(cx, key, stop.trigger, stop.covers);
            }
        }
    }

    pub(super) fn submit_failed(
        &mut self,
        cx: &mut Cx<'_>,
        id: &ClientOrderId,
        reason: Option<RejectReason>,
        retry_at: Option<Timestamp>,
    ) {
        let Some(order) = self.book.order(id) else { return };
        let key = order.position;
        if order.state == OrderState::Unknown {
            self.alert(
                cx,
                Some(key),
                Cow::Owned(format!(
                    "the outcome of order {id} is unknown; openings of {key} are frozen until it is known"
                )),
            );
            self.query(cx, id);
            return;
        }
        let Leg::Close(exit, _) = order.leg else {
            if order.state == OrderState::Rejected && reason.is_some_and(is_of_this_program) {
                let why = order.refusal.clone().unwrap_or_default();
                self.rest(cx, &key, &why);
            }
            return;
        };
        let take_profits_at = retry_at.filter(|_| order.purpose == OrderPurpose::TakeProfit);
        let failed = matches!(order.state, OrderState::Rejected | OrderState::Dropped);
        let is_told = self.is_repair_of_take_profit(order);
        if failed && !is_told && matches!(order.purpose, OrderPurpose::Close | OrderPurpose::TakeProfit) {
            let what = if order.purpose == OrderPurpose::Close { "close" } else { "take-profit" };
            let why = order.refusal.clone().unwrap_or_default();
            self.alert(cx, Some(key), Cow::Owned(format!("the {what} {id} of {key} failed: {why}")));
        }
        if let Some(named) = take_profits_at {
            self.look_at_take_profits_at(heeded(cx.at, named));
        }
        match reason {
            // The venue allows one close-all stop a leg: a stop by quantity bridges the move.
            Some(RejectReason::SecondCloseAll) => {
                let bridged = self.book.is_covered(&key)
                    && self.book.stops_of(&key).any(|stop| !stop.is_close_all_stop());
                if bridged {
                    // The bridge protects the leg; the venue may take a while to forget the old stop.
                    self.bridges.retain(|(other, _)| *other != key);
                    self.bridges.push((key, cx.at.plus(BRIDGE_PAUSE)));
                } else if let Some(trigger) = exit.trigger() {
                    self.place_stop(cx, &key, trigger, Coverage::Qty);
                }
            }
            // The leg is not what we believe it is.
            Some(RejectReason::NothingToClose) => self.ask_snapshot(cx),
            _ => {}
        }
    }

    /// Take-profits by quantity. Where the portions add up to all of it, the last rung takes what rounding left.
    fn place_ladder(&mut self, cx: &mut Cx<'_>, key: &PositionKey, filled: Decimal, rungs: &[TakeProfit]) {
        let whole = rungs.iter().map(|rung| rung.portion.get()).sum::<Decimal>() == Decimal::ONE;
        let mut left = filled;
        for (i, rung) in rungs.iter().enumerate() {
            let last = i + 1 == rungs.len();
            let wanted = if last && whole { left } else { (filled * rung.portion.get()).min(left) };
            left -= self.place_take_profit(cx, key, wanted, rung.trigger);
        }
    }

    /// Places one rung; returns how much it takes, which may be nothing.
    pub(super) fn place_take_profit(
        &mut self,
        cx: &mut Cx<'_>,
        key: &PositionKey,
        qty: Decimal,
        trigger: Price,
    ) -> Decimal {
        let Some(position) = self.position(key) else { return Decimal::ZERO };
        let Some(spec) = self.spec_of(key) else { return Decimal::ZERO };
        let Some(qty) = spec.floor_qty(qty.min(position.qty().get()), &spec.market_lot) else {
            return Decimal::ZERO;
        };
        let gate = Gate::for_closing(spec, self.book.term());
        let id = self.new_id(OrderPurpose::TakeProfit);
        let exit = Exit::TakeProfitMarket { trigger, by: TriggerBy::Mark };
        match gate.close(id, &position, &Portion::Qty(qty), &exit) {
            Ok(close) => {
                self.submit(cx, None, close);
                qty.get()
            }
            Err(refusal) => {
                let text = format!("no take-profit for {key} at {trigger}: {refusal}");
                self.alert_once(cx, Some(*key), text);
                Decimal::ZERO
            }
        }
    }

    /// Moves the leg's stop: the new one is placed first, the old one goes once the new one is confirmed.
    pub(super) fn move_stop(&mut self, cx: &mut Cx<'_>, key: &PositionKey, trigger: Price) {
        let Some(spec) = self.spec_of(key) else { return };
        let Some(trigger) = spec.round_price(trigger.get()) else { return };
        let through =
            self.book.mark_of(&key.instrument).is_some_and(|(mark, _)| !is_beyond(key.side, mark, trigger));
        let pending = self.book.live_orders_of(key).any(|order| {
            order.purpose == OrderPurpose::Stop
                && (!order.state.is_confirmed_live()
                    || order.state == OrderState::Canceling
                    || self.is_under_way(&order.client_id))
        });
        // While none of them can be taken away there would be one more with every move.
        let waiting =
            (self.is_busy(key) || self.snapshot_pending) && self.book.stops_of(key).nth(1).is_some();
        let same = self.book.stop_of(key).is_some_and(|stop| {
            matches!(stop.leg, Leg::Close(Exit::StopMarket { trigger: current, .. }, _) if current == trigger)
        });
        let refused = [
            (through, "stop_side", "the mark is already through the new stop"),
            (
                pending || waiting,
                "stop_pending",
                "another stop of this leg is on its way, or has to go first",
            ),
            (same, "stop_same", "the stop is already there"),
        ]
        .into_iter()
        .find(|(applies, _, _)| *applies);
        let (verdict, check) = match refused {
            Some((_, rule, note)) => (
                Verdict::Refuse { rule: Cow::Borrowed(rule) },
                GateCheck::holds(rule, false, Cow::Borrowed(note)),
            ),
            None => (Verdict::Approve, GateCheck::holds("stop_move", true, None)),
        };
        let approved = verdict == Verdict::Approve;
        let checks = self.answers_of([check]);
        let assessed = Decision::Assessed { position: *key, checks, verdict };
        let seq = self.record(cx, Event::Decision(assessed));
        let cx = &mut cx.because_of(seq);
        if approved {
            // Where the venue keeps one close-all stop a leg, a stop by quantity bridges the move: see `ended`.
            let covers = if self.book.one_close_all_only() { Coverage::Qty } else { Coverage::WholeLeg };
            self.place_stop(cx, key, trigger, covers);
        }
    }

    /// A closing order goes with the position that it was decided for: it would close the next one of that leg at an old
    /// price. The stop of a leg that is open again already is left to its successor.
    pub(super) fn sweep(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        let Some((is_open, opened)) = self.book.leg(key).map(|leg| (leg.is_open(), leg.opened_seq)) else {
            return;
        };
        let is_leftover = |order: &&OrderRecord| {
            order.leg.action() == Action::Close
                && (!is_open || order.seq < opened && order.purpose != OrderPurpose::Stop)
        };
        let because = if is_open { "its position is gone" } else { "the leg is flat" };
        let leftovers: Vec<ClientOrderId> = self
            .book
            .live_orders_of(key)
            .filter(is_leftover)
            .filter(|order| matches!(order.state, OrderState::Working | OrderState::PartiallyFilled))
            .map(|order| order.client_id)
            .collect();
        for id in leftovers {
            self.cancel(cx, &id, Cow::Borrowed(because));
        }
    }
}

/// Whether an older stop may give way to this one. One that the venue is asked about may be gone, and what one that has fired
/// sends may be refused: nothing gives way to it before that is known.
fn is_certain(stop: &OrderRecord) -> bool {
    stop.state.is_confirmed_live() && stop.state != OrderState::Triggered && stop.doubt.is_none()
}

/// Whether the fact is that the venue keeps one close-all stop a leg, which this one would not have been.
fn is_second_close_all(cx: &Cx<'_>, id: &ClientOrderId) -> bool {
    let fact = cx.step.events.first().map(|envelope| &envelope.event);
    matches!(fact, Some(Event::Fact(Fact::SubmitFailed { order, reason: Some(RejectReason::SecondCloseAll), .. })) if order == id)
}

/// Whether a refusal is about what this program sends or the key it sends it with, so that no market changes it.
const fn is_of_this_program(reason: RejectReason) -> bool {
    matches!(reason, RejectReason::BadRequest | RejectReason::Auth | RejectReason::Unlisted)
}
