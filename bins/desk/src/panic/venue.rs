//! What closing needs of a venue, in both position modes.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use hedge_core::{
    Approved, BrokerError, ClientOrderId, Close, Decimal, InstrumentSpec, OrderAck, OrderRef, OrderSide,
    Price, Qty, ReportedState, SubmitError, Symbol, Timestamp,
};
use serde::{Serialize, Serializer};

/// Where a position is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldSide {
    /// The LONG leg of a hedge-mode account.
    Long,
    /// Its SHORT leg.
    Short,
    /// The one position of a symbol in a one-way account.
    Net,
}

impl fmt::Display for HeldSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
            Self::Net => "BOTH",
        })
    }
}

impl Serialize for HeldSide {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A leg, or the one position of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LegId {
    /// Which symbol.
    pub symbol: Symbol,
    /// Which side of it.
    pub side: HeldSide,
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.symbol, self.side)
    }
}

/// An open position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where.
    pub leg: LegId,
    /// How much.
    pub qty: Qty,
    /// The side of an order that closes it.
    pub closes_with: OrderSide,
    /// Average entry, where stated.
    pub entry: Option<Price>,
    /// Mark, where stated.
    pub mark: Option<Price>,
    /// When the venue last changed it, where stated.
    pub updated: Option<Timestamp>,
}

impl Held {
    /// Size at the mark (or entry) price, where one is known.
    pub fn notional(&self) -> Option<Decimal> {
        self.mark.or(self.entry).and_then(|price| price.get().checked_mul(self.qty.get()))
    }
}

/// A plain order that waits in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Where it belongs.
    pub leg: LegId,
    /// Its name at the venue.
    pub order: OrderRef,
    /// Its client id, as the venue writes it.
    pub client_id: String,
    /// BUY or SELL.
    pub side: OrderSide,
    /// What is not filled yet.
    pub open_qty: Decimal,
}

impl Resting {
    /// Whether it may still take something of that position.
    pub fn closes(&self, held: &Held) -> bool {
        self.leg == held.leg && self.side == held.closes_with
    }
}

/// A conditional order that has not fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which symbol.
    pub symbol: Symbol,
    /// Its name at the venue.
    pub order: OrderRef,
    /// Its client id, as the venue writes it.
    pub client_id: String,
    /// Whether it would certainly open or enlarge a leg. A stop never does.
    pub opens: bool,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub state: ReportedState,
    /// Filled so far.
    pub filled: Decimal,
}

/// An order that can only close.
#[derive(Debug)]
pub enum CloseOrder {
    /// Of a hedge-mode leg: approved by the gate.
    Leg(Approved<Close>),
    /// Of a one-way account: carries the venue's reduce-only flag.
    Net {
        /// Which symbol.
        symbol: Symbol,
        /// BUY or SELL.
        order_side: OrderSide,
        /// How much.
        qty: Qty,
        /// Our id.
        client_id: ClientOrderId,
    },
}

impl CloseOrder {
    /// Our id.
    pub const fn client_id(&self) -> ClientOrderId {
        match self {
            Self::Leg(close) => *close.get().order().client_id(),
            Self::Net { client_id, .. } => *client_id,
        }
    }
    /// How much.
    pub const fn qty(&self) -> Qty {
        match self {
            Self::Leg(close) => close.get().order().qty(),
            Self::Net { qty, .. } => *qty,
        }
    }
}

/// An account that can be closed down. Every method asks or sends once and comes back soon.
#[async_trait]
pub trait ClosingVenue: fmt::Debug + Send + Sync + 'static {
    /// Open positions. With `another_way`, by another path of the venue, where it has one.
    async fn held(&self, another_way: bool) -> Result<Vec<Held>, BrokerError>;
    /// Plain orders in the book, of one symbol or of all.
    async fn resting(&self, symbol: Option<Symbol>) -> Result<Vec<Resting>, BrokerError>;
    /// Conditional orders that have not fired.
    async fn waiting(&self) -> Result<Vec<Waiting>, BrokerError>;
    /// The rules of every symbol that can be read.
    async fn rules(&self) -> Result<Vec<InstrumentSpec>, BrokerError>;
    /// Sends a close, once.
    async fn close(&self, order: &CloseOrder) -> Result<OrderAck, SubmitError>;
    /// A plain order by our id; `None` only when the venue says that it does not know it.
    async fn find(&self, symbol: Symbol, id: &ClientOrderId) -> Result<Option<Found>, BrokerError>;
    /// Cancels one order.
    async fn cancel(&self, symbol: Symbol, order: &OrderRef) -> Result<(), BrokerError>;
    /// Cancels the plain orders of a symbol.
    async fn cancel_plain(&self, symbol: Symbol) -> Result<(), BrokerError>;
    /// Cancels the conditional orders of a symbol.
    async fn cancel_conditional(&self, symbol: Symbol) -> Result<(), BrokerError>;
    /// The venue's clock, asked for now.
    async fn server_time(&self) -> Result<Timestamp, BrokerError>;
    /// Best estimate of the venue's clock.
    fn venue_now(&self) -> Timestamp;
    /// Until when the venue has banned this address, as far as it has told us.
    fn banned_until(&self) -> Option<Timestamp>;
    /// How long after its timestamp the venue may still accept a request.
    fn request_lifetime(&self) -> Duration;
    /// How long an accepted order may stay invisible to questions.
    fn visibility_delay(&self) -> Duration;
}
