//! Taking over from a running executor: by the fence file, without its lock and without its help.

use std::{
    fs::File,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use hedge_core::{OperatorCommand, Posture, Term, Timestamp};
use hedge_runtime::control::{AskError, Request, ask};
use hedge_store::{ControlDir, FenceRecord, PanicGuard};
use tokio::time::{Instant, sleep, timeout};

/// How long a running executor may take to say that it has stopped sending.
const ACK_WITHIN: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What became of the take-over. Nothing in it keeps a panic close from going on, except another one at work.
#[derive(Debug, Default)]
pub struct Fenced {
    /// The term that leads now, where the fence could be written.
    pub term: Option<Term>,
    /// Keeps executors from starting for as long as it lives.
    pub guard: Option<PanicGuard>,
    /// Another panic close is at work in this state directory.
    pub is_taken: bool,
    /// What did not work, one sentence each.
    pub warnings: Vec<String>,
}

/// Takes the fence of a state directory over: the next term, halted. A missing directory, a full or a read-only disk are
/// warnings.
pub fn take_over(state_dir: &Path, by: &str, because: &str, now: Timestamp) -> Fenced {
    let control = ControlDir::of(state_dir);
    let mut fenced = Fenced::default();
    if !state_dir.is_dir() {
        fenced.warnings.push(format!(
            "{} is not there: no executor was told to stop, one that runs elsewhere goes on trading",
            state_dir.display()
        ));
        return fenced;
    }
    match control.begin_panic() {
        Ok(Some(guard)) => fenced.guard = Some(guard),
        Ok(None) => {
            fenced.is_taken = true;
            return fenced;
        }
        Err(error) => {
            fenced.warnings.push(format!("executors are not kept from starting while this works: {error}"));
        }
    }
    let newest = match (control.fence(), control.ack()) {
        (Ok(fence), ack) => {
            let acked = ack.ok().flatten().map(|ack| ack.term);
            fence.map(|fence| fence.term).max(acked)
        }
        (Err(error), _) => {
            // Whoever wants to trade takes a damaged fence for "forbidden"; a term written over it might be too low.
            fenced.warnings.push(format!("the fence is left as it is, which stops executors too: {error}"));
            return fenced;
        }
    };
    let term = Term(newest.map_or(0, |term| term.0).saturating_add(1));
    let record = FenceRecord {
        term,
        posture: Posture::Halted,
        because: because.to_owned(),
        by: by.to_owned(),
        at: now,
    };
    match control.put_fence(&record) {
        Ok(()) => fenced.term = Some(term),
        Err(error) => fenced.warnings.push(format!(
            "no executor could be told to stop ({error}): stop it by hand if one runs, it goes on trading"
        )),
    }
    fenced
}

/// Waits until a running executor has seen the new term: at most two seconds, and not at all when none seems to run.
/// The line that says what was found.
pub async fn ask_executor_to_stop(state_dir: &Path, term: Term) -> String {
    let control = ControlDir::of(state_dir);
    // Looked at before its answer: one that ends in between has answered first.
    let is_alive = seems_alive(state_dir, &control);
    let has_answered = || control.ack().ok().flatten().is_some_and(|ack| ack.term >= term);
    if !is_alive && !has_answered() {
        return format!("fence: term {term}, halted; no executor runs in {}", state_dir.display());
    }
    let until = Instant::now() + ACK_WITHIN;
    loop {
        match control.ack() {
            Ok(Some(ack)) if ack.term >= term => {
                return format!(
                    "fence: term {term}, halted; {} (pid {}) has stopped sending",
                    ack.by, ack.pid
                );
            }
            _ if Instant::now() >= until => {
                return format!(
                    "fence: term {term}, halted; the executor in {} has not answered within 2 s, going on",
                    state_dir.display()
                );
            }
            _ => sleep(BETWEEN_LOOKS).await,
        }
    }
}

/// Where the fence cannot be written: asks a running executor itself to halt. The line that says what came of it; `None` when
/// nobody listens.
pub async fn ask_executor_to_halt(state_dir: &Path, because: &str) -> Option<String> {
    let request = Request::Command { command: OperatorCommand::Halt, because: because.to_owned() };
    match timeout(ACK_WITHIN, ask(state_dir, &request)).await {
        Ok(Ok(_)) => Some(
            "the executor halts by its control socket: it opens nothing, its closes still go out".to_owned(),
        ),
        Ok(Err(AskError::NobodyThere { .. })) => None,
        Ok(Err(error)) => Some(format!("the executor could not be asked to halt either: {error}")),
        Err(_) => Some("the executor does not answer at its control socket; going on".to_owned()),
    }
}

/// Whether somebody listens at the control socket or holds the journal. Where neither can be found out: yes.
fn seems_alive(state_dir: &Path, control: &ControlDir) -> bool {
    UnixStream::connect(control.socket()).is_ok() || is_held(&state_dir.join("journal").join("lock"))
}

fn is_held(lock: &PathBuf) -> bool {
    // Shared and only for a moment: an executor that starts right now is refused by the panic lock anyway.
    File::open(lock).is_ok_and(|file| file.try_lock_shared().is_err())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hedge_store::FenceAck;

    use super::*;
    use crate::temp::TempDir;

    const NOON: Timestamp = Timestamp::from_ms(1_763_638_569_123);

    fn take(path: &Path) -> Fenced {
        take_over(path, "hedge-panic-close", "panic close", NOON)
    }

    #[test]
    fn the_fence_becomes_the_next_term_and_halted_and_no_second_panic_close_begins() {
        let folder = TempDir::new();
        let control = ControlDir::of(&folder.0);
        let (because, by) = ("running".to_owned(), "hedge-executor".to_owned());
        control
            .put_fence(&FenceRecord { term: Term(7), posture: Posture::Normal, because, by, at: NOON })
            .unwrap();
        let first = take(&folder.0);
        assert_eq!((first.term, first.is_taken, first.warnings.len()), (Some(Term(8)), false, 0));
        let fence = control.fence().unwrap().unwrap();
        assert_eq!(
            (fence.term, fence.posture, fence.by.as_str()),
            (Term(8), Posture::Halted, "hedge-panic-close")
        );
        assert!(control.is_panic_running());
        assert!(take(&folder.0).is_taken);
        drop(first);
        assert_eq!(take(&folder.0).term, Some(Term(9)));
    }

    #[test]
    fn a_directory_that_is_not_there_is_a_warning_and_is_not_made() {
        let folder = TempDir::new();
        let path = folder.0.join("nowhere");
        let fenced = take(&path);
        assert_eq!((fenced.term, fenced.warnings.len()), (None, 1));
        assert!(!path.exists());
    }

    #[test]
    fn a_damaged_fence_stays_because_it_forbids_already() {
        let folder = TempDir::new();
        fs::create_dir_all(folder.0.join("control")).unwrap();
        fs::write(folder.0.join("control/fence"), "{").unwrap();
        let fenced = take(&folder.0);
        assert_eq!(fenced.term, None);
        assert!(fenced.warnings[0].contains("is damaged"), "{:?}", fenced.warnings);
        assert_eq!(fs::read_to_string(folder.0.join("control/fence")).unwrap(), "{");
    }

    #[tokio::test]
    async fn without_an_executor_nobody_waits_and_with_one_its_answer_is_read() {
        let folder = TempDir::new();
        let fenced = take(&folder.0);
        let term = fenced.term.unwrap();
        assert!(ask_executor_to_stop(&folder.0, term).await.contains("no executor runs"));
        let _listener = std::os::unix::net::UnixListener::bind(folder.0.join("control.sock")).unwrap();
        let ack = FenceAck { term, by: "hedge-executor".to_owned(), pid: 4711, at: NOON };
        ControlDir::of(&folder.0).put_ack(&ack).unwrap();
        let line = ask_executor_to_stop(&folder.0, term).await;
        assert!(line.ends_with("hedge-executor (pid 4711) has stopped sending"), "{line}");
    }
}
