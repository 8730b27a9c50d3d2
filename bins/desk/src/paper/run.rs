//! One paper run from its folder to its report.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use hedge_binance::{Binance, Live};
use hedge_core::{PreflightPass, StateStore, engine::Engine};
use hedge_runtime::{Activity, Observer, Parts, RunEnd, Runtime, Settings, Shutdown, SystemClock, Unfenced};
use hedge_store::{FileStore, StateDir};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::{
    bars::{BarCount, BarLimit},
    disk,
    error::PaperError,
    exchange::{Place, history},
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
    report::{Heading, Recorder, render},
    runs::{self, Plan},
};

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
    let started = hedge_core::Clock::now(&SystemClock);
    let root = &config.switches.state_root;
    let dir = runs::open(options.state_dir.as_deref(), root, Place::venue(config), started)?;
    let store = open_store(&dir, config)?;
    let place = Place::open(options, config, env, dir.path()).await?;
    if let Some(exchange) = &place.embedded {
        let notes = exchange.notes().iter().chain(place.market.iter().flat_map(|market| &market.notes));
        notes.for_each(|note| eprintln!("{note}"));
    }
    let plan = plan(options, config, &dir, &place)?;
    let finished =
        trade(Trade { options, config, sink, shutdown, dir: &dir, store, place: &place, plan }).await;
    if let Some(exchange) = place.embedded {
        exchange.shutdown().await;
    }
    finished
}

fn open_store(dir: &StateDir, config: &Config) -> Result<Arc<FileStore>, PaperError> {
    let store = FileStore::open(dir.path(), config.runtime.file_options())?;
    for repair in store.repairs() {
        warn!("{repair}");
    }
    Ok(Arc::new(store))
}

