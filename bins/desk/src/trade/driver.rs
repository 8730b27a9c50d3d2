//! Lets a running loop come to its end: bar after bar, or as time passes.

use std::{path::Path, sync::atomic::Ordering::Relaxed, time::Duration};

use hedge_runtime::{Activity, RunEnd, RunError, Shutdown};
use tokio::task::JoinHandle;
use tracing::warn;

use super::{bars::BarCount, error::TradeError, place::Place, plan::played};
use crate::{
    paper::{Driven, Embedded, LastBar, Lockstep},
    progress::Progress,
    report::Recorder,
    runs::Plan,
};

/// How often a run in real time draws its progress.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// What a running loop is driven with.
pub(super) struct Driver<'a> {
    pub(super) dir: &'a Path,
    pub(super) place: &'a Place,
    pub(super) plan: Option<&'a Plan>,
    pub(super) limit: Option<u64>,
    pub(super) activity: &'a Activity,
    pub(super) count: &'a BarCount,
    pub(super) recorder: &'a Recorder,
}

/// The loop.
pub(super) type LoopTask = JoinHandle<Result<RunEnd, RunError>>;

impl Driver<'_> {
    /// Lets the run go to its end. `Some` when the loop has ended by itself.
    pub(super) async fn drive(
        self,
        task: &mut LoopTask,
        shutdown: &Shutdown,
    ) -> Result<Option<RunEnd>, TradeError> {
        match &self.place.embedded {
            Some(embedded) if self.place.is_lockstep => self.lockstep(embedded, task, shutdown).await,
            _ => self.real_time(task, shutdown).await,
        }
    }

    async fn lockstep(
        &self,
        embedded: &Embedded,
        task: &mut LoopTask,
        shutdown: &Shutdown,
    ) -> Result<Option<RunEnd>, TradeError> {
        let mut progress = Progress::on_terminal();
        let bar_ms = embedded.market.interval.ms();
        let show = |_| {
            if let Some(plan) = self.plan {
                progress.update(played(plan, self.place), plan.bars, || self.note());
            }
        };
        let lockstep = Lockstep::new(&embedded.exchange, self.activity);
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
    ) -> Result<Option<RunEnd>, TradeError> {
        let mut progress = Progress::on_terminal();
        let mut problems = self.place.embedded.as_ref().map(|embedded| embedded.exchange.problems());
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

/// What became of the loop.
pub(super) fn joined(
    end: Result<Result<RunEnd, RunError>, tokio::task::JoinError>,
) -> Result<RunEnd, TradeError> {
    Ok(end.map_err(|_| TradeError::Crashed("the loop"))??)
}
