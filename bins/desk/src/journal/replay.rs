//! A journal's facts fed to fresh engines, each record compared with what they make of them.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use hedge_core::{Engine, Envelope, Event, Fact, RunStarted, Seq, Step, Symbol};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::{Lines, Place};

/// Makes the engine that a process of the journal ran on these symbols, or says why that is not possible.
pub type Fresh<'a> = &'a dyn Fn(&RunStarted, &[Symbol]) -> Result<Engine, String>;

/// Records between two words about the progress.
const SAY_EVERY: u64 = 1_000;
/// Differing parts that are named of one record.
const MOST_PARTS: usize = 12;
/// How far back causes are followed.
const MOST_CAUSES: usize = 24;

/// A replay that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// There is nothing to replay.
    #[error("the journal is empty")]
    Empty,
    /// The facts that decisions depend on are not in it.
    #[error(
        "its market data stayed in its file (hash {0}); run the backtest again and compare journal_sha256"
    )]
    Backtest(String),
    /// Only commands of people are in it.
    #[error("no process start is recorded")]
    NeverStarted,
    /// An engine cannot be made.
    #[error("{0}")]
    NoEngine(String),
    /// The engine found something that must not be.
    #[error("the engine stopped at record {seq}: {why}")]
    Stopped {
        /// Which record it was given.
        seq: Seq,
        /// Its own words.
        why: String,
    },
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The first record that was compared.
    pub from: Seq,
    /// The place after the last one.
    pub next: Seq,
    /// Records that were the same.
    pub same: u64,
    /// How many of them were facts.
    pub facts: u64,
    /// How many were decisions, by their kind.
    pub decisions: BTreeMap<&'static str, u64>,
    /// Processes whose decisions were made again.
    pub processes: u64,
    /// Facts whose decisions are not all in the journal: a power cut took the end of them, or a pack ends there.
    pub cut_short: u64,
    /// The first difference, if there is one; nothing after it was compared.
    pub difference: Option<Difference>,
}

/// The first record that the engine did not make again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its number.
    pub seq: Seq,
    /// What the journal holds; absent when it holds nothing more.
    pub recorded: Option<Value>,
    /// What the engine makes of the same facts; absent when that is nothing.
    pub recomputed: Option<Value>,
    /// Where the two differ: path, recorded, recomputed.
    pub parts: Vec<(String, String, String)>,
    /// What led to it, the oldest first: a line each, as `journal show` prints them.
    pub causes: Vec<String>,
    /// The fact that was being answered, as a line.
    pub fact: String,
}

/// Feeds the facts to fresh engines and compares every record; `from` begins with the process that ran at that place.
///
/// `say` hears how many records are done. Errors: [`ReplayError`] where nothing can be compared; a difference is none.
pub fn replay(
    records: &[Envelope],
    fresh: Fresh<'_>,
    from: Option<Place>,
    say: &mut dyn FnMut(u64),
) -> Result<Compared, ReplayError> {
    let mut processes = processes(records)?;
    let begin = from.map_or(0, |from| first_of(records, from));
    processes.retain(|process| process.end > begin);
    // A missing configuration is said before the work is done.
    for process in &mut processes {
        process.engine = Some((fresh)(process.run, &process.symbols).map_err(ReplayError::NoEngine)?);
    }
    let mut replaying = Replaying { records, fresh, processes, step: Step::default(), at: begin };
    let mut compared = Compared { from: Seq(begin as u64), ..Compared::default() };
    replaying.run(&mut compared, say)?;
    compared.next = Seq(replaying.at as u64);
    Ok(compared)
}

/// One process of a journal: it wrote from there to there.
struct Process<'a> {
    run: &'a RunStarted,
    end: usize,
    symbols: Vec<Symbol>,
    /// Whether it came so far as to read the account: all its instruments are known then.
    has_read: bool,
    engine: Option<Engine>,
}

