//! Everything that changes an account. Sent once; what is not known afterwards is said to be unknown.

use std::time::Duration;

use hedge_core::{
    BrokerError, ClientOrderId, InstrumentId, Leverage, MarginMode, Order, OrderAck, OrderRef, OrderSide,
    OrderSpace, PositionMode, Qty, RejectReason, SubmitError, Symbol, Timestamp,
};
use hedge_http::{Method, limiter::Priority};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    call::{Exchange, Rest},
    call_error::CallError,
};
use crate::{
    decode::{self, DecodeError, json as decode_json},
    encode::{self, ApiRequest, NewOrder, OrderLeg, OrderType, Params},
    wire::{
        account::{LeverageSet, ListenKeyAnswer},
        algo::{AlgoCancel, AlgoRow},
        order::{CodeMessage, Countdown, OrderRow},
        text::OrderStatus,
    },
};

impl Rest {
    /// Sends an order once, not after `valid_until` (our clock).
    pub(crate) async fn place(
        &self,
        order: &Order,
        valid_until: Option<Timestamp>,
    ) -> Result<OrderAck, SubmitError> {
        self.place_new(NewOrder::from(order), valid_until).await
    }

    /// Closes a position of a one-way account at the market, once. The venue's own flag keeps it from opening or flipping.
    ///
    /// Source: fact sheet 3, "One-way mode" and 4.5.
    pub(crate) async fn reduce_only(
        &self,
        name: Symbol,
        order_side: OrderSide,
        qty: Qty,
        client_id: ClientOrderId,
    ) -> Result<OrderAck, SubmitError> {
        let leg = OrderLeg::OneWay { order_side, reduce_only: true };
        let new = NewOrder { symbol: name, leg, order_type: OrderType::Market(qty), client_id };
        self.place_new(new, None).await
    }

    async fn place_new(
        &self,
        new: NewOrder,
        valid_until: Option<Timestamp>,
    ) -> Result<OrderAck, SubmitError> {
        let (client_id, symbol) = (new.client_id, new.symbol);
        let request = new.request();
        let exchange = self.exchange_until(&request, valid_until).await;
        let own = if new.is_algo() { "clientAlgoId" } else { "newClientOrderId" };
        trace_order(&request, || json!({ own: client_id.as_str() }), &exchange);
        let Exchange { acceptable_until, result } = exchange;
        let fail = |error: BrokerError| SubmitError { error, acceptable_until };
        let response = result.map_err(|error| fail(error.into()))?;
        let ack = if new.is_algo() {
            decode_json::<AlgoRow>("algoOrder", &response.body)
                .and_then(|row| Ok((row.algo_id, decode::algo_ack(client_id, &row)?)))
        } else {
            decode_json::<OrderRow>("order", &response.body)
                .and_then(|row| Ok((row.order_id, decode::ack(client_id, &row)?)))
        };
        let (number, ack) = ack.map_err(|error| fail(error.into()))?;
        // Only a number whose answer is about this order.
        let space = if new.is_algo() { OrderSpace::Algo } else { OrderSpace::Plain };
        self.names().learn(space, symbol.as_str(), number, client_id.as_str());
        Ok(ack)
    }

    /// Cancels one order in its own id space. A triggered conditional order is cancelled as the plain order that it became.
    ///
    /// Source: fact sheet 4.4, 5.1, 5.3.
    pub(crate) async fn cancel(&self, name: &str, order: &OrderRef) -> Result<(), BrokerError> {
        let request = encode::cancel(name, order);
        let exchange = self.exchange(&request).await;
        trace_order(&request, || self.named(name, order), &exchange);
        let response = exchange.result?;
        if encode::cancelled_in(order) == OrderSpace::Plain {
            let row: OrderRow = decode_json("cancel", &response.body)?;
            is_about(order, row.order_id, row.client_order_id.as_deref())?;
            return Ok(has_ended(&row)?);
        }
        let answer: AlgoCancel = decode_json("algo cancel", &response.body)?;
        is_about(order, answer.algo_id, answer.client_algo_id.as_deref())?;
        succeeded(answer.code, answer.msg)
    }

    /// An order by every name that is known of it, as the venue calls them.
    fn named(&self, symbol: &str, order: &OrderRef) -> Value {
        let mut names = serde_json::Map::new();
        match order {
            OrderRef::Plain(id) => names.insert("orderId".to_owned(), json!(id.0)),
            OrderRef::Algo { id, child } => {
                if let Some(child) = child {
                    names.insert("orderId".to_owned(), json!(child.0));
                }
                names.insert("algoId".to_owned(), json!(id.0))
            }
            OrderRef::Client { .. } => None,
        };
        let own = match order.space() {
            OrderSpace::Algo => "clientAlgoId",
            OrderSpace::Plain => "newClientOrderId",
        };
        if let Some(client_id) = self.names().of(symbol, order) {
            names.insert(own.to_owned(), json!(client_id.as_str()));
        }
        Value::Object(names)
    }

