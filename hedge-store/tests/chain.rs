//! The chain of a journal: whatever is changed, taken out, put in or moved, the first record that does not fit is named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use common::TempDir;
use hedge_core::{Envelope, Seq, StateStore, StoreError, Timestamp};
use hedge_store::{Chain, Durability, FileJournal, FileOptions, FileStore, Tear, encode_line};
use hedge_testkit::records::{every_kind, record, records};
use sha2::{Digest, Sha256};
use tokio::runtime::Builder;

const SMALL: FileOptions = FileOptions { durability: Durability::Os, segment_bytes: 2_000 };

fn append(store: &FileStore, all: &[Envelope]) {
    let runtime = Builder::new_current_thread().build().unwrap();
    for batch in all.chunks(3) {
        runtime.block_on(store.append(batch[0].seq, batch)).unwrap();
    }
}

/// Records of several kinds.
fn some() -> Vec<Envelope> {
    let kinds = every_kind().into_iter().step_by(4).enumerate();
    kinds.map(|(place, kind)| Envelope { event: kind.event, ..record(place as u64, "") }).collect()
}

/// A journal of them in several segments, of which the older ones are packed.
fn written(dir: &TempDir) {
    let store = FileStore::open(dir.path(), SMALL).unwrap();
    let all = some();
    let (old, new) = all.split_at(all.len() * 2 / 3);
    append(&store, old);
    store.pack_older(Timestamp::MAX).unwrap();
    append(&store, new);
}

fn files(dir: &TempDir) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir.path().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".jsonl"))
        .collect();
    found.sort();
    found
}

fn first_of(path: &Path) -> u64 {
    path.file_name().unwrap().to_str().unwrap()[..20].parse().unwrap()
}

fn read(dir: &TempDir) -> Result<Vec<Envelope>, StoreError> {
    FileJournal::open_read_only(dir.path())?.records(Seq(0)).collect()
}

/// Replaces one byte where it is: a file that is written anew is one that the disk is waited for.
fn put(path: &Path, at: usize, byte: u8) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

/// Where the damage is said to be: the file, and the record's number.
fn damage(dir: &TempDir) -> Option<(String, Option<u64>)> {
    match read(dir) {
        Ok(_) => None,
        Err(StoreError::Corrupt { place, .. }) => {
            let record =
                place.split("(record ").nth(1).map(|rest| rest.trim_end_matches(')').parse().unwrap());
            Some((place, record))
        }
        Err(error) => panic!("{error}"),
    }
}

/// As versions before the chain wrote it.
fn old_line(record: &Envelope) -> String {
    let mut object = serde_json::to_string(record).unwrap();
    let sum: String = Sha256::digest(&object).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    object.pop();
    format!("{object},\"sum\":\"{sum}\"}}\n")
}

fn old_journal(dir: &TempDir, count: u64) -> PathBuf {
    let folder = dir.path().join("journal");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("00000000000000000000.jsonl");
    fs::write(&path, records(0..count).iter().map(old_line).collect::<String>()).unwrap();
    path
}

#[test]
fn one_flipped_byte_anywhere_is_found_in_plain_and_packed_segments_and_its_record_named() {
    let dir = TempDir::new();
    written(&dir);
    let all = files(&dir);
    let packed = all.iter().filter(|path| path.extension().is_some_and(|kind| kind == "gz")).count();
    assert!(packed >= 2 && all.len() - packed >= 2, "{all:?}");
    let mut tried = 0_u32;
    for (index, path) in all.iter().enumerate() {
        let whole = fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_packed = name.ends_with(".gz");
        let after = all.get(index + 1).map_or(some().len() as u64, |next| first_of(next));
        let mut line = 0;
        for at in 0..whole.len() {
            // Every bit where a packed file has some that mean nothing to whoever unpacks it; else one of each byte.
            let one = [1_u8 << (at % 8)];
            let is_edge = at < 40 || at + 16 > whole.len();
            let masks: &[u8] = if is_packed && is_edge { &[1, 2, 4, 8, 16, 32, 64, 128] } else { &one };
            for mask in masks {
                tried += 1;
                put(path, at, whole[at] ^ mask);
                let Some((place, record)) = damage(&dir) else {
                    panic!("{name}: nobody noticed that byte {at} was changed by {mask:#x}")
                };
                assert!(place.contains(name), "byte {at}: {place}");
                let record = record.unwrap_or_else(|| panic!("byte {at}: {place}"));
                if is_packed {
                    // Also what was not there before may come after the last line.
                    assert!((first_of(path)..=after).contains(&record), "byte {at}: {place}");
                } else {
                    assert_eq!(record, first_of(path) + line, "byte {at}: {place}");
                }
            }
            put(path, at, whole[at]);
            line += u64::from(whole[at] == b'\n');
        }
    }
    assert!(tried > 5_000, "{tried} changes");
    assert_eq!(read(&dir).unwrap(), some());
}

