//! One journal: facts came from outside, decisions were made by the engine, all state folds from both.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    checks::GateChecks,
    engine::Guard,
    error::{Outcome, RejectReason},
    id::{ClientOrderId, InstrumentId, InstrumentIx, OrderPurpose, RunId, Seq, StrategyId, Term},
    instrument::InstrumentSpec,
    money::Qty,
    order::{Intent, Leg},
    position::{Position, PositionKey},
    risk::{Posture, Verdict},
    time::{Interval, Timestamp},
    venue::{
        AccountEvent, AccountSnapshot, CashFlow, Fill, ForcedClose, MarketEvent, OrderRef, OrderReport,
        ReportedState,
    },
};

/// The journal format that this version writes and reads.
pub const JOURNAL_FORMAT: u32 = 1;

/// One journal record. `seq` orders; `at` is our receipt time; `cause` is the record that led to this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Place in the journal.
    pub seq: Seq,
    /// When this process learned or decided it.
    pub at: Timestamp,
    /// What led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Seq>,
    /// What it is.
    pub event: Event,
}

/// A record's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Came from outside; replay feeds it back in.
    Fact(Fact),
    /// Made by the engine; replay recomputes and compares it.
    Decision(Decision),
}

/// Something that came from outside the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// A process took up the journal.
    RunStarted(RunStarted),
    /// The engine's name of an instrument, and its rules. Repeated when the rules change.
    Instrument {
        /// The small index used by market facts.
        ix: InstrumentIx,
        /// The venue's rules.
        spec: Box<InstrumentSpec>,
    },
    /// Something about prices.
    Market {
        /// What.
        event: MarketEvent,
    },
    /// Something about the account.
    Account {
        /// What.
        event: Box<AccountEvent>,
    },
    /// The whole account, read from the venue.
    Snapshot {
        /// What was read.
        snapshot: Box<VenueSnapshot>,
    },
    /// The venue took an order.
    SubmitAcked {
        /// Ours.
        order: ClientOrderId,
        /// Its name there.
        venue: OrderRef,
        /// Its state in the answer.
        state: ReportedState,
        /// Filled quantity in the answer; fills themselves come with the account stream.
        filled: Decimal,
    },
    /// An order was not taken, or nobody knows.
    SubmitFailed {
        /// Ours.
        order: ClientOrderId,
        /// What is known.
        outcome: Outcome,
        /// The kind of refusal.
        reason: Option<RejectReason>,
        /// The venue's code.
        code: Option<i64>,
        /// The whole error.
        message: String,
        /// Until when (venue clock) the request can still be accepted. Needed when the outcome is unknown.
        acceptable_until: Option<Timestamp>,
        /// From when on (our clock) such a request may be sent, where it was not for a ban or a budget that is used up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// The venue took a cancel.
    CancelAcked {
        /// Ours.
        order: ClientOrderId,
    },
    /// A cancel failed.
    CancelFailed {
        /// Ours.
        order: ClientOrderId,
        /// What is known.
        outcome: Outcome,
        /// The kind of refusal.
        reason: Option<RejectReason>,
        /// The whole error.
        message: String,
        /// From when on (our clock) such a request may be sent, where it was not for a ban or a budget that is used up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// The venue answered what became of an order.
    QueryAnswered {
        /// Ours.
        order: ClientOrderId,
        /// What it said.
        answer: Box<QueryAnswer>,
    },
    /// The question about an order failed.
    QueryFailed {
        /// Ours.
        order: ClientOrderId,
        /// The error.
        message: String,
    },
    /// A person or a tool commands.
    Operator {
        /// What.
        command: OperatorCommand,
        /// Why.
        because: String,
    },
    /// Time has passed; something may be due.
    Tick,
    /// The process stopped on purpose.
    RunStopped {
        /// Why.
        because: String,
    },
}

/// A process's first record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Identity of the state directory: seconds of its first start.
    pub run: RunId,
    /// Leadership term; grows with every takeover.
    pub term: Term,
    /// Journal format.
    pub format: u32,
    /// Version of the code.
    pub code_version: String,
    /// Hash of the effective configuration.
    pub config_hash: String,
    /// Profile that runs (`paper`, `backtest`, …).
    pub profile: String,
    /// Hash of recorded market data that stays outside the journal, for replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_hash: Option<String>,
}

/// A full read of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VenueSnapshot {
    /// Balances and mode.
    pub account: AccountSnapshot,
    /// Every open leg.
    pub positions: Vec<Position>,
    /// Every open order in every id space.
    pub orders: Vec<OrderReport>,
    /// Executions since the last known one, oldest first.
    pub fills: Vec<Fill>,
    /// Cash flows since the last known one, oldest first.
    pub flows: Vec<CashFlow>,
}

/// What a venue says about one order, and what surrounds it: the evidence for or against its existence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryAnswer {
    /// The venue's clock when it answered.
    pub venue_time: Timestamp,
    /// The order by client id in its id space, if it is there.
    pub report: Option<OrderReport>,
    /// Fills of the instrument since the order was decided.
    pub fills: Vec<Fill>,
    /// Size of the leg now; zero is flat.
    pub leg_qty: Decimal,
}

