//! Opens nothing more while the disk can still take the exits, and goes on once there is room again.

use std::{io, path::PathBuf, time::Duration};

use hedge_core::{Book, OperatorCommand, Posture, Timestamp, engine::Step};
use hedge_runtime::{Observer, Operator};
use tokio::{sync::watch, task::JoinHandle};
use tracing::warn;

const EVERY: Duration = Duration::from_secs(10);
/// How the guard's own reasons begin: nothing that somebody else ordered is lifted.
pub(crate) const OURS: &str = "journal disk: ";
/// Room above the minimum before openings are allowed again, as a part of the minimum: a disk at its limit would switch
/// to and fro.
const MARGIN_PART: u64 = 10;

/// What the operator last ordered, and why; also an earlier process's order, once the journal is folded.
pub(super) type Standing = Option<(Posture, String)>;

/// Tells the guard what stands.
#[derive(Debug)]
pub(super) struct StandingOrder(watch::Sender<Standing>);

impl StandingOrder {
    pub(super) fn new() -> Self {
        Self(watch::channel(None).0)
    }

    /// For another guard.
    pub(super) fn subscribe(&self) -> watch::Receiver<Standing> {
        self.0.subscribe()
    }
}

impl Observer for StandingOrder {
    fn on_step(&mut self, _: Timestamp, _: &Step, book: &Book) {
        let (posture, because) = book.operator();
        self.0.send_if_modified(|known| {
            let is_new = known.as_ref().is_none_or(|(was, why)| *was != posture || why != because);
            if is_new {
                *known = Some((posture, because.to_owned()));
            }
            is_new
        });
    }
}

/// A guard that does not run yet.
#[derive(Debug)]
pub(super) struct Watch {
    dir: PathBuf,
    min_free_mb: u64,
    standing: watch::Receiver<Standing>,
}

impl Watch {
    pub(super) fn new(dir: PathBuf, min_free_mb: u64, standing: &StandingOrder) -> Self {
        Self { dir, min_free_mb, standing: standing.subscribe() }
    }

    /// Turns to `ExitOnly` while less than the minimum is free below the folder, and back when there is more again: also
    /// when an earlier process turned to it. Ends with the run, or with the returned handle's abort.
    pub(super) fn start(self, operator: Operator) -> JoinHandle<()> {
        let Self { dir, min_free_mb, standing } = self;
        let probe = move || hedge_store::free_mb(&dir);
        // What a person orders in the same moment is neither lifted nor loosened.
        let command = move |standing, what, because| operator.command_while(standing, what, because);
        tokio::spawn(watch_over(probe, EVERY, min_free_mb, standing, command))
    }
}

async fn watch_over(
    probe: impl Fn() -> io::Result<u64> + Clone + Send + 'static,
    every: Duration,
    min_free_mb: u64,
    mut standing: watch::Receiver<Standing>,
    command: impl Fn((Posture, String), OperatorCommand, String),
) {
    let mut is_blind = false;
    // Before the journal is folded nobody knows what stands.
    while standing.wait_for(Option::is_some).await.is_ok() {
        match tokio::task::spawn_blocking(probe.clone()).await {
            Ok(Ok(free)) => {
                is_blind = false;
                let seen = standing.borrow().clone();
                if let Some((posture, reason)) = seen
                    && let Some((what, because)) = decide(free, min_free_mb, posture, &reason)
                {
                    command((posture, reason), what, because);
                }
            }
            Ok(Err(error)) if !is_blind => {
                is_blind = true;
                warn!(%error, "free disk space is not known now; the journal's own errors still stop the run");
            }
            Ok(Err(_)) => {}
            Err(_) => return,
        }
        tokio::time::sleep(every).await;
    }
}

/// What to order, given the free space and what stands.
fn decide(free: u64, min: u64, posture: Posture, because: &str) -> Option<(OperatorCommand, String)> {
    let enough = min.saturating_add(min / MARGIN_PART);
    match posture {
        Posture::Normal if free < min => {
            let text = format!(
                "{OURS}only {free} MB are free, {min} are wanted; openings go on by themselves at {enough} MB"
            );
            Some((OperatorCommand::ExitOnly, text))
        }
        Posture::ExitOnly if free >= enough && because.starts_with(OURS) => {
            Some((OperatorCommand::Lift, format!("{OURS}{free} MB are free again")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    };

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    const MIN: u64 = 500;

    fn order(free: u64, posture: Posture, because: &str) -> Option<OperatorCommand> {
        decide(free, MIN, posture, because).map(|(what, _)| what)
    }

    #[test]
    fn only_the_guards_own_order_is_lifted_and_nothing_stricter_is_loosened() {
        let (_, ours) = decide(12, MIN, Posture::Normal, "").unwrap();
        assert!(ours.contains("only 12 MB") && ours.contains("at 550 MB"), "{ours}");
        assert_eq!(order(12, Posture::ExitOnly, &ours), None, "it stands already");
        assert_eq!(order(MIN, Posture::ExitOnly, &ours), None, "not at the limit");
        assert_eq!(order(550, Posture::ExitOnly, &ours), Some(OperatorCommand::Lift));
        assert_eq!(order(9_000, Posture::ExitOnly, "news at 14:30"), None);
        assert_eq!(order(9_000, Posture::Halted, &ours), None);
        assert_eq!(order(12, Posture::Halted, "stop everything"), None);
        assert_eq!(order(MIN, Posture::Normal, ""), None);
    }

    #[tokio::test]
    async fn it_keeps_guarding_through_resumes_and_unknown_space() {
        let free = Arc::new(AtomicU64::new(9_000));
        let (told, standing) = watch::channel(None);
        let (sender, mut orders) = unbounded_channel();
        let probed = Arc::clone(&free);
        let probe = move || match probed.load(SeqCst) {
            u64::MAX => Err(io::Error::other("no answer")),
            free => Ok(free),
        };
        let command = move |_, what, because| sender.send((what, because)).unwrap();
        let guard = tokio::spawn(watch_over(probe, Duration::from_millis(1), MIN, standing, command));
        // A process before this one had turned to ExitOnly.
        told.send_replace(Some((Posture::ExitOnly, format!("{OURS}only 3 MB are free"))));
        for _ in 0..3 {
            let because = until(&mut orders, OperatorCommand::Lift).await;
            told.send_replace(Some((Posture::Normal, because)));
            free.store(u64::MAX, SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            free.store(3, SeqCst);
            let because = until(&mut orders, OperatorCommand::ExitOnly).await;
            told.send_replace(Some((Posture::ExitOnly, because)));
            free.store(9_000, SeqCst);
        }
        guard.abort();
    }

    /// The next order of that kind; earlier ones may come again until they stand.
    async fn until(
        orders: &mut UnboundedReceiver<(OperatorCommand, String)>,
        wanted: OperatorCommand,
    ) -> String {
        let next = async {
            loop {
                let (what, because) = orders.recv().await.unwrap();
                if what == wanted {
                    return because;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), next).await.unwrap()
    }
}
