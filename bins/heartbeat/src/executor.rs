//! Whether an executor lives in a state directory, and what it says about its stance.

use std::{path::Path, time::Duration};

use hedge_core::Posture;
use hedge_runtime::control::{Answer, AskError, Request, Status, ask};
use hedge_store::ControlDir;

/// An answer takes milliseconds; one that is busy for longer is there all the same.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The executor of a state directory.
#[derive(Debug)]
pub(crate) enum Executor {
    /// It runs, and says where it stands.
    Says(Box<Status>),
    /// Somebody listens and does not answer as expected.
    Silent,
    /// None runs: what the directory says is as old as its last record.
    NotThere,
}

impl Executor {
    pub(crate) async fn of(dir: &Path) -> Self {
        match tokio::time::timeout(ANSWER_WITHIN, ask(dir, &Request::Status)).await {
            Ok(Ok(Answer::Status(status))) => Self::Says(status),
            Ok(Err(AskError::NobodyThere { .. })) => Self::NotThere,
            _ => Self::Silent,
        }
    }

    pub(crate) const fn is_there(&self) -> bool {
        !matches!(self, Self::NotThere)
    }

    /// Its stance, or the one in which the next one starts; `None` when only the directory's views can tell.
    pub(crate) fn posture(&self, dir: &Path) -> Option<(Posture, String)> {
        match self {
            Self::Says(status) => Some((status.posture, status.posture_because.clone())),
            Self::Silent => None,
            Self::NotThere => {
                let fence = ControlDir::of(dir).fence().ok().flatten()?;
                let is_left_halted = fence.posture == Posture::Halted;
                is_left_halted.then(|| (fence.posture, format!("{} by {}", fence.because, fence.by)))
            }
        }
    }
}
