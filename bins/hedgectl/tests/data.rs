//! `hedgectl data fetch` against a server on loopback with the layout of the public archive.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers fail the test that calls them")]

mod support;

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use flate2::read::MultiGzDecoder;
use hedge_core::{Clock, Interval, Symbol, Timestamp};
use hedge_desk::fetch::{FetchError, FetchPlan, Fetched, Kind, fetch};
use serde_json::Value;
use support::{
    Folder, Run,
    dumps::{Dumps, QUARTER_MS, csv, quarters},
    hedgectl_in, without_our_variables,
};

const MONTHLY: &str = "monthly/klines/BTCUSDT/15m";
const DAILY: &str = "daily/klines/BTCUSDT/15m";
const FEBRUARY: usize = 29 * 96;

fn ms(day: &str) -> i64 {
    format!("{day}T00:00:00.000Z").parse::<Timestamp>().unwrap().ms()
}

/// February 2024 as one archive.
fn february(dumps: &Dumps) -> Vec<[i64; 6]> {
    let rows = quarters(ms("2024-02-01"), FEBRUARY);
    dumps.put(MONTHLY, "BTCUSDT-15m-2024-02", &csv(&rows));
    rows
}

fn run(folder: &Folder, dumps: &Dumps, more: &[&str]) -> Run {
    let url = dumps.url();
    let mut line = vec!["data", "fetch", "binance", "--symbol", "BTCUSDT", "--interval", "15m", "--out", "d"];
    line.extend(["--base-url", &url, "--api-url", &url]);
    line.extend(more);
    hedgectl_in(folder, &line)
}

const IN_FEBRUARY: [&str; 4] = ["--from", "2024-02-01", "--to", "2024-03-01"];

fn summary(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.stderr);
    serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap()
}

fn one_error_line(run: &Run, code: i32) -> String {
    assert_eq!(run.code, code, "{}", run.stderr);
    let errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", run.stderr);
    errors[0].to_owned()
}

fn content(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_month_comes_with_its_checksum_a_backtest_plays_it_and_it_is_not_asked_for_again() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = february(&dumps);
    let fetched = summary(&run(&folder, &dumps, &IN_FEBRUARY));
    assert_eq!((&fetched["downloaded"], &fetched["api_rows"]), (&1.into(), &0.into()));
    assert_eq!(fetched["missing"], Value::Array(Vec::new()));
    let zip = format!("/data/futures/um/{MONTHLY}/BTCUSDT-15m-2024-02.zip");
    assert_eq!(dumps.asked(), [format!("{zip}.CHECKSUM"), zip]);
    let klines = folder.0.join("d/klines_15m");
    assert_eq!(names(&klines), ["BTCUSDT-15m-2024-02.csv.gz"]);
    assert_eq!(content(&klines.join("BTCUSDT-15m-2024-02.csv.gz")), csv(&rows));

    let played = summary(&hedgectl_in(&folder, &["backtest", "--data", "d", "--symbols", "BTCUSDT"]));
    assert_eq!((&played["bars"], &played["gaps"]), (&FEBRUARY.into(), &0.into()));

    let again = summary(&run(&folder, &dumps, &IN_FEBRUARY));
    assert_eq!((&again["downloaded"], &again["kept"]), (&0.into(), &1.into()));
    assert!(dumps.asked().is_empty());
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_stopped() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = february(&dumps);
    let zip = format!("{MONTHLY}/BTCUSDT-15m-2024-02.zip");
    dumps.cut(&zip, 10_000);
    let fetched = summary(&run(&folder, &dumps, &IN_FEBRUARY));
    assert_eq!(fetched["bytes"], dumps.file(&zip).len());
    assert_eq!(dumps.asked()[2], format!("/data/futures/um/{zip} bytes=10000-"));
    assert_eq!(content(&folder.0.join("d/klines_15m/BTCUSDT-15m-2024-02.csv.gz")), csv(&rows));
}

