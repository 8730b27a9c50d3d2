//! One paper run from its folder to its report.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use hedge_binance::{Binance, Live};
use hedge_core::{PreflightPass, StateStore, engine::Engine};
use hedge_runtime::{
    Activity, Listing, Parts, RunEnd, RunError, Runtime, Settings, Shutdown, SystemClock, Unfenced,
};
use hedge_sim::binance::ExchangeHandle;
use hedge_store::{FileStore, StateDir};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::{
    bars::{BarCount, BarLimit},
    disk,
    error::PaperError,
    exchange::{Place, history},
    last_bar::LastBar,
    lockstep::{Driven, Lockstep},
    options::PaperOptions,
    preflight, summary,
};
use crate::{
    compose::{Composition, compose, connect},
    config::Config,
    env::Env,
    logging::{Environment, OperatorLog, Sink, preflight as preflight_line},
    progress::Progress,
    report::{Heading, Record, Recorder, render},
    runs::{self, Plan},
};

/// Legs that may have a command on its way at the same time, in real time.
const PARALLEL_LEGS: usize = 4;
/// Least number of bars between two comparisons with the account, where no time passes between bars.
const LOCKSTEP_RECONCILE_BARS: u32 = 24;
const REPORT_FILE: &str = "report.html";
/// How often a run in real time draws its progress.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// A run that came to its end, or was stopped.
#[derive(Debug)]
pub struct Finished {
    /// Why it ended.
    pub because: String,
    /// The report.
    pub report: PathBuf,
    /// The engine as it stopped.
    pub engine: Engine,
    /// What was recorded, over all starts of the run.
    pub record: Record,
}

/// Plays a paper run: folder, exchange, client, engine, loop, summary, report.
///
/// Prints to `sink`; the path of the report is the last line. Stops at `shutdown`. Errors: [`PaperError`], whose
/// [`exit_code`](PaperError::exit_code) says how a program ends.
pub async fn run(
    options: &PaperOptions,
    config: &Config,
    env: &Env,
    sink: &Sink,
    shutdown: Shutdown,
) -> Result<Finished, PaperError> {
    run_and_inspect(options, config, env, sink, shutdown, |_| ()).await.map(|(finished, ())| finished)
}

/// Like [`run`], and looks at the embedded exchange, if there is one, before it is stopped.
pub async fn run_and_inspect<R>(
    options: &PaperOptions,
    config: &Config,
    env: &Env,
    sink: &Sink,
    shutdown: Shutdown,
    inspect: impl FnOnce(Option<&ExchangeHandle>) -> R,
) -> Result<(Finished, R), PaperError> {
    let started = hedge_core::Clock::now(&SystemClock);
    let root = &config.switches.state_root;
    let dir = runs::open(options.state_dir.as_deref(), root, Place::venue(config), started)?;
    let store = open_store(&dir, config)?;
    let earlier = Plan::load(dir.path())?;
    let continued = match &earlier {
        Some(plan) => {
            if let Some(note) = bars_note(options, plan) {
                eprintln!("{note}");
            }
            Some(options.clone().continuing(plan)?)
        }
        None => None,
    };
    let options = continued.as_ref().unwrap_or(options);
    let has_journal = store.next_seq().await.is_ok_and(|seq| seq.0 > 0);
    let place = tokio::select! {
        biased;
        because = shutdown.requested() => return Err(PaperError::Stopped(because)),
        place = Place::open(options, config, env, dir.path(), has_journal) => place?,
    };
    if let Some(exchange) = &place.embedded {
        let notes = exchange.notes().iter().chain(place.market.iter().flat_map(|market| &market.notes));
        notes.for_each(|note| eprintln!("{note}"));
    }
    let plan = plan(options, config, earlier, &dir, &place)?;
    let trade = Trade { options, config, sink, shutdown, dir: &dir, store, place: &place, plan };
    let finished = trade.run().await;
    let seen = inspect(place.embedded.as_ref());
    if let Some(exchange) = place.embedded {
        exchange.shutdown().await;
    }
    finished.map(|finished| (finished, seen))
}

