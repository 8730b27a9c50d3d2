//! What crashes, bit rot and people do to a journal, and what becomes of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use common::TempDir;
use hedge_core::{
    Bar, CheckVerdict, Decimal, Decision, Envelope, Event, Fact, GateCheck, InstrumentId, InstrumentIx,
    Interval, MarketEvent, OperatorCommand, PositionKey, Reading, Seq, StateStore, StoreError, StrategyId,
    Timestamp, Verdict,
};
use hedge_store::{Durability, FileJournal, FileOptions, FileStore, Repair, Tear};
use hedge_testkit::records::{record, records};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

const SMALL: FileOptions = FileOptions { durability: Durability::Os, segment_bytes: 1_000 };

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn store(dir: &Path) -> Result<FileStore, StoreError> {
    FileStore::open(dir, SMALL)
}

/// A journal of those records in batches of three, closed again.
fn write(dir: &Path, all: &[Envelope]) {
    let store = store(dir).unwrap();
    for batch in all.chunks(3) {
        runtime().block_on(store.append(batch[0].seq, batch)).unwrap();
    }
}

fn read(dir: &Path) -> Result<Vec<Envelope>, StoreError> {
    FileJournal::open_read_only(dir)?.records(Seq(0)).collect()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .collect();
    paths.sort();
    paths
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    segments(dir).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn decimal() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0_u32..18).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

fn event() -> impl Strategy<Value = Event> {
    let instrument = InstrumentId::binance("测试USDT").unwrap();
    let finite = || prop::option::of(any::<f64>().prop_filter("finite", |x| x.is_finite()));
    prop_oneof![
        any::<String>()
            .prop_map(|because| { Event::Fact(Fact::Operator { command: OperatorCommand::Halt, because }) }),
        (any::<i64>(), any::<i64>(), any::<u16>()).prop_map(|(a, b, ix)| {
            let bar = Bar {
                open_time: Timestamp::from_ns(a),
                interval: Interval::M15,
                open: a,
                high: b,
                low: a,
                close: b,
                price_scale: 2,
                volume: b,
                volume_scale: 3,
            };
            Event::Fact(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(ix), bar } })
        }),
        (finite(), finite(), any::<bool>(), any::<String>()).prop_map(move |(z, atr, flag, veto)| {
            Event::Decision(Decision::Screened {
                strategy: StrategyId::parse("s").unwrap(),
                reading: Reading {
                    instrument,
                    timeframe: Interval::H1,
                    z,
                    rsi: None,
                    atr,
                    cross_up: flag,
                    cross_down: !flag,
                    in_trade: flag,
                    side: None,
                    emitted: flag,
                    veto: vec![veto.into()],
                },
            })
        }),
        (decimal(), decimal(), any::<String>()).prop_map(move |(value, limit, rule)| {
            let check = GateCheck {
                rule: rule.clone().into(),
                value,
                limit,
                distance: value,
                verdict: CheckVerdict::Refuse,
                note: Some("n\n\u{0}".into()),
            };
            Event::Decision(Decision::Assessed {
                position: PositionKey::short(instrument),
                checks: vec![check].into(),
                verdict: Verdict::Refuse { rule: rule.into() },
            })
        }),
    ]
}

