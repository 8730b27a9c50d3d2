//! Why a run did not start or did not end well, and with which exit code.

use hedge_binance::ArmError;
use hedge_core::{BrokerError, NoPass, StoreError};
use hedge_runtime::RunError;
use hedge_sim::{binance::ExchangeError, broker::PaperError as DryRunError};
use thiserror::Error;

use crate::{
    backtest::SetupError,
    compose::ComposeError,
    config::ConfigError,
    runs::RunsError,
    venue::{AccessError, EmbeddedError},
};

/// A run that did not come to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TradeError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Strategies, limits and instruments do not fit together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// Options that contradict each other or the run's folder.
    #[error("{0}")]
    Usage(String),
    /// Recorded data cannot be used.
    #[error(transparent)]
    Data(#[from] SetupError),
    /// The run's folder cannot be used.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// The journal cannot be opened.
    #[error("journal: {0}")]
    Store(#[from] StoreError),
    /// The embedded exchange.
    #[error("embedded exchange: {0}")]
    Exchange(#[from] ExchangeError),
    /// Hosts, keys, or the client.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The address of the embedded exchange could not be left for other programs.
    #[error(transparent)]
    Address(#[from] EmbeddedError),
    /// An option that the venue does not allow.
    #[error("{0}")]
    Refused(String),
    /// The venue was asked something before the start and did not answer.
    #[error("start-up: {doing} failed: {source}")]
    Venue {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: BrokerError,
    },
    /// The simulated account could not be set up.
    #[error(transparent)]
    Dry(#[from] DryRunError),
    /// A check before the start failed.
    #[error(transparent)]
    Preflight(#[from] NoPass),
    /// The pass did not fit the client.
    #[error(transparent)]
    Arm(#[from] ArmError),
    /// The loop.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Somebody asked to stop before the run had begun.
    #[error("stopped before the start ({0}); no order was sent")]
    Stopped(String),
    /// Another process holds the account's lease.
    #[error("{0}")]
    NotLeading(String),
    /// The account's lease must be had and cannot be.
    #[error("{0}")]
    NoLease(String),
    /// The configuration is not the one that this process has read any more. Nothing was sent.
    #[error("the configuration has changed while this process stood by; start it again")]
    Reconfigured,
    /// A task of ours crashed.
    #[error("{0} has crashed; this is a defect, please report it with the journal")]
    Crashed(&'static str),
    /// The report could not be written.
    #[error("writing {path} failed: {source}")]
    Report {
        /// Where to.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl TradeError {
    /// 0 stopped on request, 2 bad usage, 10 preflight or no lease, 74 journal, 75 fenced, 78 configuration, 1 anything else.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped(_) => 0,
            Self::Usage(_) | Self::Runs(_) | Self::Data(_) => 2,
            Self::Preflight(_) | Self::Arm(_) | Self::NoLease(_) => 10,
            Self::NotLeading(_) => 75,
            Self::Store(_) => 74,
            Self::Config(_) | Self::Compose(_) | Self::Refused(_) => 78,
            Self::Access(error) => error.exit_code(),
            Self::Run(error) => error.exit_code(),
            Self::Exchange(ExchangeError::Setting(_) | ExchangeError::Log(_)) => 2,
            Self::Exchange(_)
            | Self::Address(_)
            | Self::Venue { .. }
            | Self::Dry(_)
            | Self::Reconfigured
            | Self::Crashed(_)
            | Self::Report { .. } => 1,
        }
    }
}
