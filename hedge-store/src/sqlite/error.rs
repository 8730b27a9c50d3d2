//! What can be wrong with a ledger file.

use std::io;

use hedge_core::{BoxError, StoreError};
use rusqlite::ErrorCode;
use thiserror::Error;

use crate::disk::failed;

/// A ledger that cannot be read, asked or copied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is none.
    #[error(
        "{place} does not exist; switch store.ledger on and start the executor, or make it with hedgectl ledger rebuild"
    )]
    Missing {
        /// Which file.
        place: String,
    },
    /// A database, but not of this product.
    #[error("{place} is a database of another program; name a ledger")]
    Foreign {
        /// Which file.
        place: String,
    },
    /// A later version has written it.
    #[error("{place} has schema {found}, this version knows {known} at most; use the newer hedgectl")]
    Newer {
        /// Which file.
        place: String,
        /// Its schema.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// An earlier version has written it.
    #[error(
        "{place} has schema {found}, this version reads {known}; hedgectl ledger rebuild brings it there"
    )]
    Older {
        /// Which file.
        place: String,
        /// Its schema.
        found: i64,
        /// The one that is read.
        known: i64,
    },
    /// A query that is more than a query.
    #[error("the query was refused: {because}; only SELECT on the ledger's own tables is possible")]
    Refused {
        /// What it wanted.
        because: String,
    },
    /// A query that cannot be understood.
    #[error("the query cannot be run: {because}")]
    Query {
        /// What is wrong with it.
        because: String,
    },
    /// The file is damaged.
    #[error(
        "{place} is damaged: {detail}; restore it with hedgectl ledger restore, or build it again with hedgectl ledger rebuild"
    )]
    Damaged {
        /// Which file.
        place: String,
        /// What was found.
        detail: String,
    },
    /// Something is there already.
    #[error("{place} exists already; give --force to replace it")]
    Exists {
        /// Which file.
        place: String,
    },
    /// A copy was to be written over the ledger that it is made of.
    #[error("{place} is the ledger itself; name another file for its copy")]
    Itself {
        /// Which file.
        place: String,
    },
    /// The lock, the disk, or the journal.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for StoreError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error,
            LedgerError::Damaged { place, detail } => Self::Corrupt { place, detail },
            other => {
                Self::Io { doing: "opening the ledger".to_owned(), source: BoxError::from(other.to_string()) }
            }
        }
    }
}

/// Wraps what SQLite says: damage is damage, the disk's troubles carry what helps, the rest says what was being done.
pub(super) fn broken(place: &str, doing: &str) -> impl FnOnce(rusqlite::Error) -> LedgerError {
    let (place, doing) = (place.to_owned(), doing.to_owned());
    move |error| match code(&error) {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            LedgerError::Damaged { place, detail: format!("{doing}: {error}") }
        }
        _ => LedgerError::Store(io_failed(&place, &doing)(error)),
    }
}

/// The same for a store, which knows four kinds of failure.
pub(super) fn store_failed(place: &str, doing: &str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    let wrap = broken(place, doing);
    move |error| wrap(error).into()
}

fn io_failed(place: &str, doing: &str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    let doing = format!("{place}: {doing}");
    move |error| {
        let kind = match code(&error) {
            Some(ErrorCode::DiskFull) => io::ErrorKind::StorageFull,
            Some(ErrorCode::ReadOnly) => io::ErrorKind::ReadOnlyFilesystem,
            Some(ErrorCode::PermissionDenied) => io::ErrorKind::PermissionDenied,
            _ => io::ErrorKind::Other,
        };
        failed(doing)(io::Error::new(kind, error.to_string()))
    }
}

pub(super) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}
