//! The store of tests and backtests.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hedge_core::{Envelope, Page, Seq, StateStore, StoreError, View, ViewName};

use crate::{file::check_place, view};

/// Everything in memory. Clones share their content, so a clone can play the process that comes after.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    records: Vec<Envelope>,
    views: BTreeMap<&'static str, View>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
    /// All records so far.
    pub fn records(&self) -> Vec<Envelope> {
        self.content().records.clone()
    }
    fn content(&self) -> MutexGuard<'_, Content> {
        // Every change below is a single step, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        let mut place = expected_next;
        for envelope in batch {
            check_place(envelope, place)?;
            place = place.next();
        }
        let mut content = self.content();
        let found = Seq(content.records.len() as u64);
        if expected_next == found {
            content.records.extend_from_slice(batch);
            return Ok(place);
        }
        let is_last_again = place == found
            && !batch.is_empty()
            && content.records.get(index(expected_next)..).is_some_and(|stored| stored == batch);
        if is_last_again { Ok(place) } else { Err(StoreError::Conflict { expected: expected_next, found }) }
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        let content = self.content();
        let rest = content.records.get(index(from)..).unwrap_or_default();
        let records: Vec<Envelope> = rest.iter().take(limit.get() as usize).cloned().collect();
        let next = (records.len() < rest.len()).then(|| Seq(from.0 + records.len() as u64));
        Ok(Page { records, next })
    }

    async fn next_seq(&self) -> Result<Seq, StoreError> {
        Ok(Seq(self.content().records.len() as u64))
    }

    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        view::check(name, view)?;
        self.content().views.insert(name.as_str(), view.clone());
        Ok(())
    }

    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        Ok(self.content().views.get(name.as_str()).cloned())
    }
}

fn index(seq: Seq) -> usize {
    usize::try_from(seq.0).unwrap_or(usize::MAX)
}
