//! `hedgectl why`, `journal` and `config` as an operator runs them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers fail the test that calls them")]

mod support;

use serde_json::Value;
use support::{Folder, hedgectl, hedgectl_in};

/// A backtest's folder on the made-up market.
fn played() -> Folder {
    let (data, out) = (Folder::with_klines(1_500), Folder::new());
    let run = hedgectl(&["backtest", "--json", "--data", data.path(), "--out", out.path()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    out
}

#[test]
fn why_tells_what_was_seen_wanted_checked_and_sent() {
    let out = played();
    let run = hedgectl(&["why", "BTCUSDT", "LONG", "--state-dir", out.path()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for part in [
        "BTCUSDT LONG is ",
        "Posture    Normal",
        "btc_breakout 15m: z ",
        "btc_breakout wants: open BTCUSDT LONG for 500",
        "pass   max_positions ",
        "pass   liq_distance_pct ",
        " by btc_breakout: open BTCUSDT LONG ",
        "fill of h",
        " by the engine: stop for the whole BTCUSDT LONG",
    ] {
        assert!(run.stdout.contains(part), "{part:?} is missing in\n{}", run.stdout);
    }
    assert!(run.stderr.contains("backtest folder"), "{}", run.stderr);
}

#[test]
fn why_walks_from_the_intent_to_the_fill_in_json() {
    let out = played();
    let run = hedgectl(&["why", "ETHUSDT", "SHORT", "--json", "--state-dir", out.path()]);
    let why: Value = serde_json::from_str(&run.stdout).unwrap();
    let intent = &why["openings"][0];
    assert_eq!(intent["event"]["decision"]["decision"], "intended");
    let assessed = &intent["then"][0];
    assert_eq!(assessed["event"]["decision"]["decision"], "assessed");
    assert!(assessed["checks"].as_array().unwrap().len() > 20, "every rule answers: {assessed}");
    let order = &assessed["then"][0];
    assert_eq!(order["event"]["decision"]["decision"], "order_approved");
    assert!(order["fate"].as_str().unwrap().starts_with("Filled"), "{order}");
    let fills = order["then"].as_array().unwrap().iter().filter(|node| {
        node["event"]["fact"]["event"]["kind"] == "fill" && !node["then"].as_array().unwrap().is_empty()
    });
    assert_eq!(fills.count(), 1, "{order}");
}

#[test]
fn why_nothing_was_wanted_is_said_with_the_veto_in_plain_words() {
    let out = played();
    // The first decision after the warm-up of 500 bars.
    let run = hedgectl(&["why", "BTCUSDT", "SHORT", "--at", "2026-01-06 05:15", "--state-dir", out.path()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("BTCUSDT SHORT is flat. "), "{}", run.stdout);
    let before = hedgectl(&["why", "BTCUSDT", "SHORT", "--at", "2026-01-02", "--state-dir", out.path()]);
    assert!(
        before.stdout.contains("no strategy has decided on a bar of BTCUSDT up to here"),
        "{}",
        before.stdout
    );
}

#[test]
fn why_refuses_what_it_cannot_answer_in_one_line() {
    let out = played();
    let dir = out.path();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["why", "DOGEUSDT", "LONG", "--state-dir", dir], 1, "it has BTCUSDT, ETHUSDT"),
        (&["why", "BTCUSDT", "BOTH", "--state-dir", dir], 2, "expected LONG or SHORT"),
        (&["why", "BTCUSDT", "LONG", "--at", "noon", "--state-dir", dir], 2, "2026-11-20T08:15:00Z"),
        (&["why", "BTCUSDT", "LONG", "--at", "2001-01-01", "--state-dir", dir], 1, "the journal begins at"),
        (&["why", "BTCUSDT", "LONG"], 1, "start hedge-executor first"),
    ];
    for (args, code, word) in cases {
        let run = hedgectl(args);
        let line = run.stderr.lines().last().unwrap();
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{args:?}: {}", run.stderr);
        assert!(line.starts_with("error: ") && line.contains(word), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn show_prints_the_last_records_or_those_from_a_place_on() {
    let out = played();
    let show = |extra: &[&str]| {
        let mut args = vec!["journal", "show", "--state-dir", out.path()];
        args.extend(extra);
        hedgectl(&args).stdout
    };
    let first = show(&["--from", "0", "--limit", "4"]);
    assert!(first.starts_with("#0      2026-01-01T00:00:00.000Z"), "{first}");
    assert!(first.contains("run started: profile backtest") && first.lines().count() == 4, "{first}");
    assert_eq!(show(&["--limit", "3"]).lines().count(), 3);
    let last: Value = serde_json::from_str(show(&["--limit", "1", "--json"]).trim_end()).unwrap();
    let end = last["seq"].as_u64().unwrap();
    assert!(
        show(&["--from", "2026-01-10", "--to", "2026-01-10", "--limit", "1000000"]).lines().count()
            < end as usize
    );
    assert_eq!(show(&["--from", &end.to_string()]).lines().count(), 1);
}

#[test]
fn tools_say_which_state_directory_they_look_at() {
    let home = Folder::new();
    let run = hedgectl_in(&home, &["journal", "show"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("no live profile owns state, state/paper has no link last"),
        "{}",
        run.stderr
    );
    let named = hedgectl(&["journal", "show", "--state-dir", home.path()]);
    assert!(named.stderr.contains("has no owner.json"), "{}", named.stderr);
}

#[test]
fn the_built_in_configuration_passes_its_check() {
    let run = hedgectl(&["config", "check"]);
    assert_eq!((run.code, run.stdout.matches(": ok, ").count()), (0, 4), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_bad_configuration_is_named_with_file_line_and_range() {
    let folder = Folder::new();
    folder.write("risk_limits.json", "{\n  \"KILL_DD_PCT\": 0.09\n}\n");
    let file = folder.0.join("risk_limits.json").display().to_string();
    let run = hedgectl(&["config", "check", "--config", &file]);
    assert_eq!((run.code, run.stdout.as_str()), (78, ""), "{}", run.stderr);
    assert!(run.stderr.contains("risk_limits.json:2: KILL_DD_PCT = 0.09"), "{}", run.stderr);
    let backtest = hedgectl(&["backtest", "--data", folder.path(), "--config", &file]);
    assert_eq!(backtest.code, 78, "{}", backtest.stderr);
}

#[test]
fn a_key_is_explained_and_a_misspelt_one_gets_the_nearest() {
    let run = hedgectl(&["config", "explain", "KILL_DD_PCT"]);
    assert!(run.code == 0 && run.stdout.contains("0.5 to 90"), "{}", run.stdout);
    let run = hedgectl(&["config", "explain", "KILL_DD_PTC"]);
    assert!(run.code == 78 && run.stderr.contains("KILL_DD_PCT"), "{}", run.stderr);
}
