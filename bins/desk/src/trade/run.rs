//! From the command line's options to the report.

use std::{path::PathBuf, sync::Arc};

use hedge_core::{OrderRecord, OrderState, StateStore, engine::Engine};
use hedge_runtime::{RunError, Shutdown, SystemClock, lease::LeaseState};
use hedge_sim::binance::ExchangeHandle;
use hedge_store::{FileStore, StateDir};
use tracing::{error, info};

use super::{
    error::TradeError,
    fenced,
    followers::{Followed, MirrorPlan},
    options::TradeOptions,
    place::Place,
    plan::{bars_note, plan},
    retention,
    session::Session,
    standby::open_store,
};
use crate::{
    compose::ClientTies,
    config::{Config, Mode, Profile},
    env::Env,
    failpoint,
    lease::{self, Claim, Gatekeeper, LeasePlan},
    live,
    logging::Sink,
    paper,
    report::Record,
    runs::{self, Plan},
    venue::{Access, default_dir, venue_name},
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

/// What a process has read at its start: files, and variables with their keys. Opaque, for comparing only.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    config: String,
    variables: [u8; 32],
}

/// Of a configuration and the variables beside it.
pub fn fingerprint(config: &Config, env: &Env) -> Fingerprint {
    Fingerprint { config: config.hash(), variables: env.digest() }
}

/// Like [`run`], for a process that may stand by for long: `reread` reads configuration and variables as they are now and says
/// their [`fingerprint`], or in one line why they cannot be used.
///
/// Errors: also [`TradeError::Reconfigured`] when it is another one at the takeover; nothing was sent yet. Load it and run again.
pub async fn run_standing_by(
    setup: Setup<'_>,
    options: &TradeOptions,
    shutdown: Shutdown,
    reread: &dyn Fn() -> Result<Fingerprint, String>,
) -> Result<Finished, TradeError> {
    let reread = options.standby.then_some(reread);
    play(setup, options, shutdown, reread, |_| ()).await.map(|(finished, ())| finished)
}

/// Like [`run`], and looks at the embedded exchange, if there is one, before it is stopped.
pub async fn run_and_inspect<R>(
    setup: Setup<'_>,
    options: &TradeOptions,
    shutdown: Shutdown,
    inspect: impl FnOnce(Option<&ExchangeHandle>) -> R,
) -> Result<(Finished, R), TradeError> {
    play(setup, options, shutdown, None, inspect).await
}

async fn play<R>(
    setup: Setup<'_>,
    options: &TradeOptions,
    shutdown: Shutdown,
    reread: Option<&dyn Fn() -> Result<Fingerprint, String>>,
    inspect: impl FnOnce(Option<&ExchangeHandle>) -> R,
) -> Result<(Finished, R), TradeError> {
    // What is wrong with hosts, keys and options is said before anything is created.
    let is_embedded = is_embedded(&setup, options)?;
    let is_on_this_machine = is_embedded || setup.config.runtime.binance.is_on_this_machine();
    let failpoints = failpoint::armed(setup.env, is_on_this_machine).map_err(TradeError::Refused)?;
    let gate = Arc::new(Gatekeeper::default());
    let ties = ClientTies { guard: Some(Arc::clone(&gate) as _), failpoints: failpoints.clone() };
    let elsewhere = if is_embedded { None } else { Some(live::open(&setup, options, &ties)?) };
    let mirror = MirrorPlan::of(&setup)?;
    let lease = LeasePlan::of(&setup, is_embedded)?;
    let dir = folder(&setup, options)?;
    let opened = open_store(dir.path(), setup.config, &failpoints, options.standby, &shutdown).await?;
    let (store, waited_for) = (opened.store, opened.waited_for.as_deref());
    let claim = Claim { dir: dir.path(), is_standby: options.standby, waited_for, shutdown: &shutdown };
    let tenure = lease::take(&lease, claim).await?;
    let hold = match recheck(setup, reread) {
        Ok(hold) => hold,
        Err(changed) => {
            tenure.give_back().await;
            return Err(changed);
        }
    };
    let led = Led {
        setup,
        shutdown: shutdown.clone(),
        dir: &dir,
        store,
        lease: Arc::clone(&tenure.state),
        begins_run: tenure.begins_run,
        hold,
        gate,
        ties: &ties,
        mirror,
    };
    let finished = led.run(options, elsewhere, inspect).await;
    if may_be_followed_at_once(&finished) {
        tenure.give_back().await;
    } else if let Err(TradeError::Run(RunError::Fenced { .. })) = &finished
        && let Some(stance) = fenced::left(&dir)
    {
        tenure.leave(stance).await;
    }
    finished
}

