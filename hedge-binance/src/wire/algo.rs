//! Conditional orders, which live in an id space of their own. Source: fact sheet 5.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    number::{int, opt_boolean, opt_decimal, opt_int, opt_text},
    text::{AlgoStatus, LegWord, OrderType, Side, TimeInForce, WorkingType},
};

/// Answer to place and row of every algo query. Type and status are called `orderType` and `algoStatus`.
///
/// Its number and its state are essential and nothing else is, as for a plain order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlgoRow {
    /// The venue's id in the algo space.
    #[serde(deserialize_with = "int")]
    pub algo_id: i64,
    /// The client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_algo_id: Option<String>,
    /// One of the five conditional types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<OrderType>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// BUY or SELL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_side: Option<LegWord>,
    /// How the child lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<TimeInForce>,
    /// Quantity; nothing or 0 for close-all orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    /// Quantity that shows; `null` usually.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub iceberg_quantity: Option<Decimal>,
    /// Legacy of list rows: trigger of an attached take-profit.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub tp_trigger_price: Option<Decimal>,
    /// Legacy of list rows: its price.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub tp_price: Option<Decimal>,
    /// Legacy of list rows: trigger of an attached stop.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub sl_trigger_price: Option<Decimal>,
    /// Legacy of list rows: its price.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub sl_price: Option<Decimal>,
    /// Legacy of list rows: type of the attached take-profit.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub tp_order_type: Option<String>,
    /// State.
    pub algo_status: AlgoStatus,
    /// Trigger; none for trailing orders.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub trigger_price: Option<Decimal>,
    /// Limit price of the child.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Which price triggers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_type: Option<WorkingType>,
    /// Closes the whole leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_position: Option<bool>,
    /// Trailing: where it becomes active.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub activate_price: Option<Decimal>,
    /// Trailing: distance in percent.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub callback_rate: Option<Decimal>,
    /// The child's id in the plain space: text, empty until triggered.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub actual_order_id: Option<i64>,
    /// Average fill price of the child.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub actual_price: Option<Decimal>,
    /// Filled quantity of the child.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub actual_qty: Option<Decimal>,
    /// `CONDITIONAL` so far.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub algo_type: Option<String>,
    /// Type of the child.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub actual_type: Option<String>,
    /// Reduces only.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub reduce_only: Option<bool>,
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
    /// Placed at.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// Last change.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
    /// Triggered at; 0 before.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub trigger_time: Option<i64>,
}

/// Answer to cancel; its `code` is the text `"200"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlgoCancel {
    /// The venue's id in the algo space.
    #[serde(deserialize_with = "int")]
    pub algo_id: i64,
    /// The client's id.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub client_algo_id: Option<String>,
    /// 200 for success.
    #[serde(deserialize_with = "int")]
    pub code: i64,
    /// Text.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
}
