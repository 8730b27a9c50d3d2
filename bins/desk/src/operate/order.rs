//! Orders of a person: to the executor that runs, else into the journal of the one that does not.

use std::{path::Path, time::Duration};

use hedge_core::{Clock, Engine, OperatorCommand, Posture, Seq, StoreError, Symbol, Term};
use hedge_risk::RiskStack;
use hedge_runtime::{
    SystemClock,
    control::{Answer, AskError, Done, OfflineError, Request, ask, offline},
};
use hedge_store::{ControlDir, FenceRecord, FileStore, Publication};
use serde::Serialize;

use super::{Folded, OperateError};
use crate::{compose::compose, config::Config, control::FileFence};

/// How long a process that holds the journal may take to open its control socket.
const STARTS_WITHIN: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(100);
pub(super) const PROGRAM: &str = "hedgectl";

/// Who carried an order out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The executor that runs: it holds from now on.
    Executor,
    /// Nobody runs: it is in the journal and holds from the next start on.
    Journal,
    /// Nothing has run yet: it stands in the fence file and holds from the first start on.
    Fence,
}

/// An order that stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ordered {
    /// Who carried it out.
    pub by: By,
    /// What came of it.
    #[serde(flatten)]
    pub done: Done,
}

/// Gives an order to whoever trades in a state directory. `config` is only called for when nobody does.
///
/// Errors: [`OperateError`].
pub async fn order<E: From<OperateError>>(
    dir: &Path,
    config: impl FnOnce() -> Result<Config, E>,
    command: OperatorCommand,
    because: &str,
) -> Result<Ordered, E> {
    let request = Request::command(command, because);
    if let Some(ordered) = by_executor(dir, &request).await? {
        return Ok(ordered);
    }
    let config = config()?;
    // An executor may be starting in this moment: it holds the journal before it listens.
    for _ in 0..STARTS_WITHIN.as_millis() / BETWEEN_TRIES.as_millis() {
        match by_journal(dir, &config, command, because).await {
            Err(OperateError::Journal(StoreError::Locked { .. })) => {}
            Err(OperateError::Offline(OfflineError::Empty)) => {
                return by_fence(dir, command, because).map_err(E::from);
            }
            Err(error) => return Err(error.into()),
            Ok((done, _)) => return Ok(Ordered { by: By::Journal, done }),
        }
        if let Some(ordered) = by_executor(dir, &request).await? {
            return Ok(ordered);
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    Err(OperateError::Mute { pid: holder(dir) }.into())
}

fn holder(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("journal").join("lock"))
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|pid| !pid.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// `None` when no executor listens.
async fn by_executor(dir: &Path, request: &Request) -> Result<Option<Ordered>, OperateError> {
    match ask(dir, request).await {
        Ok(Answer::Done(done)) => Ok(Some(Ordered { by: By::Executor, done })),
        Ok(Answer::Status(_)) => {
            Err(AskError::Malformed { detail: "it answered a command with a status".to_owned() }.into())
        }
        Err(AskError::NobodyThere { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Before the first start there is no journal to write into. The fence's posture becomes a record of the first process; one
/// that is starting in this moment is superseded, and starts again.
fn by_fence(dir: &Path, command: OperatorCommand, because: &str) -> Result<Ordered, OperateError> {
    let posture = match command {
        OperatorCommand::Halt => Posture::Halted,
        OperatorCommand::ExitOnly => Posture::ExitOnly,
        OperatorCommand::Resume | OperatorCommand::Lift => Posture::Normal,
        OperatorCommand::Flatten | OperatorCommand::FlattenAtStart => return Err(OfflineError::Empty.into()),
    };
    let control = ControlDir::of(dir);
    let term = Term(control.fence()?.map_or(0, |fence| fence.term.0) + 1);
    let (by, at) = (PROGRAM.to_owned(), now());
    let record = FenceRecord { term, posture, because: because.to_owned(), by, at };
    let fenced = |because: String| OperateError::from(OfflineError::Fenced { because });
    match control.publish(&record)? {
        Publication::Leads => {
            let because = because.to_owned();
            let done = Done { seq: Seq(0), posture, operator: posture, because, open_legs: 0 };
            Ok(Ordered { by: By::Fence, done })
        }
        Publication::PanicRuns => Err(fenced("a panic close is at work on this account".to_owned())),
        Publication::Superseded(leader) => {
            Err(fenced(format!("{} has taken term {} in this moment", leader.by, leader.term.0)))
        }
    }
}

/// Writes an order into the journal of a stopped run, and keeps its lock as long as the store lives.
pub(super) async fn by_journal(
    dir: &Path,
    config: &Config,
    command: OperatorCommand,
    because: &str,
) -> Result<(Done, FileStore), OperateError> {
    // Opening for writing would make one.
    if !dir.join("journal").is_dir() {
        return Err(OfflineError::Empty.into());
    }
    let store = FileStore::open(dir, config.runtime.file_options())?;
    let engine = engine(dir, config)?;
    let fence = FileFence::new(dir, PROGRAM);
    let done = offline(engine, &store, &SystemClock, &fence, command, because).await?;
    Ok((done, store))
}

/// The engine that the run had, so that its replay decides the same. Without any strategy left, one that only has the limits.
fn engine(dir: &Path, config: &Config) -> Result<Engine, OperateError> {
    let symbols: Vec<Symbol> = Folded::read(dir, config)?
        .map(|folded| folded.book.instruments().map(|(_, spec)| spec.id.symbol).collect())
        .unwrap_or_default();
    if let Ok(composition) = compose(config, &symbols) {
        return Ok(composition.engine);
    }
    let risk = RiskStack::from_limits(&config.limits, config.calendar.clone())
        .map_err(crate::compose::ComposeError::from)?;
    Ok(Engine::new(config.runtime.engine(config.limits.max_slippage()), Box::new(risk), Vec::new()))
}

/// When an order is given: wall time.
pub fn now() -> hedge_core::Timestamp {
    SystemClock.now()
}
