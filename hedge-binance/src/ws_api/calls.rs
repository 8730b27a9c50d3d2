//! The methods that are not about orders, each as the REST call whose twin it is.

use hedge_core::{BrokerError, OrderRef};
use hedge_http::Method;

use crate::{
    client::{Binance, Mode},
    encode::{ApiRequest, Params, plain_ref},
    wire::{
        account::{Account, BalanceRow, ListenKeyAnswer, PositionRow},
        list::OneOrMany,
        market::{BookTicker, Depth},
        order::OrderRow,
        ticker::PriceTicker,
    },
};

/// Questions over the WebSocket API. They are not repeated: ask by REST where that matters.
#[derive(Debug)]
pub struct WsApi<'a, M: Mode>(&'a Binance<M>);

impl<M: Mode> Binance<M> {
    /// The WebSocket API of this account.
    pub const fn ws_api(&self) -> WsApi<'_, M> {
        WsApi(self)
    }
}

impl<M: Mode> WsApi<'_, M> {
    /// `v2/account.balance`.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn balance(&self) -> Result<Vec<BalanceRow>, BrokerError> {
        self.list("balance", ApiRequest::signed_read("/fapi/v3/balance", 5, Params::new())).await
    }

    /// `account.balance`, the older form.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn balance_v1(&self) -> Result<Vec<BalanceRow>, BrokerError> {
        self.list("balance", ApiRequest::signed_read("/fapi/v2/balance", 5, Params::new())).await
    }

    /// `v2/account.status`.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn account(&self) -> Result<Account, BrokerError> {
        self.ask("account", ApiRequest::signed_read("/fapi/v3/account", 5, Params::new())).await
    }

    /// `account.status`, the older form with all symbols.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn account_v1(&self) -> Result<Account, BrokerError> {
        self.ask("account", ApiRequest::signed_read("/fapi/v2/account", 10, Params::new())).await
    }

    /// `v2/account.position`: open legs and legs with orders.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn positions(&self, symbol: Option<&str>) -> Result<Vec<PositionRow>, BrokerError> {
        let params = Params::new().with_opt("symbol", symbol);
        self.list("positionRisk", ApiRequest::signed_read("/fapi/v3/positionRisk", 5, params)).await
    }

    /// `account.position`, the older form with all symbols.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn positions_v1(&self, symbol: Option<&str>) -> Result<Vec<PositionRow>, BrokerError> {
        let params = Params::new().with_opt("symbol", symbol);
        self.list("positionRisk", ApiRequest::signed_read("/fapi/v2/positionRisk", 10, params)).await
    }

    /// `order.status` of a plain order.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST; not found is no proof of absence.
    pub async fn order(&self, symbol: &str, order: &OrderRef) -> Result<OrderRow, BrokerError> {
        let params = plain_ref(Params::new().with("symbol", symbol), order);
        self.ask("order", ApiRequest::signed_read("/fapi/v1/order", 1, params)).await
    }

    /// `ticker.price`.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn price(&self, symbol: &str) -> Result<PriceTicker, BrokerError> {
        let params = Params::new().with("symbol", symbol);
        self.ask("price", ApiRequest::public("/fapi/v2/ticker/price", 1, params)).await
    }

    /// `ticker.price` of every symbol.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn prices(&self) -> Result<Vec<PriceTicker>, BrokerError> {
        self.list("price", ApiRequest::public("/fapi/v2/ticker/price", 2, Params::new())).await
    }

    /// `ticker.book`.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn book_ticker(&self, symbol: &str) -> Result<BookTicker, BrokerError> {
        let params = Params::new().with("symbol", symbol);
        self.ask("bookTicker", ApiRequest::public("/fapi/v1/ticker/bookTicker", 2, params)).await
    }

    /// `depth`, with 5, 10, 20, 50, 100, 500 or 1,000 levels a side.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn depth(&self, symbol: &str, limit: u32) -> Result<Depth, BrokerError> {
        let weight = match limit {
            0..=50 => 2,
            51..=100 => 5,
            101..=500 => 10,
            _ => 20,
        };
        let params = Params::new().with("symbol", symbol).with("limit", limit);
        self.ask("depth", ApiRequest::public("/fapi/v1/depth", weight, params)).await
    }

    /// `userDataStream.start`: the account's listen key, with its hour renewed.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn start_user_data_stream(&self) -> Result<ListenKeyAnswer, BrokerError> {
        self.ask("listenKey", ApiRequest::listen_key(Method::Post)).await
    }

    /// `userDataStream.ping`: another hour.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn ping_user_data_stream(&self) -> Result<ListenKeyAnswer, BrokerError> {
        self.ask("listenKey", ApiRequest::listen_key(Method::Put)).await
    }

    /// `userDataStream.stop`: silences the account's stream for every process that reads it.
    ///
    /// # Errors
    /// [`BrokerError`], as for REST.
    pub async fn stop_user_data_stream(&self) -> Result<(), BrokerError> {
        let _: ListenKeyAnswer = self.ask("listenKey", ApiRequest::listen_key(Method::Delete)).await?;
        Ok(())
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        what: &'static str,
        request: ApiRequest,
    ) -> Result<T, BrokerError> {
        self.0.rest().read_over_ws(what, &request).await
    }

    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        what: &'static str,
        request: ApiRequest,
    ) -> Result<Vec<T>, BrokerError> {
        self.ask::<OneOrMany<T>>(what, request).await.map(OneOrMany::into_vec)
    }
}
