//! The most talkative log of every program, and every file that is left behind, show no secret.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use flate2::read::GzDecoder;
use hedge_binance::{Binance, BinanceConfig, Credentials, Endpoints, Mainnet};
use hedge_desk::env::Env;
use hedge_sim::{
    binance::{
        ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, Fault, FaultKind, OrderPool, Pace,
        When,
    },
    venue::Command as VenueCommand,
};
use serde_json::json;
use support::{
    Temp, command, config, executor, following::Following, market::klines, program, stderr, stdout,
};

const KEY: &str = "keyOfThisTestThatNobodyElseUses";
const SECRET: &str = "-secretOfThisTestThatNobodyMayRead";
const TOKEN: &str = "123456:tokenOfThisTestThatNobodyMayRead";

/// The same market whenever the test runs.
const START_MS: i64 = 1_795_173_540_000;

/// Every file below a folder.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else {
            found.push(entry);
        }
    }
}

/// Looks for texts that nobody may ever read, and for anything that looks like a signature.
fn leaks(place: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{place} shows {secret}");
    }
    for (at, found) in text.match_indices("signature=") {
        let value: String =
            text[at + found.len()..].chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(value.len() < 16, "{place} shows signature={value}");
    }
    for (at, found) in text.match_indices("listenKey") {
        let rest = text[at + found.len()..].trim_start_matches(['"', '=', ':', ' ', '\\']);
        let value: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(value.len() < 32, "{place} shows listenKey {value}");
    }
}

fn leaks_below(dir: &Path, secrets: &[String]) {
    let mut found = Vec::new();
    files(dir, &mut found);
    assert!(found.len() > 5);
    for file in found {
        leaks(&file.display().to_string(), &String::from_utf8_lossy(&fs::read(&file).unwrap()), secrets);
    }
}

#[test]
fn a_trading_run_of_paper_shows_none() {
    let temp = Temp::new("leak-paper");
    let data = klines(&temp, 400).display().to_string();
    let args = ["--state-dir", "d", "--bars", "150", "--data", &data, "--history", "200"];
    let output = executor(&temp, &args).env("LOG_LEVEL", "trace").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = stdout(&output);
    let has = |what: &str| lines.iter().any(|line| line.contains(what));
    assert!(has("[executor] ORDER_REQ"), "signed orders were sent");
    assert!(has("request method=") && has("path=/fapi/v1/order query=symbol="), "and the trace shows them");
    let secrets = [ApiKey::DEMO_SECRET.to_owned(), ApiKey::DEMO_KEY.to_owned()];
    leaks("stdout", &lines.join("\n"), &secrets);
    leaks("stderr", &stderr(&output), &secrets);
    leaks_below(temp.path(), &secrets);
}

