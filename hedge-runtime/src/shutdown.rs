//! Stopping on purpose: one handle for signals, tests and the end of a plan.

use std::sync::Arc;

use tokio::sync::watch;

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
    /// Asks to stop at SIGINT or SIGTERM (Ctrl-C elsewhere). Needs a tokio runtime.
    ///
    /// Errors: when the operating system refuses the handler; the program can then only be killed.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let shutdown = self.clone();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::spawn(async move {
                tokio::select! {
                    _ = int.recv() => shutdown.trigger("SIGINT"),
                    _ = term.recv() => shutdown.trigger("SIGTERM"),
                }
            });
        }
        #[cfg(not(unix))]
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                shutdown.trigger("Ctrl-C");
            }
        });
        Ok(())
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
