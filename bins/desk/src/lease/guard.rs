//! The fence of a state directory and the lease of its account, as one.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use hedge_core::{Posture, SendGuard, Sending, Stance, Term, Timestamp};
use hedge_runtime::{Fence, Leader, LeaseStatus, lease::LeaseState};

use crate::control::FileFence;

/// [`Fence`] of the loop, and [`SendGuard`] of the client.
#[derive(Debug)]
pub(crate) struct LeasedFence {
    file: FileFence,
    lease: Arc<LeaseState>,
    /// The term under which this process leads; 0 before it does.
    leads_as: AtomicU32,
}

impl LeasedFence {
    pub(crate) fn new(state_dir: &Path, by: &'static str, lease: Arc<LeaseState>) -> Self {
        Self { file: FileFence::new(state_dir, by), lease, leads_as: AtomicU32::new(0) }
    }
}

impl Fence for LeasedFence {
    /// The run's term is not below the lease's: whatever a person compares, the newer one is greater. Of what the file and
    /// the lease say of the account, the stricter stands.
    fn leader(&self) -> Result<Option<Leader>, String> {
        self.lease.stands()?;
        let term = self.lease.term().map_or(Term(0), |term| Term(term.0.saturating_sub(1)));
        let Stance { posture, because } = self.lease.left().unwrap_or(Stance::NORMAL);
        let by_lease = Leader { term, posture, because: because.into_owned() };
        Ok(match self.file.leader()? {
            Some(by_file) => {
                let term = by_file.term.max(term);
                let stricter = if by_lease.posture > by_file.posture { by_lease } else { by_file };
                Some(Leader { term, ..stricter })
            }
            None if term == Term(0) && posture == Posture::Normal => None,
            None => Some(by_lease),
        })
    }

    fn lead(&self, term: Term, at: Timestamp) -> Result<(), String> {
        self.lease.stands()?;
        self.file.lead(term, at)?;
        self.leads_as.store(term.0, SeqCst);
        Ok(())
    }

    fn admits(&self, term: Term) -> Result<(), String> {
        self.lease.stands()?;
        self.file.admits(term)
    }

    fn acknowledge(&self, at: Timestamp) {
        self.file.acknowledge(at);
    }

    fn sets_timers(&self) -> Result<(), String> {
        self.lease.sets_timers()
    }

    fn lease(&self) -> Option<LeaseStatus> {
        Some(self.lease.status())
    }
}

impl SendGuard for LeasedFence {
    fn admits(&self, what: Sending) -> Result<(), String> {
        match self.leads_as.load(SeqCst) {
            0 => Err(NOT_YET.to_owned()),
            term => self.file.admits(Term(term)).and_then(|()| self.lease.admits(what)),
        }
    }

    fn time_was_lost(&self, by: Duration, how: &str) {
        self.lease.time_was_lost(by, how);
    }
}

const NOT_YET: &str = "this process does not lead the account yet";

/// What the client asks. It is there before the state directory is known; until then nothing is admitted.
#[derive(Debug, Default)]
pub(crate) struct Gatekeeper(OnceLock<Arc<LeasedFence>>);

impl Gatekeeper {
    /// From here on that fence is asked.
    pub(crate) fn admit_by(&self, fence: Arc<LeasedFence>) {
        // One run has one fence.
        let _ = self.0.set(fence);
    }
}

impl SendGuard for Gatekeeper {
    fn admits(&self, what: Sending) -> Result<(), String> {
        match self.0.get() {
            Some(fence) => SendGuard::admits(fence.as_ref(), what),
            None => Err(NOT_YET.to_owned()),
        }
    }

