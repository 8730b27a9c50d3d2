//! Old segments, packed: every record stays, whatever is read from where, and damage is found.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::{
    fs,
    io::Read,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use common::TempDir;
use hedge_core::{Envelope, Seq, StateStore, StoreError, Timestamp};
use hedge_store::{Durability, FileJournal, FileOptions, FileStore, LONGEST_LINE};
use hedge_testkit::records::{record, records};

const OPTIONS: FileOptions = FileOptions { durability: Durability::Os, segment_bytes: 600_000 };

/// A store with so many records in segments of about 4,600 each: a packed one has two parts.
async fn filled(dir: &TempDir, count: u64) -> FileStore {
    let store = FileStore::open(dir.path(), OPTIONS).unwrap();
    for start in (0..count).step_by(100) {
        store.append(Seq(start), &records(start..start + 100)).await.unwrap();
    }
    store
}

fn files(dir: &TempDir, suffix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    found.sort();
    found
}

fn all(journal: &FileJournal) -> Result<Vec<Envelope>, StoreError> {
    journal.records(Seq(0)).collect()
}

#[tokio::test]
async fn every_record_stays_readable_from_every_place_and_after_a_restart() {
    let dir = TempDir::new();
    let store = filled(&dir, 12_000).await;
    let plain: Vec<u8> = files(&dir, ".jsonl").iter().flat_map(|path| fs::read(path).unwrap()).collect();
    let segments = files(&dir, ".jsonl").len();
    assert!(segments > 2, "{segments} segments");
    let packed = store.pack_older(Timestamp::MAX).unwrap();
    assert_eq!(packed.segments, segments - 1);
    assert!(packed.bytes_after * 4 < packed.bytes_before, "{packed:?}");
    assert_eq!((files(&dir, ".jsonl").len(), files(&dir, ".jsonl.gz").len()), (1, segments - 1));
    assert_eq!(store.pack_older(Timestamp::MAX).unwrap().segments, 0, "there is nothing more to pack");

    for from in [0, 1, 4_095, 4_096, 4_097, 5_000, 9_999, 11_999] {
        let page = store.read(Seq(from), NonZeroU32::new(500).unwrap()).await.unwrap();
        assert_eq!(page.records, records(from..(from + 500).min(12_000)), "from {from}");
    }
    store.append(Seq(12_000), &records(12_000..12_100)).await.unwrap();
    drop(store);
    assert_eq!(all(&FileJournal::open_read_only(dir.path()).unwrap()).unwrap(), records(0..12_100));
    let store = FileStore::open(dir.path(), OPTIONS).unwrap();
    assert_eq!(store.next_seq().await.unwrap(), Seq(12_100));
    store.append(Seq(12_100), &records(12_100..12_101)).await.unwrap();
    // Unpacked by any other tool they are the lines that were written.
    let mut text = Vec::new();
    for path in files(&dir, ".jsonl.gz") {
        flate2::read::MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut text).unwrap();
    }
    assert_eq!(text, plain[..text.len()]);
}

#[tokio::test]
async fn only_segments_whose_newest_record_is_older_are_packed() {
    let dir = TempDir::new();
    let store = filled(&dir, 12_000).await;
    let firsts: Vec<u64> = files(&dir, ".jsonl")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    let newest_of_first = record(firsts[1] - 1, "").at;
    assert_eq!(store.pack_older(newest_of_first).unwrap().segments, 0);
    let later = Timestamp::from_ms(newest_of_first.ms() + 1);
    assert_eq!(store.pack_older(later).unwrap().segments, 1);
    assert_eq!(files(&dir, ".jsonl.gz").len(), 1);
}

