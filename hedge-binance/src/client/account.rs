//! The account and its settings: reads only.

use hedge_core::BrokerError;

use super::{
    call::Rest,
    query::{Span, maybe_symbol, symbol, weight},
};
use crate::{
    encode::{ApiRequest, Params},
    wire::{
        account::{
            Account, AccountConfig, BalanceRow, CommissionRate, DualSide, FeeBurn, IncomeRow,
            LeverageBrackets, MultiAssets, PositionRow, SymbolConfig,
        },
        margin::{AdlQuantileRow, ApiTradingStatus, PositionMarginRow},
        text::IncomeType,
    },
};

/// Account and settings. Each method: *Errors* as [`BrokerError`].
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
        self.rows("leverageBracket", request).await
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

    /// `GET /fapi/v1/income` of one symbol or one kind, one page of at most 1,000 rows, oldest first.
    pub async fn income_of(
        &self,
        name: Option<&str>,
        kind: Option<&IncomeType>,
        span: Span,
        limit: u32,
    ) -> Result<Vec<IncomeRow>, BrokerError> {
        let params = maybe_symbol(name).with_opt("incomeType", kind.map(IncomeType::as_str));
        let params = span.apply(params).with("limit", limit);
        self.read("income", ApiRequest::signed_read("/fapi/v1/income", 30, params)).await
    }

    /// `GET /fapi/v1/apiTradingStatus`: how near the quantitative rules are to locking this account out.
    pub async fn api_trading_status(&self, name: Option<&str>) -> Result<ApiTradingStatus, BrokerError> {
        let request =
            ApiRequest::signed_read("/fapi/v1/apiTradingStatus", weight(name, 1, 10), maybe_symbol(name));
        self.read("apiTradingStatus", request).await
    }

    /// `GET /fapi/v1/adlQuantile`: the legs' places in the queue for auto-deleveraging.
    pub async fn adl_quantile(&self, name: Option<&str>) -> Result<Vec<AdlQuantileRow>, BrokerError> {
        self.rows("adlQuantile", ApiRequest::signed_read("/fapi/v1/adlQuantile", 5, maybe_symbol(name))).await
    }

    /// `GET /fapi/v1/positionMargin/history`: what was moved to and from isolated legs of a symbol.
    pub async fn position_margin_history(
        &self,
        name: &str,
        span: Span,
        limit: u32,
    ) -> Result<Vec<PositionMarginRow>, BrokerError> {
        let params = span.apply(symbol(name)).with("limit", limit);
        let request = ApiRequest::signed_read("/fapi/v1/positionMargin/history", 1, params);
        self.read("positionMargin/history", request).await
    }
}