/// The processes of a journal, in order. What people ordered before the first start belongs to it.
fn processes(records: &[Envelope]) -> Result<Vec<Process<'_>>, ReplayError> {
    if records.is_empty() {
        return Err(ReplayError::Empty);
    }
    let mut processes: Vec<Process<'_>> = Vec::new();
    let mut all = BTreeMap::new();
    let mut own = BTreeMap::new();
    for (place, record) in records.iter().enumerate() {
        match &record.event {
            Event::Fact(Fact::RunStarted(run)) => {
                if run.profile == "backtest" {
                    let hash = run.data_hash.as_deref().unwrap_or_default();
                    return Err(ReplayError::Backtest(hash.get(..12).unwrap_or(hash).to_owned()));
                }
                finish(processes.last_mut(), place, &mut own);
                processes.push(Process {
                    run,
                    end: records.len(),
                    symbols: Vec::new(),
                    has_read: false,
                    engine: None,
                });
            }
            Event::Fact(Fact::Instrument { ix, spec }) => {
                own.insert(*ix, spec.id.symbol);
                all.insert(*ix, spec.id.symbol);
            }
            Event::Fact(Fact::Snapshot { .. }) => {
                if let Some(process) = processes.last_mut() {
                    process.has_read = true;
                }
            }
            _ => {}
        }
    }
    finish(processes.last_mut(), records.len(), &mut own);
    // One that ended before it had told of all its instruments decided nothing about them.
    for process in processes.iter_mut().filter(|process| !process.has_read) {
        process.symbols = all.values().copied().collect();
    }
    if processes.is_empty() { Err(ReplayError::NeverStarted) } else { Ok(processes) }
}

fn finish<K: Ord>(process: Option<&mut Process<'_>>, end: usize, symbols: &mut BTreeMap<K, Symbol>) {
    if let Some(process) = process {
        process.end = end;
        process.symbols = std::mem::take(symbols).into_values().collect();
    }
}

/// Whether the process before these records has ended: a power cut may leave only the beginning of its last step, before the
/// next one starts. Meanwhile people may have commanded something, with what follows from it.
fn ends_at(rest: &[Envelope]) -> bool {
    match rest.first().map(|next| &next.event) {
        None | Some(Event::Fact(Fact::RunStarted(_))) => true,
        Some(Event::Fact(Fact::Operator { .. })) => {
            let goes_on = rest.iter().find_map(|record| match &record.event {
                Event::Fact(Fact::Operator { .. }) | Event::Decision(_) => None,
                Event::Fact(fact) => Some(!matches!(fact, Fact::RunStarted(_))),
            });
            !goes_on.unwrap_or(false)
        }
        Some(_) => false,
    }
}

/// The start of the process that ran at a place.
fn first_of(records: &[Envelope], from: Place) -> usize {
    let place = records.iter().position(|record| from.is_reached(record)).unwrap_or(records.len());
    let is_start = |record: &Envelope| matches!(&record.event, Event::Fact(Fact::RunStarted(_)));
    records[..records.len().min(place + 1)].iter().rposition(is_start).unwrap_or(0)
}

struct Replaying<'a> {
    records: &'a [Envelope],
    fresh: Fresh<'a>,
    processes: Vec<Process<'a>>,
    step: Step,
    at: usize,
}

