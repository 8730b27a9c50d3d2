//! Takes the lease at the start, or waits for it.

use std::{path::Path, sync::Arc, time::Duration};

use hedge_core::Term;
use hedge_runtime::{
    Shutdown,
    lease::{Identity, Keeper, LeaseRefusal, LeaseState},
};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::{
    firestore::FirestoreLease,
    identity::{Footprint, holder, new_boot_id},
    plan::{FirestorePlan, LeasePlan},
};
use crate::trade::TradeError;

/// How often a standby says again what it waits for.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How often it looks: a tenth of what the lease lasts, within these.
const LOOK_EVERY: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(3);

/// More than the clocks of two machines differ within seconds, and less than the distance of two renewals.
const RENEWED: Duration = Duration::from_millis(300);

/// What the start wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The state directory. Its lock is held already.
    pub(crate) dir: &'a Path,
    /// Whether somebody else's lease is waited for.
    pub(crate) is_standby: bool,
    /// Ends the waiting.
    pub(crate) shutdown: &'a Shutdown,
}

/// The right to trade, for as long as this process keeps it.
#[derive(Debug)]
pub(crate) struct Tenure {
    pub(crate) state: Arc<LeaseState>,
    keeper: Option<Keeper>,
}

impl Tenure {
    /// Gives it back. Only when nothing of this process is on its way.
    pub(crate) async fn give_back(self) {
        if let Some(keeper) = self.keeper {
            keeper.release().await;
        }
    }
}

/// Takes what the plan says, and says which it is.
///
/// Errors: [`TradeError::NotLeading`] when another process has it, [`TradeError::NoLease`] when it must be had and cannot,
/// [`TradeError::Stopped`] while waiting.
pub(crate) async fn take(plan: &LeasePlan, claim: Claim<'_>) -> Result<Tenure, TradeError> {
    let (holder, boot_id) = (holder(), new_boot_id());
    let identity = |kind| Identity { kind, holder: holder.clone(), boot_id: boot_id.clone() };
    let plan = match plan {
        LeasePlan::Firestore(plan) => plan,
        LeasePlan::Local => {
            info!(dir = %claim.dir.display(), "fence: the lock of the state directory is the lease");
            let state = Arc::new(LeaseState::new(identity("local")));
            state.lock_alone(None);
            return Ok(Tenure { state, keeper: None });
        }
    };
    let lease = plan
        .lease(&holder, &boot_id, Footprint::predecessor(claim.dir))
        .map_err(|error| TradeError::Refused(error.to_string()))?;
    let state = Arc::new(LeaseState::new(identity("firestore")));
    let lease = FirestoreLease::new(lease, claim.dir.to_owned(), boot_id);
    let keeper = Keeper::start(lease, Arc::clone(&state), plan.beat)
        .map_err(|error| TradeError::NoLease(format!("starting the lease's thread failed: {error}")))?;
    match first(plan, claim, &state, &keeper).await {
        Ok(()) => Ok(Tenure { state, keeper: Some(keeper) }),
        Err(error) => {
            // It may have been taken in the moment in which somebody asked to stop.
            keeper.release().await;
            Err(error)
        }
    }
}

/// Somebody else's lease, as it was first seen.
struct Seen {
    term: Term,
    left: Duration,
    at: Instant,
}

impl Seen {
    /// Whether somebody has renewed it since, or taken it: then more is left than can be.
    fn is_alive(&self, term: Term, left: Duration) -> bool {
        term != self.term || left + self.at.elapsed() > self.left + RENEWED
    }
}

async fn first(
    plan: &FirestorePlan,
    claim: Claim<'_>,
    state: &LeaseState,
    keeper: &Keeper,
) -> Result<(), TradeError> {
    let mut told_at: Option<Instant> = None;
    let mut seen: Option<Seen> = None;
    loop {
        let refusal = tokio::select! {
            biased;
            because = claim.shutdown.requested() => return Err(TradeError::Stopped(because)),
            taken = keeper.take() => match taken {
                Ok(taken) => {
                    let renewed_every_s = plan.beat.renew_every.as_secs_f32();
                    info!(
                        term = %taken.term, ttl_s = plan.ttl.as_secs(), renewed_every_s,
                        "fence: holds the {}", plan.describe()
                    );
                    return Ok(());
                }
                Err(refusal) => refusal,
            },
        };
        match refusal {
            LeaseRefusal::Damaged { .. } => return Err(TradeError::NoLease(refusal.to_string())),
            // One that nobody renews is one of a process that has gone, and is waited for; so a restart needs nobody.
            LeaseRefusal::Held { term, left, .. } if !claim.is_standby => {
                if seen.as_ref().is_some_and(|seen| seen.is_alive(term, left)) {
                    let advice = "start it with --standby to wait for it, or stop the other one";
                    return Err(TradeError::NotLeading(format!("{refusal}; {advice}")));
                }
                seen.get_or_insert_with(|| Seen { term, left, at: Instant::now() });
            }
            // Whoever stands by does so because somebody else leads: without an answer it does not begin.
            LeaseRefusal::Unreachable { .. } if !claim.is_standby => {
                return alone(plan, claim, state, &refusal);
            }
            _ => {}
        }
        if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            let who = if claim.is_standby {
                "standby: waits"
            } else {
                "fence: looks whether its holder lives, and waits"
            };
            info!("{who} for the {}: {refusal}", plan.describe());
            told_at = Some(Instant::now());
        }
        let pause = (plan.ttl / 10).clamp(*LOOK_EVERY.start(), *LOOK_EVERY.end());
        tokio::select! {
            because = claim.shutdown.requested() => return Err(TradeError::Stopped(because)),
            () = sleep(pause) => {}
        }
    }
}

/// The store does not answer at the start.
fn alone(
    plan: &FirestorePlan,
    claim: Claim<'_>,
    state: &LeaseState,
    refusal: &LeaseRefusal,
) -> Result<(), TradeError> {
    if plan.is_required {
        return Err(TradeError::NoLease(format!(
            "{refusal}; fence.required = true, so nothing is traded without the lease; wait for the store, or make sure that \
             no other host trades and set it to false"
        )));
    }
    let because = "the lease's store did not answer at the start; fence.required = false, so this run trades on the lock of \
                   its state directory alone until it does";
    warn!(dir = %claim.dir.display(), %refusal, "fence: {because}");
    state.lock_alone(Some(because.to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_runs_out_is_not_taken_for_one_that_is_renewed() {
        let s = Duration::from_secs;
        let seen = Seen { term: Term(3), left: s(20), at: Instant::now() - s(5) };
        assert!(!seen.is_alive(Term(3), s(15)), "five seconds have passed");
        assert!(!seen.is_alive(Term(3), s(0)));
        assert!(seen.is_alive(Term(3), s(16)), "a second longer than it can be");
        assert!(seen.is_alive(Term(4), s(1)), "somebody else was faster");
    }
}
