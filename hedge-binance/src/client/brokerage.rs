//! The power to change the account.

use std::time::Duration;

use async_trait::async_trait;
use hedge_core::{
    Approved, BrokerError, Brokerage, Changed, ClientOrderId, Close, InstrumentId, Leg, Leverage, MarginMode,
    Order, OrderAck, OrderRef, OrderSide, OrderSpace, OrderSpaces, PositionMode, Qty, RejectReason,
    SubmitError, Timestamp,
};

use super::{
    Armed, Binance, Closing, Shared,
    commands::{blockers, is_already_so, name},
};
use crate::wire::text::MarginWord;

#[async_trait]
impl<M: Armed> Brokerage for Binance<M> {
    async fn submit(&self, order: &Approved<Order>) -> Result<OrderAck, SubmitError> {
        if !M::OPENS && matches!(order.get().leg(), Leg::Open(_)) {
            let source =
                format!("{} opens, and this client was armed for exits only", order.get().client_id());
            let error = BrokerError::NotSent { source: source.into() };
            return Err(SubmitError { error, acceptable_until: None });
        }
        let now = self.shared.rest.local_now();
        if order.valid_until().is_some_and(|until| now > until) {
            let source = format!("the approval of {} is stale", order.get().client_id()).into();
            return Err(SubmitError { error: BrokerError::NotSent { source }, acceptable_until: None });
        }
        submit(&self.shared, order.get(), order.valid_until()).await
    }

    async fn cancel(&self, instrument: &InstrumentId, order: &OrderRef) -> Result<(), BrokerError> {
        self.shared.rest.cancel(name(instrument), order).await
    }

    async fn cancel_all(&self, instrument: &InstrumentId, which: OrderSpaces) -> Result<(), BrokerError> {
        cancel_all(&self.shared, instrument, which).await
    }

    async fn ensure_position_mode(&self, mode: PositionMode) -> Result<Changed, BrokerError> {
        let is_hedge = self.shared.rest.account_config().await?.dual_side_position;
        if is_hedge == (mode == PositionMode::Hedge) {
            return Ok(Changed::No);
        }
        if !M::OPENS {
            let source =
                "the account is not in the wanted position mode, and this client was armed for exits only";
            return Err(BrokerError::NotSent { source: source.into() });
        }
        match changed(self.shared.rest.set_position_mode(mode).await) {
            Err(BrokerError::Rejected { reason: reason @ RejectReason::Precondition, code, message }) => {
                let blockers = blockers(&self.shared.rest).await;
                let message = format!("{message}; the position mode stays because of: {blockers}");
                Err(BrokerError::Rejected { reason, code, message })
            }
            result => result,
        }
    }

    async fn ensure_margin_mode(
        &self,
        instrument: &InstrumentId,
        mode: MarginMode,
    ) -> Result<Changed, BrokerError> {
        let found = margin_mode(&symbol_config(&self.shared, instrument).await?.margin_type)?;
        if found == mode || stays::<M>(instrument, "margin mode", &format!("{found:?}")) {
            return Ok(Changed::No);
        }
        changed(self.shared.rest.set_margin_mode(name(instrument), mode).await)
    }

    async fn ensure_leverage(
        &self,
        instrument: &InstrumentId,
        leverage: Leverage,
    ) -> Result<Changed, BrokerError> {
        let found = symbol_config(&self.shared, instrument).await?.leverage;
        if found == i64::from(leverage.get()) || stays::<M>(instrument, "leverage", &found.to_string()) {
            return Ok(Changed::No);
        }
        changed(self.shared.rest.set_leverage(name(instrument), leverage).await)
    }

    /// Resting plain orders only; whether conditional orders go too is UNCONFIRMED and assumed not (fact sheet 4.4).
    async fn dead_man(&self, instrument: &InstrumentId, timer: Option<Duration>) -> Result<(), BrokerError> {
        self.shared.rest.countdown_cancel_all(name(instrument), timer).await
    }
}

