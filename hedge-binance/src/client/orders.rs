//! Orders and fills of the account: reads only.

use hedge_core::{BrokerError, OrderRef, OrderSpace, Timestamp, VenueOrderId};
use serde::de::IgnoredAny;

use super::{
    call::Rest,
    query::{Span, maybe_symbol, symbol, weight},
};
use crate::{
    encode::{ApiRequest, NewOrder, Params, algo_ref, plain_ref},
    wire::{
        algo::AlgoRow,
        market::RateLimit,
        order::{AmendmentRow, OrderRow, TradeRow},
    },
};

/// Why the venue closed a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoClose {
    /// Not enough margin.
    Liquidation,
    /// Somebody else's loss was not covered.
    Adl,
}

impl AutoClose {
    /// The venue's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Liquidation => "LIQUIDATION",
            Self::Adl => "ADL",
        }
    }
}

/// Orders and fills. Each method: *Errors* as [`BrokerError`].
impl Rest {
    /// `GET /fapi/v1/order`. An unknown order is [`RejectReason::NotFound`](hedge_core::RejectReason::NotFound).
    pub async fn order(&self, name: &str, order: &OrderRef) -> Result<OrderRow, BrokerError> {
        let params = plain_ref(symbol(name), order);
        let request = ApiRequest::signed_read("/fapi/v1/order", 1, params);
        self.order_row("order", request, name, order).await
    }

    /// `GET /fapi/v1/openOrders`. Conditional orders are not in it.
    pub async fn open_orders(&self, name: Option<&str>) -> Result<Vec<OrderRow>, BrokerError> {
        let request = ApiRequest::signed_read("/fapi/v1/openOrders", weight(name, 1, 40), maybe_symbol(name));
        self.order_rows("openOrders", request, name).await
    }

    /// `GET /fapi/v1/openOrder`: one order while it is open; one that is done is
    /// [`RejectReason::NotFound`](hedge_core::RejectReason::NotFound).
    pub async fn open_order(&self, name: &str, order: &OrderRef) -> Result<OrderRow, BrokerError> {
        let params = plain_ref(symbol(name), order);
        let request = ApiRequest::signed_read("/fapi/v1/openOrder", 1, params);
        self.order_row("openOrder", request, name, order).await
    }

    /// `GET /fapi/v1/allOrders`: at most 1,000 of less than 7 days; every symbol without a name.
    pub async fn all_orders(
        &self,
        name: Option<&str>,
        span: Span,
        limit: u32,
    ) -> Result<Vec<OrderRow>, BrokerError> {
        let params = span.apply(maybe_symbol(name)).with("limit", limit);
        let request = ApiRequest::signed_read("/fapi/v1/allOrders", 5, params);
        self.order_rows("allOrders", request, name).await
    }

    /// `GET /fapi/v1/allOrders` from an order on.
    pub async fn all_orders_from(
        &self,
        name: &str,
        order_id: i64,
        limit: u32,
    ) -> Result<Vec<OrderRow>, BrokerError> {
        let params = symbol(name).with("orderId", order_id).with("limit", limit);
        let request = ApiRequest::signed_read("/fapi/v1/allOrders", 5, params);
        self.order_rows("allOrders", request, Some(name)).await
    }

    /// `GET /fapi/v1/orderAmendment`: how one order was changed, over the last three months.
    pub async fn order_amendments(
        &self,
        name: &str,
        order: &OrderRef,
        span: Span,
        limit: u32,
    ) -> Result<Vec<AmendmentRow>, BrokerError> {
        let params = span.apply(plain_ref(symbol(name), order)).with("limit", limit);
        self.read("orderAmendment", ApiRequest::signed_read("/fapi/v1/orderAmendment", 1, params)).await
    }

    /// `GET /fapi/v1/forceOrders`: orders by which the venue closed positions of this account, over the last 90 days.
    pub async fn force_orders(
        &self,
        name: Option<&str>,
        why: Option<AutoClose>,
        span: Span,
        limit: u32,
    ) -> Result<Vec<OrderRow>, BrokerError> {
        let params = maybe_symbol(name).with_opt("autoCloseType", why.map(AutoClose::as_str));
        let params = span.apply(params).with("limit", limit);
        let request = ApiRequest::signed_read("/fapi/v1/forceOrders", weight(name, 20, 50), params);
        self.order_rows("forceOrders", request, name).await
    }

    /// `GET /fapi/v1/rateLimit/order`: how many orders this account may place.
    pub async fn order_rate_limits(&self) -> Result<Vec<RateLimit>, BrokerError> {
        let request = ApiRequest::signed_read("/fapi/v1/rateLimit/order", 1, Params::new());
        self.read("rateLimit/order", request).await
    }

