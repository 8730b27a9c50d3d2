//! After a panic close took the account over.

use std::time::Duration;

use hedge_runtime::{RunError, Shutdown};
use hedge_store::{ControlDir, StateDir};
use tracing::warn;

use super::place::Place;
use crate::logging::Sink;

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
