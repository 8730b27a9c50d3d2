//! What follows the journal behind the trading: the ledger on this disk, the mirror elsewhere.

use std::{num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use hedge_core::StateStore;
use hedge_store::{
    FileStore,
    firestore::{Firestore, FirestoreConfig, FirestoreValues},
    sqlite::SqliteOptions,
    tee::{Follow, FollowerState, FollowerStatus, LedgerFollower, Mirror, Tee},
};
use tokio::runtime::Runtime;
use tracing::{info, warn};

use super::{error::TradeError, run::Setup};
use crate::{
    config::{MirrorKind, Profile},
    ledger::ledger_file,
};

/// Records of one transaction of the ledger at most, and how long they gather: one sync a second on the journal's disk.
const LEDGER_BATCH: u32 = 4_096;
const LEDGER_GATHER: Duration = Duration::from_secs(1);
/// What Firestore takes best at once.
const MIRROR_BATCH: u32 = 300;
/// Views that are written, for the budget that is told at the start.
const VIEWS: u64 = 8;

/// The mirror, as configured; not connected yet.
#[derive(Debug)]
pub(super) struct MirrorPlan(Option<Arc<Firestore>>);

impl MirrorPlan {
    /// Reads the configuration of the mirror, before anything is created. Sends nothing.
    ///
    /// Errors: [`TradeError::Refused`] naming the key or variable.
    pub(super) fn of(setup: &Setup<'_>) -> Result<Self, TradeError> {
        if setup.config.runtime.store.mirror == MirrorKind::None {
            return Ok(Self(None));
        }
        let store = Firestore::new(firestore_config(setup)?)
            .map_err(|error| TradeError::Refused(error.to_string()))?;
        Ok(Self(Some(Arc::new(store))))
    }
}

/// How Firestore is reached.
///
/// Errors: [`TradeError::Refused`] naming the key or variable.
pub(crate) fn firestore_config(setup: &Setup<'_>) -> Result<FirestoreConfig, TradeError> {
    let variable = |name: &str| setup.env.get(name).map(str::to_owned);
    FirestoreConfig::from_values(&firestore_values(setup), &variable)
        .map_err(|error| TradeError::Refused(error.to_string()))
}

/// What the configuration says about Firestore.
fn firestore_values<'a>(setup: &'a Setup<'_>) -> FirestoreValues<'a> {
    let section = &setup.config.runtime.store.firestore;
    FirestoreValues {
        project: section.project.as_deref(),
        database: Some(&section.database),
        env: section.env.as_deref(),
        base_url: section.base_url.as_deref(),
        view_seconds: Some(section.view_seconds),
        default_env: setup.mode.profile.as_str(),
        is_live: setup.mode.profile == Profile::Mainnet,
    }
}

/// The store that a run writes to, and what follows it.
#[derive(Debug)]
pub(super) struct Followed {
    store: Arc<dyn StateStore>,
    tee: Option<Arc<Tee>>,
    firestore: Option<Arc<Firestore>>,
    /// Followers have a thread of their own: encoding a thousand records must not stand between a fact and an order.
    runtime: Option<Runtime>,
    flush: Duration,
}

impl Followed {
    /// Starts what is configured. Nothing is waited for: a mirror that is down is found out, and said, behind.
    pub(super) fn start(
        setup: &Setup<'_>,
        dir: &Path,
        primary: Arc<FileStore>,
        MirrorPlan(firestore): MirrorPlan,
    ) -> Result<Self, TradeError> {
        let store = &setup.config.runtime.store;
        let flush = Duration::from_secs(store.flush_s);
        if !store.ledger && firestore.is_none() {
            return Ok(Self { store: primary, tee: None, firestore: None, runtime: None, flush });
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("followers")
            .enable_all()
            .build()
            .map_err(|error| {
                TradeError::Refused(format!("starting the followers' thread failed: {error}"))
            })?;
        let mut tee = Tee::new(primary).on(runtime.handle().clone()).telling(dir);
        if store.ledger {
            let options = SqliteOptions::default();
            let follow = Follow {
                batch: NonZeroU32::new(LEDGER_BATCH).unwrap_or(NonZeroU32::MIN),
                gather: LEDGER_GATHER,
                ..Follow::new("ledger")
            };
            tee = tee.follow(LedgerFollower::new(ledger_file(dir), options), follow);
        }
        if let Some(firestore) = &firestore {
            let budget = firestore.budget(VIEWS);
            info!("mirror: {}; {budget}", firestore.describe());
            if budget.left_for_journal() == 0 {
                warn!(
                    "views and NAV points alone use up the {} writes a day that cost nothing: raise store.firestore.view_seconds, \
                     or enable billing",
                    budget.free_per_day
                );
            }
            let follow = Follow {
                batch: NonZeroU32::new(MIRROR_BATCH).unwrap_or(NonZeroU32::MIN),
                ..Follow::new("firestore")
            };
            let mirror = Mirror::new(Arc::clone(firestore) as Arc<dyn StateStore>);
            tee = tee.follow(mirror, follow);
        }
        let tee = Arc::new(tee);
        Ok(Self {
            store: Arc::clone(&tee) as Arc<dyn StateStore>,
            tee: Some(tee),
            firestore,
            runtime: Some(runtime),
            flush,
        })
    }

    /// Where the run writes to.
    pub(super) fn store(&self) -> Arc<dyn StateStore> {
        Arc::clone(&self.store)
    }

    /// Ships what is left, within the configured limit, and says what is missing.
    pub(super) async fn close(mut self) {
        if let Some(tee) = self.tee.take() {
            tee.close(self.flush).await.iter().for_each(tell);
        }
        // Views that waited for their turn are written without one.
        if let (Some(firestore), Some(runtime)) = (self.firestore.take(), &self.runtime)
            && !self.flush.is_zero()
        {
            let flush = self.flush;
            let flushed = runtime.spawn(async move { firestore.flush(flush).await }).await;
            if let Ok(Err(error)) = flushed {
                warn!(because = %error, "the last views are not in the mirror; the next start writes newer ones");
            }
        }
    }
}

/// A runtime must not be waited for where others wait for this thread.
impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn tell(status: &FollowerStatus) {
    match status.state {
        FollowerState::Current => {
            info!(follower = status.name, records = status.next.0, "the follower has everything")
        }
        FollowerState::Diverged => {
            warn!(
                "{status}; nothing is shipped to it before somebody has looked: hedgectl doctor says what to do"
            )
        }
        _ => warn!("{status}; the next start ships the rest"),
    }
}