/// The plan of an embedded exchange that does not run without end.
fn plan(
    options: &PaperOptions,
    config: &Config,
    dir: &StateDir,
    place: &Place,
) -> Result<Option<Plan>, PaperError> {
    let (Some(exchange), Some(market), false) = (&place.embedded, &place.market, options.follow) else {
        return Ok(None);
    };
    let bars = options.bars.unwrap_or(config.runtime.paper.bars as u64);
    let plan = match Plan::load(dir.path())? {
        Some(plan) => plan.next(exchange.now_ms(), bars),
        None => Plan {
            from_ms: exchange.now_ms(),
            bars,
            finished: false,
            bar_ms: market.interval.ms(),
            market: market.label.clone(),
            symbols: market.symbols.iter().map(ToString::to_string).collect(),
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

async fn trade(trade: Trade<'_>) -> Result<Finished, PaperError> {
    let Trade { options, config, sink, shutdown, dir, store, place, plan } = trade;
    let composition = compose(config, &place.symbols)?;
    for name in &composition.left_out {
        info!(strategy = name, "strategy left out: its symbol is not traded in this run");
    }
    info!(state_dir = %dir.path().display(), market = place.label, "paper run");
    let client = armed(config, sink, place, &composition).await?;

    let Composition { engine, universe, read, .. } = composition;
    let recorder = Recorder::default();
    let count = BarCount::default();
    let limit = limit(options, place, plan.as_ref());
    let observers: Vec<Box<dyn Observer>> = vec![
        Box::new(OperatorLog::new(sink.clone(), Environment { testnet: false, dry_run: false })),
        Box::new(recorder.clone()),
        Box::new(BarLimit::new(read.len(), limit, Arc::clone(&count), shutdown.clone())),
    ];
    let activity = if place.is_lockstep { Activity::stepped() } else { Activity::free() };
    let runtime = Runtime::new(
        engine,
        Parts {
            store: Arc::clone(&store) as Arc<dyn StateStore>,
            venues: vec![Arc::new(client)],
            clock: Arc::clone(&place.clock),
            fence: Arc::new(Unfenced),
            activity: Arc::clone(&activity),
            observers,
            shutdown: shutdown.clone(),
            settings: Settings {
                profile: "paper".to_owned(),
                code_version: env!("CARGO_PKG_VERSION").to_owned(),
                config_hash: config.hash(),
                data_hash: place.market.as_ref().and_then(|market| market.data_hash.clone()),
                history_bars: history(options, config),
                reconcile_every: Duration::from_secs(config.runtime.reconcile.interval_s),
                views_every: Duration::from_millis(config.runtime.views.interval_ms),
                // One command at a time keeps the order of events at the venue the same in every run.
                parallel_legs: if place.is_lockstep { 1 } else { 4 },
                ..Settings::new(universe)
            },
        },
    );
    let guard = disk::guard(dir.path().to_owned(), config.runtime.journal.min_free_mb, runtime.operator());
    let mut loop_task = tokio::spawn(runtime.run());
    let driven = drive(
        Driver { place, plan: plan.as_ref(), limit, activity: &activity, count: &count, recorder: &recorder },
        &mut loop_task,
        &shutdown,
    )
    .await;
    guard.abort();
    let end = match driven? {
        Some(end) => end,
        None => joined(loop_task.await)?,
    };

    let played = plan.as_ref().map_or(count.load(Relaxed), |plan| played(plan, place));
    if let Some(plan) = plan {
        let finished = place.clock.now().ms() >= plan.until_ms();
        Plan { finished, ..plan }.save(dir.path())?;
    }
    let record = recorder.record();
    let report = dir.path().join(REPORT_FILE);
    let page = render(&heading(config, place), &record, end.engine.book());
    std::fs::write(&report, page)
        .map_err(|source| PaperError::Report { path: report.display().to_string(), source })?;
    drop(store);
    for line in summary::lines(&record, end.engine.book(), played, &end.because, sink.format()) {
        sink.raw(&line);
    }
    sink.raw(&report.display().to_string());
    sink.flush();
    Ok(Finished { because: end.because, report, engine: end.engine })
}

/// Says what is about to happen, looks, and arms the client.
async fn armed(
    config: &Config,
    sink: &Sink,
    place: &Place,
    composition: &Composition,
) -> Result<Binance<Live>, PaperError> {
    let settings = place.client()?;
    sink.line(&preflight_line("paper", place.base(), false, false));
    sink.flush();
    let client = connect(settings, &config.runtime.binance)?;
    let symbols: Vec<_> = composition.universe.iter().map(|listing| listing.instrument.symbol).collect();
    let report = preflight::look(&client, &symbols).await;
    for check in &report.checks {
        info!(
            check = check.name,
            expected = check.expected,
            found = check.found,
            passed = check.passed,
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
    place: &'a Place,
    plan: Option<&'a Plan>,
    limit: Option<u64>,
    activity: &'a Activity,
    count: &'a BarCount,
    recorder: &'a Recorder,
}

type LoopTask = JoinHandle<Result<RunEnd, hedge_runtime::RunError>>;

/// Lets the run go to its end. `Some` when the loop has ended by itself.
async fn drive(
    driver: Driver<'_>,
    task: &mut LoopTask,
    shutdown: &Shutdown,
) -> Result<Option<RunEnd>, PaperError> {
    let mut progress = Progress::on_terminal();
    let total = driver.plan.map(|plan| plan.bars).or(driver.limit);
    let note = |recorder: &Recorder| {
        recorder.with(|record| format!("{} orders  {} fills", record.orders(), record.fills()))
    };
    if let (Some(exchange), true) = (&driver.place.embedded, driver.place.is_lockstep) {
        let lockstep = Lockstep::new(exchange, driver.activity);
        let until_ms = driver.plan.map(Plan::until_ms);
        let bar_ms = driver.place.market.as_ref().map_or(0, |market| market.interval.ms());
        let show = |_| {
            if let (Some(plan), Some(total)) = (driver.plan, total) {
                progress.update(played(plan, driver.place), total, || note(driver.recorder));
            }
        };
        return tokio::select! {
            biased;
            end = &mut *task => joined(end).map(Some),
            driven = lockstep.play(until_ms, bar_ms, show) => {
                shutdown.trigger(match driven? {
                    Driven::Played => "all bars are played",
                    Driven::Ended => "the market has ended",
                });
                Ok(None)
            }
        };
    }
    let mut problems = driver.place.embedded.as_ref().map(|exchange| exchange.problems());
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
                if let Some(total) = total {
                    progress.update(driver.count.load(Relaxed), total, || note(driver.recorder));
                }
            }
        }
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

fn joined(
    end: Result<Result<RunEnd, hedge_runtime::RunError>, tokio::task::JoinError>,
) -> Result<RunEnd, PaperError> {
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
