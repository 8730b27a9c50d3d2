//! Statistics of positions under `/futures/data`: the last 30 days, gaps are not filled.
//!
//! Source: fact sheet 4.1 for pool and history; fields of the rows: Binance USD-M docs, market data, "Open Interest
//! Statistics", "Top Trader Long/Short Ratio", "Long/Short Ratio", "Taker Buy/Sell Volume", "Basis" and "Quarterly Contract
//! Settlement Price".

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    number::{decimal, int, opt_decimal, quantity},
    text::ContractType,
};

/// One row of `GET /futures/data/openInterestHist`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenInterestPoint {
    /// Name.
    pub symbol: String,
    /// Base quantity.
    #[serde(deserialize_with = "quantity")]
    pub sum_open_interest: Decimal,
    /// Its notional.
    #[serde(deserialize_with = "quantity")]
    pub sum_open_interest_value: Decimal,
    /// Circulating supply of the base asset as a third party counts it.
    #[serde(
        rename = "CMCCirculatingSupply",
        default,
        deserialize_with = "opt_decimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub circulating_supply: Option<Decimal>,
    /// End of the period.
    #[serde(deserialize_with = "int")]
    pub timestamp: i64,
}

/// One row of the three long/short ratios: top traders by accounts, by positions, and all accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LongShortPoint {
    /// Name.
    pub symbol: String,
    /// Long share over short share.
    #[serde(deserialize_with = "decimal")]
    pub long_short_ratio: Decimal,
    /// Long share, 0 to 1.
    #[serde(deserialize_with = "decimal")]
    pub long_account: Decimal,
    /// Short share, 0 to 1.
    #[serde(deserialize_with = "decimal")]
    pub short_account: Decimal,
    /// End of the period.
    #[serde(deserialize_with = "int")]
    pub timestamp: i64,
}

/// One row of `GET /futures/data/takerlongshortRatio`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakerVolumePoint {
    /// Bought over sold.
    #[serde(deserialize_with = "decimal")]
    pub buy_sell_ratio: Decimal,
    /// Base quantity that takers bought.
    #[serde(deserialize_with = "quantity")]
    pub buy_vol: Decimal,
    /// Base quantity that takers sold.
    #[serde(deserialize_with = "quantity")]
    pub sell_vol: Decimal,
    /// End of the period.
    #[serde(deserialize_with = "int")]
    pub timestamp: i64,
}

/// One row of `GET /futures/data/basis`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BasisPoint {
    /// Pair.
    pub pair: String,
    /// Which contract of the pair.
    pub contract_type: ContractType,
    /// Price of the contract.
    #[serde(deserialize_with = "decimal")]
    pub futures_price: Decimal,
    /// Price of the index.
    #[serde(deserialize_with = "decimal")]
    pub index_price: Decimal,
    /// Their difference.
    #[serde(deserialize_with = "decimal")]
    pub basis: Decimal,
    /// Of the index price.
    #[serde(deserialize_with = "decimal")]
    pub basis_rate: Decimal,
    /// The same over a year; empty for perpetuals.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub annualized_basis_rate: Option<Decimal>,
    /// When.
    #[serde(deserialize_with = "int")]
    pub timestamp: i64,
}

/// One row of `GET /futures/data/delivery-price`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryPrice {
    /// When the contract was delivered.
    #[serde(deserialize_with = "int")]
    pub delivery_time: i64,
    /// At what price.
    #[serde(deserialize_with = "decimal")]
    pub delivery_price: Decimal,
}
