//! Rolling statistics and last prices. Source: fact sheet 4.1.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::number::{decimal, int, opt_decimal, opt_int, quantity};

/// One row of `GET /fapi/v1/ticker/24hr`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayTicker {
    /// Name.
    pub symbol: String,
    /// Last less open.
    #[serde(deserialize_with = "decimal")]
    pub price_change: Decimal,
    /// Of the open, in percent.
    #[serde(deserialize_with = "decimal")]
    pub price_change_percent: Decimal,
    /// Quote volume over base volume.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub weighted_avg_price: Option<Decimal>,
    /// Last price.
    #[serde(deserialize_with = "decimal")]
    pub last_price: Decimal,
    /// Quantity there.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub last_qty: Option<Decimal>,
    /// First price.
    #[serde(deserialize_with = "decimal")]
    pub open_price: Decimal,
    /// Highest price.
    #[serde(deserialize_with = "decimal")]
    pub high_price: Decimal,
    /// Lowest price.
    #[serde(deserialize_with = "decimal")]
    pub low_price: Decimal,
    /// Base volume.
    #[serde(deserialize_with = "quantity")]
    pub volume: Decimal,
    /// Quote volume.
    #[serde(deserialize_with = "quantity")]
    pub quote_volume: Decimal,
    /// First millisecond.
    #[serde(deserialize_with = "int")]
    pub open_time: i64,
    /// Last millisecond.
    #[serde(deserialize_with = "int")]
    pub close_time: i64,
    /// First trade.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub first_id: Option<i64>,
    /// Last trade.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub last_id: Option<i64>,
    /// Number of trades.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

/// One row of `GET /fapi/v2/ticker/price` and of its deprecated first version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceTicker {
    /// Name.
    pub symbol: String,
    /// Last price.
    #[serde(deserialize_with = "decimal")]
    pub price: Decimal,
    /// When.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
}

/// `GET /fapi/v1/openInterest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenInterest {
    /// Name.
    pub symbol: String,
    /// Base quantity held by all longs, which is that held by all shorts.
    #[serde(deserialize_with = "quantity")]
    pub open_interest: Decimal,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
}
