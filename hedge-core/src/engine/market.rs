//! Prices: bars to their readers, gaps, marks.

use super::run::{Cx, Engine, Feed, TOLERATED_MISSING_BARS};
use std::{borrow::Cow, mem};

use crate::{
    bar::Bar,
    book::LegState,
    event::{Event, Fact},
    id::InstrumentIx,
    position::{PositionKey, PositionSide},
    risk::Posture,
    strategy::{StrategyEvent, StrategyView},
    time::Timestamp,
    venue::MarketEvent,
};

impl Engine {
    pub(super) fn market(&mut self, cx: &mut Cx<'_>, event: &MarketEvent) {
        // Where the readers of such bars are.
        let mut feed = None;
        let instrument = match event {
            MarketEvent::Bar { instrument, bar } | MarketEvent::History { instrument, bar } => {
                feed = self.feed_of(*instrument, bar);
                if feed.is_some_and(|(_, seen_until)| bar.open_time < seen_until) {
                    return;
                }
                *instrument
            }
            MarketEvent::Mark { instrument, .. }
            | MarketEvent::Funding { instrument, .. }
            | MarketEvent::Book { instrument, .. }
            | MarketEvent::Trade { instrument, .. }
            | MarketEvent::Gap { instrument, .. }
            | MarketEvent::Silent { instrument } => *instrument,
        };
        if self.config.journal_market {
            let seq = self.record(cx, Event::Fact(Fact::Market { event: *event }));
            cx.cause = Some(seq);
        } else {
            self.book.apply_market(cx.at, event);
        }
        let old = matches!(event, MarketEvent::History { .. });
        let holds = self.book.holds(instrument);
        if !old && holds {
            self.adopt_waiting(cx, instrument);
        }
        if !old && (holds || self.book.posture() != Posture::Normal) {
            self.risk.mark(&self.book, cx.at);
            self.update_posture(cx);
        }
        match *event {
            MarketEvent::History { ref bar, .. } | MarketEvent::Bar { ref bar, .. } => {
                let event = if old {
                    StrategyEvent::History { instrument, bar }
                } else {
                    StrategyEvent::Bar { instrument, bar }
                };
                self.bar(cx, (instrument, feed), bar, &event);
            }
            MarketEvent::Book { instrument, bid, bid_qty, ask, ask_qty, .. } => {
                self.tick(cx, instrument, &StrategyEvent::Quote { instrument, bid, bid_qty, ask, ask_qty });
            }
            MarketEvent::Trade { instrument, price, qty, seller_aggressed, .. } => {
                self.tick(cx, instrument, &StrategyEvent::Print { instrument, price, qty, seller_aggressed });
            }
            MarketEvent::Gap { instrument, .. } => self.gap(cx, instrument, None),
            MarketEvent::Silent { instrument } => {
                if let Some(symbol) = self.book.spec(instrument).map(|spec| spec.id.symbol) {
                    self.alert(cx, None, Cow::Owned(format!("no market data for {symbol}")));
                }
            }
            _ => {}
        }
    }

    /// A quote or a trade, to who reads them.
    fn tick(&mut self, cx: &mut Cx<'_>, instrument: InstrumentIx, event: &StrategyEvent<'_>) {
        let ix = usize::from(instrument.0);
        let Some(readers) = self.tick_readers.get_mut(ix).filter(|readers| !readers.is_empty()) else {
            return;
        };
        let readers = mem::take(readers);
        for &reader in &readers {
            self.ask(cx, reader, event);
        }
        self.tick_readers[ix] = readers;
    }

    /// A position of somebody else that waited for a price to be protected by.
    #[inline]
    pub(super) fn adopt_waiting(&mut self, cx: &mut Cx<'_>, instrument: InstrumentIx) {
        let waits = |leg: &LegState| leg.unprotected_since.is_some() && leg.protection.is_none();
        if self.book.legs_of(instrument).iter().any(waits) {
            self.adopt_at_first_price(cx, instrument);
        }
    }

