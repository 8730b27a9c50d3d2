//! A record in the journal and durable, by the journal's own way of writing, beside a bare append and sync.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    time::Instant,
};

use hedge_core::{Envelope, Event, Fact, OperatorCommand, Seq, StateStore, Timestamp};
use hedge_store::{Durability, FileOptions, FileStore};
use serde_json::json;

use crate::figure::{ours, percentile, print};

const COMMITS: usize = 4_000;
const GROUP: usize = 16;
const LINE_BYTES: usize = 300;

pub(crate) fn run(dir: &Path) -> Result<(), String> {
    let dir = dir.join(format!("hedge-bench-{}", std::process::id()));
    let measured = measure(&dir);
    fs::remove_dir_all(&dir).ok();
    measured
}

fn measure(dir: &Path) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let options = FileOptions { durability: Durability::Fsync, ..FileOptions::default() };
    let store = FileStore::open(dir.join("journal"), options).map_err(|error| error.to_string())?;
    let mut next = Seq(0);
    for group in [1, GROUP] {
        let mut nanos = Vec::with_capacity(COMMITS);
        for _ in 0..COMMITS {
            let records: Vec<Envelope> = (0..group as u64).map(|i| record(Seq(next.0 + i))).collect();
            let started = Instant::now();
            next = runtime.block_on(store.append(next, &records)).map_err(|error| error.to_string())?;
            nanos.push(started.elapsed().as_nanos() as u64);
        }
        report(ours(), group, nanos, "fdatasync of each group, through the journal's thread");
    }
    drop(store);
    for group in [1, GROUP] {
        let path = dir.join(format!("floor{group}"));
        let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(|e| e.to_string())?;
        let text = vec![b'x'; LINE_BYTES * group];
        let mut nanos = Vec::with_capacity(COMMITS);
        for _ in 0..COMMITS {
            let started = Instant::now();
            file.write_all(&text).and_then(|()| file.sync_data()).map_err(|error| error.to_string())?;
            nanos.push(started.elapsed().as_nanos() as u64);
        }
        report("floor: append and fdatasync", group, nanos, "fdatasync");
    }
    Ok(())
}

/// A record whose line has about 300 bytes.
fn record(seq: Seq) -> Envelope {
    let because = "x".repeat(160);
    Envelope {
        seq,
        at: Timestamp::from_ms(1_700_000_000_000),
        cause: None,
        event: Event::Fact(Fact::Operator { command: OperatorCommand::ExitOnly, because }),
    }
}

fn report(peer: &str, group: usize, mut nanos: Vec<u64>, durable_by: &str) {
    nanos.sort_unstable();
    for (name, part) in [("commit_p50", 0.5), ("commit_p99", 0.99)] {
        let value = percentile(&nanos, part) / 1_000.0;
        let more = [("lines", json!(group)), ("durable_by", json!(durable_by))];
        print("B7", peer, name, value, "us", nanos.len(), &more);
    }
}
