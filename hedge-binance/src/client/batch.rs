//! Several orders in one request: one outcome for each, whatever becomes of the request.

use hedge_core::{
    Approved, BrokerError, Close, InstrumentId, Leg, Order, OrderAck, OrderRef, OrderReport, SubmitError,
    Timestamp,
};
use serde::de::DeserializeOwned;
use serde_json::{json, value::RawValue};

use super::{
    Armed, Binance, Closing, Shared,
    call::{Exchange, Rest},
    commands::{has_ended, name, trace_order},
};
use crate::{
    codes::ErrorBody,
    decode,
    encode::{Amendment, ApiRequest, BatchCancel, MAX_BATCH_ORDERS, NewOrder, modify_batch, place_batch},
    wire::order::OrderRow,
};

/// The outcomes of one batch, in the order of its items.
struct Outcomes<T> {
    acceptable_until: Option<Timestamp>,
    items: Vec<Result<T, BrokerError>>,
}

impl Rest {
    /// Sends a batch once and reads one row per item.
    ///
    /// A refusal of the whole request is the outcome of each item. So is an answer that is lost, and one that cannot be
    /// matched to the items: then nothing is known about any of them. Source: fact sheet 4.4 and appendix A.
    async fn batch<T: DeserializeOwned>(
        &self,
        request: &ApiRequest,
        ids: Vec<String>,
        valid_until: Option<Timestamp>,
    ) -> Outcomes<T> {
        let exchange = self.exchange_until(request, valid_until).await;
        trace_order(request, || json!({ "batch": ids }), &exchange);
        let Exchange { acceptable_until, result } = exchange;
        let items = match result {
            Ok(response) => self.items(request, &response.body, ids.len()),
            Err(error) => repeated(&error.into(), ids.len()),
        };
        Outcomes { acceptable_until, items }
    }

    fn items<T: DeserializeOwned>(
        &self,
        request: &ApiRequest,
        body: &[u8],
        count: usize,
    ) -> Vec<Result<T, BrokerError>> {
        let rows: Vec<&RawValue> = match serde_json::from_slice(body) {
            Ok(rows) => rows,
            Err(error) => return repeated(&decode::err("batch", error).into(), count),
        };
        if rows.len() != count {
            let error = decode::err("batch", format!("{} answers to {count} items", rows.len()));
            return repeated(&error.into(), count);
        }
        rows.iter()
            .map(|row| match ErrorBody::parse(row.get().as_bytes()) {
                Some(body) => Err(self.refused_item(request, body).into()),
                None => Ok(decode::json("batch item", row.get().as_bytes())?),
            })
            .collect()
    }

    async fn submit_all(
        &self,
        orders: &[NewOrder],
        valid_until: Option<Timestamp>,
    ) -> Vec<Result<OrderAck, SubmitError>> {
        let ids = orders.iter().map(|order| order.client_id.as_str().to_owned()).collect();
        let answer = self.batch::<OrderRow>(&place_batch(orders.iter()), ids, valid_until).await;
        let acceptable_until = answer.acceptable_until;
        let items = in_their_places(answer.items, |place, row| {
            let echo = row.client_order_id.as_deref();
            orders.get(place).is_some_and(|order| echo == Some(order.client_id.as_str()))
        });
        let acks = items.into_iter().zip(orders).map(|(row, order)| {
            let ack = row.and_then(|row| {
                let ack = decode::ack(order.client_id, &row)?;
                let (symbol, id) = (order.symbol.as_str(), order.client_id.as_str());
                self.names().learn(hedge_core::OrderSpace::Plain, symbol, row.order_id, id);
                Ok(ack)
            });
            ack.map_err(|error| SubmitError { error, acceptable_until })
        });
        acks.collect()
    }

    async fn modify_all(
        &self,
        amendments: &[Amendment],
        valid_until: Option<Timestamp>,
    ) -> Vec<Result<OrderReport, SubmitError>> {
        let ids = amendments.iter().map(|amendment| amendment.order_id().to_string()).collect();
        let asked_at = self.venue_now();
        let answer = self.batch::<OrderRow>(&modify_batch(amendments.iter()), ids, valid_until).await;
        let acceptable_until = answer.acceptable_until;
        let items = in_their_places(answer.items, |place, row| {
            amendments.get(place).is_some_and(|amendment| row.order_id == amendment.order_id())
        });
        let reports = items.into_iter().zip(amendments).map(|(row, amendment)| {
            let report = row.and_then(|row| Ok(amendment.report(row, self, asked_at)?));
            report.map_err(|error| SubmitError { error, acceptable_until })
        });
        reports.collect()
    }

