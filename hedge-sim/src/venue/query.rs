//! Reads. None of them changes anything.

use super::command::FeeRates;
use super::command::{AccountId, AlgoRef, NewOrder, OrderRef, SymbolId};
use super::error::{Refusal, VenueError};
use super::rules::InstrumentRules;
use super::venue::Venue;
use super::view::*;
use super::vocabulary::IncomeType;

impl Venue {
    /// Instrument of a name.
    pub fn symbol_id(&self, _symbol: &str) -> Option<SymbolId> {
        None
    }
    /// Rules of an instrument.
    pub fn rules(&self, _symbol: SymbolId) -> Option<&InstrumentRules> {
        None
    }
    /// All instruments in listing order.
    pub fn instruments(&self) -> impl Iterator<Item = (SymbolId, &InstrumentRules)> {
        std::iter::empty()
    }
    /// Last and mark.
    pub fn prices(&self, _symbol: SymbolId) -> Option<PricesView> {
        None
    }
    /// Best bid and ask.
    pub fn best(&self, _symbol: SymbolId) -> Option<BestView> {
        None
    }
    /// The book, `limit` levels a side.
    pub fn depth(&self, _symbol: SymbolId, _limit: usize) -> Option<DepthView> {
        None
    }
    /// All checks of a placement, nothing placed (`POST order/test`).
    pub fn test_order(&self, _order: &NewOrder) -> Result<(), VenueError> {
        Err(Refusal::NoSuchOrder.into())
    }
    /// A plain order, open or finished.
    pub fn order(
        &self,
        _account: AccountId,
        _symbol: &str,
        _order: &OrderRef,
    ) -> Result<OrderView, VenueError> {
        Err(Refusal::NoSuchOrder.into())
    }
    /// A plain order that is still open.
    pub fn open_order(
        &self,
        _account: AccountId,
        _symbol: &str,
        _order: &OrderRef,
    ) -> Result<OrderView, VenueError> {
        Err(Refusal::NoSuchOrder.into())
    }
    /// Open plain orders, by id.
    pub fn open_orders(
        &self,
        _account: AccountId,
        _symbol: Option<&str>,
    ) -> Result<Vec<OrderView>, VenueError> {
        Ok(Vec::new())
    }
    /// Plain orders, open or finished, by id.
    pub fn all_orders(
        &self,
        _account: AccountId,
        _symbol: Option<&str>,
        _window: Window,
    ) -> Result<Vec<OrderView>, VenueError> {
        Ok(Vec::new())
    }
    /// Executions of an account, by trade id.
    pub fn user_trades(
        &self,
        _account: AccountId,
        _symbol: &str,
        _order_id: Option<u64>,
        _window: Window,
    ) -> Result<Vec<TradeView>, VenueError> {
        Ok(Vec::new())
    }
    /// An algo order.
    pub fn algo(&self, _account: AccountId, _algo: &AlgoRef) -> Result<AlgoView, VenueError> {
        Err(Refusal::NoSuchOrder.into())
    }
    /// Waiting algo orders, by id.
    pub fn open_algos(
        &self,
        _account: AccountId,
        _symbol: Option<&str>,
    ) -> Result<Vec<AlgoView>, VenueError> {
        Ok(Vec::new())
    }
    /// Algo orders of a symbol, by id.
    pub fn all_algos(
        &self,
        _account: AccountId,
        _symbol: &str,
        _window: Window,
    ) -> Result<Vec<AlgoView>, VenueError> {
        Ok(Vec::new())
    }
    /// Position rows of one symbol or all: BOTH in one-way mode, LONG and SHORT in hedge mode. Flat rows are
    /// included; `active` marks those that v3 endpoints show.
    pub fn positions(
        &self,
        _account: AccountId,
        _symbol: Option<&str>,
    ) -> Result<Vec<PositionView>, VenueError> {
        Ok(Vec::new())
    }
    /// Assets of an account.
    pub fn assets(&self, _account: AccountId) -> Result<Vec<AssetView>, VenueError> {
        Ok(Vec::new())
    }
    /// Settings of an account.
    pub fn account_config(&self, _account: AccountId) -> Result<AccountConfigView, VenueError> {
        Err(Refusal::BadKey.into())
    }
    /// Settings for one symbol or all.
    pub fn symbol_configs(
        &self,
        _account: AccountId,
        _symbol: Option<&str>,
    ) -> Result<Vec<SymbolConfigView>, VenueError> {
        Ok(Vec::new())
    }
    /// Fee rates for a symbol.
    pub fn commission_rate(&self, _account: AccountId, _symbol: &str) -> Result<FeeRates, VenueError> {
        Err(Refusal::BadKey.into())
    }
    /// Ledger rows, oldest first. `window.from_id` is ignored.
    pub fn income(
        &self,
        _account: AccountId,
        _symbol: Option<&str>,
        _kind: Option<IncomeType>,
        _window: Window,
    ) -> Result<Vec<IncomeView>, VenueError> {
        Ok(Vec::new())
    }
    /// Hash of the whole state: equal digests mean equal exchanges.
    pub fn state_digest(&self) -> String {
        String::new()
    }
    /// The latest time any command brought.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }
}
