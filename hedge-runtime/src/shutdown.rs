//! Stopping on purpose: one handle for signals, tests and the end of a plan.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

/// How long the last message of a process that ends at once may take.
const LAST_WORD_WITHIN: Duration = Duration::from_millis(50);

/// Tells the loop to stop. Cheap to clone; the first reason stays.
#[derive(Clone, Debug)]
pub struct Shutdown {
    sender: Arc<watch::Sender<Option<String>>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { sender: Arc::new(watch::channel(None).0) }
    }
}

impl Shutdown {
    /// A handle that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Asks to stop, and says why.
    pub fn trigger(&self, because: impl Into<String>) {
        let because = because.into();
        self.sender.send_if_modified(|reason| {
            let first = reason.is_none();
            if first {
                *reason = Some(because);
            }
            first
        });
    }
    /// The reason, once there is one.
    pub fn reason(&self) -> Option<String> {
        self.sender.borrow().clone()
    }
    /// Resolves with the reason once somebody asks to stop. Cancel-safe.
    pub async fn requested(&self) -> String {
        let mut receiver = self.sender.subscribe();
        loop {
            if let Some(reason) = receiver.borrow_and_update().clone() {
                return reason;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
    /// Asks to stop at the first SIGINT or SIGTERM (Ctrl-C elsewhere). The second one ends the process at once, with 128 and
    /// the signal's number as the exit code: what is in the journal stays, and the next start asks about the rest.
    ///
    /// Listens on a thread of its own, so that signals are heard also while the program's own threads are stuck.
    ///
    /// Errors: when the operating system refuses the handler or the thread; the program can then only be killed.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let shutdown = self.clone();
        let listener = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _entered = listener.enter();
            Signals::new()?
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            listener.block_on(async move {
                let first = signals.next().await;
                shutdown.trigger(first.name);
                let second = signals.next().await;
                end_at_once(second);
            });
        })?;
        Ok(())
    }
}

/// A request to end.
#[derive(Clone, Copy, Debug)]
struct Signal {
    name: &'static str,
    number: i32,
}

const INTERRUPT: Signal = Signal { name: if cfg!(unix) { "SIGINT" } else { "Ctrl-C" }, number: 2 };

/// For whoever asked twice: no draining, no report.
fn end_at_once(signal: Signal) -> ! {
    // Whoever cannot be told is not waited for.
    let _ = std::thread::Builder::new().spawn(move || {
        eprintln!("ended at once by a second {}; the next start goes on from the journal", signal.name);
    });
    std::thread::sleep(LAST_WORD_WITHIN);
    std::process::exit(128 + signal.number);
}

#[cfg(unix)]
struct Signals {
    int: tokio::signal::unix::Signal,
    term: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From here on the signals do not end the process by themselves.
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { int: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())? })
    }
    async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.int.recv() => INTERRUPT,
            Some(()) = self.term.recv() => Signal { name: "SIGTERM", number: 15 },
            else => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }
    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => INTERRUPT,
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays() {
        let shutdown = Shutdown::new();
        shutdown.trigger("bars played");
        shutdown.trigger("SIGTERM");
        assert_eq!(shutdown.requested().await, "bars played");
    }
}
