//! Copies of a ledger that are whole: made beside it, checked, then put in place in one piece.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use hedge_core::Seq;
use rusqlite::{Connection, OpenFlags, backup::Backup};

use super::{
    core::{check_with, hold},
    error::{LedgerError, broken},
    open::{for_reading, side_file},
    schema,
};
use crate::disk::{create_private_dir, failed, private, sync_dir};

/// Pages that are copied at once; a writer may go on in between.
const PAGES: i32 = 4_096;

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The file.
    pub to: PathBuf,
    /// Its size. Units: bytes.
    pub bytes: u64,
    /// The place after the last record in it.
    pub next: Seq,
}

/// Copies a ledger while its writer may be at work. The copy holds one moment, has been checked, and is durable.
///
/// Errors: [`LedgerError::Exists`] unless `replaces`, [`LedgerError::Itself`] when `to` is the ledger or a file that belongs to
/// it, [`LedgerError::Damaged`] when the ledger is, [`LedgerError::Store`].
pub fn backup(ledger: &Path, to: &Path, replaces: bool) -> Result<Copied, LedgerError> {
    refuse_existing(to, replaces)?;
    refuse_itself(ledger, to)?;
    let part = part_of(to)?;
    let copied = copy(ledger, &part).and_then(|next| {
        let bytes = settle(&part, to)?;
        Ok(Copied { to: to.to_owned(), bytes, next })
    });
    if copied.is_err() {
        remove(&part).ok();
    }
    copied
}

/// Puts a copy in the place of a ledger, after checking every page and the schema of it. The old one stays untouched until
/// the new one is whole and durable beside it. What the journal knows beyond the copy is added at the next start.
///
/// Errors: [`hedge_core::StoreError::Locked`] while a writer is at work, [`LedgerError::Exists`] unless `replaces`,
/// [`LedgerError::Damaged`], [`LedgerError::Foreign`] and [`LedgerError::Newer`] about the copy.
pub fn restore(copy_file: &Path, ledger: &Path, replaces: bool) -> Result<Copied, LedgerError> {
    let _lock = hold(ledger)?;
    refuse_existing(ledger, replaces)?;
    let part = part_of(ledger)?;
    let restored = copy(copy_file, &part).and_then(|next| {
        let bytes = swap(&part, ledger)?;
        Ok(Copied { to: ledger.to_owned(), bytes, next })
    });
    if restored.is_err() {
        remove(&part).ok();
    }
    restored
}

/// Puts a ledger that was built elsewhere on the same disk in the place of another one, in one piece. The built one must be
/// closed. Gives its size in bytes.
///
/// Errors: [`hedge_core::StoreError::Locked`] while a writer is at work on the old one.
pub fn replace_with(built: &Path, ledger: &Path) -> Result<u64, LedgerError> {
    let _lock = hold(ledger)?;
    swap(built, ledger)
}

/// Its writer would go on in a file that has no name any more.
fn refuse_itself(ledger: &Path, to: &Path) -> Result<(), LedgerError> {
    let Ok(named) = to.canonicalize() else { return Ok(()) };
    let belongs = ["", "-wal", "-shm", ".lock"].into_iter().map(|end| side_file(ledger, end));
    if belongs.filter_map(|file| file.canonicalize().ok()).any(|file| file == named) {
        return Err(LedgerError::Itself { place: to.display().to_string() });
    }
    Ok(())
}

fn refuse_existing(path: &Path, replaces: bool) -> Result<(), LedgerError> {
    if path.exists() && !replaces {
        return Err(LedgerError::Exists { place: path.display().to_string() });
    }
    Ok(())
}

/// The file beside `path` that becomes it.
fn part_of(path: &Path) -> Result<PathBuf, LedgerError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_private_dir(parent).map_err(failed(format!("creating {}", parent.display())))?;
    }
    let part = side_file(path, &format!(".{}.part", std::process::id()));
    remove(&part).map_err(failed(format!("removing {}", part.display())))?;
    Ok(part)
}

/// Copies and checks. Gives the place after the last record in the copy.
fn copy(from: &Path, part: &Path) -> Result<Seq, LedgerError> {
    let place = from.display().to_string();
    let source = for_reading(from)?;
    if schema::version(&source, &place)? == 0 {
        return Err(LedgerError::Damaged { place, detail: "it is empty".to_owned() });
    }
    private()
        .append(true)
        .create_new(true)
        .open(part)
        .map_err(failed(format!("creating {}", part.display())))?;
    let mut target = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(broken(&part.display().to_string(), "opening it"))?;
    Backup::new(&source, &mut target)
        .and_then(|backup| backup.run_to_completion(PAGES, Duration::ZERO, None))
        .map_err(broken(&place, "copying it"))?;
    // A copy stands alone: it needs no side files until somebody writes to it.
    let next = |target: &Connection| -> rusqlite::Result<i64> {
        let _: String = target.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
        let has_progress = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'progress')";
        if target.query_row(has_progress, [], |row| row.get::<_, bool>(0))? {
            target.query_row("SELECT next_seq FROM progress", [], |row| row.get(0))
        } else {
            target.query_row("SELECT count(*) FROM journal", [], |row| row.get(0))
        }
    };
    let next = next(&target).map_err(broken(&place, "reading the copy"))?;
    check_with(&target, &place, "integrity_check")?;
    let mut foreign = target.prepare("PRAGMA foreign_key_check").map_err(broken(&place, "checking it"))?;
    if foreign.exists([]).map_err(broken(&place, "checking it"))? {
        return Err(LedgerError::Damaged { place, detail: "gate checks without their decision".to_owned() });
    }
    Ok(Seq(next.unsigned_abs()))
}

/// Makes `part` durable and gives it its name. Gives its size.
fn settle(part: &Path, to: &Path) -> Result<u64, LedgerError> {
    let move_it = || -> std::io::Result<u64> {
        let file = File::open(part)?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        fs::rename(part, to)?;
        match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => sync_dir(parent)?,
            None => sync_dir(Path::new("."))?,
        }
        Ok(bytes)
    };
    Ok(move_it().map_err(failed(format!("replacing {}", to.display())))?)
}

/// A write-ahead log that was left of the old file would be read into the new one, so it goes first, its content with it.
fn swap(part: &Path, ledger: &Path) -> Result<u64, LedgerError> {
    if ledger.exists() {
        let fold_in = || -> rusqlite::Result<()> {
            let old = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            old.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))
                .map(|_| ())
        };
        // A damaged one cannot be tidied up; it is replaced anyway.
        fold_in().ok();
    }
    for suffix in ["-wal", "-shm"] {
        let path = side_file(ledger, suffix);
        remove(&path).map_err(failed(format!("removing {}", path.display())))?;
    }
    settle(part, ledger)
}

fn remove(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(side_file(path, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