    /// Cancels every open order of a symbol in one id space.
    pub(crate) async fn cancel_all_in(&self, name: &str, space: OrderSpace) -> Result<(), BrokerError> {
        self.acknowledged(&encode::cancel_all(name, space)).await
    }

    /// `POST /fapi/v1/positionSide/dual`.
    pub(crate) async fn set_position_mode(&self, mode: PositionMode) -> Result<(), BrokerError> {
        self.acknowledged(&encode::set_position_mode(mode)).await
    }

    /// `POST /fapi/v1/marginType`.
    pub(crate) async fn set_margin_mode(&self, name: &str, mode: MarginMode) -> Result<(), BrokerError> {
        self.acknowledged(&encode::set_margin_mode(name, mode)).await
    }

    /// `POST /fapi/v1/leverage`; the answer must name what was asked for.
    pub(crate) async fn set_leverage(&self, name: &str, leverage: Leverage) -> Result<(), BrokerError> {
        let set: LeverageSet = self.command(&encode::set_leverage(name, leverage)).await?;
        if set.leverage == i64::from(leverage.get()) {
            return Ok(());
        }
        Err(decode::err("leverage", format!("asked for {}, the venue set {}", leverage.get(), set.leverage))
            .into())
    }

    /// `POST /fapi/v1/countdownCancelAll`; zero disarms.
    pub(crate) async fn countdown_cancel_all(
        &self,
        name: &str,
        timer: Option<Duration>,
    ) -> Result<(), BrokerError> {
        let ms = u64::try_from(timer.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        let params = Params::new().with("symbol", name).with("countdownTime", ms);
        let path = "/fapi/v1/countdownCancelAll";
        let request = ApiRequest::command(Method::Post, path, 10, Priority::Protect, params);
        let set: Countdown = self.command(&request).await?;
        if set.symbol == name && i128::from(set.countdown_time) == i128::from(ms) {
            return Ok(());
        }
        let problem =
            format!("asked for {name} {ms} ms, the venue set {} {}", set.symbol, set.countdown_time);
        Err(decode::err("countdownTime", problem).into())
    }

    /// `POST /fapi/v1/listenKey`: a new key, or the active one with its hour renewed.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn create_listen_key(&self) -> Result<ListenKeyAnswer, BrokerError> {
        self.listen_key(Method::Post).await
    }

    /// `PUT /fapi/v1/listenKey`: another hour.
    ///
    /// # Errors
    /// [`BrokerError`]; not found means that the key is gone: create one and connect again (fact sheet 4.10).
    pub async fn renew_listen_key(&self) -> Result<ListenKeyAnswer, BrokerError> {
        self.listen_key(Method::Put).await
    }

    async fn listen_key(&self, method: Method) -> Result<ListenKeyAnswer, BrokerError> {
        // Both verbs only prolong a key, so they are repeated like reads.
        self.read("listenKey", ApiRequest::listen_key(method)).await
    }

    pub(super) async fn acknowledged(&self, request: &ApiRequest) -> Result<(), BrokerError> {
        let answer: CodeMessage = self.command(request).await?;
        succeeded(answer.code, answer.msg)
    }

    pub(super) async fn command<T: DeserializeOwned>(&self, request: &ApiRequest) -> Result<T, BrokerError> {
        let exchange = self.exchange(request).await;
        if let Err(error) = &exchange.result {
            let (method, path) = (request.method.as_str(), request.path);
            tracing::warn!(method, path, status = error.status(), "account command failed");
        }
        let response = exchange.result?;
        Ok(decode_json("answer", &response.body)?)
    }
}

/// Whether an answer is about the order that was asked for, in the id space that was asked; by another one nothing is known of
/// it. An answer to a client id that echoes none is about the one of its request.
fn is_about(order: &OrderRef, number: i64, client_id: Option<&str>) -> Result<(), DecodeError> {
    let is_it = match order {
        OrderRef::Plain(id) | OrderRef::Algo { child: Some(id), .. } | OrderRef::Algo { id, child: None } => {
            id.0 == number
        }
        OrderRef::Client { id, .. } => client_id.is_none_or(|echo| echo == id.as_str()),
    };
    if is_it {
        return Ok(());
    }
    let name = client_id.unwrap_or("no client id");
    Err(decode::err("cancel", format!("{order:?} was asked for, and the answer is about {number} ({name})")))
}

