//! What a strategy wants ([`Intent`]) and what the gate lets through ([`Approved<Order>`]).
//!
//! An [`Order`] cannot be read from JSON, and an [`Approved`] cannot be made outside the gate:
//!
//! ```compile_fail
//! let order: hedge_core::Order = serde_json::from_str("{}").unwrap();
//! ```
//! ```compile_fail
//! fn forge(order: hedge_core::Order) -> hedge_core::Approved<hedge_core::Order> {
//!     hedge_core::Approved { value: order, valid_until: None, term: hedge_core::Term(1) }
//! }
//! ```
//! ```compile_fail
//! fn twice(order: hedge_core::Approved<hedge_core::Order>) { let _a = order.clone(); }
//! ```
//! ```compile_fail
//! async fn bare(broker: &dyn hedge_core::Brokerage, order: hedge_core::Order) { broker.submit(&order).await; }
//! ```
//! ```compile_fail
//! fn widen(open: hedge_core::Approved<hedge_core::Order>) -> hedge_core::Approved<hedge_core::Close> { open.into() }
//! ```

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    id::{ClientOrderId, OrderPurpose, Term},
    money::{Bps, Notional, Price, Qty, Ratio},
    position::{Action, OrderSide, PositionKey},
    time::Timestamp,
};

/// How long a limit order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tif {
    /// Until cancelled.
    Gtc,
    /// What does not fill at once is cancelled.
    Ioc,
    /// All at once or not at all.
    Fok,
    /// Only as maker; refused if it would take.
    PostOnly,
    /// Until an instant; venues want at least ten minutes.
    Gtd {
        /// When it vanishes.
        until: Timestamp,
    },
}

/// Which price fires a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerBy {
    /// The mark price: no single print can fire it.
    Mark,
    /// The last traded price.
    Last,
}

/// How to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Now. The gate turns it into an IOC limit at mark plus or minus the allowed slippage.
    Market,
    /// At a price or better.
    Limit {
        /// The worst acceptable price.
        price: Price,
        /// How long it may rest.
        tif: Tif,
    },
}

/// How to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Now, at whatever the book gives.
    Market,
    /// At a price or better.
    Limit {
        /// The worst acceptable price.
        price: Price,
        /// How long it may rest.
        tif: Tif,
    },
    /// At the market once the price has gone against the leg.
    StopMarket {
        /// Where it fires.
        trigger: Price,
        /// Which price fires it.
        by: TriggerBy,
    },
    /// At the market once the price has gone with the leg.
    TakeProfitMarket {
        /// Where it fires.
        trigger: Price,
        /// Which price fires it.
        by: TriggerBy,
    },
    /// At the market once the price has fallen back from its best by a fraction.
    TrailingStop {
        /// From which price on the best is tracked; now if absent.
        activate: Option<Price>,
        /// How far it may fall back.
        callback: Bps,
        /// Which price is tracked.
        by: TriggerBy,
    },
}

impl Exit {
    /// Whether the venue keeps this order in its conditional id space until it fires.
    pub const fn is_conditional(&self) -> bool {
        matches!(self, Self::StopMarket { .. } | Self::TakeProfitMarket { .. } | Self::TrailingStop { .. })
    }
    /// The trigger price, where there is one.
    pub const fn trigger(&self) -> Option<Price> {
        match self {
            Self::StopMarket { trigger, .. } | Self::TakeProfitMarket { trigger, .. } => Some(*trigger),
            Self::Market | Self::Limit { .. } | Self::TrailingStop { .. } => None,
        }
    }
}

/// How much of a leg an order closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Its own quantity.
    Qty,
    /// Whatever the leg holds when it fires (`closePosition` on Binance).
    WholeLeg,
}

/// How much to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Base units.
    Qty(Qty),
    /// Quote value at the reference price.
    Notional(Notional),
}

/// How much to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Portion {
    /// The whole leg.
    All,
    /// At most this quantity.
    Qty(Qty),
    /// A fraction of the leg, 0 to 1; rounded down to the grid, at least one step.
    Fraction(Ratio),
}

/// One rung of a take-profit ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeProfit {
    /// Where it fires.
    pub trigger: Price,
    /// Fraction of the opened quantity, 0 to 1.
    pub portion: Ratio,
}

/// What protects a leg from its first fill on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// One close-all stop at the venue and, separately, take-profits by quantity.
    Stop {
        /// Where the stop fires (mark price).
        trigger: Price,
        /// Rungs, nearest first; may be empty.
        take_profits: Vec<TakeProfit>,
    },
    /// None, on purpose.
    Unprotected {
        /// Why that is acceptable.
        because: Cow<'static, str>,
    },
}

