//! Why a drill could not be held. A drill that was held and failed is not an error but a verdict.

use std::{io, path::PathBuf};

use hedge_sim::binance::{ExchangeError, FaultError};
use thiserror::Error;

/// What this machine lacks, or somebody's wish to stop.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DrillError {
    /// A program of ours is not there.
    #[error(
        "{program} is not in {}, where this program lies; build them together: cargo build --release --locked --bins", .dir.display()
    )]
    NoProgram {
        /// Which one.
        program: &'static str,
        /// Where it should be.
        dir: PathBuf,
    },
    /// A program could not be started.
    #[error("starting {program} failed: {source}")]
    Spawn {
        /// Which one.
        program: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The drill's own exchange.
    #[error("the simulated exchange cannot be used: {0}; is a port on 127.0.0.1 free?")]
    Exchange(#[from] ExchangeError),
    /// A fault could not be injected.
    #[error("the simulated exchange does not take the fault: {0}")]
    Fault(#[from] FaultError),
    /// Threads or signals.
    #[error("this machine does not let it start: {0}")]
    Machine(#[source] io::Error),
    /// Temporary files or evidence.
    #[error("{} cannot be written ({source}); free the disk, or name another folder with --evidence or TMPDIR", .path.display())]
    Disk {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody does not want to wait for the end.
    #[error("stopped by {signal}; nothing of it is left running")]
    Interrupted {
        /// The signal's name.
        signal: &'static str,
        /// Its number.
        number: u8,
    },
}

impl DrillError {
    /// The exit code of a program: 10 when the machine is not fit for drills, 74 for disks, 128 and the number for a signal.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Disk { .. } => 74,
            Self::Interrupted { number, .. } => 128 + *number,
            _ => 10,
        }
    }

    pub(super) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Disk { path, source }
    }
}

/// Why the steps of a drill ended early.
#[derive(Debug)]
pub(super) enum Halt {
    /// A check failed without which the rest would say nothing.
    Failed,
    /// It could not be held.
    Error(DrillError),
}

impl<E: Into<DrillError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// How the steps of a drill end.
pub(super) type Step<T = ()> = Result<T, Halt>;
