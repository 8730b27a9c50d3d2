//! Opening a file: its settings, its owner's rights, its one writer.

use std::{fs, path::Path, time::Duration};

use hedge_core::StoreError;
use rusqlite::{Connection, OpenFlags};

use super::error::{LedgerError, broken};
use crate::{
    Durability,
    disk::{create_private_dir, failed, private},
};

/// How long a connection waits for another one's transaction.
const BUSY: Duration = Duration::from_secs(5);
/// Pages in the write-ahead log after which it is copied into the file. Units: pages of 4 KiB.
const CHECKPOINT_PAGES: i64 = 2_000;
/// Memory for pages, for each connection. Units: KiB.
const CACHE_KIB: i64 = 8_192;

/// How a ledger is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SqliteOptions {
    /// What a record survives: `Fsync` syncs each transaction, `Os` leaves the last seconds to a power cut.
    pub durability: Durability,
}

/// The connection of the one writer; the caller holds the lock.
pub(super) fn for_writing(path: &Path, options: SqliteOptions) -> Result<Connection, LedgerError> {
    let place = path.display().to_string();
    if let Some(parent) = path.parent() {
        create_private_dir(parent).map_err(failed(format!("creating {}", parent.display())))?;
    }
    // SQLite gives its side files the rights of the file, so the file comes first.
    private().append(true).create(true).open(path).map_err(failed(format!("opening {place}")))?;
    let conn = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))
        .map_err(broken(&place, "opening it"))?;
    let synchronous = match options.durability {
        Durability::Fsync => "FULL",
        Durability::Os => "NORMAL",
    };
    let set = || -> rusqlite::Result<String> {
        conn.busy_timeout(BUSY)?;
        let mode = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        conn.pragma_update(None, "synchronous", synchronous)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(mode)
    };
    let mode = set().map_err(broken(&place, "setting it up"))?;
    if mode == "wal" {
        return Ok(conn);
    }
    let why = std::io::Error::other(format!(
        "the disk does not allow a write-ahead log ({mode}); use a local disk"
    ));
    Err(StoreError::Io { doing: format!("opening {place}"), source: why.into() }.into())
}

/// A connection that cannot write. Readers and the writer do not wait for each other.
pub(super) fn for_reading(path: &Path) -> Result<Connection, LedgerError> {
    let place = path.display().to_string();
    if !path.exists() {
        return Err(LedgerError::Missing { place });
    }
    let open = |uri: Option<String>| -> rusqlite::Result<Connection> {
        let flags = flags(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let conn = match uri {
            Some(uri) => Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?,
            None => Connection::open_with_flags(path, flags)?,
        };
        conn.busy_timeout(BUSY)?;
        conn.pragma_update(None, "query_only", true)?;
        // The first look at the content is what fails where the side files cannot be made.
        conn.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(conn)
    };
    open(None)
        .or_else(|error| match immutable(path) {
            Some(uri) => open(Some(uri)),
            None => Err(error),
        })
        .map_err(broken(&place, "opening it"))
}

/// In a folder that cannot be written to, a file without a log is read as one that nobody changes.
fn immutable(path: &Path) -> Option<String> {
    let log = side_file(path, "-wal");
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return None;
    }
    let path = fs::canonicalize(path).ok()?;
    let mut uri = String::from("file:");
    for byte in path.to_str()?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(byte as char),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    Some(uri + "?immutable=1")
}

/// A file beside the database, by what SQLite appends to its name.
pub(super) fn side_file(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}
