//! General and market data. Source: fact sheet 4.1–4.3.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, ser::SerializeSeq};

use super::{
    number::{boolean, decimal, int, levels, opt_decimal, opt_int, opt_text, quantity},
    text::{ContractType, FundingRateType, OrderType, SymbolStatus, TimeInForce},
};

/// `GET /fapi/v1/time`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerTime {
    /// The venue's clock.
    #[serde(deserialize_with = "int")]
    pub server_time: i64,
}

/// `GET /fapi/v1/exchangeInfo`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeInfo {
    /// `UTC`.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `U_MARGINED`.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub futures_type: Option<String>,
    /// The venue's clock.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub server_time: Option<i64>,
    /// Budgets of this host.
    #[serde(default)]
    pub rate_limits: Vec<RateLimit>,
    /// What margin may be in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<MarginAsset>,
    /// All symbols.
    pub symbols: Vec<SymbolInfo>,
}

/// One budget, also the row of `GET /fapi/v1/rateLimit/order`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// One margin asset of exchangeInfo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarginAsset {
    /// Name.
    pub asset: String,
    /// Whether it counts as margin in multi-assets mode.
    #[serde(deserialize_with = "boolean")]
    pub margin_available: bool,
    /// Debt at which other assets are exchanged into it.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub auto_asset_exchange: Option<Decimal>,
}

/// One symbol of exchangeInfo.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolInfo {
    /// Name.
    pub symbol: String,
    /// Pair.
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// Perpetual or dated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_type: Option<ContractType>,
    /// Delivery or announced delisting.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub delivery_date: Option<i64>,
    /// First day.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
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
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub price_precision: Option<i64>,
    /// Highest number of decimals of a quantity (not the step).
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub quantity_precision: Option<i64>,
    /// Decimals of base amounts.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub base_asset_precision: Option<i64>,
    /// Decimals of quote amounts.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub quote_precision: Option<i64>,
    /// `COIN`, `INDEX`, …
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    pub underlying_type: Option<String>,
    /// Finer kinds of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub underlying_sub_type: Vec<String>,
    /// Undocumented.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub settle_plan: Option<i64>,
    /// Fee of a forced close, as a fraction.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub liquidation_fee: Option<Decimal>,
    /// Amendments that an order may have.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub max_move_order_limit: Option<i64>,
    /// What may be placed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order_types: Vec<OrderType>,
    /// How long orders may live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time_in_force: Vec<TimeInForce>,
    /// Who may do what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permission_sets: Vec<String>,
    /// Market orders fill within mark × (1 ± bound).
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub market_take_bound: Option<Decimal>,
    /// Largest deviation of mark and last at a protected trigger.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub trigger_protect: Option<Decimal>,
    /// Order rules.
    pub filters: Vec<Filter>,
}

/// One filter row. Rows of kinds that we do not know are kept as [`Filter::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "filterType", rename_all_fields = "camelCase")]
pub enum Filter {
    /// Price grid and bounds; a bound of 0 is none.
    #[serde(rename = "PRICE_FILTER")]
    Price {
        /// Lowest.
        #[serde(deserialize_with = "decimal")]
        min_price: Decimal,
        /// Highest.
        #[serde(deserialize_with = "decimal")]
        max_price: Decimal,
        /// Grid.
        #[serde(deserialize_with = "decimal")]
        tick_size: Decimal,
    },
    /// Quantity grid of limit orders.
    #[serde(rename = "LOT_SIZE")]
    Lot {
        /// Lowest.
        #[serde(deserialize_with = "decimal")]
        min_qty: Decimal,
        /// Highest.
        #[serde(deserialize_with = "decimal")]
        max_qty: Decimal,
        /// Grid.
        #[serde(deserialize_with = "decimal")]
        step_size: Decimal,
    },
    /// Quantity grid of market orders.
    #[serde(rename = "MARKET_LOT_SIZE")]
    MarketLot {
        /// Lowest.
        #[serde(deserialize_with = "decimal")]
        min_qty: Decimal,
        /// Highest.
        #[serde(deserialize_with = "decimal")]
        max_qty: Decimal,
        /// Grid.
        #[serde(deserialize_with = "decimal")]
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
        #[serde(deserialize_with = "decimal")]
        notional: Decimal,
    },
    /// Band around mark.
    #[serde(rename = "PERCENT_PRICE")]
    PercentPrice {
        /// Highest buy, as a multiple of mark.
        #[serde(deserialize_with = "decimal")]
        multiplier_up: Decimal,
        /// Lowest sell, as a multiple of mark.
        #[serde(deserialize_with = "decimal")]
        multiplier_down: Decimal,
        /// Decimals of both; text or a number.
        #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
        multiplier_decimal: Option<i64>,
    },
    /// Symbols whose risk the venue limits; what it forbids is not documented.
    #[serde(rename = "POSITION_RISK_CONTROL")]
    PositionRiskControl {
        /// `NONE` usually.
        #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
        position_control_side: Option<String>,
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
    /// Quote volume.
    pub quote_volume: Option<Decimal>,
    /// Number of trades.
    pub trades: Option<i64>,
    /// Base volume that takers bought.
    pub taker_buy_volume: Option<Decimal>,
    /// Quote volume that takers bought.
    pub taker_buy_quote_volume: Option<Decimal>,
}

/// As the row of twelve that it came from.
impl Serialize for Kline {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(Some(12))?;
        row.serialize_element(&self.open_time)?;
        for value in [self.open, self.high, self.low, self.close, self.volume] {
            row.serialize_element(&value)?;
        }
        row.serialize_element(&self.close_time)?;
        row.serialize_element(&self.quote_volume)?;
        row.serialize_element(&self.trades)?;
        row.serialize_element(&self.taker_buy_volume)?;
        row.serialize_element(&self.taker_buy_quote_volume)?;
        row.serialize_element("0")?;
        row.end()
    }
}

