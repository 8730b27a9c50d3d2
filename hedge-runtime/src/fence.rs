//! The seam through which another process can take the account over without a lock.

use std::{fmt, time::Duration};

use hedge_core::{Posture, Term, Timestamp};
use tokio::time::sleep;

use crate::lease::LeaseStatus;

/// How often the fence is read while nothing is sent or journalled. Real time, whatever clock the run goes by.
const IDLE_LOOK: Duration = Duration::from_millis(200);

/// Who has led the account so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its term.
    pub term: Term,
    /// The posture that it leaves behind for the next process; `Normal` leaves the decision to the journal.
    pub posture: Posture,
    /// Why.
    pub because: String,
}

/// Names the one process that may trade an account. Each call looks anew.
///
/// A run asks [`leader`](Self::leader) once, takes a greater term, and [`lead`](Self::lead)s as soon as its first records
/// are durable. From then on it asks [`admits`](Self::admits) before each append and each write to a trading socket, and
/// five times a second besides. When it is refused it ends with [`RunError::Fenced`](crate::RunError::Fenced).
pub trait Fence: fmt::Debug + Send + Sync + 'static {
    /// Who led last; `None` before anybody did. Errors: nobody may start now, and why.
    fn leader(&self) -> Result<Option<Leader>, String>;
    /// Takes the lead, durably, and leaves nothing behind but the term. Errors: somebody else leads, and who.
    fn lead(&self, term: Term, at: Timestamp) -> Result<(), String>;
    /// Errors: nothing may be written under `term` any more, and why. Called often: a few microseconds.
    fn admits(&self, term: Term) -> Result<(), String>;
    /// Tells the new leader that this process has stopped: nothing of it is on its way to the venue or the journal.
    fn acknowledge(&self, at: Timestamp);
    /// Errors: no timer that cancels orders at the venue may be set now, and why; taking one off is an exit.
    fn sets_timers(&self) -> Result<(), String> {
        Ok(())
    }
    /// The lease behind it, for people; `None` where there is none.
    fn lease(&self) -> Option<LeaseStatus> {
        None
    }
}

/// No fence: this process is the only one that can write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unfenced;

impl Fence for Unfenced {
    fn leader(&self) -> Result<Option<Leader>, String> {
        Ok(None)
    }
    fn lead(&self, _: Term, _: Timestamp) -> Result<(), String> {
        Ok(())
    }
    fn admits(&self, _: Term) -> Result<(), String> {
        Ok(())
    }
    fn acknowledge(&self, _: Timestamp) {}
}

/// How often the fence is read while a command is on its way: its client may have to wait before it sends.
const IN_FLIGHT_LOOK: Duration = Duration::from_millis(10);

/// Does something at the venue for as long as the fence admits the term; then it is dropped where it stands.
///
/// Errors: the reason. What was dropped may have been sent, or not.
pub(crate) async fn while_leading<T>(
    fence: &dyn Fence,
    term: Term,
    work: impl Future<Output = T>,
) -> Result<T, String> {
    let lost = async {
        loop {
            sleep(IN_FLIGHT_LOOK).await;
            if let Err(because) = fence.admits(term) {
                return because;
            }
        }
    };
    fence.admits(term)?;
    tokio::select! {
        biased;
        because = lost => Err(because),
        done = work => Ok(done),
    }
}

/// Resolves with the reason once the fence does not admit the term any more. Cancel-safe.
pub(crate) async fn taken_over(fence: &dyn Fence, term: Term) -> String {
    loop {
        sleep(IDLE_LOOK).await;
        if let Err(because) = fence.admits(term) {
            return because;
        }
    }
}
