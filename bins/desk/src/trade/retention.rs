//! Packs old journal files while the run goes on.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hedge_core::Clock;
use hedge_store::FileStore;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// How often is looked for files that have become old. Units: wall time.
const EVERY: Duration = Duration::from_secs(6 * 3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Packing beside the trading; ends with [`end`](Self::end).
pub(super) struct Retention {
    task: JoinHandle<()>,
    end: Arc<AtomicBool>,
}

impl Retention {
    /// Goes on with no further file. The one in hand takes some seconds at most.
    pub(super) fn end(self) {
        self.end.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

/// Packs what is older than so many days, now and every six hours. `None` for zero days. Ends with the store, too.
pub(super) fn start(store: &Arc<FileStore>, days: u64, clock: Arc<dyn Clock>) -> Option<Retention> {
    let days = u32::try_from(days).ok().filter(|days| *days > 0)?;
    let (store, end) = (Arc::downgrade(store), Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&end);
    let task = tokio::spawn(async move {
        while pack(&store, DAY * days, clock.as_ref(), &asked).await {
            tokio::time::sleep(EVERY).await;
        }
    });
    Some(Retention { task, end })
}

/// `false` once the store is gone.
async fn pack(store: &Weak<FileStore>, age: Duration, clock: &dyn Clock, end: &Arc<AtomicBool>) -> bool {
    let Some(store) = store.upgrade() else { return false };
    let before = clock.now().minus(age);
    let end = Arc::clone(end);
    match tokio::task::spawn_blocking(move || store.pack_older_until(before, &end)).await {
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
