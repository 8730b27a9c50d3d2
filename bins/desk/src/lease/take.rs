//! Takes the lease at the start, or waits for it.

use std::{path::Path, sync::Arc, time::Duration};

use hedge_core::{Stance, Term};
use hedge_runtime::{
    Fence, Shutdown,
    lease::{Identity, Keeper, LeaseRefusal, LeaseState},
};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::{
    firestore::FirestoreLease,
    identity::{Footprint, holder, new_boot_id},
    plan::{FirestorePlan, LeasePlan},
};
use crate::{control::FileFence, trade::TradeError};

/// How often a standby says again what it waits for.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How often it looks: a tenth of what the lease lasts, within these.
const LOOK_EVERY: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(3);

/// What the start wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    /// The state directory. Its lock is held already.
    pub(crate) dir: &'a Path,
    /// Whether somebody else's lease is waited for.
    pub(crate) is_standby: bool,
    /// Whose lock of the directory was waited for, if it was.
    pub(crate) waited_for: Option<&'a str>,
    /// Ends the waiting.
    pub(crate) shutdown: &'a Shutdown,
}

/// The right to trade, for as long as this process keeps it.
#[derive(Debug)]
pub(crate) struct Tenure {
    pub(crate) state: Arc<LeaseState>,
    /// Whether nothing shows that this start follows the process that has used the directory last: another one may use a copy
    /// of it. Where the directory's lock is all there is, nothing tells copies apart.
    pub(crate) begins_run: bool,
    keeper: Option<Keeper>,
}

impl Tenure {
    /// Stores how the account is left, for whoever leads it next, where the lease is not to be given back.
    pub(crate) async fn leave(&self, stance: Stance) {
        self.state.leave(stance);
        if let Some(keeper) = &self.keeper {
            keeper.store().await;
        }
    }

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
        LeasePlan::Local(because) => {
            let dir = claim.dir.display();
            match because {
                None => info!(%dir, "fence: the lock of the state directory is the lease"),
                Some(because) => {
                    info!(%dir, "fence: the lock of the state directory is the lease, whatever fence.lease says: {because}")
                }
            }
            let state = Arc::new(LeaseState::new(identity("local")));
            state.lock_alone(None);
            return Ok(Tenure { state, begins_run: false, keeper: None });
        }
    };
    // Asked before anything is written: the footprint becomes this start's own.
    let traces = Traces::of(claim);
    let predecessor = Footprint::predecessor(claim.dir);
    let begins_run = predecessor.is_none();
    let is_proven = predecessor.as_ref().is_none_or(|before| before.is_proven);
    // Whoever is fenced ends with the code that says so, a little later.
    let led = FileFence::new(claim.dir, "hedge-executor").leader().ok().flatten();
    let term_above = led.map_or(Term(0), |leader| leader.term);
    let lease = plan
        .lease(&holder, &boot_id, predecessor, term_above)
        .map_err(|error| TradeError::Refused(error.to_string()))?;
    let state = Arc::new(LeaseState::new(identity("firestore")).with_margin(plan.margin));
    let wait = plan.beat.first_opening_after;
    let lease = FirestoreLease::new(lease, claim.dir.to_owned(), &boot_id, is_proven, wait);
    let keeper = Keeper::start(lease, Arc::clone(&state), plan.beat)
        .map_err(|error| TradeError::NoLease(format!("starting the lease's thread failed: {error}")))?;
    match first(plan, claim, traces, &state, &keeper).await {
        Ok(()) => Ok(Tenure { state, begins_run, keeper: Some(keeper) }),
        Err(error) => {
            // It may have been taken in the moment in which somebody asked to stop.
            keeper.release().await;
            Err(error)
        }
    }
}

/// What the directory says of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traces {
    /// Nobody has led from here under one.
    None,
    /// Somebody has, at some time.
    Led,
    /// The process whose lock was waited for: the leader, and it is gone.
    Succeeds,
}

impl Traces {
    fn of(claim: Claim<'_>) -> Self {
        match claim.waited_for {
            Some(holder) if Footprint::was_left_by(claim.dir, holder) => Self::Succeeds,
            _ if Footprint::is_in(claim.dir) => Self::Led,
            _ => Self::None,
        }
    }
}

/// What a start does that has no answer from the store, or is refused by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unasked {
    /// It asks again.
    Waits,
    /// It ends.
    Refuses,
    /// It closes and protects, and opens nothing.
    Exits,
    /// It trades.
    Trades,
}

impl Unasked {
    /// Somebody else's lease, once seen in this start, stays so until the store says otherwise. A refusal is waited for by
    /// nobody, and nothing is opened on it; but legs that this directory has led are not left alone for a role that was taken
    /// away or a key that was changed.
    const fn of(
        is_standby: bool,
        is_required: bool,
        has_seen_holder: bool,
        traces: Traces,
        is_refused: bool,
    ) -> Self {
        match Self::without_an_answer(is_standby, is_required, has_seen_holder, traces) {
            Self::Waits | Self::Trades if is_refused => Self::Refuses,
            how => how,
        }
    }

    const fn without_an_answer(
        is_standby: bool,
        is_required: bool,
        has_seen_holder: bool,
        traces: Traces,
    ) -> Self {
        match traces {
            _ if has_seen_holder => Self::Waits,
            Traces::Succeeds => Self::Exits,
            // Whoever stands by does so because somebody else leads.
            _ if is_standby => Self::Waits,
            _ if is_required => Self::Refuses,
            // Another host may lead meanwhile, and this one's own lease may be over: a restart changes nothing about that.
            Traces::Led => Self::Exits,
            Traces::None => Self::Trades,
        }
    }
}

