//! Market data: anybody may ask.

use hedge_core::{BrokerError, Interval};
use serde::de::IgnoredAny;

use super::{
    call::Rest,
    query::{Span, depth_weight, kline_weight, symbol},
};
use crate::{
    encode::{ApiRequest, Cost, Params},
    wire::{
        market::{BookTicker, Depth, ExchangeInfo, FundingRate, Kline, PremiumIndex, ServerTime},
        reference::FundingInfo,
        text::ContractType,
        ticker::{DayTicker, OpenInterest, PriceTicker},
        trades::{AggTrade, PublicTrade},
    },
};

/// Market data. Each method: *Errors* as [`BrokerError`]; only reads, so all of them may be repeated.
impl Rest {
    /// `GET /fapi/v1/exchangeInfo`: symbols, filters, limits. Also takes over the limits of this host.
    pub async fn exchange_info(&self) -> Result<ExchangeInfo, BrokerError> {
        let request = ApiRequest::public("/fapi/v1/exchangeInfo", 1, Params::new());
        let info: ExchangeInfo = self.read("exchangeInfo", request).await?;
        self.learn_limits(&info.rate_limits);
        Ok(info)
    }

    /// `GET /fapi/v1/ping`.
    pub async fn ping(&self) -> Result<(), BrokerError> {
        let _: IgnoredAny = self.read("ping", ApiRequest::public("/fapi/v1/ping", 1, Params::new())).await?;
        Ok(())
    }

    /// `GET /fapi/v1/time`.
    pub async fn time(&self) -> Result<ServerTime, BrokerError> {
        self.read("time", ApiRequest::public("/fapi/v1/time", 1, Params::new())).await
    }

    /// `GET /fapi/v1/klines`, one page of at most 1,500 rows, the unfinished one included.
    pub async fn klines(
        &self,
        name: &str,
        interval: Interval,
        span: Span,
        limit: u32,
    ) -> Result<Vec<Kline>, BrokerError> {
        self.kline_rows("/fapi/v1/klines", symbol(name), interval, span, limit).await
    }

    /// `GET /fapi/v1/continuousKlines`: of the contract of a pair that is current, whatever its name.
    pub async fn continuous_klines(
        &self,
        pair: &str,
        contract: &ContractType,
        interval: Interval,
        span: Span,
        limit: u32,
    ) -> Result<Vec<Kline>, BrokerError> {
        let params = Params::new().with("pair", pair).with("contractType", contract.as_str());
        self.kline_rows("/fapi/v1/continuousKlines", params, interval, span, limit).await
    }

    /// `GET /fapi/v1/indexPriceKlines`. Only the four prices and the times mean something.
    pub async fn index_price_klines(
        &self,
        pair: &str,
        interval: Interval,
        span: Span,
        limit: u32,
    ) -> Result<Vec<Kline>, BrokerError> {
        let params = Params::new().with("pair", pair);
        self.kline_rows("/fapi/v1/indexPriceKlines", params, interval, span, limit).await
    }

    /// `GET /fapi/v1/markPriceKlines`. Only the four prices and the times mean something.
    pub async fn mark_price_klines(
        &self,
        name: &str,
        interval: Interval,
        span: Span,
        limit: u32,
    ) -> Result<Vec<Kline>, BrokerError> {
        self.kline_rows("/fapi/v1/markPriceKlines", symbol(name), interval, span, limit).await
    }

    /// `GET /fapi/v1/premiumIndexKlines`: of how far the contract is above its index, as a fraction.
    pub async fn premium_index_klines(
        &self,
        name: &str,
        interval: Interval,
        span: Span,
        limit: u32,
    ) -> Result<Vec<Kline>, BrokerError> {
        self.kline_rows("/fapi/v1/premiumIndexKlines", symbol(name), interval, span, limit).await
    }

    async fn kline_rows(
        &self,
        path: &'static str,
        params: Params,
        interval: Interval,
        span: Span,
        limit: u32,
    ) -> Result<Vec<Kline>, BrokerError> {
        let params = span.apply(params.with("interval", interval)).with("limit", limit);
        self.read("klines", ApiRequest::public(path, kline_weight(limit), params)).await
    }

    /// `GET /fapi/v1/premiumIndex` of one symbol: mark, index, running funding estimate.
    pub async fn premium_index(&self, name: &str) -> Result<PremiumIndex, BrokerError> {
        self.read("premiumIndex", ApiRequest::public("/fapi/v1/premiumIndex", 1, symbol(name))).await
    }

    /// `GET /fapi/v1/premiumIndex` of every symbol.
    pub async fn premium_indices(&self) -> Result<Vec<PremiumIndex>, BrokerError> {
        self.read("premiumIndex", ApiRequest::public("/fapi/v1/premiumIndex", 10, Params::new())).await
    }

    /// `GET /fapi/v1/fundingRate`: payments that happened, oldest first, at most 1,000. Has a budget of its own.
    pub async fn funding_rate(
        &self,
        name: &str,
        span: Span,
        limit: u32,
    ) -> Result<Vec<FundingRate>, BrokerError> {
        let params = span.apply(symbol(name)).with("limit", limit);
        self.read("fundingRate", ApiRequest::from_pool("/fapi/v1/fundingRate", Cost::Funding, params)).await
    }

    /// `GET /fapi/v1/fundingRate` of every symbol, the newest payments.
    pub async fn funding_rates(&self, span: Span, limit: u32) -> Result<Vec<FundingRate>, BrokerError> {
        let params = span.apply(Params::new()).with("limit", limit);
        self.read("fundingRate", ApiRequest::from_pool("/fapi/v1/fundingRate", Cost::Funding, params)).await
    }

