//! The ledger as a follower.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use hedge_core::{Envelope, Seq, StateStore, StoreError};
use tokio::task::spawn_blocking;

use super::follower::{FollowError, Follower};
use crate::sqlite::{Ledger, LedgerError, SqliteOptions};

/// Keeps a ledger file at the journal's end.
#[derive(Debug)]
pub struct LedgerFollower {
    file: PathBuf,
    options: SqliteOptions,
    /// Absent until it is found, and after a failure.
    ledger: Option<Ledger>,
}

impl LedgerFollower {
    /// Follows into that file. It is opened by the task that ships, so that a damaged ledger does not stop a start.
    pub fn new(file: impl Into<PathBuf>, options: SqliteOptions) -> Self {
        Self { file: file.into(), options, ledger: None }
    }
}

#[async_trait]
impl Follower for LedgerFollower {
    async fn find(&mut self, journal: &dyn StateStore) -> Result<Seq, FollowError> {
        let end = journal.next_seq().await?;
        let ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => {
                let (file, options) = (self.file.clone(), self.options);
                blocking(move || Ledger::open(file, options)).await?.map_err(final_or_not)?
            }
        };
        if ledger.next() > end {
            let because = format!(
                "the ledger holds {} records, the journal only {end}; build it again with hedgectl ledger rebuild",
                ledger.next()
            );
            return Err(FollowError::Diverged { because });
        }
        Ok(self.ledger.insert(ledger).wanted())
    }

    async fn append(&mut self, records: Vec<Envelope>) -> Result<Seq, FollowError> {
        let Some(mut ledger) = self.ledger.take() else {
            let source = "it is not open".into();
            return Err(StoreError::Io { doing: "writing the ledger".to_owned(), source }.into());
        };
        // Whatever fails, the file is opened anew: it alone knows how far it came.
        let (ledger, next) = blocking(move || {
            let next = ledger.append(&records);
            (ledger, next)
        })
        .await?;
        match next {
            Ok(next) => {
                self.ledger = Some(ledger);
                Ok(next)
            }
            Err(StoreError::Corrupt { detail, .. }) => Err(FollowError::Diverged { because: detail }),
            Err(error) => Err(error.into()),
        }
    }

    fn views(&self) -> Option<Arc<dyn StateStore>> {
        None
    }
}

/// Waiting heals neither a damaged file nor one of another version.
fn final_or_not(error: LedgerError) -> FollowError {
    match error {
        LedgerError::Store(error) => FollowError::Failed(error),
        other => FollowError::Diverged { because: other.to_string() },
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    spawn_blocking(work).await.map_err(|error| StoreError::Io {
        doing: "waiting for the ledger".to_owned(),
        source: Box::new(error),
    })
}