#[test]
fn a_part_that_an_ended_process_left_is_used_and_a_wrong_one_is_not() {
    for (is_right, requests) in [(true, 2), (false, 3)] {
        let (folder, dumps) = (Folder::new(), Dumps::start());
        let rows = february(&dumps);
        let zip = format!("{MONTHLY}/BTCUSDT-15m-2024-02.zip");
        let mut part = dumps.file(&zip)[..20_000].to_vec();
        if !is_right {
            part[7] ^= 1;
        }
        fs::create_dir_all(folder.0.join("d/klines_15m")).unwrap();
        fs::write(folder.0.join("d/klines_15m/.BTCUSDT-15m-2024-02.zip.part"), part).unwrap();
        summary(&run(&folder, &dumps, &IN_FEBRUARY));
        let asked = dumps.asked();
        assert_eq!(asked.len(), requests, "{asked:?}");
        assert!(asked[1].ends_with("bytes=20000-"), "{asked:?}");
        assert_eq!(names(&folder.0.join("d/klines_15m")), ["BTCUSDT-15m-2024-02.csv.gz"]);
        assert_eq!(content(&folder.0.join("d/klines_15m/BTCUSDT-15m-2024-02.csv.gz")), csv(&rows));
    }
}

#[test]
fn a_server_without_parts_sends_the_whole_again() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = february(&dumps);
    dumps.ignore_ranges();
    dumps.cut(&format!("{MONTHLY}/BTCUSDT-15m-2024-02.zip"), 10_000);
    summary(&run(&folder, &dumps, &IN_FEBRUARY));
    assert_eq!(dumps.asked().len(), 3);
    assert_eq!(content(&folder.0.join("d/klines_15m/BTCUSDT-15m-2024-02.csv.gz")), csv(&rows));
}

#[cfg(unix)]
#[test]
fn an_interrupted_download_is_gone_on_with() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = february(&dumps);
    dumps.stall(&format!("{MONTHLY}/BTCUSDT-15m-2024-02.zip"), 30_000);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedgectl"));
    without_our_variables(&mut command);
    let url = dumps.url();
    let mut line = vec!["data", "fetch", "binance", "--symbol", "BTCUSDT", "--out", "d", "--base-url", &url];
    line.extend(IN_FEBRUARY);
    let child = command
        .args(line)
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let part = folder.0.join("d/klines_15m/.BTCUSDT-15m-2024-02.zip.part");
    let begun = Instant::now();
    while fs::metadata(&part).map_or(0, |meta| meta.len()) < 30_000 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing came");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: interrupted; finished files are kept, run the same command again"),
        "{stderr}"
    );
    dumps.asked();
    summary(&run(&folder, &dumps, &IN_FEBRUARY));
    assert!(dumps.asked()[1].ends_with("bytes=30000-"));
    assert_eq!(content(&folder.0.join("d/klines_15m/BTCUSDT-15m-2024-02.csv.gz")), csv(&rows));
}

#[test]
fn an_archive_that_is_none_is_refused_by_name_although_its_checksum_is_right() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    dumps.put_with_checksum(MONTHLY, "BTCUSDT-15m-2024-02", b"<html>maintenance</html>".to_vec());
    let error = one_error_line(&run(&folder, &dumps, &IN_FEBRUARY), 1);
    assert!(error.contains("BTCUSDT-15m-2024-02.zip cannot be unpacked: it is not a zip archive"), "{error}");
    assert!(names(&folder.0.join("d/klines_15m")).is_empty());
}

#[test]
fn a_file_that_its_checksum_is_not_of_is_refused_by_name_and_others_stay() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    dumps.put(MONTHLY, "BTCUSDT-15m-2024-01", &csv(&quarters(ms("2024-01-01"), 31 * 96)));
    february(&dumps);
    let mut bad = dumps.file(&format!("{MONTHLY}/BTCUSDT-15m-2024-02.zip"));
    bad[100] ^= 1;
    dumps.put_file(&format!("{MONTHLY}/BTCUSDT-15m-2024-02.zip"), bad);
    let ran = run(&folder, &dumps, &["--from", "2024-01-01", "--to", "2024-03-01", "--jobs", "1"]);
    let error = one_error_line(&ran, 1);
    assert!(error.contains("BTCUSDT-15m-2024-02.zip is damaged: its SHA-256 is "), "{error}");
    assert!(ran.stderr.contains("BTCUSDT-15m-2024-02.zip: the checksum is wrong, downloading once more"));
    assert_eq!(names(&folder.0.join("d/klines_15m")), ["BTCUSDT-15m-2024-01.csv.gz"]);
    assert_eq!(dumps.asked().iter().filter(|asked| asked.ends_with("2024-02.zip")).count(), 2);
}

