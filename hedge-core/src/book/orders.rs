//! Folding what is said about orders.

use super::keyed::Place;
use super::order::Doubt;
use super::state::{
    Book, Change, FILLS_DUE, Forced, MAX_REQUEST_WINDOW, OPENING_FILLS_DUE, REMEMBERED_IDS, VISIBILITY_DELAY,
};
use std::time::Duration;

use rust_decimal::Decimal;

use crate::{
    error::Outcome,
    event::QueryAnswer,
    id::{ClientOrderId, InstrumentId, VenueOrderId},
    money::{compare, greatest},
    order_state::{OrderEvent, OrderState, transition},
    position::{Action, PositionKey},
    time::Timestamp,
    venue::{ForcedClose, OrderRef, OrderReport, OrderSpace, ReportedState},
};

/// How soon at least, and how late at most, what could not be sent is tried again, whatever was named.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How much older than its intent a report may seem: venues have more than one clock.
const REPORTED_EARLIER: Duration = Duration::from_secs(60);

/// The instant from which on something may be sent, within reason: a wrong one must not keep a leg open, nor fill a journal.
pub(crate) fn heeded(at: Timestamp, named: Timestamp) -> Timestamp {
    named.clamp(at.plus(SHORTEST_WAIT), at.plus(LONGEST_WAIT))
}

/// Says that a venue's word for a state is not known.
pub(super) fn note_unknown_word(id: &ClientOrderId, state: &ReportedState, changes: &mut Vec<Change>) {
    if let ReportedState::Unknown(word) = state {
        let text = format!("order {id} is {word}, a state this version does not know");
        changes.push(Change::Unfitting(text));
    }
}

