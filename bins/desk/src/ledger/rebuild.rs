//! A ledger built again from the journal.

use std::{fs, path::Path};

use hedge_core::{Seq, StoreError};
use hedge_store::{
    FileJournal,
    sqlite::{Ledger, LedgerError, SqliteOptions, replace_with},
};

use super::ledger_file;
use crate::progress::Progress;

/// Records of one transaction.
const BATCH: usize = 4_096;

/// A ledger that was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records of the journal that are in it.
    pub records: u64,
    /// Its size. Units: bytes.
    pub bytes: u64,
}

/// Reads the journal of a state directory from the first record to the last and puts a new ledger in the place of the old
/// one, in one piece. The journal may be written meanwhile; what comes later is added by the executor.
///
/// Errors: [`StoreError::Locked`] while an executor writes the ledger; a damaged journal; the disk.
pub fn rebuild(state_dir: &Path) -> Result<Rebuilt, LedgerError> {
    let journal = FileJournal::open_read_only(state_dir)?;
    let file = ledger_file(state_dir);
    let part = state_dir.join(format!("ledger.sqlite.{}.part", std::process::id()));
    let built = fill(&journal, &part).and_then(|records| {
        let bytes = replace_with(&part, &file)?;
        Ok(Rebuilt { records, bytes })
    });
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut left = part.clone().into_os_string();
        left.push(suffix);
        // What was put in place is not there any more.
        fs::remove_file(left).ok();
    }
    built
}

fn fill(journal: &FileJournal, part: &Path) -> Result<u64, LedgerError> {
    let mut ledger = Ledger::open(part, SqliteOptions::default())?;
    let Seq(total) = journal.next_seq();
    let mut progress = Progress::on_terminal();
    let mut batch = Vec::with_capacity(BATCH);
    for record in journal.records(Seq(0)) {
        batch.push(record?);
        if batch.len() == BATCH {
            ledger.append(&batch)?;
            batch.clear();
            progress.update(ledger.next().0, total, || "records".to_owned());
        }
    }
    ledger.append(&batch)?;
    let Seq(records) = ledger.next();
    if records != total {
        let source = format!("{records} of {total} records were read").into();
        return Err(StoreError::Io { doing: "reading the journal".to_owned(), source }.into());
    }
    Ok(records)
}
