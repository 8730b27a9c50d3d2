//! Legs. LONG and SHORT of one instrument are two positions from strategy to wire.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::InstrumentId,
    money::{Price, Qty},
};

/// Which leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PositionSide {
    /// Gains when the price rises.
    Long,
    /// Gains when the price falls.
    Short,
}

/// What an order does to its leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Opens or adds.
    Open,
    /// Reduces or closes.
    Close,
}

/// What the venue's book sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderSide {
    /// Takes the ask.
    Buy,
    /// Takes the bid.
    Sell,
}

impl PositionSide {
    /// Both legs, LONG first.
    pub const BOTH: [Self; 2] = [Self::Long, Self::Short];

    /// The one place in the workspace where BUY and SELL come from.
    ///
    /// Source: Binance USD-M docs, hedge mode order rules (fact sheet section 3).
    pub const fn order_side(self, action: Action) -> OrderSide {
        match (self, action) {
            (Self::Long, Action::Open) | (Self::Short, Action::Close) => OrderSide::Buy,
            (Self::Long, Action::Close) | (Self::Short, Action::Open) => OrderSide::Sell,
        }
    }
    /// The other leg.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Long => Self::Short,
            Self::Short => Self::Long,
        }
    }
    /// `LONG` or `SHORT`, as on every wire and in every log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }
    /// `1` for LONG, `-1` for SHORT: the sign of a gain when the price rises.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Long => 1,
            Self::Short => -1,
        }
    }
}

impl fmt::Display for PositionSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl OrderSide {
    /// `BUY` or `SELL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}

impl fmt::Display for OrderSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Identity of a position in hedge mode: LONG and SHORT of one instrument are two positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PositionKey {
    /// What is held.
    pub instrument: InstrumentId,
    /// On which leg.
    pub side: PositionSide,
}

impl PositionKey {
    /// The leg of an instrument.
    pub const fn new(instrument: InstrumentId, side: PositionSide) -> Self {
        Self { instrument, side }
    }
    /// The LONG leg.
    pub const fn long(instrument: InstrumentId) -> Self {
        Self::new(instrument, PositionSide::Long)
    }
    /// The SHORT leg.
    pub const fn short(instrument: InstrumentId) -> Self {
        Self::new(instrument, PositionSide::Short)
    }
}

impl fmt::Display for PositionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.instrument.symbol, self.side)
    }
}

/// How an account keeps its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionMode {
    /// Two legs per symbol.
    Hedge,
    /// One net position per symbol.
    Net,
}

/// Whether legs share the account's margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MarginMode {
    /// All positions share the wallet.
    Crossed,
    /// Each leg has its own margin.
    Isolated,
}

/// An open leg as somebody reported it. Fields are private: a size of zero cannot be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    key: PositionKey,
    qty: Qty,
    entry: Price,
    mark: Option<Price>,
    liquidation: Option<Price>,
}

impl Position {
    /// A leg of that size. For adapters and for tools that close what they read.
    pub const fn new(key: PositionKey, qty: Qty, entry: Price) -> Self {
        Self { key, qty, entry, mark: None, liquidation: None }
    }
    /// The same leg with the venue's mark and liquidation price, where it stated them.
    #[must_use]
    pub const fn with_prices(self, mark: Option<Price>, liquidation: Option<Price>) -> Self {
        Self { mark, liquidation, ..self }
    }
    /// Which leg.
    pub const fn key(&self) -> &PositionKey {
        &self.key
    }
    /// How much is open.
    pub const fn qty(&self) -> Qty {
        self.qty
    }
    /// Average entry price.
    pub const fn entry(&self) -> Price {
        self.entry
    }
    /// Mark price, where known.
    pub const fn mark(&self) -> Option<Price> {
        self.mark
    }
    /// Liquidation price, where the venue states one. Binance writes "0" when there is none.
    pub const fn liquidation(&self) -> Option<Price> {
        self.liquidation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_hedge_rows_map_to_buy_and_sell() {
        use {Action::*, OrderSide::*, PositionSide::*};
        assert_eq!(Long.order_side(Open), Buy);
        assert_eq!(Long.order_side(Close), Sell);
        assert_eq!(Short.order_side(Open), Sell);
        assert_eq!(Short.order_side(Close), Buy);
    }
}
