//! The fence of a state directory's control files, as the loop asks for it.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use hedge_core::{Posture, Term, Timestamp};
use hedge_runtime::{Fence, Leader};
use hedge_store::{ControlDir, FenceAck, FenceRecord, Publication};
use tracing::warn;

/// A fence that is overwritten in its place may be read half: it is read again after this pause.
const TORN_PAUSE: Duration = Duration::from_millis(20);
const TORN_READS: u32 = 10;

/// [`Fence`] over `<state>/control/`.
#[derive(Debug)]
pub struct FileFence {
    dir: ControlDir,
    by: &'static str,
    leads: AtomicBool,
}

impl FileFence {
    /// The fence of that state directory, for the program of that name. Touches nothing.
    pub fn new(state_dir: &Path, by: &'static str) -> Self {
        Self { dir: ControlDir::of(state_dir), by, leads: AtomicBool::new(false) }
    }

    /// Somebody has led here, and the fence is gone: what it forbade is not known any more, so it counts as a halt.
    fn leader_without_a_fence(&self) -> Option<Leader> {
        let term = match self.dir.ack() {
            Ok(None) => return None,
            Ok(Some(ack)) => ack.term,
            Err(_) => Term(0),
        };
        let because = "the fence file was gone at the start; resume when you know why".to_owned();
        Some(Leader { term, posture: Posture::Halted, because })
    }

    fn tell(&self, term: Term, at: Timestamp) {
        let ack = FenceAck { term, by: self.by.to_owned(), pid: std::process::id(), at };
        if let Err(error) = self.dir.put_ack(&ack) {
            warn!(%error, "the fence is not acknowledged; a panic close waits two seconds for it and goes on");
        }
    }
}

fn led_by(leader: &FenceRecord) -> String {
    let FenceRecord { term, by, because, at, .. } = leader;
    format!("{by} leads this account as term {term} since {at} ({because})")
}

impl Fence for FileFence {
    fn leader(&self) -> Result<Option<Leader>, String> {
        if self.dir.panic_runs().map_err(|error| error.to_string())? {
            return Err("a panic close is at work on this account; start again when it has ended".to_owned());
        }
        let record = self.dir.fence().map_err(|error| error.to_string())?;
        Ok(match record {
            Some(FenceRecord { term, posture, because, .. }) => Some(Leader { term, posture, because }),
            None => self.leader_without_a_fence(),
        })
    }

    fn lead(&self, term: Term, at: Timestamp) -> Result<(), String> {
        let because = "it was started".to_owned();
        let record = FenceRecord { term, posture: Posture::Normal, because, by: self.by.to_owned(), at };
        match self.dir.publish(&record) {
            Ok(Publication::Leads) => {
                self.leads.store(true, SeqCst);
                // The file must exist before the disk is full.
                self.tell(term, at);
                Ok(())
            }
            Ok(Publication::PanicRuns) => Err("a panic close has begun on this account".to_owned()),
            Ok(Publication::Superseded(leader)) => Err(led_by(&leader)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn admits(&self, term: Term) -> Result<(), String> {
        match self.dir.fence() {
            Ok(Some(leader)) if leader.term > term => Err(led_by(&leader)),
            Ok(None) if self.leads.load(SeqCst) => {
                Err("the fence file of this state directory has been removed".to_owned())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn acknowledge(&self, at: Timestamp) {
        for _ in 0..TORN_READS {
            match self.dir.fence() {
                Ok(Some(leader)) => return self.tell(leader.term, at),
                Ok(None) => return,
                Err(_) => thread::sleep(TORN_PAUSE),
            }
        }
        warn!("the fence cannot be read, so it is not acknowledged");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::temp::TempDir;

    const NOON: Timestamp = Timestamp::from_ms(1_763_638_569_123);

    fn taken_over(term: u32) -> FenceRecord {
        FenceRecord {
            term: Term(term),
            posture: Posture::Halted,
            because: "by hand".to_owned(),
            by: "hedge-panic-close".to_owned(),
            at: NOON,
        }
    }

    #[test]
    fn a_leader_is_admitted_until_somebody_with_a_greater_term_comes() {
        let temp = TempDir::new();
        let fence = FileFence::new(&temp.0, "hedge-executor");
        assert_eq!(fence.leader(), Ok(None));
        assert_eq!(fence.admits(Term(1)), Ok(()));
        fence.lead(Term(1), NOON).unwrap();
        assert_eq!(fence.admits(Term(1)), Ok(()));
        let dir = ControlDir::of(&temp.0);
        assert_eq!(dir.ack().unwrap().map(|ack| ack.term), Some(Term(1)));
        dir.put_fence(&taken_over(2)).unwrap();
        let refused = fence.admits(Term(1)).unwrap_err();
        assert!(refused.starts_with("hedge-panic-close leads this account as term 2"), "{refused}");
        fence.acknowledge(NOON);
        let ack = dir.ack().unwrap().unwrap();
        assert_eq!((ack.term, ack.pid), (Term(2), std::process::id()));
    }

    #[test]
    fn what_a_panic_close_left_is_read_once_and_forgotten_by_the_next_leader() {
        let temp = TempDir::new();
        ControlDir::of(&temp.0).put_fence(&taken_over(2)).unwrap();
        let fence = FileFence::new(&temp.0, "hedge-executor");
        let leader = fence.leader().unwrap().unwrap();
        assert_eq!((leader.posture, leader.because.as_str()), (Posture::Halted, "by hand"));
        assert!(fence.lead(Term(2), NOON).unwrap_err().contains("as term 2"));
        fence.lead(Term(3), NOON).unwrap();
        assert_eq!(fence.leader().unwrap().map(|leader| leader.posture), Some(Posture::Normal));
    }

    #[test]
    fn nobody_leads_while_a_panic_close_is_at_work() {
        let temp = TempDir::new();
        let guard = ControlDir::of(&temp.0).begin_panic().unwrap();
        let fence = FileFence::new(&temp.0, "hedge-executor");
        assert!(fence.leader().unwrap_err().contains("panic close"));
        assert!(fence.lead(Term(1), NOON).unwrap_err().contains("panic close"));
        drop(guard);
        fence.lead(Term(1), NOON).unwrap();
    }

    #[test]
    fn a_damaged_or_vanished_fence_forbids() {
        let temp = TempDir::new();
        let fence = FileFence::new(&temp.0, "hedge-executor");
        fence.lead(Term(1), NOON).unwrap();
        let file = temp.0.join("control/fence");
        fs::write(&file, "{\"term\":").unwrap();
        assert!(fence.admits(Term(1)).unwrap_err().contains("is damaged"));
        assert!(fence.leader().is_err());
        fs::remove_file(&file).unwrap();
        assert!(fence.admits(Term(1)).unwrap_err().contains("removed"));
    }

    #[test]
    fn a_start_after_the_fence_was_removed_is_halted() {
        let temp = TempDir::new();
        let fence = FileFence::new(&temp.0, "hedge-executor");
        fence.lead(Term(7), NOON).unwrap();
        fs::remove_file(temp.0.join("control/fence")).unwrap();
        let leader = || FileFence::new(&temp.0, "hedge-executor").leader();
        let found = leader().unwrap().unwrap();
        assert_eq!((found.term, found.posture), (Term(7), Posture::Halted));
        fs::write(temp.0.join("control/ack"), "{").unwrap();
        assert_eq!(leader().unwrap().map(|found| found.posture), Some(Posture::Halted));
        fs::remove_file(temp.0.join("control/ack")).unwrap();
        assert_eq!(leader(), Ok(None), "nobody has ever led");
    }
}