    async fn cancel_each(&self, symbol: &str, orders: &[OrderRef]) -> Vec<Result<(), BrokerError>> {
        let list = match BatchCancel::new(orders) {
            Ok(list) => list,
            Err(why) => return repeated(&BrokerError::NotSent { source: why.into() }, orders.len()),
        };
        let ids = match &list {
            BatchCancel::Numbers(numbers) => numbers.iter().map(i64::to_string).collect(),
            BatchCancel::ClientIds(ids) => ids.clone(),
        };
        let answer = self.batch::<OrderRow>(&list.request(symbol), ids, None).await;
        let items = in_their_places(answer.items, |place, row| match &list {
            BatchCancel::Numbers(numbers) => numbers.get(place) == Some(&row.order_id),
            BatchCancel::ClientIds(ids) => {
                row.client_order_id.is_some() && ids.get(place) == row.client_order_id.as_ref()
            }
        });
        items.into_iter().map(|row| Ok(has_ended(&row?)?)).collect()
    }
}

impl<M: Armed> Binance<M> {
    /// Sends up to five plain orders in one request, once: `POST /fapi/v1/batchOrders`. Cheaper than five requests, and
    /// neither faster nor safer: the venue looks at each order alone.
    ///
    /// One outcome per order, in their order. An order that may not be sent (stale, conditional, an opening with a client
    /// that was armed for exits) is `NotSent` and does not keep the others. When the answer is lost, each order that was
    /// sent is unknown: ask for each by its client id.
    pub async fn submit_batch(&self, orders: &[&Approved<Order>]) -> Vec<Result<OrderAck, SubmitError>> {
        let wanted: Vec<Wanted<'_>> = orders
            .iter()
            .map(|order| Wanted { order: order.get(), valid_until: order.valid_until() })
            .collect();
        submit_batch(&self.shared, &wanted, M::OPENS).await
    }

    /// Changes up to five resting orders in one request, once: `PUT /fapi/v1/batchOrders`. Each pair is the order as it
    /// rests and what the gate has approved in its place; see [`modify`](Self::modify).
    ///
    /// One outcome per pair, in their order, as for [`submit_batch`](Self::submit_batch).
    pub async fn modify_batch(
        &self,
        changes: &[(&OrderReport, &Approved<Order>)],
    ) -> Vec<Result<OrderReport, SubmitError>> {
        if let Some(refusals) = too_many(changes.len()) {
            return refusals;
        }
        let amendments: Vec<Result<Amendment, SubmitError>> = changes
            .iter()
            .map(|(resting, approved)| self.amendment(resting, approved).map_err(not_sent))
            .collect();
        let good: Vec<Amendment> = amendments.iter().filter_map(|item| item.as_ref().ok().copied()).collect();
        let valid_until = changes
            .iter()
            .zip(&amendments)
            .filter(|(_, amendment)| amendment.is_ok())
            .filter_map(|((_, approved), _)| approved.valid_until())
            .min();
        let answers = match good.is_empty() {
            true => Vec::new(),
            false => self.shared.rest.modify_all(&good, valid_until).await,
        };
        merged(amendments.into_iter().map(Result::err).collect(), answers)
    }

    /// Cancels up to ten plain orders of an instrument in one request: `DELETE /fapi/v1/batchOrders`. They are all named by
    /// number or all by client id.
    ///
    /// One outcome per order, in their order. When the answer is lost, each is unknown.
    pub async fn cancel_batch(
        &self,
        instrument: &InstrumentId,
        orders: &[OrderRef],
    ) -> Vec<Result<(), BrokerError>> {
        self.shared.rest.cancel_each(name(instrument), orders).await
    }
}

impl Binance<Closing> {
    /// Sends up to five plain closes in one request, once; as [`submit_batch`](Binance::submit_batch).
    pub async fn submit_close_batch(
        &self,
        closes: &[&Approved<Close>],
    ) -> Vec<Result<OrderAck, SubmitError>> {
        let wanted: Vec<Wanted<'_>> = closes
            .iter()
            .map(|close| Wanted { order: close.get().order(), valid_until: close.valid_until() })
            .collect();
        submit_batch(&self.shared, &wanted, false).await
    }

    /// Cancels up to ten plain orders of an instrument in one request, as [`Binance::cancel_batch`] of an armed client.
    pub async fn cancel_batch(
        &self,
        instrument: &InstrumentId,
        orders: &[OrderRef],
    ) -> Vec<Result<(), BrokerError>> {
        self.shared.rest.cancel_each(name(instrument), orders).await
    }
}

/// An order that somebody wants in a batch.
struct Wanted<'a> {
    order: &'a Order,
    valid_until: Option<Timestamp>,
}

