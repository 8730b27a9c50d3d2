//! The endpoints: method, path, security, cost. One table.
//!
//! Source: fact sheet 4.1, 4.4, 4.7, 4.10, 5.1.

use super::params::Params;

/// What a caller must show. Source: fact sheet 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    Open,
    Key,
    Signed,
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Request weight.
    Weight(u32),
    /// Request weight with a symbol, and without one.
    BySymbol(u32, u32),
    /// Weight grows with `limit` as for klines.
    Klines,
    /// Weight grows with `limit` as for depth.
    Depth,
    /// One order of the account's order counts, no weight.
    Order,
    /// Five orders of the 10-second count, one of the minute's, and weight 5.
    Batch,
    /// One call of the funding pool, no weight and no weight header.
    Funding,
    /// One call of the pool of `/futures/data`, likewise.
    Data,
}

impl Cost {
    pub(crate) fn weight(self, params: &Params) -> u32 {
        let limit = || params.get("limit").and_then(|text| text.parse::<u32>().ok()).unwrap_or(500);
        match self {
            Self::Weight(weight) => weight,
            Self::BySymbol(with, without) => {
                if params.get("symbol").is_some() {
                    with
                } else {
                    without
                }
            }
            Self::Klines => match limit() {
                ..100 => 1,
                100..500 => 2,
                500..=1000 => 5,
                _ => 10,
            },
            Self::Depth => match limit() {
                ..=50 => 2,
                51..=100 => 5,
                101..=500 => 10,
                _ => 20,
            },
            Self::Batch => 5,
            Self::Order | Self::Funding | Self::Data => 0,
        }
    }
}

/// Declares the endpoints as one table; a call's name is its handler's variant.
macro_rules! endpoints {
    ($($method:ident $path:literal => $call:ident, $security:ident, $cost:expr;)+) => {
        /// Every call this venue answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Call {
            $($call),+
        }

        /// Method and path of every call, in the order of the table.
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($method), $path)),+];

        impl Call {
            /// The call behind a method and a path.
            pub(crate) fn find(method: &str, path: &str) -> Option<Self> {
                match (method, path) {
                    $((stringify!($method), $path) => Some(Self::$call),)+
                    _ => None,
                }
            }

            pub(crate) const fn security(self) -> Security {
                match self {
                    $(Self::$call => Security::$security),+
                }
            }

            pub(crate) const fn cost(self) -> Cost {
                use Cost::{Batch, BySymbol, Data, Depth, Funding, Klines, Order, Weight};
                match self {
                    $(Self::$call => $cost),+
                }
            }
        }
    };
}

