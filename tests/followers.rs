//! Ledger and mirror of a real run: behind it, complete in the end, and never in its way.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    num::NonZeroU32,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use hedge_core::{Envelope, Seq, StateStore};
use hedge_store::{
    FileJournal,
    firestore::{Firestore, FirestoreConfig, FirestoreValues},
    sqlite::{LedgerError, LedgerReader},
    tee::{FollowerState, read_status},
};
use hedge_testkit::firestore::FakeFirestore;
use support::{Temp, command, executor, following::Following, hedgectl, program, stderr};

const PATIENCE: Duration = Duration::from_secs(120);

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn journal(dir: &Path) -> Vec<Envelope> {
    FileJournal::open_read_only(dir).unwrap().records(Seq(0)).map(Result::unwrap).collect()
}

fn mirrored(fake: &FakeFirestore, runtime: &tokio::runtime::Runtime) -> Vec<Envelope> {
    let values =
        FirestoreValues { project: Some("test"), default_env: "paper", ..FirestoreValues::default() };
    let host = fake.host();
    let variable = |name: &str| (name == "FIRESTORE_EMULATOR_HOST").then(|| host.clone());
    let store = Firestore::new(FirestoreConfig::from_values(&values, &variable).unwrap()).unwrap();
    runtime.block_on(async {
        let (mut records, mut from) = (Vec::new(), Some(Seq(0)));
        while let Some(place) = from {
            let page = store.read(place, NonZeroU32::new(300).unwrap()).await.unwrap();
            records.extend(page.records);
            from = page.next;
        }
        records
    })
}

/// A run of some bars with both followers.
fn followed(temp: &Temp, host: &str, bars: &str) -> Command {
    let mut command = executor(temp, &["--bars", bars, "--state-dir", "run"]);
    command
        .env("HEDGE__JOURNAL__DURABILITY", "os")
        .env("HEDGE__STORE__LEDGER", "true")
        .env("HEDGE__STORE__MIRROR", "firestore")
        .env("HEDGE__STORE__FIRESTORE__PROJECT", "test")
        .env("HEDGE__STORE__FLUSH_S", "100")
        .env("HEDGE__LOG__FILE", temp.join("log"))
        .env("FIRESTORE_EMULATOR_HOST", host);
    command
}

#[test]
fn a_run_trades_with_its_mirror_down_and_the_mirror_is_complete_once_it_is_up() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fake = runtime.block_on(FakeFirestore::start());
    fake.go_down();
    let temp = Temp::new("mirror");
    let dir = temp.join("run");
    // Built before the clock of the flush runs: a build waits for whoever else builds.
    program("hedgectl");
    let mut run = Following::start(followed(&temp, &fake.host(), "40"));
    // It says so in one line, and goes on to its end.
    let log = || std::fs::read_to_string(temp.join("log")).unwrap_or_default();
    until("the word about the mirror", || {
        log().lines().any(|line| line.contains("trading goes on") && line.contains("firestore"))
    });
    until("the end of the trading", || log().lines().any(|line| line.starts_with("nav end")));
    assert_eq!(fake.names(), Vec::<String>::new());
    let status = read_status(&dir).unwrap();
    let ledger = status.iter().find(|status| status.name == "ledger").unwrap();
    assert_ne!(ledger.state, FollowerState::Diverged);
    until("the file about the mirror", || {
        let status = read_status(&dir).unwrap();
        status.iter().any(|status| status.name == "firestore" && status.state == FollowerState::Unreachable)
    });
    let page = hedgectl(&temp, &["status", "--state-dir", "run"]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("follower  firestore unreachable, lag "), "{page}");
    fake.come_back();
    assert_eq!(run.end(), Some(0));
    let records = journal(&dir);
    assert!(records.len() > 200, "{} records", records.len());
    assert_eq!(mirrored(&fake, &runtime), records);
    assert!(fake.names().iter().any(|name| name.ends_with("/state/nav")), "no view was mirrored");

    // The ledger has the same journal, and its tables answer.
    let reader = LedgerReader::open(dir.join("ledger.sqlite")).unwrap();
    assert_eq!(reader.summary().unwrap().next, Seq(records.len() as u64));
    let mut fills = 0;
    reader
        .query::<LedgerError>("SELECT * FROM fills", |_| {
            fills += 1;
            Ok(())
        })
        .unwrap();
    let asked =
        hedgectl(&temp, &["ledger", "query", "--fills", "--json", "--state-dir", "run"]).output().unwrap();
    assert!(asked.status.success(), "{}", stderr(&asked));
    assert_eq!(String::from_utf8(asked.stdout).unwrap().lines().count(), fills);

    // The next process of the same journal goes on where the mirror stands.
    let again = followed(&temp, &fake.host(), "5").output().unwrap();
    assert!(again.status.success(), "{}", stderr(&again));
    let records = journal(&dir);
    assert_eq!(mirrored(&fake, &runtime), records);
    assert_eq!(
        LedgerReader::open(dir.join("ledger.sqlite")).unwrap().summary().unwrap().next.0,
        records.len() as u64
    );
}

