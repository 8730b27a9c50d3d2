//! What the exchange tells: account events in emission order, and prints of trades on its book.
//!
//! The order of one fill is account event first, order event second. Source: fact sheet 9.1.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::command::{AccountId, SymbolId};
use super::view::{AlgoView, OrderView, PositionView};
use super::vocabulary::{ExecutionType, ExpiryReason, MarginType, UpdateReason};

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VenueEvent {
    /// Running number over the whole exchange, from 1.
    pub seq: u64,
    /// Whom it concerns; `None` for the public.
    pub account: Option<AccountId>,
    /// When it happened.
    pub at_ms: i64,
    /// What happened.
    pub body: EventBody,
}

/// Kinds of event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EventBody {
    /// `ORDER_TRADE_UPDATE`.
    Order(Box<OrderUpdate>),
    /// `ACCOUNT_UPDATE`.
    Account(Box<AccountUpdate>),
    /// `ALGO_UPDATE`: the algo order after the change.
    Algo(Box<AlgoView>),
    /// `ACCOUNT_CONFIG_UPDATE`.
    Leverage {
        /// Symbol.
        symbol: String,
        /// New leverage.
        leverage: u32,
    },
    /// `MARGIN_CALL`.
    MarginCall(Box<MarginCall>),
    /// A trade on the book with an account on at least one side.
    Trade(MarketTrade),
}

/// A change of a plain order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// The order after the change.
    pub order: OrderView,
    /// Why it is sent (`x`).
    pub execution: ExecutionType,
    /// Why it expired (`er`).
    pub expiry: ExpiryReason,
    /// The fill, when this is one.
    pub fill: Option<FillPart>,
    /// Notional of the account's open bids on this symbol and position side (`b`).
    pub bids_notional: Decimal,
    /// Notional of the account's open asks on this symbol and position side (`a`).
    pub asks_notional: Decimal,
    /// Echo of an amendment's id (`M`).
    pub modify_id: Option<i64>,
}

/// The fill inside an order event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillPart {
    /// Quantity (`l`).
    pub qty: Decimal,
    /// Price (`L`).
    pub price: Decimal,
    /// Fee (`n`), positive when paid.
    pub fee: Decimal,
    /// Fee asset (`N`).
    pub fee_asset: String,
    /// Trade id (`t`).
    pub trade_id: u64,
    /// The account rested (`m`).
    pub maker: bool,
    /// Profit realised, fee excluded (`rp`).
    pub realized_pnl: Decimal,
}

/// A change of money or positions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountUpdate {
    /// Why (`m`).
    pub reason: UpdateReason,
    /// Changed assets.
    pub balances: Vec<BalanceChange>,
    /// Changed legs.
    pub positions: Vec<PositionView>,
    /// Symbol of a funding event (`S`), else empty.
    pub symbol: String,
}

/// One asset of an account event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BalanceChange {
    /// Asset (`a`).
    pub asset: String,
    /// Wallet (`wb`).
    pub wallet: Decimal,
    /// Wallet without isolated wallets (`cw`).
    pub cross_wallet: Decimal,
    /// Change that is neither profit nor fee (`bc`).
    pub change: Decimal,
}

/// A warning that liquidation is near.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarginCall {
    /// Wallet without isolated wallets; `None` when an isolated leg is meant.
    pub cross_wallet: Option<Decimal>,
    /// Margin type concerned.
    pub margin_type: MarginType,
    /// The legs at risk.
    pub positions: Vec<PositionView>,
}

/// A trade print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketTrade {
    /// Instrument.
    pub symbol: SymbolId,
    /// Trade id.
    pub trade_id: u64,
    /// Price.
    pub price: Decimal,
    /// Quantity.
    pub qty: Decimal,
    /// The seller was the aggressor.
    pub buyer_is_maker: bool,
}
