//! The program as operators meet it: its lines, its files, its refusals.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use hedge_core::{Book, PositionKey, PositionSide, Seq};
use hedge_store::FileJournal;
use serde_json::Value;
use support::{Temp, executor, following::Following, json, market::klines, stderr, stdout};

fn run(temp: &Temp, args: &[&str]) -> Output {
    executor(temp, args).output().unwrap()
}

fn run_well(temp: &Temp, args: &[&str]) -> Vec<String> {
    let output = run(temp, args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// The object of a line, which must be compact: no blank outside of texts.
fn compact(line: &str, text: &str) -> Value {
    let (mut inside, mut escaped) = (false, false);
    for letter in text.chars() {
        match letter {
            '"' if !escaped => inside = !inside,
            blank if blank.is_whitespace() => assert!(inside, "not compact: {line}"),
            _ => {}
        }
        escaped = inside && letter == '\\' && !escaped;
    }
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// What follows a tag, of every line that begins with it.
fn after<'a>(lines: &'a [String], tag: &str) -> Vec<(&'a str, &'a str)> {
    lines.iter().filter_map(|line| Some((line.as_str(), line.strip_prefix(tag)?))).collect()
}

fn objects(lines: &[String], tag: &str) -> Vec<Value> {
    let found = after(lines, &format!("{tag} {{"));
    found.iter().map(|(line, rest)| compact(line, &format!("{{{rest}"))).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value}"))
}

fn is_one_of(value: &Value, key: &str, words: &[&str]) {
    assert!(words.contains(&text(value, key)), "{key} in {value}");
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

/// `[screener] SOLUSDT 15m z=+2.57 rsi=53.3 atr=0.011 cross_up=True cross_down=False in_trade=False side=-`
fn is_reading(line: &str, rest: &str) {
    let words: Vec<&str> = rest.split(' ').collect();
    let [symbol, timeframe, fields @ ..] = words.as_slice() else { panic!("{line}") };
    assert!(symbol.ends_with("USDT") && *timeframe == "15m", "{line}");
    let names: Vec<&str> = fields.iter().map(|field| field.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["z", "rsi", "atr", "cross_up", "cross_down", "in_trade", "side"], "{line}");
    let value = |at: usize| fields[at].split_once('=').unwrap().1;
    assert!(value(0) == "-" || (value(0).starts_with(['+', '-']) && is_number(value(0))), "{line}");
    assert!((1..3).all(|at| value(at) == "-" || is_number(value(at))), "{line}");
    assert!((3..6).all(|at| ["True", "False"].contains(&value(at))), "{line}");
    assert!(["-", "LONG", "SHORT", "LONG+SHORT"].contains(&value(6)), "{line}");
}

/// `[executor] account OK — futures=True testnet=False dry_run=False balances: [{…}] positions: 2`
fn is_account(line: &str, rest: &str) {
    let rest = rest
        .strip_prefix(" — futures=True testnet=False dry_run=False balances: ")
        .unwrap_or_else(|| panic!("{line}"));
    let (balances, positions) = rest.split_once(" positions: ").unwrap_or_else(|| panic!("{line}"));
    let balances = compact(line, balances);
    assert_eq!(text(&balances[0], "asset"), "USDT", "{line}");
    assert!(is_number(text(&balances[0], "balance")), "{line}");
    assert!(positions.parse::<u32>().is_ok(), "{line}");
}

/// What the venue answered to each request about an order, by client id.
fn answers(lines: &[String], tag: &str) -> Vec<(String, u16, Value)> {
    let parse = |(line, rest): &(&str, &str)| {
        let mut parts = rest.splitn(3, ' ');
        let (path, status) = (parts.next().unwrap(), parts.next().unwrap());
        (
            path.to_owned(),
            status.parse().unwrap_or_else(|_| panic!("{line}")),
            compact(line, parts.next().unwrap()),
        )
    };
    after(lines, &format!("{tag} ")).iter().map(parse).collect()
}

#[test]
fn without_arguments_but_a_length_it_prints_what_operators_grep() {
    let temp = Temp::new("default");
    let lines = run_well(&temp, &["--bars", "250"]);

    let tagged: Vec<&String> = lines.iter().filter(|line| line.starts_with('[')).collect();
    let first = tagged[0];
    assert!(first.starts_with("[preflight] profile=paper base=http://127.0.0.1:"), "{first}");
    assert!(first.ends_with(" testnet=False dry_run=False"), "{first}");
    assert_eq!(after(&lines, "[preflight]").len(), 1);

    let cycles = after(&lines, "[screener] attempted=");
    assert_eq!(cycles.len(), 250);
    for (line, rest) in cycles {
        let (attempted, emitted) = rest.split_once(" emitted=").unwrap();
        assert_eq!(attempted, "3", "{line}");
        assert!(emitted.parse::<u32>().is_ok_and(|emitted| emitted <= 3), "{line}");
    }
    let readings: Vec<_> =
        after(&lines, "[screener] ").into_iter().filter(|(_, rest)| !rest.starts_with("attempted")).collect();
    assert_eq!(readings.len(), 3 * 250, "three strategies read every closed bar once");
    readings.iter().for_each(|(line, rest)| is_reading(line, rest));
    let accounts = after(&lines, "[executor] account OK");
    assert!(accounts.len() > 10);
    accounts.iter().for_each(|(line, rest)| is_account(line, rest));

    let decisions = objects(&lines, "[decision]");
    assert!(decisions.len() >= 750);
    assert!(decisions.iter().all(|decision| decision["veto"].is_array()), "every decision says its vetoes");
    assert!(decisions.iter().any(|decision| decision["veto"].as_array().unwrap().is_empty()));
    let handed = objects(&lines, "[screener->executor]");
    let intents = objects(&lines, "[executor] INTENT");
    assert!(!intents.is_empty());
    assert_eq!(handed.len(), intents.len());
    for (handed, intent) in handed.iter().zip(&intents) {
        is_one_of(handed, "signal", &["BUY", "SELL"]);
        is_one_of(intent, "positionSide", &["LONG", "SHORT"]);
        assert_eq!(handed["symbol"], intent["symbol"]);
        assert!(text(intent, "symbol").ends_with("USDT"));
    }
    every_order_was_answered(&lines);
    the_run_left_its_files(&temp, &lines);
}

fn every_order_was_answered(lines: &[String]) {
    let mut plain = BTreeSet::new();
    let mut algo = BTreeSet::new();
    let sent = objects(lines, "[executor] SEND_ORDER");
    for order in &sent {
        is_one_of(order, "positionSide", &["LONG", "SHORT"]);
        is_one_of(order, "side", &["BUY", "SELL"]);
        assert!(order["reduceOnly"].is_null(), "hedge mode takes no reduceOnly: {order}");
        assert!(order["quantity"].is_string() != (order["closePosition"] == "true"), "{order}");
        match (&order["newClientOrderId"], &order["clientAlgoId"]) {
            (Value::String(id), Value::Null) => plain.insert(id.clone()),
            (Value::Null, Value::String(id)) => algo.insert(id.clone()),
            _ => panic!("{order}"),
        };
    }
    assert_eq!(plain.len() + algo.len(), sent.len(), "a client id was sent twice");
    assert!(!plain.is_empty() && !algo.is_empty());
    let mut answered = BTreeSet::new();
    for (path, status, body) in answers(lines, "[executor] ORDER_REQ") {
        assert_eq!(status, 200);
        let id = match path.as_str() {
            "/fapi/v1/order" => text(&body, "clientOrderId"),
            "/fapi/v1/algoOrder" => text(&body, "clientAlgoId"),
            other => panic!("{other}"),
        };
        let known = if path.ends_with("algoOrder") { &algo } else { &plain };
        assert!(known.contains(id), "{path} answered about {id}, which was never sent");
        answered.insert(id.to_owned());
    }
    for (path, status, body) in answers(lines, "[executor] ORDER_ERR") {
        assert!((400..600).contains(&status), "{path} {status} {body}");
        let id = body["newClientOrderId"]
            .as_str()
            .or(body["clientOrderId"].as_str())
            .or(body["clientAlgoId"].as_str());
        answered.extend(id.map(str::to_owned));
    }
    let silent: Vec<_> = plain.union(&algo).filter(|id| !answered.contains(*id)).collect();
    assert!(silent.is_empty(), "sent, but neither ORDER_REQ nor ORDER_ERR names them: {silent:?}");
}

/// Every view with the fields that operators read.
fn the_run_left_its_files(temp: &Temp, lines: &[String]) {
    let report = temp.join(lines.last().unwrap());
    assert!(report.is_file(), "the last line of stdout is the report's path: {:?}", lines.last());
    let html = fs::read_to_string(&report).unwrap();
    for outside in ["<script", "<link", "<img", "<iframe", "@import", "url(", "https://", "src="] {
        assert!(!html.contains(outside), "the report is not self-contained: {outside}");
    }
    let elsewhere =
        html.match_indices("http://").filter(|(at, _)| !html[*at..].starts_with("http://127.0.0.1"));
    assert_eq!(elsewhere.filter(|(at, _)| !html[*at..].starts_with("http://www.w3.org/")).count(), 0);
    assert!(html.contains("<svg") && html.contains("</html>"));
    for part in ["quity", "rawdown", "xposure", "rades", "etoes"] {
        assert!(html.contains(part), "the report says nothing about …{part}");
    }

    let dir = temp.join("state/paper/last");
    assert_eq!(
        fs::canonicalize(&dir).unwrap().parent(),
        Some(fs::canonicalize(temp.join("state/paper")).unwrap().as_path())
    );
    assert_eq!(fs::canonicalize(report.parent().unwrap()).unwrap(), fs::canonicalize(&dir).unwrap());
    let positions = json(&dir.join("positions.json"));
    for row in positions["positions"].as_array().unwrap() {
        let mut keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["entry", "mark", "qty", "side", "symbol", "uPnl"]);
        is_one_of(row, "side", &["LONG", "SHORT"]);
        assert!(
            keys.iter().filter(|key| !["side", "symbol"].contains(key)).all(|key| is_number(text(row, key))),
            "{row}"
        );
    }
    let has = |file: &str, keys: &[&str]| {
        let view = json(&dir.join(file));
        for key in keys {
            assert!(!view[key].is_null(), "{file} has no {key}: {view}");
        }
        view
    };
    has("nav.json", &["nav", "wallet", "unrealized", "nav_start", "realized", "fees", "funding", "series"]);
    has("peak_state.json", &["peak", "nav", "drawdown_pct"]);
    let health = has("health.json", &["status", "posture", "open_legs", "unprotected", "doubtful_orders"]);
    assert_eq!(
        (health["unprotected"].as_array().unwrap().len(), &health["doubtful_orders"]),
        (0, &Value::from(0))
    );
    has("signals.json", &["signals"]);
    has("screener.json", &["attempted", "emitted", "readings"]);
    let synced = has("synced_state.json", &["mode", "positions", "orders"]);
    assert_eq!((text(&synced, "mode"), &synced["positions"]), ("hedge", &positions["positions"]));
    let trades = has("trade_log.json", &["trades"]);
    assert!(!trades["trades"].as_array().unwrap().is_empty());
}

#[test]
fn a_new_run_takes_a_new_folder_and_last_points_at_it() {
    let temp = Temp::new("folders");
    let first = run_well(&temp, &["--bars", "2"]).pop().unwrap();
    let second = run_well(&temp, &["--bars", "2"]).pop().unwrap();
    assert_ne!(first, second);
    assert!(temp.join(&first).is_file() && temp.join(&second).is_file());
    let last = fs::canonicalize(temp.join("state/paper/last/report.html")).unwrap();
    assert_eq!(last, fs::canonicalize(temp.join(&second)).unwrap());
}

#[test]
fn recorded_bars_lead_to_the_same_lines_each_time_and_both_legs_are_held_at_once() {
    let temp = Temp::new("data");
    let data = klines(&temp, 900).display().to_string();
    let play = |dir: &str| {
        let args = ["--state-dir", dir, "--data", &data, "--bars", "600", "--history", "200"];
        let lines = run_well(&temp, &args);
        let told = |line: &&String| {
            line.starts_with("[screener") || line.starts_with("[decision]") || line.starts_with("[executor]")
        };
        lines.iter().filter(told).cloned().collect::<Vec<_>>()
    };
    let (first, second) = (play("a"), play("b"));
    assert!(first.len() > 3_000);
    for (at, (first, second)) in first.iter().zip(&second).enumerate() {
        assert_eq!(first, second, "line {at}");
    }
    assert_eq!(first.len(), second.len());

    let mut book = Book::default();
    let mut changes = Vec::new();
    let mut hedged = BTreeMap::new();
    for record in FileJournal::open_read_only(temp.join("a")).unwrap().records(Seq(0)) {
        book.apply(&record.unwrap(), &mut changes);
        changes.clear();
        for (_, spec) in book.instruments() {
            let open = |side| book.leg(&PositionKey::new(spec.id, side)).is_some_and(|leg| leg.is_open());
            if PositionSide::BOTH.into_iter().all(open) {
                *hedged.entry(spec.id.symbol.to_string()).or_insert(0) += 1;
            }
        }
    }
    assert!(!hedged.is_empty(), "LONG and SHORT of one symbol were never held at once");
}

#[test]
fn json_lines_carry_the_fields_of_the_text_lines() {
    let temp = Temp::new("json");
    let data = klines(&temp, 500).display().to_string();
    let play = |dir: &str, log: &str| {
        run_well(
            &temp,
            &["--state-dir", dir, "--data", &data, "--bars", "200", "--history", "200", "--log", log],
        )
    };
    let text_lines = play("a", "text");
    let json_lines = play("b", "json");
    let (path, json_lines) = json_lines.split_last().unwrap();
    assert!(Path::new(path).ends_with("b/report.html"), "{path}");
    let mut by_tag: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in json_lines {
        let mut value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let object = value.as_object_mut().unwrap_or_else(|| panic!("not an object: {line}"));
        if let Some(Value::String(tag)) = object.remove("tag") {
            by_tag.entry(tag).or_default().push(value);
        }
    }
    for tag in ["[decision]", "[screener->executor]", "[executor] INTENT", "[executor] SEND_ORDER"] {
        let expected = objects(&text_lines, tag);
        assert!(!expected.is_empty());
        assert_eq!(by_tag.get(tag), Some(&expected), "{tag}");
    }
    let requests = answers(&text_lines, "[executor] ORDER_REQ");
    let found = &by_tag["[executor] ORDER_REQ"];
    assert_eq!(found.len(), requests.len());
    for (found, (path, status, body)) in found.iter().zip(&requests) {
        assert_eq!(
            (text(found, "path"), &found["status"], &found["body"]),
            (path.as_str(), &Value::from(*status), body)
        );
    }
    let screener = &by_tag["[screener]"];
    let texts: Vec<_> = after(&text_lines, "[screener] ");
    assert_eq!(screener.len(), texts.len());
    for (found, (line, rest)) in screener.iter().zip(&texts) {
        if let Some((attempted, emitted)) =
            rest.strip_prefix("attempted=").and_then(|rest| rest.split_once(" emitted="))
        {
            assert_eq!(
                (found["attempted"].to_string(), found["emitted"].to_string()),
                (attempted.to_owned(), emitted.to_owned())
            );
            continue;
        }
        assert!(
            line.starts_with(&format!("[screener] {} {} ", text(found, "symbol"), text(found, "timeframe"))),
            "{line}"
        );
        assert!(line.ends_with(&format!(" side={}", text(found, "side"))), "{line}");
        for key in ["cross_up", "cross_down", "in_trade"] {
            let word = if found[key].as_bool().unwrap() { "True" } else { "False" };
            assert!(line.contains(&format!(" {key}={word} ")), "{line} and {found}");
        }
        assert!(
            ["z", "rsi", "atr"]
                .iter()
                .all(|key| found[key].is_number() || line.contains(&format!("{key}=-")))
        );
    }
    let accounts = by_tag["[executor]"].iter().filter(|value| !value["balances"].is_null());
    assert_eq!(accounts.count(), after(&text_lines, "[executor] account OK").len());
    assert_eq!(by_tag["[preflight]"].len(), 1);
}

#[test]
fn the_level_quietens_the_commentary_but_not_the_operators_lines() {
    let temp = Temp::new("level");
    let told = |level: &str| {
        let output = executor(&temp, &["--dev-fast"]).env("LOG_LEVEL", level).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let (usual, quiet) = (told("info"), told("error"));
    let comments = |lines: &[String]| lines.iter().filter(|line| line.contains(" INFO ")).count();
    assert!(comments(&usual) > 0);
    assert_eq!(comments(&quiet), 0);
    let tagged = |lines: &[String]| lines.iter().filter(|line| line.starts_with('[')).count();
    assert_eq!(tagged(&usual), tagged(&quiet));
    let output = executor(&temp, &["--dev-fast"]).env("LOG_LEVEL", "verbose").output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
}

#[test]
fn one_cycle_ends_quickly() {
    let temp = Temp::new("dev-fast");
    let began = Instant::now();
    let lines = run_well(&temp, &["--dev-fast"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(after(&lines, "[screener] attempted=").len(), 1, "one cycle");
}

#[test]
fn a_signal_stops_a_following_run_within_five_seconds_and_it_can_go_on() {
    let temp = Temp::new("follow");
    for (term, signal) in [(1, "-TERM"), (2, "-INT")] {
        let mut run = Following::start(executor(&temp, &["--state-dir", "d", "--follow"]));
        run.wait_for("[executor] account OK");
        let (took, code) = run.stop(signal);
        assert!(took < Duration::from_secs(5), "{signal}: {took:?}");
        assert_eq!(code, Some(0), "{signal}: {:#?}", run.seen);
        let journal = FileJournal::open_read_only(temp.join("d")).unwrap();
        let last = journal.records(Seq(0)).last().unwrap().unwrap();
        let last = serde_json::to_value(&last.event).unwrap();
        assert_eq!(last["fact"]["fact"], "run_stopped", "{signal}");
        let health = json(&temp.join("d/health.json"));
        assert_eq!(
            (&health["term"], &health["as_of"]),
            (&Value::from(term), &Value::from(journal.next_seq().0 - 1))
        );
        assert!(temp.join("d/positions.json").is_file());
    }
}

#[test]
fn a_second_executor_on_the_same_state_is_refused_and_told_who_holds_it() {
    let temp = Temp::new("second");
    let mut first = Following::start(executor(&temp, &["--state-dir", "d", "--follow"]));
    first.wait_for("[executor] account OK");
    let second = run(&temp, &["--state-dir", "d", "--bars", "5"]);
    let says = stderr(&second);
    assert_eq!(second.status.code(), Some(74), "{says}");
    let holder = first.id().to_string();
    assert!(says.contains(&holder), "process {holder} holds it, but it says {says}");
    assert!(says.contains("stop it or choose another state directory"), "{says}");
    assert_eq!(first.stop("-TERM").1, Some(0), "the first one is not disturbed");
    let journal = FileJournal::open_read_only(temp.join("d")).unwrap();
    let starts = journal.records(Seq(0)).filter(|record| {
        serde_json::to_value(&record.as_ref().unwrap().event).unwrap()["fact"]["fact"] == "run_started"
    });
    assert_eq!(starts.count(), 1, "the second one wrote nothing");
}

#[test]
fn what_cannot_run_here_is_refused_in_one_sentence() {
    let temp = Temp::new("refused");
    for profile in ["mainnet", "mainnet-dry", "testnet", "live", "Paper"] {
        let output = run(&temp, &["--profile", profile]);
        let says = stderr(&output);
        assert!(!output.status.success() && stdout(&output).is_empty(), "{profile}: {says}");
        // A name that is none, or a venue without a key.
        let (code, names) = match profile {
            "live" | "Paper" => (2, profile),
            "testnet" => (78, "BINANCE_UM_API_KEY_TESTNET is not set"),
            _ => (78, "BINANCE_API_KEY is not set"),
        };
        assert_eq!(output.status.code(), Some(code), "{says}");
        assert!(says.lines().count() == 1 && says.contains(names), "{says}");
    }
    assert!(!temp.join("state").exists(), "nothing was created");

    for owner in
        [r#"{"profile":"mainnet","venue":"binance"}"#, r#"{"profile":"paper","venue":"okx-embedded"}"#]
    {
        let dir = temp.join("foreign");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("owner.json"), owner).unwrap();
        let output = run(&temp, &["--state-dir", "foreign", "--bars", "5"]);
        let says = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{says}");
        assert!(says.contains("belongs to profile") && says.contains("choose another --state-dir"), "{says}");
        let left: Vec<PathBuf> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [dir.join("owner.json")], "nothing was written there");
    }

    // A directory of the embedded exchange is not one of an exchange somewhere else.
    run_well(&temp, &["--state-dir", "d", "--bars", "2"]);
    let mut elsewhere = executor(&temp, &["--state-dir", "d", "--bars", "2"]);
    elsewhere
        .env("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:9")
        .env("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:9")
        .env("BINANCE_API_KEY", "k")
        .env("BINANCE_API_SECRET", "s");
    let output = elsewhere.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("belongs to profile paper on binance-embedded"), "{}", stderr(&output));
    // Another market is not the one that the directory's exchange has lived through.
    let output = run(&temp, &["--state-dir", "d", "--bars", "2", "--seed", "43"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("seed 42") && stderr(&output).contains("seed 43"),
        "{}",
        stderr(&output)
    );
    let before = fs::read(temp.join("d/exchange.jsonl")).unwrap();
    let output = run(&temp, &["--bars", "2", "--config", "absent"]);
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(fs::read(temp.join("d/exchange.jsonl")).unwrap(), before);
}