impl Replaying<'_> {
    fn run(&mut self, compared: &mut Compared, say: &mut dyn FnMut(u64)) -> Result<(), ReplayError> {
        let mut engine: Option<Engine> = None;
        while let Some(envelope) = self.records.get(self.at) {
            let is_start = matches!(&envelope.event, Event::Fact(Fact::RunStarted(_)));
            let mut running = match engine.take() {
                Some(running) if !is_start => running,
                _ => self.engine_here()?,
            };
            compared.processes += u64::from(is_start);
            let Event::Fact(fact) = &envelope.event else {
                compared.difference = Some(self.difference(self.at, self.at, None));
                return Ok(());
            };
            let step = &mut self.step;
            unless_stopped(envelope.seq, || running.step(envelope.at, fact.clone(), step))?;
            let was_cut = match self.compare(compared, say) {
                Ok(was_cut) => was_cut,
                Err(difference) => {
                    compared.difference = Some(*difference);
                    return Ok(());
                }
            };
            // The rest of a step that a power cut took is not in the journal; the next engine begins without it.
            engine = (!was_cut).then_some(running);
        }
        Ok(())
    }

    /// The engine of the process that wrote the next record, with everything before it folded in, as its start did it.
    fn engine_here(&mut self) -> Result<Engine, ReplayError> {
        let at = self.at;
        let process = self.processes.iter_mut().find(|process| at < process.end);
        let process = process.ok_or(ReplayError::NeverStarted)?;
        let mut engine = match process.engine.take() {
            Some(engine) => engine,
            None => (self.fresh)(process.run, &process.symbols).map_err(ReplayError::NoEngine)?,
        };
        self.records[..at]
            .iter()
            .try_for_each(|old| unless_stopped(old.seq, || engine.replay(old)))
            .map(|()| engine)
    }

    /// Compares what the engine made of a fact; whether a power cut has taken the end of it. A process that says that it stops
    /// waits until all of that is written: nothing takes the end of it.
    fn compare(
        &mut self,
        compared: &mut Compared,
        say: &mut dyn FnMut(u64),
    ) -> Result<bool, Box<Difference>> {
        let fact = self.at;
        if self.step.events.is_empty() {
            return Err(Box::new(self.difference(fact, fact, None)));
        }
        let is_last = matches!(&self.records[fact].event, Event::Fact(Fact::RunStopped { .. }));
        for (place, recomputed) in self.step.events.iter().enumerate() {
            let recorded = self.records.get(self.at);
            if place > 0 && !is_last && ends_at(&self.records[self.at..]) {
                compared.cut_short += 1;
                return Ok(true);
            }
            if recorded != Some(recomputed) {
                return Err(Box::new(self.difference(self.at, fact, Some(recomputed))));
            }
            match &recomputed.event {
                Event::Fact(_) => compared.facts += 1,
                Event::Decision(decision) => *compared.decisions.entry(decision.kind()).or_default() += 1,
            }
            compared.same += 1;
            self.at += 1;
            if compared.same.is_multiple_of(SAY_EVERY) {
                say(compared.same);
            }
        }
        Ok(false)
    }

    fn difference(&self, at: usize, fact: usize, recomputed: Option<&Envelope>) -> Difference {
        let json = |record: &Envelope| serde_json::to_value(record).unwrap_or_default();
        let recorded = self.records.get(at);
        let (mine, theirs) = (recorded.map(json), recomputed.map(json));
        let mut parts = Vec::new();
        if let (Some(mine), Some(theirs)) = (&mine, &theirs) {
            differing("", mine, theirs, &mut parts);
        }
        let mut lines = Lines::default();
        self.records[..fact.min(self.records.len())].iter().for_each(|record| lines.learn(record));
        let mut causes = Vec::new();
        let mut cause = recorded.or(recomputed).and_then(|record| record.cause);
        while let Some(seq) = cause.filter(|_| causes.len() < MOST_CAUSES) {
            let found = usize::try_from(seq.0).ok().and_then(|place| self.records.get(place));
            let Some(found) = found.filter(|found| found.seq == seq) else { break };
            causes.push(lines.line(found));
            // A damaged cause must not lead in a circle.
            cause = found.cause.filter(|earlier| *earlier < seq);
        }
        causes.reverse();
        let fact = self.records.get(fact).map(|fact| lines.line(fact)).unwrap_or_default();
        Difference { seq: Seq(at as u64), recorded: mine, recomputed: theirs, parts, causes, fact }
    }
}

/// An engine asserts what should be impossible. In a journal from elsewhere it may stand all the same, and where a process has
/// ended so, that is what the replay is asked for.
fn unless_stopped<T>(seq: Seq, work: impl FnOnce() -> T) -> Result<T, ReplayError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let why = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
        ReplayError::Stopped { seq, why: why.to_owned() }
    })
}

/// Names the parts in which two values differ.
fn differing(path: &str, mine: &Value, theirs: &Value, parts: &mut Vec<(String, String, String)>) {
    if mine == theirs || parts.len() == MOST_PARTS {
        return;
    }
    match (mine, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let (mine, theirs) = (a.get(key), b.get(key));
                differing(&inner, mine.unwrap_or(&Value::Null), theirs.unwrap_or(&Value::Null), parts);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (mine, theirs)) in a.iter().zip(b).enumerate() {
                differing(&format!("{path}[{index}]"), mine, theirs, parts);
            }
        }
        _ => parts.push((path.to_owned(), mine.to_string(), theirs.to_string())),
    }
}