fn open_store(dir: &StateDir, config: &Config) -> Result<Arc<FileStore>, PaperError> {
    let store = FileStore::open(dir.path(), config.runtime.file_options())?;
    for repair in store.repairs() {
        warn!("{repair}");
    }
    Ok(Arc::new(store))
}

/// What `--bars` cannot do: a run that was stopped goes on to the end it was given.
fn bars_note(options: &PaperOptions, plan: &Plan) -> Option<String> {
    let asked = options.bars.filter(|bars| !plan.finished && *bars != plan.bars)?;
    let end = plan.bars;
    Some(format!("the unfinished run goes on to the end of its {end} bars; --bars {asked} is ignored"))
}

/// The plan of an embedded exchange that does not run without end.
fn plan(
    options: &PaperOptions,
    config: &Config,
    earlier: Option<Plan>,
    dir: &StateDir,
    place: &Place,
) -> Result<Option<Plan>, PaperError> {
    let (Some(exchange), Some(market), false) = (&place.embedded, &place.market, options.follow) else {
        return Ok(None);
    };
    let bars = options.bars.unwrap_or(config.runtime.paper.bars as u64);
    let plan = match earlier {
        Some(plan) => plan.next(exchange.now_ms(), bars),
        None => Plan {
            // Bars begin on their grid, also where the clock starts inside one.
            from_ms: exchange.now_ms().div_euclid(market.interval.ms()) * market.interval.ms(),
            bars,
            finished: false,
            bar_ms: market.interval.ms(),
            seed: market.seed,
            data: options.data.clone(),
            symbols: market.symbols.clone(),
            history: history(options, config),
        },
    };
    plan.save(dir.path())?;
    Ok(Some(plan))
}

struct Trade<'a> {
    options: &'a PaperOptions,
    config: &'a Config,
    sink: &'a Sink,
    shutdown: Shutdown,
    dir: &'a StateDir,
    store: Arc<FileStore>,
    place: &'a Place,
    plan: Option<Plan>,
}

