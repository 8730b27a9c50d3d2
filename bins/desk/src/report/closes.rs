//! Counts closed bars, and those at whose close a symbol held both legs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hedge_core::{
    AccountEvent, Bar, Book, ClientOrderId, Decision, Envelope, Event, Fact, Fill, InstrumentId, MarketEvent,
    PositionSide, ReportedId, Timestamp,
};

/// How long what was decided on a bar may take to be carried out. A quarter of the shortest bar is longer.
const CARRIED_OUT_WITHIN: Duration = Duration::from_secs(5);

/// A close counts once what was decided on it has been carried out: as in a backtest, where that takes no time.
#[derive(Clone, Debug, Default)]
pub(super) struct Closes {
    /// End of each symbol's newest bar, and how many it has closed. Bars of several lengths that end together are one.
    closed: BTreeMap<InstrumentId, (Timestamp, u64)>,
    hedged: u64,
    open: Option<OpenClose>,
}

/// The newest close, until it is known what came of it.
#[derive(Clone, Debug)]
struct OpenClose {
    instrument: InstrumentId,
    at: Timestamp,
    both: bool,
    /// Orders that were approved since: their executions belong to this close.
    decided: BTreeSet<ClientOrderId>,
}

impl Closes {
    /// Over all symbols.
    pub(super) fn bars(&self) -> u64 {
        self.closed.values().map(|(_, bars)| bars).sum()
    }
    /// Of the symbol that has closed most.
    pub(super) fn bars_per_symbol(&self) -> u64 {
        self.closed.values().map(|(_, bars)| *bars).max().unwrap_or(0)
    }
    /// Over all symbols: closes at which LONG and SHORT were held.
    pub(super) fn hedged(&self) -> u64 {
        self.hedged + self.open.as_ref().map_or(0, |open| u64::from(open.both))
    }
    /// Takes over a count that was made where the closes happened.
    pub(super) fn set_hedged(&mut self, hedged: u64) {
        (self.hedged, self.open) = (hedged, None);
    }

    /// Follows one record; the book is as after the step that it belongs to.
    pub(super) fn observe(&mut self, envelope: &Envelope, book: &Book) {
        if self.open.as_ref().is_some_and(|open| open.is_over(envelope)) {
            self.settle();
        }
        if let Event::Fact(Fact::Market { event: MarketEvent::Bar { instrument, bar } }) = &envelope.event
            && let Some(spec) = book.spec(*instrument)
        {
            self.close(spec.id, bar, envelope.at);
        }
        if let Some(open) = &mut self.open {
            if let Event::Decision(Decision::OrderApproved { client_id, .. }) = &envelope.event {
                open.decided.insert(*client_id);
            }
            open.both = PositionSide::BOTH.iter().all(|&side| {
                let key = hedge_core::PositionKey::new(open.instrument, side);
                book.leg(&key).is_some_and(|leg| leg.is_open())
            });
        }
    }

    fn close(&mut self, instrument: InstrumentId, bar: &Bar, at: Timestamp) {
        let (newest, bars) = self.closed.entry(instrument).or_insert((Timestamp::EPOCH, 0));
        if bar.end() > *newest {
            (*newest, *bars) = (bar.end(), *bars + 1);
            self.open = Some(OpenClose { instrument, at, both: false, decided: BTreeSet::new() });
        }
    }

    fn settle(&mut self) {
        self.hedged += self.open.take().map_or(0, |open| u64::from(open.both));
    }
}

impl OpenClose {
    /// Whether a record belongs to what came after the close.
    fn is_over(&self, envelope: &Envelope) -> bool {
        if envelope.at.since(self.at) > CARRIED_OUT_WITHIN {
            return true;
        }
        match &envelope.event {
            Event::Fact(Fact::Market { event: MarketEvent::Bar { .. } }) => true,
            Event::Fact(Fact::Account { event }) => match &**event {
                // An order that stood before the close filled: the price has gone on.
                AccountEvent::Fill { fill } => !self.is_decided(fill),
                _ => false,
            },
            _ => false,
        }
    }

    fn is_decided(&self, fill: &Fill) -> bool {
        fill.client_id.as_ref().and_then(ReportedId::ours).is_some_and(|id| self.decided.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_before_a_bar_has_closed() {
        let mut closes = Closes::default();
        assert_eq!((closes.bars(), closes.bars_per_symbol(), closes.hedged()), (0, 0, 0));
        closes.set_hedged(7);
        assert_eq!(closes.hedged(), 7);
    }

    #[test]
    fn a_close_waits_for_its_own_orders_and_no_longer() {
        let instrument = InstrumentId::binance("BTCUSDT").unwrap();
        let at = Timestamp::from_ms(900_000);
        let open = OpenClose { instrument, at, both: false, decided: BTreeSet::new() };
        let tick = |ms: i64| Envelope {
            seq: hedge_core::Seq(1),
            at: Timestamp::from_ms(ms),
            cause: None,
            event: Event::Fact(Fact::Tick),
        };
        assert!(!open.is_over(&tick(900_000)) && !open.is_over(&tick(905_000)));
        assert!(open.is_over(&tick(905_001)));
    }
}