/// What is said of facts whose decisions are not all there; nothing where there are none.
pub fn cut_words(cut_short: u64) -> String {
    match cut_short {
        0 => String::new(),
        1 => "; what followed from 1 fact is not all there (a power cut, or the end of a pack)".to_owned(),
        cuts => {
            format!("; what followed from {cuts} facts is not all there (power cuts, or the end of a pack)")
        }
    }
}

impl Difference {
    /// In lines for a person, the first of them without a name in front.
    pub fn words(&self) -> String {
        let text =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        let mut words = format!(
            "record {} differs: the journal has {}, the replay made {}",
            self.seq,
            text(&self.recorded),
            text(&self.recomputed)
        );
        for (path, recorded, recomputed) in &self.parts {
            words.push_str(&format!("\n  {path}: recorded {recorded}, replayed {recomputed}"));
        }
        if !self.fact.is_empty() {
            words.push_str(&format!("\n  in answer to {}", self.fact));
        }
        for cause in &self.causes {
            words.push_str(&format!("\n  led to by    {cause}"));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::{
        Answers, Book, EngineConfig, Posture, Proposal, RiskManager, RunId, Stance, Term, Timestamp, Verdict,
    };

    use super::*;

    /// Halts for good as soon as it has seen one kind of fact.
    #[derive(Debug)]
    struct HaltsAfter(fn(&Fact) -> bool, bool);

    impl RiskManager for HaltsAfter {
        fn assess(&self, _: &Proposal<'_>, _: &mut Answers) -> Verdict {
            Verdict::Approve
        }
        fn posture(&self, _: &Book, _: Timestamp) -> Stance {
            let posture = if self.1 { Posture::Halted } else { Posture::Normal };
            Stance { posture, because: "it has seen it".into() }
        }
        fn observe(&mut self, envelope: &Envelope, _: &Book) {
            self.1 |= matches!(&envelope.event, Event::Fact(fact) if (self.0)(fact));
        }
        fn mark(&mut self, _: &Book, _: Timestamp) {}
    }

    /// A journal of which the last decision is missing, replayed.
    fn without_the_last(halts_after: fn(&Fact) -> bool, facts: Vec<Fact>) -> Compared {
        let fresh =
            || Engine::new(EngineConfig::default(), Box::new(HaltsAfter(halts_after, false)), Vec::new());
        let (mut engine, mut step, mut records) = (fresh(), Step::default(), Vec::new());
        for (at, fact) in (1..).zip(facts) {
            engine.step(Timestamp::from_ms(at), fact, &mut step);
            records.extend(step.events.iter().cloned());
        }
        let fresh = |_: &RunStarted, _: &[Symbol]| Ok(fresh());
        let whole = replay(&records, &fresh, None, &mut |_| ()).unwrap();
        assert_eq!((whole.difference, whole.cut_short), (None, 0));
        let last = records.pop().unwrap();
        assert!(matches!(last.event, Event::Decision(_)), "{last:?}");
        replay(&records, &fresh, None, &mut |_| ()).unwrap()
    }

    fn started() -> Fact {
        Fact::RunStarted(RunStarted {
            run: RunId(1),
            term: Term(1),
            format: hedge_core::event::JOURNAL_FORMAT,
            code_version: String::new(),
            config_hash: String::new(),
            profile: "paper".to_owned(),
            data_hash: None,
        })
    }

    #[test]
    fn a_decision_that_only_the_replay_makes_is_cut_short_by_a_power_cut_and_not_by_a_clean_end() {
        let cut = without_the_last(|fact| matches!(fact, Fact::Tick), vec![started(), Fact::Tick]);
        assert_eq!((cut.difference, cut.cut_short), (None, 1));
        let stopped = Fact::RunStopped { because: "SIGTERM".to_owned() };
        let is_stop = |fact: &Fact| matches!(fact, Fact::RunStopped { .. });
        let compared = without_the_last(is_stop, vec![started(), stopped]);
        let difference = compared.difference.expect("nothing takes the end of a clean end");
        assert_eq!((difference.recorded, compared.cut_short), (None, 0));
        assert!(difference.recomputed.unwrap().to_string().contains("it has seen it"));
    }
}
