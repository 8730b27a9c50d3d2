//! The program as operators meet it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use hedge_core::StateStore;
use hedge_sim::binance::{ApiKey, Exchange, ExchangeConfig};
use hedge_store::{FileOptions, FileStore};

/// A folder that goes away with the test.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hedge-executor-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn executor(temp: &Temp, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedge-executor"));
    command.current_dir(&temp.0).arg("--config").arg(config()).args(args);
    for (name, _) in std::env::vars() {
        if name.starts_with("HEDGE__") || name.starts_with("BINANCE_") || name.starts_with("EVENT_STORE") {
            command.env_remove(name);
        }
    }
    command.env("HEDGE__JOURNAL__DURABILITY", "os");
    command
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_a_state_dir_it_plays_to_the_end_and_the_last_line_is_the_report() {
    let temp = Temp::new("plain");
    let output = executor(&temp, &["--bars", "120"]).output().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    let lines = lines(&output);
    let report = temp.join(lines.last().unwrap());
    assert!(report.ends_with("report.html"), "{lines:?}");
    let html = fs::read_to_string(&report).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("<svg") && !html.contains("<script"));
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    for tag in [
        "[preflight] profile=paper base=http://127.0.0.1:",
        "[screener] BTCUSDT 15m z=",
        "[decision] {",
        "[screener] attempted=3 emitted=",
        "[executor] account OK — futures=True testnet=False dry_run=False balances: [{",
        "[screener->executor] {\"symbol\":",
        "[executor] INTENT {",
        "[executor] SEND_ORDER {",
        "[executor] ORDER_REQ /fapi/v1/order 200 {",
        "[executor] ORDER_REQ /fapi/v1/algoOrder 200 {",
        "nav end",
    ] {
        assert!(has(tag), "no line begins with {tag}");
    }
    let last = temp.join("state/paper/last");
    for name in
        ["nav", "positions", "signals", "trade_log", "health", "screener", "peak_state", "synced_state"]
    {
        let text = fs::read_to_string(last.join(format!("{name}.json"))).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
    assert!(last.join("journal").is_dir());
}