fn journal() -> impl Strategy<Value = Vec<Envelope>> {
    let one = (event(), any::<i64>(), prop::option::of(any::<u64>()));
    prop::collection::vec(one, 1..20).prop_map(|records| {
        let numbered = records.into_iter().enumerate();
        numbered
            .map(|(seq, (event, at, cause))| Envelope {
                seq: Seq(seq as u64),
                at: Timestamp::from_ns(at),
                cause: cause.map(Seq),
                event,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_records_read_back_as_they_were_appended(all in journal()) {
        let dir = TempDir::new();
        write(dir.path(), &all);
        prop_assert_eq!(read(dir.path()).unwrap(), all);
    }

    #[test]
    fn any_truncation_of_the_last_segment_is_repaired_to_a_prefix(all in journal(), cut in any::<prop::sample::Index>()) {
        let dir = TempDir::new();
        write(dir.path(), &all);
        let last = segments(dir.path()).pop().unwrap();
        let whole = fs::read(&last).unwrap();
        let keep = cut.index(whole.len() + 1);
        fs::write(&last, &whole[..keep]).unwrap();
        let is_torn = keep > 0 && whole[keep - 1] != b'\n';

        let store = store(dir.path()).unwrap();
        prop_assert_eq!(store.repairs().len(), usize::from(is_torn));
        let next = runtime().block_on(store.next_seq()).unwrap();
        let kept: Vec<Envelope> = store.records(Seq(0)).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&kept[..], &all[..next.0 as usize]);
        // Whole lines inside the cut are all there.
        let lines = whole[..keep].iter().filter(|&&b| b == b'\n').count();
        let first: u64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        prop_assert!(next.0 >= first + lines as u64);
        // It goes on from there, and the next opening has nothing to repair.
        runtime().block_on(store.append(next, &[record(next.0, "after the crash")])).unwrap();
        drop(store);
        let again = FileStore::open(dir.path(), SMALL).unwrap();
        prop_assert_eq!(again.repairs(), &[]);
        prop_assert_eq!(again.records(Seq(0)).count() as u64, next.0 + 1);
    }

    #[test]
    fn any_changed_byte_is_detected_and_nothing_is_touched(
        all in journal(), file in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), mask in 1_u8..
    ) {
        let dir = TempDir::new();
        write(dir.path(), &all);
        let paths = segments(dir.path());
        let path = &paths[file.index(paths.len())];
        let mut text = fs::read(path).unwrap();
        prop_assume!(!text.is_empty());
        let at = byte.index(text.len());
        text[at] ^= mask;
        // A zero in place of the very last line end is what a crash may leave; the record before it is whole.
        let is_crash = Some(path) == paths.last() && at + 1 == text.len() && text[at] == 0;
        fs::write(path, &text).unwrap();
        let before = contents(dir.path());
        match store(dir.path()) {
            Ok(store) => {
                prop_assert!(is_crash, "byte {} of {} was changed unnoticed", at, path.display());
                let kept: Vec<Envelope> = store.records(Seq(0)).collect::<Result<_, _>>().unwrap();
                prop_assert_eq!(kept, all);
            }
            Err(StoreError::Corrupt { place, .. }) => {
                prop_assert!(place.starts_with(&path.display().to_string()), "{}", place);
                prop_assert_eq!(contents(dir.path()), before);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

#[test]
fn a_torn_tail_is_repaired_with_a_line_that_says_so() {
    let dir = TempDir::new();
    write(dir.path(), &records(0..2));
    let path = segments(dir.path()).pop().unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq\":2,").unwrap();
    let store = store(dir.path()).unwrap();
    let expected = Repair { file: path.clone(), line: 3, tear: Tear::Unfinished(9), next: Seq(2) };
    assert_eq!(store.repairs(), [expected]);
    assert_eq!(
        store.repairs()[0].to_string(),
        format!(
            "{} line 3: the last write did not finish; its 9 bytes are cut off, the journal goes on at 2",
            path.display()
        )
    );
}

#[test]
fn zeros_after_the_last_record_are_cut_off() {
    let dir = TempDir::new();
    write(dir.path(), &records(0..2));
    let path = segments(dir.path()).pop().unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0; 700]).unwrap();
    let store = store(dir.path()).unwrap();
    assert_eq!(store.repairs()[0].tear, Tear::Zeros(700));
    drop(store);
    assert_eq!(read(dir.path()).unwrap(), records(0..2));
}

#[test]
fn a_whole_record_without_its_line_end_is_kept() {
    let dir = TempDir::new();
    write(dir.path(), &records(0..2));
    let path = segments(dir.path()).pop().unwrap();
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 1]).unwrap();
    assert_eq!(read(dir.path()).unwrap(), records(0..2), "a reader keeps it too");
    let store = store(dir.path()).unwrap();
    assert_eq!(store.repairs()[0].tear, Tear::NoLineEnd);
    assert_eq!(fs::read(&path).unwrap(), text);
}

#[test]
fn damage_in_an_older_segment_names_file_and_line() {
    let dir = TempDir::new();
    write(dir.path(), &records(0..30));
    let first = segments(dir.path()).remove(0);
    let text = fs::read_to_string(&first).unwrap().replacen("test", "tesT", 2).replacen("tesT", "test", 1);
    fs::write(&first, text).unwrap();
    let error = store(dir.path()).unwrap_err().to_string();
    let wanted = format!("{} line 2 (record 1) is corrupt: its checksum is ", first.display());
    assert!(error.starts_with(&wanted), "{error}");
    assert!(error.ends_with("restore it from a copy, nothing was changed"), "{error}");
    assert_eq!(read(dir.path()).unwrap_err().to_string(), error, "a reader says the same");
}

#[test]
fn a_missing_segment_is_named() {
    let dir = TempDir::new();
    write(dir.path(), &records(0..30));
    let all = segments(dir.path());
    assert!(all.len() > 3, "{all:?}");
    fs::remove_file(&all[1]).unwrap();
    let error = store(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} is corrupt: it begins at ", all[2].display())), "{error}");
}

#[test]
fn a_torn_segment_that_is_not_the_last_is_corrupt() {
    let dir = TempDir::new();
    write(dir.path(), &records(0..30));
    let first = segments(dir.path()).remove(0);
    let text = fs::read(&first).unwrap();
    fs::write(&first, &text[..text.len() - 4]).unwrap();
    assert!(matches!(store(dir.path()), Err(StoreError::Corrupt { .. })));
}

#[test]
fn segments_are_named_by_their_first_record() {
    let dir = TempDir::new();
    write(dir.path(), &records(0..30));
    for path in segments(dir.path()) {
        let first: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("{{\"seq\":{first},")), "{}", path.display());
        assert_eq!(path.file_name().unwrap().len(), "00000000000000000000.jsonl".len());
    }
}

