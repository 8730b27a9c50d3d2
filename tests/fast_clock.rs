//! `--time-scale`: the program by a clock that runs as fast as that of an exchange on this machine.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{fs, path::Path};

use hedge_core::{Event, Fact, MarketEvent, Seq};
use hedge_sim::binance::{ApiKey, Environment, Exchange, ExchangeConfig, Pace};
use hedge_store::FileJournal;
use support::{Temp, command, config, following::Following, json, program};

/// A minute takes a second.
const SPEED: u32 = 60;
/// Bars of a minute.
const BARS: usize = 8;

/// The shipped configuration with strategies that decide every minute and enter easily.
fn eager(temp: &Temp) -> String {
    let dir = temp.join("config");
    fs::create_dir(&dir).unwrap();
    for name in ["pairs_universe.json", "strategy_config.json", "risk_limits.json", "runtime.toml"] {
        let text = fs::read_to_string(config().join(name)).unwrap();
        let text = text.replace("\"timeframe\": \"15m\"", "\"timeframe\": \"1m\"");
        let text = text.replace("\"z_entry\": 2.2", "\"z_entry\": 0.1");
        let text = text.replace("\"rsi_extreme\": 32", "\"rsi_extreme\": 50");
        let text = text.replace("\"lookback_bars\": 24", "\"lookback_bars\": 2");
        let text = text.replace("\"atr_min\": 0.001", "\"atr_min\": 0");
        fs::write(dir.join(name), text.replace("\"atr_min\": 05", "\"atr_min\": 0")).unwrap();
    }
    dir.display().to_string()
}

/// A minute in which this market begins to move: the same market whenever the test runs.
const START_MS: i64 = 1_795_173_540_000;

/// The venue's code for a timestamp outside its window.
const OUTSIDE_WINDOW: i64 = -1021;

/// The code of a request that failed; `None` for one that was not sent or not answered.
fn code_of(line: &str) -> Option<i64> {
    let body = &line[line.find('{').unwrap_or_else(|| panic!("{line}"))..];
    serde_json::from_str::<serde_json::Value>(body).unwrap()["code"].as_i64()
}

/// Ends of the bars that came live, of all symbols.
fn bars(dir: &Path) -> usize {
    let journal = FileJournal::open_read_only(dir).unwrap();
    let is_bar =
        |event: &Event| matches!(event, Event::Fact(Fact::Market { event: MarketEvent::Bar { .. } }));
    journal.records(Seq(0)).filter(|record| is_bar(&record.as_ref().unwrap().event)).count()
}

#[test]
fn by_a_fast_clock_several_bars_are_traded_and_no_request_fails_for_its_time() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let exchange = runtime
        .block_on(Exchange::start(ExchangeConfig {
            environment: Environment::Mainnet,
            pace: Pace::Speed(f64::from(SPEED)),
            start_ms: Some(START_MS),
            ..ExchangeConfig::default()
        }))
        .unwrap();
    let temp = Temp::new("fast-clock");
    let speed = SPEED.to_string();
    let (folder, bars_wanted) = (eager(&temp), BARS.to_string());
    let mut command = command(&temp, &program("hedge-executor"));
    command.args(["--config", &folder, "--time-scale", &speed, "--bars", &bars_wanted]);
    command.args(["--state-dir", "d", "--symbols", "BTCUSDT,SOLUSDT"]);
    command
        .env("HEDGE__BINANCE__REST_URL", exchange.rest_url())
        .env("HEDGE__BINANCE__WS_URL", exchange.ws_url())
        .env("BINANCE_API_KEY", ApiKey::DEMO_KEY)
        .env("BINANCE_API_SECRET", ApiKey::DEMO_SECRET);
    let mut run = Following::start(command);
    run.wait_for("[executor] account OK");
    let address = json(&temp.join("d/exchange.json"));
    assert_eq!(address["pace"]["speed"].as_f64(), Some(f64::from(SPEED)), "tools can keep up: {address}");
    assert_eq!(run.end(), Some(0), "{:#?}", run.seen);
    assert!(!temp.join("d/exchange.json").exists());
    assert!(bars(&temp.join("d")) >= 2 * BARS, "{:#?}", run.seen);
    let count = |tag: &str| run.seen.iter().filter(|line| line.starts_with(tag)).count();
    assert!(count("[executor] SEND_ORDER") >= 2, "{:#?}", run.seen);
    // A timestamp outside its window, a stale approval, an answer that did not come: each is about time, and the latter two have
    // no code. What else the venue refuses is about its market, which is faster than a request on a busy machine.
    let failed: Vec<&String> =
        run.seen.iter().filter(|line| line.starts_with("[executor] ORDER_ERR")).collect();
    for line in &failed {
        assert!(code_of(line).is_some_and(|code| code != OUTSIDE_WINDOW), "{line}: {:#?}", run.seen);
    }
    // A symbol is muted when its protection failed: for a stop that was through already, and for no other reason.
    if failed.iter().all(|line| code_of(line) != Some(-2021)) {
        assert_eq!(count("[executor] MUTED"), 0, "{:#?}", run.seen);
    }
    runtime.block_on(exchange.shutdown());
}