#[test]
fn a_mirror_of_another_journal_is_an_alarm_and_trading_goes_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fake = runtime.block_on(FakeFirestore::start());
    let (first, second) = (Temp::new("mirror-first"), Temp::new("mirror-second"));
    let run = |temp: &Temp, seed: &str| {
        let mut run = followed(temp, &fake.host(), "5");
        run.args(["--seed", seed]).env("HEDGE__STORE__LEDGER", "false").output().unwrap()
    };
    let output = run(&first, "1");
    assert!(output.status.success(), "{}", stderr(&output));
    let before = fake.names().len();
    let output = run(&second, "2");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = std::fs::read_to_string(second.join("log")).unwrap();
    assert!(text.contains("the follower holds something else than the journal"), "{text}");
    let records = |names: Vec<String>| names.iter().filter(|name| name.contains("/journal/")).count();
    assert_eq!(
        records(fake.names()),
        journal(&first.join("run")).len(),
        "records were shipped to a diverged mirror"
    );
    assert!(fake.names().len() >= before);
    let page = hedgectl(&second, &["status", "--state-dir", "run"]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("WARNING   firestore holds something else than the journal"), "{page}");
    let mut doctor = hedgectl(&second, &["doctor", "--offline", "--state-dir", "run"]);
    let doctor = doctor.env("HEDGE__STORE__MIRROR", "firestore").output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("DIVERGED"), "{said}");
    assert!(!doctor.status.success());
}

#[test]
fn a_mirror_without_its_project_is_refused_before_anything_is_created() {
    let temp = Temp::new("mirror-usage");
    let mut command = executor(&temp, &["--bars", "5", "--state-dir", "run"]);
    let output = command.env("HEDGE__STORE__MIRROR", "firestore").output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(stderr(&output).contains("store.firestore.project"), "{}", stderr(&output));
    assert!(!temp.join("run").exists());
}

#[test]
fn after_a_rotation_and_sighup_lines_go_into_a_new_file() {
    let temp = Temp::new("rotation");
    let (log, moved) = (temp.join("executor.log"), temp.join("executor.log.1"));
    let mut start = command(&temp, &program("hedge-executor"));
    start
        .arg("--config")
        .arg(support::config())
        .args(["--follow", "--speed", "100", "--state-dir", "run"])
        .env("HEDGE__LOG__FILE", &log)
        .env("HEDGE__JOURNAL__DURABILITY", "os");
    let mut run = Following::start(start);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    until("the first lines", || read(&log).contains("[executor] account OK"));
    std::fs::rename(&log, &moved).unwrap();
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &run.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    signal("-HUP");
    until("the new file", || read(&log).contains("opened anew after SIGHUP"));
    let size = read(&moved).len();
    until("more lines", || read(&log).lines().count() > 3);
    assert_eq!(read(&moved).len(), size, "lines went on into the old file");
    signal("-TERM");
    until("the end", || read(&log).trim_end().ends_with("report.html"));
    assert_eq!(run.end(), Some(0));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
}
