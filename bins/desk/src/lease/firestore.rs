//! The lease in Firestore.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hedge_core::{Stance, Timestamp};
use hedge_runtime::lease::{LeaseRefusal, LeaseStore, Taken, Validity};
use hedge_store::firestore::{FirestoreError, Grant, Lease, LeaseError};

use super::identity::Footprint;

/// What this process has taken of it.
#[derive(Debug)]
pub(super) struct FirestoreLease {
    lease: Lease,
    grant: Option<Grant>,
    dir: PathBuf,
    footprint: Footprint,
    /// Whether the holder that this one succeeds had waited before its first opening; true where it succeeds nobody.
    is_predecessor_proven: bool,
    first_opening_after: Duration,
    /// From when on the next start in this directory need not wait.
    proven_at: Option<Instant>,
}

impl FirestoreLease {
    /// For a start of that id in that state directory.
    pub(super) fn new(
        lease: Lease,
        dir: PathBuf,
        boot_id: &str,
        is_predecessor_proven: bool,
        first_opening_after: Duration,
    ) -> Self {
        let footprint = Footprint::of(&dir, boot_id);
        Self {
            lease,
            grant: None,
            dir,
            footprint,
            is_predecessor_proven,
            first_opening_after,
            proven_at: None,
        }
    }

    /// What is not known yet stays as it was found.
    fn stand(&self, stance: Option<Stance>) {
        if let Some(stance) = stance {
            self.lease.stand(stance);
        }
    }

    /// What was written has this process's word on the account where `is_heeded`.
    fn note(&mut self, is_heeded: bool) {
        let before = (self.footprint.is_proven, self.footprint.is_heeded);
        self.footprint.is_heeded |= is_heeded;
        if self.proven_at.is_some_and(|at| Instant::now() >= at) {
            self.footprint.is_proven = true;
            self.proven_at = None;
        }
        if before != (self.footprint.is_proven, self.footprint.is_heeded) {
            self.footprint.leave(&self.dir);
        }
    }
}

#[async_trait]
impl LeaseStore for FirestoreLease {
    async fn take(&mut self, wall: Timestamp) -> Result<Taken, LeaseRefusal> {
        let grant = self.lease.acquire(wall).await.map_err(refusal)?;
        let taken = Taken {
            term: grant.term(),
            validity: validity(&grant),
            // A predecessor that was killed within its own wait proves nothing.
            is_succession: grant.is_succession() && self.is_predecessor_proven,
            left: grant.left().map(as_left),
        };
        self.grant = Some(grant);
        // Only now: whoever succeeds a start that never had the lease would not know the one that has it.
        (self.footprint.is_proven, self.footprint.is_heeded) = (taken.is_succession, taken.left.is_none());
        self.footprint.leave(&self.dir);
        self.proven_at = (!taken.is_succession).then(|| Instant::now() + self.first_opening_after);
        Ok(taken)
    }

    async fn renew(&mut self, wall: Timestamp, stance: Option<Stance>) -> Result<Validity, LeaseRefusal> {
        let is_heeded = stance.is_some();
        self.stand(stance);
        let grant = self.grant.as_mut().ok_or_else(not_taken)?;
        self.lease.renew(grant, wall).await.map_err(refusal)?;
        let longer = validity(grant);
        self.note(is_heeded);
        Ok(longer)
    }

    async fn release(&mut self, wall: Timestamp, stance: Option<Stance>) -> Result<(), LeaseRefusal> {
        let is_heeded = stance.is_some();
        self.stand(stance);
        let grant = self.grant.take().ok_or_else(not_taken)?;
        self.lease.release(grant, wall).await.map_err(refusal)?;
        self.note(is_heeded);
        Ok(())
    }
}

/// How the reason of an order begins that came with the lease.
const LEFT: &str = "left by the leader before: ";

/// However many have handed it on, it says so once.
fn as_left(found: &Stance) -> Stance {
    let because = found.because.strip_prefix(LEFT).unwrap_or(&found.because);
    Stance { posture: found.posture, because: format!("{LEFT}{because}").into() }
}

fn not_taken() -> LeaseRefusal {
    LeaseRefusal::Damaged { because: "it was not taken".to_owned() }
}

const fn validity(grant: &Grant) -> Validity {
    Validity::new(grant.valid_until(), grant.valid_until_wall())
}

fn refusal(error: LeaseError) -> LeaseRefusal {
    match error {
        LeaseError::Held { holder, term, left, version, .. } => {
            LeaseRefusal::Held { holder, term, left, version }
        }
        LeaseError::Lost { holder, term, .. } => LeaseRefusal::Lost { holder, term },
        LeaseError::Unreachable { ref source, .. } if is_for_a_person(source) => {
            LeaseRefusal::Refused { because: error.to_string() }
        }
        LeaseError::Unreachable { .. } => LeaseRefusal::Unreachable { because: error.to_string() },
        // A document that is no lease, and whatever else a later version may say.
        other => LeaseRefusal::Damaged { because: other.to_string() },
    }
}

/// It has answered, and no later question is answered otherwise before somebody has changed something.
const fn is_for_a_person(error: &FirestoreError) -> bool {
    match error {
        FirestoreError::Unauthenticated { .. }
        | FirestoreError::PermissionDenied { .. }
        | FirestoreError::DatabaseMissing { .. }
        | FirestoreError::Refused { .. } => true,
        FirestoreError::Credentials(_) => !error.is_retryable(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_is_handed_on_says_once_that_it_was() {
        let stance =
            |because: &'static str| Stance { posture: hedge_core::Posture::Halted, because: because.into() };
        let handed_on = stance("left by the leader before: ann: what is this?");
        assert_eq!(as_left(&stance("ann: what is this?")), handed_on);
        assert_eq!(as_left(&handed_on), handed_on);
    }

    #[test]
    fn a_store_that_refuses_is_none_that_does_not_answer() {
        let of = |source| {
            refusal(LeaseError::Unreachable { account: "binance-mainnet".to_owned(), what: "taken", source })
        };
        let detail = || "the service says so".to_owned();
        for source in [
            FirestoreError::Unauthenticated { detail: detail() },
            FirestoreError::PermissionDenied { detail: detail() },
            FirestoreError::DatabaseMissing { detail: detail() },
            FirestoreError::Refused { status: "INVALID_ARGUMENT".to_owned(), detail: detail() },
        ] {
            let refusal = of(source);
            assert!(matches!(refusal, LeaseRefusal::Refused { .. }), "{refusal}");
            assert!(refusal.to_string().contains("the service says so"), "{refusal}");
        }
        let refusal = of(FirestoreError::Unavailable { attempts: 3, detail: detail(), in_doubt: false });
        assert!(matches!(refusal, LeaseRefusal::Unreachable { .. }), "{refusal}");
    }
}
