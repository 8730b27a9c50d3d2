//! What a journal says at its end, read without its lock.

use std::path::Path;

use hedge_core::{
    Book, Envelope, Event, Fact, Posture, RiskManager, RunStarted, Seq, StoreError, Timestamp, book::Change,
};
use hedge_risk::Breakers;
use hedge_runtime::views::Standing;
use hedge_store::FileJournal;
use serde::Serialize;

use crate::config::Config;

/// Something that was said, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// When; text.
    pub at: String,
    /// What.
    pub text: String,
}

/// The end of a journal: the book, the circuit breakers, and who said what last.
#[derive(Debug)]
pub struct Folded {
    /// Everything that folds from the records.
    pub book: Book,
    /// Drawdown and loss of the day, with today's limits.
    pub breakers: Breakers,
    /// The last process that wrote, and when it started.
    pub started: Option<(RunStarted, Timestamp)>,
    /// Why it stopped, if it did so on purpose.
    pub stopped: Option<Said>,
    /// What a book does not keep: reasons and ages.
    pub standing: Standing,
}

impl Folded {
    /// Reads the whole journal of a state directory. `None` where there is none, or nothing in it.
    ///
    /// Errors: [`StoreError`] naming the damaged line.
    pub fn read(state_dir: &Path, config: &Config) -> Result<Option<Self>, StoreError> {
        if !state_dir.join("journal").is_dir() {
            return Ok(None);
        }
        let journal = FileJournal::open_read_only(state_dir)?;
        let mut folded = Self::empty(config);
        let mut changes = Vec::new();
        let mut is_empty = true;
        for record in journal.records(Seq(0)) {
            let record = record?;
            folded.take(&record, &mut changes);
            changes.clear();
            is_empty = false;
        }
        Ok((!is_empty).then_some(folded))
    }

    /// What records from the first one on say at their end.
    pub fn of(records: &[Envelope], config: &Config) -> Self {
        let mut folded = Self::empty(config);
        let mut changes = Vec::new();
        for record in records {
            folded.take(record, &mut changes);
            changes.clear();
        }
        folded
    }

    fn empty(config: &Config) -> Self {
        let limits = &config.limits;
        Self {
            book: Book::default(),
            breakers: Breakers::new(limits.kill_dd_pct, limits.kill_daily_loss_pct, config.calendar.clone()),
            started: None,
            stopped: None,
            standing: Standing::default(),
        }
    }

    fn take(&mut self, record: &Envelope, changes: &mut Vec<Change>) {
        self.book.apply(record, changes);
        self.breakers.observe(record, &self.book);
        self.standing.observe(record, &self.book);
        match &record.event {
            Event::Fact(Fact::RunStarted(run)) => {
                self.started = Some((run.clone(), record.at));
                self.stopped = None;
            }
            Event::Fact(Fact::RunStopped { because }) => {
                self.stopped = Some(Said { at: record.at.to_string(), text: because.clone() });
            }
            _ => {}
        }
    }

    /// What the operator ordered, unless that is nothing: posture, reason, since when.
    pub fn order(&self) -> Option<(Posture, &str, Option<Timestamp>)> {
        let (posture, because) = self.book.operator();
        (posture != Posture::Normal).then_some((posture, because, self.standing.operator_since))
    }
}
