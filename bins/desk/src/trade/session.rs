//! One engine in its loop, and what surrounds the two.

use std::{sync::Arc, time::Duration};

use hedge_core::{Failpoints, StateStore};
use hedge_runtime::{
    Activity, Fence, Listing, Parts, RunEnd, RunError, Runtime, Settings, Shutdown, lease::LeaseState,
};
use hedge_store::StateDir;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::{
    bars::{BarCount, BarLimit},
    broker::{Engaged, engage},
    disk,
    driver::{Driver, joined},
    error::TradeError,
    options::TradeOptions,
    place::Place,
    plan::limit,
    run::{Finished, Setup},
    summary,
};
use crate::{
    compose::{Composition, Pacing, compose_paced},
    config::keep,
    lease::{AccountStance, Gatekeeper, LeasedFence, OURS, keep_posture},
    logging::{Environment, OperatorLog},
    paper::{LastBar, history},
    report::{Heading, Recorder, render},
    runs::{self, Plan},
    venue::Access,
};

/// Legs that may have a command on its way at the same time, in real time.
const PARALLEL_LEGS: usize = 4;
/// Least number of bars between two comparisons with the account, where no time passes between bars.
const LOCKSTEP_RECONCILE_BARS: u32 = 24;
/// Who leads the account, in the fence file.
const PROGRAM: &str = "hedge-executor";
const REPORT_FILE: &str = "report.html";

/// A run whose venue is found and whose journal is open.
pub(super) struct Session<'a> {
    pub(super) setup: Setup<'a>,
    pub(super) options: &'a TradeOptions,
    pub(super) shutdown: Shutdown,
    pub(super) dir: &'a StateDir,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) lease: Arc<LeaseState>,
    /// Whether nothing shows that the process before is gone.
    pub(super) begins_run: bool,
    /// Why nothing may be opened, besides what the account says.
    pub(super) hold: Option<String>,
    pub(super) gate: Arc<Gatekeeper>,
    pub(super) place: &'a Place,
    pub(super) plan: Option<Plan>,
    pub(super) has_journal: bool,
    pub(super) failpoints: Failpoints,
}

