//! A wish to stop: SIGHUP, SIGINT, SIGQUIT, SIGTERM. It is looked at in every wait, so that what was started is always ended.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
};

use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
};

use super::DrillError;

const SIGNALS: [(&str, u8); 4] = [("SIGHUP", 1), ("SIGINT", 2), ("SIGQUIT", 3), ("SIGTERM", 15)];

/// Whether somebody wants it to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen(runtime: &Handle) -> io::Result<Self> {
        let asked = Self::default();
        let _entered = runtime.enter();
        for (_, number) in SIGNALS {
            let mut stream = signal(SignalKind::from_raw(i32::from(number)))?;
            let asked = asked.clone();
            runtime.spawn(async move {
                while stream.recv().await.is_some() {
                    asked.0.store(number, SeqCst);
                }
            });
        }
        Ok(asked)
    }

    /// Errors: [`DrillError::Interrupted`] once somebody has asked.
    pub(super) fn check(&self) -> Result<(), DrillError> {
        let asked = self.0.load(SeqCst);
        match SIGNALS.iter().find(|(_, number)| *number == asked) {
            Some((signal, number)) => Err(DrillError::Interrupted { signal, number: *number }),
            None => Ok(()),
        }
    }
}