    fn adopt_at_first_price(&mut self, cx: &mut Cx<'_>, instrument: InstrumentIx) {
        let Some(id) = self.book.spec(instrument).map(|spec| spec.id) else { return };
        // One whose first price has come with this fact now wants a stop.
        self.next_due = self.earliest_due();
        for side in PositionSide::BOTH {
            let key = PositionKey::new(id, side);
            let bare = self.book.leg(&key).is_some_and(|leg| leg.unprotected_since.is_some());
            if bare && self.is_adopted(&key) && !self.has_stop(&key) {
                self.protect_new(cx, &key, None);
            }
        }
    }

    /// Where the readers of such bars are among those of the instrument, and until when they have seen bars.
    #[inline]
    fn feed_of(&self, instrument: InstrumentIx, bar: &Bar) -> Option<(usize, Timestamp)> {
        let feeds = self.feeds.get(usize::from(instrument.0))?;
        let place = feeds.iter().position(|feed| feed.interval == bar.interval)?;
        Some((place, feeds.get(place)?.seen_until))
    }

    #[inline]
    fn bar(
        &mut self,
        cx: &mut Cx<'_>,
        (instrument, feed): (InstrumentIx, Option<(usize, Timestamp)>),
        bar: &Bar,
        event: &StrategyEvent<'_>,
    ) {
        let Some((place, seen_until)) = feed else { return };
        let ix = usize::from(instrument.0);
        let feed = &mut self.feeds[ix][place];
        feed.seen_until = bar.end();
        let readers = feed.readers.len();
        // Most bars follow the one before them.
        if bar.open_time > seen_until && seen_until > Timestamp::EPOCH {
            self.hole(cx, (instrument, place), seen_until, bar);
        }
        for next in 0..readers {
            let reader = self.feeds[ix][place].readers[next];
            self.ask(cx, reader, event);
        }
    }

    /// Bars are missing before this one: many of them are a gap for who reads them.
    #[cold]
    fn hole(
        &mut self,
        cx: &Cx<'_>,
        (instrument, feed): (InstrumentIx, usize),
        seen_until: Timestamp,
        bar: &Bar,
    ) {
        let missing_ms = bar.open_time.ms() - seen_until.ms();
        if missing_ms >= (TOLERATED_MISSING_BARS + 1) * bar.interval.ms() {
            let readers = self.feeds[usize::from(instrument.0)][feed].readers.clone();
            self.gaps += 1;
            self.gap(cx, instrument, Some(&readers));
        }
    }

    pub(super) fn gap(&mut self, cx: &Cx<'_>, instrument: InstrumentIx, readers: Option<&[usize]>) {
        let view = StrategyView { book: &self.book, now: cx.at };
        for (i, strategy) in self.strategies.iter_mut().enumerate() {
            let reads = match readers {
                Some(readers) => readers.contains(&i),
                None => self
                    .needs
                    .iter()
                    .map(|(reader, need)| (reader, &need.instrument))
                    .chain(self.tick_needs.iter().map(|(reader, need)| (reader, need)))
                    .any(|(reader, need)| *reader == i && self.book.ix(need) == Some(instrument)),
            };
            if reads {
                strategy.on_event(&StrategyEvent::Gap { instrument }, &view, &mut self.output);
            }
        }
        // Nothing may be wanted because data is missing.
        self.output.clear();
    }

    pub(super) fn wire_feeds(&mut self) {
        let count = self.book.instruments().count();
        while self.feeds.len() < count {
            self.feeds.push(Vec::new());
            self.tick_readers.push(Vec::new());
        }
        for (reader, need) in &self.tick_needs {
            let Some(ix) = self.book.ix(need) else { continue };
            if let Some(readers) = self.tick_readers.get_mut(usize::from(ix.0))
                && !readers.contains(reader)
            {
                readers.push(*reader);
            }
        }
        for (reader, need) in &self.needs {
            let Some(ix) = self.book.ix(&need.instrument) else { continue };
            let Some(feeds) = self.feeds.get_mut(usize::from(ix.0)) else { continue };
            let feed = match feeds.iter_mut().find(|feed| feed.interval == need.interval) {
                Some(feed) => feed,
                None => {
                    feeds.push(Feed {
                        interval: need.interval,
                        seen_until: Timestamp::EPOCH,
                        readers: Vec::new(),
                    });
                    let last = feeds.len() - 1;
                    &mut feeds[last]
                }
            };
            if !feed.readers.contains(reader) {
                feed.readers.push(*reader);
            }
        }
    }
}
