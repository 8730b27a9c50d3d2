//! Packs of incidents: files from elsewhere, and what may be put into one.

use std::{
    cell::Cell,
    io::Write,
    panic,
    sync::{Once, OnceLock},
};

use flate2::{Compression, GzBuilder};
use hedge_core::{Envelope, Event, Fact, RunStarted, Seq, Symbol};
use hedge_desk::{
    config::Config,
    env::Env,
    incident::{Contents, Redactor, Verdict, Wanted, pack, read_from},
    journal::{Engines, replay},
};
use hedge_store::Owner;

use super::headed;

/// A pack as it is; or, where the first line is `tar`, what it unpacks to; or, where it is `records`, records a line each: they
/// are packed, the pack opens, and its test says what the packing said.
pub(crate) fn incident(bytes: &[u8]) {
    match headed(bytes) {
        Some(("records", lines)) => records(lines),
        Some(("tar", plain)) => opened(&gzipped(plain)),
        _ => opened(bytes),
    }
}

fn opened(bytes: &[u8]) {
    match read_from(bytes, "p", true) {
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= 2_048 + 8 * bytes.len(), "{} bytes about {}", text.len(), bytes.len());
        }
        Ok(opened) => {
            assert_eq!(opened.records.len() as u64, opened.manifest.records);
            tested(&opened.records, &opened.engines);
        }
    }
}

fn records(lines: &[u8]) {
    let engines = engines();
    let hash = config().hash();
    let mut records: Vec<Envelope> = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Ok(mut record) = serde_json::from_slice::<Envelope>(line) else { continue };
        record.seq = Seq(records.len() as u64);
        if let Event::Fact(Fact::RunStarted(run)) = &mut record.event {
            run.config_hash.clone_from(&hash);
        }
        records.push(record);
    }
    let owner = Owner { profile: "paper".to_owned(), venue: "binance-embedded".to_owned(), run: None };
    let log = std::str::from_utf8(lines).ok();
    let contents = Contents { records: &records, journal_head: None, owner: &owner, engines, log };
    let redactor = Redactor::new().and_host("trading-host-7");
    let packed = quietly(|| pack(&contents, Wanted { from: None, redactor: &redactor }, &mut |_| ()));
    let Ok(packed) = packed else { return };
    let mut bytes = Vec::new();
    packed.write(&mut bytes).unwrap();
    let opened = read_from(&bytes[..], "p", true).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(opened.manifest, packed.manifest);
    let same = tested(&opened.records, &opened.engines);
    assert_eq!(same, matches!(packed.manifest.verdict, Verdict::Same), "{:?}", packed.manifest.verdict);
    assert!(packed.manifest.redacted > 0 || opened.records == records);
    // What was taken out once has nothing more in it.
    for record in &opened.records {
        let again = redactor.record(record).unwrap();
        assert!(again.is_none_or(|again| again == *record), "{record:?}");
    }
}

/// Whether every decision was made again.
fn tested(records: &[Envelope], engines: &Engines) -> bool {
    let fresh = |run: &RunStarted, symbols: &[Symbol]| engines.fresh(run, symbols);
    let compared = quietly(|| replay(records, &fresh, None, &mut |_| ()));
    compared.is_ok_and(|compared| compared.difference.is_none())
}

fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| Config::load(None, &Env::default()).unwrap())
}

fn engines() -> &'static Engines {
    // It remembers what it has looked up, and is not shared between threads.
    thread_local!(static ENGINES: &'static Engines = Box::leak(Box::new(Engines::default().or(config().clone()))));
    ENGINES.with(|engines| *engines)
}

thread_local!(static IS_QUIET: Cell<bool> = const { Cell::new(false) });

/// An engine stops at facts that cannot be, and a replay catches that. It is not for the hook of whoever calls this body: a
/// fuzzer's ends the process.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            if !IS_QUIET.get() {
                before(what);
            }
        }));
    });
    IS_QUIET.set(true);
    let result = work();
    IS_QUIET.set(false);
    result
}

fn gzipped(plain: &[u8]) -> Vec<u8> {
    let mut out = GzBuilder::new().write(Vec::new(), Compression::fast());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}
