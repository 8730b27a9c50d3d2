//! A journal store of your own, held to the conformance suite: `cargo run -p hedge-examples --example custom_store`.
use std::{num::NonZeroU32, sync::Arc};

use async_trait::async_trait;
use hedge_core::{Decision, Envelope, Event, Page, Seq, StateStore, StoreError, View, ViewName};
use hedge_store::MemoryStore;
use hedge_testkit::conformance::store::{self, Place};

/// Wakes somebody up for every alert that any other store has made durable. What it wraps decides where records go.
#[derive(Clone, Debug)]
struct Paging<S> {
    inner: S,
    page: fn(&str),
}

#[async_trait]
impl<S: StateStore> StateStore for Paging<S> {
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        let next = self.inner.append(expected_next, batch).await?;
        for envelope in batch {
            if let Event::Decision(Decision::Alert { text, .. }) = &envelope.event {
                (self.page)(text);
            }
        }
        Ok(next)
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        self.inner.read(from, limit).await
    }
    async fn next_seq(&self) -> Result<Seq, StoreError> {
        self.inner.next_seq().await
    }
    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        self.inner.put_view(name, view).await
    }
    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        self.inner.get_view(name).await
    }
}

/// Where the suite opens the store, again and again, as processes would that follow each other.
#[async_trait]
impl Place for Paging<MemoryStore> {
    async fn open(&self) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(self.clone()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // Order, gaps, conflicts between writers, repeated batches, reopening, views: a property that fails says which.
    store::all(|| Paging { inner: MemoryStore::new(), page: |text| println!("wake up: {text}") }).await;
    println!("every property of a store holds");
}
