//! How an account stands: by the executor's word, else by the journal's.

use std::path::Path;

use hedge_core::{Posture, Term, Timestamp};
use hedge_runtime::control::{Answer, AskError, Origin, Request, Status, ask};
use hedge_store::{
    ControlDir, Owner,
    tee::{FollowerStatus, read_status},
};
use serde::Serialize;

use super::{Folded, OperateError, Page, Said};
use crate::{
    config::{Config, Profile},
    preflight::{LockHolder, lock_holder},
};

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
    /// The posture that the fence gives to the next executor, where none runs and the journal does not know of it yet: a
    /// panic close has led last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_start: Option<NextStart>,
    /// The process that holds the journal and does not answer yet: it starts, or waits for the exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting: Option<u32>,
    /// How far the ledger and the mirror are, as they last said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub followers: Vec<FollowerStatus>,
}

/// How the next executor starts, and whose word that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextStart {
    /// Its posture.
    pub posture: Posture,
    /// Why.
    pub because: String,
    /// The program that said so.
    pub by: String,
    /// When; text.
    pub at: String,
}

impl Situation {
    /// As a page for people.
    pub fn page(&self) -> Page<'_> {
        Page {
            status: &self.status,
            stopped: self.stopped.clone(),
            next_start: self.next_start.clone(),
            starting: self.starting,
            followers: &self.followers,
        }
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
        Ok(Answer::Status(status)) => {
            let followers = followers(dir);
            let status = *status;
            Ok(Situation {
                running: true,
                status,
                stopped: None,
                next_start: None,
                starting: None,
                followers,
            })
        }
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
        lease: None,
        standing: folded.standing,
    };
    // A book that is not connected any more says so; what is open at the venue may have changed since.
    let status = Status { connected: false, ..Status::of(&folded.book, origin, now) };
    let next_start = next_start(dir, folded.book.term());
    let followers = followers(dir);
    let starting = match lock_holder(dir) {
        LockHolder::Process(pid) => Some(pid),
        LockHolder::Nobody | LockHolder::Unknown => None,
    };
    Ok(Situation { running: false, status, stopped: folded.stopped, next_start, starting, followers })
}

/// A word about followers that cannot be had is not worth a status that cannot be had.
fn followers(dir: &Path) -> Vec<FollowerStatus> {
    read_status(dir).unwrap_or_default()
}

/// What the fence says of the next start, if that is news to the journal.
fn next_start(dir: &Path, journalled: Term) -> Option<NextStart> {
    let fence = ControlDir::of(dir).fence().ok().flatten()?;
    let is_news = fence.term > journalled && fence.posture != Posture::Normal;
    is_news.then(|| NextStart {
        posture: fence.posture,
        because: fence.because,
        by: fence.by,
        at: fence.at.to_string(),
    })
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

#[cfg(test)]
mod tests {
    use hedge_store::FenceRecord;

    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn only_a_newer_term_that_forbids_is_news_of_the_next_start() {
        let temp = TempDir::new();
        let dir = &temp.0;
        let control = ControlDir::of(dir);
        let fence = |posture| FenceRecord {
            term: Term(8),
            posture,
            because: "panic close".into(),
            by: "hedge-panic-close".into(),
            at: Timestamp::EPOCH,
        };
        assert_eq!(next_start(dir, Term(7)), None);
        control.put_fence(&fence(Posture::Normal)).unwrap();
        assert_eq!(next_start(dir, Term(7)), None);
        control.put_fence(&fence(Posture::Halted)).unwrap();
        assert_eq!(next_start(dir, Term(7)).unwrap().posture, Posture::Halted);
        assert_eq!(next_start(dir, Term(8)), None, "the journal has it already");
    }
}
