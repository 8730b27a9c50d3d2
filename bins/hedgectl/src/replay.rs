//! `hedgectl replay`.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use hedge_core::{Envelope, RunStarted, Symbol};
use hedge_desk::{
    config::Config,
    env::Env,
    journal::{
        Compared, Engines, Head, JournalSource, Moment, Place, ReplayError, SourceError, cut_words, find_run,
        replay,
    },
};
use hedge_store::{Owner, StateDir};
use serde_json::json;

use crate::{args::EnvFile, failure::Failure, output};

/// Make every decision of a run again from what it was told, and compare.
///
/// The facts of the journal are fed to engines with the configuration that the run kept; the first record that they do not
/// make again is shown with both texts and with what led to it. Exits with 0 when all are the same, 1 when one differs, 74
/// when the journal is damaged, 78 when the run's configuration is not there.
///
/// With --at nothing is compared: posture, legs, stops and orders are shown as the run knew them at that record, and what
/// led to it.
///
/// Example: hedgectl replay last
///
/// Example: hedgectl replay last --at 5451
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A state directory, `last`, or the name of a paper run. Default: `state` (EVENT_STORE_ROOT) when a live profile owns
    /// it, else `state/paper/last`.
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Begin with the process that ran then: a record number or a time. What is before it is folded, not compared.
    #[arg(long, value_name = "PLACE", value_parser = Place::parse, conflicts_with = "at")]
    from: Option<Place>,
    /// End with that record, or with the last one before that time.
    #[arg(long, visible_alias = "until", value_name = "PLACE", value_parser = Place::parse, conflicts_with = "at")]
    to: Option<Place>,
    /// Show what the run knew at that record, or at that time.
    #[arg(long, value_name = "PLACE", value_parser = Place::parse)]
    at: Option<Place>,
    /// The configuration folder that the run had, where it keeps none of its own. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    env: EnvFile,
}

/// A journal and whose it is.
pub(crate) struct Run {
    pub(crate) source: JournalSource,
    pub(crate) dir: Option<StateDir>,
    pub(crate) engines: Engines,
}

impl Run {
    /// Finds a run, says on stderr which it is, and where its configuration is looked for.
    pub(crate) fn find(
        run: Option<&str>,
        config: Option<&Path>,
        env_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let env = Env::load(env_file)?;
        let (source, says, dir) = find_run(&env.switches()?.state_root, run)?;
        eprintln!("{says}");
        let kept = dir.as_ref().map(|dir| Engines::of_state_dir(dir.path())).unwrap_or_default();
        // One that is named must be usable; of the usual one it is said only when it is wanted.
        let engines = match Config::load(config, &env) {
            Ok(given) => kept.or(given),
            Err(error) if config.is_some() => return Err(error.into()),
            Err(_) => kept,
        };
        Ok(Self { source, dir, engines })
    }
    pub(crate) fn owner(&self) -> Owner {
        let nobody = || Owner { profile: "backtest".to_owned(), venue: "bars".to_owned(), run: None };
        self.dir.as_ref().map_or_else(nobody, |dir| dir.owner().clone())
    }
    /// The records up to a place, all without one.
    pub(crate) fn records(&self, to: Option<Place>) -> Result<Vec<Envelope>, Failure> {
        let mut records = Vec::new();
        for record in self.source.records()? {
            let record = record.map_err(SourceError::from)?;
            if to.is_some_and(|to| to.is_passed(&record)) {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }
}

pub(crate) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let run = Run::find(args.run.as_deref(), args.config.as_deref(), args.env.env_file.as_deref())?;
    match args.at {
        Some(at) => show(&run, at, args.json),
        None => compare(&run, args),
    }
}

fn show(run: &Run, at: Place, json: bool) -> Result<(), Failure> {
    let records = run.records(Some(at))?;
    let started = Moment::process(&records);
    let config = match started.map(|started| run.engines.config(started)) {
        Some(Ok((config, _))) => config,
        // Only the breakers' own words depend on it.
        _ => Config::load(None, &Env::default())?,
    };
    let moment = Moment::after(&records, &run.owner(), &config)
        .ok_or_else(|| Failure::failed("the journal holds no record up to there"))?;
    if json {
        output::line(&serde_json::to_string(&moment)?);
    } else {
        output::print(&moment.to_string());
    }
    Ok(())
}

fn compare(run: &Run, args: &ReplayArgs) -> Result<(), Failure> {
    let records = run.records(args.to)?;
    let mut progress = Progress::new(records.len() as u64);
    let fresh = |started: &RunStarted, symbols: &[Symbol]| run.engines.fresh(started, symbols);
    let compared = replay(&records, &fresh, args.from, &mut |done| progress.say(done));
    progress.clear();
    let compared = compared.map_err(|error| match error {
        ReplayError::NoEngine(_) => Failure::configuration(format!("nothing was replayed: {error}")),
        error => Failure::failed(format!("nothing was replayed: {error}")),
    })?;
    let head = match &run.source {
        JournalSource::State(journal) => Head::of(journal.next_seq(), &journal.head()),
        JournalSource::Backtest(_) => None,
    };
    if args.json {
        output::line(
            &json!({"same": compared.difference.is_none(), "compared": compared, "head": head}).to_string(),
        );
    } else {
        output::line(&words(&compared));
    }
    match &compared.difference {
        None => Ok(()),
        Some(difference) => Err(Failure::failed(difference.words())),
    }
}

/// `11,870 records of 2 processes are as they were: 9,000 facts, 2,870 decisions (screened 1200, …)`.
pub(crate) fn words(compared: &Compared) -> String {
    let decisions: u64 = compared.decisions.values().sum();
    let kinds: Vec<String> =
        compared.decisions.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let begin =
        if compared.from.0 == 0 { String::new() } else { format!(" from record {} on", compared.from) };
    let processes = if compared.processes == 1 { "process" } else { "processes" };
    let same = format!(
        "{} records of {} {processes}{begin} were made again, byte for byte: {} facts, {decisions} decisions{kinds}{}",
        compared.same,
        compared.processes,
        compared.facts,
        cut_words(compared.cut_short)
    );
    match &compared.difference {
        None => format!("same: {same}"),
        Some(difference) => format!("DIFFERENT at record {}; before it {same}", difference.seq),
    }
}

/// How far a long replay is, now and then, on stderr.
pub(crate) struct Progress {
    all: u64,
    said: Instant,
    is_terminal: bool,
    is_shown: bool,
}

impl Progress {
    /// At a terminal twice a second, elsewhere every ten.
    pub(crate) fn new(all: u64) -> Self {
        Self { all, said: Instant::now(), is_terminal: std::io::stderr().is_terminal(), is_shown: false }
    }
    pub(crate) fn say(&mut self, done: u64) {
        let every = if self.is_terminal { Duration::from_millis(500) } else { Duration::from_secs(10) };
        if self.said.elapsed() < every {
            return;
        }
        self.said = Instant::now();
        let text = format!("{done} of {} records replayed", self.all);
        if self.is_terminal {
            eprint!("\r{text}");
            self.is_shown = true;
        } else {
            eprintln!("{text}");
        }
    }
    /// Takes the last word away, so that what follows stands on a line of its own.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            eprint!("\r{:60}\r", "");
        }
    }
}
