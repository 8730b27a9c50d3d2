//! The journal as it grows: every whole line, once, into a book. Files are read while the executor writes them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use hedge_core::{Book, Decision, Envelope, Event, Fact, position::Action};

/// What the journal says so far.
#[derive(Debug)]
pub struct Tail {
    folder: PathBuf,
    /// How far each segment was read.
    read: BTreeMap<PathBuf, u64>,
    pub book: Book,
    pub records: u64,
    /// Processes that have written.
    pub starts: u64,
    /// Client ids of all approved orders; for openings the record that caused them.
    pub approved: BTreeMap<String, Option<u64>>,
    /// Which order each opening decision has led to.
    openings: BTreeMap<u64, String>,
}

impl Tail {
    pub fn of(state_dir: &Path) -> Self {
        Self {
            folder: state_dir.join("journal"),
            read: BTreeMap::new(),
            book: Book::default(),
            records: 0,
            starts: 0,
            approved: BTreeMap::new(),
            openings: BTreeMap::new(),
        }
    }

    /// Takes in what has been written since. What is not a whole line is left for later: it may be cut off.
    pub fn follow(&mut self) {
        let Ok(folder) = fs::read_dir(&self.folder) else { return };
        let mut segments: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        segments.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
        segments.sort();
        let mut changes = Vec::new();
        for path in segments {
            let from = self.read.get(&path).copied().unwrap_or_default();
            let mut file = File::open(&path).unwrap();
            let length = file.metadata().unwrap().len();
            assert!(length >= from, "{}: {length} bytes, {from} of whole records were read", path.display());
            file.seek(SeekFrom::Start(from)).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
                let record: Envelope = serde_json::from_slice(line).unwrap_or_else(|error| {
                    panic!("{}: {error}: {}", path.display(), String::from_utf8_lossy(line))
                });
                self.take(&record, &mut changes);
            }
            self.read.insert(path, from + whole as u64);
        }
    }

    fn take(&mut self, record: &Envelope, changes: &mut Vec<hedge_core::book::Change>) {
        assert_eq!(record.seq.0, self.records, "a record is missing, or there twice");
        self.records += 1;
        self.book.apply(record, changes);
        changes.clear();
        match &record.event {
            Event::Fact(Fact::RunStarted(_)) => self.starts += 1,
            Event::Decision(Decision::OrderApproved { client_id, leg, .. }) => {
                let id = client_id.as_str().to_owned();
                let opens = leg.action() == Action::Open;
                let cause = opens.then(|| record.cause.expect("an opening has a cause").0);
                if let Some(cause) = cause {
                    let other = self.openings.insert(cause, id.clone());
                    assert_eq!(other, None, "the decision {cause} became {id} too");
                }
                let before = self.approved.insert(id.clone(), cause);
                assert_eq!(before, None, "{id} was approved twice");
            }
            _ => {}
        }
    }
}
