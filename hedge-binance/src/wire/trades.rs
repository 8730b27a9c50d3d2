//! Public trades. Source: fact sheet 4.1.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::number::{boolean, decimal, int, opt_boolean, opt_decimal, quantity};

/// One row of `GET /fapi/v1/trades` and `GET /fapi/v1/historicalTrades`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicTrade {
    /// Trade id, unique per symbol.
    #[serde(deserialize_with = "int")]
    pub id: i64,
    /// Price.
    #[serde(deserialize_with = "decimal")]
    pub price: Decimal,
    /// Base quantity.
    #[serde(deserialize_with = "quantity")]
    pub qty: Decimal,
    /// Quote quantity.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub quote_qty: Option<Decimal>,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// Whether the buyer rested in the book.
    #[serde(deserialize_with = "boolean")]
    pub is_buyer_maker: bool,
    /// Whether one side was a retail-price-improvement order.
    #[serde(
        rename = "isRPITrade",
        default,
        deserialize_with = "opt_boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub is_rpi_trade: Option<bool>,
}

/// One row of `GET /fapi/v1/aggTrades`: fills of one taker order at one price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AggTrade {
    /// Id of the aggregate.
    #[serde(rename = "a", deserialize_with = "int")]
    pub id: i64,
    /// Price.
    #[serde(rename = "p", deserialize_with = "decimal")]
    pub price: Decimal,
    /// Base quantity.
    #[serde(rename = "q", deserialize_with = "quantity")]
    pub qty: Decimal,
    /// Quantity without retail-price-improvement orders.
    #[serde(
        rename = "nq",
        default,
        deserialize_with = "opt_decimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub normal_qty: Option<Decimal>,
    /// First trade in it.
    #[serde(rename = "f", deserialize_with = "int")]
    pub first_id: i64,
    /// Last trade in it.
    #[serde(rename = "l", deserialize_with = "int")]
    pub last_id: i64,
    /// When.
    #[serde(rename = "T", deserialize_with = "int")]
    pub time: i64,
    /// Whether the buyer rested in the book.
    #[serde(rename = "m", deserialize_with = "boolean")]
    pub is_buyer_maker: bool,
}
