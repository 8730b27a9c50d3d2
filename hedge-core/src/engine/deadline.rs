//! The clockless timer: when something falls due at the latest.

use super::run::{CLOSE_PAUSE, Engine};

use crate::{order::Protection, time::Timestamp};

impl Engine {
    /// When the shell must send [`Fact::Tick`](crate::Fact::Tick) at the latest; `None` when nothing can fall due. Asked
    /// after every fact, so it is worked out where a record was made and kept until the next one.
    #[inline]
    pub fn deadline(&self) -> Option<Timestamp> {
        debug_assert_eq!(self.next_due, self.earliest_due(), "the kept deadline is the deadline");
        self.next_due
    }

    /// Looks at everything that can fall due.
    pub(super) fn earliest_due(&self) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        let mut consider = |at: Timestamp| next = Some(next.map_or(at, |known| known.min(at)));
        for order in self.book.questions() {
            if let Some(doubt) = &order.doubt {
                consider(doubt.ask_at);
            }
        }
        for key in self.book.legs_to_flatten() {
            if !self.is_held_back(key) && self.closable(key).is_some() {
                consider(
                    self.forced_at(key).map_or(Timestamp::EPOCH, |last| last.plus(self.close_pause(key))),
                );
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
        for leg in self.book.open_legs() {
            let Some(since) = leg.unprotected_since else { continue };
            let due = since.plus(self.config.protect_within);
            let paced = || self.forced_at(&leg.key).map_or(due, |last| due.max(last.plus(CLOSE_PAUSE)));
            if self.is_bare_in_doubt(&leg.key) {
                consider(paced());
            }
            if !matches!(leg.protection, Some(Protection::Unprotected { .. }))
                && self.wants_stop(&leg.key)
                && !self.is_being_closed(&leg.key)
                && !self.book.must_flatten(&leg.key)
                // A position of somebody else whose stop is on its way is waited for, not hurried.
                && !(self.is_adopted(&leg.key) && self.has_stop(&leg.key))
            {
                consider(paced());
            }
        }
        next
    }
}
