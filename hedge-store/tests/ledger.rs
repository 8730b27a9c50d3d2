//! The ledger: rows that agree with the book, catching up, migrations, questions, copies, and what a crash leaves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod common;
#[path = "common/trading.rs"]
mod trading;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use async_trait::async_trait;
use common::TempDir;
use hedge_core::{
    AccountEvent, Decision, Envelope, Event, Fact, Seq, StateStore, StoreError, View, ViewName,
};
use hedge_store::{
    MemoryStore,
    sqlite::{
        Ledger, LedgerError, LedgerReader, SCHEMA_VERSION, SqliteOptions, SqliteStore, backup, replace_with,
        restore,
    },
    tee::{Follow, FollowerState, LedgerFollower, Tee},
};
use hedge_testkit::{
    conformance::store::{self, Place},
    records::{record, records},
};
use rusqlite::Connection;

fn ask(file: &Path, sql: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    LedgerReader::open(file)
        .unwrap()
        .query::<LedgerError>(sql, |row| {
            rows.push(row.texts());
            Ok(())
        })
        .unwrap();
    rows
}

fn one(file: &Path, sql: &str) -> String {
    ask(file, sql)[0][0].clone()
}

/// Every row of every table, without what only says when it was written.
fn dump(file: &Path) -> BTreeMap<&'static str, Vec<Vec<String>>> {
    let all = |table: &&'static str| (*table, ask(file, &format!("SELECT * FROM {table} ORDER BY 1, 2, 3")));
    LedgerReader::tables().iter().map(all).collect()
}

fn build(file: &Path, journal: &[Envelope], batch: usize) {
    let mut ledger = Ledger::open(file, SqliteOptions::default()).unwrap();
    for records in journal.chunks(batch) {
        ledger.append(records).unwrap();
    }
}

fn ledger_file(dir: &TempDir) -> PathBuf {
    dir.path().join("ledger.sqlite")
}

struct Database(TempDir);

