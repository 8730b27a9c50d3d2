use std::fs;

use hedge_core::{Posture, Term, Timestamp};
use hedge_store::{ControlDir, FenceRecord};

use super::{
    stage::{Stage, done},
    support::{Temp, command, config, program, stderr, stdout},
};

/// The program without an exchange: what is refused before anything is sent.
fn refused(variables: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String) {
    let temp = Temp::new("panic-usage");
    let output =
        command(&temp, &program("hedge-panic-close")).envs(variables.iter().copied()).args(args).output();
    let output = output.unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn wrong_arguments_modes_and_keys_are_refused_with_their_codes() {
    let keys = [("BINANCE_API_KEY", "k"), ("BINANCE_API_SECRET", "s")];
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], i32, &'a str);
    let cases: [Case<'_>; 7] = [
        (&[], &["--nonsense"], 2, "--nonsense"),
        (&[], &["--within", "5x", "--yes"], 2, "90s, 10m or 2h"),
        (&[], &["--profile", "mainet", "--yes"], 2, "nearest: mainnet"),
        (&[], &["--profile", "mainnet", "--yes"], 78, "BINANCE_API_KEY is not set"),
        (&[keys[0], keys[1], ("DRY_RUN", "1")], &["--profile", "mainnet", "--yes"], 78, "unset it to close"),
        (
            &[keys[0], keys[1], ("BINANCE_TESTNET", "1")],
            &["--profile", "mainnet", "--yes"],
            78,
            "BINANCE_TESTNET=1",
        ),
        (&[], &["--profile", "mainnet-dry", "--yes"], 78, "name --profile mainnet"),
    ];
    for (variables, args, code, text) in cases {
        let (found, said) = refused(variables, args);
        assert_eq!(found, Some(code), "{args:?}: {said}");
        assert!(said.contains(text), "{args:?}: {said}");
    }
}

#[test]
fn without_yes_and_without_a_terminal_it_only_prints_the_plan() {
    let mut stage = Stage::empty("panic-plan", 2, true, 1.0, &|_| {});
    stage.dress(0);
    let symbol = stage.symbols[0].clone();
    let output = stage.program("hedge-panic-close").output().unwrap();
    assert_eq!(output.status.code(), Some(13), "{}", stderr(&output));
    let said = stdout(&output).join("\n");
    for side in ["LONG", "SHORT"] {
        let qty = stage.held.values().next().unwrap().normalize();
        assert!(said.contains(&format!("close {symbol} {side} {qty} at the market (worth ")), "{said}");
    }
    assert!(said.contains("cancel 1 plain orders before, 2 conditional orders after"), "{said}");
    assert!(said.contains("--yes does it") && said.contains(&stage.exchange.rest_url()), "{said}");
    assert_eq!(stage.exchange.legs().unwrap().len(), 2, "nothing was done");
    assert!(stage.closes_sent().is_empty());

    let output = stage.program("hedge-panic-close").args(["--json"]).output().unwrap();
    let plan = done(&output);
    assert_eq!((plan.code, plan.verdict["flat"].as_bool()), (Some(13), Some(false)));
    assert_eq!(plan.verdict["plan"]["legs"][0]["side"], "LONG", "{:#}", plan.verdict);

    let misspelt =
        stage.program("hedge-panic-close").args(["--yes", "--symbols", "ADAUSD"]).output().unwrap();
    assert_eq!(misspelt.status.code(), Some(2), "{}", stderr(&misspelt));
    assert!(stderr(&misspelt).contains("nearest: ADAUSDT; nothing was done"), "{}", stderr(&misspelt));
    let small = stage.program("hedge-panic-close").args(["--symbols", "adausdt"]).output().unwrap();
    assert_eq!(small.status.code(), Some(13), "it is ADAUSDT that is meant: {}", stderr(&small));

    let elsewhere = stage.program("hedge-panic-close").args(["--symbols", "BNBUSDT"]).output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(0), "nothing of that symbol is open: {}", stderr(&elsewhere));
}

