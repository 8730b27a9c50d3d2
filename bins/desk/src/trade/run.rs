//! From the command line's options to the report.

use std::{path::PathBuf, sync::Arc};

use hedge_core::{Failpoints, StateStore, engine::Engine};
use hedge_runtime::{Shutdown, SystemClock};
use hedge_sim::binance::ExchangeHandle;
use hedge_store::{FileStore, StateDir};
use tracing::warn;

use super::{
    error::TradeError,
    fenced,
    followers::{Followed, MirrorPlan},
    options::TradeOptions,
    place::Place,
    plan::{bars_note, plan},
    retention,
    session::Session,
};
use crate::{
    config::{Config, Mode, Profile},
    env::Env,
    failpoint, live,
    logging::Sink,
    paper,
    report::Record,
    runs::{self, Plan},
    venue::{default_dir, venue_name},
};

/// What every part of a run is told.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Which profile runs.
    pub mode: &'a Mode,
    /// The effective configuration.
    pub config: &'a Config,
    /// Variables: keys are read from here.
    pub env: &'a Env,
    /// Where lines go.
    pub sink: &'a Sink,
}

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

/// Plays a run: folder, venue, preflight, client, engine, loop, summary, report.
///
/// Prints to the sink; the path of the report is the last line. Stops at `shutdown`. Errors: [`TradeError`], whose
/// [`exit_code`](TradeError::exit_code) says how a program ends.
pub async fn run(
    setup: Setup<'_>,
    options: &TradeOptions,
    shutdown: Shutdown,
) -> Result<Finished, TradeError> {
    run_and_inspect(setup, options, shutdown, |_| ()).await.map(|(finished, ())| finished)
}

/// Like [`run`], and looks at the embedded exchange, if there is one, before it is stopped.
pub async fn run_and_inspect<R>(
    setup: Setup<'_>,
    options: &TradeOptions,
    shutdown: Shutdown,
    inspect: impl FnOnce(Option<&ExchangeHandle>) -> R,
) -> Result<(Finished, R), TradeError> {
    // What is wrong with hosts, keys and options is said before anything is created.
    let elsewhere = if is_embedded(&setup, options)? { None } else { Some(live::open(&setup, options)?) };
    let is_loopback = elsewhere.as_ref().is_none_or(|(_, access)| access.is_loopback);
    let failpoints = failpoint::armed(setup.env, is_loopback).map_err(TradeError::Refused)?;
    let mirror = MirrorPlan::of(&setup)?;
    let dir = folder(&setup, options)?;
    let store = open_store(&dir, setup.config, &failpoints)?;
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
    let (mut place, access) = match elsewhere {
        Some(found) => found,
        None => tokio::select! {
            biased;
            because = shutdown.requested() => return Err(TradeError::Stopped(because)),
            opened = paper::open(&setup, options, dir.path(), has_journal) => opened?,
        },
    };
    if let Some(embedded) = &place.embedded {
        embedded.exchange.notes().iter().chain(&embedded.market.notes).for_each(|note| eprintln!("{note}"));
    }
    // The line before the first request.
    setup.sink.line(&setup.mode.preflight(&access.base));
    setup.sink.flush();
    let access = tokio::select! {
        biased;
        because = shutdown.requested() => return Err(TradeError::Stopped(because)),
        access = live::keep_time(&setup, options, dir.path(), &mut place, access) => access?,
    };
    let plan = plan(&setup, options, earlier, &dir, &place)?;
    let days = setup.config.runtime.journal.retention_days;
    let retention = retention::start(&store, days, Arc::clone(&place.clock));
    let followed = Followed::start(&setup, dir.path(), store, mirror)?;
    let session = Session {
        setup,
        options,
        shutdown: shutdown.clone(),
        dir: &dir,
        store: followed.store(),
        place: &place,
        plan,
        has_journal,
        failpoints,
    };
    let finished = session.run(access).await;
    if let Some(retention) = retention {
        retention.end();
    }
    followed.close().await;
    if let Err(TradeError::Run(error)) = &finished {
        fenced::outlive_panic(error, &dir, &place, &shutdown, setup.sink).await;
    }
    let Place { embedded, address, .. } = place;
    let seen = inspect(embedded.as_ref().map(|embedded| &embedded.exchange));
    // Before the exchange goes, nobody is sent there any more.
    drop(address);
    if let Some(embedded) = embedded {
        embedded.exchange.shutdown().await;
    }
    finished.map(|finished| (finished, seen))
}

/// Whether the run brings its exchange along.
fn is_embedded(setup: &Setup<'_>, options: &TradeOptions) -> Result<bool, TradeError> {
    let is_embedded = setup.mode.profile == Profile::Paper && setup.config.runtime.binance.rest_url.is_none();
    if is_embedded && options.time_scale.is_some() {
        let text = "--time-scale is for an exchange that somebody else runs; the embedded one has --speed";
        return Err(TradeError::Usage(text.to_owned()));
    }
    Ok(is_embedded)
}

/// The state directory: the named one, else a new one for each paper run and the usual one of every other profile.
fn folder(setup: &Setup<'_>, options: &TradeOptions) -> Result<StateDir, TradeError> {
    let (root, venue) = (&setup.config.switches.state_root, venue_name(setup.mode, setup.config));
    let given = options.state_dir.as_deref();
    Ok(match setup.mode.profile {
        Profile::Paper => runs::open(given, root, venue, hedge_core::Clock::now(&SystemClock))?,
        profile => {
            let usual = default_dir(setup.mode, setup.config);
            runs::claim(given.unwrap_or(&usual), profile.as_str(), venue)?
        }
    })
}

fn open_store(
    dir: &StateDir,
    config: &Config,
    failpoints: &Failpoints,
) -> Result<Arc<FileStore>, TradeError> {
    let store = FileStore::open_with(dir.path(), config.runtime.file_options(), failpoints.clone())?;
    for repair in store.repairs() {
        warn!("{repair}");
    }
    Ok(Arc::new(store))
}
