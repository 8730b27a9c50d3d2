//! The program as a cron calls it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hedge_core::Decimal;
use hedge_sim::{
    binance::{ApiKey, Exchange, ExchangeConfig, ExchangeHandle, Fault, FaultKind, When},
    venue::{Command as VenueCommand, NewOrder, PositionSide, Side},
};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

const TOKEN: &str = "5551234567:AAF-hush_hush";

/// A folder that goes away with the test.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hedge-heartbeat-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn path(&self) -> &Path {
        &self.0
    }
    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

/// Somebody who listens where an executor would, for as long as this lives; what it says is no answer.
struct Alive(PathBuf);

impl Alive {
    fn at(temp: &Temp) -> Self {
        let path = temp.path().join("control.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || listener.incoming().flatten().for_each(drop));
        Self(path)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The program with the shipped configuration.
fn program(temp: &Temp, args: &[&str]) -> Command {
    let mut command = bare(temp, args);
    command.arg("--config").arg(config());
    command
}

/// The program without the variables of whoever runs the tests.
fn bare(temp: &Temp, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedge-heartbeat"));
    command.current_dir(temp.path()).args(args);
    let ours = ["LOG_LEVEL", "ENV", "DRY_RUN", "SAFE_MODE", "EVENT_STORE_ROOT", "HEARTBEAT_TZ"];
    for (name, _) in std::env::vars() {
        let prefixed = ["HEDGE__", "BINANCE_", "TELEGRAM_"].iter().any(|prefix| name.starts_with(prefix));
        if prefixed || ours.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end. Whatever happens, a cron job must not fail.
fn run(mut command: Command) -> (String, String) {
    let output = command.output().unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    (out, err)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

async fn run_beside(command: Command) -> (String, String) {
    tokio::task::spawn_blocking(move || run(command)).await.unwrap()
}

/// The state of the operators' example, as an executor writes it.
fn example(temp: &Temp, profile: &str) {
    temp.write("owner.json", &json!({"profile": profile, "venue": "binance"}).to_string());
    let simulated = profile == "mainnet-dry";
    let nav = json!({"as_of": 7, "at": "2025-08-22T08:00:00.000Z", "nav": "12345.67", "peak": "12753.79132",
        "drawdown_pct": "3.2", "nav_24h_delta_abs": "123.45", "nav_24h_delta_pct": "1.01",
        "series": [{"t": "2025-08-21T08:00:00.000Z", "nav": "12222.22"}], "simulated": simulated});
    temp.write("nav.json", &nav.to_string());
    let row = |symbol: &str, side: &str, qty: &str, pnl: &str| json!({"symbol": symbol, "side": side, "qty": qty, "entry": "1", "mark": "1", "uPnl": pnl});
    let positions = json!({"as_of": 7, "positions": [
        row("BTCUSDT", "SHORT", "0.001", "0.157"),
        row("ETHUSDT", "SHORT", "0.042", "-0.289"),
        row("SOLUSDT", "LONG", "1", "-6.099"),
        row("SOLUSDT", "SHORT", "1", "5.699"),
    ]});
    temp.write("positions.json", &positions.to_string());
    let trades = json!({"as_of": 7, "trades": [
        {"symbol": "SOLUSDT", "pnl": "3.12"}, {"symbol": "ETHUSDT", "pnl": "-0.58"},
        {"symbol": "BTCUSDT", "pnl": "0.22"}, {"symbol": 5},
    ]});
    temp.write("trade_log.json", &trades.to_string());
    let reading = |i: usize| json!({"at": "2025-08-22T08:00:01.000Z", "symbol": format!("S{i}USDT"), "timeframe": "15m", "emitted": i == 3});
    let screener = json!({"as_of": 7, "attempted": 900, "emitted": 9,
        "readings": (0..15).map(reading).collect::<Vec<_>>()});
    temp.write("screener.json", &screener.to_string());
    let health = json!({"as_of": 7, "posture": "normal", "operator": "normal", "operator_because": "",
        "connected": true, "unprotected": [], "doubtful_orders": 0});
    temp.write("health.json", &health.to_string());
}

const EXAMPLE: &str = "\
HEDGE — 8h Update (prod)
Time: 2025-08-22 10:00 SAST

NAV: 12,345.67 USDT  (Δ24h: +123.45, +1.01%)
Drawdown: 3.2%  |  Trend: ↑

Open Positions (top 5):
• ETHUSDT  SHORT 0.042  uPnL -0.29
• BTCUSDT  SHORT 0.001  uPnL +0.16
• SOLUSDT  LONG  1.000  uPnL -6.10  |  SHORT 1.000 uPnL +5.70 (hedged)

Recent PnL (last 5 trades):
• SOLUSDT +3.12
• ETHUSDT -0.58
• BTCUSDT +0.22
• …

Notes:
• Reserve: 0.013 BTC (not included in NAV)
• Screener: attempted=15, emitted=1 (last cycle)
";

fn at_home(mut command: Command) -> Command {
    command.env("ENV", "prod").env("HEARTBEAT_TZ", "Africa/Johannesburg");
    command
}

#[test]
fn a_state_directory_becomes_the_operators_example_to_the_letter() {
    let temp = Temp::new("example");
    example(&temp, "mainnet");
    let _executor = Alive::at(&temp);
    let (out, err) = run(at_home(program(&temp, &["--state-dir", "."])));
    assert_eq!((out.as_str(), err.as_str()), (EXAMPLE, ""));
}

#[test]
fn with_json_the_twin_is_the_only_line() {
    let temp = Temp::new("json");
    example(&temp, "mainnet");
    let _executor = Alive::at(&temp);
    let (out, _) = run(at_home(program(&temp, &["--state-dir", ".", "--json"])));
    assert_eq!(out.lines().count(), 1);
    let twin: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(twin["nav_24h_delta_pct"], json!(1.01));
    assert_eq!(twin["positions"][3], json!({"symbol": "SOLUSDT", "side": "SHORT", "qty": 1, "uPnl": 5.699}));
    assert_eq!(twin["kpis"], json!({"max_dd_pct": 9, "max_daily_loss_pct": 4}));
    assert_eq!(twin["screener"], json!({"attempted": 15, "emitted": 1}));
}

#[test]
fn a_dry_run_is_marked_in_title_and_rows() {
    let temp = Temp::new("dry");
    example(&temp, "mainnet-dry");
    let _executor = Alive::at(&temp);
    let (out, _) = run(at_home(program(&temp, &["--state-dir", "."])));
    assert!(out.starts_with("HEDGE — 8h Update (prod, simulated)\n"), "{out}");
    assert!(
        out.contains("• Profile: mainnet-dry (real prices, simulated fills, no order leaves)\n"),
        "{out}"
    );
    let (out, _) = run(at_home(program(&temp, &["--state-dir", ".", "--json"])));
    let twin: Value = serde_json::from_str(&out).unwrap();
    assert!(twin["simulated"] == true && twin["positions"][0]["simulated"] == true, "{out}");
    // What a variable makes dry is the dry run's report too.
    let mut command = at_home(program(&temp, &["--state-dir", ".", "--profile", "mainnet"]));
    command.env("DRY_RUN", "1");
    let (out, _) = run(command);
    assert!(out.starts_with("HEDGE — 8h Update (prod, simulated)\n") && out.contains("12,345.67"), "{out}");
}

#[test]
fn without_anything_the_message_says_what_is_missing() {
    let temp = Temp::new("nothing");
    let (out, err) = run(at_home(program(&temp, &[])));
    assert!(out.contains("NAV: n/a  (Δ24h: n/a)\nDrawdown: n/a  |  Trend: n/a\n"), "{out}");
    assert!(out.contains("• Missing: state (no state directory: no live profile owns state"), "{out}");
    assert!(out.contains("• Missing: exchange ("), "{out}");
    assert!(err.starts_with("hedge-heartbeat: the exchange was not asked: "), "{err}");
    let (out, _) = run(at_home(program(&temp, &["--json"])));
    let twin: Value = serde_json::from_str(&out).unwrap();
    assert!(twin["nav"].is_null() && twin["positions"].is_null() && twin["reserve_btc"] == 0.013, "{out}");
}

#[test]
fn an_exchange_that_does_not_answer_is_one_of_the_things_missing() {
    let temp = Temp::new("closed");
    let mut command = at_home(program(&temp, &["--profile", "mainnet"]));
    // Nobody listens there.
    command
        .env("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:9")
        .env("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:9");
    command.env("BINANCE_API_KEY", "key-hush").env("BINANCE_API_SECRET", "secret-hush");
    let (out, err) = run(command);
    assert!(out.contains("• Missing: exchange (") && out.contains("NAV: n/a"), "{out}");
    assert!(
        err.contains("[preflight] profile=mainnet base=http://127.0.0.1:9 testnet=False dry_run=False"),
        "{err}"
    );
    assert!(!out.contains("hush") && !err.contains("hush"), "{out}{err}");
}

#[test]
fn a_state_directory_of_another_profile_is_not_reported_as_this_one() {
    let temp = Temp::new("foreign");
    example(&temp, "paper");
    let (out, _) = run(at_home(program(&temp, &["--state-dir", ".", "--profile", "mainnet"])));
    assert!(out.contains("NAV: n/a") && out.contains("belongs to profile paper"), "{out}");
}

#[test]
fn damaged_views_and_a_configuration_that_cannot_be_used_are_named() {
    let temp = Temp::new("damaged");
    example(&temp, "mainnet");
    let _executor = Alive::at(&temp);
    temp.write("positions.json", "{\"as_of\":7,");
    for entry in fs::read_dir(config()).unwrap().flatten() {
        fs::copy(entry.path(), temp.path().join(entry.file_name())).unwrap();
    }
    temp.write("risk_limits.json", "{\"KILL_DD_PCT\": 0.09}");
    let command = bare(&temp, &["--state-dir", ".", "--config", "."]);
    let (out, err) = run(at_home(command));
    assert!(out.contains("NAV: 12,345.67 USDT") && out.contains("(top 5):\n• n/a\n"), "{out}");
    assert!(out.contains("• Missing: configuration (./risk_limits.json:1: KILL_DD_PCT = 0.09: "), "{out}");
    assert!(out.contains("• Missing: positions (./positions.json is damaged"), "{out}");
    assert!(err.contains("the configuration cannot be used: "), "{err}");
}

#[test]
fn a_first_day_and_an_engine_that_stands_still_are_told() {
    let temp = Temp::new("first-day");
    example(&temp, "mainnet");
    let _executor = Alive::at(&temp);
    let nav = json!({"as_of": 7, "at": "2025-08-22T08:00:00.000Z", "nav": "10000", "peak": "10000",
        "drawdown_pct": "0", "nav_24h_delta_abs": null, "nav_24h_delta_pct": null,
        "series": [{"t": "2025-08-22T03:00:00.000Z", "nav": "10000"}]});
    temp.write("nav.json", &nav.to_string());
    let health = json!({"as_of": 7, "posture": "halted", "operator": "halted", "operator_because": "release night",
        "connected": false, "unprotected": ["BTCUSDT LONG"], "doubtful_orders": 2});
    temp.write("health.json", &health.to_string());
    temp.write("positions.json", "{\"as_of\":7,\"positions\":[]}");
    temp.write("trade_log.json", "{\"as_of\":7,\"trades\":[]}");
    let mirror = json!({"name": "firestore", "state": "diverged", "next": 4, "journal_next": 7, "behind_since_ms": 1,
        "because": "record 3 is another one", "at_ms": 90_001, "pid": 1});
    std::fs::create_dir(temp.path().join("followers")).unwrap();
    temp.write("followers/firestore.json", &mirror.to_string());
    let (out, _) = run(at_home(program(&temp, &["--state-dir", "."])));
    assert_eq!(
        out,
        "\
HEDGE — 8h Update (prod)
Time: 2025-08-22 10:00 SAST

NAV: 10,000.00 USDT  (Δ24h: n/a)
Drawdown: 0.0%  |  Trend: n/a

Open Positions (top 5):
• none

Recent PnL (last 5 trades):
• none

Notes:
• Reserve: 0.013 BTC (not included in NAV)
• Screener: attempted=15, emitted=1 (last cycle)
• Posture: HALTED, nothing new is decided (release night)
• Exchange stream: not connected
• Without a confirmed stop: BTCUSDT LONG
• Orders with unknown outcome: 2
• Behind: firestore DIVERGED, lag 3 records, 90 s: record 3 is another one
• No NAV from 24 h ago: the first one is of 2025-08-22 03:00 UTC
"
    );
}

#[tokio::test]
async fn after_a_panic_close_no_leg_is_reported_that_the_exchange_does_not_have() {
    let temp = Temp::new("panic");
    example(&temp, "mainnet");
    let health = json!({"posture": "normal", "operator": "normal", "connected": true,
        "unprotected": ["BTCUSDT SHORT"], "doubtful_orders": 1});
    temp.write("health.json", &health.to_string());
    fs::create_dir(temp.path().join("control")).unwrap();
    let fence = json!({"term": 8, "posture": "halted", "because": "panic close of all symbols",
        "by": "hedge-panic-close", "at": "2025-08-22T08:00:00.000Z"});
    temp.write("control/fence", &format!("{fence}\n"));
    let exchange = Exchange::start(ExchangeConfig::default()).await.unwrap();
    let (out, _) = run_beside(at_exchange(program(&temp, &["--state-dir", "."]), &exchange)).await;
    assert!(out.contains("NAV: 10,000.00 USDT") && out.contains("(top 5):\n• none\n"), "{out}");
    assert!(out.contains("• State: last written 0 min ago; hedge-executor is not running\n"), "{out}");
    let halted =
        "• Posture: HALTED, nothing new is decided (panic close of all symbols by hedge-panic-close)\n";
    assert!(out.contains(halted), "{out}");
    assert!(!out.contains("Without a confirmed stop") && !out.contains("unknown outcome"), "{out}");
    exchange.shutdown().await;
}

fn at_exchange(mut command: Command, exchange: &ExchangeHandle) -> Command {
    let key = ApiKey::demo();
    command
        .env("HEDGE__BINANCE__REST_URL", exchange.rest_url())
        .env("HEDGE__BINANCE__WS_URL", exchange.ws_url())
        .env("BINANCE_API_KEY", key.key())
        .env("BINANCE_API_SECRET", key.secret());
    command
}

#[tokio::test]
async fn without_a_state_directory_the_exchange_is_asked() {
    let temp = Temp::new("venue");
    let exchange = Exchange::start(ExchangeConfig::default()).await.unwrap();
    let command = at_exchange(program(&temp, &["--profile", "mainnet"]), &exchange);
    let (out, err) = run_beside(command).await;
    assert!(out.starts_with("HEDGE — 8h Update (mainnet)\n"), "{out}");
    assert!(out.contains("NAV: 10,000.00 USDT  (Δ24h: n/a)\n"), "{out}\n{err}");
    assert!(out.contains("(top 5):\n• none\n") && out.contains("(last 5 trades):\n• none\n"), "{out}");
    assert!(out.contains(&format!("• Source: NAV and positions read from {}", exchange.rest_url())), "{out}");
    let lines: Vec<&str> = err.lines().collect();
    let base = exchange.rest_url();
    let wanted = format!("[preflight] profile=mainnet base={base} testnet=False dry_run=False");
    assert_eq!(lines, [wanted]);
    exchange.shutdown().await;
}

#[tokio::test]
async fn the_exchanges_legs_profits_and_executions_are_told_like_those_of_a_state() {
    let temp = Temp::new("legs");
    let exchange = Exchange::start(ExchangeConfig::default()).await.unwrap();
    // Prices stand still, so that both looks see the same.
    exchange.set_paused(true).unwrap();
    let account = exchange.account();
    let apply = |command: VenueCommand| exchange.apply(&command).unwrap().unwrap();
    apply(VenueCommand::PositionMode { account, hedge: true });
    let order = |symbol: &str, side, leg, qty: i64| {
        apply(VenueCommand::Place(NewOrder::market(account, symbol, side, Decimal::from(qty)).on(leg)));
    };
    order("SOLUSDT", Side::Buy, PositionSide::Long, 5);
    order("SOLUSDT", Side::Sell, PositionSide::Short, 2);
    order("SOLUSDT", Side::Sell, PositionSide::Long, 1);
    let command = || at_exchange(program(&temp, &["--profile", "mainnet"]), &exchange);
    let (out, err) = run_beside(command()).await;
    assert!(
        out.contains("• SOLUSDT  LONG  4.000  uPnL ") && out.contains("  |  SHORT 2.000 uPnL "),
        "{out}{err}"
    );
    assert_eq!(out.lines().filter(|line| line.contains("(hedged)")).count(), 1, "{out}");
    let mut json = command();
    json.arg("--json");
    let (out, _) = run_beside(json).await;
    let twin: Value = serde_json::from_str(&out).unwrap();
    let legs = exchange.legs().unwrap();
    let unrealized = |side: PositionSide| {
        let leg = legs.iter().find(|leg| leg.symbol == "SOLUSDT" && leg.position_side == side).unwrap();
        leg.unrealized_pnl.to_string().parse::<f64>().unwrap()
    };
    assert_eq!(twin["positions"][0]["uPnl"], unrealized(PositionSide::Long));
    assert_eq!(twin["positions"][1]["uPnl"], unrealized(PositionSide::Short));
    let trades = twin["recent_trades"].as_array().unwrap();
    assert_eq!(trades.len(), 3, "{out}");
    assert!(trades[0]["pnl"].as_f64().unwrap() != 0.0, "the newest is the close: {out}");
    assert!(trades[1]["pnl"] == 0 && trades[2]["pnl"] == 0, "{out}");
    exchange.shutdown().await;
}

#[tokio::test]
async fn an_exchange_that_hangs_costs_patience_and_no_message() {
    let temp = Temp::new("hangs");
    let exchange = Exchange::start(ExchangeConfig::default()).await.unwrap();
    let hangs = FaultKind::Delay { delay_ms: 600_000, when: When::Before };
    exchange.fault(Fault::new(hangs).under("/fapi/").always()).unwrap();
    let mut command = at_exchange(program(&temp, &["--profile", "mainnet"]), &exchange);
    command.env("HEDGE__BINANCE__TIMEOUT_MS", "1000");
    let (out, err) = run_beside(command).await;
    assert!(out.contains("• Missing: exchange (") && out.contains("NAV: n/a"), "{out}");
    assert!(err.contains("the exchange did not answer: "), "{err}");
    exchange.shutdown().await;
}

#[tokio::test]
async fn a_live_state_that_nobody_writes_any_more_is_replaced_by_what_the_exchange_says() {
    let temp = Temp::new("old");
    example(&temp, "mainnet");
    let five_hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(5 * 3_600 + 200);
    let nav = fs::File::options().append(true).open(temp.path().join("nav.json")).unwrap();
    nav.set_modified(five_hours_ago).unwrap();
    let exchange = Exchange::start(ExchangeConfig::default()).await.unwrap();
    let (out, _) = run_beside(at_exchange(program(&temp, &["--state-dir", "."]), &exchange)).await;
    assert!(out.contains("NAV: 10,000.00 USDT"), "{out}");
    // 10,000 is that far below the peak that the state remembers.
    assert!(out.contains("Drawdown: 21.6%"), "{out}");
    assert!(out.contains("• State: last written 5 h 03 min ago; hedge-executor is not running\n"), "{out}");
    exchange.shutdown().await;
}

#[tokio::test]
async fn send_posts_the_text_and_no_output_shows_the_token_at_any_log_level() {
    let temp = Temp::new("send");
    example(&temp, "mainnet");
    let _executor = Alive::at(&temp);
    for (status, said) in
        [(200, "hedge-heartbeat: sent to chat -100777 at once"), (404, "not sent: the bot is not known")]
    {
        let server = MockServer::start().await;
        let answer = json!({"ok": status == 200, "description": format!("about /bot{TOKEN}/sendMessage")});
        let answer = ResponseTemplate::new(status).set_body_json(answer);
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let mut command = at_home(program(&temp, &["--state-dir", ".", "--send"]));
        command.env("TELEGRAM_BOT_TOKEN", TOKEN).env("TELEGRAM_CHAT_ID", "-100777");
        command.env("HEDGE__TELEGRAM__BASE_URL", server.uri()).env("LOG_LEVEL", "trace");
        let (out, err) = run_beside(command).await;
        assert_eq!(out, EXAMPLE);
        assert!(err.contains(said), "{err}");
        assert!(!err.contains("hush") && !err.contains("5551234567"), "{err}");
        let requests = server.received_requests().await.unwrap();
        assert_eq!(requests[0].url.path(), format!("/bot{TOKEN}/sendMessage"));
        let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
        assert_eq!(body["text"], EXAMPLE.trim_end());
        assert_eq!(body["chat_id"], json!(-100_777));
    }
}

#[test]
fn send_without_a_bot_is_a_line_on_stderr() {
    let temp = Temp::new("no-bot");
    example(&temp, "mainnet");
    let _executor = Alive::at(&temp);
    let (out, err) = run(at_home(program(&temp, &["--state-dir", ".", "--send"])));
    assert_eq!(out, EXAMPLE);
    assert!(err.starts_with("hedge-heartbeat: not sent: TELEGRAM_BOT_TOKEN is not set"), "{err}");
}

#[test]
fn wrong_arguments_are_two() {
    let temp = Temp::new("usage");
    for args in [&["--what"][..], &["--profile", "mainet"]] {
        let output = program(&temp, args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{:?}", texts(&output));
    }
}

#[cfg(unix)]
#[test]
fn variables_in_a_file_that_others_can_read_are_left_out_and_the_message_is_there() {
    use std::os::unix::fs::PermissionsExt;
    let temp = Temp::new("env-file");
    example(&temp, "mainnet");
    let _executor = Alive::at(&temp);
    temp.write("open.env", &format!("TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_CHAT_ID=1\n"));
    fs::set_permissions(temp.path().join("open.env"), fs::Permissions::from_mode(0o644)).unwrap();
    let (out, err) = run(at_home(program(&temp, &["--state-dir", ".", "--env-file", "open.env", "--send"])));
    assert_eq!(out, EXAMPLE);
    assert!(err.contains("chmod 600 open.env") && err.contains("TELEGRAM_BOT_TOKEN is not set"), "{err}");
    assert!(!err.contains("hush"), "{err}");
}
