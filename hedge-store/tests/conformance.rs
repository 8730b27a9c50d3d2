//! Both stores behind the same suite.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::{fs, io::Write, sync::Arc};

use async_trait::async_trait;
use common::TempDir;
use hedge_core::{StateStore, StoreError, ViewName};
use hedge_store::{Durability, FileOptions, FileStore, MemoryStore};
use hedge_testkit::conformance::store::{self, Place};

struct Memory(MemoryStore);

#[async_trait]
impl Place for Memory {
    async fn open(&self) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(self.0.clone()))
    }
}

struct Files {
    dir: TempDir,
    options: FileOptions,
}

#[async_trait]
impl Place for Files {
    async fn open(&self) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(FileStore::open(self.dir.path(), self.options)?))
    }
    fn is_exclusive(&self) -> bool {
        true
    }
    async fn crash_while_appending(&self) -> bool {
        let mut segments: Vec<_> = fs::read_dir(self.dir.path().join("journal"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
            .collect();
        segments.sort();
        let mut file = fs::OpenOptions::new().append(true).open(segments.last().unwrap()).unwrap();
        file.write_all(br#"{"seq":3,"at":17000000000"#).unwrap();
        true
    }
    async fn crash_while_replacing(&self, name: &ViewName) -> bool {
        let half = self.dir.path().join(format!(".{}.json.tmp", name.as_str()));
        fs::write(half, "{\"as_of\":9,\n\"nav\":").unwrap();
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_conforms() {
    store::all(|| Memory(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_store_conforms() {
    let options = FileOptions { durability: Durability::Fsync, ..FileOptions::default() };
    store::all(|| Files { dir: TempDir::new(), options }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_store_conforms_with_os_durability_and_tiny_segments() {
    let options = FileOptions { durability: Durability::Os, segment_bytes: 300 };
    store::all(|| Files { dir: TempDir::new(), options }).await;
}
