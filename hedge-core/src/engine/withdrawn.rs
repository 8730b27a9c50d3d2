//! Openings at the venue while nothing may be opened: they go.

use std::borrow::Cow;

use super::run::{Cx, Engine};
use crate::{
    book::OrderRecord,
    id::ClientOrderId,
    order::{Entry, Leg, Tif},
    order_state::OrderState,
    position::{Action, PositionKey},
    risk::Posture,
};

impl Engine {
    /// A person, or the kill switch, forbids openings: those that rest at the venue would open all the same.
    pub(super) fn withdraw_all(&mut self, cx: &mut Cx<'_>, because: &str) {
        if !self.opens_nothing(cx) {
            return;
        }
        let is_on_its_way =
            |order: &&OrderRecord| rests(order) && !order.state.is_confirmed_live() && order.state.is_live();
        let later = self.book.live_orders().filter(is_on_its_way).count();
        let before = cx.step.effects.len();
        let in_use: Vec<PositionKey> =
            self.book.legs().filter(|leg| !leg.live.is_empty()).map(|leg| leg.key).collect();
        for key in in_use {
            self.withdraw_openings(cx, &key);
        }
        let now = cx.step.effects.len() - before;
        if now + later == 0 {
            return;
        }
        let (s, are) = if now == 1 { ("", "is") } else { ("s", "are") };
        let mut text = format!("{because}: nothing is opened; {now} resting opening{s} {are} cancelled");
        if later > 0 {
            let whose = if later == 1 { "its" } else { "their" };
            text.push_str(&format!(", {later} more when {whose} fate is known"));
        }
        self.alert(cx, None, Cow::Owned(text));
    }

    /// Cancels what may still open a leg that the venue has closed by force, and what rests anywhere while a person or the kill
    /// switch forbids openings; an order that is on its way follows when it is confirmed.
    pub(super) fn withdraw_openings(&mut self, cx: &mut Cx<'_>, key: &PositionKey) {
        let is_halted = self.book.leg_halt(key).is_some();
        if !is_halted && !self.opens_nothing(cx) {
            return;
        }
        let because =
            if is_halted { "the venue has closed the leg by force" } else { "nothing may be opened now" };
        let openings: Vec<ClientOrderId> = self
            .book
            .live_orders_of(key)
            .filter(|order| rests(order) || (is_halted && order.leg.action() == Action::Open))
            .map(|order| order.client_id)
            .collect();
        for id in openings {
            self.cancel(cx, &id, Cow::Borrowed(because));
        }
    }

    /// Whether somebody forbids openings. Not a lost stream alone: that passes, and what rests was decided with open eyes. And
    /// not before a fresh process has read the account: that goes on with it.
    fn opens_nothing(&self, cx: &Cx<'_>) -> bool {
        if self.fresh_process {
            return false;
        }
        self.book.operator().0 > Posture::Normal
            || (self.book.posture() > Posture::Normal
                && self.risk.posture(&self.book, cx.at).posture > Posture::Normal)
    }
}

/// Whether it is an opening that may wait at the venue for its price. The others have ended by the time that a cancel arrives.
const fn rests(order: &OrderRecord) -> bool {
    matches!(order.leg, Leg::Open(Entry::Limit { tif: Tif::Gtc | Tif::Gtd { .. } | Tif::PostOnly, .. }))
        && !matches!(order.state, OrderState::Canceling)
}
