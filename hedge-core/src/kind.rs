//! What a record is called: the words of the journal's format.

use crate::event::{Decision, Event, Fact};

impl Event {
    /// The word for this kind of record, as the journal writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Fact(fact) => fact.kind(),
            Self::Decision(decision) => decision.kind(),
        }
    }
}

impl Fact {
    /// The word for this kind of fact, as the journal writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted(_) => "run_started",
            Self::Instrument { .. } => "instrument",
            Self::Market { .. } => "market",
            Self::Account { .. } => "account",
            Self::Snapshot { .. } => "snapshot",
            Self::SubmitAcked { .. } => "submit_acked",
            Self::SubmitFailed { .. } => "submit_failed",
            Self::CancelAcked { .. } => "cancel_acked",
            Self::CancelFailed { .. } => "cancel_failed",
            Self::QueryAnswered { .. } => "query_answered",
            Self::QueryFailed { .. } => "query_failed",
            Self::Operator { .. } => "operator",
            Self::Tick => "tick",
            Self::RunStopped { .. } => "run_stopped",
        }
    }
}

impl Decision {
    /// The word for this kind of decision, as the journal writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Screened { .. } => "screened",
            Self::Intended { .. } => "intended",
            Self::Assessed { .. } => "assessed",
            Self::OrderApproved { .. } => "order_approved",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::QueryRequested { .. } => "query_requested",
            Self::AbsenceProven { .. } => "absence_proven",
            Self::PostureChanged { .. } => "posture_changed",
            Self::Corrected { .. } => "corrected",
            Self::Alert { .. } => "alert",
            Self::LegHalted { .. } => "leg_halted",
            Self::StopMissing { .. } => "stop_missing",
            Self::StopRepaired { .. } => "stop_repaired",
            Self::Muted { .. } => "muted",
            Self::FlattenRequested { .. } => "flatten_requested",
            Self::OrderAdopted { .. } => "order_adopted",
            Self::AdoptedCancelRequested { .. } => "adopted_cancel_requested",
        }
    }
}
