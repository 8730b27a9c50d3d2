//! Files that somebody else may have written, or damaged.

use std::{
    fs,
    num::NonZeroU32,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use hedge_core::{Envelope, Interval, Seq, StateStore, Symbol};
use hedge_desk::{
    config::{self, Config, FileKind},
    consent,
    env::Env,
};
use hedge_sim::market::{parse_klines, read_ticks};
use hedge_store::{ControlDir, Durability, FileJournal, FileOptions, FileStore, firestore};
use sha2::{Digest, Sha256};

use super::{headed, honest, scratch};

pub(crate) fn write_private(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap().write_all(bytes).unwrap();
}

pub(crate) fn private_dir(path: &Path) {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).unwrap();
}

/// A journal of one segment: opened, repaired where that is allowed, and read to its end. Where the first line is `chain`, each of
/// the others is given the link that fits it, so that what it says is looked at.
pub(crate) fn journal(bytes: &[u8]) {
    let chained;
    let bytes = match headed(bytes) {
        Some(("chain", lines)) => {
            chained = chain(lines);
            &chained
        }
        _ => bytes,
    };
    scratch::with(|dir| {
        let folder = dir.join("journal");
        private_dir(&folder);
        write_private(&folder.join("00000000000000000000.jsonl"), bytes);
        let only_read =
            FileJournal::open_read_only(dir).map(|journal| journal.records(Seq(0)).collect::<Vec<_>>());
        let options = FileOptions { durability: Durability::Os, ..FileOptions::default() };
        let Ok(store) = FileStore::open(dir, options) else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let end = runtime.block_on(store.next_seq()).unwrap();
        let mut next = Some(Seq(0));
        let mut read: Vec<Envelope> = Vec::new();
        while let Some(from) = next {
            let Ok(page) = runtime.block_on(store.read(from, NonZeroU32::new(100).unwrap())) else { return };
            read.extend(page.records);
            next = page.next;
        }
        assert_eq!(Seq(read.len() as u64), end, "a record that counts cannot be read");
        if let Ok(only_read) =
            only_read.and_then(|records| records.into_iter().collect::<Result<Vec<_>, _>>())
        {
            assert_eq!(only_read, read, "a tool reads something else than the executor");
        }
    });
}

/// The lines of a journal, chained as its format says: the first 128 bits of SHA-256 over the link before and the object.
pub(crate) fn chain(lines: &[u8]) -> Vec<u8> {
    let mut link = "0".repeat(32);
    let mut out = Vec::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let (line, end) = line.strip_suffix(b"\n").map_or((line, ""), |line| (line, "\n"));
        let body = line.strip_suffix(b"}").unwrap_or(line);
        let hash = Sha256::new().chain_update(&link).chain_update(body).chain_update(b"}").finalize();
        link = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        out.extend_from_slice(body);
        out.extend_from_slice(format!(",\"chain\":\"{link}\"}}{end}").as_bytes());
    }
    out
}

/// The name of a configuration file in the first line and its content behind it, in the place of the built-in one.
pub(crate) fn config(bytes: &[u8]) {
    let Some((name, content)) = headed(bytes) else { return };
    let Some(kind) = FileKind::ALL.into_iter().find(|kind| kind.name() == name) else { return };
    configuration(kind, content);
}

/// A single file stands in for the one of its kind, beside the built-in others: a folder would have to have them all.
pub(crate) fn configuration(kind: FileKind, bytes: &[u8]) {
    scratch::with(|dir| {
        let file = dir.join(kind.name());
        fs::write(&file, bytes).unwrap();
        match Config::load(Some(&file), &Env::default()) {
            Err(error) => {
                let text = error.to_string();
                assert!(text.len() <= 4_096 + 64 * bytes.len(), "{} bytes about {}", text.len(), bytes.len());
            }
            Ok(config) => {
                assert!(!config::show(&config, &Env::default()).is_empty());
                assert_eq!(config.hash(), Config::load(Some(&file), &Env::default()).unwrap().hash());
            }
        }
    });
}

/// The operator's file of variables.
pub(crate) fn variables(bytes: &[u8]) {
    scratch::with(|dir| {
        let file = dir.join("variables");
        write_private(&file, bytes);
        let _ = Env::from_file(&file).map(|env| env.switches());
        let (env, _) = Env::salvage(Some(&file));
        let _ = env.switches();
    });
}

/// A file of candles. Each price is the one that stands in its line.
pub(crate) fn klines(bytes: &[u8]) {
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let Ok(series) = parse_klines(bytes, "some.csv", symbol, Interval::M15) else { return };
    // Columns that nobody uses, and names of columns, may be anything.
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let rows: Vec<&Vec<&str>> = rows.iter().filter(|row| row[0].parse::<i64>().is_ok()).collect();
    assert_eq!(series.bars.len(), rows.len(), "as many bars as rows");
    for (bar, row) in series.bars.iter().zip(rows) {
        assert_eq!(bar.open_time.ms().to_string(), row[0].trim_start_matches('0'));
        for (read, text) in [(bar.open, row[1]), (bar.high, row[2]), (bar.low, row[3]), (bar.close, row[4])] {
            assert_eq!(Some(bar.decimal(read).normalize()), honest::decimal(text), "{text}");
        }
    }
}

/// `trades` or `bookTicker` in the first line, with `.gz` where it is packed, and the file behind it.
pub(crate) fn ticks(bytes: &[u8]) {
    let Some((kind, content)) = headed(bytes) else { return };
    let (kind, ending) = kind.strip_suffix(".gz").map_or((kind, "csv"), |kind| (kind, "csv.gz"));
    if !["trades", "bookTicker"].contains(&kind) {
        return;
    }
    scratch::with(|dir| {
        fs::write(dir.join(format!("BTCUSDT-{kind}-2024-02-01.{ending}")), content).unwrap();
        let Ok(set) = read_ticks(dir) else { return };
        assert!(ending == "csv.gz" || set.len() <= content.len(), "more ticks than letters");
    });
}

/// A fence and an acknowledgement. Whatever is read is written and read back as the same.
pub(crate) fn fence(bytes: &[u8]) {
    scratch::with(|dir| {
        let control = ControlDir::of(dir);
        private_dir(&dir.join("control"));
        write_private(&dir.join("control/fence"), bytes);
        write_private(&dir.join("control/ack"), bytes);
        if let Ok(Some(record)) = control.fence() {
            control.put_fence(&record).unwrap();
            let again = control.fence().unwrap().expect("it was written");
            assert_eq!((again.term, again.posture, again.at), (record.term, record.posture, record.at));
            assert!(record.because.starts_with(&again.because), "a reason is at most cut");
        }
        if let Ok(Some(ack)) = control.ack()
            && control.put_ack(&ack).is_ok()
        {
            assert_eq!(control.ack().unwrap(), Some(ack));
        }
    });
}

/// An operator's consent. Whatever is read is written and read back as the same.
pub(crate) fn consent(bytes: &[u8]) {
    scratch::with(|dir| {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        write_private(&dir.join(consent::FILE), bytes);
        if let Ok(Some(given)) = consent::load(dir) {
            consent::save(dir, &given).unwrap();
            assert_eq!(consent::load(dir).unwrap(), Some(given));
        }
    });
}

/// A value of a document store. Whatever is read is written and read back as the same.
pub(crate) fn firestore(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<firestore::Value>(bytes) else { return };
    let text = serde_json::to_string(&value).unwrap();
    let again: firestore::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}
