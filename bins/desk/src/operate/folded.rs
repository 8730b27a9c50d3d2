//! What a journal says at its end, read without its lock.

use std::path::Path;

use hedge_core::{
    Book, Decision, Envelope, Event, Fact, Posture, RiskManager, RunStarted, Seq, StoreError, Timestamp,
    book::Change,
};
use hedge_risk::Breakers;
use hedge_store::FileJournal;

use crate::config::Config;

/// Something that was said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: Timestamp,
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
    /// Since when the posture is what it is, and why.
    pub posture: Option<Said>,
    /// Since when the operator's order stands.
    pub operator_at: Option<Timestamp>,
    /// The last alert.
    pub alert: Option<Said>,
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

    fn empty(config: &Config) -> Self {
        let limits = &config.limits;
        Self {
            book: Book::default(),
            breakers: Breakers::new(limits.kill_dd_pct, limits.kill_daily_loss_pct, config.calendar.clone()),
            started: None,
            stopped: None,
            posture: None,
            operator_at: None,
            alert: None,
        }
    }

    fn take(&mut self, record: &Envelope, changes: &mut Vec<Change>) {
        self.book.apply(record, changes);
        self.breakers.observe(record, &self.book);
        let said = |text: &str| Some(Said { at: record.at, text: text.to_owned() });
        match &record.event {
            Event::Fact(Fact::RunStarted(run)) => {
                self.started = Some((run.clone(), record.at));
                self.stopped = None;
            }
            Event::Fact(Fact::RunStopped { because }) => self.stopped = said(because),
            Event::Fact(Fact::Operator { .. }) => self.operator_at = Some(record.at),
            Event::Decision(Decision::PostureChanged { because, .. }) => self.posture = said(because),
            Event::Decision(Decision::Alert { text, .. }) => self.alert = said(text),
            _ => {}
        }
    }

    /// What the operator ordered, unless that is nothing: posture, reason, since when.
    pub fn order(&self) -> Option<(Posture, &str, Option<Timestamp>)> {
        let (posture, because) = self.book.operator();
        (posture != Posture::Normal).then_some((posture, because, self.operator_at))
    }
}
