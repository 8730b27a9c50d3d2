//! What a recording tells.

use rust_decimal::Decimal;

use crate::venue::InstrumentRules;

/// One thing at its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tick {
    /// Units: milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) what: What,
}

/// Prices are ticks of the instrument, quantities lot steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Levels of the book: all of them, or those that changed (zero: gone).
    Book { whole: bool, bids: Vec<(i64, i64)>, asks: Vec<(i64, i64)> },
    /// Best bid and ask.
    Best { bid: (i64, i64), ask: (i64, i64) },
    /// A public trade.
    Trade { id: u64, ticks: i64, steps: i64, buyer_is_maker: bool },
}

/// Puts recorded numbers on an instrument's grid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid<'a>(pub(super) &'a InstrumentRules);

impl Grid<'_> {
    pub(super) fn level(self, price: &str, qty: &str) -> Result<(i64, i64), String> {
        Ok((self.ticks(price)?, self.steps(qty)?))
    }

    pub(super) fn ticks(self, text: &str) -> Result<i64, String> {
        let on_grid = |price| self.0.ticks_exact(price).filter(|ticks| *ticks > 0);
        number(text).and_then(on_grid).ok_or_else(|| {
            format!(
                "price {text:?} is not a multiple of {}'s tick {}",
                self.0.symbol,
                self.0.tick.normalize()
            )
        })
    }

    pub(super) fn steps(self, text: &str) -> Result<i64, String> {
        let on_grid = |qty| self.0.steps_exact(qty).filter(|steps| *steps >= 0);
        number(text).and_then(on_grid).ok_or_else(|| {
            let step = self.0.lot.step.normalize();
            format!("quantity {text:?} is not a multiple of {}'s step {step}", self.0.symbol)
        })
    }
}

fn number(text: &str) -> Option<Decimal> {
    text.parse().ok()
}
