//! What is looked up rarely: funding rules, indices, insurance, sessions.
//!
//! Source: fact sheet 4.1 names the endpoints; fields of the rows: Binance USD-M docs, market data, "Get Funding Rate Info",
//! "Index Constituents", "Composite Index Symbol Information", "Multi-Assets Mode Asset Index", "Insurance Fund Balance", "ADL
//! Risk" and "Trading Schedule".

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    number::{decimal, int, opt_boolean, opt_decimal, opt_int, opt_text},
    text::{AdlRisk, SessionType},
};

/// One row of `GET /fapi/v1/fundingInfo`: only symbols whose cap, floor or interval differs from the usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingInfo {
    /// Name.
    pub symbol: String,
    /// Highest rate.
    #[serde(deserialize_with = "decimal")]
    pub adjusted_funding_rate_cap: Decimal,
    /// Lowest rate.
    #[serde(deserialize_with = "decimal")]
    pub adjusted_funding_rate_floor: Decimal,
    /// Hours between settlements.
    #[serde(deserialize_with = "int")]
    pub funding_interval_hours: i64,
    /// The venue's flag, without a documented meaning.
    #[serde(default, deserialize_with = "opt_boolean", skip_serializing_if = "Option::is_none")]
    pub disclaimer: Option<bool>,
    /// Last change.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// `GET /fapi/v1/constituents`: what the index price of a symbol is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Constituents {
    /// Name.
    pub symbol: String,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// Its parts.
    pub constituents: Vec<Constituent>,
}

/// One part of an index price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Constituent {
    /// Where.
    pub exchange: String,
    /// Name there.
    pub symbol: String,
    /// Price there; -1 where it is hidden (equities and commodities).
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Share, 0 to 1.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub weight: Option<Decimal>,
}

/// One row of `GET /fapi/v1/indexInfo`: a symbol that is an index of several assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexInfo {
    /// Name.
    pub symbol: String,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// What its parts are.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Its parts.
    pub base_asset_list: Vec<IndexAsset>,
}

/// One asset of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexAsset {
    /// Name.
    pub base_asset: String,
    /// Priced in.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub quote_asset: Option<String>,
    /// Quantity of it in one index.
    #[serde(deserialize_with = "decimal")]
    pub weight_in_quantity: Decimal,
    /// Share, 0 to 1.
    #[serde(deserialize_with = "decimal")]
    pub weight_in_percentage: Decimal,
}

/// One row of `GET /fapi/v1/assetIndex`: what an asset counts in multi-assets mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetIndex {
    /// Asset and what it is valued in.
    pub symbol: String,
    /// When.
    #[serde(deserialize_with = "int")]
    pub time: i64,
    /// Rate.
    #[serde(deserialize_with = "decimal")]
    pub index: Decimal,
    /// Discount of a positive balance.
    #[serde(deserialize_with = "decimal")]
    pub bid_buffer: Decimal,
    /// Surcharge of a negative one.
    #[serde(deserialize_with = "decimal")]
    pub ask_buffer: Decimal,
    /// What a positive balance counts.
    #[serde(deserialize_with = "decimal")]
    pub bid_rate: Decimal,
    /// What a negative one counts.
    #[serde(deserialize_with = "decimal")]
    pub ask_rate: Decimal,
    /// The same for automatic exchange.
    #[serde(deserialize_with = "decimal")]
    pub auto_exchange_bid_buffer: Decimal,
    /// The same for automatic exchange.
    #[serde(deserialize_with = "decimal")]
    pub auto_exchange_ask_buffer: Decimal,
    /// The same for automatic exchange.
    #[serde(deserialize_with = "decimal")]
    pub auto_exchange_bid_rate: Decimal,
    /// The same for automatic exchange.
    #[serde(deserialize_with = "decimal")]
    pub auto_exchange_ask_rate: Decimal,
}

/// One fund of `GET /fapi/v1/insuranceBalance` and the symbols that share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InsuranceFund {
    /// Who shares it.
    pub symbols: Vec<String>,
    /// What is in it.
    pub assets: Vec<InsuranceAsset>,
}

/// One asset of an insurance fund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InsuranceAsset {
    /// Name.
    pub asset: String,
    /// How much.
    #[serde(deserialize_with = "decimal")]
    pub margin_balance: Decimal,
    /// When.
    #[serde(deserialize_with = "int")]
    pub update_time: i64,
}

/// One row of `GET /fapi/v1/symbolAdlRisk`: how likely auto-deleveraging is, renewed every half hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolAdlRisk {
    /// Name.
    pub symbol: String,
    /// Low, medium or high.
    pub adl_risk: AdlRisk,
    /// When.
    #[serde(deserialize_with = "int")]
    pub update_time: i64,
}

/// `GET /fapi/v1/tradingSchedule`: one week of sessions of the markets behind equity and commodity perpetuals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TradingSchedule {
    /// When.
    #[serde(deserialize_with = "int")]
    pub update_time: i64,
    /// Per market, `EQUITY` and `COMMODITY` so far.
    pub market_schedules: BTreeMap<String, MarketSchedule>,
}

/// Sessions of one market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarketSchedule {
    /// Oldest first.
    pub sessions: Vec<MarketSession>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarketSession {
    /// First millisecond.
    #[serde(deserialize_with = "int")]
    pub start_time: i64,
    /// Last millisecond.
    #[serde(deserialize_with = "int")]
    pub end_time: i64,
    /// What may be traded then.
    #[serde(rename = "type")]
    pub session_type: SessionType,
}
