//! One body a surface that takes bytes from outside: whatever the bytes are, it ends with a value or an error. A fuzzer calls
//! these functions as they are; the tests beside them call them with arbitrary and with damaged input.

use std::{fs, num::NonZeroU32, os::unix::fs::PermissionsExt, path::Path};

use hedge_binance::decode::{self, Explainer, Source};
use hedge_core::{Interval, Seq, StateStore, Symbol};
use hedge_desk::{
    config::{Config, FileKind},
    env::Env,
};
use hedge_runtime::control::Request;
use hedge_sim::market::{parse_klines, read_ticks};
use hedge_store::{FileOptions, FileStore};

/// Messages of one source of the exchange, a line each, as one session reads them.
pub(crate) fn messages(source: &str, bytes: &[u8]) {
    let Ok(source) = Source::parse(source) else { return };
    let mut explainer = Explainer::new(source);
    for line in String::from_utf8_lossy(bytes).lines() {
        let outcomes = explainer.each(line);
        assert!(outcomes.len() <= 1 + line.len(), "more events than letters");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = hedge_binance::hot::frame(text);
    }
}

/// Every source that [`messages`] reads.
pub(crate) fn sources() -> Vec<String> {
    let rest = decode::endpoints().map(|(verb, path)| format!("rest:{verb} {path}"));
    ["ws".to_owned(), "wsapi".to_owned()].into_iter().chain(rest).collect()
}

/// A journal of one segment: opened, repaired where that is allowed, and read to its end.
pub(crate) fn journal(dir: &Path, bytes: &[u8]) {
    let folder = dir.join("journal");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("00000000000000000000.jsonl"), bytes).unwrap();
    let Ok(store) = FileStore::open(dir, FileOptions::default()) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(store.next_seq()).unwrap();
    let mut next = Some(Seq(0));
    let mut read = 0;
    while let Some(from) = next {
        let Ok(page) = runtime.block_on(store.read(from, NonZeroU32::new(100).unwrap())) else { return };
        read += page.records.len() as u64;
        next = page.next;
    }
    assert_eq!(Seq(read), end, "a record that counts cannot be read");
}

/// A configuration file in the place of a built-in one.
pub(crate) fn configuration(dir: &Path, kind: FileKind, bytes: &[u8]) {
    let folder = dir.join("config");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(kind.name()), bytes).unwrap();
    if let Err(error) = Config::load(Some(&folder), &Env::default()) {
        let text = error.to_string();
        assert!(text.len() <= 4_096 + 64 * bytes.len(), "{} bytes about {}", text.len(), bytes.len());
    }
}

/// The operator's file of variables.
pub(crate) fn variables(dir: &Path, bytes: &[u8]) {
    let file = dir.join("variables");
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let _ = Env::from_file(&file).map(|env| env.switches());
    let (env, _) = Env::salvage(Some(&file));
    let _ = env.switches();
}

/// A file of candles.
pub(crate) fn klines(bytes: &[u8]) {
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    if let Ok(series) = parse_klines(bytes, "some.csv", symbol, Interval::M15) {
        assert!(series.bars.len() <= bytes.len(), "more bars than letters");
    }
}

/// A file of trades or quotes.
pub(crate) fn ticks(dir: &Path, kind: &str, bytes: &[u8]) {
    let folder = dir.join("ticks");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("BTCUSDT-{kind}-2024-02-01.csv")), bytes).unwrap();
    let _ = read_ticks(&folder);
}

/// A line on the control socket. What is understood is written and read back as the same request.
pub(crate) fn control(bytes: &[u8]) {
    match Request::parse(bytes) {
        Err(why) => {
            assert!(why.len() <= 1_024 + 8 * bytes.len(), "{} bytes about {}", why.len(), bytes.len())
        }
        Ok(request) => {
            let text = request.to_text().unwrap();
            assert_eq!(Request::parse(text.as_bytes()).unwrap(), request);
        }
    }
}
