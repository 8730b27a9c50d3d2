//! After a panic close took the account over.

use std::time::Duration;

use hedge_core::{Posture, Stance};
use hedge_runtime::{RunError, Shutdown};
use hedge_store::{ControlDir, StateDir};
use tracing::warn;

use super::place::Place;
use crate::logging::Sink;

/// How a panic close has left the account, if one has; another leader of this directory says that itself.
pub(super) fn left(dir: &StateDir) -> Option<Stance> {
    // Of a fence that cannot be read nobody knows who wrote it: this process was stopped by it all the same.
    let record = match ControlDir::of(dir.path()).fence() {
        Ok(record) => record?,
        Err(error) => {
            return Some(Stance { posture: Posture::Halted, because: error.to_string().into() });
        }
    };
    let because = format!("{} at {}: {}", record.by, record.at, record.because);
    (record.posture > Posture::Normal).then(|| Stance { posture: record.posture, because: because.into() })
}

/// How often it is looked whether the panic close has ended.
const EVERY: Duration = Duration::from_millis(100);

/// Keeps an embedded exchange alive while a panic close works on it: it lives in this process, and legs that nobody can
/// reach cannot be closed. Nothing is traded any more. Ends with the panic close, or when somebody asks to stop.
pub(super) async fn outlive_panic(
    error: &RunError,
    dir: &StateDir,
    place: &Place,
    shutdown: &Shutdown,
    sink: &Sink,
) {
    let control = ControlDir::of(dir.path());
    if !matches!(error, RunError::Fenced { .. }) || place.embedded.is_none() || !control.is_panic_running() {
        return;
    }
    warn!("a panic close is at work; the embedded exchange stays up until it has ended");
    // Nothing else may be said for minutes.
    sink.flush();
    while control.is_panic_running() {
        tokio::select! {
            _ = shutdown.requested() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
