//! What is looked up rarely: statistics of positions and reference data. Anybody may ask.

use hedge_core::BrokerError;
use serde::de::DeserializeOwned;

use super::{
    call::Rest,
    query::{Span, maybe_symbol, symbol, weight},
};
use crate::{
    encode::{ApiRequest, Cost, Params},
    wire::{
        list::OneOrMany,
        reference::{AssetIndex, Constituents, IndexInfo, InsuranceFund, SymbolAdlRisk, TradingSchedule},
        statistics::{BasisPoint, DeliveryPrice, LongShortPoint, OpenInterestPoint, TakerVolumePoint},
        text::ContractType,
    },
};

/// Length of a statistic's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says what it is")]
pub enum Period {
    Minutes5,
    Minutes15,
    Minutes30,
    Hour1,
    Hours2,
    Hours4,
    Hours6,
    Hours12,
    Day1,
}

impl Period {
    /// The venue's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minutes5 => "5m",
            Self::Minutes15 => "15m",
            Self::Minutes30 => "30m",
            Self::Hour1 => "1h",
            Self::Hours2 => "2h",
            Self::Hours4 => "4h",
            Self::Hours6 => "6h",
            Self::Hours12 => "12h",
            Self::Day1 => "1d",
        }
    }
}

/// Statistics under `/futures/data`: the last 30 days, with gaps; they share a budget of their own. Each method: *Errors* as
/// [`BrokerError`].
impl Rest {
    /// `GET /futures/data/openInterestHist`.
    pub async fn open_interest_history(
        &self,
        name: &str,
        period: Period,
        span: Span,
        limit: u32,
    ) -> Result<Vec<OpenInterestPoint>, BrokerError> {
        self.statistic("/futures/data/openInterestHist", symbol(name), period, span, limit).await
    }

    /// `GET /futures/data/topLongShortAccountRatio`: top traders by accounts.
    pub async fn top_account_ratio(
        &self,
        name: &str,
        period: Period,
        span: Span,
        limit: u32,
    ) -> Result<Vec<LongShortPoint>, BrokerError> {
        self.statistic("/futures/data/topLongShortAccountRatio", symbol(name), period, span, limit).await
    }

    /// `GET /futures/data/topLongShortPositionRatio`: top traders by positions.
    pub async fn top_position_ratio(
        &self,
        name: &str,
        period: Period,
        span: Span,
        limit: u32,
    ) -> Result<Vec<LongShortPoint>, BrokerError> {
        self.statistic("/futures/data/topLongShortPositionRatio", symbol(name), period, span, limit).await
    }

    /// `GET /futures/data/globalLongShortAccountRatio`: all accounts.
    pub async fn global_account_ratio(
        &self,
        name: &str,
        period: Period,
        span: Span,
        limit: u32,
    ) -> Result<Vec<LongShortPoint>, BrokerError> {
        self.statistic("/futures/data/globalLongShortAccountRatio", symbol(name), period, span, limit).await
    }

    /// `GET /futures/data/takerlongshortRatio`: what takers bought and sold.
    pub async fn taker_volume(
        &self,
        name: &str,
        period: Period,
        span: Span,
        limit: u32,
    ) -> Result<Vec<TakerVolumePoint>, BrokerError> {
        self.statistic("/futures/data/takerlongshortRatio", symbol(name), period, span, limit).await
    }

    /// `GET /futures/data/basis`: contract less index.
    pub async fn basis(
        &self,
        pair: &str,
        contract: &ContractType,
        period: Period,
        span: Span,
        limit: u32,
    ) -> Result<Vec<BasisPoint>, BrokerError> {
        let params = Params::new().with("pair", pair).with("contractType", contract.as_str());
        self.statistic("/futures/data/basis", params, period, span, limit).await
    }

    /// `GET /futures/data/delivery-price`: of the quarterly contracts of a pair.
    pub async fn delivery_prices(&self, pair: &str) -> Result<Vec<DeliveryPrice>, BrokerError> {
        let params = Params::new().with("pair", pair);
        let request = ApiRequest::from_pool("/futures/data/delivery-price", Cost::Statistics, params);
        self.read("delivery-price", request).await
    }

    async fn statistic<T: DeserializeOwned>(
        &self,
        path: &'static str,
        params: Params,
        period: Period,
        span: Span,
        limit: u32,
    ) -> Result<T, BrokerError> {
        let params = span.apply(params.with("period", period.as_str()).with("limit", limit));
        self.read("statistic", ApiRequest::from_pool(path, Cost::Statistics, params)).await
    }
}

/// Reference data. Each method: *Errors* as [`BrokerError`].
impl Rest {
    /// `GET /fapi/v1/constituents`: what an index price is made of.
    pub async fn constituents(&self, name: &str) -> Result<Constituents, BrokerError> {
        self.read("constituents", ApiRequest::public("/fapi/v1/constituents", 2, symbol(name))).await
    }

    /// `GET /fapi/v1/indexInfo`: symbols that are indices of several assets.
    pub async fn index_info(&self, name: Option<&str>) -> Result<Vec<IndexInfo>, BrokerError> {
        self.rows("indexInfo", ApiRequest::public("/fapi/v1/indexInfo", 1, maybe_symbol(name))).await
    }

    /// `GET /fapi/v1/assetIndex`: what assets count in multi-assets mode.
    pub async fn asset_index(&self, name: Option<&str>) -> Result<Vec<AssetIndex>, BrokerError> {
        let request = ApiRequest::public("/fapi/v1/assetIndex", weight(name, 1, 10), maybe_symbol(name));
        self.rows("assetIndex", request).await
    }

    /// `GET /fapi/v1/insuranceBalance`: the insurance funds, or the one of a symbol.
    pub async fn insurance_funds(&self, name: Option<&str>) -> Result<Vec<InsuranceFund>, BrokerError> {
        let request = ApiRequest::public("/fapi/v1/insuranceBalance", 1, maybe_symbol(name));
        self.rows("insuranceBalance", request).await
    }

    /// `GET /fapi/v1/symbolAdlRisk`: how likely auto-deleveraging is.
    pub async fn symbol_adl_risk(&self, name: Option<&str>) -> Result<Vec<SymbolAdlRisk>, BrokerError> {
        self.rows("symbolAdlRisk", ApiRequest::public("/fapi/v1/symbolAdlRisk", 1, maybe_symbol(name))).await
    }

    /// `GET /fapi/v1/tradingSchedule`: sessions of the markets behind equity and commodity perpetuals.
    pub async fn trading_schedule(&self) -> Result<TradingSchedule, BrokerError> {
        let request = ApiRequest::public("/fapi/v1/tradingSchedule", 5, Params::new());
        self.read("tradingSchedule", request).await
    }

    /// A list, also where one symbol gives one object.
    pub(super) async fn rows<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: ApiRequest,
    ) -> Result<Vec<T>, BrokerError> {
        Ok(self.read::<OneOrMany<T>>(what, request).await?.into_vec())
    }
}
