//! General and market data. Source: fact sheet 4.1–4.3.

use rust_decimal::Decimal;
use serde::Deserialize;

use super::{
    number::{int, opt_decimal, opt_int},
    text::{ContractType, SymbolStatus},
};

/// `GET /fapi/v1/time`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerTime {
    /// The venue's clock.
    #[serde(deserialize_with = "int")]
    pub server_time: i64,
}

/// `GET /fapi/v1/exchangeInfo`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeInfo {
    /// The venue's clock.
    #[serde(default, deserialize_with = "opt_int")]
    pub server_time: Option<i64>,
    /// Budgets of this host.
    #[serde(default)]
    pub rate_limits: Vec<RateLimit>,
    /// All symbols.
    pub symbols: Vec<SymbolInfo>,
}

/// One budget, also the row of `GET /fapi/v1/rateLimit/order`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// `REQUEST_WEIGHT` or `ORDERS`.
    pub rate_limit_type: String,
    /// `SECOND`, `MINUTE`, …
    pub interval: String,
    /// How many of them.
    #[serde(deserialize_with = "int")]
    pub interval_num: i64,
    /// Units per window.
    #[serde(deserialize_with = "int")]
    pub limit: i64,
}

/// One symbol of exchangeInfo.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolInfo {
    /// Name.
    pub symbol: String,
    /// Perpetual or dated.
    #[serde(default)]
    pub contract_type: Option<ContractType>,
    /// Delivery or announced delisting.
    #[serde(default, deserialize_with = "opt_int")]
    pub delivery_date: Option<i64>,
    /// First day.
    #[serde(default, deserialize_with = "opt_int")]
    pub onboard_date: Option<i64>,
    /// Whether it trades.
    pub status: SymbolStatus,
    /// What is bought.
    pub base_asset: String,
    /// What prices are in.
    pub quote_asset: String,
    /// What profit is in.
    pub margin_asset: String,
    /// Highest number of decimals of a price (not the tick).
    #[serde(default, deserialize_with = "opt_int")]
    pub price_precision: Option<i64>,
    /// Highest number of decimals of a quantity (not the step).
    #[serde(default, deserialize_with = "opt_int")]
    pub quantity_precision: Option<i64>,
    /// Market orders fill within mark × (1 ± bound).
    #[serde(default, deserialize_with = "opt_decimal")]
    pub market_take_bound: Option<Decimal>,
    /// Largest deviation of mark and last at a protected trigger.
    #[serde(default, deserialize_with = "opt_decimal")]
    pub trigger_protect: Option<Decimal>,
    /// Order rules.
    pub filters: Vec<Filter>,
}

/// One filter row. Rows of kinds that we do not know are kept as [`Filter::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "filterType", rename_all_fields = "camelCase")]
pub enum Filter {
    /// Price grid and bounds; a bound of 0 is none.
    #[serde(rename = "PRICE_FILTER")]
    Price {
        /// Lowest.
        min_price: Decimal,
        /// Highest.
        max_price: Decimal,
        /// Grid.
        tick_size: Decimal,
    },
    /// Quantity grid of limit orders.
    #[serde(rename = "LOT_SIZE")]
    Lot {
        /// Lowest.
        min_qty: Decimal,
        /// Highest.
        max_qty: Decimal,
        /// Grid.
        step_size: Decimal,
    },
    /// Quantity grid of market orders.
    #[serde(rename = "MARKET_LOT_SIZE")]
    MarketLot {
        /// Lowest.
        min_qty: Decimal,
        /// Highest.
        max_qty: Decimal,
        /// Grid.
        step_size: Decimal,
    },
    /// Open orders per symbol.
    #[serde(rename = "MAX_NUM_ORDERS")]
    MaxNumOrders {
        /// How many; text in some recorded answers.
        #[serde(deserialize_with = "int")]
        limit: i64,
    },
    /// Smallest price × quantity.
    #[serde(rename = "MIN_NOTIONAL")]
    MinNotional {
        /// How much.
        notional: Decimal,
    },
    /// Band around mark.
    #[serde(rename = "PERCENT_PRICE")]
    PercentPrice {
        /// Highest buy, as a multiple of mark.
        multiplier_up: Decimal,
        /// Lowest sell, as a multiple of mark.
        multiplier_down: Decimal,
    },
    /// Anything else.
    #[serde(other)]
    Unknown,
}

