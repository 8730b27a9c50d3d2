//! A real run, and the heartbeat on the state that it leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{fs, path::Path};

use serde_json::Value;
use support::{Temp, command, config, executor, json, program, stderr, stdout};

fn twin(temp: &Temp, dir: &str) -> Value {
    let mut heartbeat = command(temp, &program("hedge-heartbeat"));
    let output = heartbeat
        .arg("--config")
        .arg(config())
        .args(["--state-dir", dir, "--json"])
        .env("ENV", "prod")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)[0]).unwrap()
}

/// The number that a view holds as text.
fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn the_heartbeat_says_what_the_run_wrote_also_when_only_its_journal_is_left() {
    let temp = Temp::new("heartbeat");
    let output = executor(&temp, &["--bars", "300", "--state-dir", "d"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let dir = temp.path().join("d");
    let first = twin(&temp, "d");
    let (nav, trades) = (json(&dir.join("nav.json")), json(&dir.join("trade_log.json")));
    assert_eq!(first["env"], "prod");
    assert_eq!(first["nav"], number(&nav["nav"]));
    assert_eq!(first["nav_24h_delta_abs"], number(&nav["nav_24h_delta_abs"]));
    assert_eq!(first["timestamp"].as_str().unwrap()[..19], nav["at"].as_str().unwrap()[..19]);
    let latest = |i: usize, key: &str| trades["trades"][i][key].clone();
    assert_eq!(first["recent_trades"].as_array().unwrap().len(), 5);
    for i in 0..5 {
        assert_eq!(first["recent_trades"][i]["symbol"], latest(i, "symbol"));
        assert_eq!(first["recent_trades"][i]["pnl"], number(&latest(i, "pnl")));
    }
    // One reading of each of the three strategies.
    assert_eq!(first["screener"]["attempted"], 3);

    for view in ["nav", "positions", "trade_log", "screener", "health"] {
        fs::remove_file(view_file(&dir, view)).unwrap();
    }
    assert_eq!(twin(&temp, "d"), first, "from the journal alone");
}

fn view_file(dir: &Path, view: &str) -> std::path::PathBuf {
    dir.join(format!("{view}.json"))
}