    /// `GET /fapi/v1/fundingInfo`: symbols whose cap, floor or interval is not the usual one. Shares the budget of
    /// `fundingRate`.
    pub async fn funding_info(&self) -> Result<Vec<FundingInfo>, BrokerError> {
        let request = ApiRequest::from_pool("/fapi/v1/fundingInfo", Cost::Funding, Params::new());
        self.read("fundingInfo", request).await
    }

    /// `GET /fapi/v1/ticker/24hr` of one symbol.
    pub async fn day_ticker(&self, name: &str) -> Result<DayTicker, BrokerError> {
        self.read("ticker/24hr", ApiRequest::public("/fapi/v1/ticker/24hr", 1, symbol(name))).await
    }

    /// `GET /fapi/v1/ticker/24hr` of every symbol.
    pub async fn day_tickers(&self) -> Result<Vec<DayTicker>, BrokerError> {
        self.read("ticker/24hr", ApiRequest::public("/fapi/v1/ticker/24hr", 40, Params::new())).await
    }

    /// `GET /fapi/v2/ticker/price` of one symbol.
    pub async fn price_ticker(&self, name: &str) -> Result<PriceTicker, BrokerError> {
        self.read("ticker/price", ApiRequest::public("/fapi/v2/ticker/price", 1, symbol(name))).await
    }

    /// `GET /fapi/v2/ticker/price` of every symbol.
    pub async fn price_tickers(&self) -> Result<Vec<PriceTicker>, BrokerError> {
        self.read("ticker/price", ApiRequest::public("/fapi/v2/ticker/price", 2, Params::new())).await
    }

    /// `GET /fapi/v1/ticker/price`, the deprecated form, of one symbol.
    pub async fn price_ticker_v1(&self, name: &str) -> Result<PriceTicker, BrokerError> {
        self.read("ticker/price v1", ApiRequest::public("/fapi/v1/ticker/price", 1, symbol(name))).await
    }

    /// `GET /fapi/v1/ticker/price`, the deprecated form, of every symbol.
    pub async fn price_tickers_v1(&self) -> Result<Vec<PriceTicker>, BrokerError> {
        self.read("ticker/price v1", ApiRequest::public("/fapi/v1/ticker/price", 2, Params::new())).await
    }

    /// `GET /fapi/v1/ticker/bookTicker` of one symbol.
    pub async fn book_ticker(&self, name: &str) -> Result<BookTicker, BrokerError> {
        self.read("bookTicker", ApiRequest::public("/fapi/v1/ticker/bookTicker", 2, symbol(name))).await
    }

    /// `GET /fapi/v1/ticker/bookTicker` of every symbol.
    pub async fn book_tickers(&self) -> Result<Vec<BookTicker>, BrokerError> {
        self.read("bookTicker", ApiRequest::public("/fapi/v1/ticker/bookTicker", 5, Params::new())).await
    }

    /// `GET /fapi/v1/openInterest`.
    pub async fn open_interest(&self, name: &str) -> Result<OpenInterest, BrokerError> {
        self.read("openInterest", ApiRequest::public("/fapi/v1/openInterest", 1, symbol(name))).await
    }

    /// `GET /fapi/v1/trades`: the newest trades, at most 1,000.
    pub async fn trades(&self, name: &str, limit: u32) -> Result<Vec<PublicTrade>, BrokerError> {
        let params = symbol(name).with("limit", limit);
        self.read("trades", ApiRequest::public("/fapi/v1/trades", 5, params)).await
    }

    /// `GET /fapi/v1/historicalTrades`: at most 500 trades of the last month, from an id on or the newest. Wants a key, no
    /// signature.
    pub async fn historical_trades(
        &self,
        name: &str,
        from_id: Option<i64>,
        limit: u32,
    ) -> Result<Vec<PublicTrade>, BrokerError> {
        let params = symbol(name).with("limit", limit).with_opt("fromId", from_id);
        // The weight is 200 in the newest specification and 20 in pages of mid-2026 (fact sheet 4.1).
        self.read("historicalTrades", ApiRequest::keyed_read("/fapi/v1/historicalTrades", 200, params)).await
    }

    /// `GET /fapi/v1/aggTrades` of a span below an hour, at most 1,000.
    pub async fn agg_trades(&self, name: &str, span: Span, limit: u32) -> Result<Vec<AggTrade>, BrokerError> {
        let params = span.apply(symbol(name)).with("limit", limit);
        self.read("aggTrades", ApiRequest::public("/fapi/v1/aggTrades", 20, params)).await
    }

    /// `GET /fapi/v1/aggTrades` from an id on, at most 1,000. The venue looks back one or two days (fact sheet 4.1).
    pub async fn agg_trades_from(
        &self,
        name: &str,
        from_id: i64,
        limit: u32,
    ) -> Result<Vec<AggTrade>, BrokerError> {
        let params = symbol(name).with("fromId", from_id).with("limit", limit);
        self.read("aggTrades", ApiRequest::public("/fapi/v1/aggTrades", 20, params)).await
    }

    /// `GET /fapi/v1/rpiDepth`: up to 1,000 levels with retail-price-improvement orders.
    pub async fn rpi_depth(&self, name: &str) -> Result<Depth, BrokerError> {
        let params = symbol(name).with("limit", 1_000);
        self.read("rpiDepth", ApiRequest::public("/fapi/v1/rpiDepth", 20, params)).await
    }

    /// `GET /fapi/v1/depth`; `limit` is one of 5, 10, 20, 50, 100, 500, 1000.
    pub async fn depth(&self, name: &str, limit: u32) -> Result<Depth, BrokerError> {
        let params = symbol(name).with("limit", limit);
        self.read("depth", ApiRequest::public("/fapi/v1/depth", depth_weight(limit), params)).await
    }
}
