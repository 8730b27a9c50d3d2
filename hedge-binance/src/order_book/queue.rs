//! Who gets the next snapshot, and when.

use std::{collections::VecDeque, time::Duration};

use hedge_core::{Symbol, Timestamp};

/// Symbols that want a snapshot, in their order, one every so often. A symbol waits at most once.
#[derive(Debug, Clone)]
pub struct SnapshotQueue {
    gap: Duration,
    waiting: VecDeque<Symbol>,
    next_at: Timestamp,
}

impl SnapshotQueue {
    /// One snapshot every `gap`. At 20 units each, a second leaves half of the weight for everything else.
    pub const fn new(gap: Duration) -> Self {
        Self { gap, waiting: VecDeque::new(), next_at: Timestamp::EPOCH }
    }

    /// A symbol wants one.
    pub fn ask(&mut self, symbol: Symbol) {
        if !self.waiting.contains(&symbol) {
            self.waiting.push_back(symbol);
        }
    }

    /// A symbol wants none any more.
    pub fn forget(&mut self, symbol: &Symbol) {
        self.waiting.retain(|other| other != symbol);
    }

    /// When the next one may be fetched; `None` when nobody waits.
    pub fn due(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.next_at)
    }

    /// Whose turn it is, if it is time.
    pub fn take(&mut self, now: Timestamp) -> Option<Symbol> {
        if now < self.next_at {
            return None;
        }
        let symbol = self.waiting.pop_front()?;
        self.next_at = now.plus(self.gap);
        Some(symbol)
    }

    /// Nothing is fetched before then: the venue wants rest.
    pub fn pause_until(&mut self, at: Timestamp) {
        self.next_at = self.next_at.max(at);
    }
}