impl Book {
    pub(super) fn apply_report(&mut self, report: &OrderReport, at: Timestamp, changes: &mut Vec<Change>) {
        let known = report.client_id.ours().and_then(|id| self.orders.place(id)).or_else(|| {
            let OrderRef::Plain(number) = report.order else { return None };
            self.orders.place(self.by_venue.get(&(report.instrument, number))?)
        });
        let Some(place) = known else {
            if !self.note_forced(report, changes) {
                self.note_foreign(report, changes);
            }
            return;
        };
        let record = self.orders.at_mut(place);
        let id = record.client_id;
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
                self.adopt_child(place, child);
                self.claim(place, report.instrument, child, at, changes);
            }
            // A filled child is told by its fills; only how it ended otherwise is news.
            let ended = report.state.is_terminal() && report.state != ReportedState::Filled;
            let state = if ended { &report.state } else { &ReportedState::Triggered };
            self.report_state(place, state, report.filled, at, changes);
        } else {
            self.name_order(place, report.order, at, changes);
            self.report_state(place, &report.state, report.filled, at, changes);
        }
    }

    /// Whether the venue closes a leg by this order; the first report of it is news. A one-way report names no leg.
    pub(super) fn note_forced(&mut self, report: &OrderReport, changes: &mut Vec<Change>) -> bool {
        let (Some(forced), Some(side), OrderRef::Plain(order)) =
            (report.forced(), report.side.leg(), report.order)
        else {
            return false;
        };
        let position = PositionKey::new(report.instrument, side);
        if self.slot(&position).is_none() {
            return false;
        }
        if self.remember_forced(report.instrument, order, forced) {
            let client_id = Some(report.client_id.as_str().to_owned());
            changes.push(Change::Forced(Box::new(Forced {
                position,
                forced,
                order,
                client_id,
                closed: None,
            })));
        }
        true
    }

    /// Whether the order is new.
    pub(super) fn remember_forced(
        &mut self,
        instrument: InstrumentId,
        order: VenueOrderId,
        forced: ForcedClose,
    ) -> bool {
        let is_new = self.forced_orders.insert((instrument, order), forced).is_none();
        if self.forced_orders.len() > REMEMBERED_IDS {
            self.forced_orders.pop_first();
        }
        self.unclaimed.remove(&(instrument, order));
        is_new
    }

    /// Keeps the list of orders that are not ours current between snapshots.
    fn note_foreign(&mut self, report: &OrderReport, changes: &mut Vec<Change>) {
        self.foreign.retain(|other| {
            other.order.space() != report.order.space() || other.client_id != report.client_id
        });
        if !report.state.is_terminal() {
            self.foreign.push(report.clone());
        }
        self.forget_gone_strangers();
        changes.push(Change::Unfitting(format!(
            "order {} on {} is not ours",
            report.client_id.as_str(),
            report.instrument.symbol
        )));
        if let Some(side) = report.side.leg() {
            changes.push(Change::ForeignOrder(PositionKey::new(report.instrument, side)));
        }
    }

    /// An adopted order that has ended is nobody's exposure.
    pub(super) fn forget_gone_strangers(&mut self) {
        if !self.adopted.is_empty() {
            let foreign = &self.foreign;
            self.adopted.retain(|(instrument, order), _| {
                foreign.iter().any(|report| report.instrument == *instrument && report.order == *order)
            });
        }
    }

    /// Takes the venue's word on an order's state. An end that counts fills we have not booked yet waits for them.
    pub(super) fn report_state(
        &mut self,
        place: Place,
        state: &ReportedState,
        filled: Decimal,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let record = self.orders.at_mut(place);
        record.reported_filled = greatest(record.reported_filled, filled);
        let missing = compare(&record.filled, &record.reported_filled).is_lt();
        let waits = missing && state.is_terminal() && record.state.is_live();
        if waits {
            record.ending = Some(state.clone());
        }
        let opens = record.leg.action() == Action::Open && record.state.is_live();
        let said_open = (missing && opens).then_some(record.position);
        let id = record.client_id;
        note_unknown_word(&id, state, changes);
        if let Some(key) = said_open {
            self.note_said_open(&key, at);
        }
        let state = if waits { &ReportedState::Working } else { state };
        self.advance(place, &OrderEvent::Reported(state), at, changes);
        if self.orders.at(place).state.is_live() {
            // An unknown word about an order that was on its way says nothing about its fate.
            self.doubt(place, at, None);
            self.review(place, at, false);
        }
    }

    /// Executions of an opening are on their way: its leg may be bare already.
    fn note_said_open(&mut self, key: &PositionKey, at: Timestamp) {
        if let Some(leg) = self.slot(key).and_then(|slot| self.legs.get_mut(slot))
            && !leg.is_open()
        {
            leg.said_open_since.get_or_insert(at);
        }
    }

    /// Opens the question about fills that the venue has counted and we have not seen: soon about an opening, unless an answer
    /// has just come without them.
    pub(super) fn review(&mut self, place: Place, at: Timestamp, is_answered: bool) {
        let record = self.orders.at_mut(place);
        let missing = || compare(&record.filled, &record.reported_filled).is_lt();
        if record.doubt.is_none() && record.state.is_live() && missing() {
            let is_urgent = record.leg.action() == Action::Open && !is_answered;
            let due = if is_urgent { OPENING_FILLS_DUE } else { FILLS_DUE };
            record.doubt = Some(Doubt::new(at, at.plus(due)));
            self.questions.insert(record.client_id);
        }
    }

    /// Closes that question before it was put, once all that the venue has counted is booked.
    pub(super) fn close_question_of_fills(&mut self, place: Place) {
        let record = self.orders.at_mut(place);
        let is_unasked = record.doubt.as_ref().is_some_and(|doubt| doubt.asked == 0);
        let is_of_fills = record.cancels_refused == 0
            && !matches!(record.state, OrderState::Unknown | OrderState::Canceling);
        if is_unasked && is_of_fills && compare(&record.filled, &record.reported_filled).is_ge() {
            record.doubt = None;
            self.questions.remove(&record.client_id);
        }
    }

    /// A cancel was taken: if its end is not told in time, the order is asked about.
    pub(super) fn await_cancel(&mut self, id: &ClientOrderId, at: Timestamp) {
        if let Some(record) = self.orders.get_mut(id)
            && record.state == OrderState::Canceling
            && record.doubt.is_none()
        {
            record.doubt = Some(Doubt::new(at, at.plus(FILLS_DUE)));
            self.questions.insert(*id);
        }
    }

    pub(super) fn cancel_refused(
        &mut self,
        place: Place,
        outcome: Outcome,
        retry_at: Option<Timestamp>,
        at: Timestamp,
    ) {
        let record = self.orders.at_mut(place);
        if record.state.is_live() {
            record.cancels_refused += 1;
            record.cancel_unsent = outcome == Outcome::NotSent;
            // At once at first, then ever more patiently; what could not be sent may be sent again any moment.
            let doublings = if record.cancel_unsent { 6 } else { 8 };
            let wait_ms = (100_u64 << record.cancels_refused.min(doublings)) - 200;
            let ask_at = retry_at.map_or(at.plus(Duration::from_millis(wait_ms)), |named| heeded(at, named));
            record.doubt = Some(Doubt::new(at, ask_at));
            self.questions.insert(record.client_id);
        }
    }

    pub(super) fn apply_answer(
        &mut self,
        id: &ClientOrderId,
        at: Timestamp,
        answer: &QueryAnswer,
        changes: &mut Vec<Change>,
    ) {
        let place = self.orders.place(id);
        if let Some(doubt) = place.and_then(|place| self.orders.at_mut(place).doubt.as_mut())
            && std::mem::take(&mut doubt.by_our_clock)
        {
            // It was sent before this question. Our clock may be ahead of the venue's for good: that must not hold a leg up.
            let until = answer.venue_time.plus(MAX_REQUEST_WINDOW);
            doubt.acceptable_until = doubt.acceptable_until.min(until);
        }
        // A report older than its own intent is somebody else's order under a reused id: never evidence. Both by the venue's
        // clock: ours may be ahead of it.
        let report = answer.report.as_ref().filter(|report| {
            place.is_none_or(|place| {
                report.venue_time.plus(REPORTED_EARLIER) >= self.orders.at(place).not_before
            })
        });
        // Named first, so that its fills are recognised: past executions carry no client id.
        if let (Some(report), Some(place)) = (report, place) {
            match report.order {
                OrderRef::Plain(child) if self.orders.at(place).space() == OrderSpace::Algo => {
                    self.adopt_child(place, child);
                    self.claim(place, report.instrument, child, at, changes);
                }
                named => self.name_order(place, named, at, changes),
            }
        }
        for fill in &answer.fills {
            self.apply_fill(fill, at, changes);
        }
        match report {
            Some(report) => {
                self.apply_report(report, at, changes);
                if let Some(place) = place {
                    self.answered(place, at);
                }
            }
            None => {
                if let Some(doubt) = place.and_then(|place| self.orders.at_mut(place).doubt.as_mut())
                    && answer.venue_time > doubt.acceptable_until.plus(VISIBILITY_DELAY)
                {
                    doubt.absent += 1;
                }
            }
        }
    }

    /// The venue has described the order: the question is closed unless its outcome or its fills are still open.
    fn answered(&mut self, place: Place, at: Timestamp) {
        let record = self.orders.at_mut(place);
        if record.state != OrderState::Unknown {
            record.doubt = None;
            self.questions.remove(&record.client_id);
        }
        self.review(place, at, true);
    }

    /// A question goes out: it is asked again later, quickly at first and then patiently, until it is answered.
    pub(super) fn asked(&mut self, id: &ClientOrderId, at: Timestamp) {
        let Some(record) = self.orders.get_mut(id) else { return };
        if record.state.is_terminal() {
            return;
        }
        let doubt = record.doubt.get_or_insert(Doubt::new(at, at));
        doubt.asked += 1;
        // 0.4 s, 0.8 s, … at most 5 s apart.
        let wait_ms = (200_u64 << doubt.asked.min(5)).min(5_000);
        doubt.ask_at = at.plus(Duration::from_millis(wait_ms));
        self.questions.insert(*id);
    }

    /// Nobody knows what became of an order. Until when its request may be accepted, by the venue's clock, is stated by whoever
    /// has sent it, or reckoned by ours.
    pub(super) fn doubt(&mut self, place: Place, at: Timestamp, acceptable_until: Option<Timestamp>) {
        let record = self.orders.at_mut(place);
        if record.state == OrderState::Unknown && record.doubt.is_none() {
            record.doubt = Some(Doubt {
                acceptable_until: acceptable_until.unwrap_or(at.plus(MAX_REQUEST_WINDOW)),
                by_our_clock: acceptable_until.is_none(),
                ..Doubt::new(at, at)
            });
            self.questions.insert(record.client_id);
        }
    }

    /// Where the venue's clock stood, or was already past, when ours said this.
    pub(super) fn venue_time_before(&self, at: Timestamp) -> Timestamp {
        if self.last_venue_time == Timestamp::EPOCH { at } else { at.min(self.last_venue_time) }
    }

    /// Learns the venue's name of an order, and takes over fills that came before it.
    pub(super) fn name_order(
        &mut self,
        place: Place,
        venue: OrderRef,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let record = self.orders.at_mut(place);
        if record.venue == Some(venue) {
            // Named and claimed already: every answer and every report says it again.
            return;
        }
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
            self.claim(place, instrument, number, at, changes);
        }
    }

    /// A venue order is ours: what it filled before we knew that is credited to it.
    pub(super) fn claim(
        &mut self,
        place: Place,
        instrument: InstrumentId,
        number: VenueOrderId,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        self.by_venue.insert((instrument, number), self.orders.at(place).client_id);
        if let Some((qty, _)) = self.unclaimed.remove(&(instrument, number)) {
            let slot = self.slot(&self.orders.at(place).position).unwrap_or(usize::MAX);
            self.credit(place, slot, qty, at, changes);
            let record = self.orders.at(place);
            if record.leg.action() == Action::Open {
                changes.push(Change::Grew(record.position, Some(record.client_id)));
            }
        }
    }

    pub(super) fn adopt_child(&mut self, place: Place, child: VenueOrderId) {
        if let Some(OrderRef::Algo { child: known, .. }) = &mut self.orders.at_mut(place).venue {
            known.get_or_insert(child);
        }
    }

    /// What happens to an order that may not be in the book.
    pub(super) fn advance_named(
        &mut self,
        id: &ClientOrderId,
        event: &OrderEvent<'_>,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        match self.orders.place(id) {
            Some(place) => self.advance(place, event, at, changes),
            None => changes.push(Change::Unfitting(format!("order {id} is not in the book: {event:?}"))),
        }
    }

    pub(super) fn advance(
        &mut self,
        place: Place,
        event: &OrderEvent<'_>,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let record = self.orders.at_mut(place);
        let (id, from) = (record.client_id, record.state);
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
        // Who is in doubt has a question, and nobody else.
        if (to.is_terminal() || from == OrderState::Unknown) && record.doubt.take().is_some() {
            self.questions.remove(&id);
        }
        self.doubtful =
            self.doubtful + u32::from(to == OrderState::Unknown) - u32::from(from == OrderState::Unknown);
        let slot = self.slot(&position);
        if from.is_live() && to.is_terminal() {
            self.live -= 1;
            self.live_conditional -= u32::from(conditional);
            if let Some(slot) = slot {
                self.legs[slot].live.retain(|other| *other != id);
                self.release(slot);
                self.review_use(slot);
            }
            changes.push(Change::Ended(id));
        } else if to.is_confirmed_live() && !from.is_confirmed_live() {
            changes.push(Change::Confirmed(id));
        }
        if let Some(slot) = slot {
            self.update_protection(slot, at);
        }
    }

    /// A leg is protected while a close-all stop is confirmed live.
    pub(super) fn update_protection(&mut self, slot: usize, at: Timestamp) {
        let leg = &self.legs[slot];
        if !leg.is_open() {
            return;
        }
        let covered = self.has_confirmed_stop(leg);
        let leg = &mut self.legs[slot];
        match (covered, leg.unprotected_since) {
            (true, Some(_)) => leg.unprotected_since = None,
            (false, None) => leg.unprotected_since = Some(at),
            _ => return,
        }
        self.review_bare(slot);
    }
}
