//! Why a download ended.

use std::{io, path::Path};

use hedge_binance::{ConnectError, EndpointError};
use hedge_core::BrokerError;
use thiserror::Error;

/// Why data could not be fetched. What was finished before stays.
#[derive(Debug, Error)]
pub enum FetchError {
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
    /// The archive's server does not answer, or not as it should.
    #[error("{file} cannot be had: {why}; run the same command again, it goes on where it stopped")]
    Server {
        /// Which file.
        file: String,
        /// Why.
        why: String,
    },
    /// Not the file that its checksum is of, twice.
    #[error(
        "{file} is damaged: its SHA-256 is {found}, {file}.CHECKSUM says {expected} (downloaded twice); nothing of it was kept, try again later"
    )]
    Checksum {
        /// Which file.
        file: String,
        /// What was computed.
        found: String,
        /// What should have been.
        expected: String,
    },
    /// An archive that cannot be unpacked although its checksum is right.
    #[error("{file} cannot be unpacked: {why}")]
    Archive {
        /// Which file.
        file: String,
        /// Why.
        why: String,
    },
    /// A file in the folder that is not what its name says.
    #[error(
        "{path}, line {line}: found {found:?}, expected a time in milliseconds; remove the file and fetch again"
    )]
    Content {
        /// Which file.
        path: String,
        /// Which line.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// The API's address.
    #[error("--api-url: {0}")]
    Api(#[from] EndpointError),
    /// The HTTP stack.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The API, for what no archive covers.
    #[error(
        "{what} of {symbol} cannot be had from the API: {source}; what came from the archive is kept, run the same command again"
    )]
    Rest {
        /// Which data.
        what: &'static str,
        /// Of what.
        symbol: String,
        /// Why.
        #[source]
        source: BrokerError,
    },
    /// Nothing at all.
    #[error(
        "no {what} of {symbol} between --from and --to, neither in the archive nor at the API; check symbol and times"
    )]
    Nothing {
        /// Which data.
        what: String,
        /// Of what.
        symbol: String,
    },
    /// Asked for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// Ctrl-C.
    #[error("interrupted; finished files are kept, run the same command again and it goes on")]
    Interrupted,
}

impl FetchError {
    pub(super) fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Disk { doing, path, source }
    }
}
