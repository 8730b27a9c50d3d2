//! The whole sweep: which combinations, on which threads, what is kept, and what comes of it.

use std::{
    fmt,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use hedge_core::Timestamp;
use hedge_sim::market::Schedule;
use sha2::{Digest, Sha256};

use super::{
    compare::Comparison,
    error::SweepError,
    grid::Space,
    odometer::draw,
    outcome::{Outcome, Row},
    parameters::Parameters,
    pool::{Heard, each},
    resume::Unfinished,
    sharpe::Period,
    trial::{Course, Trial, play},
    walk_forward::{Fold, WalkForward, chosen, cuts, window},
};
use crate::{
    backtest::{PlayError, RecordedMarket},
    config::Config,
};

/// More combinations than this at once are a typing error in a grid. Each keeps 16 bytes a return.
const MOST: u64 = 100_000;
/// From this many days on returns are daily.
const DAILY_FROM_DAYS: i64 = 30;

/// Which combinations are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Every one.
    All,
    /// A drawn sample.
    Drawn {
        /// How many.
        count: u64,
        /// What they are drawn with.
        seed: u64,
    },
}

/// What to do.
#[derive(Clone, Debug)]
pub struct SweepPlan {
    /// What varies.
    pub space: Space,
    /// What the space is called in messages: its file, or the option.
    pub space_name: String,
    /// Which combinations of it.
    pub choice: Choice,
    /// Threads. The result does not depend on them.
    pub jobs: usize,
    /// How many windows choose and judge; none without.
    pub walk_forward: Option<u32>,
    /// Length of a return; days from thirty days of data on, else hours.
    pub period: Option<Period>,
    /// Where finished rows are kept on the way; nowhere without.
    pub out: Option<PathBuf>,
    /// Whether to go on with the rows that are there.
    pub resume: bool,
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sweep {
    /// Backtests that are done.
    pub done: u64,
    /// Backtests in all.
    pub all: u64,
    /// How long the rest takes at this pace.
    pub left: Option<Duration>,
}

/// What a sweep came to.
#[derive(Clone, Debug)]
pub struct Swept {
    /// What varied.
    pub space: Space,
    /// One per combination, by number.
    pub rows: Vec<Row>,
    /// The trials side by side.
    pub comparison: Comparison,
    /// Out of sample, where it was asked for and something traded.
    pub walk_forward: Option<WalkForward>,
    /// Length of a return.
    pub period: Period,
    /// First instant after the warm-up of the configuration as it stands.
    pub from: Timestamp,
    /// End of the data.
    pub to: Timestamp,
    /// Symbols, bars and hash of the data, and the hash of the configuration as it stands.
    pub facts: Vec<(String, String)>,
}

impl SweepPlan {
    /// The numbers of the combinations, ascending. Errors: too many.
    fn combinations(&self) -> Result<Vec<u64>, SweepError> {
        let all = self.space.combinations();
        let too_many = |found: &dyn fmt::Display| SweepError::Grid {
            place: self.space_name.clone(),
            text: format!("{found} combinations, expected at most {MOST}; draw some of them with --random N"),
        };
        match self.choice {
            Choice::All if all.is_none_or(|all| all > MOST) => {
                Err(all.map_or_else(|| too_many(&"more than 2^64"), |all| too_many(&all)))
            }
            Choice::All => Ok((0..all.unwrap_or(0)).collect()),
            Choice::Drawn { count, .. } if count > MOST => Err(too_many(&count)),
            Choice::Drawn { count, seed } => Ok(draw(all.unwrap_or(u64::MAX), count, seed)),
        }
    }
    fn is_whole(&self, combinations: &[u64]) -> bool {
        self.space.combinations() == Some(combinations.len() as u64)
    }
    /// What makes two sweeps the same, but for threads and folders.
    fn key(
        &self,
        parameters: &Parameters,
        market: &RecordedMarket,
        data_hash: &str,
        period: Period,
    ) -> String {
        let Self { space, choice, .. } = self;
        let base = parameters.base();
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            "{version} {} {data_hash} {:?} {space:?} {choice:?} {period:?}",
            base.hash(),
            market.rules
        );
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Plays every combination and compares them. `told` hears how far it is; `stop` ends it early.
    ///
    /// # Errors
    /// [`SweepError`]. After [`SweepError::Interrupted`] the same plan with `resume` goes on where it stopped.
    pub fn run(
        &self,
        parameters: &Parameters,
        market: &RecordedMarket,
        stop: &AtomicBool,
        told: &mut dyn FnMut(Sweep),
    ) -> Result<Swept, SweepError> {
        parameters.check(&self.space_name, &self.space)?;
        let combinations = self.combinations()?;
        let base = parameters.base();
        let schedule = Schedule::new(market.data.clone(), base.runtime.history.bars);
        let (Some(from_ms), Some(to)) = (schedule.start_ms(), market.data.end()) else {
            return Err(SweepError::TooShort("the data holds no bars to play".to_owned()));
        };
        let days = (to.ms() - from_ms) / Period::Day.ms();
        let period = self.period.unwrap_or(if days >= DAILY_FROM_DAYS { Period::Day } else { Period::Hour });
        let cuts = self
            .walk_forward
            .map(|folds| cuts(from_ms, to.ms(), folds, market.data.interval.ms()))
            .transpose()?;
        let data_hash = market.data.content_hash();
        let key = self.key(parameters, market, &data_hash, period);
        let course = Course { market, data_hash: Some(&data_hash), period };
        let rows = self.rows(parameters, &combinations, &course, (&key, schedule.bar_times()), stop, told)?;
        let comparison = Comparison::new(&self.space, &rows.0, self.is_whole(&combinations), period);
        let walk_forward = match &cuts {
            Some(cuts) => self.walk(parameters, &rows.0, cuts, &course, stop)?,
            None => None,
        };
        if let Some(unfinished) = rows.1 {
            unfinished.remove()?;
        }
        Ok(Swept {
            space: self.space.clone(),
            rows: rows.0,
            comparison,
            walk_forward,
            period,
            from: Timestamp::from_ms(from_ms),
            to,
            facts: facts(market, base, data_hash.clone()),
        })
    }

