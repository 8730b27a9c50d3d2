//! Beside a running executor, and beside a dead one.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use hedge_core::{Posture, Term};
use hedge_sim::venue::PositionSide;
use hedge_store::ControlDir;

use super::{
    stage::{Done, Stage, done},
    support::{Temp, command, config, exchange::replayed, executor, following::Following, json, program},
};

/// Legs in the view that the executor publishes.
fn legs_in_view(dir: &Path) -> usize {
    let path = dir.join("positions.json");
    let Ok(text) = fs::read_to_string(path) else { return 0 };
    let view: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    view["positions"].as_array().map_or(0, Vec::len)
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what} did not happen");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_executor_that_trades_at_full_speed_is_stopped_and_its_own_exchange_is_flat() {
    // Nine times out of ten a leg is open at the moment of the take-over; six times in a row without one is no chance.
    assert!(["5", "6", "7", "8", "9", "10"].into_iter().any(stopped_at_full_speed));
}

/// Whether a leg was open.
fn stopped_at_full_speed(seed: &str) -> bool {
    let temp = Temp::new("panic-embedded");
    let dir = temp.join("d");
    let arguments =
        ["--state-dir", "d", "--bars", "90000", "--seed", seed, "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT"];
    let mut running = Following::start(executor(&temp, &arguments));
    running.wait_for("[executor] ORDER_REQ");
    wait_until("a leg in the view", || legs_in_view(&dir) > 0);
    let output = command(&temp, &program("hedge-panic-close"))
        .arg("--config")
        .arg(config())
        .args(["--state-dir", "d", "--yes", "--json"])
        .output()
        .unwrap();
    let done = done(&output);
    assert_eq!(done.code, Some(0), "{}", done.progress);
    assert!(done.progress.contains("FLAT"), "{}", done.progress);
    assert!(done.progress.contains("has stopped sending"), "{}", done.progress);
    assert_eq!(running.end(), Some(75), "{:#?}", running.seen.iter().rev().take(5).collect::<Vec<_>>());
    println!(
        "TIME TO FLAT, executor at full speed, its own exchange: {} ms",
        done.verdict["time_to_flat_ms"]
    );

    // What the exchange's log leads to.
    assert_eq!(json(&dir.join("plan.json"))["finished"], false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exchange = replayed(&dir, seed.parse().unwrap()).await;
        assert!(exchange.legs().unwrap().is_empty());
        let account = exchange.account();
        let open = exchange.query(|venue| {
            venue.open_orders(account, None).unwrap().len() + venue.open_algos(account, None).unwrap().len()
        });
        assert_eq!(open, 0);
        exchange.shutdown().await;
    });
    let fence = ControlDir::of(&dir).fence().unwrap().unwrap();
    assert_eq!((fence.posture, fence.by.as_str()), (Posture::Halted, "hedge-panic-close"));
    !done.verdict["legs"].as_array().unwrap().is_empty()
}

/// An executor that runs on the stage's exchange, its clock running as fast, with legs that it has adopted.
fn beside(stage: &Stage) -> Following {
    let mut command = stage.program("hedge-executor");
    command.arg("--config").arg(config()).args(["--follow", "--state-dir", "d", "--time-scale", "20"]);
    let mut running = Following::start(command);
    running.wait_until("an account with its legs", |line| {
        line.starts_with("[executor] account OK") && !line.ends_with("positions: 0")
    });
    running
}

fn stage(name: &str) -> Stage {
    // The executor's universe: BTC, ETH and SOL. Its clock runs twenty times as fast as that on the wall.
    let mut stage = Stage::empty(name, 7, true, 20.0, &|_| {});
    for (symbol, size) in [("BTCUSDT", "0.05"), ("ETHUSDT", "0.8"), ("SOLUSDT", "15")] {
        for side in [PositionSide::Long, PositionSide::Short] {
            stage.open(symbol, side, size.parse().unwrap());
            stage.protect(symbol, side);
        }
    }
    stage
}

fn is_flat(stage: &Stage, done: &Done) {
    assert_eq!(done.code, Some(0), "{}", done.progress);
    assert_eq!(done.verdict["flat"], true);
    assert!(stage.exchange.legs().unwrap().is_empty(), "{}", done.progress);
}

#[test]
fn an_executor_on_an_exchange_of_somebody_else_is_stopped_first() {
    let stage = stage("panic-beside");
    let mut running = beside(&stage);
    let done = stage.panic_close(&["--state-dir", "d"]);
    is_flat(&stage, &done);
    assert!(done.progress.contains("has stopped sending"), "{}", done.progress);
    assert_eq!(running.end(), Some(75), "{:#?}", running.seen.iter().rev().take(5).collect::<Vec<_>>());
    println!("TIME TO FLAT, six legs, executor running: {} ms", done.verdict["time_to_flat_ms"]);
    // Nothing of the executor came after the first of ours.
    let commands = stage.commands();
    let first = stage.closes_sent()[0].0;
    let ours = |id: &str| id.get(8..11) == Some("zzz");
    let foreign: Vec<_> = commands[first..]
        .iter()
        .filter_map(|command| {
            let id = &command["Place"]["client_order_id"];
            id.as_str().or(command["PlaceAlgo"]["client_algo_id"].as_str()).filter(|id| !ours(id))
        })
        .collect();
    assert_eq!(foreign, Vec::<&str>::new());
}

#[test]
fn a_killed_executor_leaves_a_fence_and_a_lock_that_are_in_nobodys_way() {
    let stage = stage("panic-dead");
    let mut running = beside(&stage);
    let dir = stage.temp.join("d");
    let led = ControlDir::of(&dir).fence().unwrap().unwrap().term;
    running.stop("-KILL");
    assert!(dir.join("journal/lock").exists());
    let done = stage.panic_close(&["--state-dir", "d"]);
    is_flat(&stage, &done);
    assert!(done.progress.contains("no executor runs in"), "{}", done.progress);
    assert_eq!(done.verdict["term"], led.0 + 1);
    assert_eq!(ControlDir::of(&dir).fence().unwrap().unwrap().term, Term(led.0 + 1));
    println!("TIME TO FLAT, six legs, dead executor: {} ms", done.verdict["time_to_flat_ms"]);
}

#[test]
fn an_executor_that_hangs_is_waited_for_two_seconds_and_ends_fenced_when_it_comes_to() {
    let stage = stage("panic-hangs");
    let mut running = beside(&stage);
    let pid = running.id().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-STOP");
    let done = stage.panic_close(&["--state-dir", "d"]);
    is_flat(&stage, &done);
    assert!(done.progress.contains("has not answered within 2 s, going on"), "{}", done.progress);
    let before = stage.commands().len();
    signal("-CONT");
    assert_eq!(running.end(), Some(75), "{:#?}", running.seen.iter().rev().take(5).collect::<Vec<_>>());
    let is_order =
        |command: &serde_json::Value| ["Place", "PlaceAlgo"].iter().any(|kind| command[*kind].is_object());
    assert!(!stage.commands()[before..].iter().any(is_order), "it sent something when it came to");
    println!("TIME TO FLAT, six legs, hanging executor: {} ms", done.verdict["time_to_flat_ms"]);
}
