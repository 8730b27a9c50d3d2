//! Full and read-only disks under the file store. Each test wants a small disk of its own and is skipped loudly where this
//! process may not mount one.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use common::TempDir;
use hedge_core::{Envelope, Seq, StateStore, StoreError, View, ViewName};
use hedge_store::{Durability, FileJournal, FileOptions, FileStore};
use hedge_testkit::records::{record, records};
use tokio::runtime::{Builder, Runtime};

const SEGMENTS: FileOptions = FileOptions { durability: Durability::Fsync, segment_bytes: 100_000 };

/// A disk of a few MiB, gone with the value.
struct SmallDisk {
    path: PathBuf,
    _below: TempDir,
}

impl SmallDisk {
    fn mount(test: &str, options: &str) -> Option<Self> {
        let below = TempDir::new();
        let path = below.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { path, _below: below });
        }
        println!("SKIP {test}: mounting a tmpfs is not allowed here");
        None
    }
    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.path).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.path).status().ok();
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Appends until it fails: the place after the last acknowledged record, and what was said.
fn fill(store: &FileStore, from: Seq) -> (Seq, StoreError) {
    let mut next = from;
    loop {
        match runtime().block_on(store.append(next, &records(next.0..next.0 + 50))) {
            Ok(after) => next = after,
            Err(error) => return (next, error),
        }
    }
}

fn read(dir: &Path) -> Vec<Envelope> {
    FileJournal::open_read_only(dir).unwrap().records(Seq(0)).collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_full_disk_is_explained_loses_nothing_acknowledged_and_is_survived() {
    let Some(disk) = SmallDisk::mount("a full disk", "size=1m") else { return };
    let store = FileStore::open(&disk.path, SEGMENTS).unwrap();
    let (next, error) = fill(&store, Seq(0));
    assert!(next.0 > 500, "only {next} records fitted");
    assert!(error.to_string().contains("free some space on that disk"), "{error}");
    assert_eq!(runtime().block_on(store.next_seq()).unwrap(), next);
    assert_eq!(read(&disk.path), records(0..next.0), "a reader sees what was acknowledged and nothing else");

    // The same process goes on when there is space again.
    disk.remount("size=2m");
    let after = runtime().block_on(store.append(next, &[record(next.0, "there is space again")])).unwrap();
    drop(store);
    let store = FileStore::open(&disk.path, SEGMENTS).unwrap();
    assert_eq!(runtime().block_on(store.next_seq()).unwrap(), after);
    assert_eq!(read(&disk.path).len() as u64, after.0);
}

#[test]
fn a_process_that_dies_on_a_full_disk_leaves_a_journal_that_opens_again() {
    let Some(disk) = SmallDisk::mount("a restart on a full disk", "size=1m") else { return };
    let store = FileStore::open(&disk.path, SEGMENTS).unwrap();
    let (next, _) = fill(&store, Seq(0));
    drop(store);
    // Still full: what is there can be read and appending says why it fails.
    match FileStore::open(&disk.path, SEGMENTS) {
        Ok(store) => {
            assert_eq!(runtime().block_on(store.next_seq()).unwrap(), next);
            let (same, error) = fill(&store, next);
            assert_eq!(same, next);
            assert!(error.to_string().contains("free some space on that disk"), "{error}");
        }
        Err(error) => assert!(error.to_string().contains("free some space on that disk"), "{error}"),
    }
    assert_eq!(read(&disk.path), records(0..next.0));
    disk.remount("size=2m");
    let store = FileStore::open(&disk.path, SEGMENTS).unwrap();
    let (after, _) = fill(&store, next);
    assert!(after > next);
    assert_eq!(read(&disk.path), records(0..after.0));
}

#[test]
fn a_view_that_finds_no_space_leaves_the_old_one() {
    let Some(disk) = SmallDisk::mount("a view on a full disk", "size=1m") else { return };
    let store = FileStore::open(&disk.path, SEGMENTS).unwrap();
    let name = ViewName::new("nav").unwrap();
    let old = View { as_of: Seq(1), json: r#"{"nav":"1"}"#.to_owned() };
    runtime().block_on(store.put_view(&name, &old)).unwrap();
    fill(&store, Seq(0));
    let large = View { as_of: Seq(2), json: format!("{{\"nav\":\"{}\"}}", "2".repeat(500_000)) };
    let error = runtime().block_on(store.put_view(&name, &large)).unwrap_err().to_string();
    assert!(error.contains("free some space on that disk"), "{error}");
    assert_eq!(runtime().block_on(store.get_view(&name)).unwrap(), Some(old));
}

#[test]
fn a_read_only_disk_is_explained_and_its_journal_can_be_read() {
    let Some(disk) = SmallDisk::mount("a read-only disk", "size=4m") else { return };
    let store = FileStore::open(&disk.path, SEGMENTS).unwrap();
    runtime().block_on(store.append(Seq(0), &records(0..20))).unwrap();
    drop(store);
    disk.remount("ro");
    let error = FileStore::open(&disk.path, SEGMENTS).unwrap_err().to_string();
    assert!(
        error.contains("mount it writable or choose another state directory with --state-dir"),
        "{error}"
    );
    assert_eq!(read(&disk.path), records(0..20));
}