    /// Every combination's row, by number.
    fn rows(
        &self,
        parameters: &Parameters,
        combinations: &[u64],
        course: &Course<'_>,
        (key, bar_times): (&str, usize),
        stop: &AtomicBool,
        told: &mut dyn FnMut(Sweep),
    ) -> Result<(Vec<Row>, Option<Unfinished>), SweepError> {
        let all = combinations.len() as u64;
        let opened =
            self.out.as_deref().map(|folder| Unfinished::open(folder, key, self.resume)).transpose()?;
        let (mut unfinished, mut known) =
            opened.map_or((None, Default::default()), |(file, rows)| (Some(file), rows));
        let mut rows: Vec<Option<Row>> = combinations
            .iter()
            .map(|one| {
                known.remove(one).map(|trial| Row { combination: *one, outcome: Outcome::Played(trial) })
            })
            .collect();
        let open: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].is_none()).collect();
        let mut pace = Pace::new(open.len(), all - open.len() as u64, bar_times);
        told(pace.look());
        let played = &pace.bar_times.clone();
        let work = |piece: usize| {
            let combination = combinations[open[piece]];
            let config = match parameters.config(&self.space, combination) {
                Ok(config) => config,
                Err(reason) => return Ok(Some(Outcome::Refused(reason))),
            };
            let mut goes_on = |bars: usize| {
                played.fetch_add(bars as u64, Relaxed);
                !stop.load(Relaxed)
            };
            let trial = play(course, &config, &mut goes_on);
            trial.map(|trial| trial.map(Outcome::Played)).map_err(|source| self.failed(combination, source))
        };
        let mut failed = None;
        each(self.jobs, open.len(), work, |heard| {
            let (piece, result) = match heard {
                Heard::Tick => {
                    told(pace.look());
                    return !stop.load(Relaxed);
                }
                Heard::Done(piece, result) => (piece, result),
            };
            let combination = combinations[open[piece]];
            let kept = result.and_then(|outcome| {
                let Some(outcome) = outcome else { return Ok(false) };
                if let (Outcome::Played(trial), Some(file)) = (&outcome, &mut unfinished) {
                    file.add(combination, trial)?;
                }
                rows[open[piece]] = Some(Row { combination, outcome });
                Ok(true)
            });
            match kept {
                Ok(true) => {
                    pace.done += 1;
                    told(pace.look());
                    !stop.load(Relaxed)
                }
                Ok(false) => false,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let done = rows.iter().flatten().count() as u64;
        if done < all {
            return Err(self.interrupted(done, all));
        }
        let rows: Vec<Row> = rows.into_iter().flatten().collect();
        if let (true, Some(Outcome::Refused(reason))) =
            (rows.iter().all(|row| row.trial().is_none()), rows.first().map(|row| row.outcome.clone()))
        {
            if let Some(file) = unfinished {
                file.remove()?;
            }
            return Err(SweepError::AllRefused { combinations: all, reason });
        }
        Ok((rows, unfinished))
    }

    /// Each cut chooses on what came before it and is judged by a backtest of what came after it.
    fn walk(
        &self,
        parameters: &Parameters,
        rows: &[Row],
        cuts: &[i64],
        course: &Course<'_>,
        stop: &AtomicBool,
    ) -> Result<Option<WalkForward>, SweepError> {
        let from_ms = cuts.first().copied().unwrap_or(0);
        let tests: Vec<(usize, f64, i64, i64)> = cuts
            .windows(2)
            .skip(1)
            .filter_map(|pair| chosen(rows, pair[0]).map(|(row, sharpe)| (row, sharpe, pair[0], pair[1])))
            .collect();
        let work = |piece: usize| -> Result<Option<Trial>, SweepError> {
            let (row, _, cut_ms, to_ms) = tests[piece];
            let combination = rows[row].combination;
            let refused = |reason| SweepError::AllRefused { combinations: 1, reason };
            let config = parameters.config(&self.space, combination).map_err(refused)?;
            let market = window(course.market, config.runtime.history.bars, cut_ms, to_ms);
            let course = Course { market: &market, data_hash: None, period: course.period };
            play(&course, &config, &mut |_| !stop.load(Relaxed))
                .map_err(|source| self.failed(combination, source))
        };
        let mut played: Vec<Option<Result<Option<Trial>, SweepError>>> =
            (0..tests.len()).map(|_| None).collect();
        each(self.jobs, tests.len(), work, |heard| {
            if let Heard::Done(piece, result) = heard {
                played[piece] = Some(result);
            }
            !stop.load(Relaxed)
        });
        let mut folds = Vec::new();
        for ((row, train_sharpe, cut_ms, to_ms), played) in tests.into_iter().zip(played) {
            let all = rows.len() as u64;
            let Some(test) = played.transpose()?.flatten() else { return Err(self.interrupted(all, all)) };
            folds.push(Fold {
                train_from: Timestamp::from_ms(from_ms),
                cut: Timestamp::from_ms(cut_ms),
                test_to: Timestamp::from_ms(to_ms),
                row,
                train_sharpe,
                test,
            });
        }
        Ok((!folds.is_empty()).then_some(WalkForward { folds }))
    }

    fn failed(&self, index: u64, source: PlayError) -> SweepError {
        SweepError::Trial { index, parameters: self.space.describe(index), source: Box::new(source) }
    }
    fn interrupted(&self, done: u64, all: u64) -> SweepError {
        let kept = match &self.out {
            Some(folder) => format!("; they are kept in {}, go on with --resume", folder.display()),
            None => "; nothing is kept without --out".to_owned(),
        };
        SweepError::Interrupted { done, all, kept }
    }
}

fn facts(market: &RecordedMarket, base: &Config, data_hash: String) -> Vec<(String, String)> {
    let data = &market.data;
    let symbols: Vec<String> = data.symbols().map(|symbol| symbol.to_string()).collect();
    let bars: usize = data.series.iter().map(|series| series.bars.len()).sum();
    vec![
        ("symbols".to_owned(), symbols.join(", ")),
        ("bars of all symbols, warm-up included".to_owned(), format!("{bars} of {}", data.interval)),
        ("configuration".to_owned(), base.hash()),
        ("data".to_owned(), data_hash),
    ]
}

/// From bar times that were played to the time that is left.
struct Pace {
    begun: Instant,
    bar_times: std::sync::Arc<AtomicU64>,
    all_bar_times: u64,
    /// Of this run.
    done: u64,
    before: u64,
    open: u64,
}

impl Pace {
    fn new(open: usize, before: u64, bar_times: usize) -> Self {
        let open = open as u64;
        let all_bar_times = open * bar_times as u64;
        Self { begun: Instant::now(), bar_times: Default::default(), all_bar_times, done: 0, before, open }
    }
    fn look(&self) -> Sweep {
        let played = self.bar_times.load(Relaxed);
        let left = (played > 0).then(|| {
            let open = self.all_bar_times.saturating_sub(played) as f64;
            Duration::from_secs_f64(self.begun.elapsed().as_secs_f64() / played as f64 * open)
        });
        Sweep { done: self.before + self.done, all: self.before + self.open, left }
    }
}
