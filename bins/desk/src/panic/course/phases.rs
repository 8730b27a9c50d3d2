//! From work to flat: the two readings, the sweep, the last look.

use std::collections::BTreeSet;

use hedge_core::Symbol;
use tokio::time::Instant;

use super::{Book, Course, Phase};
use crate::panic::{
    leg::{Leg, Pending},
    verdict::End,
};

impl Course {
    /// Legs with a position that may still be closed.
    pub(super) fn open_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values().filter(|leg| leg.held.is_some() && !leg.is_stuck())
    }

    pub(super) fn stuck(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values().filter(|leg| leg.held.is_some() && leg.is_stuck())
    }

    /// Nothing is open, resting, on its way or known to be live.
    pub(super) fn is_clean(&self) -> bool {
        let stuck: BTreeSet<Symbol> = self.stuck().map(|leg| leg.id.symbol).collect();
        // A stuck leg is tried on beside everything else.
        let is_live = |leg: &Leg| {
            (leg.on_its_way.is_some() && !leg.is_stuck())
                || leg.pending.as_ref().is_some_and(Pending::is_live)
        };
        let has_orders = |(symbol, book): (&Symbol, &Book)| {
            book.cancelling || (!book.orders.is_empty() && !stuck.contains(symbol))
        };
        self.open_legs().next().is_none()
            && !self.legs.values().any(is_live)
            && !self.books.iter().any(has_orders)
            && self.openings.is_empty()
    }

    pub(super) fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Over => {}
            _ if !self.is_clean() => {
                self.flat_since = None;
                self.phase = Phase::Work;
            }
            Phase::Work => {
                let both = self.held.is_of(self.last_action) && self.resting.is_of(self.last_action);
                if let Some(seen) = self.held.answered_at.max(self.resting.answered_at).filter(|_| both) {
                    self.flat_since.get_or_insert(seen);
                    let gap = self.gap().as_secs_f32();
                    self.say(format!("no position and no plain order; reading again in {gap:.1} s"));
                    self.phase = Phase::Settle(seen);
                }
            }
            Phase::Settle(since) => {
                let second = since + self.gap();
                if now >= second && !self.held.is_of(second) {
                    self.held.want(now);
                }
                if self.held.is_of(second) && self.resting.is_of(second) {
                    self.phase = Phase::Sweep(now);
                    self.waiting.want(now);
                }
            }
            Phase::Sweep(since) => {
                let listed = self.waiting.is_of(self.listing_wanted_at(since));
                if listed && self.conditional.is_empty() && !self.sweeps.values().any(|chore| chore.busy) {
                    self.phase = Phase::LastLook(now);
                    self.held.want(now);
                    self.resting.want(now);
                }
            }
            Phase::LastLook(since) => {
                if self.held.is_of(since) && self.resting.is_of(since) {
                    if self.stuck().next().is_none() {
                        self.finish(End::Flat, String::new());
                    } else if self.stuck().all(Leg::is_unknown_to_venue) {
                        self.finish(End::NotTrading, self.stuck_because());
                    } else {
                        let because = self.stuck_because();
                        self.say(format!("{because}; everything else is flat; trying on until time is over"));
                        self.phase = Phase::Stuck;
                    }
                }
            }
            Phase::Stuck => {
                // It trades again, or the venue has settled it: everything is verified once more.
                if self.stuck().next().is_none() {
                    self.last_action = now;
                    self.phase = Phase::Work;
                }
            }
        }
    }

    pub(super) fn stuck_because(&self) -> String {
        let names = self.stuck().map(|leg| leg.id.to_string()).collect::<Vec<_>>().join(", ");
        format!(
            "the venue takes no orders for {names}; its stops stay; run this again, or wait for the venue to settle it"
        )
    }

    pub(super) fn finish(&mut self, end: End, because: String) {
        self.phase = Phase::Over;
        self.end = Some((end, because));
    }

    /// A person wants it to stop.
    pub(in crate::panic) fn interrupt(&mut self) {
        if !self.is_over() {
            self.finish(End::Interrupted, "stopped by hand".to_owned());
        }
    }
}