async fn submit_batch(
    shared: &Shared,
    wanted: &[Wanted<'_>],
    opens: bool,
) -> Vec<Result<OrderAck, SubmitError>> {
    if let Some(refusals) = too_many(wanted.len()) {
        return refusals;
    }
    let now = shared.rest.local_now();
    let refusals: Vec<Option<SubmitError>> =
        wanted.iter().map(|item| refusal(item, opens, now).map(not_sent)).collect();
    let sent: Vec<&Wanted<'_>> =
        wanted.iter().zip(&refusals).filter(|(_, no)| no.is_none()).map(|(item, _)| item).collect();
    let mut answers = Vec::new();
    if !sent.is_empty() {
        let orders: Vec<NewOrder> = sent.iter().map(|item| NewOrder::from(item.order)).collect();
        // Known before they are sent: an event may arrive before its answer.
        sent.iter().for_each(|item| shared.tracker.note_symbol(item.order.position().instrument));
        let valid_until = sent.iter().filter_map(|item| item.valid_until).min();
        answers = shared.rest.submit_all(&orders, valid_until).await;
        for (item, ack) in sent.iter().zip(&answers) {
            if let Ok(ack) = ack {
                shared.tracker.note_ack(item.order.position().instrument, ack);
            }
        }
    }
    merged(refusals, answers)
}

/// Why an order may not be in a batch.
fn refusal(item: &Wanted<'_>, opens: bool, now: Timestamp) -> Option<String> {
    let id = item.order.client_id();
    if !opens && matches!(item.order.leg(), Leg::Open(_)) {
        return Some(format!("{id} opens, and this client was armed for exits only"));
    }
    if item.valid_until.is_some_and(|until| now > until) {
        return Some(format!("the approval of {id} is stale"));
    }
    NewOrder::from(item.order)
        .is_algo()
        .then(|| format!("{id} is conditional, and a batch takes plain orders only; submit it alone"))
}

fn too_many<T>(count: usize) -> Option<Vec<Result<T, SubmitError>>> {
    let no =
        || Err(not_sent(format!("a batch takes up to {MAX_BATCH_ORDERS} orders, and these are {count}")));
    (count > MAX_BATCH_ORDERS).then(|| (0..count).map(|_| no()).collect())
}

pub(super) fn not_sent(why: String) -> SubmitError {
    SubmitError { error: BrokerError::NotSent { source: why.into() }, acceptable_until: None }
}

/// Puts answers where nothing was refused.
fn merged<T>(
    refusals: Vec<Option<SubmitError>>,
    answers: Vec<Result<T, SubmitError>>,
) -> Vec<Result<T, SubmitError>> {
    let mut answers = answers.into_iter();
    // There is an answer for each item that was sent; were there none, nothing would be known about the item.
    let missing = || SubmitError {
        error: decode::err("batch", "no outcome for an item").into(),
        acceptable_until: None,
    };
    let outcome = |refusal: Option<SubmitError>| match refusal {
        Some(error) => Err(error),
        None => answers.next().unwrap_or_else(|| Err(missing())),
    };
    refusals.into_iter().map(outcome).collect()
}

/// Refusals carry no id: they belong to the item in whose place they stand. So one row that is about another item than the one
/// in its place means that nothing is known about any of them.
fn in_their_places(
    items: Vec<Result<OrderRow, BrokerError>>,
    is_its: impl Fn(usize, &OrderRow) -> bool,
) -> Vec<Result<OrderRow, BrokerError>> {
    let stray = items.iter().enumerate().find_map(|(place, item)| {
        item.as_ref().ok().filter(|row| !is_its(place, row)).map(|row| (place, row))
    });
    let Some((place, row)) = stray else { return items };
    let detail = format!(
        "order {} ({}) is answered in place {} of the batch, where another one was sent",
        row.order_id,
        row.client_order_id.as_deref().unwrap_or("no client id"),
        place + 1
    );
    repeated(&decode::err("batch", detail).into(), items.len())
}

/// The same error for each item.
fn repeated<T>(error: &BrokerError, count: usize) -> Vec<Result<T, BrokerError>> {
    (0..count).map(|_| Err(copy(error))).collect()
}

fn copy(error: &BrokerError) -> BrokerError {
    match error {
        BrokerError::NotSent { source } => BrokerError::NotSent { source: source.to_string().into() },
        BrokerError::Rejected { reason, code, message } => {
            BrokerError::Rejected { reason: *reason, code: *code, message: message.clone() }
        }
        BrokerError::RateLimited { retry_after } => BrokerError::RateLimited { retry_after: *retry_after },
        BrokerError::Malformed { detail, source } => {
            BrokerError::Malformed { detail: detail.clone(), source: source.to_string().into() }
        }
        // Also for kinds of errors that do not exist yet: unknown is never too bold.
        other => BrokerError::OutcomeUnknown { source: other.to_string().into() },
    }
}