impl Trade<'_> {
    async fn run(self) -> Result<Finished, PaperError> {
        let Composition { engine, universe, read, left_out } = compose(self.config, &self.place.symbols)?;
        for name in &left_out {
            info!(strategy = name, "strategy left out: its symbol is not traded in this run");
        }
        info!(state_dir = %self.dir.path().display(), market = self.place.label, "paper run");
        let client = tokio::select! {
            biased;
            because = self.shutdown.requested() => return Err(PaperError::Stopped(because)),
            client = armed(self.config, self.sink, self.place, &universe) => client?,
        };
        let recorder = Recorder::default();
        let count = BarCount::default();
        let limit = limit(self.options, self.place, self.plan.as_ref());
        let bars = BarLimit::new(read.len(), limit, Arc::clone(&count), self.shutdown.clone());
        let activity = if self.place.is_lockstep { Activity::stepped() } else { Activity::free() };
        let standing = disk::StandingOrder::new();
        let dir = self.dir.path().to_owned();
        let watch = disk::Watch::new(dir, self.config.runtime.journal.min_free_mb, &standing);
        let mut parts = self.parts(client, universe, &recorder, bars, &activity);
        parts.observers.push(Box::new(standing));
        let runtime = Runtime::new(engine, parts);
        let guard = watch.start(runtime.operator());
        let mut task = tokio::spawn(runtime.run());
        let driver = Driver {
            dir: self.dir.path(),
            place: self.place,
            plan: self.plan.as_ref(),
            limit,
            activity: &activity,
            count: &count,
            recorder: &recorder,
        };
        let driven = driver.drive(&mut task, &self.shutdown).await;
        guard.abort();
        let end = match driven? {
            Some(end) => end,
            None => joined(task.await)?,
        };
        self.finish(end, recorder.record())
    }

    fn parts(
        &self,
        client: Binance<Live>,
        universe: Vec<Listing>,
        recorder: &Recorder,
        bars: BarLimit,
        activity: &Arc<Activity>,
    ) -> Parts {
        let environment = Environment { testnet: false, dry_run: false };
        let runtime = &self.config.runtime;
        Parts {
            store: Arc::clone(&self.store) as Arc<dyn StateStore>,
            venues: vec![Arc::new(client)],
            clock: Arc::clone(&self.place.clock),
            fence: Arc::new(Unfenced),
            activity: Arc::clone(activity),
            observers: vec![
                Box::new(OperatorLog::new(self.sink.clone(), environment).at_speed(self.place.speed())),
                Box::new(recorder.clone()),
                Box::new(bars),
            ],
            shutdown: self.shutdown.clone(),
            settings: Settings {
                profile: "paper".to_owned(),
                code_version: env!("CARGO_PKG_VERSION").to_owned(),
                config_hash: self.config.hash(),
                data_hash: self.place.market.as_ref().and_then(|market| market.data_hash.clone()),
                history_bars: history(self.options, self.config),
                reconcile_every: self.reconcile_every(),
                views_every: Duration::from_millis(runtime.views.interval_ms),
                // One command at a time keeps the order of events at the venue the same in every run.
                parallel_legs: if self.place.is_lockstep { 1 } else { PARALLEL_LEGS },
                ..Settings::new(universe)
            },
        }
    }

    /// In lockstep an hour is over in a moment: by the clock every bar would cost a read of the whole account.
    fn reconcile_every(&self) -> Duration {
        let configured = Duration::from_secs(self.config.runtime.reconcile.interval_s);
        match &self.place.market {
            Some(market) if self.place.is_lockstep => {
                let bar = Duration::from_millis(market.interval.ms().unsigned_abs());
                configured.max(bar * LOCKSTEP_RECONCILE_BARS)
            }
            _ => configured,
        }
    }

    /// Notes how far the plan came, writes the report, prints the table.
    fn finish(self, end: RunEnd, record: Record) -> Result<Finished, PaperError> {
        if let Some(plan) = self.plan {
            let now_ms = self.place.clock.now().ms();
            let finished = if self.place.is_lockstep {
                LastBar::load(self.dir.path(), plan.until_ms()).is_played(now_ms, self.place.symbols.len())
            } else {
                now_ms >= plan.until_ms()
            };
            Plan { finished, ..plan }.save(self.dir.path())?;
        }
        let report = self.dir.path().join(REPORT_FILE);
        let page = render(&heading(self.config, self.place), &record, end.engine.book());
        runs::write_private(&report, page.as_bytes())
            .map_err(|source| PaperError::Report { path: report.display().to_string(), source })?;
        let format = self.sink.format();
        for line in summary::lines(&record, end.engine.book(), &end.because, format) {
            self.sink.raw(&line);
        }
        self.sink.raw(&report.display().to_string());
        self.sink.flush();
        Ok(Finished { because: end.because, report, engine: end.engine, record })
    }
}

/// Says what is about to happen, looks, and arms the client.
async fn armed(
    config: &Config,
    sink: &Sink,
    place: &Place,
    universe: &[Listing],
) -> Result<Binance<Live>, PaperError> {
    let settings = place.client()?;
    sink.line(&preflight_line("paper", place.base(), false, false));
    sink.flush();
    let client = connect(settings, &config.runtime.binance)?;
    let symbols: Vec<_> = universe.iter().map(|listing| listing.instrument.symbol).collect();
    let report = preflight::look(&client, &symbols).await;
    for check in &report.checks {
        info!(
            check = check.name,
            expected = check.expected,
            found = check.found,
            result = %check.result,
            "preflight"
        );
    }
    let now = place.clock.now();
    let pass = PreflightPass::issue(&report, None, &config.hash(), now)?;
    Ok(client.arm(pass, now)?)
}

/// Bars after which the loop itself ends the run: in real time, where no driver does.
fn limit(options: &PaperOptions, place: &Place, plan: Option<&Plan>) -> Option<u64> {
    match (place.is_lockstep, plan) {
        (true, _) => None,
        (false, Some(plan)) => Some(plan.bars.saturating_sub(played(plan, place)).max(1)),
        (false, None) => options.bars.filter(|_| !options.follow),
    }
}

