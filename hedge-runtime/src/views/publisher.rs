//! Writes views beside the loop: never blocks it, never queues more than one set, and writes none of a record that is not in
//! the journal yet: a view that is ahead of the journal means that the journal has lost something.

use std::{pin::Pin, sync::Arc, time::Duration};

use hedge_core::{StateStore, View, ViewName};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tracing::warn;

/// Views, and whether the records that they are made of are durable.
struct Set {
    views: Vec<(ViewName, View)>,
    is_journalled: Pin<Box<dyn Future<Output = bool> + Send>>,
}

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
                if !set.is_journalled.await {
                    continue;
                }
                for (name, view) in &set.views {
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
    pub(crate) fn publish(
        &mut self,
        views: Vec<(ViewName, View)>,
        is_journalled: impl Future<Output = bool> + Send + 'static,
    ) {
        let set = Set { views, is_journalled: Box::pin(is_journalled) };
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

#[cfg(test)]
mod tests {
    use std::{
        num::NonZeroU32,
        sync::{Mutex, PoisonError},
    };

    use async_trait::async_trait;
    use hedge_core::{Envelope, Page, Seq, StoreError};

    use super::*;

    /// Notes the place of the last view.
    #[derive(Debug, Default)]
    struct Noted(Mutex<Option<Seq>>);

    impl Noted {
        fn last(&self) -> Option<Seq> {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[async_trait]
    impl StateStore for Noted {
        async fn append(&self, expected_next: Seq, _: &[Envelope]) -> Result<Seq, StoreError> {
            Ok(expected_next)
        }
        async fn read(&self, _: Seq, _: NonZeroU32) -> Result<Page, StoreError> {
            Ok(Page { records: Vec::new(), next: None })
        }
        async fn next_seq(&self) -> Result<Seq, StoreError> {
            Ok(Seq(0))
        }
        async fn put_view(&self, _: &ViewName, view: &View) -> Result<(), StoreError> {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(view.as_of);
            Ok(())
        }
        async fn get_view(&self, _: &ViewName) -> Result<Option<View>, StoreError> {
            Ok(None)
        }
    }

    #[tokio::test]
    async fn no_view_is_written_before_its_records_are_nor_after_they_were_not() {
        let name = ViewName::new("nav").unwrap();
        let views = |as_of| vec![(name, View { as_of: Seq(as_of), json: "{}".to_owned() })];
        let store = Arc::new(Noted::default());
        let mut publisher = Publisher::start(Arc::clone(&store) as Arc<dyn StateStore>, Duration::ZERO);
        let (journalled, is_journalled) = tokio::sync::oneshot::channel::<()>();
        publisher.publish(views(7), async { is_journalled.await.is_ok() });
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.last(), None);
        journalled.send(()).unwrap();
        publisher.finish().await;
        assert_eq!(store.last(), Some(Seq(7)));
        let mut publisher = Publisher::start(Arc::clone(&store) as Arc<dyn StateStore>, Duration::ZERO);
        publisher.publish(views(9), async { false });
        publisher.finish().await;
        assert_eq!(store.last(), Some(Seq(7)));
    }
}
