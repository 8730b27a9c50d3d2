//! The program as an operator meets it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedge-exchange-sim"));
    command
        .args(args)
        .env_remove("SIM_API_KEY")
        .env_remove("SIM_API_SECRET")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn file(name: &str, text: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("hedge-exchange-sim-{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

/// A running program that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> (Self, serde_json::Value) {
        let mut running = Self(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?} is not the ready line"));
        (running, ready)
    }

    fn signal(&mut self, name: &str) -> bool {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill").args([format!("-{name}").as_str(), id.as_str()]).status().unwrap().success()
        );
        self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(rest: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(rest.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The exit code and the one line that says why.
fn refused(mut command: Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(stdout.is_empty());
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    (status.code().unwrap(), said)
}

#[test]
fn it_says_where_it_listens_and_ends_on_a_signal() {
    for name in ["TERM", "INT"] {
        let (mut running, ready) = Running::start(program(&["--venue", "binance"]));
        assert_eq!(ready["venue"], "binance");
        assert!(ready["ws"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
        assert_eq!(ready["api_key"].as_str().unwrap().len(), 64);
        assert!(get(ready["rest"].as_str().unwrap(), "/fapi/v1/time").contains("serverTime"));
        assert!(running.signal(name));
    }
}

#[test]
fn with_a_start_a_seed_gives_the_same_market_at_any_time_of_day() {
    let klines = || {
        let args = ["--venue", "binance", "--seed", "7", "--start", "2026-01-05T00:00:00.000Z"];
        let (_running, ready) = Running::start(program(&args));
        let past = "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=3&endTime=1767571199999";
        let rest = ready["rest"].as_str().unwrap();
        // The server's time moves on; what it shows of the past does not.
        assert!(get(rest, "/fapi/v1/time").contains("{\"serverTime\":17675712"), "{rest}");
        get(rest, past).split("\r\n\r\n").nth(1).unwrap().to_owned()
    };
    let first = klines();
    assert!(first.contains("1767571140000"), "{first}");
    assert_eq!(first, klines());
}

#[test]
fn values_may_begin_with_a_hyphen() {
    let given = ["--venue", "binance", "--api-key", "-k", "--api-secret", "-s"];
    let (_running, ready) = Running::start(program(&given));
    assert!(ready.get("api_key").is_none());
    let mut from_environment = program(&["--venue", "binance"]);
    from_environment.env("SIM_API_KEY", "-k").env("SIM_API_SECRET", "--s");
    assert!(Running::start(from_environment).1.get("api_key").is_none());
}

#[test]
fn bad_input_is_one_clear_line_and_exit_code_2() {
    for (args, said) in [
        (&["--speed", "max"][..], "drives the market"),
        (&["--speed", "-1"], "0.001..=100000"),
        (&["--listen", "0.0.0.0:0"], "loopback"),
        (&["--listen", "here"], "127.0.0.1:8080"),
        (&["--balance", "-5"], "negative"),
        (&["--balance", "lots"], "amount in USDT"),
        (&["--api-key", "k"], "--api-secret"),
        (&["--api-secret", "s"], "--api-key"),
        (&["--api-key", "", "--api-secret", "s"], "--api-key is empty"),
        (&["--api-key", "k", "--api-secret", ""], "--api-secret is empty"),
        (&["--nonsense"], "--nonsense"),
        (&["--data", "a", "--seed", "2"], "--seed"),
        (&["--data", "a", "--start", "2026-01-05T00:00:00.000Z"], "--start"),
        (&["--start", "2026-01-05"], "2026-01-05T00:00:00.000Z"),
        (&["--start", "1999-01-05T00:00:00.000Z"], "2010 to 2100"),
    ] {
        let (code, line) = refused(program(&[&["--venue", "binance"], args].concat()));
        assert!(code == 2 && line.contains(said) && line.contains("--help"), "{code} {line}");
    }
    assert!(refused(program(&["--venue", "kraken"])).1.contains("binance"));
    assert!(refused(program(&[])).1.contains("--venue"));
}

#[test]
fn what_cannot_be_started_is_one_clear_line_and_exit_code_1() {
    for (args, said) in [
        (&["--data", "/nowhere"][..], "/nowhere"),
        (&["--instruments", "/nowhere"], "/nowhere"),
        (&["--api-key", "a key", "--api-secret", "s"], "blanks"),
    ] {
        let (code, line) = refused(program(&[&["--venue", "binance"], args].concat()));
        assert!(code == 1 && line.contains(said) && !line.contains("--help"), "{code} {line}");
    }
}

#[test]
fn empty_variables_are_no_key() {
    let mut command = program(&["--venue", "binance"]);
    command.env("SIM_API_KEY", "").env("SIM_API_SECRET", "");
    assert_eq!(Running::start(command).1["api_key"].as_str().unwrap().len(), 64);
    let mut half = program(&["--venue", "binance"]);
    half.env("SIM_API_KEY", "k").env("SIM_API_SECRET", "");
    let (code, line) = refused(half);
    assert!(code == 2 && line.contains("SIM_API_SECRET"), "{code} {line}");
}

#[test]
fn instruments_without_a_market_are_named() {
    let row = |symbol: &str| {
        serde_json::json!({
            "symbol": symbol, "status": "TRADING", "contractType": "PERPETUAL", "baseAsset": "X", "quoteAsset": "USDT",
            "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "10000", "stepSize": "0.001"},
            ],
        })
    };
    let mut symbols = vec![row("ETHUSDT")];
    symbols.extend((1..=23).map(|n| row(&format!("N{n:02}USDT"))));
    let path = std::env::temp_dir().join(format!("hedge-exchange-sim-{}.json", std::process::id()));
    std::fs::write(&path, serde_json::json!({"symbols": symbols}).to_string()).unwrap();
    let (mut running, ready) =
        Running::start(program(&["--venue", "binance", "--instruments", path.to_str().unwrap()]));
    assert!(ready["rest"].is_string());
    assert!(running.signal("TERM"));
    let mut said = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("left out: N01USDT, N02USDT,") && said.contains("N20USDT and 3 more"), "{said}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn an_account_may_begin_in_hedge_mode_with_legs_and_leverage() {
    let begin = ["--venue", "binance", "--leverage", "5", "--symbols", "BTCUSDT,ETHUSDT"];
    let legs = ["--position", "ETHUSDT:LONG:0.5", "--position", "ETHUSDT:SHORT:0.25@2500.00"];
    let (_running, ready) = Running::start(program(&[&begin[..], &legs[..]].concat()));
    let state = get(ready["rest"].as_str().unwrap(), "/sim/state");
    let state: serde_json::Value = serde_json::from_str(state.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let account = &state["accounts"][0];
    assert_eq!((&account["hedge_mode"], state["symbols"].as_array().unwrap().len()), (&true.into(), 2));
    let legs = account["legs"].as_array().unwrap();
    let told: Vec<String> = legs
        .iter()
        .map(|leg| format!("{} {} {}", leg["position_side"], leg["qty"], leg["leverage"]).replace('"', ""))
        .collect();
    assert_eq!(told, ["LONG 0.500 5", "SHORT -0.250 5"]);
    assert_eq!(legs[1]["entry_price"].as_str().unwrap().parse::<f64>().unwrap(), 2_500.0);
}

#[test]
fn faults_of_a_file_are_armed_at_the_start_and_told_on_stderr() {
    let faults = file(
        "faults",
        "{\"fault\":\"http_503_unavailable\",\"match\":{\"path\":\"/fapi/v1/time\"}}\n\n{\"fault\":\"drop\",\"after_ms\":3600000}\n",
    );
    let (mut running, ready) =
        Running::start(program(&["--venue", "binance", "--fault-file", faults.to_str().unwrap()]));
    assert!(get(ready["rest"].as_str().unwrap(), "/fapi/v1/time").contains("Service Unavailable."));
    let mut stderr = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let hit = "hedge-exchange-sim: fault 1 http_503_unavailable: GET /fapi/v1/time";
    assert!(stderr.any(|line| line.unwrap() == hit));
    assert!(running.signal("TERM"));
    let _ = std::fs::remove_file(faults);
}

#[test]
fn a_beginning_that_cannot_be_is_one_line() {
    let wrong = file("wrong", "{\"fault\":\"drop\"}\n{\"fault\":\"explode\"}\n");
    for (more, code, said) in [
        (["--position", "ETHUSDT:LONG"], 2, "expected SYMBOL:LONG|SHORT:QTY"),
        (["--position", "NOPE:LONG:1"], 1, "--position NOPE: not listed; listed are"),
        (["--position", "ETHUSDT:LONG:0.00001"], 1, "--position ETHUSDT: refused"),
        (["--leverage", "0"], 2, "1..=125"),
        (["--symbols", "ethusdt"], 2, "capitals"),
        (["--symbols", "NOPEUSDT"], 1, "NOPEUSDT"),
        (["--fault-file", "/nowhere/at/all"], 1, "cannot read /nowhere/at/all"),
        (["--fault-file", wrong.to_str().unwrap()], 1, "line 2: unknown fault \"explode\""),
    ] {
        let mut command = program(&["--venue", "binance"]);
        command.args(more);
        let (got, line) = refused(command);
        assert!(got == code && line.contains(said), "{more:?}: {got} {line}");
    }
    let _ = std::fs::remove_file(wrong);
}

#[test]
fn recorded_ticks_are_played_from_a_folder() {
    let folder = std::env::temp_dir().join(format!("hedge-exchange-sim-ticks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let best = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n1,3000.00,1.000,3000.10,2.000,1700000000000,1700000000000\n";
    let trades = "id,price,qty,quote_qty,time,is_buyer_maker\n5,3000.10,0.100,300.01,1700000000005,false\n";
    std::fs::write(folder.join("ETHUSDT-bookTicker-1.csv"), best).unwrap();
    std::fs::write(folder.join("ETHUSDT-trades-1.csv"), trades).unwrap();
    let (mut running, ready) =
        Running::start(program(&["--venue", "binance", "--ticks", folder.to_str().unwrap()]));
    let ticker = get(ready["rest"].as_str().unwrap(), "/fapi/v1/ticker/bookTicker?symbol=ETHUSDT");
    assert!(
        ticker.contains("\"askPrice\":\"3000.10\"") && ticker.contains("\"bidPrice\":\"3000.00\""),
        "{ticker}"
    );
    assert!(running.signal("TERM"));
    let mut said = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("ticks of ETHUSDT: 2 events over 0 s"), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
    let (code, line) = refused(program(&["--venue", "binance", "--ticks", "a", "--data", "b"]));
    assert!(code == 2 && line.contains("--data"), "{code} {line}");
    let (code, line) = refused(program(&["--venue", "binance", "--ticks", "/nowhere/at/all"]));
    assert!(code == 1 && line.contains("/nowhere/at/all"), "{code} {line}");
}

#[test]
fn public_keys_of_a_file_are_accepted_and_bad_ones_named() {
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\\n-----END PUBLIC KEY-----\\n";
    let good = file("keys.json", &format!("[{{\"api_key\":\"ed\",\"public_key\":\"{PEM}\"}}]"));
    let (mut running, ready) =
        Running::start(program(&["--venue", "binance", "--api-key-file", good.to_str().unwrap()]));
    assert!(get(ready["rest"].as_str().unwrap(), "/fapi/v1/time").contains("serverTime"));
    assert!(running.signal("TERM"));
    let _ = std::fs::remove_file(good);
    for (name, text, said) in [
        ("keys-1.json", "{}", "expected a list of keys"),
        ("keys-2.json", "[{\"api_key\":\"ed\"}]", "key 1: no text \"public_key\""),
        ("keys-3.json", "[{\"api_key\":\"ed\",\"public_key\":\"x\"}]", "key 1: no PEM block"),
        ("keys-4.json", "[", "not JSON"),
    ] {
        let path = file(name, text);
        let (code, line) =
            refused(program(&["--venue", "binance", "--api-key-file", path.to_str().unwrap()]));
        assert!(code == 1 && line.contains(said), "{code} {line}");
        let _ = std::fs::remove_file(path);
    }
}