#[test]
fn json_lines_are_json_and_the_path_still_comes_last() {
    let temp = Temp::new("json");
    let output = executor(&temp, &["--dev-fast", "--log", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    let lines = lines(&output);
    let (path, json) = lines.split_last().unwrap();
    assert!(path.ends_with("report.html"));
    let tags: Vec<String> = json
        .iter()
        .filter_map(|line| {
            let value: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            value.get("tag").and_then(|tag| tag.as_str().map(str::to_owned))
        })
        .collect();
    for tag in ["[preflight]", "[screener]", "[decision]", "[executor]", "[summary]"] {
        assert!(tags.iter().any(|found| found == tag), "{tag} is missing in {tags:?}");
    }
}

#[test]
fn other_profiles_and_foreign_directories_are_refused_with_one_sentence() {
    let temp = Temp::new("refused");
    let output = executor(&temp, &["--profile", "mainet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(error(&output).lines().count(), 1, "{}", error(&output));

    let foreign = temp.join("live");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("owner.json"), r#"{"profile":"mainnet","venue":"binance"}"#).unwrap();
    let output = executor(&temp, &["--state-dir", "live", "--bars", "5"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("belongs to profile mainnet"), "{}", error(&output));
    assert!(!foreign.join("journal").exists(), "nothing was written there");

    assert_eq!(executor(&temp, &["--bars", "0"]).output().unwrap().status.code(), Some(2));
    let mut misspelt = executor(&temp, &["--bars", "5"]);
    let output = misspelt.env("HEDGE__JOURNAL__DURABILTY", "os").output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", error(&output));
}

#[test]
fn a_venue_that_does_not_answer_fails_the_preflight() {
    let temp = Temp::new("nobody");
    let mut command = executor(&temp, &["--bars", "5"]);
    // Port 9 is the discard service; nobody listens there.
    command
        .env("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:9")
        .env("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:9");
    command.env("BINANCE_API_KEY", "k").env("BINANCE_API_SECRET", "s");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", error(&output));
    assert!(error(&output).contains("binance.rest_url"), "{}", error(&output));
}

#[tokio::test]
async fn a_journal_that_another_process_holds_ends_it_with_74() {
    let temp = Temp::new("locked");
    assert!(executor(&temp, &["--state-dir", "d", "--bars", "5"]).output().unwrap().status.success());
    let holder = FileStore::open(temp.join("d"), FileOptions::default()).unwrap();
    assert!(holder.next_seq().await.unwrap().0 > 0);
    let output = executor(&temp, &["--state-dir", "d", "--bars", "5"]).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{}", error(&output));
}

#[test]
fn a_finished_run_plays_more_bars_with_the_account_as_it_is() {
    let temp = Temp::new("more");
    let plan = || {
        let text = fs::read_to_string(temp.join("d/plan.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let args = ["--state-dir", "d", "--bars", "40", "--seed", "7", "--symbols", "BTCUSDT,ETHUSDT"];
    assert!(executor(&temp, &args).output().unwrap().status.success());
    let first = plan();
    assert_eq!(first["finished"], true);
    assert!(executor(&temp, &["--state-dir", "d", "--bars", "20"]).output().unwrap().status.success());
    let second = plan();
    assert_eq!(second["finished"], true);
    assert_eq!(second["seed"], 7, "the market goes on without being named again");
    let from = |plan: &serde_json::Value| plan["from_ms"].as_i64().unwrap();
    assert_eq!(from(&second) - from(&first), 40 * 900_000);
    let health = fs::read_to_string(temp.join("d/health.json")).unwrap();
    assert!(health.contains("\"term\":2"), "{health}");
    let output = executor(&temp, &["--state-dir", "d", "--bars", "5", "--seed", "8"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "another market is refused");
    assert!(error(&output).contains("seed 7"), "{}", error(&output));
}

#[test]
fn what_a_continued_run_cannot_do_is_said_and_its_figures_are_of_all_starts() {
    let temp = Temp::new("continued");
    let run = |args: &[&str]| executor(&temp, &[&["--state-dir", "d"], args].concat()).output().unwrap();
    assert!(run(&["--bars", "30", "--symbols", "BTCUSDT,ETHUSDT,BTCUSDT"]).status.success());
    let output = run(&["--bars", "20"]);
    let table = lines(&output);
    let row = |name: &str| table.iter().find(|line| line.starts_with(name)).cloned().unwrap_or_default();
    assert!(row("bars per symbol").ends_with(" 50"), "{table:?}");
    assert!(row("starts").ends_with(" 2"), "{table:?}");

    let output = run(&["--bars", "5", "--symbols", "SOLUSDT"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("trades BTCUSDT, ETHUSDT, not SOLUSDT"), "{}", error(&output));

    let plan = temp.join("d/plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, text.replace("\"finished\":true", "\"finished\":false")).unwrap();
    let output = run(&["--bars", "7"]);
    assert!(error(&output).contains("its 20 bars; --bars 7 is ignored"), "{}", error(&output));

    fs::remove_file(temp.join("d/exchange.jsonl")).unwrap();
    let output = run(&["--bars", "5"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("has a journal but no exchange.jsonl"), "{}", error(&output));
}

#[test]
fn the_range_of_history_is_that_of_the_file_and_wrong_arguments_leave_nothing_behind() {
    let temp = Temp::new("history");
    for bars in ["5", "49", "1501", "100000", "x"] {
        let output = executor(&temp, &["--bars", "5", "--history", bars]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", error(&output));
        assert!(error(&output).contains("50 to 1500 bars"), "{}", error(&output));
    }
    assert!(!temp.join("state").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_takes_nothing_stops_no_run_and_is_no_success() {
    let temp = Temp::new("full");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = executor(&temp, &["--bars", "5", "--state-dir", "d"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    assert!(error(&output).contains("stdout could not be written"), "{}", error(&output));
    assert!(temp.join("d/report.html").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn an_exchange_that_somebody_else_runs_on_this_machine_is_traded_in_real_time() {
    let temp = Temp::new("external");
    let exchange = Exchange::start(ExchangeConfig::default()).await.unwrap();
    let key = ApiKey::demo();
    let mut command = executor(&temp, &["--state-dir", "d", "--follow"]);
    command
        .env("HEDGE__BINANCE__REST_URL", exchange.rest_url())
        .env("HEDGE__BINANCE__WS_URL", exchange.ws_url());
    command.env("BINANCE_API_KEY", key.key()).env("BINANCE_API_SECRET", key.secret()).stdout(Stdio::piped());
    let (mut child, ready) = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        wait_for_line(&mut child, "[executor] account OK");
        let ready = child.id().to_string();
        (child, ready)
    })
    .await
    .unwrap();
    assert!(exchange.open_sockets() >= 2, "account and market streams");
    assert!(Command::new("kill").args(["-INT", &ready]).status().unwrap().success());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(status.success());
    let owner = fs::read_to_string(temp.join("d/owner.json")).unwrap();
    assert!(owner.contains("binance-loopback"), "{owner}");
    let output = executor(&temp, &["--state-dir", "d", "--bars", "5"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "its folder is not the embedded exchange's");
    exchange.shutdown().await;
}

#[cfg(unix)]
#[test]
fn a_signal_stops_it_within_five_seconds_and_the_run_can_go_on() {
    let temp = Temp::new("signal");
    let mut child =
        executor(&temp, &["--state-dir", "d", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    wait_for_line(&mut child, "[executor] account OK");
    let asked_at = Instant::now();
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let status = child.wait().unwrap();
    assert!(asked_at.elapsed() < Duration::from_secs(5), "{:?}", asked_at.elapsed());
    assert!(status.success());
    assert!(temp.join("d/report.html").exists());
    let journal = fs::read_to_string(temp.join("d/journal/00000000000000000000.jsonl")).unwrap();
    assert!(journal.lines().last().unwrap().contains("run_stopped"));
}

fn wait_for_line(child: &mut Child, start: &str) {
    let stdout = child.stdout.take().unwrap();
    let mut lines = BufReader::new(stdout).lines();
    let found = lines.any(|line| line.unwrap().starts_with(start));
    assert!(found, "{start} was never printed");
    // The rest must be read, or the program waits for us.
    std::thread::spawn(move || lines.for_each(drop));
}

#[test]
fn the_listen_key_is_renewed_in_time_on_a_fast_clock() {
    let temp = Temp::new("fast");
    // Three venue hours in under twenty seconds.
    let args = ["--state-dir", "d", "--bars", "12", "--speed", "600"];
    let output = executor(&temp, &args).output().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    let lines = lines(&output);
    let bad: Vec<&String> =
        lines.iter().filter(|line| line.contains("listen key") || line.contains("POSTURE")).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let output = executor(&temp, &["--follow", "--speed", "1001"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", error(&output));
    assert!(error(&output).contains("0.01 to 1000"), "{}", error(&output));
}
