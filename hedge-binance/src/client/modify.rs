//! Another price or quantity for a resting limit order.

use hedge_core::{Approved, Leg, Order, OrderReport, OrderSpace, SubmitError, Timestamp};
use serde_json::json;

use super::{
    Armed, Binance,
    batch::not_sent,
    call::{Exchange, Rest},
    commands::trace_order,
};
use crate::{
    decode::{self, DecodeError, json as decode_json},
    encode::Amendment,
    wire::order::OrderRow,
};

impl<M: Armed> Binance<M> {
    /// Changes price and quantity of a resting limit order into what the gate has approved, once: `PUT /fapi/v1/order`.
    ///
    /// The order keeps its client id, its leg and its time in force; it loses its place in the queue. `resting` is the order
    /// as the venue has described it. The approval counts in full: an order that has filled in part fills at most to the
    /// approved quantity. The venue cancels the order instead where the new quantity is already filled, or where a post-only
    /// order would take; the answer then says so. Source: fact sheet 4.5, "PUT modify".
    ///
    /// # Errors
    /// [`SubmitError`]. `NotSent` where the approved order is no limit order of the same instrument, leg and direction.
    /// When the outcome is unknown, ask for the order: it rests in its old or in its new form.
    pub async fn modify(
        &self,
        resting: &OrderReport,
        approved: &Approved<Order>,
    ) -> Result<OrderReport, SubmitError> {
        let amendment = self.amendment(resting, approved).map_err(not_sent)?;
        let request = amendment.request();
        let asked_at = self.shared.rest.venue_now();
        let exchange = self.shared.rest.exchange_until(&request, approved.valid_until()).await;
        trace_order(&request, || json!({ "orderId": amendment.order_id() }), &exchange);
        let Exchange { acceptable_until, result } = exchange;
        let report = match result {
            Ok(response) => decode_json::<OrderRow>("modify", &response.body)
                .and_then(|row| amendment.report(row, &self.shared.rest, asked_at))
                .map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        let report = report.map_err(|error| SubmitError { error, acceptable_until })?;
        self.shared.tracker.note_report(&report);
        Ok(report)
    }

    /// An amendment that this client may send now.
    pub(super) fn amendment(
        &self,
        resting: &OrderReport,
        approved: &Approved<Order>,
    ) -> Result<Amendment, String> {
        let id = approved.get().client_id();
        if !M::OPENS && matches!(approved.get().leg(), Leg::Open(_)) {
            return Err(format!("{id} opens, and this client was armed for exits only"));
        }
        if approved.valid_until().is_some_and(|until| self.shared.rest.local_now() > until) {
            return Err(format!("the approval of {id} is stale"));
        }
        let amendment = Amendment::new(resting, approved.get()).map_err(|error| error.to_string())?;
        if let Some(id) = resting.client_id.ours() {
            let symbol = resting.instrument.symbol;
            self.shared.rest.names().learn(
                OrderSpace::Plain,
                symbol.as_str(),
                amendment.order_id(),
                id.as_str(),
            );
        }
        Ok(amendment)
    }
}

impl Amendment {
    /// The order after the change; an answer about another order or leg is none. What the answer leaves out is as it was asked
    /// for, and its time that of the question: a later one would outdate executions that are on their way.
    pub(super) fn report(
        &self,
        mut row: OrderRow,
        rest: &Rest,
        asked_at: Timestamp,
    ) -> Result<OrderReport, DecodeError> {
        if row.order_id == self.order_id() {
            self.complete(&mut row);
            rest.complete(&mut row, None, None, asked_at);
        }
        let report = decode::order_report(&row)?;
        if row.order_id != self.order_id() || !self.is_about(&report) {
            return Err(decode::err(
                "modify",
                format!(
                    "order {} {:?} stands where {} was changed",
                    row.order_id,
                    report.side,
                    self.order_id()
                ),
            ));
        }
        Ok(report)
    }
}