#[async_trait]
impl Place for Database {
    async fn open(&self) -> Result<Arc<dyn StateStore>, StoreError> {
        Ok(Arc::new(SqliteStore::open(ledger_file(&self.0), SqliteOptions::default())?))
    }
    fn is_exclusive(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sqlite_store_conforms() {
    store::all(|| Database(TempDir::new())).await;
}

#[test]
fn the_rows_agree_with_the_journal_and_the_book() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    let rehearsal = trading::rehearse(200);
    let (journal, book) = (rehearsal.records(), rehearsal.state().book());
    build(&file, journal, 37);

    let count = |matches: fn(&Event) -> bool| {
        journal.iter().filter(|record| matches(&record.event)).count().to_string()
    };
    let fills = count(
        |event| matches!(event, Event::Fact(Fact::Account { event }) if matches!(**event, AccountEvent::Fill { .. })),
    );
    assert!(fills.parse::<u32>().unwrap() > 20, "the journal has {fills} fills only");
    assert_eq!(one(&file, "SELECT count(*) FROM fills"), fills);
    assert_eq!(
        one(&file, "SELECT count(*) FROM orders"),
        count(|event| matches!(event, Event::Decision(Decision::OrderApproved { .. })))
    );
    assert_eq!(
        one(&file, "SELECT count(*) FROM decisions"),
        count(|event| matches!(event, Event::Decision(_)))
    );
    assert_eq!(one(&file, "SELECT count(*) FROM runs"), "2");
    let checks: usize = journal
        .iter()
        .map(|record| match &record.event {
            Event::Decision(Decision::Assessed { checks, .. }) => checks.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(one(&file, "SELECT count(*) FROM gate_checks"), checks.to_string());

    for order in book.orders() {
        let sql = format!(
            "SELECT lower(replace(state, '_', '')), qty, filled FROM orders WHERE client_id = '{}'",
            order.client_id
        );
        let state = format!("{:?}", order.state).to_lowercase();
        assert_eq!(ask(&file, &sql), [[state, order.qty.to_string(), order.filled.to_string()]]);
    }
    let held: Vec<Vec<String>> = book
        .open_legs()
        .map(|leg| vec![leg.key.side.to_string(), leg.qty.to_string(), leg.entry().unwrap().to_string()])
        .collect();
    assert!(!held.is_empty(), "nothing is held at the end");
    assert_eq!(ask(&file, "SELECT side, qty, entry FROM positions"), held);
    // Money adds up exactly: what the fills say is what the book says.
    assert_eq!(one(&file, "SELECT decimal_sum(fee) FROM fills"), book.totals().fees.normalize().to_string());
    let last_nav = ask(&file, "SELECT equity, wallet FROM nav ORDER BY at_ns DESC LIMIT 1");
    assert_eq!(last_nav.len(), 1);
    assert_eq!(one(&file, "SELECT count(*) > 150 FROM nav"), "1");
}

#[test]
fn why_an_order_was_placed_can_be_asked_in_one_query() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    build(&file, &trading::journal(60), 500);
    let rows = ask(
        &file,
        "SELECT o.client_id, c.rule, c.verdict FROM orders o
         JOIN decisions a ON a.kind = 'assessed' AND a.seq = o.cause JOIN gate_checks c ON c.seq = a.seq
         WHERE o.purpose = 'entry' ORDER BY o.seq, c.n",
    );
    assert!(!rows.is_empty(), "no entry leads to its checks");
    assert!(rows.iter().any(|row| row[2] == "pass"));
    assert_eq!(one(&file, "SELECT because FROM decisions WHERE kind = 'screened' LIMIT 1"), "z_low no_cross");
}

#[test]
fn any_batches_any_restarts_and_records_told_twice_give_the_same_rows() {
    let dir = TempDir::new();
    let journal = trading::journal(80);
    let (whole, parts) = (dir.path().join("whole.sqlite"), dir.path().join("parts.sqlite"));
    build(&whole, &journal, usize::MAX);
    for end in (0..=journal.len()).step_by(61).chain([journal.len()]) {
        let mut ledger = Ledger::open(&parts, SqliteOptions::default()).unwrap();
        // Everything from where it wants it, which it has partly seen.
        let from = usize::try_from(ledger.wanted().0).unwrap();
        assert!(from <= end);
        for records in journal[from..end].chunks(13) {
            ledger.append(records).unwrap();
            ledger.append(records).unwrap();
        }
    }
    assert_eq!(dump(&whole), dump(&parts));
    assert_eq!(LedgerReader::open(&parts).unwrap().summary().unwrap().next, Seq(journal.len() as u64));
}

#[test]
fn a_lost_fold_is_made_again_from_the_journal() {
    let dir = TempDir::new();
    let journal = trading::journal(80);
    let (whole, parts) = (dir.path().join("whole.sqlite"), dir.path().join("parts.sqlite"));
    build(&whole, &journal, usize::MAX);
    let half = journal.len() / 2;
    build(&parts, &journal[..half], usize::MAX);
    for damage in ["DELETE FROM fold", "DELETE FROM fold_parts", "UPDATE fold SET format = 'other'"] {
        Connection::open(&parts).unwrap().execute_batch(damage).unwrap();
        let ledger = Ledger::open(&parts, SqliteOptions::default()).unwrap();
        assert_eq!((ledger.wanted(), ledger.next()), (Seq(0), Seq(half as u64)), "{damage}");
    }
    build(&parts, &journal, 100);
    assert_eq!(dump(&whole), dump(&parts));
}

#[test]
fn a_ledger_of_another_journal_and_a_gap_are_refused() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    build(&file, &records(0..10), 10);
    let mut ledger = Ledger::open(&file, SqliteOptions::default()).unwrap();
    let error = ledger.append(&[record(9, "another"), record(10, "x")]).unwrap_err().to_string();
    assert!(error.contains("it is the ledger of another journal"), "{error}");
    let mut ledger_again = {
        drop(ledger);
        Ledger::open(&file, SqliteOptions::default()).unwrap()
    };
    assert!(matches!(ledger_again.append(&records(12..14)), Err(StoreError::Conflict { .. })));
    ledger_again.append(&records(9..14)).unwrap();
    assert_eq!(ledger_again.next(), Seq(14));
}

#[test]
fn a_file_of_every_older_version_is_brought_here_with_its_rows() {
    let dir = TempDir::new();
    let journal = trading::journal(40);
    let fresh = dir.path().join("fresh.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fill = |file: &Path| {
        let store = SqliteStore::open(file, SqliteOptions::default()).unwrap();
        runtime.block_on(store.append(Seq(0), &journal)).unwrap();
    };
    fill(&fresh);
    for version in 1..SCHEMA_VERSION {
        let file = dir.path().join(format!("v{version}.sqlite"));
        fill(&file);
        // What later versions have added is taken away again.
        let conn = Connection::open(&file).unwrap();
        let names = |kind: &str| -> Vec<String> {
            let sql =
                format!("SELECT name FROM sqlite_master WHERE type = '{kind}' AND name NOT LIKE 'sqlite_%'");
            conn.prepare(&sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        names("index").iter().for_each(|name| conn.execute_batch(&format!("DROP INDEX {name}")).unwrap());
        if version < 2 {
            conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
            let kept = ["journal", "views"];
            names("table")
                .iter()
                .filter(|name| !kept.contains(&name.as_str()))
                .for_each(|name| conn.execute_batch(&format!("DROP TABLE {name}")).unwrap());
        }
        if (2..4).contains(&version) {
            let older = "DROP TABLE fold; DROP TABLE fold_parts; CREATE TABLE fold (id INTEGER PRIMARY KEY CHECK (id = 0), \
                         format TEXT NOT NULL, next_seq INTEGER NOT NULL, book TEXT NOT NULL) STRICT";
            conn.execute_batch(older).unwrap();
        }
        conn.pragma_update(None, "user_version", version).unwrap();
        drop(conn);
        let error = LedgerReader::open(&file).unwrap_err().to_string();
        assert!(
            error.contains(&format!("has schema {version}, this version reads {SCHEMA_VERSION}")),
            "{error}"
        );
        let store = SqliteStore::open(&file, SqliteOptions::default()).unwrap();
        assert_eq!(runtime.block_on(store.next_seq()).unwrap(), Seq(journal.len() as u64));
        drop(store);
        assert_eq!(dump(&file), dump(&fresh), "from version {version}");
    }
}

#[test]
fn a_newer_file_and_a_foreign_one_are_refused_in_one_line() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    build(&file, &records(0..3), 3);
    Connection::open(&file).unwrap().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    for error in [
        LedgerReader::open(&file).unwrap_err().to_string(),
        Ledger::open(&file, SqliteOptions::default()).unwrap_err().to_string(),
        SqliteStore::open(&file, SqliteOptions::default()).unwrap_err().to_string(),
    ] {
        let wanted =
            format!("has schema {}, this version knows {SCHEMA_VERSION} at most", SCHEMA_VERSION + 1);
        assert!(error.contains(&wanted) && !error.contains('\n'), "{error}");
    }
    let other = dir.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    let error = Ledger::open(&other, SqliteOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("is a database of another program; name a ledger"), "{error}");
    let text = dir.path().join("text.sqlite");
    fs::write(&text, "this is no database, but it is long enough to be looked at as one".repeat(30)).unwrap();
    assert!(matches!(LedgerReader::open(&text), Err(LedgerError::Damaged { .. })));
    assert!(matches!(LedgerReader::open(dir.path().join("absent")), Err(LedgerError::Missing { .. })));
}

#[test]
fn a_query_can_only_ask() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    build(&file, &trading::journal(30), 100);
    let other = dir.path().join("other.sqlite");
    build(&other, &records(0..1), 1);
    let before = dump(&file);
    let reader = LedgerReader::open(&file).unwrap();
    let attach = format!("ATTACH '{}' AS o", other.display());
    let into = format!("VACUUM INTO '{}'", dir.path().join("stolen").display());
    for sql in [
        "DELETE FROM fills",
        "INSERT INTO runs SELECT * FROM runs",
        "UPDATE orders SET qty = '1'",
        "DROP TABLE fills",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "PRAGMA user_version = 9",
        "PRAGMA journal_mode = DELETE",
        "BEGIN",
        "REINDEX",
        "SELECT 1; SELECT 2",
        "SELECT load_extension('x')",
        "WITH d AS (SELECT 1) DELETE FROM fills",
        &attach,
        &into,
    ] {
        let error = reader.query::<LedgerError>(sql, |_| Ok(())).unwrap_err();
        assert!(matches!(error, LedgerError::Refused { .. }), "{sql}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    for sql in ["SELEC 1", "SELECT nothing FROM fills", "SELECT * FROM nowhere", ""] {
        let error = reader.query::<LedgerError>(sql, |_| Ok(())).unwrap_err();
        assert!(matches!(error, LedgerError::Query { .. }), "{sql}: {error}");
    }
    assert_eq!(dump(&file), before);
    assert!(!dir.path().join("stolen").exists());
}

#[test]
fn sums_of_money_are_exact_and_instants_are_readable() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    build(&file, &records(0..1), 1);
    let ten = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)";
    assert_eq!(one(&file, &format!("{ten} SELECT decimal_sum('0.1') FROM n")), "1");
    assert_eq!(one(&file, "SELECT decimal_mul('0.1', '0.3')"), "0.03");
    assert_eq!(one(&file, "SELECT decimal_add('0.1', NULL)"), "");
    assert_eq!(one(&file, "SELECT utc(1735689600000000000)"), "2025-01-01T00:00:00.000Z");
    let reader = LedgerReader::open(&file).unwrap();
    let error = reader.query::<LedgerError>("SELECT decimal_sum(0.1)", |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("not a float"), "{error}");
}

