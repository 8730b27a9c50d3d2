//! Opens the journal, or waits until its writer is gone.

use std::{
    io,
    path::Path,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hedge_core::{Failpoints, StateStore, StoreError};
use hedge_runtime::Shutdown;
use hedge_store::{FileJournal, FileStore, ahead_of_journal};
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

/// The journal, and who had it before.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) store: Arc<FileStore>,
    /// Whose lock was waited for last, if any was.
    pub(super) waited_for: Option<String>,
}

/// Takes the journal. With `is_standby`, waits while another process has it, and reads along: what that process could not
/// read at its next start is found now.
pub(super) async fn open_store(
    dir: &Path,
    config: &Config,
    failpoints: &Failpoints,
    is_standby: bool,
    shutdown: &Shutdown,
) -> Result<Opened, TradeError> {
    let mut vigil: Option<Vigil> = None;
    loop {
        match FileStore::open_with(dir, config.runtime.file_options(), failpoints.clone()) {
            Ok(store) => {
                for repair in store.repairs() {
                    warn!("{repair}");
                }
                for missing in ahead_of_journal(dir, store.next_seq().await?) {
                    error!(
                        "{missing}; orders and fills in them are found again by the comparison with the venue"
                    );
                }
                if let Some(vigil) = &vigil {
                    let waited_s = vigil.since.elapsed().as_secs_f32();
                    info!(waited_s, "standby: the state directory is free; takes over");
                }
                let waited_for = vigil.map(|vigil| vigil.holder);
                return Ok(Opened { store: Arc::new(store), waited_for });
            }
            Err(StoreError::Locked { holder, .. }) if is_standby => {
                vigil.get_or_insert_with(|| Vigil::begin(dir)).look(holder);
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
    /// Who has the lock.
    holder: String,
    /// On a thread of its own, which nobody waits for: neither the lock nor a stop.
    reading: Option<(Instant, JoinHandle<Result<u64, StoreError>>)>,
    read_at: Option<Instant>,
    next_read_after: Duration,
    told: Option<(Instant, String)>,
    is_damaged: bool,
}

impl<'a> Vigil<'a> {
    fn begin(dir: &'a Path) -> Self {
        let (since, next_read_after) = (Instant::now(), READ_EVERY);
        let holder = String::new();
        let (reading, read_at) = (None, None);
        Self { dir, since, holder, reading, read_at, next_read_after, told: None, is_damaged: false }
    }

    /// Reads the journal when it is time for it, and says now and then where it stands.
    fn look(&mut self, holder: String) {
        self.holder = holder;
        match self.reading.take() {
            Some((began, thread)) if thread.is_finished() => {
                self.next_read_after = READ_EVERY.max(began.elapsed().saturating_mul(READ_PART));
                self.read_at = Some(Instant::now());
                self.heard(thread.join());
            }
            Some(reading) => self.reading = Some(reading),
            None if self.read_at.is_some_and(|at| at.elapsed() < self.next_read_after) => {}
            None => match self.read() {
                Ok(thread) => self.reading = Some((Instant::now(), thread)),
                Err(error) => {
                    warn!(%error, "standby: no thread to read the journal with; tries again");
                    self.read_at = Some(Instant::now());
                }
            },
        }
    }

    fn read(&self) -> io::Result<JoinHandle<Result<u64, StoreError>>> {
        let dir = self.dir.to_owned();
        let read = move || FileJournal::open_read_only(dir).map(|journal| journal.next_seq().0);
        std::thread::Builder::new().name("standby".to_owned()).spawn(read)
    }

    fn heard(&mut self, read: std::thread::Result<Result<u64, StoreError>>) {
        let holder = self.holder.as_str();
        match read {
            Ok(Ok(records)) => {
                let is_new = self.told.as_ref().is_none_or(|(_, known)| known != holder);
                if self.is_damaged
                    || is_new
                    || self.told.as_ref().is_some_and(|(at, _)| at.elapsed() >= TELL_EVERY)
                {
                    let dir = self.dir.display();
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
            Err(_) => error!("standby: reading the journal has crashed"),
        }
    }
}
