//! The tee itself.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use hedge_core::{Envelope, Page, Seq, StateStore, StoreError, View, ViewName};
use tokio::{runtime::Handle, task::JoinHandle, time::Instant};

use super::{
    follower::Follower,
    ship::{BATCH, Shared, Shipping},
    status::{FollowerStatus, read_status},
    views,
};

/// How a follower is shipped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// What it is called in logs, files and answers.
    pub name: &'static str,
    /// Records of one batch at most.
    pub batch: NonZeroU32,
    /// How long news gather before they are shipped.
    pub gather: Duration,
    /// How long one answer may take before it counts as lost.
    pub try_within: Duration,
    /// The same for a view, whose store may let it wait for its turn.
    pub view_within: Duration,
}

impl Follow {
    /// Batches of 400 records, gathered for half a second, 30 seconds for an answer.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            batch: BATCH,
            gather: Duration::from_millis(500),
            try_within: Duration::from_secs(30),
            view_within: Duration::from_secs(150),
        }
    }
}

/// A store that others follow. `append` and every other call are the primary's own; followers are shipped to behind.
///
/// Dropping it ends the shipping where it stands; the next start goes on from there. [`close`](Self::close) gives it a last
/// while.
#[derive(Debug)]
pub struct Tee {
    primary: Arc<dyn StateStore>,
    followers: Vec<(Arc<Shared>, Vec<JoinHandle<()>>)>,
    state_dir: Option<PathBuf>,
    runtime: Option<Handle>,
}

impl Tee {
    /// A tee without followers: the primary alone.
    pub fn new(primary: Arc<dyn StateStore>) -> Self {
        Self { primary, followers: Vec::new(), state_dir: None, runtime: None }
    }

    /// Writes down in a state directory how far the followers that come after this are, at most once a second each.
    #[must_use]
    pub fn telling(mut self, state_dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(state_dir.into());
        self
    }

    /// Lets the tasks of the followers that come after this run elsewhere, so that their work is never in the way of
    /// whoever appends.
    #[must_use]
    pub fn on(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Starts shipping to a follower. Wants a tokio runtime: the one of [`on`](Self::on), else the one this is called in. Returns at once: whether it is there is found out behind.
    #[must_use]
    pub fn follow(mut self, follower: impl Follower, options: Follow) -> Self {
        let told = self.state_dir.as_deref().and_then(|dir| read_status(dir).ok()).unwrap_or_default();
        let earlier = told.into_iter().find(|status| status.name == options.name);
        let shared = Arc::new(Shared::new(options.name, earlier));
        let runtime = self.runtime.clone().unwrap_or_else(Handle::current);
        let mut tasks = Vec::new();
        if let Some(views) = follower.views() {
            tasks.push(runtime.spawn(views::ship(Arc::clone(&shared), views, options.clone())));
        }
        let shipping = Shipping::new(
            Arc::clone(&self.primary),
            Box::new(follower),
            Arc::clone(&shared),
            options,
            self.state_dir.clone(),
        );
        tasks.push(runtime.spawn(shipping.run()));
        self.followers.push((shared, tasks));
        self
    }

    /// How far each follower is.
    pub fn status(&self) -> Vec<FollowerStatus> {
        self.followers.iter().map(|(shared, _)| shared.with(|status| status.clone())).collect()
    }

    /// Ships what is left, for at most so long, and ends the shipping. Gives how far each follower came. Appending works
    /// afterwards too, and is shipped by the next start.
    pub async fn close(&self, within: Duration) -> Vec<FollowerStatus> {
        let until = Instant::now() + within;
        for (shared, _) in &self.followers {
            shared.until.send_replace(Some(until));
        }
        for task in self.followers.iter().flat_map(|(_, tasks)| tasks) {
            // The task keeps the limit itself, but for a moment to write down how far it came.
            while !task.is_finished() && Instant::now() < until + Duration::from_secs(1) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        self.status()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        for task in self.followers.iter().flat_map(|(_, tasks)| tasks) {
            task.abort();
        }
    }
}

#[async_trait]
impl StateStore for Tee {
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        let next = self.primary.append(expected_next, batch).await?;
        self.followers.iter().for_each(|(shared, _)| shared.appended(next));
        Ok(next)
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        self.primary.read(from, limit).await
    }

    async fn next_seq(&self) -> Result<Seq, StoreError> {
        self.primary.next_seq().await
    }

    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        self.primary.put_view(name, view).await?;
        for (shared, _) in &self.followers {
            shared.views.put(*name, view.clone());
        }
        Ok(())
    }

    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        self.primary.get_view(name).await
    }
}