/// Asks the exchange for the account's listenKey, as every process of the account may.
fn listen_key(rest: &str, key: &str) -> String {
    let host = rest.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /fapi/v1/listenKey HTTP/1.1\r\nHost: {host}\r\nX-MBX-APIKEY: {key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = &answer[answer.find('{').unwrap_or_else(|| panic!("{answer}"))..=answer.rfind('}').unwrap()];
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["listenKey"].as_str().unwrap().to_owned()
}

/// An exchange in this process with the account of these tests.
fn elsewhere(runtime: &tokio::runtime::Runtime, environment: Environment) -> ExchangeHandle {
    let api_key = ApiKey::new(KEY, SECRET);
    let config = ExchangeConfig { api_key, environment, pace: Pace::Speed(1.0), ..ExchangeConfig::default() };
    runtime.block_on(Exchange::start(config)).unwrap()
}

/// A program that talks as much as it can, to that exchange.
fn at(exchange: &ExchangeHandle, mut command: Command) -> Command {
    command
        .env("LOG_LEVEL", "trace")
        .env("HEDGE__BINANCE__REST_URL", exchange.rest_url())
        .env("HEDGE__BINANCE__WS_URL", exchange.ws_url());
    for names in [
        ["BINANCE_API_KEY", "BINANCE_API_SECRET"],
        ["BINANCE_UM_API_KEY_TESTNET", "BINANCE_UM_API_SECRET_TESTNET"],
    ] {
        command.env(names[0], KEY).env(names[1], SECRET);
    }
    command
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn runs_of_every_other_profile_show_none() {
    let runtime = runtime();
    for (profile, environment) in [
        ("testnet", Environment::Demo),
        ("mainnet-dry", Environment::Mainnet),
        ("mainnet", Environment::Mainnet),
    ] {
        let exchange = elsewhere(&runtime, environment);
        let temp = Temp::new("leak-live");
        let args = ["--profile", profile, "--state-dir", "d", "--symbols", "BTCUSDT"];
        let mut run = Following::start(at(&exchange, executor(&temp, &args)));
        run.wait_for("[executor] account OK");
        let listen_key = listen_key(&exchange.rest_url(), KEY);
        assert!(listen_key.len() >= 32);
        assert_eq!(run.stop("-TERM").1, Some(0), "{:#?}", run.seen);
        let is_request = |line: &String| line.contains("request method=") && line.contains("path=/fapi/");
        assert!(run.seen.iter().any(is_request), "the trace shows requests: {:#?}", run.seen);
        let secrets = [SECRET.to_owned(), KEY.to_owned(), listen_key];
        leaks(profile, &run.seen.join("\n"), &secrets);
        leaks_below(temp.path(), &secrets);
        runtime.block_on(exchange.shutdown());
    }
}

/// A strategy that is in and out of two symbols all the time.
fn restless(temp: &Temp) {
    let folder = temp.join("config");
    fs::create_dir(&folder).unwrap();
    let strategy = |symbol: &str| {
        json!({
            "name": format!("{}_fast", symbol.to_lowercase().trim_end_matches("usdt")), "kind": "sol_fast_lane",
            "symbol": symbol, "timeframe": "1m", "enabled": true, "sides": ["LONG", "SHORT"],
            "capital_per_trade": "300", "leverage": 3, "mode": "reversion", "z_period": 5, "z_entry": 0.1,
            "rsi_extreme": 50, "atr_min": 0, "atr_max": 0.5, "cooldown_bars": 0, "stop": {"atr": 3.0},
            "take_profits": [{"at": {"atr": 1.5}, "portion": 0.5}], "max_bars": 3
        })
    };
    let mut limits = support::json(&config().join("risk_limits.json"));
    for (key, value) in
        [("ENTRIES_PER_LEG_PER_HOUR", 60), ("MAX_OPEN_ORDERS", 200), ("PRICE_STALENESS_S", 300)]
    {
        limits[key] = json!(value);
    }
    limits["WARMUP_S"] = json!(0);
    let put = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let strategies = [strategy("BTCUSDT"), strategy("ETHUSDT")];
    put("strategy_config.json", json!({ "strategies": strategies }).to_string());
    put("risk_limits.json", limits.to_string());
    put("pairs_universe.json", json!({"symbols": ["BTCUSDT", "ETHUSDT"]}).to_string());
    let runtime = "[journal]\ndurability = \"os\"\n[history]\nbars = 50\n[reconcile]\ninterval_s = 600\n\
                   [views]\ninterval_ms = 100\n[binance]\ntimeout_ms = 1000\n";
    put("runtime.toml", runtime.to_owned());
}

/// What an exchange does to orders, and how the executor's log shows that it was met.
fn troubles() -> Vec<(Fault, &'static str)> {
    let order = |kind: FaultKind| Fault::new(kind).on("POST", "/fapi/v1/order");
    let refused = |code: i64, msg: &str| order(FaultKind::Refuse { code, msg: msg.to_owned() });
    // As the operators' lines have it, and as JSON.
    let failed = "ORDER_ERR|order request failed";
    vec![
        (refused(-1021, "Timestamp for this request is outside of the recvWindow."), "signing once more"),
        (refused(-2019, "Margin is insufficient."), failed),
        (order(FaultKind::Http503Unknown { executed: true }), failed),
        (order(FaultKind::AcceptThenDrop), failed),
        (order(FaultKind::Delay { delay_ms: 4_000, when: When::After }), failed),
        (order(FaultKind::Http429 { pool: OrderPool::Orders, retry_after_s: Some(1) }), "budget is used up"),
        (order(FaultKind::Http418).for_ms(30_000), "has banned this address"),
    ]
}

#[test]
fn a_run_full_of_trouble_shows_none_by_either_way_nor_does_what_is_asked_about_it() {
    let runtime = runtime();
    for (path, format) in [("rest", "text"), ("ws-api", "json")] {
        let config = ExchangeConfig {
            api_key: ApiKey::new(KEY, SECRET),
            environment: Environment::Mainnet,
            pace: Pace::Speed(300.0),
            start_ms: Some(START_MS),
            balance_usdt: 1_000_000.into(),
            ..ExchangeConfig::default()
        };
        let exchange = runtime.block_on(Exchange::start(config)).unwrap();
        let mode = VenueCommand::PositionMode { account: exchange.account(), hedge: true };
        exchange.apply(&mode).unwrap().unwrap();
        let temp = Temp::new("leak-trouble");
        restless(&temp);
        let args =
            ["--config", "config", "--follow", "--state-dir", "d", "--time-scale", "300", "--log", format];
        let mut executor = at(&exchange, command(&temp, &program("hedge-executor")));
        executor.args(args).env("HEDGE__BINANCE__ORDER_PATH", path);
        let mut run = Following::start(executor);
        run.wait_until("an order", |line| line.contains("ORDER_REQ") || line.contains("order request"));
        for (fault, met) in troubles() {
            let id = exchange.fault(fault).unwrap();
            let is_met = || exchange.faults().iter().any(|fault| fault.id == id && fault.hits > 0);
            while !is_met() {
                run.wait_until(met, |line| met.split('|').any(|word| line.contains(word)));
            }
        }
        let listen_key = listen_key_when_heard(&exchange);
        assert_eq!(run.stop("-TERM").1, Some(0), "{path}: {:#?}", run.seen.iter().rev().take(40));
        assert!(run.seen.iter().any(|line| line.contains("request") && line.contains("query")), "no trace");
        let secrets = [SECRET.to_owned(), KEY.to_owned(), listen_key];
        leaks(path, &run.seen.join("\n"), &secrets);
        for own in [
            &["journal", "show", "--json"][..],
            &["journal", "show"],
            &["journal", "verify", "--json"],
            &["why", "BTCUSDT", "LONG"],
            &["ledger", "rebuild"],
            &["ledger", "query", "--orders", "--json"],
            &["ledger", "query", "--checks"],
            &["status", "--json"],
        ] {
            let mut tool = at(&exchange, command(&temp, &program("hedgectl")));
            let output = tool.args(own).args(["--state-dir", "d"]).output().unwrap();
            let shown = format!("{}\n{}", stdout(&output).join("\n"), stderr(&output));
            assert_ne!(output.status.code(), Some(2), "{own:?} was not understood: {shown}");
            assert!(shown.len() > 20, "{own:?} said nothing");
            leaks(&format!("hedgectl {own:?}"), &shown, &secrets);
        }
        for own in [&["config", "show"][..], &["config", "check"]] {
            let mut tool = at(&exchange, command(&temp, &program("hedgectl")));
            let output = tool.args(own).args(["--config", "config"]).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            let shown = format!("{}\n{}", stdout(&output).join("\n"), stderr(&output));
            leaks(&format!("hedgectl {own:?}"), &shown, &secrets);
        }
        leaks_below(temp.path(), &secrets);
        fs::write(temp.join("log.txt"), run.seen.join("\n") + "\n").unwrap();
        a_pack_shows_none(&temp, &exchange, &secrets);
        runtime.block_on(exchange.shutdown());
    }
}

/// An incident pack of such a run, with a log to which everything was added that must not leave a machine.
fn a_pack_shows_none(temp: &Temp, exchange: &ExchangeHandle, secrets: &[String]) {
    const CHAT: &str = "-1004711471147";
    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJoZWRnZUBleGFtcGxlIn0.c2lnbmF0dXJlT2ZUaGlzMQ";
    const BOT: &str = "987654321:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw9";
    let here = temp.path().display().to_string();
    // Written in pieces: no folder of a person's stands in this project.
    let home = ["/ho", "me/ann"].concat();
    let mut log = fs::read_to_string(temp.join("log.txt")).unwrap();
    for line in [
        format!("POST /fapi/v1/order symbol=BTCUSDT&signature={} refused", "5f".repeat(32)),
        format!("telegram: sendMessage with {BOT} to chat_id={CHAT} and {CHAT} failed"),
        format!("firestore: Bearer {JWT} and token={JWT}: 401 of fs.internal.example.com"),
        format!("wrote {here}/d/journal/x and {home}/hedge/.env as {KEY} {SECRET} {TOKEN}"),
        "the lease is held by trading-host-7 pid 4711; trading-host-7 answers at 10.1.2.3:8080".to_owned(),
    ] {
        log.push_str(&(line + "\n"));
    }
    fs::write(temp.join("log.txt"), &log).unwrap();
    let mut tool = at(exchange, command(temp, &program("hedgectl")));
    tool.args(["incident", "pack", "d", "--log", "log.txt", "--out", "p.tar.gz"]);
    let output = tool.env("TELEGRAM_BOT_TOKEN", TOKEN).env("TELEGRAM_CHAT_ID", CHAT).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut plain = Vec::new();
    GzDecoder::new(fs::File::open(temp.join("p.tar.gz")).unwrap()).read_to_end(&mut plain).unwrap();
    let plain = String::from_utf8_lossy(&plain);
    for member in ["manifest.json", "journal.jsonl", "configs/", "log.txt"] {
        assert!(plain.contains(member), "no {member}");
    }
    assert!(plain.contains("telegram: sendMessage with [hidden] to chat_id=[hidden]"), "the log is in it");
    let others =
        [CHAT, JWT, BOT, TOKEN, &here, &home, "trading-host-7", "fs.internal", "10.1.2.3", "127.0.0.1"];
    let secrets: Vec<String> = secrets.iter().cloned().chain(others.map(str::to_owned)).collect();
    leaks("the pack", &plain, &secrets);
    let shown = format!("{}\n{}", stdout(&output).join("\n"), stderr(&output));
    leaks("hedgectl incident pack", &shown, &secrets[..3]);
}

/// The account's listenKey, once the address may ask again.
fn listen_key_when_heard(exchange: &ExchangeHandle) -> String {
    exchange.clear_faults(None).unwrap();
    listen_key(&exchange.rest_url(), KEY)
}

/// A panic shows what its message formats, and a person formats what is at hand.
#[test]
fn what_a_panic_can_format_shows_none() {
    let _runtime = runtime().enter();
    let credentials = || Credentials::<Mainnet>::new(KEY.to_owned(), SECRET.to_owned()).unwrap();
    let endpoints = Endpoints::<Mainnet>::new(Some("http://127.0.0.1:9"), Some("ws://127.0.0.1:9")).unwrap();
    let config = || BinanceConfig::new(endpoints.clone(), std::sync::Arc::new(hedge_runtime::SystemClock));
    let client = Binance::connect(config(), credentials()).unwrap();
    let env = Env::from_pairs([
        ("BINANCE_API_KEY", KEY),
        ("BINANCE_API_SECRET", SECRET),
        ("TELEGRAM_BOT_TOKEN", TOKEN),
    ]);
    let secrets = [KEY.to_owned(), SECRET.to_owned(), TOKEN.to_owned()];
    let shown = [
        format!("{:?} {:#?}", credentials(), credentials()),
        format!("{:?} {:#?}", config(), config()),
        format!("{client:?} {client:#?}"),
        format!("{env:?} {env:#?}"),
        format!("{:#?}", hedge_desk::config::Config::load(None, &env).unwrap()),
    ];
    for text in &shown {
        leaks("what is formatted", text, &secrets);
        assert!(text.len() > 10, "{text}");
    }
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panic!("{client:?} {env:?}")));
    std::panic::set_hook(hook);
    let panicked = panicked.unwrap_err();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(message.len() > 20);
    leaks("the panic", message, &secrets);
}

