//! Prices and what stands at them.

use std::collections::BTreeMap;

use hedge_core::{Decimal, OrderSide};

use crate::wire::event::Level;

/// Both sides of a book. Complete between its limits; what lies outside of them is not known and not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ladder {
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
    /// The lowest bid and the highest ask that are known; `None` where everything is.
    lowest: Option<Decimal>,
    highest: Option<Decimal>,
}

/// What taking a quantity would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// How much of it is there.
    pub qty: Decimal,
    /// The sum of price × quantity.
    pub notional: Decimal,
    /// Volume-weighted average price.
    pub average: Decimal,
    /// The last price that is reached.
    pub worst: Decimal,
}

impl Ladder {
    /// A book from the levels of a snapshot. A side with `limit` levels ends where they end; a shorter one is complete.
    pub(super) fn of(bids: &[(Decimal, Decimal)], asks: &[(Decimal, Decimal)], limit: usize) -> Self {
        let kept =
            |side: &[(Decimal, Decimal)]| side.iter().filter(|(_, qty)| is_open(*qty)).copied().collect();
        Self {
            bids: kept(bids),
            asks: kept(asks),
            lowest: bids.iter().map(|(price, _)| *price).min().filter(|_| bids.len() >= limit),
            highest: asks.iter().map(|(price, _)| *price).max().filter(|_| asks.len() >= limit),
        }
    }

    /// Takes absolute quantities over; 0 deletes, and deleting what is not there is normal.
    pub(super) fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for Level(price, qty) in bids {
            if self.lowest.is_none_or(|lowest| *price >= lowest) {
                set(&mut self.bids, *price, *qty);
            }
        }
        for Level(price, qty) in asks {
            if self.highest.is_none_or(|highest| *price <= highest) {
                set(&mut self.asks, *price, *qty);
            }
        }
    }

    /// The highest price that somebody buys at, and the quantity there.
    pub fn best_bid(&self) -> Option<(Decimal, Decimal)> {
        self.bids.last_key_value().map(|(price, qty)| (*price, *qty))
    }

    /// The lowest price that somebody sells at, and the quantity there.
    pub fn best_ask(&self) -> Option<(Decimal, Decimal)> {
        self.asks.first_key_value().map(|(price, qty)| (*price, *qty))
    }

    /// The middle of the best prices. `None` while one of them is missing, or no number holds it.
    pub fn mid(&self) -> Option<Decimal> {
        self.best_bid()?.0.checked_add(self.best_ask()?.0)?.checked_div(Decimal::TWO)
    }

    /// Best ask less best bid. `None` while one of them is missing.
    pub fn spread(&self) -> Option<Decimal> {
        self.best_ask()?.0.checked_sub(self.best_bid()?.0)
    }

    /// Bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = (Decimal, Decimal)> {
        self.bids.iter().rev().map(|(price, qty)| (*price, *qty))
    }

    /// Asks, best first.
    pub fn asks(&self) -> impl Iterator<Item = (Decimal, Decimal)> {
        self.asks.iter().map(|(price, qty)| (*price, *qty))
    }

    /// What an order of this side would meet, best first: a buy meets asks.
    pub fn against(&self, side: OrderSide) -> Box<dyn Iterator<Item = (Decimal, Decimal)> + '_> {
        match side {
            OrderSide::Buy => Box::new(self.asks()),
            OrderSide::Sell => Box::new(self.bids()),
        }
    }

    /// What an order of this side would cost, as far as the book reaches: look at [`Cost::qty`]. `None` when the side that
    /// it would meet is empty, the quantity is not above 0, or a sum is beyond every real book: what a venue sends is not
    /// bounded.
    pub fn cost(&self, side: OrderSide, qty: Decimal) -> Option<Cost> {
        let (mut left, mut notional, mut worst) = (qty, Decimal::ZERO, None);
        for (price, there) in self.against(side) {
            if left <= Decimal::ZERO {
                break;
            }
            let taken = there.min(left);
            notional = notional.checked_add(price.checked_mul(taken)?)?;
            left = left.checked_sub(taken)?;
            worst = Some(price);
        }
        let taken = qty.checked_sub(left.max(Decimal::ZERO))?;
        Some(Cost { qty: taken, notional, average: notional.checked_div(taken)?, worst: worst? })
    }

    /// How much stands between the best price and `limit` on the side that an order of `side` would meet. `None` when the sum is
    /// beyond every real book.
    pub fn qty_within(&self, side: OrderSide, limit: Decimal) -> Option<Decimal> {
        let is_within = |price: Decimal| match side {
            OrderSide::Buy => price <= limit,
            OrderSide::Sell => price >= limit,
        };
        let mut within = self.against(side).take_while(|(price, _)| is_within(*price)).map(|(_, qty)| qty);
        within.try_fold(Decimal::ZERO, |sum, qty| sum.checked_add(qty))
    }

    /// Whether somebody bids as much as somebody else asks: no real book does.
    pub fn is_crossed(&self) -> bool {
        matches!((self.best_bid(), self.best_ask()), (Some((bid, _)), Some((ask, _))) if bid >= ask)
    }

    /// How many levels are known on the shorter of the sides that are not known to their end; `None` if both are.
    pub(super) fn reach(&self) -> Option<usize> {
        let bids = self.lowest.map(|_| self.bids.len());
        let asks = self.highest.map(|_| self.asks.len());
        bids.into_iter().chain(asks).min()
    }
}

fn is_open(qty: Decimal) -> bool {
    qty > Decimal::ZERO
}

fn set(side: &mut BTreeMap<Decimal, Decimal>, price: Decimal, qty: Decimal) {
    if is_open(qty) {
        side.insert(price, qty);
    } else {
        side.remove(&price);
    }
}