#[test]
fn a_broken_configuration_and_an_open_env_file_do_not_stop_it() {
    let stage = Stage::new("panic-broken", 1);
    let folder = stage.temp.join("broken");
    fs::create_dir(&folder).unwrap();
    let hosts = format!(
        "[binance]\nrest_url = \"{}\"\nws_url = \"{}\"\n[views]\nnonsense = 1\n",
        stage.exchange.rest_url(),
        stage.exchange.ws_url()
    );
    for name in ["pairs_universe.json", "strategy_config.json"] {
        fs::copy(config().join(name), folder.join(name)).unwrap();
    }
    fs::write(folder.join("runtime.toml"), hosts).unwrap();
    fs::write(folder.join("risk_limits.json"), "{ \"MAX_LEVERAGE\": ").unwrap();
    let env_file = stage.temp.join("env");
    let key = hedge_sim::binance::ApiKey::demo();
    let text = format!("BINANCE_API_KEY={}\nBINANCE_API_SECRET={}\nrubbish\n", key.key(), key.secret());
    fs::write(&env_file, text).unwrap();
    let output = command(&stage.temp, &program("hedge-panic-close"))
        .args(["--yes", "--json", "--config", "broken", "--env-file", "env"])
        .output()
        .unwrap();
    let done = done(&output);
    stage.check("broken configuration", &done);
    for text in ["risk_limits.json", "the configuration is broken", "no executor is told to stop"] {
        assert!(done.progress.contains(text), "{text}: {}", done.progress);
    }
    assert!(!done.progress.contains(key.secret()) && !done.verdict.to_string().contains(key.secret()));
}

#[test]
fn a_second_panic_close_leaves_the_first_one_alone() {
    let stage = Stage::new("panic-two", 1);
    let dir = stage.temp.join("d");
    fs::create_dir(&dir).unwrap();
    let guard = ControlDir::of(&dir).begin_panic().unwrap().unwrap();
    let first = stage.panic_close(&["--state-dir", "d"]);
    assert_eq!(first.code, Some(75), "{}", first.progress);
    assert_eq!(stage.exchange.legs().unwrap().len(), 2);
    drop(guard);
    let (because, by, at) = ("running".to_owned(), "hedge-executor".to_owned(), Timestamp::from_ms(1));
    let fence = FenceRecord { term: Term(41), posture: Posture::Normal, because, by, at };
    ControlDir::of(&dir).put_fence(&fence).unwrap();
    let second = stage.panic_close(&["--state-dir", "d"]);
    stage.check("after the first one", &second);
    assert_eq!(second.verdict["term"], 42);
    let fence = ControlDir::of(&dir).fence().unwrap().unwrap();
    assert_eq!(
        (fence.term, fence.posture, fence.by.as_str()),
        (Term(42), Posture::Halted, "hedge-panic-close")
    );
    assert!(!ControlDir::of(&dir).is_panic_running());
    assert!(fence.because.contains("panic close of all symbols"));
}

#[test]
fn interrupted_once_it_tells_and_twice_it_stops() {
    use hedge_sim::binance::{Fault, FaultKind};
    let stage = Stage::new("panic-interrupt", 1);
    stage.fault(Fault::new(FaultKind::Http503Unavailable).on("POST", "/fapi/v1/order").always());
    let mut panic_close = stage.program("hedge-panic-close");
    panic_close.args(["--yes"]);
    let mut running = super::support::following::Following::start(panic_close);
    running.wait_until("a refusal", |line| line.contains("was not executed"));
    let pid = running.id().to_string();
    let interrupt =
        || assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    interrupt();
    running.wait_until("where things stand", |line| line.contains("LONG") && line.contains("still open"));
    interrupt();
    assert_eq!(running.end(), Some(13), "{:#?}", running.seen);
    assert!(running.seen.iter().any(|line| line.contains("NOT FLAT after")), "{:#?}", running.seen);
    let stops = stage.exchange.algos(&stage.symbols[0]).unwrap();
    assert!(stops.iter().all(|stop| stop.status == hedge_sim::venue::AlgoStatus::New), "{stops:?}");
}

#[test]
fn the_loudest_log_shows_no_secret() {
    let stage = Stage::new("panic-trace", 1);
    let output = stage
        .program("hedge-panic-close")
        .env("LOG_LEVEL", "trace")
        .args(["--yes", "--json"])
        .output()
        .unwrap();
    let done = done(&output);
    stage.check("trace", &done);
    let key = hedge_sim::binance::ApiKey::demo();
    for secret in [key.key(), key.secret(), "signature="] {
        assert!(!done.progress.contains(secret) && !done.verdict.to_string().contains(secret));
    }
}