/// Takes messages as Telegram would, and notes the first one's path.
fn telegram() -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let taken = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0_u8; 512];
        let read = stream.read(&mut bytes).unwrap();
        // Refused, so that it has something to say about it.
        stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    });
    (base, taken)
}

#[test]
fn the_operators_tools_show_none() {
    let runtime = runtime();
    let exchange = elsewhere(&runtime, Environment::Demo);
    let temp = Temp::new("leak-tools");
    let folder = config().display().to_string();
    let args = ["--profile", "testnet", "--state-dir", "d", "--symbols", "BTCUSDT"];
    let mut run = Following::start(at(&exchange, executor(&temp, &args)));
    run.wait_for("[executor] account OK");
    let secrets =
        [SECRET.to_owned(), KEY.to_owned(), TOKEN.to_owned(), listen_key(&exchange.rest_url(), KEY)];
    let (base, told) = telegram();
    let common = ["--profile", "testnet", "--state-dir", "d", "--config", &folder];
    for (name, own) in [
        ("hedgectl", &["preflight"][..]),
        ("hedgectl", &["doctor"]),
        ("hedgectl", &["status", "--json"]),
        ("hedge-heartbeat", &["--send", "--json"]),
        ("hedge-panic-close", &["--yes", "--json"]),
    ] {
        let mut tool = at(&exchange, command(&temp, &program(name)));
        tool.args(own).env("TELEGRAM_BOT_TOKEN", TOKEN).env("TELEGRAM_CHAT_ID", "42");
        tool.env("HEDGE__TELEGRAM__BASE_URL", &base);
        // A status is asked for by directory alone.
        if own[0] == "status" {
            tool.args(&common[2..4])
        } else {
            tool.args(common)
        };
        let output = tool.output().unwrap();
        let shown = format!("{}\n{}", stdout(&output).join("\n"), stderr(&output));
        assert_ne!(output.status.code(), Some(2), "{name} {own:?} was not understood: {shown}");
        assert!(shown.len() > 20, "{name} {own:?} said nothing");
        leaks(&format!("{name} {own:?}"), &shown, &secrets);
    }
    assert!(told.join().unwrap().contains(TOKEN), "the token was used");
    assert_eq!(run.end(), Some(75), "the panic close took over: {:#?}", run.seen);
    leaks("the executor", &run.seen.join("\n"), &secrets);
    leaks_below(temp.path(), &secrets);
    runtime.block_on(exchange.shutdown());
}
