//! From a call to its handler.

use std::fmt;

use serde_json::{Value, json};

use super::error::ApiError;
use super::listen_key::KeyChange;
use super::params::Params;
use super::rest_data::Figure;
use super::routes::Call;
use super::state::{ACCOUNT, Core};
use super::{
    composite, rest_account as account, rest_algos as algos, rest_amend as amend, rest_batch as batch,
    rest_data as data, rest_klines as klines, rest_margin as margin, rest_market as market,
    rest_orders as orders, sessions,
};

/// What a call comes to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The answer.
    Answer(Value),
    /// What is left to do for the answer when the exchange is free for others again.
    Later(Later),
}

/// Work on the past that needs no lock.
pub(crate) struct Later(Box<dyn FnOnce() -> Value + Send>);

impl Later {
    pub(crate) fn new(work: impl FnOnce() -> Value + Send + 'static) -> Self {
        Self(Box::new(work))
    }

    /// Does it. May take a second: not for a task that others wait for.
    pub(crate) fn answer(self) -> Value {
        (self.0)()
    }
}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later")
    }
}

impl Core {
    /// Performs a call whose caller was let in.
    pub(crate) fn perform(&mut self, call: Call, params: &Params) -> Result<Outcome, ApiError> {
        let answer = match call {
            Call::KlinesOf => return klines::of_last(self, params).map(Outcome::Later),
            Call::ContinuousKlines => return klines::continuous(self, params).map(Outcome::Later),
            Call::MarkKlines => return klines::of_mark(self, params).map(Outcome::Later),
            Call::PremiumKlines => return klines::of_premium(self, params).map(Outcome::Later),
            Call::IndexKlines => return klines::of_index(self, params).map(Outcome::Later),
            Call::HeldHistory => return data::rows(self, params, Figure::OpenInterest).map(Outcome::Later),
            Call::GlobalRatio => return data::rows(self, params, Figure::GlobalAccounts).map(Outcome::Later),
            Call::TopAccountRatio => {
                return data::rows(self, params, Figure::TopAccounts).map(Outcome::Later);
            }
            Call::TopPositionRatio => {
                return data::rows(self, params, Figure::TopPositions).map(Outcome::Later);
            }
            Call::TakerRatio => return data::rows(self, params, Figure::TakerVolume).map(Outcome::Later),
            Call::BasisHistory => return data::rows(self, params, Figure::Basis).map(Outcome::Later),
            Call::FundingRate => return market::funding_rate(self, params).map(Outcome::Later),

            Call::Ping => Ok(json!({})),
            Call::Time => Ok(json!({"serverTime": self.now_ms()})),
            Call::ExchangeInfo => Ok(market::exchange_info(self)),
            Call::PremiumIndex => market::premium_index(self, params),
            Call::FundingInfo => Ok(market::funding_info(self)),
            Call::BookTicker => market::book_ticker(self, params),
            Call::BookTickerOfFrames => market::book_ticker_with_id(self, params),
            Call::PriceTicker | Call::PriceTickerV2 => market::price_ticker(self, params),
            Call::DayTicker => market::day_ticker(self, params),
            Call::DepthOf => market::depth(self, params),
            Call::AggTrades => market::agg_trades(self, params),
            Call::Trades => market::trades(self, params),
            Call::HistoricalTrades => market::historical_trades(self, params),
            Call::RpiDepth => market::rpi_depth(self, params),
            Call::Constituents => composite::constituents(self, params),
            Call::IndexInfo => composite::index_info(self, params),
            Call::AssetIndexes => composite::asset_index(self, params),
            Call::DeliveryPrices => data::delivery_prices(self, params),
            Call::InsuranceBalance => market::insurance_balance(self, params),
            Call::AdlRisk => market::adl_risk(self, params),
            Call::TradingSchedule => Ok(sessions::schedule(self.now_ms())),
            Call::OpenInterest => market::open_interest(self, params),

            Call::PlaceOrder => orders::place(self, params),
            Call::GetOrder => orders::get(self, params),
            Call::CancelOrder => orders::cancel(self, params),
            Call::GetOpenOrder => orders::get_open(self, params),
            Call::OpenOrders => orders::open(self, params),
            Call::AllOrders => orders::all(self, params),
            Call::UserTrades => orders::user_trades(self, params),
            Call::CancelAllOrders => orders::cancel_all(self, params),
            Call::TestOrder => orders::test(self, params),
            Call::ModifyOrder => amend::modify(self, params),
            Call::Amendments => amend::record(self, params),
            Call::PlaceBatch => batch::place(self, params),
            Call::ModifyBatch => batch::modify(self, params),
            Call::CancelBatch => batch::cancel(self, params),
            Call::Countdown => self.countdown(params),
            Call::ForceOrders => margin::force_orders(self, params),

            Call::PlaceAlgo => algos::place(self, params),
            Call::GetAlgo => algos::get(self, params),
            Call::CancelAlgo => algos::cancel(self, params),
            Call::OpenAlgos => algos::open(self, params),
            Call::CancelAllAlgos => algos::cancel_all(self, params),
            Call::AllAlgos => algos::all(self, params),

            Call::SetLeverage => account::set_leverage(self, params),
            Call::SetMarginType => account::set_margin_type(self, params),
            Call::GetPositionMode => account::position_mode(self),
            Call::SetPositionMode => account::set_position_mode(self, params),
            Call::AccountV2 => account::account_v2(self),
            Call::AccountV3 => account::account_v3(self),
            Call::BalanceV2 | Call::BalanceV3 => account::balance(self),
            Call::PositionRiskV2 => account::position_risk_v2(self, params),
            Call::PositionRiskV3 => account::position_risk_v3(self, params),
            Call::SymbolConfig => account::symbol_config(self, params),
            Call::AccountConfig => account::account_config(self),
            Call::LeverageBracket => account::leverage_bracket(self, params),
            Call::CommissionRate => account::commission_rate(self, params),
            Call::Income => account::income(self, params),
            Call::FeeBurn => Ok(json!({"feeBurn": self.venue.fee_burn(ACCOUNT)?})),
            Call::MultiAssets => margin::multi_assets(self),
            Call::SetFeeBurn => margin::set_fee_burn(self, params),
            Call::SetMultiAssets => margin::set_multi_assets(self, params),
            Call::AdjustMargin => margin::adjust(self, params),
            Call::MarginRecord => margin::record(self, params),
            Call::AdlQuantile => margin::adl_quantile(self, params),
            Call::TradingStatus => margin::trading_status(self, params),
            Call::OrderLimits => Ok(account::order_limits()),

            Call::CreateListenKey => self.create_key(),
            Call::RenewListenKey => self.renew_key(),
            Call::DeleteListenKey => self.delete_key(),
        };
        answer.map(Outcome::Answer)
    }

    /// A second `POST` gives the same key and renews it. Source: fact sheet 4.10.
    fn create_key(&mut self) -> Result<Value, ApiError> {
        let change = if self.key.active().is_some() { KeyChange::Renewed } else { KeyChange::Created };
        self.change_key(change)?;
        Ok(json!({"listenKey": self.key.active()}))
    }

    fn renew_key(&mut self) -> Result<Value, ApiError> {
        if self.key.active().is_none() {
            return Err(ApiError::bad(-1125, "This listenKey does not exist."));
        }
        self.change_key(KeyChange::Renewed)?;
        Ok(json!({"listenKey": self.key.active()}))
    }

    /// Silences every connection on the key, without an event.
    fn delete_key(&mut self) -> Result<Value, ApiError> {
        if self.key.active().is_some() {
            self.change_key(KeyChange::Deleted)?;
        }
        Ok(json!({}))
    }
}
