//! Plain orders and fills. Source: fact sheet 4.4–4.6.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    number::{boolean, decimal, int, opt_boolean, opt_decimal, opt_int, opt_quantity, opt_text, quantity},
    text::{LegWord, OrderStatus, OrderType, Side, TimeInForce, WorkingType},
};

/// Answer to place, change and cancel, and row of every order query.
///
/// Its number, its state and what has filled are essential and nothing else is: the venue has dropped fields from answers
/// before (fact sheet 15, number 25). What a missing one means is for the reader: the request may say it as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRow {
    /// The venue's id.
    #[serde(deserialize_with = "int")]
    pub order_id: i64,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// State.
    pub status: OrderStatus,
    /// The client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
    /// Limit price, 0 for market orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Average fill price; left out of acks since July 2026.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub avg_price: Option<Decimal>,
    /// Ordered quantity.
    #[serde(default, deserialize_with = "opt_quantity", skip_serializing_if = "Option::is_none")]
    pub orig_qty: Option<Decimal>,
    /// Filled quantity.
    #[serde(deserialize_with = "quantity")]
    pub executed_qty: Decimal,
    /// Filled quantity again; in acks only.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub cum_qty: Option<Decimal>,
    /// Filled notional; left out of acks since July 2026.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub cum_quote: Option<Decimal>,
    /// How long it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<TimeInForce>,
    /// Type now.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<OrderType>,
    /// Type as placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orig_type: Option<OrderType>,
    /// Close-all order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_position: Option<bool>,
    /// Reduces only (also true for implicit closes in hedge mode).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_only: Option<bool>,
    /// BUY or SELL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_side: Option<LegWord>,
    /// Trigger of conditional leftovers; "0" otherwise.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<Decimal>,
    /// Which price triggers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_type: Option<WorkingType>,
    /// Refuses to trigger far from the other price.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub price_protect: Option<bool>,
    /// How the price follows the book; `NONE` usually.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub price_match: Option<String>,
    /// What happens when it would meet our own order.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub self_trade_prevention_mode: Option<String>,
    /// Until when, for GTD; 0 otherwise.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub good_till_date: Option<i64>,
    /// Trailing leftovers: where it becomes active.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub activate_price: Option<Decimal>,
    /// Trailing leftovers: distance in percent.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub price_rate: Option<Decimal>,
    /// Pair; in modify, history and forced orders.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// Our number of the amendment, echoed.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub modify_id: Option<i64>,
    /// Placed at; only in query rows.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// Last change.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// One fill, from `GET /fapi/v1/userTrades`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(deserialize_with = "decimal")]
    pub price: Decimal,
    /// Quantity.
    #[serde(deserialize_with = "quantity")]
    pub qty: Decimal,
    /// Notional.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub quote_qty: Option<Decimal>,
    /// Profit before the fee.
    #[serde(deserialize_with = "decimal")]
    pub realized_pnl: Decimal,
    /// Fee; its sign is not certain (fact sheet 4.6).
    #[serde(deserialize_with = "decimal")]
    pub commission: Decimal,
    /// What the fee is in.
    pub commission_asset: String,
    /// What profit is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_asset: Option<String>,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// Whether we bought.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub buyer: Option<bool>,
    /// Whether we rested in the book.
    #[serde(deserialize_with = "boolean")]
    pub maker: bool,
}

/// One row of `GET /fapi/v1/orderAmendment`. Fields: Binance USD-M docs, trade, "Get Order Modify History".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AmendmentRow {
    /// Id of the amendment.
    #[serde(deserialize_with = "int")]
    pub amendment_id: i64,
    /// Name.
    pub symbol: String,
    /// Pair.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// Order.
    #[serde(deserialize_with = "int")]
    pub order_id: i64,
    /// The client's id of it.
    pub client_order_id: String,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// What changed.
    pub amendment: AmendmentChange,
    /// How the price follows the book.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub price_match: Option<String>,
}

/// What an amendment changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AmendmentChange {
    /// Limit price.
    pub price: BeforeAfter,
    /// Quantity.
    pub orig_qty: BeforeAfter,
    /// How many amendments the order has had, this one included.
    #[serde(deserialize_with = "int")]
    pub count: i64,
    /// Our number of it, where one was sent.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub modify_id: Option<i64>,
}

/// A value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeforeAfter {
    /// Before.
    #[serde(deserialize_with = "decimal")]
    pub before: Decimal,
    /// After.
    #[serde(deserialize_with = "decimal")]
    pub after: Decimal,
}

/// Answer of `POST /fapi/v1/countdownCancelAll`. The time is text there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Countdown {
    /// Name.
    pub symbol: String,
    /// Milliseconds until all plain orders of the symbol are cancelled; 0 is off.
    #[serde(deserialize_with = "int")]
    pub countdown_time: i64,
}

/// `{"code":200,"msg":…}`; the code is text on some paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeMessage {
    /// 200 for success.
    #[serde(deserialize_with = "int")]
    pub code: i64,
    /// Text.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
}
