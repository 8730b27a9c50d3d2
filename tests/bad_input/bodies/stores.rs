//! What a state directory holds beside its newest segment, and the document by which one process leads.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, Crc, write::DeflateEncoder};
use hedge_core::{Envelope, Seq, StateStore, Timestamp, ViewName};
use hedge_store::{
    Durability, FileJournal, FileOptions, FileStore, Owner, StateDir, ahead_of_journal, firestore,
};
use sha2::{Digest, Sha256};

use super::{
    files::{chain, private_dir, write_private},
    headed, scratch,
};

const OPTIONS: FileOptions = FileOptions { durability: Durability::Os, segment_bytes: 64 * 1024 * 1024 };

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn read_all(dir: &Path) -> Option<Vec<Envelope>> {
    let journal = FileJournal::open_read_only(dir).ok()?;
    journal.records(Seq(0)).collect::<Result<_, _>>().ok()
}

/// A packed segment: as it is; or, where the first line is `part`, what a part of it unpacks to, with sums that fit; or, where
/// it is `chain`, lines of which a journal is made, which the store then packs itself.
pub(crate) fn packed(bytes: &[u8]) {
    scratch::with(|dir| {
        let folder = dir.join("journal");
        private_dir(&folder);
        let name = "00000000000000000000.jsonl.gz";
        match headed(bytes) {
            Some(("chain", lines)) => return packs_the_same(dir, &folder, &chain(lines)),
            Some(("part", text)) => write_private(&folder.join(name), &part(text)),
            _ => write_private(&folder.join(name), bytes),
        }
        let only_read = read_all(dir);
        let Ok(store) = FileStore::open(dir, OPTIONS) else { return };
        let end = runtime().block_on(store.next_seq()).unwrap();
        let records: Result<Vec<Envelope>, _> = store.records(Seq(0)).collect();
        if let Ok(records) = records {
            assert_eq!(Seq(records.len() as u64), end, "a record that counts cannot be read");
            if let Some(only_read) = only_read {
                assert_eq!(only_read, records, "a tool reads something else than the executor");
            }
        }
    });
}

/// A journal reads the same after its first segment was packed, and nothing is packed that did not read.
fn packs_the_same(dir: &Path, folder: &Path, lines: &[u8]) {
    let plain = folder.join("00000000000000000000.jsonl");
    write_private(&plain, lines);
    let Ok(store) = FileStore::open(dir, OPTIONS) else { return };
    let next = runtime().block_on(store.next_seq()).unwrap();
    drop(store);
    // What was repaired is part of it; the segment that is written is never packed.
    write_private(&folder.join(format!("{:020}.jsonl", next.0)), b"");
    let before = read_all(dir);
    if next == Seq(0) {
        return;
    }
    let store = FileStore::open(dir, OPTIONS).unwrap();
    let packed = store.pack_older(Timestamp::MAX);
    drop(store);
    if packed.is_ok_and(|packed| packed.segments == 1) {
        assert!(!plain.exists());
    }
    assert_eq!(read_all(dir), before, "packing has changed what is read");
}

/// A part as packing writes it, whatever is in it.
fn part(text: &[u8]) -> Vec<u8> {
    let (mut deflate, mut crc) = (DeflateEncoder::new(Vec::new(), Compression::fast()), Crc::new());
    deflate.write_all(text).unwrap();
    crc.update(text);
    let mut body = deflate.finish().unwrap();
    body.extend_from_slice(&crc.sum().to_le_bytes());
    body.extend_from_slice(&crc.amount().to_le_bytes());
    let mut out = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 20, 0, b'h', b'j', 16, 0];
    out.extend_from_slice(&Sha256::digest(&body)[..16]);
    out.extend_from_slice(&body);
    out
}

/// A view. Whatever is read is written and read back as the same, and nobody is troubled by one that cannot be read.
pub(crate) fn view(bytes: &[u8]) {
    scratch::with(|dir| {
        write_private(&dir.join("positions.json"), bytes);
        let ahead = ahead_of_journal(dir, Seq(0));
        assert!(ahead.iter().all(|what| what.len() < 200), "{ahead:?}");
        let name = ViewName::new("positions").unwrap();
        let runtime = runtime();
        let store = FileStore::open(dir, OPTIONS).unwrap();
        let Ok(Some(view)) = runtime.block_on(store.get_view(&name)) else { return };
        // Somebody else may have written one that this store would not.
        if runtime.block_on(store.put_view(&name, &view)).is_ok() {
            let again = runtime.block_on(store.get_view(&name)).unwrap().expect("it was written");
            assert_eq!(again.as_of, view.as_of);
            let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            assert_eq!(json(&again.json), json(&view.json));
            assert_eq!(ahead_of_journal(dir, Seq(0)).len(), 1);
        }
    });
}

/// Whose a directory is. What nobody can read is nobody's to take, and is left as it is.
pub(crate) fn owner(bytes: &[u8]) {
    scratch::with(|dir| {
        let file = dir.join("owner.json");
        write_private(&file, bytes);
        let wanted = Owner { profile: "paper".to_owned(), venue: "binance-embedded".to_owned(), run: None };
        let found = StateDir::resolve_for_tools(dir, Some(dir));
        match StateDir::claim(dir, &wanted) {
            Ok(taken) => {
                assert_eq!((&taken.owner().profile, &taken.owner().venue), (&wanted.profile, &wanted.venue));
                assert_eq!(found.unwrap().dir, taken);
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.len() <= 1_024 + 8 * bytes.len(), "{} bytes about {}", text.len(), bytes.len());
            }
        }
        assert_eq!(fs::read(&file).unwrap(), bytes, "nobody's file was written over");
    });
}

/// The document of a lease, as one row of a batch read. What is left of it is no longer than it lasts.
pub(crate) fn lease(bytes: &[u8]) {
    match firestore::read_lease(bytes) {
        Err(why) => {
            assert!(why.len() <= 1_024 + 8 * bytes.len(), "{} bytes about {}", why.len(), bytes.len())
        }
        Ok(None) => {}
        Ok(Some((term, holder, left))) => {
            // Where nobody looks may stand what is no text.
            let Ok(row) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
            let fields = &row["found"]["fields"];
            let number = |name: &str| {
                let value = &fields[name]["integerValue"];
                value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok())
            };
            assert_eq!(number("term"), Some(u64::from(term.0)));
            assert_eq!(fields["holder"]["stringValue"].as_str(), Some(holder.as_str()));
            assert!(left.as_millis() <= u128::from(number("ttl_ms").unwrap()), "longer than it lasts");
        }
    }
}
