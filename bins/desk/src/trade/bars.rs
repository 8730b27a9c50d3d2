//! Counts closed bars, for progress and for runs that end after so many.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use hedge_core::{Book, Event, Fact, InstrumentIx, MarketEvent, Timestamp, engine::Step};
use hedge_runtime::{Observer, Shutdown};

/// Bars that every instrument has closed since the start; shared with whoever shows it.
pub(super) type BarCount = Arc<AtomicU64>;

/// Follows the bars of the subscribed instruments; asks to stop when all have closed enough.
#[derive(Debug)]
pub(super) struct BarLimit {
    instruments: usize,
    /// Bars per instrument; `None` runs on.
    limit: Option<u64>,
    closed: BTreeMap<InstrumentIx, (Timestamp, u64)>,
    count: BarCount,
    shutdown: Shutdown,
}

impl BarLimit {
    pub(super) fn new(instruments: usize, limit: Option<u64>, count: BarCount, shutdown: Shutdown) -> Self {
        Self { instruments, limit, closed: BTreeMap::new(), count, shutdown }
    }
}

impl Observer for BarLimit {
    fn on_step(&mut self, _: Timestamp, step: &Step, _: &Book) {
        for envelope in &step.events {
            let Event::Fact(Fact::Market { event: MarketEvent::Bar { instrument, bar } }) = &envelope.event
            else {
                continue;
            };
            let (newest, closed) = self.closed.entry(*instrument).or_insert((Timestamp::EPOCH, 0));
            // Bars of several lengths may end together; the time counts once.
            if bar.end() > *newest {
                *newest = bar.end();
                *closed += 1;
            }
            let fewest = self.closed.values().map(|(_, closed)| *closed).min().unwrap_or(0);
            if self.closed.len() >= self.instruments {
                self.count.store(fewest, Relaxed);
                if self.limit.is_some_and(|limit| fewest >= limit) {
                    self.shutdown.trigger("all bars are played");
                }
            }
        }
    }
}
