//! One leg of an instrument.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ClientOrderId, Seq, StrategyId},
    money::{Price, Qty, difference, product},
    order::Protection,
    position::{Position, PositionKey, PositionSide},
    time::Timestamp,
};

/// One leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegState {
    /// Which leg.
    pub key: PositionKey,
    /// Unsigned quantity; zero is flat. Below zero only while a close has overtaken the opening it closes.
    pub qty: Decimal,
    /// Whether a close that overtook its opening came with the venue's profit: the opening then realises nothing more.
    pub deficit_stated: bool,
    /// What the open quantity cost: the sum of `qty × price`, kept exact.
    pub cost: Decimal,
    /// Whose leg it is, from its first approved opening until flat.
    pub owner: Option<StrategyId>,
    /// Realised profit so far, fees excluded.
    pub realized: Decimal,
    /// Fees so far.
    pub fees: Decimal,
    /// Funding so far; negative is paid.
    pub funding: Decimal,
    /// When it was opened from flat.
    pub opened_at: Option<Timestamp>,
    /// The journal place from which it is open: stops decided before it protect an earlier position.
    pub opened_seq: Seq,
    /// The venue's time at which its size was taken over from the venue: older fills are in it already.
    pub taken_over_at: Option<Timestamp>,
    /// Since when it is open without a confirmed live stop, if it should have one. It counts from the venue's first word of its
    /// opening, which may come before the execution itself.
    pub unprotected_since: Option<Timestamp>,
    /// Since when the venue says, while the leg is flat in the book, that an opening of it has filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_open_since: Option<Timestamp>,
    /// The protection it should have.
    pub protection: Option<Protection>,
    /// Orders of this leg that are, or may be, live; oldest first.
    pub live: Vec<ClientOrderId>,
}

impl LegState {
    pub(super) fn flat(key: PositionKey) -> Self {
        Self {
            key,
            qty: Decimal::ZERO,
            deficit_stated: false,
            cost: Decimal::ZERO,
            owner: None,
            realized: Decimal::ZERO,
            fees: Decimal::ZERO,
            funding: Decimal::ZERO,
            opened_at: None,
            opened_seq: Seq(0),
            taken_over_at: None,
            unprotected_since: None,
            said_open_since: None,
            protection: None,
            live: Vec::new(),
        }
    }
    /// Whether anything is held.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.qty.is_sign_positive() && !self.qty.is_zero()
    }
    /// Average entry price; `None` when flat.
    pub fn entry(&self) -> Option<Price> {
        if self.is_open() { Price::of(self.cost / self.qty) } else { None }
    }
    /// Unrealised profit at a price.
    #[inline]
    pub fn unrealized(&self, mark: Price) -> Decimal {
        let gained = difference(&product(&self.qty, &mark.get()), &self.cost);
        match self.key.side {
            // As a product with 1 or -1 would be written: nothing is plain 0.
            _ if gained.is_zero() => Decimal::ZERO,
            PositionSide::Long => gained,
            PositionSide::Short => -gained,
        }
    }
    /// As a position; `None` when flat.
    pub fn position(&self) -> Option<Position> {
        Some(Position::new(self.key, Qty::of(self.qty)?, self.entry()?))
    }
}
