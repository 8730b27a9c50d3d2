//! Opens nothing more while the disk can still take the exits.

use std::{path::PathBuf, time::Duration};

use hedge_core::OperatorCommand;
use hedge_runtime::Operator;
use tokio::task::JoinHandle;
use tracing::warn;

const EVERY: Duration = Duration::from_secs(10);

/// Turns to `ExitOnly` once less than `min_free_mb` is free below `dir`. Ends with the returned handle's abort.
pub(super) fn guard(dir: PathBuf, min_free_mb: u64, operator: Operator) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let path = dir.clone();
            match tokio::task::spawn_blocking(move || hedge_store::free_mb(&path)).await {
                Ok(Ok(free)) if free < min_free_mb => {
                    let because =
                        format!("only {free} MB are free for the journal, {min_free_mb} are wanted");
                    operator.command(OperatorCommand::ExitOnly, because);
                    return;
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    warn!(%error, "free disk space is not known; the journal's own errors still stop the run");
                    return;
                }
                Err(_) => return,
            }
            tokio::time::sleep(EVERY).await;
        }
    })
}
