//! Two processes that could trade one account, and the one that does: real programs, an exchange, a Firestore.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "crash/venue.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the crash tests")]
mod venue;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use hedge_core::{Decision, Event, Seq};
use hedge_sim::binance::ApiKey;
use hedge_store::FileJournal;
use hedge_testkit::firestore::FakeFirestore;
use serde_json::{Value, json};
use support::{Temp, command, config, following::Following, hedgectl, json as read_json, program, stderr};
use tokio::runtime::Runtime;
use venue::Venue;

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/// Venue seconds in one of ours: a bar of a minute takes two seconds.
const SPEED: u32 = 30;
const TTL: Duration = Duration::from_secs(6);
const WINDOW: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
const READY: &str = "[executor] account OK";
const BY_HAND: &str = "byhand1";

/// An exchange that runs by itself, a Firestore, and executors with state directories of their own.
struct Stage {
    temp: Temp,
    rest: String,
    ws: String,
    venue: Venue,
    fake: FakeFirestore,
    _runtime: Runtime,
    _exchange: Following,
}

impl Stage {
    fn new(name: &str) -> Self {
        // Whatever must be built is built before a clock runs.
        for name in ["hedge-executor", "hedge-exchange-sim", "hedgectl"] {
            program(name);
        }
        let temp = Temp::new(name);
        write_config(&temp);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let fake = runtime.block_on(FakeFirestore::start());
        fake.run_clock();
        let mut exchange = command(&temp, &program("hedge-exchange-sim"));
        exchange.args(["--venue", "binance", "--environment", "mainnet", "--hedge-mode", "--leverage", "3"]);
        exchange.args(["--speed", &SPEED.to_string(), "--balance", "1000000"]);
        let mut exchange = Following::start(exchange);
        let ready: Value = serde_json::from_str(&exchange.wait_for("{")).unwrap();
        let url = |name: &str| ready[name].as_str().unwrap().to_owned();
        let (rest, ws) = (url("rest"), url("ws"));
        let venue = Venue::at(&rest);
        Self { temp, rest, ws, venue, fake, _runtime: runtime, _exchange: exchange }
    }

    fn executor(&self, dir: &str) -> Command {
        let mut executor = command(&self.temp, &program("hedge-executor"));
        executor
            .args(["--config", "config", "--follow", "--state-dir", dir, "--time-scale", &SPEED.to_string()])
            .env("HEDGE__BINANCE__REST_URL", &self.rest)
            .env("HEDGE__BINANCE__WS_URL", &self.ws)
            .env("BINANCE_API_KEY", ApiKey::DEMO_KEY)
            .env("BINANCE_API_SECRET", ApiKey::DEMO_SECRET)
            .env("FIRESTORE_EMULATOR_HOST", self.fake.host());
        executor
    }

    fn start(&self, dir: &str) -> Following {
        Following::start(self.executor(dir))
    }

    fn lease(&self) -> Value {
        Value::Object(self.fake.fields("hedge/paper/lease/binance-paper").expect("a lease was taken"))
    }

    /// Client ids at the venue, of open orders and of past ones.
    fn at_venue(&self) -> BTreeSet<String> {
        let orders = self.venue.account(true).orders;
        for (id, rows) in &orders {
            assert_eq!(rows.len(), 1, "{id} stands for several orders");
        }
        orders.into_keys().collect()
    }

