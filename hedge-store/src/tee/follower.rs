//! What a tee ships to.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use hedge_core::{Envelope, Seq, StateStore, StoreError};
use thiserror::Error;

/// Why shipping does not go on.
#[derive(Debug, Error)]
pub enum FollowError {
    /// It failed and may work later.
    #[error(transparent)]
    Failed(#[from] StoreError),
    /// The follower holds something else than the journal. Nobody but a person can say which is right.
    #[error("{because}")]
    Diverged {
        /// What was found where.
        because: String,
    },
}

/// Somewhere that records are shipped to. Used by one task.
#[async_trait]
pub trait Follower: fmt::Debug + Send + 'static {
    /// Where shipping begins, after a look at whether what is there is the beginning of the journal. Asked at the start and
    /// after every failure; only here is it decided what has arrived.
    async fn find(&mut self, journal: &dyn StateStore) -> Result<Seq, FollowError>;
    /// Takes records that follow each other, durably. Gives the place after the last one. The future may be dropped.
    async fn append(&mut self, records: Vec<Envelope>) -> Result<Seq, FollowError>;
    /// Where views go, if they do. They are put beside the records and wait for nothing, so the store may take its time.
    fn views(&self) -> Option<Arc<dyn StateStore>>;
}
