//! What a venue says about a tradable: grids, minima, limits.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    id::{Asset, InstrumentId},
    money::{Notional, Price, Qty, ceil_to, compare, floor_to, round_to},
    position::{OrderSide, PositionMode},
    time::Timestamp,
};

/// Whether a venue takes orders for an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentStatus {
    /// Orders are taken.
    Trading,
    /// Listed but not tradable now; the venue's own word.
    NotTrading(String),
}

/// Grid and bounds of one kind of quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotRule {
    /// Smallest quantity.
    pub min: Decimal,
    /// Largest quantity.
    pub max: Decimal,
    /// Grid.
    pub step: Decimal,
}

/// Everything needed to write an order that the venue's filters accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstrumentSpec {
    /// Which instrument.
    pub id: InstrumentId,
    /// Whether it trades.
    pub status: InstrumentStatus,
    /// What is bought.
    pub base: Asset,
    /// What prices are in.
    pub quote: Asset,
    /// What profit and loss are settled in.
    pub settle: Asset,
    /// Price grid.
    pub tick: Decimal,
    /// Lowest price, if bounded.
    pub min_price: Option<Price>,
    /// Highest price, if bounded.
    pub max_price: Option<Price>,
    /// Quantity rule of limit and conditional-limit orders.
    pub lot: LotRule,
    /// Quantity rule of market orders (also of conditional market orders).
    pub market_lot: LotRule,
    /// Smallest `price × qty` of an opening order.
    pub min_notional: Notional,
    /// Base units per contract; 1 where quantities are base units.
    pub contract_size: Decimal,
    /// Highest limit price as a multiple of mark, for buys.
    pub price_band_up: Option<Decimal>,
    /// Lowest limit price as a multiple of mark, for sells.
    pub price_band_down: Option<Decimal>,
    /// How the account keeps positions here.
    pub mode: PositionMode,
    /// When a delivery or delisting ends trading, if announced.
    pub delivery: Option<Timestamp>,
}

impl InstrumentSpec {
    /// Whether orders are taken now.
    pub fn is_trading(&self) -> bool {
        self.status == InstrumentStatus::Trading
    }
    /// The largest quantity on the grid of `lot` that is not above `qty`; `None` when that is nothing or below the minimum.
    pub fn floor_qty(&self, qty: Decimal, lot: &LotRule) -> Option<Qty> {
        let floored = floor_to(qty, lot.step);
        // Most orders are far below the largest: its own place on the grid is looked for only near it.
        let floored = if compare(&floored, &lot.max).is_gt() { floor_to(lot.max, lot.step) } else { floored };
        if compare(&floored, &lot.min).is_lt() { None } else { Qty::of(floored) }
    }
    /// The smallest quantity on the grid of `lot` that is not below `qty`.
    pub fn ceil_qty(&self, qty: Decimal, lot: &LotRule) -> Option<Qty> {
        let raised = ceil_to(qty.max(lot.min), lot.step);
        if raised > lot.max { None } else { Qty::of(raised) }
    }
    /// The nearest price on the grid. `None` when that is not above zero or outside the bounds.
    pub fn round_price(&self, price: Decimal) -> Option<Price> {
        self.in_bounds(round_to(price, self.tick))
    }
    /// The nearest price on the grid that is no worse for the order: a buy is rounded down, a sell up.
    pub fn passive_price(&self, price: Decimal, side: OrderSide) -> Option<Price> {
        self.in_bounds(match side {
            OrderSide::Buy => floor_to(price, self.tick),
            OrderSide::Sell => ceil_to(price, self.tick),
        })
    }
    fn in_bounds(&self, price: Decimal) -> Option<Price> {
        let price = Price::of(price)?;
        let above = self.min_price.is_none_or(|min| compare(&price.get(), &min.get()).is_ge());
        let below = self.max_price.is_none_or(|max| compare(&price.get(), &max.get()).is_le());
        (above && below).then_some(price)
    }
}