#[test]
fn a_month_that_is_not_there_comes_day_by_day_and_a_day_that_is_not_there_from_the_api() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = quarters(ms("2024-02-01"), FEBRUARY);
    for (day, of_day) in rows.chunks(96).enumerate().filter(|(day, _)| *day != 9) {
        dumps.put(DAILY, &format!("BTCUSDT-15m-2024-02-{:02}", day + 1), &csv(of_day));
    }
    dumps.serve_klines("BTCUSDT", rows.clone());
    let ran = run(&folder, &dumps, &IN_FEBRUARY);
    let fetched = summary(&ran);
    assert_eq!((&fetched["downloaded"], &fetched["api_rows"]), (&28.into(), &96.into()));
    assert!(ran.stderr.contains("BTCUSDT klines 15m: 96 rows from the API"), "{}", ran.stderr);
    let from_api = folder.0.join("d/klines_15m/BTCUSDT-15m-20240210T0000_20240211T0000-rest.csv.gz");
    assert_eq!(content(&from_api), csv(&rows[9 * 96..10 * 96]), "the API's rows in the archive's columns");
    let played = summary(&hedgectl_in(&folder, &["backtest", "--data", "d", "--symbols", "BTCUSDT"]));
    assert_eq!((&played["bars"], &played["gaps"]), (&FEBRUARY.into(), &0.into()));
}

#[test]
fn days_that_only_the_months_archive_has_come_from_there() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    february(&dumps);
    let fetched = summary(&run(&folder, &dumps, &["--from", "2024-02-10", "--to", "2024-02-12"]));
    assert_eq!((&fetched["downloaded"], &fetched["api_rows"]), (&1.into(), &0.into()));
    assert_eq!(names(&folder.0.join("d/klines_15m")), ["BTCUSDT-15m-2024-02.csv.gz"]);
    dumps.asked();
    summary(&run(&folder, &dumps, &["--from", "2024-02-10", "--to", "2024-02-12"]));
    assert!(dumps.asked().is_empty(), "the days are there");
}

#[test]
fn holes_in_an_archive_are_filled_from_the_api_and_those_that_nobody_can_fill_are_named() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = quarters(ms("2024-02-01"), FEBRUARY);
    let lacks = |at: usize| (100..110).contains(&at) || (500..505).contains(&at);
    let archived: Vec<[i64; 6]> =
        rows.iter().enumerate().filter(|(at, _)| !lacks(*at)).map(|(_, row)| *row).collect();
    dumps.put(MONTHLY, "BTCUSDT-15m-2024-02", &csv(&archived));
    dumps.serve_klines("BTCUSDT", rows[..200].to_vec());
    let ran = run(&folder, &dumps, &IN_FEBRUARY);
    let fetched = summary(&ran);
    assert_eq!(fetched["api_rows"], 10);
    let missing = fetched["missing"].as_array().unwrap();
    assert_eq!(missing.len(), 1);
    assert_eq!(
        (&missing[0]["candles"], &missing[0]["from"]),
        (&5.into(), &"2024-02-06T05:00:00.000Z".into())
    );
    assert!(
        ran.stderr.contains("warning: 5 klines of BTCUSDT are missing from 2024-02-06T05:00"),
        "{}",
        ran.stderr
    );
    let played = summary(&hedgectl_in(&folder, &["backtest", "--data", "d", "--symbols", "BTCUSDT"]));
    assert_eq!((&played["bars"], &played["gaps"]), (&(FEBRUARY - 5).into(), &1.into()));
}

#[test]
fn funding_comes_from_archives_and_the_api_and_a_backtest_pays_it() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    february(&dumps);
    dumps.put(MONTHLY, "BTCUSDT-15m-2024-03", &csv(&quarters(ms("2024-03-01"), 31 * 96)));
    let row = |i: i64| format!("{},8,0.0001\n", ms("2024-02-01") + i * 28_800_000 + 7);
    let february = format!(
        "calc_time,funding_interval_hours,last_funding_rate\n{}",
        (0..87).map(row).collect::<String>()
    );
    dumps.put("monthly/fundingRate/BTCUSDT", "BTCUSDT-fundingRate-2024-02", &february);
    dumps.serve_funding((0..93).map(|i| (ms("2024-03-01") + i * 28_800_000, "0.00020000")).collect());
    let months = ["--from", "2024-02-01", "--to", "2024-04-01", "--kind", "klines,fundingRate"];
    let fetched = summary(&run(&folder, &dumps, &months));
    assert_eq!((&fetched["downloaded"], &fetched["api_rows"]), (&3.into(), &93.into()));
    let files = names(&folder.0.join("d/funding"));
    assert_eq!(files[0], "BTCUSDT-fundingRate-2024-02.csv.gz");
    assert_eq!(files[1], "BTCUSDT-fundingRate-20240301T0000_20240331T1600-rest.csv.gz");
    assert!(
        content(&folder.0.join("d/funding").join(&files[1]))
            .contains("\n1709280000000,8,0.00020000,60000.0\n")
    );
    let played = summary(&hedgectl_in(&folder, &["backtest", "--data", "d", "--symbols", "BTCUSDT"]));
    assert_eq!(played["funding_files"].as_array().unwrap().len(), 2);
}

