//! Where a tool reads records from: the journal of a state directory, or the one a backtest wrote.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use hedge_core::{Envelope, Seq, StoreError};
use hedge_store::{FileJournal, StateDir, StateDirError, read_line};
use thiserror::Error;

/// The journal a backtest writes into its folder.
const BACKTEST_JOURNAL: &str = "journal.jsonl";

/// A journal that cannot be found or read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// No state directory.
    #[error(transparent)]
    Dir(#[from] StateDirError),
    /// The journal is damaged or the disk said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A backtest's journal cannot be opened.
    #[error("{path} cannot be read: {source}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A journal to read.
#[derive(Clone, Debug)]
pub enum JournalSource {
    /// Of a state directory: checksummed segments.
    State(FileJournal),
    /// Of a backtest: one file, its records' hash is the summary's `journal_sha256`.
    Backtest(PathBuf),
}

impl JournalSource {
    /// Finds the journal of `--state-dir`, else of the root when a live profile owns it, else of the last paper run, and
    /// the sentence that says which. A folder that a backtest wrote may be given as well.
    ///
    /// Errors: [`SourceError`].
    pub fn find(root: &Path, option: Option<&Path>) -> Result<(Self, String), SourceError> {
        if let Some(folder) = option
            && !folder.join("owner.json").exists()
            && folder.join(BACKTEST_JOURNAL).is_file()
        {
            let says = format!("backtest folder {}", folder.display());
            return Ok((Self::Backtest(folder.join(BACKTEST_JOURNAL)), says));
        }
        let resolved = StateDir::resolve_for_tools(root, option)?;
        let journal = FileJournal::open_read_only(resolved.dir.path())?;
        Ok((Self::State(journal), resolved.to_string()))
    }
    /// The records from the first to the last.
    pub fn records(&self) -> Result<Box<dyn Iterator<Item = Result<Envelope, StoreError>>>, SourceError> {
        match self {
            Self::State(journal) => Ok(Box::new(journal.records(Seq(0)))),
            Self::Backtest(path) => {
                let open = |source| SourceError::Open { path: path.clone(), source };
                let file = BufReader::new(File::open(path).map_err(open)?);
                Ok(Box::new(PlainRecords { path: path.clone(), file, line: Vec::new(), next: Seq(0) }))
            }
        }
    }
    /// All records at once. Errors: [`SourceError`].
    pub fn load(&self) -> Result<Vec<Envelope>, SourceError> {
        Ok(self.records()?.collect::<Result<_, _>>()?)
    }
}

/// The records of a backtest's journal: JSON lines without checksums, numbered without holes.
struct PlainRecords {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    next: Seq,
}

impl Iterator for PlainRecords {
    type Item = Result<Envelope, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = format!("{} line {}", self.path.display(), self.next.0 + 1);
        match read_line(&mut self.file, &mut self.line) {
            Ok(0) => return None,
            Ok(_) => {}
            // Longer than any record.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Some(Err(StoreError::Corrupt { place, detail: error.to_string() }));
            }
            Err(error) => {
                let doing = format!("reading {}", self.path.display());
                return Some(Err(StoreError::Io { doing, source: Box::new(error) }));
            }
        }
        let record: Envelope = match serde_json::from_slice(&self.line) {
            Ok(record) => record,
            Err(error) => return Some(Err(StoreError::Corrupt { place, detail: error.to_string() })),
        };
        if record.seq != self.next {
            let detail = format!("it is record {}, expected {}", record.seq, self.next);
            return Some(Err(StoreError::Corrupt { place, detail }));
        }
        self.next = record.seq.next();
        Some(Ok(record))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::temp::TempDir;

    /// What the last line of a backtest's journal is refused for, after two records that are read.
    fn refused(last: &[u8]) -> String {
        let temp = TempDir::new();
        let path = temp.0.join(BACKTEST_JOURNAL);
        let record = Envelope {
            seq: Seq(0),
            at: hedge_core::Timestamp::EPOCH,
            cause: None,
            event: hedge_core::Event::Fact(hedge_core::Fact::Tick),
        };
        let line = |seq| serde_json::to_string(&Envelope { seq: Seq(seq), ..record.clone() }).unwrap() + "\n";
        fs::write(&path, [line(0).as_bytes(), line(1).as_bytes(), last].concat()).unwrap();
        let (source, _) = JournalSource::find(&temp.0, Some(&temp.0)).unwrap();
        let mut records = source.records().unwrap();
        assert!(records.next().unwrap().is_ok() && records.next().unwrap().is_ok());
        match records.next().unwrap() {
            Err(StoreError::Corrupt { place, detail }) => format!("{place}: {detail}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_of_a_backtest_that_never_ends_is_no_record_and_is_not_collected() {
        let said = refused(&vec![b'x'; hedge_store::LONGEST_LINE + 1]);
        assert!(said.contains("journal.jsonl line 3: ") && said.contains("no record has"), "{said}");
    }

    #[test]
    fn what_is_no_record_or_another_one_is_named_with_its_line() {
        assert!(refused(b"{}\n").contains("journal.jsonl line 3: "));
        assert!(refused(b"\xff\n").contains("journal.jsonl line 3: "));
    }
}
