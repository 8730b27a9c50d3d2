//! The lease in Firestore.

use std::path::PathBuf;

use async_trait::async_trait;
use hedge_core::Timestamp;
use hedge_runtime::lease::{LeaseRefusal, LeaseStore, Taken, Validity};
use hedge_store::firestore::{Grant, Lease, LeaseError};

use super::identity::Footprint;

/// What this process has taken of it.
#[derive(Debug)]
pub(super) struct FirestoreLease {
    lease: Lease,
    grant: Option<Grant>,
    dir: PathBuf,
    boot_id: String,
}

impl FirestoreLease {
    /// For a start of that id in that state directory.
    pub(super) const fn new(lease: Lease, dir: PathBuf, boot_id: String) -> Self {
        Self { lease, grant: None, dir, boot_id }
    }
}

#[async_trait]
impl LeaseStore for FirestoreLease {
    async fn take(&mut self, wall: Timestamp) -> Result<Taken, LeaseRefusal> {
        let grant = self.lease.acquire(wall).await.map_err(refusal)?;
        let taken = Taken {
            term: grant.term(),
            validity: Validity::until(grant.valid_until()),
            is_succession: grant.is_succession(),
        };
        self.grant = Some(grant);
        // Only now: whoever succeeds a start that never had the lease would not know the one that has it.
        if let Some(footprint) = Footprint::of(&self.dir, &self.boot_id) {
            footprint.leave(&self.dir);
        }
        Ok(taken)
    }

    async fn renew(&mut self, wall: Timestamp) -> Result<Validity, LeaseRefusal> {
        let grant = self.grant.as_mut().ok_or_else(not_taken)?;
        self.lease.renew(grant, wall).await.map_err(refusal)?;
        Ok(Validity::until(grant.valid_until()))
    }

    async fn release(&mut self, wall: Timestamp) -> Result<(), LeaseRefusal> {
        let grant = self.grant.take().ok_or_else(not_taken)?;
        self.lease.release(grant, wall).await.map_err(refusal)
    }
}

fn not_taken() -> LeaseRefusal {
    LeaseRefusal::Damaged { because: "it was not taken".to_owned() }
}

fn refusal(error: LeaseError) -> LeaseRefusal {
    match error {
        LeaseError::Held { holder, term, left, .. } => LeaseRefusal::Held { holder, term, left },
        LeaseError::Lost { holder, term, .. } => LeaseRefusal::Lost { holder, term },
        LeaseError::Unreachable { .. } => LeaseRefusal::Unreachable { because: error.to_string() },
        // A document that is no lease, and whatever else a later version may say.
        other => LeaseRefusal::Damaged { because: other.to_string() },
    }
}