#[tokio::test]
async fn a_process_that_died_while_packing_leaves_the_plain_segment() {
    let dir = TempDir::new();
    let store = filled(&dir, 6_000).await;
    let plain = files(&dir, ".jsonl")[0].clone();
    let text = fs::read(&plain).unwrap();
    store.pack_older(Timestamp::MAX).unwrap();
    drop(store);
    // Before the plain one was removed, and before the packed one had its name.
    fs::write(&plain, &text).unwrap();
    let packed = files(&dir, ".jsonl.gz")[0].clone();
    fs::write(&packed, "half of it").unwrap();
    fs::write(dir.path().join("journal/.00000000000000000000.jsonl.gz.tmp"), "less").unwrap();
    let store = FileStore::open(dir.path(), OPTIONS).unwrap();
    assert_eq!(store.pack_older(Timestamp::MAX).unwrap().segments, 1);
    drop(store);
    assert!(!plain.exists());
    assert_eq!(all(&FileJournal::open_read_only(dir.path()).unwrap()).unwrap(), records(0..6_000));
}

#[tokio::test]
async fn damage_in_a_packed_segment_is_named_and_nothing_is_changed() {
    let dir = TempDir::new();
    let store = filled(&dir, 6_000).await;
    store.pack_older(Timestamp::MAX).unwrap();
    drop(store);
    let packed = files(&dir, ".jsonl.gz")[0].clone();
    let whole = fs::read(&packed).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&packed, bytes).unwrap();
        match FileStore::open(dir.path(), OPTIONS) {
            Err(StoreError::Corrupt { place, .. }) => {
                assert!(place.contains("00000000000000000000.jsonl.gz"), "{place}");
            }
            other => panic!("expected damage, got {other:?}"),
        }
        assert_eq!(fs::read(&packed).unwrap(), bytes);
    };
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    refused(&flipped);
    refused(&whole[..whole.len() - 5]);
    refused(b"no gzip at all");
    // Another record with a valid checksum of its own, in the right place of nothing.
    let mut other = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut other, flate2::Compression::fast());
    std::io::Write::write_all(
        &mut encoder,
        b"{\"seq\":0,\"at\":0,\"event\":{\"fact\":{\"fact\":\"tick\"}},\"sum\":\"0000000000000000\"}\n",
    )
    .unwrap();
    encoder.finish().unwrap();
    refused(&other);
    fs::write(&packed, &whole).unwrap();
    assert!(FileStore::open(dir.path(), OPTIONS).is_ok());
}

/// Some kilobytes that unpack to more than any memory should hold.
#[tokio::test]
async fn a_packed_segment_that_unpacks_to_a_line_without_end_is_damage_and_is_not_collected() {
    let dir = TempDir::new();
    drop(FileStore::open(dir.path(), OPTIONS).unwrap());
    fs::remove_file(dir.path().join("journal/00000000000000000000.jsonl")).unwrap();
    let packed = dir.path().join("journal/00000000000000000000.jsonl.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let size = LONGEST_LINE as u64 + 1_000_000;
    std::io::copy(&mut std::io::repeat(b' ').take(size), &mut encoder).unwrap();
    fs::write(&packed, encoder.finish().unwrap()).unwrap();
    match FileStore::open(dir.path(), OPTIONS) {
        Err(StoreError::Corrupt { place, detail }) => {
            assert!(place.ends_with("00000000000000000000.jsonl.gz line 1 (record 0)"), "{place}");
            assert!(detail.contains("a line has more than"), "{detail}");
        }
        other => panic!("expected damage, got {other:?}"),
    }
}

#[tokio::test]
async fn a_journal_whose_last_segment_is_packed_goes_on_in_a_new_one() {
    let dir = TempDir::new();
    let store = filled(&dir, 6_000).await;
    store.pack_older(Timestamp::MAX).unwrap();
    drop(store);
    let last: &Path = &files(&dir, ".jsonl")[0];
    let next: u64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    fs::remove_file(last).unwrap();
    let store = FileStore::open(dir.path(), OPTIONS).unwrap();
    assert_eq!(store.next_seq().await.unwrap(), Seq(next));
    store.append(Seq(next), &records(next..next + 2)).await.unwrap();
    assert_eq!(all(&FileJournal::open_read_only(dir.path()).unwrap()).unwrap(), records(0..next + 2));
}