/// What a strategy wants. Says which leg, how much, how, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Intent {
    /// Open or add to a leg.
    Open {
        /// Which leg.
        position: PositionKey,
        /// How much.
        size: Size,
        /// How.
        entry: Entry,
        /// What protects it.
        protection: Protection,
        /// Why, for the operator.
        because: Cow<'static, str>,
    },
    /// Reduce or close a leg.
    Close {
        /// Which leg.
        position: PositionKey,
        /// How much.
        portion: Portion,
        /// How.
        exit: Exit,
        /// Why.
        because: Cow<'static, str>,
    },
    /// Move the leg's close-all stop. The new one is live before the old one is cancelled.
    Protect {
        /// Which leg.
        position: PositionKey,
        /// The new trigger.
        trigger: Price,
        /// Why.
        because: Cow<'static, str>,
    },
    /// Cancel one of our resting orders.
    Cancel {
        /// Which order.
        order: ClientOrderId,
        /// Why.
        because: Cow<'static, str>,
    },
}

impl Intent {
    /// Open at the market with a protective stop.
    pub fn open(
        position: PositionKey,
        size: Size,
        stop: Price,
        because: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Open {
            position,
            size,
            entry: Entry::Market,
            protection: Protection::Stop { trigger: stop, take_profits: Vec::new() },
            because: because.into(),
        }
    }
    /// Close the whole leg at the market.
    pub fn close(position: PositionKey, because: impl Into<Cow<'static, str>>) -> Self {
        Self::Close { position, portion: Portion::All, exit: Exit::Market, because: because.into() }
    }
    /// The leg it is about; `None` for a cancel.
    pub const fn position(&self) -> Option<&PositionKey> {
        match self {
            Self::Open { position, .. } | Self::Close { position, .. } | Self::Protect { position, .. } => {
                Some(position)
            }
            Self::Cancel { .. } => None,
        }
    }
    /// Why.
    pub fn because(&self) -> &str {
        match self {
            Self::Open { because, .. }
            | Self::Close { because, .. }
            | Self::Protect { because, .. }
            | Self::Cancel { because, .. } => because,
        }
    }
}

/// What an order does to its leg, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Opens or adds.
    Open(Entry),
    /// Reduces or closes.
    Close(Exit, Coverage),
}

impl Leg {
    /// Open or close.
    pub const fn action(&self) -> Action {
        match self {
            Self::Open(_) => Action::Open,
            Self::Close(..) => Action::Close,
        }
    }
}

/// Quantised and checked. Serialisable, not deserialisable; made only by the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    pub(crate) client_id: ClientOrderId,
    pub(crate) position: PositionKey,
    pub(crate) leg: Leg,
    pub(crate) qty: Qty,
    pub(crate) purpose: OrderPurpose,
}

impl Order {
    /// Our id; already durable when the order is sent.
    pub const fn client_id(&self) -> &ClientOrderId {
        &self.client_id
    }
    /// Which leg.
    pub const fn position(&self) -> &PositionKey {
        &self.position
    }
    /// What it does and how.
    pub const fn leg(&self) -> &Leg {
        &self.leg
    }
    /// How much. For a [`Coverage::WholeLeg`] stop this is the leg's size when it was decided; venues are not told.
    pub const fn qty(&self) -> Qty {
        self.qty
    }
    /// What it is for.
    pub const fn purpose(&self) -> OrderPurpose {
        self.purpose
    }
    /// BUY or SELL, derived.
    pub const fn side(&self) -> OrderSide {
        self.position.side.order_side(self.leg.action())
    }
}

/// An order that closes; panic close can make one without an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Close(pub(crate) Order);

impl Close {
    /// The order itself.
    pub const fn order(&self) -> &Order {
        &self.0
    }
}

/// Proof that the gate let this value through. Not `Clone`, not `Deserialize`.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved<T> {
    pub(crate) value: T,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) term: Term,
}

impl<T> Approved<T> {
    /// What was approved.
    pub const fn get(&self) -> &T {
        &self.value
    }
    /// Until when it may be sent; closes never go stale.
    pub const fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }
    /// The term under which it was approved.
    pub const fn term(&self) -> Term {
        self.term
    }
    /// Whether it may no longer be sent.
    pub fn is_stale(&self, now: Timestamp, term: Term) -> bool {
        self.valid_until.is_some_and(|until| now > until || term != self.term)
    }
}

/// A close is an order; never the other way.
impl From<Approved<Close>> for Approved<Order> {
    fn from(close: Approved<Close>) -> Self {
        Self { value: close.value.0, valid_until: close.valid_until, term: close.term }
    }
}
