//! Why an exchange gave no result, and what that says about the world.

use std::time::Duration;

use hedge_core::{BrokerError, RejectReason};
use hedge_http::{HttpError, retry::ReadFailure, sign::SignError};

use crate::codes::{ErrorBody, Verdict};

/// Why an exchange gave no result.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Our own budget is used up; nothing was sent.
    Budget(Duration),
    /// The request costs more than its share allows; waiting does not help.
    TooDear(&'static str),
    /// It was only good until an instant that has passed; nothing was sent.
    Stale,
    /// The guard did not let it leave, and why; nothing was sent.
    Guarded(String),
    /// The key cannot sign.
    Sign(SignError),
    /// No complete answer.
    Http(HttpError),
    /// An answer that is no success.
    Answer { verdict: Verdict, status: u16, body: Option<ErrorBody>, retry_after: Duration },
}

impl CallError {
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Answer { verdict, .. } => Some(*verdict),
            _ => None,
        }
    }

    /// HTTP status, 0 without an answer.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Answer { status, .. } => *status,
            _ => 0,
        }
    }

    /// The venue's own words, where there are any.
    pub(crate) const fn body(&self) -> Option<&ErrorBody> {
        match self {
            Self::Answer { body, .. } => body.as_ref(),
            _ => None,
        }
    }

    pub(super) fn read_failure(&self) -> ReadFailure {
        match self {
            Self::Http(HttpError::Refused { .. } | HttpError::BodyTooLarge { .. }) => ReadFailure::Final,
            Self::Http(_) => ReadFailure::Transient { retry_after: None },
            Self::Answer { verdict: Verdict::NotExecuted | Verdict::Unknown, status, .. }
                if *status != 403 =>
            {
                ReadFailure::Transient { retry_after: None }
            }
            Self::Answer { verdict: Verdict::Limited, retry_after, .. } => {
                ReadFailure::Transient { retry_after: Some(*retry_after) }
            }
            _ => ReadFailure::Final,
        }
    }
}

impl From<CallError> for BrokerError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Budget(retry_after) => Self::RateLimited { retry_after },
            CallError::TooDear(pool) => {
                Self::NotSent { source: format!("the request costs more than its share of {pool}").into() }
            }
            CallError::Stale => {
                Self::NotSent { source: "its approval went stale before it could be sent".into() }
            }
            CallError::Guarded(because) => {
                Self::NotSent { source: format!("it must not leave any more: {because}").into() }
            }
            CallError::Sign(error) => Self::NotSent { source: error.into() },
            CallError::Http(error) if error.may_have_been_sent() => {
                Self::OutcomeUnknown { source: error.into() }
            }
            CallError::Http(error) => Self::NotSent { source: error.into() },
            CallError::Answer { verdict, status, body, retry_after } => {
                of_answer(verdict, status, body, retry_after)
            }
        }
    }
}

fn of_answer(verdict: Verdict, status: u16, body: Option<ErrorBody>, retry_after: Duration) -> BrokerError {
    let (code, message) = body.map_or_else(|| (0, "no error body".to_owned()), |body| (body.code, body.msg));
    let text = || format!("HTTP {status}, code {code}: {message}").into();
    match verdict {
        Verdict::NotExecuted | Verdict::Clock => BrokerError::NotSent { source: text() },
        Verdict::Limited | Verdict::Banned { .. } => BrokerError::RateLimited { retry_after },
        Verdict::Refused(row) => BrokerError::Rejected { reason: row.reason, code, message },
        Verdict::AlreadySo => BrokerError::Rejected { reason: RejectReason::AlreadySo, code, message },
        Verdict::Unknown => BrokerError::OutcomeUnknown { source: text() },
    }
}
