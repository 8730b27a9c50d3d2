//! Opens the journal, or waits until its writer is gone.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use hedge_core::{Failpoints, StoreError};
use hedge_runtime::Shutdown;
use hedge_store::{FileJournal, FileStore};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::error::TradeError;
use crate::config::Config;

/// How often the lock is tried. The lock of a process that has ended is free at once.
const TRY_EVERY: Duration = Duration::from_millis(50);
/// Between two readings of the journal at least, ...
const READ_EVERY: Duration = Duration::from_secs(10);
/// ... and so many times what one takes: a standby costs no core.
const READ_PART: u32 = 50;
/// How often it is said what is waited for.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// Takes the journal. With `is_standby`, waits while another process has it, and reads along: what that process could not
/// read at its next start is found now.
pub(super) async fn open_store(
    dir: &Path,
    config: &Config,
    failpoints: &Failpoints,
    is_standby: bool,
    shutdown: &Shutdown,
) -> Result<Arc<FileStore>, TradeError> {
    let mut vigil: Option<Vigil> = None;
    loop {
        match FileStore::open_with(dir, config.runtime.file_options(), failpoints.clone()) {
            Ok(store) => {
                for repair in store.repairs() {
                    warn!("{repair}");
                }
                if let Some(vigil) = vigil {
                    let waited_s = vigil.since.elapsed().as_secs_f32();
                    info!(waited_s, "standby: the state directory is free; takes over");
                }
                return Ok(Arc::new(store));
            }
            Err(StoreError::Locked { holder, .. }) if is_standby => {
                vigil.get_or_insert_with(|| Vigil::begin(dir)).look(&holder).await;
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            because = shutdown.requested() => return Err(TradeError::Stopped(because)),
            () = sleep(TRY_EVERY) => {}
        }
    }
}

/// What a standby does while it waits.
struct Vigil<'a> {
    dir: &'a Path,
    since: Instant,
    read_at: Option<Instant>,
    next_read_after: Duration,
    told: Option<(Instant, String)>,
    is_damaged: bool,
}

impl<'a> Vigil<'a> {
    fn begin(dir: &'a Path) -> Self {
        let (since, next_read_after) = (Instant::now(), READ_EVERY);
        Self { dir, since, read_at: None, next_read_after, told: None, is_damaged: false }
    }

    /// Reads the journal when it is time for it, and says now and then where it stands.
    async fn look(&mut self, holder: &str) {
        if self.read_at.is_some_and(|at| at.elapsed() < self.next_read_after) {
            return;
        }
        let (dir, began) = (self.dir.to_owned(), Instant::now());
        let read = tokio::task::spawn_blocking(move || FileJournal::open_read_only(dir)).await;
        self.next_read_after = READ_EVERY.max(began.elapsed().saturating_mul(READ_PART));
        self.read_at = Some(Instant::now());
        match read {
            Ok(Ok(journal)) => {
                let is_new = self.told.as_ref().is_none_or(|(_, known)| known != holder);
                if self.is_damaged
                    || is_new
                    || self.told.as_ref().is_some_and(|(at, _)| at.elapsed() >= TELL_EVERY)
                {
                    let (dir, records) = (self.dir.display(), journal.next_seq().0);
                    info!(records, "standby: waits for {dir}, which {holder} has; its journal is sound");
                    self.told = Some((Instant::now(), holder.to_owned()));
                }
                self.is_damaged = false;
            }
            Ok(Err(problem)) => {
                if !self.is_damaged {
                    error!(%problem, "standby: the journal cannot be read; a takeover would end with 74 now");
                }
                self.is_damaged = true;
            }
            // The reader has crashed; the next one is not told anything new by that.
            Err(crash) => error!(%crash, "standby: reading the journal has crashed"),
        }
    }
}
