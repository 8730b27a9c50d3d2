#![doc = include_str!("../README.md")]

pub mod answers;
pub mod bar;
pub mod book;
pub mod brokerage;
pub mod checks;
mod digits;
pub mod engine;
pub mod error;
pub mod event;
pub mod failpoint;
pub mod gate;
pub mod id;
pub mod instrument;
mod key_info;
mod kind;
pub mod money;
pub mod order;
pub mod order_state;
pub mod position;
pub mod preflight;
pub mod reconcile;
pub mod replay;
pub mod report;
pub mod risk;
pub mod send_guard;
pub mod store;
pub mod strategy;
pub mod time;
pub mod venue;

pub use answers::Answers;
pub use bar::{Bar, InvalidBar};
pub use book::{AtRisk, Book, LegHalt, LegState, OrderRecord, Totals};
pub use brokerage::{Brokerage, Changed, EventSource, OrderAck, SubmitError, VenueReader};
pub use checks::GateChecks;
pub use engine::{Effect, Engine, EngineConfig, ForeignOrders, Guard, Step, StopValidator};
pub use error::{BoxError, BrokerError, Outcome, RejectReason, StoreError};
pub use event::{
    Decision, Envelope, Event, Fact, OperatorCommand, QueryAnswer, Reading, RunStarted, VenueSnapshot,
};
pub use failpoint::{Failpoint, FailpointHandler, Failpoints};
pub use gate::{Gate, Refusal};
pub use id::{
    Asset, ClientOrderId, InstrumentId, InstrumentIx, InvalidId, OrderIds, OrderPurpose, RunId, Seq,
    StrategyId, Symbol, Term, TradeId, Venue, VenueOrderId,
};
pub use instrument::{InstrumentSpec, InstrumentStatus, LotRule};
pub use key_info::KeyInfo;
pub use money::{Amount, Bps, InvalidAmount, Leverage, Notional, Price, Qty, Ratio, SignedAmount};
pub use order::{
    Approved, Close, Coverage, Entry, Exit, Intent, Leg, Order, Portion, Protection, Size, TakeProfit, Tif,
    TriggerBy,
};
pub use order_state::OrderState;
pub use position::{Action, MarginMode, OrderSide, Position, PositionKey, PositionMode, PositionSide};
pub use preflight::{
    CheckResult, ExitPass, NoPass, OperatorConsent, PreflightCheck, PreflightPass, PreflightReport,
};
pub use reconcile::{Difference, reconcile};
pub use risk::{
    CheckVerdict, GateCheck, PermitAll, Posture, Proposal, RiskManager, Stance, Verdict, Watches,
};
pub use rust_decimal::Decimal;
pub use send_guard::{SendGuard, Sending};
pub use store::{Page, StateStore, View, ViewName};
pub use strategy::{DataNeed, Output, Strategy, StrategyEvent, StrategyView};
pub use time::{Clock, Interval, InvalidTime, Timestamp};
pub use venue::{
    AccountEvent, AccountSnapshot, Balance, BarQuery, Capabilities, CashFlow, CashFlowKind, Channel,
    Environment, Fill, ForcedClose, ForeignId, LegSize, MarketEvent, OrderRef, OrderReport, OrderSpace,
    OrderSpaces, ReportedId, ReportedKind, ReportedSide, ReportedState, Subscription, VenueFingerprint,
};
