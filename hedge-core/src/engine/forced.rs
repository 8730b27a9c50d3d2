//! What the venue closes by itself: named as what it is, and nothing is opened on that leg until a person has looked.

use std::borrow::Cow;

use super::run::{Cx, Engine};
use crate::{
    book::Forced,
    event::{Decision, Event},
    venue::ForcedClose,
};

impl Engine {
    /// A forced close stands or has filled: said aloud, the leg is halted, and what may still open it goes.
    ///
    /// What is left of the leg keeps its stop and its owner. The account is read again: a venue that takes a leg may take a
    /// fee for it that no execution names.
    pub(super) fn forced_close(&mut self, cx: &mut Cx<'_>, sign: &Forced) {
        let key = sign.position;
        self.alert(cx, Some(key), Cow::Owned(told(sign)));
        if self.book.leg_halt(&key).is_none() {
            let because = Cow::Owned(format!("{} by order {}", sign.forced, name(sign)));
            let halted = Decision::LegHalted { position: key, forced: sign.forced, because };
            self.record(cx, Event::Decision(halted));
        }
        self.withdraw_openings(cx, &key);
        self.ask_snapshot(cx);
    }
}

fn name(sign: &Forced) -> String {
    sign.client_id.clone().unwrap_or_else(|| sign.order.to_string())
}

/// `the venue LIQUIDATED 1 of BTCUSDT LONG at 60 (order autoclose-1); …`.
fn told(sign: &Forced) -> String {
    let (did, does) = match sign.forced {
        ForcedClose::Liquidation => ("LIQUIDATED", "liquidates"),
        ForcedClose::Adl => ("AUTO-DELEVERAGED", "auto-deleverages"),
        ForcedClose::Settlement => ("SETTLED", "settles"),
        ForcedClose::Delivery => ("DELIVERED", "delivers"),
    };
    let (key, order) = (sign.position, name(sign));
    let deed = match sign.closed {
        Some((qty, price)) => format!("the venue {did} {qty} of {key} at {price} (order {order})"),
        None => format!("the venue {does} {key} (order {order})"),
    };
    format!("{deed}; the leg opens nothing until a person resumes")
}
