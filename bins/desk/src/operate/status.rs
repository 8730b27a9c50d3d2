//! How an account stands: by the executor's word, else by the journal's.

use std::path::Path;

use hedge_core::{Posture, Timestamp};
use hedge_runtime::control::{Answer, AskError, Origin, Request, Status, ask};
use hedge_store::{ControlDir, Owner};
use serde::Serialize;

use super::{Folded, OperateError, Page, Said};
use crate::config::{Config, Profile};

/// How things stand, and who says so.
#[derive(Clone, Debug, Serialize)]
pub struct Situation {
    /// Whether an executor runs.
    pub running: bool,
    /// What it says; without one, what its journal says.
    #[serde(flatten)]
    pub status: Status,
    /// Why the last process stopped, if it did so on purpose and none runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Said>,
}

impl Situation {
    /// As a page for people.
    pub fn page(&self) -> Page<'_> {
        Page { status: &self.status, stopped: self.stopped.clone() }
    }
}

/// Asks the executor of a state directory; without one reads the journal, without its lock. `config` is only called for
/// when the journal is read.
///
/// Errors: [`OperateError`]; an executor that is there and does not answer is one.
pub async fn situation<E: From<OperateError>>(
    dir: &Path,
    owner: &Owner,
    config: impl FnOnce() -> Result<Config, E>,
    now: Timestamp,
) -> Result<Situation, E> {
    match ask(dir, &Request::Status).await {
        Ok(Answer::Status(status)) => Ok(Situation { running: true, status: *status, stopped: None }),
        Ok(Answer::Done(_)) => {
            let detail = "it answered a question with a command's end".to_owned();
            Err(OperateError::from(AskError::Malformed { detail }).into())
        }
        Err(AskError::NobodyThere { .. }) => stopped(dir, owner, &config()?, now).map_err(E::from),
        Err(error) => Err(OperateError::from(error).into()),
    }
}

/// What the journal says at its end.
pub fn stopped(
    dir: &Path,
    owner: &Owner,
    config: &Config,
    now: Timestamp,
) -> Result<Situation, OperateError> {
    let Some(folded) = Folded::read(dir, config)? else { return Err(never_ran(dir)) };
    let origin = Origin {
        profile: owner.profile.clone(),
        simulated: owner.profile == Profile::MainnetDry.as_str(),
        pid: None,
        started_at: folded.started.as_ref().map(|(_, at)| *at),
        hold: None,
        venue: owner.venue.clone(),
        standing: folded.standing,
    };
    // A book that is not connected any more says so; what is open at the venue may have changed since.
    let status = Status { connected: false, ..Status::of(&folded.book, origin, now) };
    Ok(Situation { running: false, status, stopped: folded.stopped })
}

/// Nothing to show, but perhaps an order for the first start.
fn never_ran(dir: &Path) -> OperateError {
    let ordered = match ControlDir::of(dir).fence() {
        Ok(Some(fence)) if fence.posture != Posture::Normal => {
            let posture = if fence.posture == Posture::Halted { "halted" } else { "exit-only" };
            format!("; its first start is {posture}: {}", fence.because)
        }
        _ => String::new(),
    };
    OperateError::NothingThere(format!(
        "{} has no journal yet: nothing has run there{ordered}",
        dir.display()
    ))
}
