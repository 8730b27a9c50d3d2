//! One instrument of a simulation: what is known of its market.

use std::time::Duration;

use hedge_core::{Bps, Decimal, Price, Timestamp};
use rust_decimal::prelude::ToPrimitive;

use crate::venue::{InstrumentRules, SymbolId};

/// A settlement that is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settlement {
    pub(super) rate: Decimal,
    pub(super) at_ms: i64,
}

/// What is known of an instrument's market.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) id: SymbolId,
    /// Last bid and ask, in ticks.
    pub(super) best: Option<(i64, i64)>,
    /// When the venue last stated bid and ask.
    pub(super) book_ms: Option<i64>,
    /// When the venue last stated a mark.
    pub(super) mark_ms: Option<i64>,
    pub(super) settlement: Option<Settlement>,
    /// The last settlement that was charged.
    pub(super) settled_ms: i64,
    /// Whether the margin mode is known to be what the account has.
    pub(super) knows_margin: bool,
    /// Whether the leverage is known to be what the account has.
    pub(super) knows_leverage: bool,
}

impl Track {
    pub(super) const fn new(id: SymbolId) -> Self {
        Self {
            id,
            best: None,
            book_ms: None,
            mark_ms: None,
            settlement: None,
            settled_ms: i64::MIN,
            knows_margin: false,
            knows_leverage: false,
        }
    }

    /// Whether the venue's own bid and ask are fresh at that time.
    pub(super) fn has_book(&self, now_ms: i64, max_age: Duration) -> bool {
        is_fresh(self.book_ms, now_ms, max_age)
    }

    /// Whether the venue's own mark is fresh at that time.
    pub(super) fn has_mark(&self, now_ms: i64, max_age: Duration) -> bool {
        is_fresh(self.mark_ms, now_ms, max_age)
    }

    /// Remembers the coming settlement; gives the one before when the venue is past it.
    pub(super) fn expect(&mut self, rate: Decimal, settles_at: Timestamp) -> Option<Settlement> {
        let at_ms = settles_at.ms();
        if at_ms <= self.settled_ms {
            return None;
        }
        let before = self.settlement.replace(Settlement { rate, at_ms });
        before.filter(|before| before.at_ms < at_ms)
    }

    /// The settlement that is due at that time, once.
    pub(super) fn due(&mut self, now_ms: i64) -> Option<Settlement> {
        let due = self.settlement.take_if(|next| next.at_ms <= now_ms)?;
        self.settled_ms = due.at_ms;
        Some(due)
    }
}

fn is_fresh(stated_ms: Option<i64>, now_ms: i64, max_age: Duration) -> bool {
    stated_ms.is_some_and(|at| i128::from(now_ms) - i128::from(at) <= max_age.as_millis() as i128)
}

/// Bid and ask around a price, in ticks: at least one tick apart, never inside the half spread.
pub(super) fn around(rules: &InstrumentRules, price: Price, half_spread: Bps) -> Option<(i64, i64)> {
    let half = half_spread.ratio().get();
    let ticks = |factor: Decimal| price.get().checked_mul(factor)?.checked_div(rules.tick);
    let bid = ticks(Decimal::ONE - half)?.floor().to_i64()?;
    let ask = ticks(Decimal::ONE + half)?.ceil().to_i64()?;
    Some((bid, ask.max(bid + 1)))
}
