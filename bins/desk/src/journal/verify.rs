//! Whether a journal is whole, and whether its facts still lead to its decisions.

use std::{fmt, fs, path::Path};

use hedge_core::{Envelope, Event, Fact, Seq};
use hedge_store::{Chain, FileJournal, ahead_of_journal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{
    replay::{Difference, Fresh, ReplayError, cut_words, replay},
    source::{JournalSource, SourceError},
};

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
    /// Something was made of records that are not there any more.
    #[error("{}\nthe journal ends at record {next}; restore its last segment from a copy, or start: the account is compared with the venue then", .found.join("\n"))]
    EndMissing {
        /// What it is, a sentence each.
        found: Vec<String>,
        /// The place after the last record that is there.
        next: Seq,
    },
    /// The same facts lead to something else.
    #[error("{}", .0.words())]
    Diverged(Box<Difference>),
    /// The engine found something that must not be.
    #[error("{0}")]
    Stopped(ReplayError),
}

/// The last record of a journal and the chain after it: noted elsewhere, it shows later that nothing was changed or lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last record.
    pub seq: Seq,
    /// The chain after it.
    pub chain: String,
    /// The first record whose line is chained; absent while the journal is of a version before the chain.
    pub chained_from: Option<Seq>,
}

impl Head {
    /// Of a journal that goes on at `next`; `None` when it is empty.
    pub fn of(next: Seq, chain: &Chain) -> Option<Self> {
        let seq = Seq(next.0.checked_sub(1)?);
        Some(Self { seq, chain: chain.link().to_owned(), chained_from: chain.since() })
    }
}