/// A cancel after which the order still stands is none.
pub(super) fn has_ended(row: &OrderRow) -> Result<(), DecodeError> {
    use OrderStatus::{Canceled, Expired, ExpiredInMatch, Filled, Rejected};
    match &row.status {
        Canceled | Expired | ExpiredInMatch | Filled | Rejected => Ok(()),
        other => Err(decode::err("cancel", format!("order {} is {} after it", row.order_id, other.as_str()))),
    }
}

/// `{"code":200}` under HTTP 200; anything else there is not documented.
fn succeeded(code: i64, msg: Option<String>) -> Result<(), BrokerError> {
    if code == 200 {
        return Ok(());
    }
    Err(decode::err("code", format!("{code} under HTTP 200: {}", msg.unwrap_or_default())).into())
}

/// Whether a setting was so already, which is success.
pub(crate) fn is_already_so(error: &BrokerError) -> bool {
    error.reason() == Some(RejectReason::AlreadySo)
}

/// One event per order request: the executor prints it as `ORDER_REQ` or `ORDER_ERR`. No secrets: the path is without its
/// query, the body is the venue's answer.
pub(super) fn trace_order(request: &ApiRequest, names: impl FnOnce() -> Value, exchange: &Exchange) {
    let (method, path) = (request.method.as_str(), request.path);
    match &exchange.result {
        Ok(_) if !tracing::enabled!(target: "hedge::order_req", tracing::Level::INFO) => {}
        Ok(response) => {
            let body = serde_json::from_slice::<Value>(&response.body).unwrap_or(Value::Null);
            tracing::info!(
                target: "hedge::order_req", method, path, status = response.status, body = %body, "order request"
            );
        }
        Err(error) => {
            let mut body = names();
            body["code"] = json!(error_code(error));
            body["msg"] = json!(error_text(error));
            tracing::warn!(
                target: "hedge::order_err", method, path, status = error.status(), body = %body, "order request failed"
            );
        }
    }
}

fn error_code(error: &CallError) -> Option<i64> {
    error.body().map(|body| body.code)
}

fn error_text(error: &CallError) -> String {
    match error {
        CallError::Budget(wait) => format!("not sent: our request budget is used up for {wait:?}"),
        CallError::TooDear(pool) => format!("not sent: it costs more than its share of {pool}"),
        CallError::Stale => "not sent: its approval went stale".to_owned(),
        CallError::Guarded(because) => format!("not sent: {because}"),
        CallError::Sign(error) => format!("not sent: {error}"),
        CallError::Http(error) => error.to_string(),
        CallError::Answer { body: Some(body), .. } => body.msg.clone(),
        CallError::Answer { body: None, status, .. } => format!("HTTP {status} without an error body"),
    }
}

/// What stands in the way of a switch of the position mode, by name.
pub(crate) async fn blockers(rest: &Rest) -> String {
    let mut found: Vec<String> = Vec::new();
    match rest.open_orders(None).await {
        Ok(rows) => found.extend(rows.iter().map(|row| {
            format!("order {} {} ({})", known(&row.symbol), row.order_id, known(&row.client_order_id))
        })),
        Err(error) => found.push(format!("open orders could not be read: {error}")),
    }
    match rest.open_algo_orders(None).await {
        Ok(rows) => found.extend(rows.iter().map(|row| {
            let (symbol, id) = (known(&row.symbol), known(&row.client_algo_id));
            format!("conditional order {symbol} {} ({id})", row.algo_id)
        })),
        Err(error) => found.push(format!("conditional orders could not be read: {error}")),
    }
    match rest.position_risk_v3(None).await {
        Ok(rows) => found.extend(rows.iter().filter(|row| !row.position_amt.is_zero()).map(|row| {
            format!("position {} {} {}", row.symbol, row.position_side.as_str(), row.position_amt)
        })),
        Err(error) => found.push(format!("positions could not be read: {error}")),
    }
    if found.is_empty() {
        // The mode is shared with COIN-M since June 2026 (fact sheet 3).
        found.push("nothing in USD-M; look for COIN-M orders and positions of the same account".to_owned());
    }
    found.join(", ")
}

fn known(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or("?")
}

/// Name of an instrument at the venue.
pub(crate) fn name(instrument: &InstrumentId) -> &str {
    instrument.symbol.as_str()
}