endpoints! {
    GET "/fapi/v1/ping" => Ping, Open, Weight(1);
    GET "/fapi/v1/time" => Time, Open, Weight(1);
    GET "/fapi/v1/exchangeInfo" => ExchangeInfo, Open, Weight(1);
    GET "/fapi/v1/klines" => KlinesOf, Open, Klines;
    GET "/fapi/v1/continuousKlines" => ContinuousKlines, Open, Klines;
    GET "/fapi/v1/indexPriceKlines" => IndexKlines, Open, Klines;
    GET "/fapi/v1/markPriceKlines" => MarkKlines, Open, Klines;
    GET "/fapi/v1/premiumIndexKlines" => PremiumKlines, Open, Klines;
    GET "/fapi/v1/premiumIndex" => PremiumIndex, Open, BySymbol(1, 10);
    GET "/fapi/v1/fundingRate" => FundingRate, Open, Funding;
    GET "/fapi/v1/fundingInfo" => FundingInfo, Open, Funding;
    GET "/fapi/v1/ticker/bookTicker" => BookTicker, Open, BySymbol(2, 5);
    GET "/fapi/v1/ticker/price" => PriceTicker, Open, BySymbol(1, 2);
    GET "/fapi/v2/ticker/price" => PriceTickerV2, Open, BySymbol(1, 2);
    GET "/fapi/v1/ticker/24hr" => DayTicker, Open, BySymbol(1, 40);
    GET "/fapi/v1/depth" => DepthOf, Open, Depth;
    GET "/fapi/v1/rpiDepth" => RpiDepth, Open, Weight(20);
    GET "/fapi/v1/openInterest" => OpenInterest, Open, Weight(1);
    GET "/fapi/v1/constituents" => Constituents, Open, Weight(2);
    GET "/fapi/v1/indexInfo" => IndexInfo, Open, Weight(1);
    GET "/fapi/v1/assetIndex" => AssetIndexes, Open, BySymbol(1, 10);
    GET "/fapi/v1/insuranceBalance" => InsuranceBalance, Open, Weight(1);
    GET "/fapi/v1/symbolAdlRisk" => AdlRisk, Open, Weight(1);
    GET "/fapi/v1/tradingSchedule" => TradingSchedule, Open, Weight(5);
    GET "/futures/data/openInterestHist" => HeldHistory, Open, Data;
    GET "/futures/data/globalLongShortAccountRatio" => GlobalRatio, Open, Data;
    GET "/futures/data/topLongShortAccountRatio" => TopAccountRatio, Open, Data;
    GET "/futures/data/topLongShortPositionRatio" => TopPositionRatio, Open, Data;
    GET "/futures/data/takerlongshortRatio" => TakerRatio, Open, Data;
    GET "/futures/data/basis" => BasisHistory, Open, Data;
    GET "/futures/data/delivery-price" => DeliveryPrices, Open, Data;
    GET "/fapi/v1/historicalTrades" => HistoricalTrades, Key, Weight(200);
    GET "/fapi/v1/aggTrades" => AggTrades, Open, Weight(20);
    GET "/fapi/v1/trades" => Trades, Open, Weight(5);

    POST "/fapi/v1/order" => PlaceOrder, Signed, Order;
    POST "/fapi/v1/order/test" => TestOrder, Signed, Weight(1);
    PUT "/fapi/v1/order" => ModifyOrder, Signed, Order;
    POST "/fapi/v1/batchOrders" => PlaceBatch, Signed, Batch;
    PUT "/fapi/v1/batchOrders" => ModifyBatch, Signed, Batch;
    DELETE "/fapi/v1/batchOrders" => CancelBatch, Signed, Weight(1);
    POST "/fapi/v1/countdownCancelAll" => Countdown, Signed, Weight(10);
    GET "/fapi/v1/orderAmendment" => Amendments, Signed, Weight(1);
    GET "/fapi/v1/forceOrders" => ForceOrders, Signed, BySymbol(20, 50);
    GET "/fapi/v1/order" => GetOrder, Signed, Weight(1);
    DELETE "/fapi/v1/order" => CancelOrder, Signed, Weight(1);
    GET "/fapi/v1/openOrder" => GetOpenOrder, Signed, Weight(1);
    GET "/fapi/v1/openOrders" => OpenOrders, Signed, BySymbol(1, 40);
    GET "/fapi/v1/allOrders" => AllOrders, Signed, Weight(5);
    GET "/fapi/v1/userTrades" => UserTrades, Signed, Weight(5);
    DELETE "/fapi/v1/allOpenOrders" => CancelAllOrders, Signed, Weight(1);

    POST "/fapi/v1/algoOrder" => PlaceAlgo, Signed, Order;
    GET "/fapi/v1/algoOrder" => GetAlgo, Signed, Weight(1);
    DELETE "/fapi/v1/algoOrder" => CancelAlgo, Signed, Weight(1);
    GET "/fapi/v1/openAlgoOrders" => OpenAlgos, Signed, BySymbol(1, 40);
    DELETE "/fapi/v1/algoOpenOrders" => CancelAllAlgos, Signed, Weight(1);
    GET "/fapi/v1/allAlgoOrders" => AllAlgos, Signed, Weight(5);

    POST "/fapi/v1/leverage" => SetLeverage, Signed, Weight(1);
    POST "/fapi/v1/marginType" => SetMarginType, Signed, Weight(1);
    GET "/fapi/v1/positionSide/dual" => GetPositionMode, Signed, Weight(30);
    POST "/fapi/v1/positionSide/dual" => SetPositionMode, Signed, Weight(1);
    GET "/fapi/v2/account" => AccountV2, Signed, Weight(5);
    GET "/fapi/v3/account" => AccountV3, Signed, Weight(5);
    GET "/fapi/v2/balance" => BalanceV2, Signed, Weight(5);
    GET "/fapi/v3/balance" => BalanceV3, Signed, Weight(5);
    GET "/fapi/v2/positionRisk" => PositionRiskV2, Signed, Weight(5);
    GET "/fapi/v3/positionRisk" => PositionRiskV3, Signed, Weight(5);
    GET "/fapi/v1/symbolConfig" => SymbolConfig, Signed, Weight(5);
    GET "/fapi/v1/accountConfig" => AccountConfig, Signed, Weight(5);
    GET "/fapi/v1/leverageBracket" => LeverageBracket, Signed, Weight(1);
    GET "/fapi/v1/commissionRate" => CommissionRate, Signed, Weight(20);
    GET "/fapi/v1/income" => Income, Signed, Weight(30);
    GET "/fapi/v1/feeBurn" => FeeBurn, Signed, Weight(30);
    GET "/fapi/v1/multiAssetsMargin" => MultiAssets, Signed, Weight(30);
    POST "/fapi/v1/feeBurn" => SetFeeBurn, Signed, Weight(1);
    POST "/fapi/v1/multiAssetsMargin" => SetMultiAssets, Signed, Weight(1);
    POST "/fapi/v1/positionMargin" => AdjustMargin, Signed, Weight(1);
    GET "/fapi/v1/positionMargin/history" => MarginRecord, Signed, Weight(1);
    GET "/fapi/v1/adlQuantile" => AdlQuantile, Signed, Weight(5);
    GET "/fapi/v1/apiTradingStatus" => TradingStatus, Signed, BySymbol(1, 10);
    GET "/fapi/v1/rateLimit/order" => OrderLimits, Signed, Weight(1);

    POST "/fapi/v1/listenKey" => CreateListenKey, Key, Weight(1);
    PUT "/fapi/v1/listenKey" => RenewListenKey, Key, Weight(1);
    DELETE "/fapi/v1/listenKey" => DeleteListenKey, Key, Weight(1);

    WSAPI "ticker.book" => BookTickerOfFrames, Open, BySymbol(2, 5);
}

/// Method and path of everything that is served over REST.
pub fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().copied().filter(|(_, path)| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_grow_with_the_limit() {
        let weight = |cost: Cost, query: &str| cost.weight(&Params::read(query, ""));
        assert_eq!(
            ["limit=99", "limit=499", "", "limit=1000", "limit=1500"].map(|q| weight(Cost::Klines, q)),
            [1, 2, 5, 5, 10]
        );
        assert_eq!(
            ["limit=50", "limit=100", "", "limit=1000"].map(|q| weight(Cost::Depth, q)),
            [2, 5, 10, 20]
        );
        assert_eq!(weight(Cost::BySymbol(1, 40), "symbol=A"), 1);
        assert_eq!(weight(Cost::BySymbol(1, 40), ""), 40);
    }

    #[test]
    fn the_method_is_a_part_of_the_endpoint() {
        assert_eq!(Call::find("POST", "/fapi/v1/order"), Some(Call::PlaceOrder));
        assert_eq!(Call::find("PATCH", "/fapi/v1/order"), None);
        assert_eq!(Call::find("GET", "/fapi/v1/nothing"), None);
    }
}