/// `5451:92a4…`, as it can be given back.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.chain)
    }
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
    /// Where its chain ends; absent for a backtest's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Something that is not wrong but worth knowing, such as an unfinished last line.
    pub remarks: Vec<String>,
    /// Whether the facts lead to the decisions.
    pub replay: Replayed,
    /// Facts whose decisions are not all in the journal, for a power cut took the end of them.
    #[serde(skip_serializing_if = "is_zero")]
    pub cut_short: u64,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let processes = if self.processes == 1 { "process" } else { "processes" };
        write!(f, "{} records of {} {processes} are whole", self.records, self.processes)?;
        match &self.replay {
            Replayed::Identical { records } => {
                write!(f, "; replaying the facts gave all {records} records again, byte for byte")?;
                f.write_str(&cut_words(self.cut_short))?;
            }
            Replayed::Skipped { because } => write!(f, "; decisions were not replayed: {because}")?,
        }
        if let Some(head) = &self.head {
            write!(f, "\nhead {head}")?;
            match head.chained_from {
                Some(Seq(0)) => {}
                Some(from) => write!(f, " (chained from record {from} on, by a version after the others)")?,
                None => f.write_str(" (not chained yet: every line is of a version before the chain)")?,
            }
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
    let processes = records.iter().filter(|record| is_start(record)).count() as u64;
    let mut remarks = Vec::new();
    let mut head = None;
    match source {
        JournalSource::State(journal) => {
            remarks.extend(journal.torn().map(|tear| format!("{tear} (at the next start)")));
            missing_end(journal)?;
            head = Head::of(journal.next_seq(), &journal.head());
        }
        JournalSource::Backtest(path) => remarks.extend(compare_hash(path)?),
    }
    let mut cut_short = 0;
    let replay = match replay(&records, fresh, None, &mut |_| ()) {
        Ok(compared) => match compared.difference {
            Some(difference) => return Err(VerifyError::Diverged(Box::new(difference))),
            None => {
                cut_short = compared.cut_short;
                Replayed::Identical { records: compared.same }
            }
        },
        Err(stopped @ ReplayError::Stopped { .. }) => return Err(VerifyError::Stopped(stopped)),
        Err(because) => Replayed::Skipped { because: because.to_string() },
    };
    Ok(Verified { records: records.len() as u64, processes, head, remarks, replay, cut_short })
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_start(record: &Envelope) -> bool {
    matches!(&record.event, Event::Fact(Fact::RunStarted(_)))
}

/// What tells that lines are missing at the journal's end.
fn missing_end(journal: &FileJournal) -> Result<(), VerifyError> {
    let (next, state_dir) = (journal.next_seq(), journal.dir().parent().unwrap_or(journal.dir()));
    let found = ahead_of_journal(state_dir, next);
    // A running executor may have gone on since the journal was read.
    let goes_on = || FileJournal::open_read_only(state_dir).is_ok_and(|now| now.next_seq() > next);
    if found.is_empty() || goes_on() { Ok(()) } else { Err(VerifyError::EndMissing { found, next }) }
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

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use hedge_core::{Decision, Engine, Interval, RunStarted, Seq, StateStore, Symbol, Timestamp};
    use hedge_sim::{
        backtest::{Backtest, BacktestConfig, Instruments},
        market::GeneratedMarket,
    };
    use hedge_store::{FileOptions, FileStore, Owner, StateDir};

    use super::*;
    use crate::{compose::compose, config::Config, env::Env};

    /// A state directory that vanishes with its test.
    struct Temporary(PathBuf);

    impl Drop for Temporary {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn config() -> Config {
        Config::load(None, &Env::from_pairs([])).unwrap()
    }

    fn fresh(run: &RunStarted, symbols: &[Symbol]) -> Result<Engine, String> {
        let config = config();
        if run.config_hash != config.hash() {
            return Err("another configuration".to_owned());
        }
        compose(&config, symbols).map(|composition| composition.engine).map_err(|error| error.to_string())
    }

    /// What a live run would have journalled: market facts included.
    fn records(config_hash: String) -> Vec<Envelope> {
        let symbols = ["BTCUSDT", "ETHUSDT"].map(|symbol| Symbol::parse(symbol).unwrap());
        let mut market = GeneratedMarket::built_in(5);
        let data = market.data_set(&symbols, Interval::M15, 1_767_225_600_000, 600, 100).unwrap();
        let rules = Instruments::built_in(&data).unwrap().rules;
        let engine = compose(&config(), &symbols).unwrap().engine;
        let settings = BacktestConfig { history: 100, config_hash, ..BacktestConfig::default() };
        let mut backtest = Backtest::new(engine, Arc::new(data), rules, &settings).unwrap();
        backtest.run(&mut ()).unwrap();
        let mut records = backtest.records().unwrap().to_vec();
        let Event::Fact(Fact::RunStarted(run)) = &mut records[0].event else { panic!("a journal begins so") };
        run.profile = "paper".to_owned();
        records
    }

    fn stored(name: &str, records: &[Envelope]) -> (Temporary, JournalSource) {
        let path = std::env::temp_dir().join(format!("hedge-verify-{name}-{}", std::process::id()));
        let owner = Owner { profile: "paper".to_owned(), venue: "test".to_owned(), run: None };
        StateDir::claim(&path, &owner).unwrap();
        let store = FileStore::open(&path, FileOptions::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.append(Seq(0), records)).unwrap();
        drop(store);
        let (source, says) = JournalSource::find(&path, Some(&path)).unwrap();
        assert!(says.contains("profile paper"), "{says}");
        (Temporary(path), source)
    }

    #[test]
    fn facts_lead_to_the_recorded_decisions_again() {
        let records = records(config().hash());
        assert!(records.iter().any(|r| matches!(r.event, Event::Decision(Decision::OrderApproved { .. }))));
        let (_dir, source) = stored("same", &records);
        let verified = verify(&source, &fresh).unwrap();
        assert_eq!(verified.replay, Replayed::Identical { records: records.len() as u64 });
        assert_eq!(verified.processes, 1);
    }

    #[test]
    fn another_decision_than_the_facts_lead_to_is_named() {
        let mut records = records(config().hash());
        let (at, decision) = records
            .iter_mut()
            .enumerate()
            .find_map(|(at, record)| match &mut record.event {
                Event::Decision(Decision::Intended { strategy, .. }) => Some((at, strategy)),
                _ => None,
            })
            .unwrap();
        *decision = "somebody_else".parse().unwrap();
        let (_dir, source) = stored("other", &records);
        let error = verify(&source, &fresh).unwrap_err();
        assert!(matches!(error, VerifyError::Diverged(_)), "{error}");
        assert!(error.to_string().starts_with(&format!("record {at} differs: ")), "{error}");
    }

    #[test]
    fn a_damaged_line_is_named_with_its_file() {
        let (dir, source) = stored("damaged", &records(config().hash()));
        let file = dir.0.join("journal/00000000000000000000.jsonl");
        // The run's start is line 1, BTCUSDT line 2, ETHUSDT line 3.
        let damaged = fs::read_to_string(&file).unwrap().replacen("ETHUSDT", "ETHUSDX", 1);
        fs::write(&file, damaged).unwrap();
        let error = verify(&source, &fresh).unwrap_err().to_string();
        assert!(error.contains("00000000000000000000.jsonl line 3"), "{error}");
    }

    #[test]
    fn with_another_configuration_decisions_are_not_replayed_and_that_is_said() {
        let records = records("0123".to_owned());
        let (_dir, source) = stored("config", &records);
        let verified = verify(&source, &fresh).unwrap();
        assert_eq!(verified.replay, Replayed::Skipped { because: "another configuration".to_owned() });
        assert!(verified.to_string().contains("decisions were not replayed: another configuration"));
    }

    #[test]
    fn a_journal_of_a_moment_ago_ends_where_it_ends() {
        let stopped =
            Envelope { seq: Seq(0), at: Timestamp::EPOCH, cause: None, event: Event::Fact(Fact::Tick) };
        let (_dir, source) = stored("tick", &[stopped]);
        let verified = verify(&source, &fresh).unwrap();
        let because = "no process start is recorded".to_owned();
        assert_eq!(verified.replay, Replayed::Skipped { because });
    }
}