/// Whole bars between the plan's start and now.
fn played(plan: &Plan, place: &Place) -> u64 {
    ((place.clock.now().ms() - plan.from_ms) / plan.bar_ms).max(0).unsigned_abs().min(plan.bars)
}

struct Driver<'a> {
    dir: &'a Path,
    place: &'a Place,
    plan: Option<&'a Plan>,
    limit: Option<u64>,
    activity: &'a Activity,
    count: &'a BarCount,
    recorder: &'a Recorder,
}

type LoopTask = JoinHandle<Result<RunEnd, RunError>>;

impl Driver<'_> {
    /// Lets the run go to its end. `Some` when the loop has ended by itself.
    async fn drive(self, task: &mut LoopTask, shutdown: &Shutdown) -> Result<Option<RunEnd>, PaperError> {
        match &self.place.embedded {
            Some(exchange) if self.place.is_lockstep => self.lockstep(exchange, task, shutdown).await,
            _ => self.real_time(task, shutdown).await,
        }
    }

    async fn lockstep(
        &self,
        exchange: &ExchangeHandle,
        task: &mut LoopTask,
        shutdown: &Shutdown,
    ) -> Result<Option<RunEnd>, PaperError> {
        let mut progress = Progress::on_terminal();
        let bar_ms = self.place.market.as_ref().map_or(0, |market| market.interval.ms());
        let show = |_| {
            if let Some(plan) = self.plan {
                progress.update(played(plan, self.place), plan.bars, || self.note());
            }
        };
        let lockstep = Lockstep::new(exchange, self.activity);
        let last = self.plan.map(|plan| LastBar::load(self.dir, plan.until_ms()));
        tokio::select! {
            biased;
            end = task => joined(end).map(Some),
            driven = lockstep.play(last, bar_ms, show) => {
                shutdown.trigger(match driven? {
                    Driven::Played => "all bars are played",
                    Driven::Ended => "the market has ended",
                });
                Ok(None)
            }
        }
    }

    /// The venue's clock runs by itself; the loop ends at its limit or when somebody asks.
    async fn real_time(
        &self,
        task: &mut LoopTask,
        shutdown: &Shutdown,
    ) -> Result<Option<RunEnd>, PaperError> {
        let mut progress = Progress::on_terminal();
        let mut problems = self.place.embedded.as_ref().map(ExchangeHandle::problems);
        loop {
            tokio::select! {
                biased;
                end = &mut *task => return joined(end).map(Some),
                Some(problem) = trouble(&mut problems) => {
                    warn!(problem, "the embedded exchange cannot go on");
                    shutdown.trigger("the embedded exchange cannot go on");
                    return Ok(None);
                }
                () = tokio::time::sleep(DRAW_EVERY) => {
                    if let Some(total) = self.limit {
                        progress.update(self.count.load(Relaxed), total, || self.note());
                    }
                }
            }
        }
    }

    fn note(&self) -> String {
        self.recorder.with(|record| format!("{} orders  {} fills", record.orders(), record.fills()))
    }
}

/// Resolves when the market of the exchange is in trouble; never without an exchange.
async fn trouble(problems: &mut Option<tokio::sync::watch::Receiver<Option<String>>>) -> Option<String> {
    match problems {
        Some(problems) => match problems.wait_for(Option::is_some).await {
            Ok(problem) => problem.clone(),
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn joined(end: Result<Result<RunEnd, RunError>, tokio::task::JoinError>) -> Result<RunEnd, PaperError> {
    Ok(end.map_err(|_| PaperError::Crashed("the loop"))??)
}

fn heading(config: &Config, place: &Place) -> Heading {
    let hash = config.hash();
    Heading {
        title: format!("paper run on the {}", place.label),
        facts: vec![
            ("profile".to_owned(), "paper".to_owned()),
            (
                "symbols".to_owned(),
                place.symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            ),
            ("configuration".to_owned(), hash.get(..12).unwrap_or(&hash).to_owned()),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ],
    }
}