#[test]
fn a_flipped_byte_of_a_torn_tail_is_damage_or_still_a_torn_tail_and_takes_no_whole_record_with_it() {
    let dir = TempDir::new();
    append(&FileStore::open(dir.path(), FileOptions::default()).unwrap(), &records(0..4));
    let path = files(&dir).remove(0);
    let mut whole = fs::read(&path).unwrap();
    let begin = whole.len();
    let tail = &old_line(&record(4, "torn"))[..60];
    whole.extend_from_slice(tail.as_bytes());
    for at in begin - 1..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            match FileJournal::open_read_only(dir.path()) {
                Ok(journal) => {
                    assert!(at >= begin, "the line end of record 3 was changed, and it counts as torn");
                    assert_eq!(journal.next_seq(), Seq(4));
                    let torn = journal.torn().unwrap();
                    assert_eq!((torn.line, torn.tear), (5, Tear::Unfinished(tail.len() as u64)));
                }
                Err(error) => {
                    let line = if at < begin { "line 4 (record 3)" } else { "line 5 (record 4)" };
                    assert!(error.to_string().contains(line), "byte {at}: {error}");
                }
            }
        }
    }
}

#[test]
fn whatever_is_done_to_whole_segments_is_named() {
    let dir = TempDir::new();
    written(&dir);
    let all = files(&dir);
    let name = |index: usize| all[index].file_name().unwrap().to_str().unwrap().to_owned();
    for index in 0..all.len() - 1 {
        // One is missing.
        let bytes = fs::read(&all[index]).unwrap();
        fs::remove_file(&all[index]).unwrap();
        let (place, _) = damage(&dir).unwrap();
        assert!(place.contains(&name(index + 1)), "without {}: {place}", name(index));
        let says = read(&dir).unwrap_err().to_string();
        assert!(says.contains("a segment is missing"), "{says}");
        fs::write(&all[index], &bytes).unwrap();
        // Two are exchanged; of different forms they do not even read as what they are.
        let other = fs::read(&all[index + 1]).unwrap();
        fs::write(&all[index], &other).unwrap();
        fs::write(&all[index + 1], &bytes).unwrap();
        let (place, record) = damage(&dir).unwrap();
        assert!(place.contains(&name(index)), "{} exchanged: {place}", name(index));
        assert_eq!(record, Some(first_of(&all[index])), "{place}");
        fs::write(&all[index], &bytes).unwrap();
        fs::write(&all[index + 1], &other).unwrap();
    }
    assert_eq!(read(&dir).unwrap(), some());
}

#[test]
fn a_record_written_anew_with_a_link_that_fits_is_found_at_the_next_one_also_over_segments() {
    let dir = TempDir::new();
    append(
        &FileStore::open(dir.path(), FileOptions { segment_bytes: 600, ..SMALL }).unwrap(),
        &records(0..30),
    );
    let journal = FileJournal::open_read_only(dir.path()).unwrap();
    let all = files(&dir);
    assert!(all.len() > 3, "{all:?}");
    for (index, path) in all[..all.len() - 1].iter().enumerate() {
        let whole = fs::read_to_string(path).unwrap();
        let last = first_of(&all[index + 1]) - 1;
        // The last record of a segment, whoever wrote it knew what comes before.
        let mut chain = journal.chain_after(Seq(last - 1)).unwrap().unwrap();
        let mut line = Vec::new();
        encode_line(&mut chain, &record(last, "another one"), &mut line).unwrap();
        let mut lines: Vec<&str> = whole.lines().collect();
        let line = String::from_utf8(line).unwrap();
        *lines.last_mut().unwrap() = line.trim_end();
        fs::write(path, lines.join("\n") + "\n").unwrap();
        let (place, record) = damage(&dir).unwrap();
        assert_eq!(record, Some(last + 1), "{place}");
        fs::write(path, whole).unwrap();
    }
}

