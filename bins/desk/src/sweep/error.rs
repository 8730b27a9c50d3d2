//! Why a sweep ended.

use std::io;

use hedge_sim::backtest::BacktestError;
use thiserror::Error;

use crate::{backtest::PlayError, config::ConfigError};

/// Why a sweep did not come to a result.
#[derive(Debug, Error)]
pub enum SweepError {
    /// The grid.
    #[error("{place}: {text}")]
    Grid {
        /// The file, or the option.
        place: String,
        /// What is wrong, and what is expected.
        text: String,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No combination can be used; the first reason.
    #[error("none of {combinations} combinations can be used; the first is refused with: {reason}")]
    AllRefused {
        /// How many there are.
        combinations: u64,
        /// Why the first one cannot be used.
        reason: String,
    },
    /// A backtest stopped.
    #[error("combination {index} ({parameters}): {source}")]
    Trial {
        /// Its number.
        index: u64,
        /// Its parameters.
        parameters: String,
        /// Why.
        #[source]
        source: Box<PlayError>,
    },
    /// The data is too short to be cut.
    #[error("{0}")]
    TooShort(String),
    /// The folder.
    #[error("{doing} {path} failed: {source}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another sweep's rows.
    #[error("{0}")]
    Resume(String),
    /// Ctrl-C.
    #[error("interrupted after {done} of {all} combinations{kept}")]
    Interrupted {
        /// Combinations that were finished.
        done: u64,
        /// Combinations in all.
        all: u64,
        /// Where they are, and how to go on.
        kept: String,
    },
}

impl From<BacktestError> for Box<PlayError> {
    fn from(error: BacktestError) -> Self {
        Self::new(error.into())
    }
}