#[test]
fn a_folder_that_cannot_be_written_is_one_line_before_anything_is_asked() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    february(&dumps);
    folder.write("d", "a file, not a folder");
    let error = one_error_line(&run(&folder, &dumps, &IN_FEBRUARY), 1);
    assert!(error.contains("writing d failed: writing into d failed: "), "{error}");
    assert!(dumps.asked().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line_that_names_the_file() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    february(&dumps);
    fs::create_dir_all(folder.0.join("d/klines_15m")).unwrap();
    let part = folder.0.join("d/klines_15m/.BTCUSDT-15m-2024-02.zip.part");
    std::os::unix::fs::symlink("/dev/full", part).unwrap();
    let error = one_error_line(&run(&folder, &dumps, &IN_FEBRUARY), 1);
    assert!(
        error.contains("writing d/klines_15m/.BTCUSDT-15m-2024-02.zip.part failed: No space left"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_in_one_line() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let check = |more: &[&str], expected: &str| {
        let error = one_error_line(&run(&folder, &dumps, more), 2);
        assert!(error.contains(expected), "{error}");
    };
    check(&["--from", "2024-03-01", "--to", "2024-02-01"], "is not before --to");
    check(&["--from", "2124-03-01", "--to", "2124-04-01"], "is in the future");
    check(
        &["--from", "2024-03-01", "--to", "2024-04-01", "--kind", "candles"],
        "expected one of klines, mark",
    );
    check(&["--from", "2024-03-01", "--to", "2024-04-01", "--jobs", "0"], "--jobs");
    for symbol in ["../../x", "a\\b", ".x"] {
        check(&["--from", "2024-03-01", "--to", "2024-04-01", "--symbol", symbol], "is no symbol");
    }
    assert!(dumps.asked().is_empty());
}

#[test]
fn a_symbol_that_nobody_has_is_one_line() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let error = one_error_line(&run(&folder, &dumps, &["--from", "2024-02-01", "--to", "2024-02-02"]), 1);
    assert!(error.contains("no klines of BTCUSDT between --from and --to"), "{error}");
}

/// A clock that stands still.
#[derive(Debug)]
struct Stopped(Timestamp);

#[async_trait::async_trait]
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
    async fn sleep_until(&self, _deadline: Timestamp) {
        tokio::task::yield_now().await;
    }
}

fn fetched_at(folder: &Folder, dumps: &Dumps, now_ms: i64) -> Result<Fetched, FetchError> {
    fetched_from("2024-02-27", folder, dumps, now_ms)
}

fn fetched_from(from: &str, folder: &Folder, dumps: &Dumps, now_ms: i64) -> Result<Fetched, FetchError> {
    let plan = FetchPlan {
        kinds: vec![Kind::Klines],
        symbols: vec![Symbol::parse("BTCUSDT").unwrap()],
        interval: Interval::M15,
        from: Timestamp::from_ms(ms(from)),
        to: Timestamp::from_ms(ms("2024-03-01")),
        out: folder.0.join("d"),
        archive_url: dumps.url(),
        api_url: Some(dumps.url()),
        jobs: 2,
        pause: Duration::from_millis(1),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fetch(&plan, Arc::new(Stopped(Timestamp::from_ms(now_ms)))))
}

