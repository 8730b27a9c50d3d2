//! Margin of isolated legs, ranks and locks. Source: fact sheet 4.7 and 4.9.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    number::{boolean, decimal, int, opt_int, opt_text},
    text::LegWord,
};

/// Answer of `POST /fapi/v1/positionMargin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PositionMarginSet {
    /// 200 for success.
    #[serde(deserialize_with = "int")]
    pub code: i64,
    /// Text.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
    /// How much moved.
    #[serde(deserialize_with = "decimal")]
    pub amount: Decimal,
    /// 1 added, 2 taken away.
    #[serde(rename = "type", deserialize_with = "int")]
    pub direction: i64,
}

/// One row of `GET /fapi/v1/positionMargin/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PositionMarginRow {
    /// Name.
    pub symbol: String,
    /// 1 added, 2 taken away.
    #[serde(rename = "type", deserialize_with = "int")]
    pub direction: i64,
    /// Who moved it; the words are not documented.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub delta_type: Option<String>,
    /// How much.
    #[serde(deserialize_with = "decimal")]
    pub amount: Decimal,
    /// In what.
    pub asset: String,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// Leg.
    pub position_side: LegWord,
}

/// One row of `GET /fapi/v1/adlQuantile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdlQuantileRow {
    /// Name.
    pub symbol: String,
    /// Per leg.
    pub adl_quantile: AdlQuantile,
}

/// Place in the queue for auto-deleveraging, 0 (last) to 4 (first).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdlQuantile {
    /// LONG leg.
    #[serde(rename = "LONG", default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub long: Option<i64>,
    /// SHORT leg.
    #[serde(
        rename = "SHORT",
        default,
        deserialize_with = "opt_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub short: Option<i64>,
    /// One-way position.
    #[serde(rename = "BOTH", default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub both: Option<i64>,
    /// Only says that both legs of a crossed symbol share one rank; its number means nothing.
    #[serde(
        rename = "HEDGE",
        default,
        deserialize_with = "opt_int",
        skip_serializing_if = "Option::is_none"
    )]
    pub hedge: Option<i64>,
}

/// `GET /fapi/v1/apiTradingStatus`: which quantitative rules are near or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiTradingStatus {
    /// Per symbol; `ACCOUNT` stands for all together.
    pub indicators: BTreeMap<String, Vec<TradingIndicator>>,
    /// When.
    #[serde(deserialize_with = "int")]
    pub update_time: i64,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TradingIndicator {
    /// Whether it stops us now (orders answer -4400).
    #[serde(deserialize_with = "boolean")]
    pub is_locked: bool,
    /// Until when.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub planned_recover_time: Option<i64>,
    /// `UFR`, `IFER`, `GCR`, `DR`, or `TMV` for the account.
    pub indicator: String,
    /// Where we are.
    #[serde(deserialize_with = "decimal")]
    pub value: Decimal,
    /// Where it locks.
    #[serde(deserialize_with = "decimal")]
    pub trigger_value: Decimal,
}