    fn status(&self, dir: &str) -> String {
        let output = hedgectl(&self.temp, &["status", "--state-dir", dir]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn dir(&self, dir: &str) -> PathBuf {
        self.temp.join(dir)
    }
}

/// Client ids that a journal has announced.
fn announced(dir: &PathBuf) -> BTreeSet<String> {
    let journal = FileJournal::open_read_only(dir).unwrap();
    let order = |event: Event| match event {
        Event::Decision(Decision::OrderApproved { client_id, .. }) => Some(client_id.to_string()),
        _ => None,
    };
    journal.records(Seq(0)).filter_map(|record| order(record.unwrap().event)).collect()
}

/// Strategies that are in and out all the time, and a lease of six seconds of which three may be used.
fn write_config(temp: &Temp) {
    let folder = temp.join("config");
    fs::create_dir(&folder).unwrap();
    let strategy = |symbol: &&str| {
        json!({
            "name": format!("{}_fast", symbol.to_lowercase().trim_end_matches("usdt")), "kind": "sol_fast_lane",
            "symbol": symbol, "timeframe": "1m", "enabled": true, "sides": ["LONG", "SHORT"],
            "capital_per_trade": "300", "leverage": 3, "mode": "reversion", "z_period": 5, "z_entry": 0.1,
            "rsi_extreme": 50, "atr_min": 0, "atr_max": 0.5, "cooldown_bars": 0, "stop": {"atr": 3.0},
            "take_profits": [{"at": {"atr": 3.0}, "portion": 0.5}], "max_bars": 3
        })
    };
    let strategies: Vec<Value> = SYMBOLS.iter().map(strategy).collect();
    let mut limits = read_json(&config().join("risk_limits.json"));
    for (key, value) in [
        ("ENTRIES_PER_LEG_PER_HOUR", 60),
        ("MAX_NOTIONAL_TOTAL_USDT", 1_000_000),
        ("MAX_NOTIONAL_PER_SYMBOL_USDT", 500_000),
        ("PRICE_STALENESS_S", 300),
        ("WARMUP_S", 0),
    ] {
        limits[key] = json!(value);
    }
    let put = |name: &str, value: &Value| fs::write(folder.join(name), value.to_string()).unwrap();
    put("strategy_config.json", &json!({"strategies": strategies}));
    put("risk_limits.json", &limits);
    put("pairs_universe.json", &json!({"symbols": SYMBOLS}));
    let runtime = "[binance]\nrecv_window_ms = 2000\ntimeout_ms = 1000\n\
                   [journal]\ndurability = \"os\"\nmin_free_mb = 16\n[history]\nbars = 50\n[views]\ninterval_ms = 100\n\
                   [store.firestore]\nproject = \"test\"\n\
                   [fence]\nlease = \"firestore\"\nttl_s = 6\nmargin_ms = 3100\n";
    fs::write(folder.join("runtime.toml"), runtime).unwrap();
}

/// A way to the exchange that keeps what comes back.
struct Tap {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn on(rest: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (target, heard) =
            (rest.strip_prefix("http://").unwrap().to_owned(), Arc::<Mutex<Vec<u8>>>::default());
        let kept = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                // What the client has sent is worth an answer also when it has gone.
                thread::spawn(move || copy(from, to, |_| ()));
                let kept = Arc::clone(&kept);
                thread::spawn(move || {
                    copy(server, client, |bytes| kept.lock().unwrap().extend_from_slice(bytes))
                });
            }
        });
        Self { url, heard }
    }

    fn has_heard(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).contains(text)
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, note: impl Fn(&[u8])) {
    let mut buffer = [0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        note(&buffer[..read]);
        // Read on: whoever listens here wants the rest all the same.
        let _ = to.write_all(&buffer[..read]);
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn is_normal(line: &str) -> bool {
    line.starts_with("[executor] POSTURE") && line.contains("\"normal\"")
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < end, "{what} did not come");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_leader_that_was_stopped_between_check_and_write_wakes_up_to_a_refusal_and_ends() {
    let stage = Stage::new("second-writer");
    let tap = Tap::on(&stage.rest);
    let mut first = stage.executor("one");
    // The first command of all is an opening: account and instruments are set up as configured.
    first.env("HEDGE__BINANCE__REST_URL", &tap.url).env("HEDGE_FAILPOINT", "request.before_write=stop");
    let mut first = Following::start(first);
    first.wait_until("that it leads", |line| line.contains("fence: holds the lease binance-paper"));
    first.wait_for_stop();
    let stopped_at = Instant::now();
    let late = announced(&stage.dir("one"));
    assert!(!late.is_empty() && stage.at_venue().is_empty(), "{late:?} was not sent");
    assert_eq!(stage.lease()["term"]["integerValue"], "1");

    // A leg that the next leader must protect while it may not open.
    stage.venue.open_by_hand("BTCUSDT", "0.01", BY_HAND);
    let mut second = stage.executor("two");
    second.arg("--standby");
    let mut second = Following::start(second);
    second.wait_until("that it leads", |line| line.contains("fence: holds the lease binance-paper"));
    let led_at = Instant::now();
    assert!(led_at - stopped_at > TTL - Duration::from_secs(3), "the lease had not run out");
    let posture = second.wait_for("[executor] POSTURE");
    assert!(
        posture.contains("exit_only") && posture.contains("lease: it was taken from nobody"),
        "{posture}"
    );
    second.wait_for(READY);
    until("the stop of the leg", || stage.venue.account(false).bare().is_empty());
    assert!(led_at.elapsed() < TTL + WINDOW, "it protects before it may open");
    let page = stage.status("two");
    assert!(page.contains("EXIT-ONLY") && page.contains("lease     firestore, term 2, "), "{page}");
    assert!(page.contains("nothing is opened for 8 s"), "{page}");
    let opened = second.wait_until("its first opening", |line| {
        line.starts_with("[executor] SEND_ORDER") && !line.contains("\"type\":\"STOP")
    });
    assert!(led_at.elapsed() >= TTL + WINDOW, "too early: {opened}");

    assert!(!tap.has_heard("-1021"));
    first.signal("-CONT");
    assert_eq!(first.end(), Some(75), "{:#?}", first.seen);
    assert!(
        first.seen.iter().any(|line| line.contains("lost") && line.contains("term 2")),
        "{:#?}",
        first.seen
    );
    until("the refusal at the venue", || tap.has_heard("-1021"));
    assert_eq!(second.stop("-TERM").1, Some(0), "{:#?}", second.seen);

    // One intent, one order: what the first had announced was never executed, and nothing stands twice.
    let (at_venue, by_second) = (stage.at_venue(), announced(&stage.dir("two")));
    assert!(at_venue.is_disjoint(&late) && at_venue.is_disjoint(&announced(&stage.dir("one"))));
    let strange: Vec<_> = at_venue.iter().filter(|id| !by_second.contains(*id) && *id != BY_HAND).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(at_venue.len() > 2, "{at_venue:?}");
}

#[test]
fn without_its_store_a_leader_opens_nothing_and_whoever_follows_a_clean_end_waits_for_nothing() {
    let stage = Stage::new("lease-store");
    let mut first = stage.start("one");
    first.wait_until("the first posture", |line| line.contains("lease: it was taken from nobody"));
    // Nobody has ever led: that is not known, so it waits.
    first.wait_until("its end", is_normal);
    first.wait_for("[executor] SEND_ORDER");

    // Another host that does not stand by is refused, and says by whom.
    let refused = stage.executor("two").output().unwrap();
    assert_eq!(refused.status.code(), Some(75), "{}", stderr(&refused));
    let said = stderr(&refused);
    assert!(said.contains("the lease is held by") && said.contains("--standby"), "{said}");

    stage.fake.go_down();
    let posture = first.wait_until("that it opens nothing", |line| {
        line.starts_with("[executor] POSTURE") && line.contains("lease: it could not be renewed and is over")
    });
    assert!(posture.contains("exit_only"), "{posture}");
    until("the view of it", || {
        let health = read_json(&stage.dir("one").join("health.json"));
        health["status"] == "exit_only" && health["lease"]["left_s"] == 0
    });
    let required = stage.executor("two").env("HEDGE__FENCE__REQUIRED", "true").output().unwrap();
    assert_eq!(required.status.code(), Some(10), "{}", stderr(&required));
    assert!(stderr(&required).contains("fence.required = true"), "{}", stderr(&required));
    // Legs are protected and closed all the same.
    until("flat or covered legs", || stage.venue.account(false).bare().is_empty());
    stage.fake.come_back();
    first.wait_until("that it goes on", is_normal);
    assert_eq!(stage.lease()["term"]["integerValue"], "1", "under the same term");
    assert_eq!(first.stop("-TERM").1, Some(0), "{:#?}", first.seen);
    assert_eq!(stage.lease()["released"]["booleanValue"], true);

    let mut second = stage.start("two");
    second.wait_for(READY);
    assert!(stage.status("two").contains("lease     firestore, term 2, "));
    second.wait_for("[executor] SEND_ORDER");
    assert!(!second.seen.iter().any(|line| line.contains("lease: ")), "{:#?}", second.seen);

    // Killed, it gives nothing back. The same directory goes on at once, and another one would have to wait.
    second.signal("-KILL");
    second.end_status();
    let mut again = stage.start("two");
    again.wait_until("that it leads", |line| line.contains("fence: holds the lease binance-paper"));
    again.wait_for(READY);
    assert!(!again.seen.iter().any(|line| line.contains("lease: ")), "{:#?}", again.seen);
    assert_eq!(stage.lease()["term"]["integerValue"], "3");
    assert_eq!(again.stop("-TERM").1, Some(0), "{:#?}", again.seen);

    // Without an answer, a directory that has led opens nothing; its legs are tended all the same.
    stage.fake.go_down();
    let mut unasked = stage.start("two");
    unasked.wait_until("the word of it", |line| line.contains("this state directory has led under a lease"));
    unasked.wait_for(READY);
    let page = stage.status("two");
    assert!(page.contains("EXIT-ONLY") && page.contains("lease     firestore: not held"), "{page}");
    stage.fake.come_back();
    unasked.wait_until("the lease", |line| line.contains("the lease is ours"));
    unasked.wait_until("that it goes on", is_normal);
    assert_eq!(unasked.stop("-TERM").1, Some(0), "{:#?}", unasked.seen);

    // Another one that never led, where none is required: the lock alone, in so many words, and the lease as soon as it is there.
    stage.fake.go_down();
    let mut alone = stage.start("three");
    alone.wait_until("the word of it", |line| {
        line.contains("trades on the lock of its state directory alone")
    });
    alone.wait_for(READY);
    assert!(stage.status("three").contains("lease     firestore: not held"));
    stage.fake.come_back();
    alone.wait_until("the lease", |line| line.contains("the lease is ours"));
    assert_eq!(alone.stop("-TERM").1, Some(0), "{:#?}", alone.seen);
}

#[test]
fn a_standby_of_the_same_directory_takes_over_the_moment_its_leader_is_killed() {
    let stage = Stage::new("standby");
    let local = |dir: &str, more: &[&str]| {
        let mut executor = stage.executor(dir);
        executor.args(more).env("HEDGE__FENCE__LEASE", "local");
        Following::start(executor)
    };
    let mut leader = local("d", &[]);
    leader.wait_for("[executor] SEND_ORDER");
    let is_waiting =
        |line: &str| line.contains("standby: waits for") && line.contains("its journal is sound");
    let mut given_up = local("d", &["--standby"]);
    given_up.wait_until("that it waits", is_waiting);
    let (took, code) = given_up.stop("-TERM");
    assert!(code == Some(0) && took < Duration::from_secs(5), "{took:?} {:#?}", given_up.seen);

    let mut standby = local("d", &["--standby"]);
    let waits = standby.wait_until("that it waits", is_waiting);
    assert!(waits.contains(&format!("pid {}", leader.id())), "{waits}");
    let page = stage.status("d");
    assert!(page.contains(&format!("process {}", leader.id())), "{page}");
    leader.signal("-KILL");
    let killed_at = Instant::now();
    standby.wait_until("that it takes over", |line| line.contains("standby: the state directory is free"));
    let free = killed_at.elapsed();
    standby.wait_for(READY);
    let ready = killed_at.elapsed();
    println!("standby: the lock after {free:?}, ready after {ready:?}");
    assert!(free < Duration::from_secs(5), "{free:?}");
    standby.wait_for("[executor] SEND_ORDER");
    assert_eq!(standby.stop("-TERM").1, Some(0), "{:#?}", standby.seen);
    let (at_venue, announced) = (stage.at_venue(), announced(&stage.dir("d")));
    let strange: Vec<_> = at_venue.difference(&announced).collect();
    assert!(strange.is_empty(), "{strange:?}");

    // Where the exchange ends with its executor there is nothing to stand by for.
    let embedded = support::executor(&stage.temp, &["--standby"]).output().unwrap();
    assert_eq!(embedded.status.code(), Some(2), "{}", stderr(&embedded));
}
