//! Why an order or a question came to nothing.

use hedge_core::StoreError;
use hedge_runtime::control::{AskError, OfflineError};
use hedge_store::ControlError;
use thiserror::Error;

use crate::{compose::ComposeError, venue::AccessError};

/// What a person asked for could not be done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The executor.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The journal of a stopped run.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The journal cannot be read or taken.
    #[error("journal: {0}")]
    Journal(#[from] StoreError),
    /// A process holds the journal and does not answer.
    #[error(
        "process {pid} holds the journal and does not answer at its control socket; it may still be starting: repeat this, or use hedge-panic-close"
    )]
    Mute {
        /// Which process.
        pid: String,
    },
    /// The control files cannot be read or written.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Another process has taken the account over while we closed.
    #[error("{because}; this command has stopped closing")]
    TakenOver {
        /// Which.
        because: String,
    },
    /// The engine cannot be put together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The venue cannot be reached.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The venue did not answer.
    #[error("{doing} failed: {source}")]
    Venue {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: hedge_core::BrokerError,
    },
    /// The state directory has no journal.
    #[error("{0}")]
    NothingThere(String),
    /// The executor ended while it was waited for.
    #[error("the executor ended before everything was flat; run hedgectl flatten again")]
    Ended,
}

impl OperateError {
    /// The exit code of a program that asked.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Journal(_) | Self::Offline(OfflineError::Journal(_)) | Self::Mute { .. } => 74,
            Self::Offline(OfflineError::Fenced { .. }) | Self::TakenOver { .. } => 75,
            Self::Access(error) => error.exit_code(),
            Self::Compose(_) => 78,
            Self::Ended => 13,
            _ => 1,
        }
    }
}