#[test]
fn a_reader_beside_a_writer_sees_whole_records_only() {
    let dir = TempDir::new();
    let store = store(dir.path()).unwrap();
    runtime().block_on(store.append(Seq(0), &records(0..2))).unwrap();
    let path = segments(dir.path()).pop().unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq\":2").unwrap();
    let journal = FileJournal::open_read_only(dir.path()).unwrap();
    assert_eq!(journal.next_seq(), Seq(2));
    assert!(journal.torn().is_some());
    assert_eq!(journal.records(Seq(1)).map(Result::unwrap).collect::<Vec<_>>(), records(1..2));
    assert_eq!(fs::read_to_string(&path).unwrap().matches('\n').count(), 2, "the reader changed nothing");
}

#[test]
fn bytes_of_a_writer_without_the_lock_stop_the_store() {
    let dir = TempDir::new();
    let store = store(dir.path()).unwrap();
    runtime().block_on(store.append(Seq(0), &records(0..2))).unwrap();
    let path = segments(dir.path()).pop().unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"x").unwrap();
    for _ in 0..2 {
        let error = runtime().block_on(store.append(Seq(2), &records(2..3))).unwrap_err().to_string();
        assert!(error.contains("another process has written to it"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_removed_journal_stops_the_store_instead_of_losing_records() {
    let dir = TempDir::new();
    let store = store(dir.path()).unwrap();
    runtime().block_on(store.append(Seq(0), &records(0..2))).unwrap();
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    let error = runtime().block_on(store.append(Seq(2), &records(2..3))).unwrap_err().to_string();
    assert!(error.contains("was removed while this process was writing it"), "{error}");
}

#[test]
fn a_failed_append_leaves_the_journal_as_it_was_and_may_be_repeated() {
    let dir = TempDir::new();
    let store = store(dir.path()).unwrap();
    runtime().block_on(store.append(Seq(0), &records(0..10))).unwrap();
    // The next segment cannot be created while something else has its name.
    let obstacle = dir.path().join("journal/00000000000000000010.jsonl");
    fs::create_dir(&obstacle).unwrap();
    let error = runtime().block_on(store.append(Seq(10), &records(10..12))).unwrap_err().to_string();
    assert!(error.starts_with(&format!("starting {} failed: ", obstacle.display())), "{error}");
    assert_eq!(runtime().block_on(store.next_seq()).unwrap(), Seq(10));
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(runtime().block_on(store.append(Seq(10), &records(10..12))).unwrap(), Seq(12));
    drop(store);
    assert_eq!(read(dir.path()).unwrap(), records(0..12));
}

#[test]
fn appends_that_wait_together_share_a_sync_and_all_succeed_in_order() {
    let dir = TempDir::new();
    let store = std::sync::Arc::new(FileStore::open(dir.path(), FileOptions::default()).unwrap());
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        // Each future is polled once in order, so the jobs queue in order behind the first sync.
        let batches: Vec<_> = (0..50).map(|n| records(n * 4..n * 4 + 4)).collect();
        let mut waiting = Vec::new();
        for batch in &batches {
            let mut append = store.append(batch[0].seq, batch);
            let first =
                std::future::poll_fn(|context| std::task::Poll::Ready(append.as_mut().poll(context))).await;
            waiting.push((append, first));
        }
        for (append, first) in waiting {
            match first {
                std::task::Poll::Ready(done) => done.unwrap(),
                std::task::Poll::Pending => append.await.unwrap(),
            };
        }
    });
    assert_eq!(store.records(Seq(0)).map(Result::unwrap).collect::<Vec<_>>(), records(0..200));
}

#[test]
fn a_view_file_is_the_view_with_its_place_on_the_first_line() {
    let dir = TempDir::new();
    let store = store(dir.path()).unwrap();
    let name = hedge_core::ViewName::new("positions").unwrap();
    let view = hedge_core::View { as_of: Seq(7), json: r#"{"positions":[]}"#.to_owned() };
    runtime().block_on(store.put_view(&name, &view)).unwrap();
    let path = dir.path().join("positions.json");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"as_of\":7,\n\"positions\":[]}\n");
    fs::write(&path, "").unwrap();
    let error = runtime().block_on(store.get_view(&name)).unwrap_err().to_string();
    assert!(error.contains("deleting this file loses nothing"), "{error}");
}