/// What people and tools may command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorCommand {
    /// Nobody decides anything new; closes, cancels and protective stops still go out.
    Halt,
    /// No openings.
    ExitOnly,
    /// Back to normal; legs that a forced close has halted may open again.
    Resume,
    /// Back to normal, by the process that lifts what it has ordered itself. A halted leg stays halted: a person has to look.
    Lift,
    /// Close every leg at the market.
    Flatten,
    /// Close every leg at the market, from the next start on: commanded while no process runs that could send anything.
    FlattenAtStart,
}

/// Something the engine decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    /// What a screener saw on a closed bar, also when it wanted nothing.
    Screened {
        /// Whose reading.
        strategy: StrategyId,
        /// What it saw.
        reading: Reading,
    },
    /// A strategy wants something.
    Intended {
        /// Which strategy.
        strategy: StrategyId,
        /// What it wants.
        intent: Intent,
    },
    /// The gate's answer: every rule, passed or not.
    Assessed {
        /// Which leg.
        position: PositionKey,
        /// All rules.
        checks: GateChecks,
        /// The strictest answer.
        verdict: Verdict,
    },
    /// An order will be sent.
    OrderApproved {
        /// Its id.
        client_id: ClientOrderId,
        /// Who wanted it; `None` for the engine's own (protection, flatten).
        strategy: Option<StrategyId>,
        /// Which leg.
        position: PositionKey,
        /// What it does and how.
        leg: Leg,
        /// How much.
        qty: Qty,
        /// What it is for.
        purpose: OrderPurpose,
        /// The protection that an opening brings, so that a restart can still place it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protection: Option<crate::order::Protection>,
    },
    /// A cancel will be sent.
    CancelRequested {
        /// Which order.
        order: ClientOrderId,
        /// Why.
        because: Cow<'static, str>,
    },
    /// The venue will be asked about an order.
    QueryRequested {
        /// Which order.
        order: ClientOrderId,
    },
    /// A leg must become flat: it is closed at the market until it is.
    FlattenRequested {
        /// Which leg.
        position: PositionKey,
        /// Why.
        because: Cow<'static, str>,
    },
    /// An order of somebody else counts as exposure from now on, and a flatten cancels it.
    OrderAdopted {
        /// On which instrument.
        instrument: InstrumentId,
        /// Its name there.
        order: OrderRef,
    },
    /// An adopted order will be cancelled.
    AdoptedCancelRequested {
        /// On which instrument.
        instrument: InstrumentId,
        /// Its name there.
        order: OrderRef,
        /// Why.
        because: Cow<'static, str>,
    },
    /// An order of unknown outcome is proven never to have been accepted, or a live one to be gone.
    AbsenceProven {
        /// Which order.
        order: ClientOrderId,
    },
    /// The engine's stance changed.
    PostureChanged {
        /// The new stance.
        posture: Posture,
        /// Why.
        because: Cow<'static, str>,
    },
    /// The book and the venue disagreed; the venue's word was taken.
    Corrected {
        /// What differed.
        difference: crate::reconcile::Difference,
    },
    /// Something a person should know.
    Alert {
        /// Which leg or order it concerns, if any.
        position: Option<PositionKey>,
        /// What happened and what is done about it.
        text: Cow<'static, str>,
    },
    /// What guards an open leg has been missing for longer than the validator's grace.
    StopMissing {
        /// Which leg.
        position: PositionKey,
        /// What is missing.
        guard: Guard,
        /// Since when; for a take-profit, when the lost one was decided.
        since: Timestamp,
    },
    /// What was missing is at the venue again.
    StopRepaired {
        /// Which leg.
        position: PositionKey,
        /// What was missing.
        guard: Guard,
        /// How long after that time. Units: milliseconds.
        after_ms: u64,
    },
    /// The venue closed the leg, or part of it, by force: it opens nothing until a person resumes.
    LegHalted {
        /// Which leg.
        position: PositionKey,
        /// What the venue did.
        forced: ForcedClose,
        /// By which order.
        because: Cow<'static, str>,
    },
    /// A symbol opens nothing until then.
    Muted {
        /// Which instrument.
        instrument: InstrumentId,
        /// Until when.
        until: Timestamp,
        /// Why.
        because: Cow<'static, str>,
    },
}

/// What a screener computed for one closed bar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Which bar length.
    pub timeframe: Interval,
    /// z-score of the close; `None` while warming up.
    pub z: Option<f64>,
    /// RSI, 0 to 100.
    pub rsi: Option<f64>,
    /// ATR as a fraction of the close.
    pub atr: Option<f64>,
    /// The fast average crossed above the slow one on this bar.
    pub cross_up: bool,
    /// The fast average crossed below the slow one on this bar.
    pub cross_down: bool,
    /// Whether the strategy holds a leg.
    pub in_trade: bool,
    /// Which leg it holds or wants.
    pub side: Option<crate::position::PositionSide>,
    /// Whether it wanted something on this bar.
    pub emitted: bool,
    /// Why it wanted nothing, one word each (`warmup`, `z_low`, …); empty when it did.
    pub veto: Vec<Cow<'static, str>>,
}
