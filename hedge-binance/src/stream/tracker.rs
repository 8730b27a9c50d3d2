//! What this client knows to be open: where a back-fill has to look after the private stream was away.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hedge_core::{InstrumentId, OrderAck, OrderRef, OrderReport, OrderSpace, ReportedId, VenueOrderId};
use tokio::time::Instant;

use super::recent::Recent;

/// An order's place: id space and number there.
pub(crate) type OrderKey = (OrderSpace, i64);

/// A plain order. Numbers are unique for each instrument.
pub(crate) type MakerKey = (InstrumentId, VenueOrderId);

/// How many plain orders are remembered as mentioned by the stream, and how many acks may wait for their event.
const REMEMBERED: usize = 4_096;

/// Shared by the commands, the queries and the private stream of one client.
#[derive(Debug, Default)]
pub(crate) struct Tracker(Mutex<State>);

#[derive(Debug)]
struct State {
    instruments: BTreeSet<InstrumentId>,
    open: BTreeMap<OrderKey, (InstrumentId, OrderRef)>,
    mentioned: Recent<i64>,
    unmentioned: BTreeMap<i64, Instant>,
    /// What plain orders are called; `None` for one that the venue does not know.
    makers: Recent<MakerKey, Option<ReportedId>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            instruments: BTreeSet::new(),
            open: BTreeMap::new(),
            mentioned: Recent::new(REMEMBERED),
            unmentioned: BTreeMap::new(),
            makers: Recent::new(REMEMBERED),
        }
    }
}

/// The key of a venue's reference; `None` for a reference by client id.
pub(crate) const fn key_of(order: &OrderRef) -> Option<OrderKey> {
    match order {
        OrderRef::Plain(id) => Some((OrderSpace::Plain, id.0)),
        OrderRef::Algo { id, .. } => Some((OrderSpace::Algo, id.0)),
        OrderRef::Client { .. } => None,
    }
}

impl Tracker {
    // Each change is a single insert or remove: a panic in between leaves nothing half-done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An instrument is traded.
    pub(crate) fn note_symbol(&self, instrument: InstrumentId) {
        self.state().instruments.insert(instrument);
    }

    /// An order is described, by a query or by the stream.
    pub(crate) fn note_report(&self, report: &OrderReport) {
        let mut state = self.state();
        state.instruments.insert(report.instrument);
        if let OrderRef::Plain(number) = report.order {
            state.makers.insert((report.instrument, number), Some(report.client_id.clone()));
        }
        let Some(key) = key_of(&report.order) else { return };
        if report.state.is_terminal() {
            state.open.remove(&key);
        } else {
            state.open.insert(key, (report.instrument, report.order));
        }
    }

    /// What a plain order is called, as far as it has been told: `Some(None)` when the venue itself does not know it.
    pub(crate) fn maker(&self, order: &MakerKey) -> Option<Option<ReportedId>> {
        self.state().makers.get(order).cloned()
    }

    /// Somebody has found out what a plain order is called.
    pub(crate) fn note_maker(&self, order: MakerKey, id: Option<ReportedId>) {
        self.state().makers.insert(order, id);
    }

    /// An order was acknowledged by REST; the stream shall mention it soon.
    pub(crate) fn note_ack(&self, instrument: InstrumentId, ack: &OrderAck) {
        let mut state = self.state();
        if let OrderRef::Plain(number) = ack.order {
            state.makers.insert((instrument, number), Some(ReportedId::Ours(ack.client_id)));
        }
        let Some(key) = key_of(&ack.order) else { return };
        // The event may have been faster than the answer; then it has the last word.
        if key.0 == OrderSpace::Plain && state.mentioned.contains(&key.1) {
            return;
        }
        if !ack.state.is_terminal() {
            state.open.insert(key, (instrument, ack.order));
        }
        if key.0 == OrderSpace::Plain {
            state.unmentioned.insert(key.1, Instant::now());
            if state.unmentioned.len() > REMEMBERED {
                state.unmentioned.pop_first();
            }
        }
    }

    /// The stream has mentioned a plain order.
    pub(crate) fn note_mentioned(&self, order_id: i64) {
        let mut state = self.state();
        state.unmentioned.remove(&order_id);
        state.mentioned.insert(order_id, ());
    }

    /// A plain order whose acknowledgement is older than `limit` and which the stream has not mentioned.
    pub(crate) fn overdue(&self, limit: Duration) -> Option<i64> {
        self.state().unmentioned.iter().find(|(_, at)| at.elapsed() > limit).map(|(id, _)| *id)
    }

    /// The stream starts anew; what it did not mention is looked up otherwise.
    pub(crate) fn forget_unmentioned(&self) {
        self.state().unmentioned.clear();
    }

    pub(crate) fn forget(&self, key: OrderKey) {
        self.state().open.remove(&key);
    }

    pub(crate) fn instruments(&self) -> BTreeSet<InstrumentId> {
        self.state().instruments.clone()
    }

    pub(crate) fn open(&self) -> BTreeMap<OrderKey, (InstrumentId, OrderRef)> {
        self.state().open.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hedge_core::{ClientOrderId, Decimal, ReportedState, VenueOrderId};

    fn ack(id: i64, state: ReportedState) -> OrderAck {
        OrderAck {
            client_id: ClientOrderId::parse("h1").unwrap(),
            order: OrderRef::Plain(VenueOrderId(id)),
            state,
            filled: Decimal::ZERO,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_ack_that_the_stream_never_mentions_becomes_overdue() {
        let tracker = Tracker::default();
        let instrument = InstrumentId::binance("ETHUSDT").unwrap();
        tracker.note_ack(instrument, &ack(7, ReportedState::Filled));
        tracker.note_ack(instrument, &ack(8, ReportedState::Working));
        tracker.note_mentioned(7);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(tracker.overdue(Duration::from_secs(5)), Some(8));
        assert_eq!(tracker.open().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_faster_than_its_answer_is_not_overdue() {
        let tracker = Tracker::default();
        tracker.note_mentioned(7);
        tracker.note_ack(InstrumentId::binance("ETHUSDT").unwrap(), &ack(7, ReportedState::Working));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(tracker.overdue(Duration::from_secs(5)), None);
        assert!(tracker.open().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_symbol_with_small_order_numbers_is_remembered_like_any_other() {
        let tracker = Tracker::default();
        for order_id in 0..5_000 {
            tracker.note_mentioned(8_000_000_000_000 + order_id);
        }
        tracker.note_mentioned(7);
        tracker.note_ack(InstrumentId::binance("ETHUSDT").unwrap(), &ack(7, ReportedState::Filled));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(tracker.overdue(Duration::from_secs(5)), None);
    }
}
