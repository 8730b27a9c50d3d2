//! Orders of unknown outcome are never silent: said when they become so, and once more when they stay so.

use std::borrow::Cow;

use super::run::{Cx, Engine};
use crate::{book::OrderRecord, id::ClientOrderId, order_state::OrderState, time::Timestamp};

impl Engine {
    /// What an earlier process left without an answer.
    pub(super) fn name_left_unknown(&mut self, cx: &mut Cx<'_>) {
        let left: Vec<_> = self
            .book
            .questions()
            .filter(|order| order.state == OrderState::Unknown)
            .map(|order| (order.client_id, order.position))
            .collect();
        for (id, key) in left {
            let text = format!(
                "order {id} of {key} has no answer from an earlier process; its outcome is unknown and it is asked about"
            );
            self.alert(cx, Some(key), Cow::Owned(text));
        }
    }

    /// When an order will have been of unknown outcome for too long; `None` when that has been said.
    pub(super) fn unknown_too_long_at(&self, order: &OrderRecord) -> Option<Timestamp> {
        let doubt = order.doubt.as_ref().filter(|_| order.state == OrderState::Unknown)?;
        let is_told = self.told_unknown.contains(&order.client_id);
        (!is_told).then(|| doubt.since.plus(self.config.unknown_alert_after))
    }

    pub(super) fn name_lasting_unknown(&mut self, cx: &mut Cx<'_>) {
        let is_due = |order: &&OrderRecord| self.unknown_too_long_at(order).is_some_and(|due| cx.at >= due);
        let lasting: Vec<ClientOrderId> =
            self.book.questions().filter(is_due).map(|order| order.client_id).collect();
        for id in lasting {
            self.told_unknown.insert(id);
            let Some(order) = self.book.order(&id) else { continue };
            let (key, why) = (order.position, order.refusal.clone().unwrap_or_default());
            let Some(doubt) = &order.doubt else { continue };
            let text = format!(
                "the outcome of order {id} of {key} is still unknown after {} s, asked {} times ({why}); nothing is opened on that leg until it is known",
                cx.at.since(doubt.since).as_secs(),
                doubt.asked
            );
            self.alert(cx, Some(key), Cow::Owned(text));
        }
        // Who is not in doubt any more may come into doubt again.
        let book = &self.book;
        self.told_unknown.retain(|id| book.order(id).is_some_and(|order| order.state == OrderState::Unknown));
    }
}
