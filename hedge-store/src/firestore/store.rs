//! The store: one installation's journal, views, NAV series and leases.

use std::{num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use hedge_core::{Envelope, Page, Seq, StateStore, StoreError, View, ViewName};

use super::{
    client::Client,
    config::{FirestoreConfig, FirestoreConfigError},
    journal::Journal,
    lease::{Lease, LeaseSettings},
    nav_series::{self, NavPoint, NavSeries},
    quota::{Usage, WriteBudget},
    views::Views,
};

/// A journal, views and leases in Google's Firestore, over its REST interface.
///
/// It is made to be a mirror: every call takes a round trip over the internet, and a view waits for its turn. Nothing that
/// trades should wait for it. Making one needs no network, so a bot starts while Firestore is down.
///
/// *Cancel safety*: an append or a put whose future is dropped may still happen; repeating it is harmless.
#[derive(Debug)]
pub struct Firestore {
    config: FirestoreConfig,
    client: Client,
    journal: Journal,
    views: Views,
}

impl Firestore {
    /// Checks the configuration and reads the key file, where there is one. No network.
    ///
    /// # Errors
    /// [`FirestoreConfigError`]: one line that names the key or the file.
    pub fn new(config: FirestoreConfig) -> Result<Self, FirestoreConfigError> {
        config.check()?;
        let client = Client::new(&config)?;
        let views = Views::new(config.view_interval, NavSeries::new(config.nav_interval));
        Ok(Self { config, client, journal: Journal::default(), views })
    }

    /// What it was made from.
    pub const fn config(&self) -> &FirestoreConfig {
        &self.config
    }

    /// Where it writes and as whom: one line for the start of a log, without a secret.
    pub fn describe(&self) -> String {
        format!("Firestore: {}", self.config.target())
    }

    /// What a day of that many views costs.
    pub const fn budget(&self, views: u64) -> WriteBudget {
        WriteBudget {
            views,
            view_interval: self.config.view_interval,
            nav_interval: self.config.nav_interval,
            free_per_day: self.config.free_writes_per_day,
        }
    }

    /// What this process has read and written today, and how the last call went.
    pub fn usage(&self) -> Usage {
        self.client.quota.usage()
    }

    /// Begins an empty journal at a place after 0: for a mirror that starts when the local journal no longer has its
    /// beginning.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is a journal already that does not begin and end there.
    pub async fn start_at(&self, first: Seq) -> Result<(), StoreError> {
        self.journal.start_at(&self.client, first).await
    }

    /// Writes views whose put was abandoned before they were stored, within a limit. For the end of a process.
    ///
    /// # Errors
    /// The last failure, or [`StoreError::Io`] when the limit passes.
    pub async fn flush(&self, limit: Duration) -> Result<(), StoreError> {
        tokio::time::timeout(limit, self.views.flush(&self.client)).await.unwrap_or_else(|_| {
            let source = format!("not done after {} s", limit.as_secs_f32());
            Err(StoreError::Io { doing: "writing the last views".to_owned(), source: source.into() })
        })
    }

    /// The points of the NAV series of one day (`yyyymmdd`, UTC), oldest first. Empty for a day without any.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn nav_day(&self, day: &str) -> Result<Vec<NavPoint>, StoreError> {
        nav_series::read_day(&self.client, day).await
    }

    /// The lease of an account, to be taken. A pause after an exhausted quota does not stop its renewals.
    ///
    /// # Errors
    /// [`FirestoreConfigError`] for an account that cannot be a document's id, times that cannot work, or a key file that has
    /// become unusable.
    pub fn lease(&self, settings: LeaseSettings) -> Result<Lease, FirestoreConfigError> {
        Lease::new(self.client.for_leases(&self.config)?, settings)
    }
}

#[async_trait]
impl StateStore for Firestore {
    /// A batch that does not fit into one commit (399 records, about 4 MB of text) is written as several, each atomic.
    /// When one of them fails the journal ends inside the batch; the same batch again goes on there.
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        self.journal.append(&self.client, expected_next, batch).await
    }

    /// At most 300 records, whatever the limit.
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        self.journal.read(&self.client, from, limit).await
    }

    async fn next_seq(&self) -> Result<Seq, StoreError> {
        self.journal.next_seq(&self.client).await
    }

    /// Returns when this view, or a newer one of that name, is stored: at most one write per view interval, and of several
    /// puts that wait only the newest is written.
    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        self.views.put(&self.client, name, view).await
    }

    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        self.views.get(&self.client, name).await
    }
}