/// Whether the configuration is still the one that this process has read, perhaps long ago. `Some` is why nothing may be
/// opened with it.
fn recheck(
    setup: Setup<'_>,
    reread: Option<&dyn Fn() -> Result<Fingerprint, String>>,
) -> Result<Option<String>, TradeError> {
    let Some(reread) = reread else { return Ok(None) };
    let before = fingerprint(setup.config, setup.env);
    match reread() {
        Ok(now) if now == before => Ok(None),
        Ok(now) if now.config == before.config => {
            info!(
                "standby: variables have changed since this process was started; takes over with those that are there now"
            );
            Err(TradeError::Reconfigured)
        }
        Ok(now) => {
            let short = |hash: &str| hash.chars().take(12).collect::<String>();
            info!(
                before = short(&before.config),
                now = short(&now.config),
                "standby: the configuration has changed since this process was started; takes over with the one that is there now"
            );
            Err(TradeError::Reconfigured)
        }
        Err(because) => {
            let because = format!(
                "the configuration cannot be used as it is now: {because}; this process goes on with the one that it read \
                 when it was started, and opens nothing; mend it and restart"
            );
            error!("standby: {because}");
            Ok(Some(because))
        }
    }
}

/// Whether nothing of this process can be on its way to the venue any more, so that the next leader need not wait.
fn may_be_followed_at_once<R>(finished: &Result<(Finished, R), TradeError>) -> bool {
    match finished {
        Ok((finished, _)) => {
            let is_open =
                |order: &OrderRecord| matches!(order.state, OrderState::InFlight | OrderState::Unknown);
            !finished.engine.book().live_orders().any(is_open)
        }
        // The loop had begun, or may have: what it has sent may not be answered.
        Err(
            TradeError::Run(_)
            | TradeError::Crashed(_)
            | TradeError::Report { .. }
            | TradeError::Runs(_)
            | TradeError::Store(_)
            | TradeError::Exchange(_),
        ) => false,
        // It ended before that.
        Err(_) => true,
    }
}

/// A run that has its state directory and its lease.
struct Led<'a> {
    setup: Setup<'a>,
    shutdown: Shutdown,
    dir: &'a StateDir,
    store: Arc<FileStore>,
    lease: Arc<LeaseState>,
    begins_run: bool,
    hold: Option<String>,
    gate: Arc<Gatekeeper>,
    ties: &'a ClientTies,
    mirror: MirrorPlan,
}

impl Led<'_> {
    async fn run<R>(
        self,
        options: &TradeOptions,
        elsewhere: Option<(Place, Access)>,
        inspect: impl FnOnce(Option<&ExchangeHandle>) -> R,
    ) -> Result<(Finished, R), TradeError> {
        let Self { setup, shutdown, dir, store, lease, begins_run, hold, gate, ties, mirror } = self;
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
                opened = paper::open(&setup, options, dir.path(), has_journal, ties) => opened?,
            },
        };
        if let Some(embedded) = &place.embedded {
            embedded
                .exchange
                .notes()
                .iter()
                .chain(&embedded.market.notes)
                .for_each(|note| eprintln!("{note}"));
        }
        // The line before the first request.
        setup.sink.line(&setup.mode.preflight(&access.base));
        setup.sink.flush();
        let access = tokio::select! {
            biased;
            because = shutdown.requested() => return Err(TradeError::Stopped(because)),
            access = live::keep_time(&setup, options, dir.path(), &mut place, access, ties) => access?,
        };
        let plan = plan(&setup, options, earlier, dir, &place)?;
        let days = setup.config.runtime.journal.retention_days;
        let retention = retention::start(&store, days, Arc::clone(&place.clock));
        let followed = Followed::start(&setup, dir.path(), store, mirror)?;
        let session = Session {
            setup,
            options,
            shutdown: shutdown.clone(),
            dir,
            store: followed.store(),
            lease,
            begins_run,
            hold,
            gate,
            place: &place,
            plan,
            has_journal,
            failpoints: ties.failpoints.clone(),
        };
        let finished = session.run(access).await;
        if let Some(retention) = retention {
            retention.end();
        }
        followed.close().await;
        if let Err(TradeError::Run(error)) = &finished {
            fenced::outlive_panic(error, dir, &place, &shutdown, setup.sink).await;
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
}

/// Whether the run brings its exchange along.
fn is_embedded(setup: &Setup<'_>, options: &TradeOptions) -> Result<bool, TradeError> {
    let is_embedded = setup.mode.profile == Profile::Paper && setup.config.runtime.binance.rest_url.is_none();
    if is_embedded && options.time_scale.is_some() {
        let text = "--time-scale is for an exchange that somebody else runs; the embedded one has --speed";
        return Err(TradeError::Usage(text.to_owned()));
    }
    if is_embedded && options.standby {
        let text =
            "--standby is for a venue that outlives the process before; the embedded exchange ends with it";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_failed_after_its_loop_does_not_invite_the_next_leader() {
        let report = TradeError::Report { path: "r".to_owned(), source: std::io::Error::other("disk full") };
        let store = hedge_core::StoreError::Locked { what: "w".to_owned(), holder: "h".to_owned() };
        for error in [report, store.into(), TradeError::Crashed("the loop")] {
            let finished: Result<(Finished, ()), _> = Err(error);
            assert!(!may_be_followed_at_once(&finished), "{:?}", finished.err());
        }
        let stopped: Result<(Finished, ()), _> = Err(TradeError::Stopped("SIGTERM".to_owned()));
        assert!(may_be_followed_at_once(&stopped));
    }
}
