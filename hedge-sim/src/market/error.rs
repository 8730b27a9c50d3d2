//! Why market data could not be used.

use std::{io, path::PathBuf};

use hedge_core::Timestamp;
use thiserror::Error;

/// Market data that cannot be used. Every variant names where and what to do about it.
#[derive(Debug, Error)]
pub enum MarketError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// One field of one line is not what the layout says.
    #[error("{file}, line {line}, column {column}: found {found:?}, expected {expected}")]
    Format {
        /// The file.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// The column's name in the dump layout.
        column: &'static str,
        /// What stands there, cut to a readable length.
        found: String,
        /// What would have been accepted.
        expected: String,
    },
    /// A file's name or its whole content does not fit.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Two files say different things about the same moment.
    #[error(transparent)]
    Disagreement(#[from] Box<Disagreement>),
    /// The data does not hold what was asked for.
    #[error("{0}")]
    Selection(String),
}

/// Two files that say different things about the same moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{first} and {second} disagree about {what} at {at}: {first_value} against {second_value}; remove one"
)]
pub struct Disagreement {
    /// One file.
    pub first: String,
    /// The other.
    pub second: String,
    /// Symbol and quantity.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// What the first says.
    pub first_value: String,
    /// What the second says.
    pub second_value: String,
}

impl MarketError {
    pub(crate) fn io(path: &std::path::Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
    pub(crate) fn file(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::File { file: file.into(), problem: problem.into() }
    }
}
