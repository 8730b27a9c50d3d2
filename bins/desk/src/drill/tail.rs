//! The journal as it grows: every whole line, once, into a book of its own; and what in it matters to drills.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use hedge_core::{
    AccountEvent, Book, Decision, Envelope, Event, Fact, Outcome, Posture, RejectReason, book::Change,
    position::Action,
};

/// Longest line that is kept as it is written.
const LONGEST_LINE: usize = 600;

/// Something that a drill looks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Started,
    Stopped,
    Disconnected(String),
    Reconnected,
    /// An opening was approved: it is sent next.
    Opening {
        symbol: String,
        side: String,
    },
    Failed {
        order: String,
        outcome: Outcome,
        code: Option<i64>,
        reason: Option<RejectReason>,
        message: String,
    },
    AbsenceProven,
    Flatten(String),
    Posture {
        posture: Posture,
        because: String,
    },
    Corrected,
    Alert(String),
    StopMissing,
    StopRepaired {
        after_ms: u64,
    },
    Muted {
        symbol: String,
    },
}

/// One of them: its record, its time at the venue, and the line.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) seq: u64,
    pub(super) at_ms: i64,
    pub(super) what: What,
    pub(super) line: String,
}

/// What the journal says so far.
#[derive(Debug)]
pub(super) struct Tail {
    folder: PathBuf,
    /// How far each segment was read.
    read: BTreeMap<PathBuf, u64>,
    pub(super) book: Book,
    pub(super) records: u64,
    /// Client ids of all approved orders.
    pub(super) approved: BTreeMap<String, bool>,
    /// Which order each opening decision has led to.
    openings: BTreeMap<u64, String>,
    pub(super) notes: Vec<Note>,
    /// What should never be in a journal: a gap, a broken line, an intent that became two orders.
    pub(super) wrong: Vec<String>,
}

impl Tail {
    pub(super) fn of(state_dir: &Path) -> Self {
        Self {
            folder: state_dir.join("journal"),
            read: BTreeMap::new(),
            book: Book::default(),
            records: 0,
            approved: BTreeMap::new(),
            openings: BTreeMap::new(),
            notes: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// How many openings were approved.
    pub(super) fn openings(&self) -> usize {
        self.openings.len()
    }

    /// Notes from the `from`th on.
    pub(super) fn from(&self, from: usize) -> &[Note] {
        self.notes.get(from..).unwrap_or_default()
    }

    /// Takes in what has been written since. What is not a whole line is left for later: it may be cut off.
    pub(super) fn follow(&mut self) {
        let Ok(folder) = fs::read_dir(&self.folder) else { return };
        let mut segments: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
        segments.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
        segments.sort();
        let mut changes = Vec::new();
        for path in segments {
            let from = self.read.get(&path).copied().unwrap_or_default();
            // It may have been packed since; what was not read of it is missed below.
            let Some(bytes) = rest(&path, from) else { continue };
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
                match serde_json::from_slice::<Envelope>(line) {
                    Ok(record) => self.take(&record, line, &mut changes),
                    Err(error) => self.wrong.push(format!("{}: {error}", path.display())),
                }
            }
            self.read.insert(path, from + whole as u64);
        }
    }

    fn take(&mut self, record: &Envelope, line: &[u8], changes: &mut Vec<Change>) {
        if record.seq.0 != self.records {
            self.wrong.push(format!("record {} stands where {} should", record.seq, self.records));
        }
        self.records = record.seq.0 + 1;
        self.book.apply(record, changes);
        changes.clear();
        if let Event::Decision(Decision::OrderApproved { client_id, leg, .. }) = &record.event {
            let id = client_id.to_string();
            let opens = leg.action() == Action::Open;
            if let Some(cause) = record.cause.filter(|_| opens)
                && let Some(other) = self.openings.insert(cause.0, id.clone())
            {
                self.wrong.push(format!("the decision {cause} became {other} and {id}"));
            }
            if self.approved.insert(id.clone(), opens).is_some() {
                self.wrong.push(format!("{id} was approved twice"));
            }
        }
        if let Some(what) = what(&record.event) {
            let text = String::from_utf8_lossy(line);
            let line = text.trim_end().chars().take(LONGEST_LINE).collect();
            self.notes.push(Note { seq: record.seq.0, at_ms: record.at.ms(), what, line });
        }
    }
}

/// What was written to a file since; `None` when it cannot be read.
fn rest(path: &Path, from: u64) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn what(event: &Event) -> Option<What> {
    match event {
        Event::Fact(fact) => of_fact(fact),
        Event::Decision(decision) => of_decision(decision),
    }
}

fn of_fact(fact: &Fact) -> Option<What> {
    Some(match fact {
        Fact::RunStarted(_) => What::Started,
        Fact::RunStopped { .. } => What::Stopped,
        Fact::Account { event } => match &**event {
            AccountEvent::Disconnected { reason } => What::Disconnected(reason.clone()),
            AccountEvent::Reconnected => What::Reconnected,
            _ => return None,
        },
        Fact::SubmitFailed { order, outcome, reason, code, message, .. } => What::Failed {
            order: order.to_string(),
            outcome: *outcome,
            code: *code,
            reason: *reason,
            message: message.clone(),
        },
        _ => return None,
    })
}

fn of_decision(decision: &Decision) -> Option<What> {
    Some(match decision {
        Decision::OrderApproved { position, leg, .. } if leg.action() == Action::Open => {
            What::Opening { symbol: position.instrument.symbol.to_string(), side: position.side.to_string() }
        }
        Decision::AbsenceProven { .. } => What::AbsenceProven,
        Decision::FlattenRequested { because, .. } => What::Flatten(because.to_string()),
        Decision::PostureChanged { posture, because } => {
            What::Posture { posture: *posture, because: because.to_string() }
        }
        Decision::Corrected { .. } => What::Corrected,
        Decision::Alert { text, .. } => What::Alert(text.to_string()),
        Decision::StopMissing { .. } => What::StopMissing,
        Decision::StopRepaired { after_ms, .. } => What::StopRepaired { after_ms: *after_ms },
        Decision::Muted { instrument, .. } => What::Muted { symbol: instrument.symbol.to_string() },
        _ => return None,
    })
}
