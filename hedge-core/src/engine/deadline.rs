//! The clockless timer: when something falls due at the latest.

use super::run::Engine;

use crate::{book::LegState, order::Protection, time::Timestamp};

impl Engine {
    /// When the shell must send [`Fact::Tick`](crate::Fact::Tick) at the latest; `None` when nothing can fall due. Asked
    /// after every fact, so it is worked out where a record was made and kept until the next one.
    #[inline]
    pub fn deadline(&self) -> Option<Timestamp> {
        debug_assert_eq!(self.next_due, self.earliest_due(), "the kept deadline is the deadline");
        debug_assert_eq!(
            self.next_due,
            self.earliest_among(self.book.open_legs()),
            "a leg that is not looked at has nothing to fall due"
        );
        self.next_due
    }

    /// Looks at everything that can fall due.
    pub(super) fn earliest_due(&self) -> Option<Timestamp> {
        if self.is_idle() {
            return None;
        }
        // Where no order is in doubt, only a leg that should have a stop and has none is waited for.
        if self.book.doubtful_orders() == 0 {
            self.earliest_among(self.book.bare_legs())
        } else {
            self.earliest_among(self.book.open_legs())
        }
    }

    /// Whether there is nothing that could fall due: what most records leave behind.
    #[inline]
    fn is_idle(&self) -> bool {
        self.book.waits_for_nothing()
            && self.bridges.is_empty()
            && self.unsent.is_empty()
            && self.reread_at.is_none()
            && self.take_profit_look_due().is_none()
    }

    fn earliest_among<'a>(&'a self, legs: impl Iterator<Item = &'a LegState>) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        let mut consider = |at: Timestamp| next = Some(next.map_or(at, |known| known.min(at)));
        for order in self.book.questions() {
            if let Some(doubt) = &order.doubt {
                consider(doubt.ask_at);
            }
            if let Some(due) = self.unknown_too_long_at(order) {
                consider(due);
            }
        }
        for key in self.book.legs_to_flatten() {
            if self.is_to_be_closed(key) {
                consider(self.next_close(key).unwrap_or(Timestamp::EPOCH));
            }
        }
        for (_, due) in &self.bridges {
            consider(*due);
        }
        for due in self.unsent.iter().filter_map(|stop| stop.due) {
            consider(due);
        }
        if !self.snapshot_pending {
            for (_, since) in self.book.differing_legs() {
                consider(since.plus(self.config.protect_within));
            }
            if let Some(due) = self.reread_at {
                consider(due);
            }
        }
        for leg in legs {
            let Some(since) = leg.unprotected_since else { continue };
            let due = since.plus(self.config.protect_within);
            let paced = || self.next_guard(&leg.key).map_or(due, |next| due.max(next));
            if self.is_bare_in_doubt(&leg.key) {
                consider(paced());
            }
            if self.is_to_be_protected(leg) {
                consider(paced());
            }
            if let Some(due) = self.stop_look_due(leg) {
                consider(due);
            }
        }
        if let Some(due) = self.take_profit_look_due() {
            consider(due);
        }
        next
    }

    /// Whether a leg without a confirmed stop must get one in time. Most legs without one are so on purpose.
    fn is_to_be_protected(&self, leg: &LegState) -> bool {
        if matches!(leg.protection, Some(Protection::Unprotected { .. })) {
            return false;
        }
        let key = &leg.key;
        // A position of somebody else whose stop is on its way is waited for, not hurried.
        let is_on_its_way = || self.is_adopted(key) && self.has_stop(key);
        self.wants_stop(key) && !self.is_being_closed(key) && !self.book.must_flatten(key) && !is_on_its_way()
    }
}
