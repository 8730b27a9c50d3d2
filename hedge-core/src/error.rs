//! Errors say what is known about the world, not which library failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::Seq;

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What we know about the effect of a failed command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It never left, or the venue says it was not executed before looking at it.
    NotSent,
    /// The venue looked at it and refused it.
    Rejected,
    /// It may have been executed.
    Unknown,
}

/// Why a venue refused, as far as the engine acts differently on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// Not enough margin.
    InsufficientMargin,
    /// Price or quantity off the venue's grid or bounds.
    Filter,
    /// Position side does not fit the account's mode.
    ModeMismatch,
    /// The leg is smaller than the close, or flat.
    NothingToClose,
    /// The trigger is already through.
    WouldTrigger,
    /// A post-only order would take.
    WouldTake,
    /// No fill within the allowed price.
    Unfilled,
    /// An id that is in use.
    DuplicateId,
    /// The venue does not know the order.
    NotFound,
    /// Too many open orders.
    TooManyOrders,
    /// A second close-all stop of a leg is not allowed.
    SecondCloseAll,
    /// Key, signature, permission or address.
    Auth,
    /// Timestamp outside the window.
    Clock,
    /// The account or symbol may not open.
    Restricted,
    /// The symbol does not trade.
    NotTrading,
    /// Already so; counts as success where that makes sense.
    AlreadySo,
    /// A precondition does not hold (open orders, positions, mode).
    Precondition,
    /// A request this version formed wrongly.
    BadRequest,
    /// A code this version does not know.
    Unlisted,
}

/// A command or question to a venue failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// Nothing happened at the venue.
    #[error("request was not sent: {source}; nothing happened at the venue")]
    NotSent {
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The venue said no.
    #[error("venue rejected the request ({code}): {message}")]
    Rejected {
        /// What kind of no.
        reason: RejectReason,
        /// The venue's code.
        code: i64,
        /// The venue's text.
        message: String,
    },
    /// It may have happened.
    #[error("outcome unknown: {source}; query the order by its client id before acting again")]
    OutcomeUnknown {
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Too fast; nothing happened.
    #[error("rate limited; wait {retry_after:?}")]
    RateLimited {
        /// How long.
        retry_after: Duration,
    },
    /// The answer is not what the venue documents. For a command, its outcome is unknown.
    #[error("venue answer did not match its documented shape: {detail}")]
    Malformed {
        /// Where and how.
        detail: String,
        /// What the decoder said.
        #[source]
        source: BoxError,
    },
}

impl BrokerError {
    /// What is known about the effect of the failed command.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::NotSent { .. } | Self::RateLimited { .. } => Outcome::NotSent,
            Self::Rejected { .. } => Outcome::Rejected,
            Self::OutcomeUnknown { .. } | Self::Malformed { .. } => Outcome::Unknown,
        }
    }
    /// Whether a *read* may be repeated. Commands are never repeated.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NotSent { .. } | Self::OutcomeUnknown { .. } | Self::RateLimited { .. })
    }
    /// How long to wait first, where the venue said so.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
    /// The venue's code, where there is one.
    pub const fn code(&self) -> Option<i64> {
        match self {
            Self::Rejected { code, .. } => Some(*code),
            _ => None,
        }
    }
    /// The kind of rejection, where it is one.
    pub const fn reason(&self) -> Option<RejectReason> {
        match self {
            Self::Rejected { reason, .. } => Some(*reason),
            _ => None,
        }
    }
}

/// A store could not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another writer has appended.
    #[error("journal continues at {found}, not at {expected}: another writer is alive; stop this one")]
    Conflict {
        /// Where this writer believed the journal ends.
        expected: Seq,
        /// Where it ends.
        found: Seq,
    },
    /// Another process holds the journal.
    #[error("{what} is locked by another process ({holder}); stop it or choose another state directory")]
    Locked {
        /// What is locked.
        what: String,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// A record is damaged where no crash can have damaged it.
    #[error("{place} is corrupt: {detail}; restore it from a copy, nothing was changed")]
    Corrupt {
        /// File and line, or document.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// The medium failed.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// Why it failed.
        #[source]
        source: BoxError,
    },
    /// A record cannot be written as text.
    #[error("record {seq} cannot be encoded: {source}")]
    Encode {
        /// Which record.
        seq: Seq,
        /// Why.
        #[source]
        source: BoxError,
    },
}
