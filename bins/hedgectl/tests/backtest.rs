//! `hedgectl backtest` as a user runs it. Recorded data comes from HEDGE_TEST_DATA; without it, a made-up market is used.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers fail the test that calls them")]

mod support;

use rust_decimal::Decimal;
use serde_json::Value;
use support::{Folder, Run, hedgectl, recorded};

const KEYS: [&str; 16] = [
    "events",
    "seconds",
    "events_per_s",
    "orders",
    "fills",
    "vetoes",
    "hedged_bars",
    "nav_start",
    "nav_end",
    "realised",
    "unrealised",
    "fees_paid",
    "funding_net",
    "funding_files",
    "max_drawdown_pct",
    "journal_sha256",
];

fn summary(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    serde_json::from_str(run.stdout.trim_end()).unwrap()
}

fn money(summary: &Value, key: &str) -> Decimal {
    summary[key].as_str().unwrap_or_else(|| panic!("{key} is not text: {summary}")).parse().unwrap()
}

fn assert_balanced(summary: &Value) {
    let part = |key| money(summary, key);
    assert_eq!(
        part("nav_start") + part("realised") + part("unrealised") - part("fees_paid") + part("funding_net"),
        part("nav_end"),
        "{summary}"
    );
}

#[test]
fn the_last_line_holds_every_key_with_money_as_text_and_counts_as_numbers() {
    let data = Folder::with_klines(1_200);
    let run = hedgectl(&["backtest", "--data", data.path()]);
    let summary = summary(&run);
    let keys: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    for key in KEYS {
        assert!(keys.contains(&key), "{key} is missing");
    }
    for key in ["events", "orders", "fills", "vetoes", "hedged_bars"] {
        assert!(summary[key].is_u64(), "{key}");
    }
    for key in ["seconds", "events_per_s", "max_drawdown_pct"] {
        assert!(summary[key].is_number(), "{key}");
    }
    assert_balanced(&summary);
    assert!(summary["fills"].as_u64().unwrap() > 0);
    assert_eq!(summary["journal_sha256"].as_str().unwrap().len(), 64);
    // No funding files and no instruments folder: both are said.
    assert_eq!(summary["funding_files"], Value::Array(Vec::new()));
    assert!(run.stderr.contains("warning: no funding files"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("built-in table").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("net asset value at end"), "{}", run.stderr);
}

#[test]
fn with_json_the_table_is_left_out_and_the_line_stays() {
    let data = Folder::with_klines(700);
    let run = hedgectl(&["backtest", "--data", data.path(), "--json"]);
    summary(&run);
    assert!(!run.stderr.contains("net asset value"), "{}", run.stderr);
}

#[test]
fn the_same_backtest_gives_the_same_journal_wherever_it_is_written() {
    let data = Folder::with_klines(1_200);
    let elsewhere = Folder::with_klines(1_200);
    let out = Folder::new();
    let run = |data: &Folder, extra: &[&str]| {
        let mut args = vec!["backtest", "--json", "--data", data.path()];
        args.extend(extra);
        summary(&hedgectl(&args))["journal_sha256"].clone()
    };
    let first = run(&data, &[]);
    assert_eq!(first, run(&elsewhere, &["--out", out.path()]));
    assert_ne!(first, run(&data, &["--symbols", "BTCUSDT"]));
}

#[test]
fn the_out_folder_holds_what_the_summary_says() {
    let (data, out) = (Folder::with_klines(1_000), Folder::new());
    let run = hedgectl(&["backtest", "--json", "--data", data.path(), "--out", out.path()]);
    let summary = summary(&run);
    assert_eq!(out.read("summary.json"), run.stdout);
    let equity = out.read("equity.csv");
    assert!(equity.starts_with("time,equity_usdt,drawdown_pct,"), "{equity}");
    assert_eq!(equity.lines().count() as u64, 1 + 1_000 - summary["warmup_bars"].as_u64().unwrap());
    let last = equity.lines().last().unwrap().split(',').nth(1).unwrap().to_owned();
    assert_eq!(last.parse::<Decimal>().unwrap(), money(&summary, "nav_end"));
    let report = out.read("report.html");
    assert!(report.contains("<svg") && !report.contains("http://") && !report.contains("https://"));
    let verified = hedgectl(&["journal", "verify", "--state-dir", out.path()]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    // One changed letter is found.
    let changed = out.read("journal.jsonl").replacen("BTCUSDT", "BTCUSDX", 1);
    out.write("journal.jsonl", &changed);
    let verified = hedgectl(&["journal", "verify", "--state-dir", out.path()]);
    assert_eq!(
        (verified.code, verified.stderr.contains("summary.json says")),
        (1, true),
        "{}",
        verified.stderr
    );
}

#[test]
fn a_window_is_played_on_its_own() {
    let data = Folder::with_klines(1_500);
    // 2026-01-01 and 1,000 bars of 15 minutes after it.
    let args =
        ["backtest", "--json", "--data", data.path(), "--from", "2026-01-01", "--to", "2026-01-11 10:00"];
    assert_eq!(summary(&hedgectl(&args))["bars"], 2 * 1_000);
    let none = hedgectl(&["backtest", "--data", data.path(), "--from", "2030-01-01"]);
    assert_eq!((none.code, none.stderr.lines().last().unwrap().starts_with("error: no bars")), (1, true));
}

#[test]
fn bad_input_is_one_clear_line_and_an_exit_code() {
    let data = Folder::with_klines(600);
    let bad_file = Folder::new();
    bad_file.write("BTCUSDT-15m-bad.csv", "open_time,open\n1,2\n");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["backtest"], 2, "--data"),
        (&["backtest", "--data"], 2, "--data"),
        (&["backtest", "--data", "no-such-folder"], 1, "no-such-folder"),
        (&["backtest", "--data", data.path(), "--symbols", "BTCUSD"], 1, "BTCUSD"),
        (&["backtest", "--data", data.path(), "--from", "yesterday"], 2, "yesterday"),
        (&["backtest", "--data", data.path(), "--instruments", "nothing.json"], 1, "nothing.json"),
        (&["backtest", "--data", data.path(), "--config", "no-config"], 78, "no-config"),
        (&["backtest", "--data", bad_file.path()], 1, "BTCUSDT-15m-bad.csv"),
    ];
    for (args, code, word) in cases {
        let run = hedgectl(args);
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{args:?}: {}", run.stderr);
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{args:?}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(word), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn funding_beside_the_klines_is_paid_once_a_settlement_and_named() {
    let data = Folder::with_venue(1_500);
    let klines = data.0.join("venue/klines_15m").display().to_string();
    let venue = data.0.join("venue").display().to_string();
    let once = summary(&hedgectl(&["backtest", "--json", "--data", &klines]));
    assert_balanced(&once);
    assert_ne!(money(&once, "funding_net"), Decimal::ZERO);
    assert_eq!(once["funding_files"], serde_json::json!(["BTCUSDT-fundingRate-2026.csv"]));
    assert!(once["funding_mark_from_close"].as_u64().unwrap() > 0);
    // The venue's folder is the same data, and a second file with the same settlements changes nothing.
    let again = data.read("venue/funding/BTCUSDT-fundingRate-2026.csv").replace("7,8,", "3,8,");
    data.write("venue/funding/BTCUSDT-fundingRate-again.csv", &again);
    let twice = summary(&hedgectl(&["backtest", "--json", "--data", &venue]));
    assert_eq!(once["journal_sha256"], twice["journal_sha256"]);
    data.write("venue/funding/BTCUSDT-fundingRate-again.csv", &again.replacen("0.0001", "0.0002", 40));
    let run = hedgectl(&["backtest", "--json", "--data", &klines]);
    let error = run.stderr.lines().last().unwrap();
    assert_eq!((run.code, error.contains("-2026.csv") && error.contains("-again.csv")), (1, true), "{error}");
}

/// The shipped configuration on one recorded window.
fn assert_window_trades(from: &str, to: &str, btc_funding: &str) {
    let Some(data) = recorded("binance_um/klines_15m") else { return };
    let symbols = "BTCUSDT,ETHUSDT,SOLUSDT";
    let args = ["backtest", "--data", &data, "--symbols", symbols, "--from", from, "--to", to, "--json"];
    let run = hedgectl(&args);
    let summary = summary(&run);
    assert_balanced(&summary);
    assert!(summary["fills"].as_u64().unwrap() >= 200, "{summary}");
    assert!(summary["hedged_bars"].as_u64().unwrap() > 0, "{summary}");
    assert!(money(&summary, "fees_paid") > Decimal::ZERO);
    assert_ne!(money(&summary, "funding_net"), Decimal::ZERO);
    let files = summary["funding_files"].as_array().unwrap();
    assert!(files.iter().any(|file| file == btc_funding), "{summary}");
    assert!(run.stderr.contains(btc_funding), "the files are named: {}", run.stderr);
}

#[test]
fn the_shipped_configuration_trades_both_legs_in_the_crash_of_2022() {
    assert_window_trades("2022-05-01", "2022-07-01", "BTCUSDT-fundingRate-2022-05-01_2022-06-30.csv");
}

#[test]
fn the_shipped_configuration_trades_both_legs_in_2024() {
    assert_window_trades("2024-02-15", "2025-01-14", "BTCUSDT-fundingRate-2024-02-15_2025-02-28.csv");
}

#[test]
fn windows_are_joined_in_time_order_and_the_gap_is_counted() {
    let Some(data) = recorded("binance_um/klines_15m") else { return };
    let run = hedgectl(&["backtest", "--data", &data, "--symbols", "BTCUSDT", "--json"]);
    let summary = summary(&run);
    assert_balanced(&summary);
    assert_eq!((&summary["gaps"], &summary["bars"]), (&Value::from(1), &Value::from(5_856 + 32_064)));
    assert!(run.stderr.contains("57024 bars are missing"), "{}", run.stderr);
}

#[test]
fn a_single_file_is_enough() {
    let Some(data) = recorded("binance_um/klines_15m/BTCUSDT-15m-2022-05-01_2022-06-30.csv.gz") else {
        return;
    };
    let summary = summary(&hedgectl(&["backtest", "--data", &data, "--json"]));
    assert_balanced(&summary);
    assert_eq!(summary["symbols"], serde_json::json!(["BTCUSDT"]));
}