/// One kline: a row of twelve. Source: fact sheet 4.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kline {
    /// First millisecond.
    pub open_time: i64,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Base volume.
    pub volume: Decimal,
    /// Last millisecond.
    pub close_time: i64,
}

impl<'de> Deserialize<'de> for Kline {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Row;
        impl<'de> serde::de::Visitor<'de> for Row {
            type Value = Kline;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a kline row of at least seven entries")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut row: A) -> Result<Kline, A::Error> {
                fn entry<'de, T: Deserialize<'de>, A: serde::de::SeqAccess<'de>>(
                    row: &mut A,
                    at: usize,
                ) -> Result<T, A::Error> {
                    row.next_element()?.ok_or_else(|| serde::de::Error::invalid_length(at, &Row))
                }
                let kline = Kline {
                    open_time: entry(&mut row, 0)?,
                    open: entry(&mut row, 1)?,
                    high: entry(&mut row, 2)?,
                    low: entry(&mut row, 3)?,
                    close: entry(&mut row, 4)?,
                    volume: entry(&mut row, 5)?,
                    close_time: entry(&mut row, 6)?,
                };
                while row.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(kline)
            }
        }
        deserializer.deserialize_seq(Row)
    }
}

/// `GET /fapi/v1/premiumIndex`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PremiumIndex {
    /// Name.
    pub symbol: String,
    /// Mark price.
    pub mark_price: Decimal,
    /// Index price.
    #[serde(default, deserialize_with = "opt_decimal")]
    pub index_price: Option<Decimal>,
    /// Running estimate for the next settlement, not the last paid rate (fact sheet 14.3). Empty on dated contracts.
    #[serde(default, deserialize_with = "opt_decimal")]
    pub last_funding_rate: Option<Decimal>,
    /// Next settlement; 0 on dated contracts.
    #[serde(deserialize_with = "int")]
    pub next_funding_time: i64,
    /// When this was so.
    #[serde(deserialize_with = "int")]
    pub time: i64,
}

/// One row of `GET /fapi/v1/fundingRate`: a payment that happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingRate {
    /// Name.
    pub symbol: String,
    /// Fraction of the notional that longs paid.
    pub funding_rate: Decimal,
    /// When.
    #[serde(deserialize_with = "int")]
    pub funding_time: i64,
    /// Mark at that time; missing in old rows.
    #[serde(default, deserialize_with = "opt_decimal")]
    pub mark_price: Option<Decimal>,
    /// `Regular` or `Special`, since July 2026.
    #[serde(default)]
    pub rate_type: Option<String>,
}

/// `GET /fapi/v1/ticker/bookTicker`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookTicker {
    /// Name.
    pub symbol: String,
    /// Best bid.
    pub bid_price: Decimal,
    /// Quantity there.
    pub bid_qty: Decimal,
    /// Best ask.
    pub ask_price: Decimal,
    /// Quantity there.
    pub ask_qty: Decimal,
    /// When.
    #[serde(default, deserialize_with = "opt_int")]
    pub time: Option<i64>,
}

/// `GET /fapi/v1/depth`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Depth {
    /// Joins the snapshot to the diff stream.
    #[serde(deserialize_with = "int")]
    pub last_update_id: i64,
    /// Engine time.
    #[serde(rename = "T", default, deserialize_with = "opt_int")]
    pub transaction_time: Option<i64>,
    /// Price and quantity, best first.
    pub bids: Vec<(Decimal, Decimal)>,
    /// Price and quantity, best first.
    pub asks: Vec<(Decimal, Decimal)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_an_unknown_kind_does_not_spoil_the_list() {
        let text = r#"[{"filterType":"POSITION_RISK_CONTROL","positionControlSide":"NONE"},
            {"filterType":"MIN_NOTIONAL","notional":"5"}]"#;
        let filters: Vec<Filter> = serde_json::from_str(text).unwrap();
        assert_eq!(filters, [Filter::Unknown, Filter::MinNotional { notional: Decimal::from(5) }]);
    }

    #[test]
    fn a_kline_row_needs_seven_entries_and_ignores_the_rest() {
        let row = r#"[1795168800000,"1.2038","1.2043","1.2037","1.2041","5120.0",1795168859999,"6164.88",23,"0","0","0"]"#;
        let kline: Kline = serde_json::from_str(row).unwrap();
        assert_eq!((kline.open_time, kline.close.to_string()), (1_795_168_800_000, "1.2041".to_owned()));
        assert!(serde_json::from_str::<Kline>(r#"[1795168800000,"1.2038"]"#).is_err());
    }
}