#[test]
fn a_line_that_is_taken_out_doubled_or_moved_is_named() {
    let dir = TempDir::new();
    append(&FileStore::open(dir.path(), FileOptions::default()).unwrap(), &records(0..9));
    let path = files(&dir).remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let found = |lines: Vec<&str>| {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        damage(&dir).and_then(|(_, record)| record)
    };
    for at in 0..8 {
        let mut changed = lines.clone();
        changed.remove(at);
        assert_eq!(found(changed), Some(at as u64), "without {at}");
        let mut changed = lines.clone();
        changed.insert(at, lines[at]);
        assert_eq!(found(changed), Some(at as u64 + 1), "{at} twice");
        let mut changed = lines.clone();
        changed.swap(at, at + 1);
        assert_eq!(found(changed), Some(at as u64), "{at} after the next");
    }
    // What no journal can tell of itself: that it was longer. Its head can, once it was noted.
    let head = FileJournal::open_read_only(dir.path()).map(|journal| journal.head());
    assert!(head.is_err(), "the last change is still there");
    fs::write(&path, &whole).unwrap();
    let head = FileJournal::open_read_only(dir.path()).unwrap().head();
    assert_eq!(found(lines[..8].to_vec()), None);
    let shorter = FileJournal::open_read_only(dir.path()).unwrap();
    assert_ne!(shorter.head(), head);
    assert_eq!(shorter.chain_after(Seq(8)).unwrap(), None);
}

#[test]
fn a_journal_of_before_the_chain_opens_goes_on_chained_and_is_covered_from_its_beginning() {
    let dir = TempDir::new();
    let path = old_journal(&dir, 5);
    let journal = FileJournal::open_read_only(dir.path()).unwrap();
    assert_eq!((journal.head().since(), journal.next_seq()), (None, Seq(5)));
    let store = FileStore::open(dir.path(), FileOptions::default()).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    // What was appended before the change of version, and is repeated after it, is the same.
    assert_eq!(runtime.block_on(store.append(Seq(3), &records(3..5))).unwrap(), Seq(5));
    append(&store, &records(5..8));
    assert_eq!(runtime.block_on(store.append(Seq(5), &records(5..8))).unwrap(), Seq(8));
    drop(store);
    assert_eq!(read(&dir).unwrap(), records(0..8));
    let journal = FileJournal::open_read_only(dir.path()).unwrap();
    assert_eq!(journal.head().since(), Some(Seq(5)));
    assert_eq!(journal.chain_after(Seq(7)).unwrap(), Some(journal.head()));

    // The old lines' own checksums do not know each other; the first link knows them all.
    let whole = fs::read_to_string(&path).unwrap();
    let forged = whole.replacen(&old_line(&record(1, "test")), &old_line(&record(1, "forged")), 1);
    assert_ne!(forged, whole);
    fs::write(&path, forged).unwrap();
    assert_eq!(damage(&dir).unwrap().1, Some(5));

    // Nobody goes back to the old form.
    fs::write(&path, whole.clone() + &old_line(&record(8, "test"))).unwrap();
    assert_eq!(damage(&dir).unwrap().1, Some(8));
    let says = read(&dir).unwrap_err().to_string();
    assert!(says.contains("the journal is from record 5 on"), "{says}");
}

#[test]
fn a_segment_that_a_version_before_the_chain_has_packed_opens_and_is_covered() {
    let dir = TempDir::new();
    let path = old_journal(&dir, 5);
    let lines = fs::read(&path).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&lines).unwrap();
    fs::write(path.with_extension("jsonl.gz"), packed.finish().unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    append(&FileStore::open(dir.path(), FileOptions::default()).unwrap(), &records(5..8));
    assert_eq!(read(&dir).unwrap(), records(0..8));
    let head = FileJournal::open_read_only(dir.path()).unwrap().head();
    assert_eq!(head.since(), Some(Seq(5)));

    // Packed otherwise, by a person for example: what to do instead is said.
    let mut other = flate2::GzBuilder::new().filename("x").write(Vec::new(), flate2::Compression::best());
    other.write_all(&lines).unwrap();
    fs::write(path.with_extension("jsonl.gz"), other.finish().unwrap()).unwrap();
    let says = read(&dir).unwrap_err().to_string();
    assert!(says.contains("line 1 (record 0)") && says.contains("gunzip"), "{says}");
    fs::write(&path, &lines).unwrap();
    fs::remove_file(path.with_extension("jsonl.gz")).unwrap();
    assert_eq!(FileJournal::open_read_only(dir.path()).unwrap().head(), head, "the same journal, unpacked");
}

#[test]
fn the_head_is_the_same_however_records_were_appended_cut_into_segments_and_packed() {
    let all = some();
    let mut chain = Chain::START;
    let mut text = Vec::new();
    all.iter().for_each(|record| encode_line(&mut chain, record, &mut text).unwrap());
    let dir = TempDir::new();
    written(&dir);
    let journal = FileJournal::open_read_only(dir.path()).unwrap();
    assert_eq!(journal.head(), chain);
    assert_eq!(journal.head().since(), Some(Seq(0)));
    let store = FileStore::open(dir.path(), SMALL).unwrap();
    store.pack_older(Timestamp::MAX).unwrap();
    assert_eq!(FileJournal::open_read_only(dir.path()).unwrap().head(), chain);
}