    fn time_was_lost(&self, by: Duration, how: &str) {
        if let Some(fence) = self.0.get() {
            fence.time_was_lost(by, how);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use hedge_runtime::lease::{Identity, Taken, Validity};
    use hedge_store::{ControlDir, FenceRecord};

    use super::*;
    use crate::temp::TempDir;

    const NOON: Timestamp = Timestamp::from_ms(1_763_638_569_123);

    fn leased(dir: &Path) -> (Arc<LeaseState>, Arc<LeasedFence>) {
        let identity = Identity { kind: "firestore", holder: "a".to_owned(), boot_id: "b".to_owned() };
        let lease = Arc::new(LeaseState::new(identity));
        (Arc::clone(&lease), Arc::new(LeasedFence::new(dir, "hedge-executor", lease)))
    }

    fn hold(lease: &LeaseState, term: u32) {
        let validity = Validity::until(Instant::now() + Duration::from_secs(3_600));
        lease.taken(&Taken { term: Term(term), validity, is_succession: true, left: None }, Duration::ZERO);
    }

    #[test]
    fn nothing_leaves_before_this_process_leads_and_nothing_once_another_one_does() {
        let temp = TempDir::new();
        let (lease, fence) = leased(&temp.0);
        let gate = Gatekeeper::default();
        let may = || gate.admits(Sending::Exit);
        assert_eq!(may(), Err(NOT_YET.to_owned()));
        gate.admit_by(Arc::clone(&fence));
        hold(&lease, 1);
        assert_eq!(may(), Err(NOT_YET.to_owned()));
        fence.lead(Term(1), NOON).unwrap();
        assert_eq!(may(), Ok(()));
        gate.time_was_lost(Duration::from_secs(120), "the clocks have moved apart");
        assert!(may().unwrap_err().contains("asked first"));
        hold(&lease, 1);
        lease.renewed(lease.asking(), Validity::until(Instant::now() + Duration::from_secs(3_600)));
        assert_eq!(may(), Ok(()));
        // A panic close knows nothing of leases.
        let record = FenceRecord {
            term: Term(2),
            posture: Posture::Halted,
            because: "by hand".to_owned(),
            by: "hedge-panic-close".to_owned(),
            at: NOON,
        };
        ControlDir::of(&temp.0).put_fence(&record).unwrap();
        assert!(may().unwrap_err().contains("hedge-panic-close leads"));
        // And a lease that is lost is the end, whatever the file says.
        let (lease, fence) = leased(&temp.0);
        hold(&lease, 1);
        fence.lead(Term(3), NOON).unwrap();
        lease.over("somebody else has it");
        assert!(SendGuard::admits(fence.as_ref(), Sending::Exit).unwrap_err().contains("somebody else"));
        assert!(Fence::admits(fence.as_ref(), Term(3)).unwrap_err().contains("somebody else"));
    }

    #[test]
    fn of_what_file_and_lease_say_of_the_account_the_stricter_stands() {
        let temp = TempDir::new();
        let (lease, fence) = leased(&temp.0);
        let left = |posture| {
            let validity = Validity::until(Instant::now() + Duration::from_secs(3_600));
            let left = Some(Stance { posture, because: "by the lease".into() });
            lease.taken(&Taken { term: Term(5), validity, is_succession: true, left }, Duration::ZERO);
            let leader = fence.leader().unwrap().unwrap();
            (leader.term.0, leader.posture, leader.because)
        };
        let by_lease = |posture| (4, posture, "by the lease".to_owned());
        assert_eq!(left(Posture::Halted), by_lease(Posture::Halted), "no file yet");
        fence.lead(Term(3), NOON).unwrap();
        assert_eq!(left(Posture::ExitOnly), by_lease(Posture::ExitOnly));
        let record = FenceRecord {
            term: Term(4),
            posture: Posture::Halted,
            because: "by hand".to_owned(),
            by: "hedge-panic-close".to_owned(),
            at: NOON,
        };
        ControlDir::of(&temp.0).put_fence(&record).unwrap();
        assert_eq!(left(Posture::ExitOnly), (4, Posture::Halted, "by hand".to_owned()));
        lease.heeded();
        assert_eq!(lease.left(), None);
    }

    #[test]
    fn the_term_of_a_run_is_not_below_its_leases() {
        let temp = TempDir::new();
        let (lease, fence) = leased(&temp.0);
        assert_eq!(fence.leader(), Ok(None));
        hold(&lease, 1);
        assert_eq!(fence.leader(), Ok(None), "the first of all");
        hold(&lease, 7);
        assert_eq!(fence.leader().unwrap().unwrap().term, Term(6), "the run takes the next one");
        fence.lead(Term(9), NOON).unwrap();
        assert_eq!(fence.leader().unwrap().unwrap().term, Term(9));
    }
}
