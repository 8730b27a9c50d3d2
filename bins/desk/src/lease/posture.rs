//! Opens nothing while the lease does not allow it, and goes on by itself once it does. Takes over how the leader before left
//! the account, and says how the next one shall find it.

use std::{sync::Arc, time::Duration};

use hedge_core::{OperatorCommand, Posture, Stance};
use hedge_runtime::{Operator, lease::LeaseState};
use tokio::{sync::watch, task::JoinHandle};
use tracing::warn;

use super::stance::is_of_this_host;

/// The guard in the client is the one that counts; this one tells the engine, and people.
const EVERY: Duration = Duration::from_millis(200);
/// How the reasons of this guard begin: nothing that somebody else ordered is lifted.
pub(crate) const OURS: &str = "lease: ";

/// Watches over the posture for as long as the run lasts, or until the handle is aborted. `standing` is what the operator last
/// ordered, `stance` what follows the account, once that is known.
pub(crate) fn keep_posture(
    lease: Arc<LeaseState>,
    mut standing: watch::Receiver<Option<(Posture, String)>>,
    stance: watch::Receiver<Option<Stance>>,
    operator: Operator,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        // Before the journal is folded nobody knows what stands.
        while standing.wait_for(Option::is_some).await.is_ok() {
            let seen = standing.borrow_and_update().clone();
            if let Some((posture, reason)) = seen {
                let left = lease.left();
                let open = left.as_ref().filter(|left| !has_heeded(left, posture, &reason));
                let order = match open {
                    Some(left) => Some(take_over(left)),
                    None => decide(lease.opens(), lease.is_complete(), posture, &reason),
                };
                if open.is_none() {
                    lease.heeded();
                    // Not before: the next leader must not find an order lifted that nobody has lifted.
                    if let Some(stance) = stance.borrow().clone() {
                        lease.leave(stance);
                    }
                }
                if let Some((what, because)) = order {
                    // What a person orders in the same moment is neither lifted nor loosened.
                    operator.command_while((posture, reason), what, because);
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    })
}

/// Whether what stands is no looser than what the leader before left, and is not lifted by a guard of this host.
fn has_heeded(left: &Stance, posture: Posture, reason: &str) -> bool {
    posture > left.posture || posture == left.posture && !is_of_this_host(reason)
}

/// The order of a leader before, which came with a lease that was not to be had at the start.
fn take_over(left: &Stance) -> (OperatorCommand, String) {
    warn!(because = %left.because, "the leader before left this account {}; hedgectl resume lifts it", left.posture);
    let what =
        if left.posture == Posture::Halted { OperatorCommand::Halt } else { OperatorCommand::ExitOnly };
    (what, left.because.clone().into_owned())
}

/// What to order, given what the lease says and what stands. A run that wanted a lease and has none may open, if it may; it
/// does not take back what the want of one has stopped before.
fn decide(
    opens: Result<(), String>,
    is_complete: bool,
    posture: Posture,
    reason: &str,
) -> Option<(OperatorCommand, String)> {
    match (opens, posture) {
        (Err(because), Posture::Normal) => Some((OperatorCommand::ExitOnly, format!("{OURS}{because}"))),
        (Ok(()), Posture::ExitOnly) if is_complete && reason.starts_with(OURS) => {
            Some((OperatorCommand::Lift, format!("{OURS}this process leads the account and may open")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guards_own_order_does_not_stand_in_for_one_that_the_leader_before_left() {
        let left = |posture| Stance { posture, because: "left by the leader before: ann: news".into() };
        for (of_before, posture, reason, expected) in [
            (Posture::ExitOnly, Posture::Normal, "", false),
            (Posture::ExitOnly, Posture::ExitOnly, "lease: it is over", false),
            (Posture::ExitOnly, Posture::ExitOnly, "journal disk: full", false),
            (Posture::ExitOnly, Posture::ExitOnly, "start: no consent", false),
            (Posture::ExitOnly, Posture::ExitOnly, "left by the leader before: ann: news", true),
            (Posture::ExitOnly, Posture::ExitOnly, "bob: lunch", true),
            (Posture::ExitOnly, Posture::Halted, "bob: enough", true),
            (Posture::Halted, Posture::ExitOnly, "bob: lunch", false),
            (Posture::Halted, Posture::Halted, "bob: enough", true),
        ] {
            assert_eq!(
                has_heeded(&left(of_before), posture, reason),
                expected,
                "{of_before} {posture} {reason}"
            );
        }
    }

    #[test]
    fn only_its_own_order_is_lifted_and_nothing_stricter_is_loosened() {
        let over = || Err("it is over".to_owned());
        let what = |opens, posture, reason| decide(opens, true, posture, reason).map(|(what, _)| what);
        assert_eq!(
            decide(over(), true, Posture::Normal, ""),
            Some((OperatorCommand::ExitOnly, "lease: it is over".to_owned()))
        );
        assert_eq!(what(over(), Posture::ExitOnly, "lease: it is over"), None, "it stands already");
        assert_eq!(what(Ok(()), Posture::ExitOnly, "lease: it is over"), Some(OperatorCommand::Lift));
        let alone = decide(Ok(()), false, Posture::ExitOnly, "lease: it is over");
        assert_eq!(alone, None, "a restart while the store is down is no renewal");
        assert_eq!(what(Ok(()), Posture::ExitOnly, "news at 14:30"), None);
        assert_eq!(what(Ok(()), Posture::Halted, "lease: it is over"), None);
        assert_eq!(what(over(), Posture::Halted, "stop everything"), None);
        assert_eq!(what(Ok(()), Posture::Normal, ""), None);
    }
}