    /// `POST /fapi/v1/order/test`: every check of the venue, and nothing is placed.
    ///
    /// # Errors
    /// As for the order itself; a conditional order cannot be tested.
    pub async fn test_order(&self, order: &NewOrder) -> Result<(), BrokerError> {
        let request = order.test_request().ok_or_else(|| BrokerError::NotSent {
            source: "the venue cannot test conditional orders; test a plain one".into(),
        })?;
        let _: IgnoredAny = self.read("order/test", request).await?;
        Ok(())
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

    /// `GET /fapi/v1/userTrades` of one order.
    pub async fn user_trades_of(
        &self,
        name: &str,
        order_id: i64,
        limit: u32,
    ) -> Result<Vec<TradeRow>, BrokerError> {
        let params = symbol(name).with("orderId", order_id).with("limit", limit);
        self.read("userTrades", ApiRequest::signed_read("/fapi/v1/userTrades", 5, params)).await
    }

    /// `GET /fapi/v1/algoOrder`.
    pub async fn algo_order(&self, order: &OrderRef) -> Result<AlgoRow, BrokerError> {
        let params = algo_ref(Params::new(), order);
        let asked_at = self.venue_now();
        let mut row: AlgoRow =
            self.read("algoOrder", ApiRequest::signed_read("/fapi/v1/algoOrder", 1, params)).await?;
        self.complete_algo(&mut row, None, Some(order), asked_at);
        Ok(row)
    }

    /// `GET /fapi/v1/openAlgoOrders`.
    pub async fn open_algo_orders(&self, name: Option<&str>) -> Result<Vec<AlgoRow>, BrokerError> {
        let request =
            ApiRequest::signed_read("/fapi/v1/openAlgoOrders", weight(name, 1, 40), maybe_symbol(name));
        let rows = self.algo_rows("openAlgoOrders", request, name).await?;
        let mut names = self.names();
        for row in &rows {
            if let Some(id) = &row.client_algo_id {
                names.learn(OrderSpace::Algo, row.symbol.as_deref().unwrap_or_default(), row.algo_id, id);
            }
        }
        drop(names);
        Ok(rows)
    }

    /// `GET /fapi/v1/allAlgoOrders` of a span below 7 days.
    pub async fn all_algo_orders(&self, name: &str, span: Span) -> Result<Vec<AlgoRow>, BrokerError> {
        let request = ApiRequest::signed_read("/fapi/v1/allAlgoOrders", 5, span.apply(symbol(name)));
        self.algo_rows("allAlgoOrders", request, Some(name)).await
    }

    /// `GET /fapi/v1/allAlgoOrders` from an order on.
    pub async fn all_algo_orders_from(
        &self,
        name: &str,
        algo_id: i64,
        limit: u32,
    ) -> Result<Vec<AlgoRow>, BrokerError> {
        let params = symbol(name).with("algoId", algo_id).with("limit", limit);
        let request = ApiRequest::signed_read("/fapi/v1/allAlgoOrders", 5, params);
        self.algo_rows("allAlgoOrders", request, Some(name)).await
    }

    /// The state of an order in its own id space.
    pub(crate) async fn report(
        &self,
        name: &str,
        order: &OrderRef,
    ) -> Result<hedge_core::OrderReport, BrokerError> {
        match order.space() {
            OrderSpace::Plain => Ok(crate::decode::order_report(&self.order(name, order).await?)?),
            OrderSpace::Algo => {
                let mut row = self.algo_order(order).await?;
                // The question names no symbol, the caller does.
                row.symbol.get_or_insert_with(|| name.to_owned());
                Ok(crate::decode::algo_report(&row)?)
            }
        }
    }

    async fn order_row(
        &self,
        what: &'static str,
        request: ApiRequest,
        name: &str,
        order: &OrderRef,
    ) -> Result<OrderRow, BrokerError> {
        let asked_at = self.venue_now();
        let mut row: OrderRow = self.read(what, request).await?;
        self.complete(&mut row, Some(name), Some(order), asked_at);
        Ok(row)
    }

    async fn order_rows(
        &self,
        what: &'static str,
        request: ApiRequest,
        name: Option<&str>,
    ) -> Result<Vec<OrderRow>, BrokerError> {
        let asked_at = self.venue_now();
        let mut rows: Vec<OrderRow> = self.read(what, request).await?;
        rows.iter_mut().for_each(|row| self.complete(row, name, None, asked_at));
        Ok(rows)
    }

    async fn algo_rows(
        &self,
        what: &'static str,
        request: ApiRequest,
        name: Option<&str>,
    ) -> Result<Vec<AlgoRow>, BrokerError> {
        let asked_at = self.venue_now();
        let mut rows: Vec<AlgoRow> = self.read(what, request).await?;
        rows.iter_mut().for_each(|row| self.complete_algo(row, name, None, asked_at));
        Ok(rows)
    }

    /// Puts into a row what it leaves out and is known without it: the symbol that was asked for, our id of the order, and
    /// that it was so when we asked. A later moment would outdate events that are on their way.
    pub(super) fn complete(
        &self,
        row: &mut OrderRow,
        name: Option<&str>,
        asked: Option<&OrderRef>,
        asked_at: Timestamp,
    ) {
        if row.symbol.is_none() {
            row.symbol = name.map(str::to_owned);
        }
        if row.client_order_id.is_none() {
            let number = OrderRef::Plain(VenueOrderId(row.order_id));
            row.client_order_id = self.our_id(row.symbol.as_deref(), asked, &number);
        }
        row.update_time.get_or_insert(asked_at.ms());
    }

    fn complete_algo(
        &self,
        row: &mut AlgoRow,
        name: Option<&str>,
        asked: Option<&OrderRef>,
        asked_at: Timestamp,
    ) {
        if row.symbol.is_none() {
            row.symbol = name.map(str::to_owned);
        }
        if row.client_algo_id.is_none() {
            let number = OrderRef::Algo { id: VenueOrderId(row.algo_id), child: None };
            row.client_algo_id = self.our_id(row.symbol.as_deref(), asked, &number);
        }
        row.update_time.get_or_insert(asked_at.ms());
    }

    fn our_id(&self, symbol: Option<&str>, asked: Option<&OrderRef>, number: &OrderRef) -> Option<String> {
        let names = self.names();
        let symbol = symbol.unwrap_or_default();
        let id = asked.and_then(|asked| names.of(symbol, asked)).or_else(|| names.of(symbol, number));
        id.map(|id| id.as_str().to_owned())
    }
}
