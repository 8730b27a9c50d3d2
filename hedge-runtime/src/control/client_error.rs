//! Why an executor gave no answer.

use std::{io, path::PathBuf};

use thiserror::Error;

/// A question or command got no good answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// No live executor listens there.
    #[error("no executor runs in {state_dir}", state_dir = state_dir.display())]
    NobodyThere {
        /// The state directory.
        state_dir: PathBuf,
    },
    /// The executor said no, and why.
    #[error("{0}")]
    Refused(String),
    /// The executor is there and does not answer. The command may still be carried out.
    #[error(
        "the executor did not answer within {seconds} s; look at its log, and ask for its status before repeating a command"
    )]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// An answer in another form, for example of another version.
    #[error("the executor's answer cannot be understood: {detail}; use the same version of both programs")]
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
    /// The socket failed. A command may have been carried out.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}
