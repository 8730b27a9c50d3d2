//! Another state store as a follower.

use std::{num::NonZeroU32, sync::Arc};

use async_trait::async_trait;
use hedge_core::{Envelope, Seq, StateStore, StoreError};

use super::follower::{FollowError, Follower};

/// A state store that holds the same journal, a little later.
#[derive(Debug)]
pub struct Mirror(Arc<dyn StateStore>);

impl Mirror {
    /// Mirrors into a store of which this is the only writer.
    pub fn new(store: Arc<dyn StateStore>) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Follower for Mirror {
    async fn find(&mut self, journal: &dyn StateStore) -> Result<Seq, FollowError> {
        let (mirrored, end) = (self.0.next_seq().await?, journal.next_seq().await?);
        if mirrored > end {
            let because = format!(
                "the mirror holds {mirrored} records, the journal only {end}: one of them is another one's"
            );
            return Err(FollowError::Diverged { because });
        }
        let Some(last) = mirrored.0.checked_sub(1).map(Seq) else { return Ok(mirrored) };
        let there = match one(self.0.as_ref(), last).await {
            // What is damaged there stays so, however often it is asked.
            Err(StoreError::Corrupt { place, detail }) => {
                return Err(FollowError::Diverged {
                    because: format!("the mirror is damaged: {place}: {detail}"),
                });
            }
            there => there?,
        };
        match (there, one(journal, last).await?) {
            (Some(there), Some(here)) if there == here => Ok(mirrored),
            (Some(_), Some(_)) => Err(FollowError::Diverged {
                because: format!("record {last} is another one in the mirror than in the journal"),
            }),
            (None, Some(_)) => Err(FollowError::Diverged {
                because: format!(
                    "the mirror says that it ends at {mirrored}, and does not hold record {last}"
                ),
            }),
            (_, None) => {
                let doing = format!("comparing record {last}");
                let source = "the journal does not give it".into();
                Err(StoreError::Io { doing, source }.into())
            }
        }
    }

    async fn append(&mut self, records: Vec<Envelope>) -> Result<Seq, FollowError> {
        let Some(first) = records.first() else { return Ok(self.0.next_seq().await?) };
        match self.0.append(first.seq, &records).await {
            Ok(next) => Ok(next),
            Err(StoreError::Corrupt { place, detail }) => {
                Err(FollowError::Diverged { because: format!("{place}: {detail}") })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn views(&self) -> Option<Arc<dyn StateStore>> {
        Some(Arc::clone(&self.0))
    }
}

async fn one(store: &dyn StateStore, at: Seq) -> Result<Option<Envelope>, StoreError> {
    let page = store.read(at, NonZeroU32::MIN).await?;
    Ok(page.records.into_iter().next().filter(|record| record.seq == at))
}