impl<'de> Deserialize<'de> for Kline {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Row;
        /// Klines of marks and indices fill these columns with anything.
        #[derive(Deserialize)]
        struct Filler(#[serde(deserialize_with = "opt_decimal")] Option<Decimal>);
        #[derive(Deserialize)]
        struct Exact(#[serde(deserialize_with = "decimal")] Decimal);
        #[derive(Deserialize)]
        struct Volume(#[serde(deserialize_with = "quantity")] Decimal);
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
                    open: entry::<Exact, A>(&mut row, 1)?.0,
                    high: entry::<Exact, A>(&mut row, 2)?.0,
                    low: entry::<Exact, A>(&mut row, 3)?.0,
                    close: entry::<Exact, A>(&mut row, 4)?.0,
                    volume: entry::<Volume, A>(&mut row, 5)?.0,
                    close_time: entry(&mut row, 6)?,
                    quote_volume: row.next_element::<Filler>()?.and_then(|filler| filler.0),
                    trades: row.next_element()?,
                    taker_buy_volume: row.next_element::<Filler>()?.and_then(|filler| filler.0),
                    taker_buy_quote_volume: row.next_element::<Filler>()?.and_then(|filler| filler.0),
                };
                while row.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(kline)
            }
        }
        deserializer.deserialize_seq(Row)
    }
}

/// `GET /fapi/v1/premiumIndex`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PremiumIndex {
    /// Name.
    pub symbol: String,
    /// Mark price.
    #[serde(deserialize_with = "decimal")]
    pub mark_price: Decimal,
    /// Index price.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub index_price: Option<Decimal>,
    /// Estimate of the price at delivery; only meaningful in the last hour before it.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub estimated_settle_price: Option<Decimal>,
    /// Running estimate for the next settlement, not the last paid rate (fact sheet 14.3). Empty on dated contracts.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub last_funding_rate: Option<Decimal>,
    /// Interest part of the rate.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub interest_rate: Option<Decimal>,
    /// Next settlement; 0 on dated contracts.
    #[serde(deserialize_with = "int")]
    pub next_funding_time: i64,
    /// When this was so.
    #[serde(deserialize_with = "int")]
    pub time: i64,
}

/// One row of `GET /fapi/v1/fundingRate`: a payment that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingRate {
    /// Name.
    pub symbol: String,
    /// Fraction of the notional that longs paid.
    #[serde(deserialize_with = "decimal")]
    pub funding_rate: Decimal,
    /// When.
    #[serde(deserialize_with = "int")]
    pub funding_time: i64,
    /// Mark at that time; missing in old rows.
    #[serde(default, deserialize_with = "opt_decimal", skip_serializing_if = "Option::is_none")]
    pub mark_price: Option<Decimal>,
    /// `Regular` or `Special`, since July 2026.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_type: Option<FundingRateType>,
}

/// `GET /fapi/v1/ticker/bookTicker`, and `ticker.book` of the WebSocket API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookTicker {
    /// Name.
    pub symbol: String,
    /// Best bid.
    #[serde(deserialize_with = "decimal")]
    pub bid_price: Decimal,
    /// Quantity there.
    #[serde(deserialize_with = "quantity")]
    pub bid_qty: Decimal,
    /// Best ask.
    #[serde(deserialize_with = "decimal")]
    pub ask_price: Decimal,
    /// Quantity there.
    #[serde(deserialize_with = "quantity")]
    pub ask_qty: Decimal,
    /// The number of the update it was read at; the WebSocket API alone tells it (fact sheet 4.1).
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub last_update_id: Option<i64>,
    /// When.
    #[serde(default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
}

/// `GET /fapi/v1/depth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Depth {
    /// Joins the snapshot to the diff stream.
    #[serde(deserialize_with = "int")]
    pub last_update_id: i64,
    /// When it was sent.
    #[serde(rename = "E", default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub event_time: Option<i64>,
    /// Engine time.
    #[serde(rename = "T", default, deserialize_with = "opt_int", skip_serializing_if = "Option::is_none")]
    pub transaction_time: Option<i64>,
    /// Price and quantity, best first.
    #[serde(deserialize_with = "levels")]
    pub bids: Vec<(Decimal, Decimal)>,
    /// Price and quantity, best first.
    #[serde(deserialize_with = "levels")]
    pub asks: Vec<(Decimal, Decimal)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_an_unknown_kind_does_not_spoil_the_list() {
        let text = r#"[{"filterType":"NOT_KNOWN_YET","side":"NONE"},
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
