//! Whether a journal is whole, and whether its facts still lead to its decisions.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use hedge_core::{Engine, Envelope, Event, Fact, RunStarted, Symbol, replay};
use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::source::{JournalSource, SourceError};

/// Makes the engine that a process of the journal ran on these symbols, or says why that is not possible.
pub type Fresh<'a> = &'a dyn Fn(&RunStarted, &[Symbol]) -> Result<Engine, String>;

/// A journal that is not what it should be. The message names the first bad record.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It cannot be read, or a record is damaged.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A backtest's journal is not the one its summary was made from.
    #[error("the journal hashes to {found}, but summary.json says {stated}: one of them was changed")]
    Hash {
        /// What the file hashes to.
        found: String,
        /// What the summary says.
        stated: String,
    },
    /// The same facts lead to something else.
    #[error("{0}")]
    Diverged(#[from] replay::Divergence),
}

/// What became of the second half of the check: feeding the facts to fresh engines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replayed {
    /// Every record was made again, byte for byte.
    Identical {
        /// How many records were compared.
        records: u64,
    },
    /// It could not be done.
    Skipped {
        /// Why.
        because: String,
    },
}

/// A journal that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Records that were read, with their checksums where they have any.
    pub records: u64,
    /// Processes that wrote it.
    pub processes: u64,
    /// Something that is not wrong but worth knowing, such as an unfinished last line.
    pub remarks: Vec<String>,
    /// Whether the facts lead to the decisions.
    pub replay: Replayed,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records of {} processes are whole", self.records, self.processes)?;
        match &self.replay {
            Replayed::Identical { records } => {
                write!(f, "; replaying the facts gave all {records} records again, byte for byte")?;
            }
            Replayed::Skipped { because } => write!(f, "; decisions were not replayed: {because}")?,
        }
        for remark in &self.remarks {
            write!(f, "\nnote: {remark}")?;
        }
        Ok(())
    }
}

/// Reads every record, checks it, and replays the facts where the journal holds all of them.
///
/// Errors: [`VerifyError`] at the first bad record.
pub fn verify(source: &JournalSource, fresh: Fresh<'_>) -> Result<Verified, VerifyError> {
    let records = source.load()?;
    let starts: Vec<&RunStarted> = records.iter().filter_map(started).collect();
    let mut remarks = Vec::new();
    match source {
        JournalSource::State(journal) => {
            remarks.extend(journal.torn().map(|tear| format!("{tear} (at the next start)")));
        }
        JournalSource::Backtest(path) => remarks.extend(compare_hash(path)?),
    }
    let verified = |replay| Verified {
        records: records.len() as u64,
        processes: starts.len() as u64,
        remarks: remarks.clone(),
        replay,
    };
    let skipped = |because: &str| Ok(verified(Replayed::Skipped { because: because.to_owned() }));
    if records.is_empty() {
        return skipped("the journal is empty");
    }
    if let Some(run) = starts.iter().find(|run| run.profile == "backtest") {
        let hash = run.data_hash.as_deref().unwrap_or_default();
        return skipped(&format!(
            "its market data stayed in its file (hash {}); run the backtest again and compare journal_sha256",
            hash.get(..12).unwrap_or(hash)
        ));
    }
    let Some(first) = starts.first() else { return skipped("no process start is recorded") };
    // Each engine is made before the replay starts, so that a missing configuration is a sentence and not a panic.
    // `replay::verify` asks for one engine before it has seen a start, and for one more at each start.
    let symbols = symbols(&records);
    let mut engines = Vec::new();
    for run in std::iter::once(first).chain(&starts) {
        match fresh(run, &symbols) {
            Ok(engine) => engines.push(engine),
            Err(because) => return skipped(&because),
        }
    }
    let mut engines = engines.into_iter();
    let spare = || Engine::new(Default::default(), Box::new(hedge_core::PermitAll), Vec::new());
    let compared = replay::verify(&records, || engines.next().unwrap_or_else(spare))?;
    Ok(verified(Replayed::Identical { records: compared }))
}

/// What was traded, in the engine's order.
fn symbols(records: &[Envelope]) -> Vec<Symbol> {
    let mut symbols = BTreeMap::new();
    for record in records {
        if let Event::Fact(Fact::Instrument { ix, spec }) = &record.event {
            symbols.insert(*ix, spec.id.symbol);
        }
    }
    symbols.into_values().collect()
}

fn started(envelope: &Envelope) -> Option<&RunStarted> {
    match &envelope.event {
        Event::Fact(Fact::RunStarted(run)) => Some(run),
        _ => None,
    }
}

/// A backtest's summary names the hash of its journal. Without a summary that is worth a remark.
fn compare_hash(journal: &Path) -> Result<Option<String>, VerifyError> {
    let open = |source| SourceError::Open { path: journal.to_owned(), source };
    let digest = Sha256::digest(fs::read(journal).map_err(open)?);
    let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let stated = fs::read_to_string(journal.with_file_name("summary.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|summary| Some(summary.get("journal_sha256")?.as_str()?.to_owned()));
    match stated {
        Some(stated) if stated == found => Ok(None),
        Some(stated) => Err(VerifyError::Hash { found, stated }),
        None => Ok(Some(format!("no summary.json states its hash, which is {found}"))),
    }
}
