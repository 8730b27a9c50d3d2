//! `hedgectl sweep` as a user runs it. Recorded data comes from HEDGE_TEST_DATA; without it, a made-up market is used.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers fail the test that calls them")]

mod support;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Folder, Run, hedgectl_in, recorded, without_our_variables};

const GRID: &str = "[strategies.btc_breakout]\nlookback_bars = [12, 24, 48]\nstop.atr = { from = 2.0, to = 3.0, step = 0.5 }\n";

/// A folder with made-up bars of BTCUSDT and ETHUSDT in `data`, and a grid.
fn stage(bars: usize, grid: &str) -> Folder {
    let folder = Folder::new();
    for (symbol, price, seed) in [("BTCUSDT", 600_000_i64, 11), ("ETHUSDT", 300_000, 5)] {
        folder.write(&format!("data/{symbol}-15m-2026.csv"), &support::klines(bars, price, seed));
    }
    folder.write("grid.toml", grid);
    folder
}

fn sweep(folder: &Folder, more: &[&str]) -> Run {
    let mut line = vec!["sweep", "--data", "data", "--symbols", "BTCUSDT"];
    line.extend(more);
    hedgectl_in(folder, &line)
}

fn summary(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    serde_json::from_str(run.stdout.trim_end()).unwrap()
}

fn error_line(run: &Run, code: i32) -> String {
    assert_eq!(run.code, code, "{}", run.stderr);
    let errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", run.stderr);
    errors[0].to_owned()
}

#[test]
fn a_trial_is_the_very_backtest_that_hedgectl_backtest_plays() {
    let folder = stage(1_500, "\"strategies.btc_breakout.lookback_bars\" = [24, 30]\n");
    let swept = sweep(&folder, &["--grid", "grid.toml", "--out", "o"]);
    summary(&swept);
    let rows: Value = serde_json::from_str(&folder.read("o/results.json")).unwrap();
    let alone = hedgectl_in(&folder, &["backtest", "--data", "data", "--symbols", "BTCUSDT"]);
    let alone = summary(&alone);
    let figures = &rows["rows"][0]["figures"];
    for key in ["nav_start", "nav_end", "realised", "unrealised", "fees_paid", "funding_net"] {
        assert_eq!(figures[key], alone[key], "{key}");
    }
    for key in ["orders", "fills", "vetoes", "hedged_bars"] {
        assert_eq!(figures[key], alone[key], "{key}");
    }
    assert!(alone["orders"].as_u64().unwrap() > 20, "{alone}");
    assert_ne!(rows["rows"][1]["figures"], *figures, "another parameter, another result");
}

