//! Resting orders that this journal did not decide: named, and adopted where that is configured.

use super::{
    run::{Cx, Engine},
    step::{Effect, ForeignOrders},
};
use std::{borrow::Cow, time::Duration};

use crate::{
    event::{Decision, Event},
    id::{InstrumentId, OrderPurpose},
    order::Coverage,
    position::PositionKey,
    venue::{OrderRef, OrderReport},
};

/// How long a cancel may take to show before it is demanded again.
const CANCEL_SHOWS_WITHIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Names an order once, and adopts it where that is configured and possible.
    ///
    /// `differing` are the legs whose size the same reading tells otherwise than the book.
    pub(super) fn meet(&mut self, cx: &mut Cx<'_>, report: &OrderReport, differing: &[PositionKey]) {
        if self.is_leftover(report, differing) {
            self.clear_away(cx, report);
            return;
        }
        let key = (report.instrument, report.order);
        let is_adopted = self.book.is_adopted(&key.0, &key.1);
        let adopts = self.config.foreign_orders == ForeignOrders::Adopt
            && report.covers != Coverage::WholeLeg
            && report.side.leg().is_some()
            && self.book.ix(&report.instrument).is_some();
        let fate = if adopts || is_adopted {
            "it counts as exposure, and a flatten cancels it"
        } else {
            "it is left alone"
        };
        let text = format!(
            "order {} ({:?} {} {}) is not in this journal; {fate}",
            report.client_id.as_str(),
            report.kind,
            report.order_side,
            report.instrument.symbol
        );
        self.alert_once(cx, None, text);
        if adopts && !is_adopted {
            let (instrument, order) = key;
            self.record(cx, Event::Decision(Decision::OrderAdopted { instrument, order }));
        }
    }

    /// Whether an order of ours, from a journal that is lost, would close the next position of a leg that is flat.
    fn is_leftover(&self, report: &OrderReport, differing: &[PositionKey]) -> bool {
        let Some(side) = report.side.leg().filter(|_| report.client_id.ours().is_some()) else {
            return false;
        };
        let key = PositionKey::new(report.instrument, side);
        let is_flat = self.book.leg(&key).is_some_and(|leg| !leg.is_open());
        // The venue may know better: then the order may be the only stop of a position that the book does not have yet.
        let is_sure = !self.book.has_unsettled_doubt(&key)
            && !self.book.has_live_entry(&key)
            && !differing.contains(&key);
        report.is_close() == Some(true) && is_flat && is_sure && !report.state.is_terminal()
    }

    /// Seen twice it is no race with a fill that is on its way: it goes.
    fn clear_away(&mut self, cx: &mut Cx<'_>, report: &OrderReport) {
        let key = (report.instrument, report.order);
        let text = format!(
            "order {} ({:?} {}) is ours, is not in this journal, and would close the next position of its leg, which is flat; it is cancelled",
            report.client_id.as_str(),
            report.kind,
            report.instrument.symbol
        );
        if self.named.contains(&(text.clone(), None)) {
            if !self.book.is_adopted(&key.0, &key.1) {
                self.dismiss(cx, key, "its leg is flat", true);
            }
        } else {
            self.alert_once(cx, None, text);
            let due = cx.at.plus(CANCEL_SHOWS_WITHIN);
            self.reread_at = Some(self.reread_at.map_or(due, |at| at.min(due)));
        }
    }

    /// Whoever demands a flat account demands that nothing adopted opens it again.
    pub(super) fn dismiss_adopted(&mut self, cx: &mut Cx<'_>, because: &str, sends: bool) {
        let adopted: Vec<(InstrumentId, OrderRef)> = self.book.adopted().map(|(key, _)| *key).collect();
        for key in adopted {
            self.dismiss(cx, key, because, sends);
        }
    }

    /// Demands again what was demanded some time ago and is still there.
    pub(super) fn insist_on_dismissals(&mut self, cx: &mut Cx<'_>) {
        let due: Vec<(InstrumentId, OrderRef)> = self
            .book
            .adopted()
            .filter(|(_, asked)| asked.is_some_and(|at| cx.at >= at.plus(CANCEL_SHOWS_WITHIN)))
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            self.dismiss(cx, key, "it is still there", true);
        }
    }

    pub(super) fn dismiss(
        &mut self,
        cx: &mut Cx<'_>,
        key: (InstrumentId, OrderRef),
        because: &str,
        sends: bool,
    ) {
        // The answer comes back under an id of ours: the other one may be any text.
        let answer_to = self.new_id(OrderPurpose::Close);
        let (instrument, order) = key;
        let because = Cow::Owned(because.to_owned());
        self.record(cx, Event::Decision(Decision::AdoptedCancelRequested { instrument, order, because }));
        if sends {
            // As the worker sends it: behind the commands of the LONG leg.
            self.is_sent(&answer_to, &PositionKey::long(instrument));
            cx.step.effects.push(Effect::Cancel { order: answer_to, instrument, target: order });
            // Looked at again, whatever the answer is.
            let due = cx.at.plus(CANCEL_SHOWS_WITHIN);
            self.reread_at = Some(self.reread_at.map_or(due, |at| at.min(due)));
        }
    }
}
