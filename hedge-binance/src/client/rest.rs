//! Every read of the REST host that trading needs, typed as the venue documents it.

use hedge_core::{BrokerError, Interval, OrderRef, OrderSpace, Timestamp};

use super::call::Rest;
use crate::{
    encode::{ApiRequest, Params},
    wire::{
        account::{
            Account, AccountConfig, BalanceRow, CommissionRate, DualSide, FeeBurn, IncomeRow,
            LeverageBrackets, MultiAssets, OneOrMany, PositionRow, SymbolConfig,
        },
        algo::AlgoRow,
        market::{BookTicker, Depth, ExchangeInfo, FundingRate, Kline, PremiumIndex, ServerTime},
        order::{OrderRow, TradeRow},
    },
};

/// A stretch of time, either end open. Units: the venue's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: Option<Timestamp>,
    /// Last instant.
    pub to: Option<Timestamp>,
}

impl Span {
    /// From an instant on.
    pub const fn since(from: Timestamp) -> Self {
        Self { from: Some(from), to: None }
    }

    fn apply(self, params: Params) -> Params {
        params
            .with_opt("startTime", self.from.map(Timestamp::ms))
            .with_opt("endTime", self.to.map(Timestamp::ms))
    }
}

fn symbol(symbol: &str) -> Params {
    Params::new().with("symbol", symbol)
}

fn maybe_symbol(symbol: Option<&str>) -> Params {
    Params::new().with_opt("symbol", symbol)
}

/// Weight of a kline request. Source: fact sheet 4.1.
pub(crate) const fn kline_weight(limit: u32) -> u32 {
    match limit {
        0..100 => 1,
        100..500 => 2,
        500..=1_000 => 5,
        _ => 10,
    }
}

/// Weight of a depth request. Source: fact sheet 4.1.
const fn depth_weight(limit: u32) -> u32 {
    match limit {
        0..=50 => 2,
        51..=100 => 5,
        101..=500 => 10,
        _ => 20,
    }
}

/// Parameters that name a plain order.
pub(crate) fn plain_ref(params: Params, order: &OrderRef) -> Params {
    match order {
        OrderRef::Plain(id) | OrderRef::Algo { child: Some(id), .. } => params.with("orderId", id),
        OrderRef::Algo { id, child: None } => params.with("orderId", id),
        OrderRef::Client { id, .. } => params.with("origClientOrderId", id),
    }
}

/// Parameters that name a conditional order.
pub(crate) fn algo_ref(params: Params, order: &OrderRef) -> Params {
    match order {
        OrderRef::Plain(id) | OrderRef::Algo { id, .. } => params.with("algoId", id),
        OrderRef::Client { id, .. } => params.with("clientAlgoId", id),
    }
}

/// Market data. Each method: *Errors* as [`BrokerError`]; only reads, so all of them may be repeated.
impl Rest {
    /// `GET /fapi/v1/exchangeInfo`: symbols, filters, limits. Also takes over the limits of this host.
    pub async fn exchange_info(&self) -> Result<ExchangeInfo, BrokerError> {
        let request = ApiRequest::public("/fapi/v1/exchangeInfo", 1, Params::new());
        let info: ExchangeInfo = self.read("exchangeInfo", request).await?;
        self.learn_limits(&info.rate_limits);
        Ok(info)
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
        let params = span.apply(symbol(name).with("interval", interval)).with("limit", limit);
        self.read("klines", ApiRequest::public("/fapi/v1/klines", kline_weight(limit), params)).await
    }

    /// `GET /fapi/v1/premiumIndex` of one symbol: mark, index, running funding estimate.
    pub async fn premium_index(&self, name: &str) -> Result<PremiumIndex, BrokerError> {
        self.read("premiumIndex", ApiRequest::public("/fapi/v1/premiumIndex", 1, symbol(name))).await
    }

    /// `GET /fapi/v1/fundingRate`: payments that happened, oldest first, at most 1,000. Has a budget of its own.
    pub async fn funding_rate(
        &self,
        name: &str,
        span: Span,
        limit: u32,
    ) -> Result<Vec<FundingRate>, BrokerError> {
        let params = span.apply(symbol(name)).with("limit", limit);
        let request = ApiRequest {
            cost: crate::encode::Cost::Funding,
            ..ApiRequest::public("/fapi/v1/fundingRate", 0, params)
        };
        self.read("fundingRate", request).await
    }

    /// `GET /fapi/v1/ticker/bookTicker` of one symbol.
    pub async fn book_ticker(&self, name: &str) -> Result<BookTicker, BrokerError> {
        self.read("bookTicker", ApiRequest::public("/fapi/v1/ticker/bookTicker", 2, symbol(name))).await
    }