#[test]
fn a_backup_beside_a_working_writer_is_whole_and_a_restore_brings_it_back() {
    let dir = TempDir::new();
    let (file, copy) = (ledger_file(&dir), dir.path().join("copies/ledger.bak"));
    let journal = trading::journal(120);
    let half = journal.len() / 2;
    let mut ledger = Ledger::open(&file, SqliteOptions::default()).unwrap();
    ledger.append(&journal[..half]).unwrap();
    let before = dump(&file);
    let copied = backup(&file, &copy, false).unwrap();
    assert_eq!((copied.next, copied.bytes), (Seq(half as u64), fs::metadata(&copy).unwrap().len()));
    ledger.append(&journal[half..]).unwrap();
    assert_eq!(dump(&copy), before);
    let everything = dump(&file);
    assert!(matches!(backup(&file, &copy, false), Err(LedgerError::Exists { .. })));
    let roundabout = dir.path().join("copies/..").join(file.file_name().unwrap());
    assert!(matches!(backup(&file, &roundabout, true), Err(LedgerError::Itself { .. })));
    assert_eq!(dump(&file), everything, "its writer still has it");
    assert!(matches!(restore(&copy, &file, true), Err(LedgerError::Store(StoreError::Locked { .. }))));
    drop(ledger);
    assert!(matches!(restore(&copy, &file, false), Err(LedgerError::Exists { .. })));
    assert_eq!(dump(&file), everything, "a refused restore changed the ledger");
    restore(&copy, &file, true).unwrap();
    assert_eq!(dump(&file), before);
    // What the journal knows beyond the copy comes back by feeding it again.
    let mut ledger = Ledger::open(&file, SqliteOptions::default()).unwrap();
    let from = usize::try_from(ledger.wanted().0).unwrap();
    ledger.append(&journal[from..]).unwrap();
    drop(ledger);
    assert_eq!(dump(&file), everything);
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("part"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_damaged_copy_is_refused_and_the_ledger_stays() {
    let dir = TempDir::new();
    let (file, copy) = (ledger_file(&dir), dir.path().join("copy"));
    build(&file, &trading::journal(120), 1_000);
    backup(&file, &copy, false).unwrap();
    let before = dump(&file);
    let whole = fs::read(&copy).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2 / 4_096 * 4_096;
    damaged[middle..middle + 4_096].fill(0x5a);
    let mut refused = 0;
    for bytes in [&damaged[..], &whole[..whole.len() / 2], b"", b"text, not a database"] {
        fs::write(&copy, bytes).unwrap();
        let error = restore(&copy, &file, true).unwrap_err().to_string();
        assert!(error.contains("damaged") || error.contains("another program"), "{error}");
        refused += 1;
        assert_eq!(dump(&file), before);
    }
    assert_eq!(refused, 4);
    // A log that belongs to the old file is not read into the new one.
    fs::write(&copy, &whole).unwrap();
    fs::write(dir.path().join("ledger.sqlite-wal"), [0_u8; 64]).unwrap();
    restore(&copy, &file, true).unwrap();
    assert!(!dir.path().join("ledger.sqlite-wal").exists());
    assert_eq!(dump(&file), before);
}

#[test]
fn a_ledger_that_was_built_beside_takes_the_place_of_a_damaged_one() {
    let dir = TempDir::new();
    let (file, built) = (ledger_file(&dir), dir.path().join("built"));
    let journal = trading::journal(50);
    build(&file, &journal, 1_000);
    let before = dump(&file);
    let mut bytes = fs::read(&file).unwrap();
    bytes[200..].fill(1);
    fs::write(&file, bytes).unwrap();
    build(&built, &journal, 1_000);
    replace_with(&built, &file).unwrap();
    assert_eq!(dump(&file), before);
}

const NAV: ViewName = match ViewName::new("nav") {
    Some(name) => name,
    None => unreachable!(),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_record_of_the_store_is_found() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    let store = SqliteStore::open(&file, SqliteOptions::default()).unwrap();
    store.append(Seq(0), &records(0..5)).await.unwrap();
    store.put_view(&NAV, &View { as_of: Seq(4), json: "{}".to_owned() }).await.unwrap();
    drop(store);
    let conn = Connection::open(&file).unwrap();
    let error = conn.execute("UPDATE journal SET body = 'x' WHERE seq = 2", []).unwrap_err().to_string();
    assert!(error.contains("append-only"), "{error}");
    assert!(conn.execute("DELETE FROM journal", []).is_err());
    conn.execute_batch("DROP TRIGGER journal_keeps_rows; UPDATE journal SET body = replace(body, 'test', 'tesT') WHERE seq = 2")
        .unwrap();
    drop(conn);
    match SqliteStore::open(&file, SqliteOptions::default()) {
        Err(StoreError::Corrupt { place, detail }) => {
            assert!(place.ends_with("record 2 of its journal"), "{place}");
            assert!(detail.contains("chain of hashes"), "{detail}");
        }
        other => panic!("expected damage, got {other:?}"),
    }
}

#[tokio::test]
async fn one_file_is_either_a_store_or_the_ledger_of_another_store() {
    let dir = TempDir::new();
    let (own, other) = (dir.path().join("store"), dir.path().join("ledger"));
    SqliteStore::open(&own, SqliteOptions::default()).unwrap().append(Seq(0), &records(0..2)).await.unwrap();
    build(&other, &records(0..2), 2);
    let error = Ledger::open(&own, SqliteOptions::default()).unwrap_err().to_string();
    assert!(error.contains("holds a journal of its own"), "{error}");
    let error = SqliteStore::open(&other, SqliteOptions::default()).unwrap_err().to_string();
    assert!(error.contains("is the ledger of another journal"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_follows_a_store_has_everything_and_a_stranger_is_an_alarm() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    let journal = trading::journal(60);
    let follow = || Follow { gather: std::time::Duration::ZERO, ..Follow::new("ledger") };
    let primary = MemoryStore::new();
    let tee = Tee::new(Arc::new(primary.clone()))
        .follow(LedgerFollower::new(&file, SqliteOptions::default()), follow());
    let mut next = Seq(0);
    for batch in journal.chunks(50) {
        next = tee.append(next, batch).await.unwrap();
    }
    let status = tee.close(std::time::Duration::from_secs(60)).await;
    assert_eq!((status[0].state, status[0].next), (FollowerState::Current, next));
    drop(tee);
    let whole = dir.path().join("whole");
    build(&whole, &journal, usize::MAX);
    assert_eq!(dump(&file), dump(&whole));

    let stranger = MemoryStore::new();
    stranger.append(Seq(0), &records(0..9_999)).await.unwrap();
    let tee =
        Tee::new(Arc::new(stranger)).follow(LedgerFollower::new(&file, SqliteOptions::default()), follow());
    let status = tee.close(std::time::Duration::from_secs(60)).await;
    assert_eq!(status[0].state, FollowerState::Diverged);
    let because = status[0].because.clone().unwrap();
    assert!(because.contains("ledger of another journal"), "{because}");
}

/// Not a test: the process that the next ones kill. Appends for ever and says what is durable.
#[test]
fn writer_that_is_killed() {
    let Some(file) = std::env::var_os("HEDGE_LEDGER_VICTIM") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = SqliteStore::open(PathBuf::from(file), SqliteOptions::default()).unwrap();
    let mut next = runtime.block_on(store.next_seq()).unwrap();
    let mut out = std::io::stdout();
    loop {
        let batch = records(next.0..next.0 + 1 + next.0 % 7);
        next = runtime.block_on(store.append(next, &batch)).unwrap();
        writeln!(out, "acked {next}").unwrap();
        out.flush().unwrap();
    }
}

/// Lets the victim append for a while, kills it, and gives what it had acknowledged at least.
fn kill_after(file: &Path, lines: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_that_is_killed", "--nocapture"])
        .env("HEDGE_LEDGER_VICTIM", file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acked = 0;
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The test harness shares the first line with the victim.
    let numbers = said.filter_map(|line| line.rsplit_once("acked ").and_then(|(_, n)| n.parse::<u64>().ok()));
    for (count, number) in numbers.enumerate() {
        acked = number;
        if count == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    acked
}

#[test]
fn after_kill_9_every_acknowledged_record_is_there_and_no_part_of_another() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut last = 0;
    for lines in [0, 3, 17, 40] {
        let acked = kill_after(&file, lines);
        assert!(acked > last, "the victim has appended nothing");
        let store = SqliteStore::open(&file, SqliteOptions::default()).unwrap();
        let next = runtime.block_on(store.next_seq()).unwrap();
        assert!(next.0 >= acked, "{acked} records were acknowledged, {next} are there");
        let page = runtime.block_on(store.read(Seq(0), std::num::NonZeroU32::MAX)).unwrap();
        assert_eq!(page.records, records(0..next.0));
        drop(store);
        // The tables went with the journal in every transaction.
        assert_eq!(one(&file, "SELECT count(*) FROM operator_orders"), next.to_string());
        last = next.0;
    }
}

#[test]
fn a_torn_write_ahead_log_loses_whole_transactions_at_its_end_only() {
    let dir = TempDir::new();
    let file = ledger_file(&dir);
    let acked = kill_after(&file, 30);
    let log = dir.path().join("ledger.sqlite-wal");
    let whole = fs::read(&log).unwrap();
    assert!(whole.len() > 3 * 4_096, "the log has {} bytes only", whole.len());
    let database = fs::read(&file).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut last = u64::MAX;
    for cut in [0, 1, 100, 5_000, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &database).unwrap();
        fs::write(&log, &whole[..whole.len() - cut]).unwrap();
        fs::remove_file(dir.path().join("ledger.sqlite-shm")).ok();
        let store = SqliteStore::open(&file, SqliteOptions::default()).unwrap();
        let next = runtime.block_on(store.next_seq()).unwrap();
        assert!(cut > 0 || next.0 >= acked);
        assert!(next.0 <= last);
        let page = runtime.block_on(store.read(Seq(0), std::num::NonZeroU32::MAX)).unwrap();
        assert_eq!(page.records, records(0..next.0), "cut by {cut}");
        drop(store);
        last = next.0;
    }
    assert_eq!(last, 0, "a log of one byte holds nothing");
}

/// Mounts a small disk on a folder, where this process may; the test that wants it is skipped loudly elsewhere.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(dir: &TempDir, options: &str) -> Option<Self> {
        let path = dir.path().join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(path)),
            _ => None,
        }
    }
    fn remount(&self, options: &str) {
        let done =
            Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_loses_nothing_and_is_survived() {
    let dir = TempDir::new();
    let Some(disk) = SmallDisk::mount(&dir, "size=2m") else {
        println!("SKIP a full disk: mounting a tmpfs is not allowed here");
        return;
    };
    let file = disk.0.join("ledger.sqlite");
    let store = SqliteStore::open(&file, SqliteOptions::default()).unwrap();
    let mut next = Seq(0);
    let error = loop {
        match store.append(next, &records(next.0..next.0 + 200)).await {
            Ok(after) => next = after,
            Err(error) => break error.to_string(),
        }
    };
    assert!(next.0 > 400, "only {next} records fitted");
    assert!(error.contains("free some space on that disk"), "{error}");
    assert_eq!(store.next_seq().await.unwrap(), next);
    disk.remount("size=16m");
    next = store.append(next, &records(next.0..next.0 + 200)).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&file, SqliteOptions::default()).unwrap();
    let page = store.read(Seq(0), std::num::NonZeroU32::MAX).await.unwrap();
    assert_eq!(page.records, records(0..next.0));
    drop(store);
    assert_eq!(one(&file, "SELECT count(*) FROM operator_orders"), next.to_string());
}

#[test]
fn a_read_only_disk_is_said_and_can_still_be_asked() {
    let dir = TempDir::new();
    let Some(disk) = SmallDisk::mount(&dir, "size=4m") else {
        println!("SKIP a read-only disk: mounting a tmpfs is not allowed here");
        return;
    };
    let file = disk.0.join("ledger.sqlite");
    build(&file, &records(0..20), 5);
    disk.remount("ro");
    let error = Ledger::open(&file, SqliteOptions::default()).unwrap_err().to_string();
    assert!(error.contains("mount it writable or choose another state directory"), "{error}");
    assert_eq!(one(&file, "SELECT count(*) FROM operator_orders"), "20");
    let error = backup(&file, &disk.0.join("copy"), false).unwrap_err().to_string();
    assert!(error.contains("mount it writable"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_file_and_what_stands_beside_it_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    let file = dir.path().join("new/ledger.sqlite");
    let mut ledger = Ledger::open(&file, SqliteOptions::default()).unwrap();
    ledger.append(&records(0..3)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let copy = dir.path().join("copy");
    backup(&file, &copy, false).unwrap();
    assert_eq!(mode(&copy), 0o600);
}