#[test]
fn what_the_api_gave_before_it_failed_is_kept_in_files_of_some_pages_and_the_next_call_goes_on() {
    const PAGE: usize = 1_500;
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = quarters(ms("2023-03-01"), 366 * 96);
    dumps.serve_klines("BTCUSDT", rows.clone());
    dumps.refuse_klines_after(Some(21));
    let now_ms = ms("2024-03-02");
    let error = fetched_from("2023-03-01", &folder, &dumps, now_ms).unwrap_err();
    assert!(matches!(error, FetchError::Rest { .. }), "{error}");
    let data = folder.0.join("d/klines_15m");
    let in_files = || -> Vec<usize> {
        names(&data).iter().map(|name| content(&data.join(name)).lines().count() - 1).collect()
    };
    assert_eq!(in_files(), [20 * PAGE, PAGE], "the page before the failure is kept, too");
    dumps.refuse_klines_after(None);
    dumps.asked();
    let fetched = fetched_from("2023-03-01", &folder, &dumps, now_ms).unwrap();
    assert_eq!((fetched.api_rows, fetched.missing.len()), (rows.len() - 21 * PAGE, 0));
    let asked = dumps.asked().iter().filter(|asked| asked.contains("/fapi/v1/klines")).count();
    assert_eq!(asked, (rows.len() - 21 * PAGE).div_ceil(PAGE), "only what was missing is asked for");
    assert_eq!(in_files().iter().sum::<usize>(), rows.len());
    let times = |name: &String| -> Vec<i64> {
        let lines = content(&data.join(name));
        lines.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
    };
    let all: Vec<i64> = names(&data).iter().flat_map(times).collect();
    assert_eq!(all, rows.iter().map(|row| row[0]).collect::<Vec<_>>(), "each candle once, in order");
}

#[test]
fn the_candle_that_is_still_going_on_is_left_out_and_the_archive_replaces_the_api_later() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = quarters(ms("2024-02-27"), 3 * 96);
    let day = |day: usize| csv(&rows[day * 96..(day + 1) * 96]);
    dumps.put(DAILY, "BTCUSDT-15m-2024-02-27", &day(0));
    dumps.serve_klines("BTCUSDT", rows.clone());
    // At 12:05 the candle of 12:00 goes on.
    let fetched = fetched_at(&folder, &dumps, ms("2024-02-28") + 48 * QUARTER_MS + 300_000).unwrap();
    assert_eq!((fetched.downloaded, fetched.api_rows, fetched.missing.len()), (1, 48, 0));
    // An hour later the rest is fetched, in another file.
    let fetched = fetched_at(&folder, &dumps, ms("2024-02-28") + 52 * QUARTER_MS + 300_000).unwrap();
    assert_eq!((fetched.downloaded, fetched.kept, fetched.api_rows), (0, 1, 4));
    // On the day after the archive has it.
    dumps.put(DAILY, "BTCUSDT-15m-2024-02-28", &day(1));
    let fetched = fetched_at(&folder, &dumps, ms("2024-02-29") + QUARTER_MS).unwrap();
    assert_eq!((fetched.downloaded, fetched.kept, fetched.api_rows), (1, 1, 1));
    assert_eq!(
        names(&folder.0.join("d/klines_15m")),
        [
            "BTCUSDT-15m-2024-02-27.csv.gz",
            "BTCUSDT-15m-2024-02-28.csv.gz",
            "BTCUSDT-15m-20240229T0000_20240229T0015-rest.csv.gz"
        ]
    );
}

#[test]
fn a_server_that_stays_away_is_an_error_that_says_what_to_do() {
    let (folder, dumps) = (Folder::new(), Dumps::start());
    let rows = quarters(ms("2024-02-27"), 96);
    dumps.put(DAILY, "BTCUSDT-15m-2024-02-27", &csv(&rows));
    dumps.cut(&format!("{DAILY}/BTCUSDT-15m-2024-02-27.zip"), 0);
    // One empty answer is tried again.
    dumps.serve_klines("BTCUSDT", quarters(ms("2024-02-27"), 3 * 96));
    assert_eq!(fetched_at(&folder, &dumps, ms("2024-03-02")).unwrap().downloaded, 1);
    // A checksum that is none is not.
    let other = Folder::new();
    dumps.put_file(&format!("{DAILY}/BTCUSDT-15m-2024-02-27.zip.CHECKSUM"), b"<html>busy</html>".to_vec());
    let error = fetched_at(&other, &dumps, ms("2024-03-02")).unwrap_err().to_string();
    assert!(error.contains("found \"<html>busy</html>\", expected 64 hex digits"), "{error}");
    assert!(error.ends_with("run the same command again, it goes on where it stopped"), "{error}");
}