    /// `GET /fapi/v1/depth`; `limit` is one of 5, 10, 20, 50, 100, 500, 1000.
    pub async fn depth(&self, name: &str, limit: u32) -> Result<Depth, BrokerError> {
        let params = symbol(name).with("limit", limit);
        self.read("depth", ApiRequest::public("/fapi/v1/depth", depth_weight(limit), params)).await
    }
}

/// Orders and fills.
impl Rest {
    /// `GET /fapi/v1/order`. An unknown order is [`RejectReason::NotFound`](hedge_core::RejectReason::NotFound).
    pub async fn order(&self, name: &str, order: &OrderRef) -> Result<OrderRow, BrokerError> {
        let params = plain_ref(symbol(name), order);
        self.read("order", ApiRequest::signed_read("/fapi/v1/order", 1, params)).await
    }

    /// `GET /fapi/v1/openOrders`. Conditional orders are not in it.
    pub async fn open_orders(&self, name: Option<&str>) -> Result<Vec<OrderRow>, BrokerError> {
        let weight = if name.is_some() { 1 } else { 40 };
        self.read("openOrders", ApiRequest::signed_read("/fapi/v1/openOrders", weight, maybe_symbol(name)))
            .await
    }

    /// `GET /fapi/v1/allOrders`: at most 1,000 of at most 7 days.
    pub async fn all_orders(&self, name: &str, span: Span, limit: u32) -> Result<Vec<OrderRow>, BrokerError> {
        let params = span.apply(symbol(name)).with("limit", limit);
        self.read("allOrders", ApiRequest::signed_read("/fapi/v1/allOrders", 5, params)).await
    }

    /// `GET /fapi/v1/userTrades` of a span of at most 7 days.
    pub async fn user_trades(
        &self,
        name: &str,
        span: Span,
        limit: u32,
    ) -> Result<Vec<TradeRow>, BrokerError> {
        let params = span.apply(symbol(name)).with("limit", limit);
        self.read("userTrades", ApiRequest::signed_read("/fapi/v1/userTrades", 5, params)).await
    }

    /// `GET /fapi/v1/userTrades` from a trade id on; the venue takes no times beside it.
    pub async fn user_trades_from(
        &self,
        name: &str,
        from_id: i64,
        limit: u32,
    ) -> Result<Vec<TradeRow>, BrokerError> {
        let params = symbol(name).with("fromId", from_id).with("limit", limit);
        self.read("userTrades", ApiRequest::signed_read("/fapi/v1/userTrades", 5, params)).await
    }

    /// `GET /fapi/v1/algoOrder`.
    pub async fn algo_order(&self, order: &OrderRef) -> Result<AlgoRow, BrokerError> {
        let params = algo_ref(Params::new(), order);
        self.read("algoOrder", ApiRequest::signed_read("/fapi/v1/algoOrder", 1, params)).await
    }

    /// `GET /fapi/v1/openAlgoOrders`.
    pub async fn open_algo_orders(&self, name: Option<&str>) -> Result<Vec<AlgoRow>, BrokerError> {
        let weight = if name.is_some() { 1 } else { 40 };
        let request = ApiRequest::signed_read("/fapi/v1/openAlgoOrders", weight, maybe_symbol(name));
        let rows: Vec<AlgoRow> = self.read("openAlgoOrders", request).await?;
        let mut names = self.names();
        rows.iter().for_each(|row| names.learn(OrderSpace::Algo, row.algo_id, &row.client_algo_id));
        drop(names);
        Ok(rows)
    }

    /// `GET /fapi/v1/allAlgoOrders` of a span below 7 days.
    pub async fn all_algo_orders(&self, name: &str, span: Span) -> Result<Vec<AlgoRow>, BrokerError> {
        let params = span.apply(symbol(name));
        self.read("allAlgoOrders", ApiRequest::signed_read("/fapi/v1/allAlgoOrders", 5, params)).await
    }

    /// The state of an order in its own id space.
    pub(crate) async fn report(
        &self,
        name: &str,
        order: &OrderRef,
    ) -> Result<hedge_core::OrderReport, BrokerError> {
        match order.space() {
            OrderSpace::Plain => Ok(crate::decode::order_report(&self.order(name, order).await?)?),
            OrderSpace::Algo => Ok(crate::decode::algo_report(&self.algo_order(order).await?)?),
        }
    }
}

