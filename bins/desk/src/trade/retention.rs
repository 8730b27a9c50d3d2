//! Packs old journal files while the run goes on.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use hedge_core::Clock;
use hedge_store::FileStore;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// How often is looked for files that have become old. Units: wall time.
const EVERY: Duration = Duration::from_secs(6 * 3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Packs what is older than so many days, now and every six hours, beside the trading. `None` for zero days. Ends with the
/// store, or with the returned handle's abort.
pub(super) fn start(store: &Arc<FileStore>, days: u64, clock: Arc<dyn Clock>) -> Option<JoinHandle<()>> {
    let days = u32::try_from(days).ok().filter(|days| *days > 0)?;
    let store = Arc::downgrade(store);
    Some(tokio::spawn(async move {
        loop {
            if !pack(&store, DAY * days, clock.as_ref()).await {
                return;
            }
            tokio::time::sleep(EVERY).await;
        }
    }))
}

/// `false` once the store is gone.
async fn pack(store: &Weak<FileStore>, age: Duration, clock: &dyn Clock) -> bool {
    let Some(store) = store.upgrade() else { return false };
    let before = clock.now().minus(age);
    match tokio::task::spawn_blocking(move || store.pack_older(before)).await {
        Ok(Ok(packed)) if packed.segments > 0 => info!(
            files = packed.segments,
            mb_before = packed.bytes_before / 1_000_000,
            mb_after = packed.bytes_after / 1_000_000,
            "old journal files were packed"
        ),
        Ok(Ok(_)) => {}
        // The plain file is untouched; a disk in trouble shows in the journal's own writes.
        Ok(Err(error)) => warn!(%error, "an old journal file cannot be packed"),
        Err(_) => return false,
    }
    true
}
