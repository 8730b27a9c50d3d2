//! The line of power: a [`VenueReader`] cannot change an account, a [`Brokerage`] can.
//!
//! ```compile_fail
//! async fn read_only(reader: &dyn hedge_core::VenueReader, order: &hedge_core::Approved<hedge_core::Order>) {
//!     reader.submit(order).await;
//! }
//! ```

use std::{fmt, time::Duration};

use async_trait::async_trait;
use rust_decimal::Decimal;

use crate::{
    error::BrokerError,
    id::{ClientOrderId, InstrumentId},
    instrument::InstrumentSpec,
    money::Leverage,
    order::{Approved, Order},
    position::{MarginMode, Position, PositionMode},
    time::Timestamp,
    venue::{
        AccountEvent, AccountSnapshot, BarQuery, Capabilities, CashFlow, Fill, MarketEvent, OrderRef,
        OrderReport, OrderSpaces, ReportedState, Subscription, VenueFingerprint,
    },
};

/// The venue's answer to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderAck {
    /// Our id, echoed.
    pub client_id: ClientOrderId,
    /// The venue's name of the order.
    pub order: OrderRef,
    /// Its state in the answer.
    pub state: ReportedState,
    /// Filled in the answer, 0 or more.
    pub filled: Decimal,
}

/// A failed submit, with the deadline after which the request can no longer be accepted.
#[derive(Debug)]
pub struct SubmitError {
    /// What went wrong.
    pub error: BrokerError,
    /// Venue time until which the request may still be accepted: its timestamp plus its window. `None` if it never left.
    pub acceptable_until: Option<Timestamp>,
}

/// Whether an `ensure_` call had to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was different.
    Yes,
    /// It was so already.
    No,
}

/// A stream of events.
#[async_trait]
pub trait EventSource<E>: fmt::Debug + Send {
    /// Cancel-safe. `None` means finished for good; a reconnect is an event, not an end.
    async fn next(&mut self) -> Option<E>;
}

/// Everything that cannot change the account. Every venue client implements it, armed or not.
#[async_trait]
pub trait VenueReader: fmt::Debug + Send + Sync + 'static {
    /// Which account on which host.
    fn fingerprint(&self) -> &VenueFingerprint;
    /// What the venue can do.
    fn capabilities(&self) -> &Capabilities;
    /// The venue's clock.
    async fn server_time(&self) -> Result<Timestamp, BrokerError>;
    /// Every instrument.
    async fn instruments(&self) -> Result<Vec<InstrumentSpec>, BrokerError>;
    /// Balances and mode.
    async fn account(&self) -> Result<AccountSnapshot, BrokerError>;
    /// Open legs. A missing leg is flat.
    async fn positions(&self) -> Result<Vec<Position>, BrokerError>;
    /// Open orders of every id space, or an error.
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError>;
    /// One order in its id space; `None` only when the venue says that it does not know it.
    async fn find_order(
        &self,
        instrument: &InstrumentId,
        order: &OrderRef,
    ) -> Result<Option<OrderReport>, BrokerError>;
    /// Executions at or after an instant, oldest first.
    async fn fills_since(
        &self,
        instrument: &InstrumentId,
        since: Timestamp,
    ) -> Result<Vec<Fill>, BrokerError>;
    /// Funding, transfers and whatever else moved money at or after an instant, oldest first. The fees of fills may be
    /// listed too, as [`CashFlowKind::Fee`](crate::CashFlowKind::Fee): they are compared with what the fills say, not booked again.
    async fn cash_flows_since(&self, since: Timestamp) -> Result<Vec<CashFlow>, BrokerError>;
    /// Closed bars, oldest first.
    async fn bars(&self, query: &BarQuery) -> Result<Vec<crate::bar::Bar>, BrokerError>;
    /// The account's stream. Resolves once it is connected, so that nothing is missed after it.
    async fn account_events(&self) -> Result<Box<dyn EventSource<AccountEvent>>, BrokerError>;
    /// Market streams, merged in order. Resolves once connected.
    async fn market_events(
        &self,
        what: &[Subscription],
    ) -> Result<Box<dyn EventSource<MarketEvent>>, BrokerError>;
    /// Resolves when the venue announces that an instrument's rules or status have changed, or may have: then
    /// [`instruments`](Self::instruments) is worth reading again. A venue that announces nothing never resolves.
    async fn rules_changed(&self) {
        std::future::pending().await
    }
}

/// The power to change an account. Live clients implement it only once armed by a preflight pass.
#[async_trait]
pub trait Brokerage: VenueReader {
    /// Sends an order once. Never repeats it.
    async fn submit(&self, order: &Approved<Order>) -> Result<OrderAck, SubmitError>;
    /// Cancels one order.
    async fn cancel(&self, instrument: &InstrumentId, order: &OrderRef) -> Result<(), BrokerError>;
    /// Cancels every open order of an instrument in the stated spaces.
    async fn cancel_all(&self, instrument: &InstrumentId, which: OrderSpaces) -> Result<(), BrokerError>;
    /// Switches the account's position mode if it differs.
    async fn ensure_position_mode(&self, mode: PositionMode) -> Result<Changed, BrokerError>;
    /// Switches an instrument's margin mode if it differs.
    async fn ensure_margin_mode(
        &self,
        instrument: &InstrumentId,
        mode: MarginMode,
    ) -> Result<Changed, BrokerError>;
    /// Sets an instrument's leverage if it differs.
    async fn ensure_leverage(
        &self,
        instrument: &InstrumentId,
        leverage: Leverage,
    ) -> Result<Changed, BrokerError>;
    /// Arms (or with `None` disarms) the venue's dead-man timer for resting entries.
    async fn dead_man(&self, instrument: &InstrumentId, timer: Option<Duration>) -> Result<(), BrokerError>;
}
