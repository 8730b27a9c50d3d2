//! Writes views beside the loop: never blocks it, never queues more than one set.

use std::{sync::Arc, time::Duration};

use hedge_core::{StateStore, View, ViewName};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tracing::warn;

type Set = Vec<(ViewName, View)>;

#[derive(Debug)]
pub(crate) struct Publisher {
    sender: mpsc::Sender<Set>,
    task: JoinHandle<()>,
    every: Duration,
    next_at: Instant,
    left_over: Option<Set>,
}

impl Publisher {
    pub(crate) fn start(store: Arc<dyn StateStore>, every: Duration) -> Self {
        let (sender, mut sets) = mpsc::channel::<Set>(1);
        let task = tokio::spawn(async move {
            while let Some(set) = sets.recv().await {
                for (name, view) in &set {
                    if let Err(error) = store.put_view(name, view).await {
                        // The journal is the truth; a view that is old says so by its place.
                        warn!(view = name.as_str(), %error, "view not written");
                    }
                }
            }
        });
        Self { sender, task, every, next_at: Instant::now(), left_over: None }
    }
    /// When the next set may be written.
    pub(crate) fn next_at(&self) -> Instant {
        self.next_at
    }
    /// Hands a set over, unless the one before still waits; then the newest is kept for the end.
    pub(crate) fn publish(&mut self, set: Set) {
        self.next_at = Instant::now() + self.every;
        self.left_over = self.sender.try_send(set).err().map(mpsc::error::TrySendError::into_inner);
    }
    /// Writes what is left and ends.
    pub(crate) async fn finish(self) {
        if let Some(set) = self.left_over {
            let _ = self.sender.send(set).await;
        }
        drop(self.sender);
        let _ = self.task.await;
    }
}