impl Session<'_> {
    /// From the preflight to the report.
    pub(super) async fn run(self, access: Access) -> Result<Finished, TradeError> {
        let Setup { config, mode, .. } = self.setup;
        let composed = compose_paced(config, &self.place.symbols, self.pacing())?;
        let Composition { engine, universe, read, left_out } = composed;
        // Without it the run's decisions could not be made again once somebody has changed the files.
        if let Err(error) = keep(self.dir.path(), config, self.pacing()) {
            warn!(%error, "the configuration cannot be kept with the run; a replay will want it by --config");
        }
        for name in &left_out {
            info!(strategy = name, "strategy left out: its symbol is not traded in this run");
        }
        info!(
            state_dir = %self.dir.path().display(), market = self.place.label, profile = %mode.profile, "run"
        );
        let fence = Arc::new(LeasedFence::new(self.dir.path(), PROGRAM, Arc::clone(&self.lease)));
        self.gate.admit_by(Arc::clone(&fence));
        // Before any check: whoever is fenced ends with the code that says so.
        fence.leader().map_err(|because| RunError::Fenced { because })?;
        let engaged = tokio::select! {
            biased;
            because = self.shutdown.requested() => return Err(TradeError::Stopped(because)),
            engaged = engage(
                &self.setup, self.dir.path(), self.place, access, &universe, self.has_journal, fence.as_ref(),
            ) => engaged?,
        };
        let recorder = Recorder::default();
        let count = BarCount::default();
        let limit = limit(self.options, self.place, self.plan.as_ref());
        let bars = BarLimit::new(read.len(), limit, Arc::clone(&count), self.shutdown.clone());
        let activity = if self.place.is_lockstep { Activity::stepped() } else { Activity::free() };
        let standing = disk::StandingOrder::new();
        let ordered = standing.subscribe();
        let watch =
            disk::Watch::new(self.dir.path().to_owned(), config.runtime.journal.min_free_mb, &standing);
        let mut parts = self.parts(engaged, fence, universe, &recorder, bars, &activity);
        parts.observers.push(Box::new(standing));
        let stance = AccountStance::new();
        let follows = stance.subscribe();
        parts.observers.push(Box::new(stance));
        let runtime = Runtime::new(engine, parts);
        let guards = [
            watch.start(runtime.operator()),
            keep_posture(Arc::clone(&self.lease), ordered, follows.clone(), runtime.operator()),
        ];
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
        guards.iter().for_each(JoinHandle::abort);
        let end = match driven? {
            Some(end) => end,
            None => joined(task.await)?,
        };
        // What was ordered last, the guard may not have seen; what was left and is not taken over yet stays in the lease.
        if self.lease.left().is_none()
            && let Some(stance) = follows.borrow().clone()
        {
            self.lease.leave(stance);
        }
        self.finish(end, &recorder)
    }

    fn parts(
        &self,
        engaged: Engaged,
        fence: Arc<LeasedFence>,
        universe: Vec<Listing>,
        recorder: &Recorder,
        bars: BarLimit,
        activity: &Arc<Activity>,
    ) -> Parts {
        let Setup { config, mode, sink, .. } = self.setup;
        let environment = Environment { testnet: mode.is_testnet(), dry_run: mode.is_dry() };
        let dir = self.dir.path();
        Parts {
            store: Arc::clone(&self.store),
            venues: vec![engaged.broker],
            clock: Arc::clone(&self.place.clock),
            fence,
            activity: Arc::clone(activity),
            observers: vec![
                Box::new(OperatorLog::new(sink.clone(), environment).at_speed(self.place.speed)),
                Box::new(recorder.clone()),
                Box::new(bars),
            ],
            shutdown: self.shutdown.clone(),
            settings: Settings {
                profile: mode.profile.to_string(),
                code_version: env!("CARGO_PKG_VERSION").to_owned(),
                config_hash: self.pacing().hash(config),
                data_hash: self.place.embedded.as_ref().and_then(|ours| ours.market.data_hash.clone()),
                history_bars: history(self.options, config),
                reconcile_every: self.reconcile_every(),
                views_every: Duration::from_millis(config.runtime.views.interval_ms),
                // One command at a time keeps the order of events at the venue the same in every run.
                parallel_legs: if self.place.is_lockstep { 1 } else { PARALLEL_LEGS },
                // In lockstep no time passes by itself, and nothing may be sent beside the steps.
                dead_man: config.runtime.deadman.countdown().filter(|_| !self.place.is_lockstep),
                hold: self.hold.clone().or(engaged.hold),
                begins_run: self.begins_run,
                closing_at_first: self.lease.opens().err().map(|because| format!("{OURS}{because}")),
                simulated: mode.is_dry(),
                control: Some(dir.to_owned()),
                failpoints: self.failpoints.clone(),
                ..Settings::new(universe)
            },
        }
    }

    const fn pacing(&self) -> Pacing {
        Pacing::of_speed(self.place.speed)
    }

    /// In lockstep an hour is over in a moment: by the clock every bar would cost a read of the whole account.
    fn reconcile_every(&self) -> Duration {
        let configured = Duration::from_secs(self.setup.config.runtime.reconcile.interval_s);
        match &self.place.embedded {
            Some(embedded) if self.place.is_lockstep => {
                let bar = Duration::from_millis(embedded.market.interval.ms().unsigned_abs());
                configured.max(bar * LOCKSTEP_RECONCILE_BARS)
            }
            _ => configured,
        }
    }

    /// Notes how far the plan came, writes the report, prints the table.
    fn finish(self, end: RunEnd, recorder: &Recorder) -> Result<Finished, TradeError> {
        let record = recorder.record();
        let dir = self.dir.path();
        let heading = self.heading();
        if let Some(plan) = self.plan {
            let now_ms = self.place.clock.now().ms();
            let finished = if self.place.is_lockstep {
                LastBar::load(dir, plan.until_ms()).is_played(now_ms, self.place.symbols.len())
            } else {
                now_ms >= plan.until_ms()
            };
            Plan { finished, ..plan }.save(dir)?;
        }
        let report = dir.join(REPORT_FILE);
        let page = render(&heading, &record, end.engine.book());
        runs::write_private(&report, page.as_bytes())
            .map_err(|source| TradeError::Report { path: report.display().to_string(), source })?;
        let sink = self.setup.sink;
        for line in summary::lines(&record, end.engine.book(), &end.because, sink.format()) {
            sink.raw(&line);
        }
        sink.raw(&report.display().to_string());
        sink.flush();
        Ok(Finished { because: end.because, report, engine: end.engine, record })
    }

    fn heading(&self) -> Heading {
        let profile = self.setup.mode.profile;
        let hash = self.setup.config.hash();
        let symbols: Vec<&str> = self.place.symbols.iter().map(hedge_core::Symbol::as_str).collect();
        let fact = |name: &str, value: String| (name.to_owned(), value);
        let mut facts = vec![
            fact("profile", profile.to_string()),
            fact("symbols", symbols.join(", ")),
            fact("configuration", hash.get(..12).unwrap_or(&hash).to_owned()),
            fact("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        if self.setup.mode.is_dry() {
            facts.push(fact("simulated", "every order and fill; prices are real".to_owned()));
        }
        Heading { title: format!("{profile} run on {}", self.place.label), facts }
    }
}
