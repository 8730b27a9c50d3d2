//! Failures and the exit codes that scripts rely on.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use hedge_core::StoreError;
use hedge_desk::{
    backtest::{PlayError, SetupError},
    config::{ConfigError, ModeError},
    journal::{SourceError, StateDirError, VerifyError},
    venue::AccessError,
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
    /// The arguments do not go together.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: 2, message: message.to_string() }
    }
    /// A preflight check failed.
    pub(crate) fn preflight(message: impl fmt::Display) -> Self {
        Self { code: 10, message: message.to_string() }
    }
    /// Something is still open.
    pub(crate) fn not_flat(message: impl fmt::Display) -> Self {
        Self { code: 13, message: message.to_string() }
    }
    /// Configuration, profile or keys cannot be used.
    pub(crate) fn configuration(message: impl fmt::Display) -> Self {
        Self { code: 78, message: message.to_string() }
    }
    /// With the exit code that the error itself names.
    pub(crate) fn with_code(code: u8, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
    /// The same code with another text.
    pub(crate) fn saying(self, message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), ..self }
    }
    /// Tells it and gives the exit code.
    pub(crate) fn exit(self) -> ExitCode {
        for line in self.message.lines() {
            // Nobody may be reading any more: the exit code says it all the same.
            let _ = writeln!(io::stderr(), "error: {line}");
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { code: 78, message: error.to_string() }
    }
}

impl From<ModeError> for Failure {
    fn from(error: ModeError) -> Self {
        Self::with_code(error.exit_code(), error)
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        Self::with_code(error.exit_code(), error)
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
