//! The executor, killed at every kind of moment: it goes on, and its books equal the exchange's.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use hedge_core::{Engine, Envelope, RunStarted, Symbol};
use hedge_desk::{
    compose::compose,
    config::Config,
    env::Env,
    journal::{JournalSource, Replayed, verify},
};
use hedge_store::FileJournal;
use support::{
    Temp,
    audit::{approved, books_equal_the_exchange, folded, nothing_is_doubled},
    config,
    exchange::{last_step_ms, placed, replayed},
    executor, json, stderr, stdout,
};

const SEED: u64 = 42;
const BARS: u64 = 1_100;
const BAR_MS: i64 = 900_000;
/// The run must survive a kill without help from the disk's cache being flushed.
const DURABILITY: (&str, &str) = ("HEDGE__JOURNAL__DURABILITY", "os");

fn start(temp: &Temp, bars: u64) -> Child {
    let (bars, seed) = (bars.to_string(), SEED.to_string());
    let args = ["--state-dir", "d", "--bars", &bars, "--seed", &seed, "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT"];
    let log = fs::File::create(temp.join("stderr.txt")).unwrap();
    let mut command = executor(temp, &args);
    command.env(DURABILITY.0, DURABILITY.1).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

/// Bars that the market has gone since the run was planned.
fn bars_played(dir: &Path) -> Option<i64> {
    if !dir.join("plan.json").exists() {
        return None;
    }
    let from_ms = json(&dir.join("plan.json"))["from_ms"].as_i64().unwrap();
    Some((last_step_ms(dir)? - from_ms) / BAR_MS)
}

/// Kills it with SIGKILL at a moment.
fn kill_at(temp: &Temp, dir: &Path, moment: Moment) {
    let mut child = start(temp, BARS);
    let began = Instant::now();
    let found = bars_played(dir);
    let over = || began.elapsed() > Duration::from_secs(60);
    match moment {
        Moment::After(time) => thread::sleep(time),
        Moment::AtBar(bar, then) => {
            // In any case this process has moved the market on.
            while bars_played(dir)
                .is_none_or(|played| played < bar || found.is_some_and(|found| played <= found))
            {
                let ended = child.try_wait().unwrap();
                assert!(ended.is_none(), "it ended too early: {ended:?}\n{}", last_words(temp));
                assert!(!over(), "bar {bar} was not reached in a minute\n{}", last_words(temp));
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(then);
        }
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "it was not killed but ended: {status}\n{}", last_words(temp));
}

fn last_words(temp: &Temp) -> String {
    fs::read_to_string(temp.join("stderr.txt")).unwrap_or_default()
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after the start of the process: during start-up, while the journal is folded.
    After(Duration),
    /// So long after the market has come to a bar.
    AtBar(i64, Duration),
}

/// Whatever the moment: the journal reads, nothing of it is lost, and it knew every order before the exchange did.
fn look_at_the_wreck(dir: &Path, before: &[Envelope]) -> Vec<Envelope> {
    if !dir.join("journal").exists() {
        return Vec::new();
    }
    let journal = FileJournal::open_read_only(dir).unwrap();
    let records: Vec<Envelope> = journal.records(hedge_core::Seq(0)).collect::<Result<_, _>>().unwrap();
    assert!(records.len() >= before.len(), "{} records were {} before", records.len(), before.len());
    assert!(records.iter().zip(before).all(|(now, then)| now == then), "a record was rewritten");
    let approved: BTreeSet<String> = approved(&records).map(|(id, _)| id.to_owned()).collect();
    for (id, times) in placed(dir) {
        assert!(approved.contains(&id), "{id} reached the exchange before the journal");
        assert_eq!(times, 1, "{id} was sent {times} times");
    }
    records
}

fn check_the_end(dir: &Path, starts: u64) {
    let env = Env::from_pairs([DURABILITY]);
    let config = Config::load(Some(&config()), &env).unwrap();
    let fresh = |run: &RunStarted, symbols: &[Symbol]| -> Result<Engine, String> {
        assert_eq!(run.config_hash, config.hash());
        Ok(compose(&config, symbols).unwrap().engine)
    };
    let (source, _) = JournalSource::find(dir, Some(dir)).unwrap();
    let verified = verify(&source, &fresh).unwrap();
    assert_eq!(verified.replay, Replayed::Identical { records: verified.records });
    assert!(verified.processes >= starts, "{} processes of {starts} are in the journal", verified.processes);
    let records = source.load().unwrap();
    nothing_is_doubled(dir, &records);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exchange = replayed(dir, SEED).await;
        books_equal_the_exchange(dir, &records, &exchange);
        assert_eq!(folded(&records).last_fact_at().ms(), exchange.now_ms());
        exchange.shutdown().await;
    });
}

fn finish(temp: &Temp, bars: u64) -> Output {
    let (bars, seed) = (bars.to_string(), SEED.to_string());
    let args = ["--state-dir", "d", "--bars", &bars, "--seed", &seed, "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT"];
    let output = executor(temp, &args).env(DURABILITY.0, DURABILITY.1).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = stdout(&output);
    assert!(Path::new(lines.last().unwrap()).ends_with("d/report.html"), "{:?}", lines.last());
    output
}

#[test]
fn killed_ten_times_it_plays_to_its_end_and_its_books_equal_the_exchange() {
    let temp = Temp::new("kill");
    let dir = temp.join("d");
    let ms = Duration::from_millis;
    let moments = [
        Moment::After(ms(60)),
        Moment::AtBar(0, ms(0)),
        Moment::AtBar(40, ms(5)),
        Moment::AtBar(150, ms(1)),
        Moment::AtBar(270, ms(13)),
        Moment::After(ms(150)),
        Moment::AtBar(400, ms(7)),
        Moment::AtBar(520, ms(0)),
        Moment::AtBar(640, ms(3)),
        Moment::AtBar(760, ms(10)),
    ];
    let mut records = Vec::new();
    for moment in moments {
        kill_at(&temp, &dir, moment);
        records = look_at_the_wreck(&dir, &records);
    }
    assert!(bars_played(&dir).unwrap() >= 760);
    let plan = json(&dir.join("plan.json"));
    assert_eq!((plan["finished"].as_bool(), plan["bars"].as_u64()), (Some(false), Some(BARS)));

    finish(&temp, BARS);
    let plan = json(&dir.join("plan.json"));
    assert_eq!(plan["finished"], true);
    assert_eq!(bars_played(&dir), Some(BARS as i64), "it played to its own end, no further");
    look_at_the_wreck(&dir, &records);
    // A process that was killed before it had anything to do may have left no record.
    check_the_end(&dir, 7);

    // A run that has ended plays more from where the market stands, with the account as it is.
    let fills = |dir: &Path| folded(&look_at_the_wreck(dir, &[])).totals().fills;
    let before = fills(&dir);
    finish(&temp, 120);
    let more = json(&dir.join("plan.json"));
    let from_ms = |plan: &serde_json::Value| plan["from_ms"].as_i64().unwrap();
    assert_eq!(from_ms(&more) - from_ms(&plan), BARS as i64 * BAR_MS);
    assert_eq!((more["finished"].as_bool(), bars_played(&dir)), (Some(true), Some(120)));
    check_the_end(&dir, 8);
    assert!(fills(&dir) >= before);
}