/// Account and settings.
impl Rest {
    /// `GET /fapi/v2/account`: every symbol, with flags.
    pub async fn account_v2(&self) -> Result<Account, BrokerError> {
        // The weight is documented as 5 and announced as 10 (fact sheet 4.7).
        self.read("account v2", ApiRequest::signed_read("/fapi/v2/account", 10, Params::new())).await
    }

    /// `GET /fapi/v3/account`: only symbols with a position or orders.
    pub async fn account_v3(&self) -> Result<Account, BrokerError> {
        self.read("account v3", ApiRequest::signed_read("/fapi/v3/account", 5, Params::new())).await
    }

    /// `GET /fapi/v2/balance`.
    pub async fn balance_v2(&self) -> Result<Vec<BalanceRow>, BrokerError> {
        self.read("balance v2", ApiRequest::signed_read("/fapi/v2/balance", 5, Params::new())).await
    }

    /// `GET /fapi/v3/balance`.
    pub async fn balance_v3(&self) -> Result<Vec<BalanceRow>, BrokerError> {
        self.read("balance v3", ApiRequest::signed_read("/fapi/v3/balance", 5, Params::new())).await
    }

    /// `GET /fapi/v2/positionRisk`: every leg, flat ones too; has leverage and margin type.
    pub async fn position_risk_v2(&self, name: Option<&str>) -> Result<Vec<PositionRow>, BrokerError> {
        self.read("positionRisk v2", ApiRequest::signed_read("/fapi/v2/positionRisk", 10, maybe_symbol(name)))
            .await
    }

    /// `GET /fapi/v3/positionRisk`: a missing leg is flat.
    pub async fn position_risk_v3(&self, name: Option<&str>) -> Result<Vec<PositionRow>, BrokerError> {
        self.read("positionRisk v3", ApiRequest::signed_read("/fapi/v3/positionRisk", 5, maybe_symbol(name)))
            .await
    }

    /// `GET /fapi/v1/symbolConfig`: leverage and margin type.
    pub async fn symbol_config(&self, name: Option<&str>) -> Result<Vec<SymbolConfig>, BrokerError> {
        self.read("symbolConfig", ApiRequest::signed_read("/fapi/v1/symbolConfig", 5, maybe_symbol(name)))
            .await
    }

    /// `GET /fapi/v1/accountConfig`: hedge mode and flags, cheaper than asking for the mode.
    pub async fn account_config(&self) -> Result<AccountConfig, BrokerError> {
        self.read("accountConfig", ApiRequest::signed_read("/fapi/v1/accountConfig", 5, Params::new())).await
    }

    /// `GET /fapi/v1/positionSide/dual`.
    pub async fn position_mode(&self) -> Result<DualSide, BrokerError> {
        self.read(
            "positionSide/dual",
            ApiRequest::signed_read("/fapi/v1/positionSide/dual", 30, Params::new()),
        )
        .await
    }

    /// `GET /fapi/v1/multiAssetsMargin`.
    pub async fn multi_assets_margin(&self) -> Result<MultiAssets, BrokerError> {
        self.read(
            "multiAssetsMargin",
            ApiRequest::signed_read("/fapi/v1/multiAssetsMargin", 30, Params::new()),
        )
        .await
    }

    /// `GET /fapi/v1/feeBurn`: whether fees are paid in BNB.
    pub async fn fee_burn(&self) -> Result<FeeBurn, BrokerError> {
        self.read("feeBurn", ApiRequest::signed_read("/fapi/v1/feeBurn", 30, Params::new())).await
    }

    /// `GET /fapi/v1/leverageBracket`.
    pub async fn leverage_brackets(&self, name: Option<&str>) -> Result<Vec<LeverageBrackets>, BrokerError> {
        let request = ApiRequest::signed_read("/fapi/v1/leverageBracket", 1, maybe_symbol(name));
        let rows: OneOrMany<LeverageBrackets> = self.read("leverageBracket", request).await?;
        Ok(rows.into_vec())
    }

    /// `GET /fapi/v1/commissionRate`.
    pub async fn commission_rate(&self, name: &str) -> Result<CommissionRate, BrokerError> {
        self.read("commissionRate", ApiRequest::signed_read("/fapi/v1/commissionRate", 20, symbol(name)))
            .await
    }

    /// `GET /fapi/v1/income`, one page of at most 1,000 rows, oldest first.
    pub async fn income(&self, span: Span, limit: u32) -> Result<Vec<IncomeRow>, BrokerError> {
        let params = span.apply(Params::new()).with("limit", limit);
        self.read("income", ApiRequest::signed_read("/fapi/v1/income", 30, params)).await
    }
}
