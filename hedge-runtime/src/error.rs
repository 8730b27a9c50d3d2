//! Why a run could not start or had to end.

use hedge_core::{BrokerError, InstrumentId, StoreError};
use thiserror::Error;

/// A run could not start, or ended because it must not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The journal could not be read or written. Programs end with exit code 74.
    #[error("journal: {0}; nothing more is decided, stops stay at the venue")]
    Journal(#[from] StoreError),
    /// A question or a setting at start-up failed.
    #[error("start-up: {doing} failed: {source}")]
    Venue {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: BrokerError,
    },
    /// The venue does not list a configured instrument.
    #[error(
        "start-up: {instrument} is not listed at the venue; remove it from the universe or correct its name"
    )]
    NotListed {
        /// Which one.
        instrument: InstrumentId,
    },
    /// A strategy wants bars of an instrument that is not configured.
    #[error(
        "start-up: a strategy needs {instrument}, which is not in the universe; add it or switch the strategy off"
    )]
    NotConfigured {
        /// Which one.
        instrument: InstrumentId,
    },
    /// Another process leads the account, at the start or since then. Programs end with exit code 75.
    #[error("{because}; this process sends and journals nothing more")]
    Fenced {
        /// What the fence says.
        because: String,
    },
    /// A configured instrument belongs to a venue without a client.
    #[error("start-up: {instrument} needs a client of its venue, and none was given")]
    NoClient {
        /// Which one.
        instrument: InstrumentId,
    },
    /// Somebody else's positions have no stop, and would get none. Programs end with exit code 10.
    #[error(
        "start-up: {positions}: open, not ours, and without a stop over the whole position; {remedy}, close it, or \
         place a close-all stop at the venue"
    )]
    Bare {
        /// Each with leg, quantity and entry.
        positions: String,
        /// What would make this product protect them.
        remedy: &'static str,
    },
    /// The control socket cannot be served, so that nobody could halt this process.
    #[error("start-up: serving {socket} failed: {source}")]
    Control {
        /// Which socket.
        socket: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The account shares margin between assets, which the book cannot value.
    #[error("start-up: the account is in multi-assets mode; switch it to single-asset mode at the venue")]
    MultiAssets,
    /// The account may not trade.
    #[error("start-up: the venue says that this account may not trade; check the key's permissions")]
    MayNotTrade,
}

impl RunError {
    pub(crate) fn venue(doing: impl Into<String>) -> impl FnOnce(BrokerError) -> Self {
        let doing = doing.into();
        move |source| Self::Venue { doing, source }
    }
    /// The exit code that programs end with: 74 for the journal (`EX_IOERR`), 75 when another process leads
    /// (`EX_TEMPFAIL`), 10 when the account must be put in order first, 1 otherwise.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Journal(_) => 74,
            Self::Fenced { .. } => 75,
            Self::Bare { .. } => 10,
            _ => 1,
        }
    }
}
