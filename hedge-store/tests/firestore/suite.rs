//! The suite that every store passes, on the fake.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use hedge_core::{StateStore, StoreError};
use hedge_store::firestore::Firestore;
use hedge_testkit::{
    conformance::store::{self, Place},
    firestore::FakeFirestore,
};

use crate::stage::config;

/// One installation in a database: the documents below `hedge/{env}`.
pub(crate) struct Installation {
    pub(crate) host: String,
    pub(crate) env: String,
}

impl Installation {
    /// One that nobody has used before in this process.
    pub(crate) fn fresh(host: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let env = format!("suite-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { host: host.to_owned(), env }
    }
    pub(crate) fn store(&self) -> Firestore {
        Firestore::new(config(&self.host, &self.env)).unwrap()
    }
}

#[async_trait]
impl Place for Installation {
    async fn open(&self) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(self.store()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_firestore_store_conforms() {
    let fake = FakeFirestore::start().await;
    store::all(|| Installation::fresh(&fake.host())).await;
    assert!(fake.largest_commit() <= 400, "a commit had {} writes", fake.largest_commit());
}
