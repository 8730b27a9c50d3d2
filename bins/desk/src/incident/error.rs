//! What may be wrong with a pack.

use std::io;

use thiserror::Error;

/// A pack that cannot be made or used.
#[derive(Debug, Error)]
pub enum IncidentError {
    /// It is no pack, it was changed, or a part of it is missing.
    #[error("{file} is damaged: {detail}")]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Today's program cannot use the configuration in it.
    #[error("{0}")]
    Configuration(String),
    /// What was asked for is not in the journal, or must not leave it.
    #[error("{0}")]
    Nothing(String),
    /// There is a file of that name.
    #[error("{0} is there already and is not overwritten; choose another name with --out")]
    Exists(String),
    /// The disk said no.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl IncidentError {
    /// How a program ends with it.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Damaged { .. } | Self::Io { .. } => 74,
            Self::Configuration(_) => 78,
            Self::Nothing(_) => 1,
            Self::Exists(_) => 2,
        }
    }
}