impl Binance<Closing> {
    /// Sends a close, once.
    ///
    /// # Errors
    /// [`SubmitError`]; on an unknown outcome ask for the order before anything else.
    pub async fn submit_close(&self, close: &Approved<Close>) -> Result<OrderAck, SubmitError> {
        submit(&self.shared, close.get().order(), close.valid_until()).await
    }

    /// Closes a position of a one-way account at the market, once. The request carries `reduceOnly`, so it can neither open
    /// nor flip.
    ///
    /// # Errors
    /// As [`submit_close`](Self::submit_close).
    pub async fn submit_reduce_only(
        &self,
        instrument: &InstrumentId,
        order_side: OrderSide,
        qty: Qty,
        client_id: ClientOrderId,
    ) -> Result<OrderAck, SubmitError> {
        self.shared.rest.reduce_only(instrument.symbol, order_side, qty, client_id).await
    }

    /// Cancels one order.
    ///
    /// # Errors
    /// [`BrokerError`]; not found means: ask what became of it.
    pub async fn cancel(&self, instrument: &InstrumentId, order: &OrderRef) -> Result<(), BrokerError> {
        self.shared.rest.cancel(name(instrument), order).await
    }

    /// Cancels every open order of an instrument in the stated id spaces.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn cancel_all(&self, instrument: &InstrumentId, which: OrderSpaces) -> Result<(), BrokerError> {
        cancel_all(&self.shared, instrument, which).await
    }
}

/// Whether a setting that differs is left as it is: it matters to openings, and there will be none.
fn stays<M: Armed>(instrument: &InstrumentId, what: &str, found: &str) -> bool {
    if !M::OPENS {
        tracing::warn!(%instrument, what, found, "not as configured; left alone, because nothing is opened");
    }
    !M::OPENS
}

async fn submit(
    shared: &Shared,
    order: &Order,
    valid_until: Option<Timestamp>,
) -> Result<OrderAck, SubmitError> {
    // Known before it is sent: its event may arrive before its answer.
    shared.tracker.note_symbol(order.position().instrument);
    let ack = shared.rest.place(order, valid_until).await?;
    shared.tracker.note_ack(order.position().instrument, &ack);
    Ok(ack)
}

async fn cancel_all(
    shared: &Shared,
    instrument: &InstrumentId,
    which: OrderSpaces,
) -> Result<(), BrokerError> {
    if which != OrderSpaces::Algo {
        shared.rest.cancel_all_in(name(instrument), OrderSpace::Plain).await?;
    }
    if which != OrderSpaces::Plain {
        shared.rest.cancel_all_in(name(instrument), OrderSpace::Algo).await?;
    }
    Ok(())
}

async fn symbol_config(
    shared: &Shared,
    instrument: &InstrumentId,
) -> Result<crate::wire::account::SymbolConfig, BrokerError> {
    let rows = shared.rest.symbol_config(Some(name(instrument))).await?;
    rows.into_iter()
        .find(|row| row.symbol == name(instrument))
        .ok_or_else(|| crate::decode::err("symbolConfig", format!("no row for {}", instrument.symbol)).into())
}

/// CROSSED or ISOLATED in any of the venue's spellings.
pub(super) fn margin_mode(word: &MarginWord) -> Result<MarginMode, BrokerError> {
    match word {
        MarginWord::Crossed | MarginWord::Cross | MarginWord::CrossedLower => Ok(MarginMode::Crossed),
        MarginWord::Isolated | MarginWord::IsolatedLower => Ok(MarginMode::Isolated),
        MarginWord::Unknown(text) => {
            Err(crate::decode::err("marginType", format!("{text:?} is not known")).into())
        }
    }
}

/// "So already" is success: somebody else was faster.
pub(super) fn changed(result: Result<(), BrokerError>) -> Result<Changed, BrokerError> {
    match result {
        Ok(()) => Ok(Changed::Yes),
        Err(error) if is_already_so(&error) => Ok(Changed::No),
        Err(error) => Err(error),
    }
}
