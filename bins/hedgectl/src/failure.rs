//! Failures and the exit codes that scripts rely on.

use std::{fmt, process::ExitCode};

use hedge_core::StoreError;
use hedge_desk::{
    backtest::{PlayError, SetupError},
    config::ConfigError,
    journal::{SourceError, StateDirError, VerifyError},
    why::WhyError,
};

/// Why a command ended without doing what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The thing asked for failed.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self { code: 1, message: message.to_string() }
    }
    /// The journal cannot be read.
    fn journal(message: impl fmt::Display) -> Self {
        Self { code: 74, message: message.to_string() }
    }
    /// Tells it and gives the exit code.
    pub(crate) fn exit(self) -> ExitCode {
        for line in self.message.lines() {
            eprintln!("error: {line}");
        }
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { code: 78, message: error.to_string() }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Self::failed(error)
    }
}

impl From<PlayError> for Failure {
    fn from(error: PlayError) -> Self {
        Self::failed(error)
    }
}

impl From<WhyError> for Failure {
    fn from(error: WhyError) -> Self {
        Self::failed(error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Dir(error @ StateDirError::NotFound { .. }) => Self::failed(error),
            error => Self::journal(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::journal(error)
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Source(error) => error.into(),
            found => Self::failed(found),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(error)
    }
}
