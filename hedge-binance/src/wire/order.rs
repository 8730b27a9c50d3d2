//! Plain orders and fills. Source: fact sheet 4.4–4.6.

use rust_decimal::Decimal;
use serde::Deserialize;

use super::{
    number::{boolean, int, opt_decimal, opt_int, opt_text},
    text::{LegWord, OrderStatus, OrderType, Side, TimeInForce, WorkingType},
};

/// Answer to place and cancel, and row of every order query. What acks leave out is optional.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRow {
    /// The venue's id.
    #[serde(deserialize_with = "int")]
    pub order_id: i64,
    /// Name.
    pub symbol: String,
    /// State.
    pub status: OrderStatus,
    /// The client's id.
    pub client_order_id: String,
    /// Limit price, 0 for market orders.
    #[serde(default, deserialize_with = "opt_decimal")]
    pub price: Option<Decimal>,
    /// Average fill price; left out of acks since July 2026.
    #[serde(default, deserialize_with = "opt_decimal")]
    pub avg_price: Option<Decimal>,
    /// Ordered quantity.
    pub orig_qty: Decimal,
    /// Filled quantity.
    pub executed_qty: Decimal,
    /// How long it lives.
    #[serde(default)]
    pub time_in_force: Option<TimeInForce>,
    /// Type now.
    #[serde(rename = "type")]
    pub order_type: OrderType,
    /// Type as placed.
    #[serde(default)]
    pub orig_type: Option<OrderType>,
    /// Close-all order.
    #[serde(default)]
    pub close_position: Option<bool>,
    /// Reduces only (also true for implicit closes in hedge mode).
    #[serde(default)]
    pub reduce_only: Option<bool>,
    /// BUY or SELL.
    pub side: Side,
    /// Leg.
    pub position_side: LegWord,
    /// Trigger of conditional leftovers; "0" otherwise.
    #[serde(default, deserialize_with = "opt_decimal")]
    pub stop_price: Option<Decimal>,
    /// Which price triggers.
    #[serde(default)]
    pub working_type: Option<WorkingType>,
    /// Placed at; only in query rows.
    #[serde(default, deserialize_with = "opt_int")]
    pub time: Option<i64>,
    /// Last change.
    #[serde(deserialize_with = "int")]
    pub update_time: i64,
}

/// One fill, from `GET /fapi/v1/userTrades`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TradeRow {
    /// Trade id, unique per symbol.
    #[serde(deserialize_with = "int")]
    pub id: i64,
    /// Order.
    #[serde(deserialize_with = "int")]
    pub order_id: i64,
    /// Name.
    pub symbol: String,
    /// BUY or SELL.
    pub side: Side,
    /// Leg.
    pub position_side: LegWord,
    /// Price.
    pub price: Decimal,
    /// Quantity.
    pub qty: Decimal,
    /// Profit before the fee.
    pub realized_pnl: Decimal,
    /// Fee; its sign is not certain (fact sheet 4.6).
    pub commission: Decimal,
    /// What the fee is in.
    pub commission_asset: String,
    /// What profit is in.
    #[serde(default)]
    pub margin_asset: Option<String>,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// Whether we rested in the book.
    #[serde(deserialize_with = "boolean")]
    pub maker: bool,
}

/// `{"code":200,"msg":…}`; the code is text on some paths.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CodeMessage {
    /// 200 for success.
    #[serde(deserialize_with = "int")]
    pub code: i64,
    /// Text.
    #[serde(default, deserialize_with = "opt_text")]
    pub msg: Option<String>,
}