#[test]
fn the_files_are_the_same_bytes_whatever_the_number_of_threads() {
    let folder = stage(1_500, GRID);
    let first = sweep(&folder, &["--grid", "grid.toml", "--out", "a", "--jobs", "1", "--walk-forward", "3"]);
    let second = sweep(&folder, &["--grid", "grid.toml", "--out", "b", "--jobs", "3", "--walk-forward", "3"]);
    assert_eq!(summary(&first), summary(&second));
    for name in ["results.csv", "results.json", "report.html"] {
        assert_eq!(folder.read(&format!("a/{name}")), folder.read(&format!("b/{name}")), "{name}");
    }
    let mut names: Vec<String> = fs::read_dir(folder.0.join("a"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["report.html", "results.csv", "results.json"], "nothing unfinished is left");
    let csv = folder.read("a/results.csv");
    assert_eq!(csv.lines().count(), 10);
    let begin =
        "combination,status,strategies.btc_breakout.lookback_bars,strategies.btc_breakout.stop.atr,sharpe,";
    assert!(csv.starts_with(begin), "{csv}");
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert!(columns.iter().all(|count| *count == columns[0]), "{csv}");
    let page = folder.read("a/report.html");
    for outside in ["http://", "https://", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn windows_choose_on_the_past_and_are_judged_by_a_backtest_of_what_came_after() {
    let folder = stage(1_700, GRID);
    let swept = summary(&sweep(&folder, &["--grid", "grid.toml", "--walk-forward", "2"]));
    let folds = swept["walk_forward"]["folds"].as_array().unwrap();
    assert_eq!(folds.len(), 2);
    assert_eq!(folds[0]["test_to"], folds[1]["cut"]);
    assert_eq!((&folds[0]["train_from"], &folds[1]["test_to"]), (&swept["from"], &swept["to"]));
    // The test of the last window is the backtest that anybody can repeat: its bars with the history before them.
    let chosen = &folds[1]["parameters"];
    let lookback = &chosen["strategies.btc_breakout.lookback_bars"];
    let stop = &chosen["strategies.btc_breakout.stop.atr"];
    folder.write(
        "one.toml",
        &format!("\"strategies.btc_breakout.lookback_bars\" = [{lookback}]\n\"strategies.btc_breakout.stop.atr\" = [{stop}]\n"),
    );
    let cut: hedge_core::Timestamp = folds[1]["cut"].as_str().unwrap().parse().unwrap();
    let from = hedge_core::Timestamp::from_ms(cut.ms() - 500 * 900_000).to_string();
    let alone = summary(&sweep(&folder, &["--grid", "one.toml", "--from", &from, "--returns", "hour"]));
    assert_eq!(alone["from"], folds[1]["cut"], "500 bars of history come before the cut");
    let best = &alone["best"];
    assert_eq!(best["return_pct"], folds[1]["test_return_pct"]);
    assert_eq!(best["orders"], folds[1]["test_orders"]);
}

#[test]
fn a_sample_is_drawn_by_its_seed() {
    let folder = stage(1_200, GRID);
    let drawn = |seed: &str| {
        let swept = sweep(&folder, &["--grid", "grid.toml", "--random", "4", "--seed", seed, "--out", seed]);
        assert_eq!(summary(&swept)["combinations"], 4);
        folder.read(&format!("{seed}/results.csv"))
    };
    let first = drawn("1");
    fs::remove_dir_all(folder.0.join("1")).unwrap();
    assert_eq!(first, drawn("1"));
    assert_ne!(first, drawn("2"));
    let around = summary(&sweep(&folder, &["--random", "3", "--seed", "9"]));
    assert_eq!(around["combinations"], 3);
    assert!(around["refused"].as_u64().unwrap() < 3, "{around}");
}

#[test]
fn combinations_that_the_configuration_refuses_are_rows_with_a_reason() {
    let folder = stage(1_200, "[strategies.eth_momentum]\nema_fast = [12, 60]\nema_slow = [48, 90]\n");
    let line = ["sweep", "--data", "data", "--symbols", "ETHUSDT", "--grid", "grid.toml", "--out", "o"];
    let swept = summary(&hedgectl_in(&folder, &line));
    assert_eq!((&swept["played"], &swept["refused"]), (&3.into(), &1.into()));
    let csv = folder.read("o/results.csv");
    let refused = csv.lines().find(|line| line.contains(",refused,60,48,")).unwrap();
    assert!(refused.contains("ema_fast"), "{refused}");
}

#[test]
fn what_cannot_be_swept_is_one_line() {
    let folder = stage(1_200, GRID);
    let check = |grid: &str, more: &[&str], code: i32, expected: &str| {
        folder.write("bad.toml", grid);
        let mut line = vec!["--grid", "bad.toml"];
        line.extend(more);
        let error = error_line(&sweep(&folder, &line), code);
        assert!(error.contains(expected), "{error}");
    };
    check(
        "strategies.btc_breakout.lokback_bars = [1]\n",
        &[],
        78,
        "unknown key; nearest valid key: lookback_bars",
    );
    check("strategies.btc_breakout.lookback_bars = 12\n", &[], 78, "expected a list such as [1, 2, 3]");
    check(
        "strategies.btc_breakout.lookback_bars = [0, 1]\n",
        &[],
        78,
        "none of 2 combinations can be used; the first is refused",
    );
    check(
        "strategies.btc_breakout.lookback_bars = [12]\n",
        &["--walk-forward", "100"],
        2,
        "expected at least 1010",
    );
    let huge = "[strategies.btc_breakout]\nlookback_bars = { from = 2, to = 5000, step = 1 }\nstop.atr = { from = 0.1, to = 50, step = 0.1 }\n";
    check(huge, &[], 78, "2499500 combinations, expected at most 100000; draw some of them with --random N");
    let none = error_line(&sweep(&folder, &[]), 2);
    assert!(none.contains("--grid"), "{none}");
    let absent = error_line(&sweep(&folder, &["--grid", "nope.toml"]), 78);
    assert!(absent.contains("nope.toml cannot be read"), "{absent}");
}

/// Starts a sweep that takes a while, waits until some rows are finished, and interrupts it.
#[cfg(unix)]
fn interrupted(folder: &Folder, signal: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedgectl"));
    without_our_variables(&mut command);
    let line = [
        "sweep",
        "--data",
        "data",
        "--symbols",
        "BTCUSDT",
        "--grid",
        "grid.toml",
        "--out",
        "o",
        "--jobs",
        "1",
    ];
    let mut child: Child = command
        .args(line)
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let rows =
        || fs::read_to_string(folder.0.join("o/unfinished.jsonl")).map_or(0, |text| text.lines().count());
    let begun = Instant::now();
    while rows() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no row was finished");
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        thread::sleep(Duration::from_millis(10));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_goes_on_and_ends_as_if_nothing_had_happened() {
    let folder =
        stage(6_000, "\"strategies.btc_breakout.lookback_bars\" = { from = 10, to = 49, step = 1 }\n");
    let (code, stderr) = interrupted(&folder, "-INT");
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("of 40 combinations; they are kept in o, go on with --resume"), "{stderr}");
    let again = error_line(&sweep(&folder, &["--grid", "grid.toml", "--out", "o"]), 1);
    assert!(
        again.contains("o/unfinished.jsonl holds the rows of an unfinished sweep; go on with --resume"),
        "{again}"
    );
    folder.write("other.toml", "\"strategies.btc_breakout.lookback_bars\" = [5]\n");
    let other = error_line(&sweep(&folder, &["--grid", "other.toml", "--out", "o", "--resume"]), 1);
    assert!(other.contains("another grid, configuration, data or version"), "{other}");
    let resumed = summary(&sweep(&folder, &["--grid", "grid.toml", "--out", "o", "--resume"]));
    let whole = summary(&sweep(&folder, &["--grid", "grid.toml", "--out", "w"]));
    assert_eq!(resumed, whole);
    for name in ["results.csv", "results.json", "report.html"] {
        assert_eq!(folder.read(&format!("o/{name}")), folder.read(&format!("w/{name}")), "{name}");
    }
    assert!(!folder.0.join("o/unfinished.jsonl").exists());
}

#[test]
fn recorded_bars_give_a_best_one_that_is_told_apart_from_luck() {
    let Some(data) = recorded("binance_um/klines_15m") else { return };
    let folder = Folder::new();
    folder.write("grid.toml", "\"strategies.btc_breakout.lookback_bars\" = [12, 24, 48]\n");
    let line = [
        "sweep",
        "--data",
        &data,
        "--symbols",
        "BTCUSDT",
        "--grid",
        "grid.toml",
        "--from",
        "2024-03-01",
        "--to",
        "2024-06-01",
        "--walk-forward",
        "2",
    ];
    let swept = summary(&hedgectl_in(&folder, &line));
    assert_eq!((&swept["played"], &swept["returns"]), (&3.into(), &"day".into()));
    let dsr = swept["best"]["dsr"].as_f64().unwrap();
    let psr = swept["best"]["psr"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&dsr) && dsr <= psr, "{swept}");
    assert!(Path::new(&data).is_dir());
}