async fn first(
    plan: &FirestorePlan,
    claim: Claim<'_>,
    traces: Traces,
    state: &LeaseState,
    keeper: &Keeper,
) -> Result<(), TradeError> {
    let mut told_at: Option<Instant> = None;
    // The lease of somebody else as it was first seen: whoever lives changes it.
    let mut seen: Option<String> = None;
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
                    if let Some(left) = &taken.left {
                        warn!(
                            because = %left.because,
                            "fence: the leader before left this account {}; hedgectl resume lifts it", left.posture
                        );
                    }
                    return Ok(());
                }
                Err(refusal) => refusal,
            },
        };
        match refusal {
            LeaseRefusal::Damaged { .. } => return Err(TradeError::NoLease(refusal.to_string())),
            // One that nobody renews is one of a process that has gone, and is waited for; so a restart needs nobody.
            LeaseRefusal::Held { ref version, .. } => {
                let first = seen.get_or_insert_with(|| version.clone());
                if !claim.is_standby && first != version {
                    let advice = "start it with --standby to wait for it, or stop the other one";
                    return Err(TradeError::NotLeading(format!("{refusal}; {advice}")));
                }
            }
            LeaseRefusal::Unreachable { .. } | LeaseRefusal::Refused { .. } => {
                let is_refused = matches!(refusal, LeaseRefusal::Refused { .. });
                match Unasked::of(claim.is_standby, plan.is_required, seen.is_some(), traces, is_refused) {
                    Unasked::Waits => {}
                    Unasked::Refuses if is_refused => return Err(TradeError::NoLease(refusal.to_string())),
                    Unasked::Refuses => return Err(refused(&refusal)),
                    how @ (Unasked::Exits | Unasked::Trades) => {
                        alone(how, claim.dir, state, &refusal);
                        keeper.try_on();
                        return Ok(());
                    }
                }
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

fn refused(refusal: &LeaseRefusal) -> TradeError {
    TradeError::NoLease(format!(
        "{refusal}; fence.required = true, so nothing is traded without the lease; wait for the store, or make sure that no \
         other host trades and set it to false"
    ))
}

/// The store does not answer at the start, or refuses, and the run begins without it.
fn alone(how: Unasked, dir: &Path, state: &LeaseState, refusal: &LeaseRefusal) {
    let dir = dir.display();
    if how == Unasked::Exits {
        let is_refused = matches!(refusal, LeaseRefusal::Refused { .. });
        let what = if is_refused { "refused" } else { "did not answer" };
        let because = format!(
            "the lease's store {what} at the start, and this state directory has led under a lease: nothing is opened until \
             the store was asked; closes and stops go out"
        );
        if is_refused {
            // Nothing mends this by itself.
            error!(%dir, %refusal, "fence: {because}; a person must look at the lease's store");
        } else {
            warn!(%dir, %refusal, "fence: {because}");
        }
        state.exits_alone(because);
        return;
    }
    let because = "the lease's store did not answer at the start; fence.required = false, so this run trades on the lock of \
                   its state directory alone until it does";
    warn!(%dir, %refusal, "fence: {because}");
    state.lock_alone(Some(because.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn without_an_answer_only_a_directory_that_never_led_under_a_lease_trades() {
        use Traces::{Led, None, Succeeds};
        use Unasked::{Exits, Refuses, Trades, Waits};
        for (is_standby, is_required, has_seen_holder, traces, unasked, refused) in [
            (false, false, false, None, Trades, Refuses),
            (false, false, false, Led, Exits, Exits),
            (false, true, false, None, Refuses, Refuses),
            (false, true, false, Led, Refuses, Refuses),
            // The answer before was somebody else's name.
            (false, false, true, None, Waits, Refuses),
            (false, false, true, Led, Waits, Refuses),
            (true, false, false, None, Waits, Refuses),
            (true, false, false, Led, Waits, Refuses),
            // Its leader was a process of this directory, and is gone: its legs are nobody else's.
            (true, false, false, Succeeds, Exits, Exits),
            (true, true, false, Succeeds, Exits, Exits),
            (true, false, true, Succeeds, Waits, Refuses),
        ] {
            for (is_refused, expected) in [(false, unasked), (true, refused)] {
                let found = Unasked::of(is_standby, is_required, has_seen_holder, traces, is_refused);
                let row = format!("{is_standby} {is_required} {has_seen_holder} {traces:?} {is_refused}");
                assert_eq!(found, expected, "{row}");
            }
        }
    }

    #[test]
    fn a_directory_remembers_that_it_led_and_who_did() {
        let temp = TempDir::new();
        let of = |waited_for| {
            let shutdown = Shutdown::new();
            Traces::of(Claim { dir: &temp.0, is_standby: true, waited_for, shutdown: &shutdown })
        };
        let me = format!("pid {}", std::process::id());
        assert_eq!((of(None), of(Some(&me))), (Traces::None, Traces::None));
        Footprint::of(&temp.0, "boot-a").leave(&temp.0);
        assert_eq!((of(None), of(Some(&me))), (Traces::Led, Traces::Succeeds));
        assert_eq!(of(Some("pid 1")), Traces::Led, "it waited for somebody who waited itself");
    }
}
