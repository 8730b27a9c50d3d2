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
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use hedge_core::{Decision, Event, Fact, RunStarted, Seq, Term, Timestamp};
use hedge_sim::binance::ApiKey;
use hedge_store::{
    FileJournal,
    firestore::{Firestore, FirestoreConfig, LeaseSettings},
};
use hedge_testkit::firestore::{FakeFirestore, Fault};
use serde_json::{Value, json};
use support::{
    Temp, command, fast::Fast, following::Following, hedgectl, json as read_json, program, stderr,
};
use tokio::runtime::Runtime;
use venue::Venue;

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/// Venue seconds in one of ours: a bar of a minute takes two seconds.
const SPEED: u32 = 30;
const TTL: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
/// What is done at once, on a machine that has much else to do.
const PROMPTLY: Duration = Duration::from_secs(20);
/// A line is read later than it was written, and a lease is renewed before it is looked at.
const SLACK: Duration = Duration::from_secs(4);
const READY: &str = "[executor] account OK";
const LEADS: &str = "fence: holds the lease binance-paper";
const LEASE: &str = "hedge/paper/lease/binance-paper";
const BY_HAND: &str = "byhand1";

/// An exchange that runs by itself, a Firestore, and executors with state directories of their own.
struct Stage {
    temp: Temp,
    rest: String,
    ws: String,
    venue: Venue,
    fake: FakeFirestore,
    runtime: Runtime,
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
        Self { temp, rest, ws, venue, fake, runtime, _exchange: exchange }
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

    /// Another minute of the exchange's clock begins: more than three starts in one use up what reads may weigh.
    fn next_minute(&self) {
        let now = self.venue.minute();
        until("the next minute", || self.venue.minute() > now);
    }

    fn start(&self, dir: &str) -> Following {
        Following::start(self.executor(dir))
    }

    fn lease(&self) -> Value {
        Value::Object(self.fake.fields(LEASE).expect("a lease was taken"))
    }

    /// Somebody has led and has given the lease back, so that whoever comes next waits for nothing.
    fn lease_was_given_back(&self) {
        let config = FirestoreConfig::emulator(&self.fake.host(), "test", "paper");
        let settings = LeaseSettings {
            account: "binance-paper".to_owned(),
            holder: "somebody".to_owned(),
            boot_id: "somebody".to_owned(),
            succeeds: None,
            is_told_by_journal: true,
            term_above: Term(0),
            ttl: TTL,
            margin: TTL / 2,
        };
        let lease = Firestore::new(config).unwrap().lease(settings).unwrap();
        self.runtime.block_on(async {
            let grant = lease.acquire(Timestamp::EPOCH).await.unwrap();
            lease.release(grant, Timestamp::EPOCH).await.unwrap();
        });
    }

    fn ctl(&self, dir: &str, args: &[&str]) {
        let mut args = args.to_vec();
        args.extend(["--state-dir", dir]);
        let output = hedgectl(&self.temp, &args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
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

    fn change_limits(&self, change: impl FnOnce(&mut Value)) {
        let path = self.temp.join("config/risk_limits.json");
        let mut limits = read_json(&path);
        change(&mut limits);
        fs::write(path, limits.to_string()).unwrap();
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

/// A lease of ten seconds of which six may be used.
fn write_config(temp: &Temp) {
    let fast = Fast {
        symbols: &SYMBOLS,
        take_profits: &[3.0],
        limits: &[("MAX_NOTIONAL_TOTAL_USDT", 1_000_000), ("MAX_NOTIONAL_PER_SYMBOL_USDT", 500_000)],
        runtime: "[binance]\nrecv_window_ms = 2000\ntimeout_ms = 1000\n\
                  [journal]\ndurability = \"os\"\nmin_free_mb = 16\n[history]\nbars = 50\n[views]\ninterval_ms = 100\n\
                  [store.firestore]\nproject = \"test\"\n\
                  [fence]\nlease = \"firestore\"\nttl_s = 10\nmargin_ms = 4000\n",
    };
    fast.write(temp);
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

/// How the processes of a directory began.
fn starts(dir: &PathBuf) -> Vec<RunStarted> {
    let journal = FileJournal::open_read_only(dir).unwrap();
    let start = |event: Event| match event {
        Event::Fact(Fact::RunStarted(started)) => Some(started),
        _ => None,
    };
    journal.records(Seq(0)).filter_map(|record| start(record.unwrap().event)).collect()
}

/// The directory as it stands.
fn copy_dir(from: &PathBuf, to: &PathBuf) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
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
    first.wait_until("that it leads", |line| line.contains(LEADS));
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
    second.wait_until("that it leads", |line| line.contains(LEADS));
    let led_at = Instant::now();
    assert!(led_at - stopped_at > TTL - SLACK, "the lease had not run out");
    let posture = second.wait_for("[executor] POSTURE");
    assert!(
        posture.contains("exit_only") && posture.contains("lease: it was taken from nobody"),
        "{posture}"
    );
    assert!(posture.contains("nothing is opened for 12 s"), "{posture}");
    second.wait_for(READY);
    until("the stop of the leg", || stage.venue.account(false).bare().is_empty());
    assert!(stage.status("two").contains("lease     firestore, term 2, "));
    let opened = second.wait_until("its first opening", |line| {
        line.starts_with("[executor] SEND_ORDER") && !line.contains("\"type\":\"STOP")
    });
    let first_sent = second.seen.iter().find(|line| line.starts_with("[executor] SEND_ORDER")).unwrap();
    assert!(first_sent.contains("\"type\":\"STOP"), "it protects before it may open: {first_sent}");
    assert!(led_at.elapsed() + SLACK >= TTL + WINDOW, "too early: {opened}");

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
fn a_stop_that_was_held_up_on_its_way_is_not_signed_again_once_somebody_else_leads() {
    let stage = Stage::new("second-signature");
    stage.lease_was_given_back();
    let tap = Tap::on(&stage.rest);
    let mut first = stage.executor("one");
    // One symbol: the first command is an opening, the second one its stop, which no approval limits.
    first.args(["--symbols", "BTCUSDT"]);
    first.env("HEDGE__BINANCE__REST_URL", &tap.url).env("HEDGE_FAILPOINT", "request.before_write:2=stop");
    let mut first = Following::start(first);
    first.wait_for_stop();
    let stopped_at = Instant::now();
    let held_up: Vec<String> =
        announced(&stage.dir("one")).into_iter().filter(|id| id.ends_with('s')).collect();
    assert!(!held_up.is_empty() && !stage.at_venue().contains(&held_up[0]), "{held_up:?} was not sent");
    // Until the window of what is on its way is over, and the lease; then somebody else leads.
    thread::sleep((TTL + SLACK / 4).saturating_sub(stopped_at.elapsed()));
    stage.fake.tamper(LEASE, |mut fields| {
        for (field, value) in [("holder", "another host"), ("boot_id", "another")] {
            fields[field] = json!({"stringValue": value});
        }
        fields["term"] = json!({"integerValue": "7"});
        Some(fields)
    });
    // The venue's answer and the second signature are faster than the store's.
    stage.fake.fail_next(Fault::SlowAfterApply(Duration::from_secs(1)));
    first.signal("-CONT");
    until("the refusal at the venue", || tap.has_heard("-1021"));
    assert_eq!(first.end(), Some(75), "{:#?}", first.seen);
    let at_venue = stage.at_venue();
    assert!(held_up.iter().all(|id| !at_venue.contains(id)), "{held_up:?} was executed: {at_venue:?}");
    assert_eq!(at_venue.len(), 1, "the opening, from before: {at_venue:?}");
    for words in ["it must not leave any more", "another host"] {
        assert!(first.seen.iter().any(|line| line.contains(words)), "{words}: {:#?}", first.seen);
    }
}

#[test]
fn a_halt_and_a_panic_close_follow_the_account_to_the_next_leader() {
    program("hedge-panic-close");
    let stage = Stage::new("left-halted");
    stage.lease_was_given_back();
    let mut first = stage.start("one");
    first.wait_for(READY);
    let mut second = stage.executor("two");
    second.arg("--standby");
    let mut second = Following::start(second);
    second.wait_until("that it waits", |line| line.contains("standby: waits for the lease"));
    stage.ctl("one", &["halt", "odd fills", "--operator", "ann"]);
    until("the word of it in the lease", || stage.lease()["posture"]["stringValue"] == "halted");
    // A clean end gives the lease back, and whoever waits has it at once.
    assert_eq!(first.stop("-TERM").1, Some(0), "{:#?}", first.seen);
    let said =
        second.wait_until("what the first has left", |line| line.contains("the leader before left this"));
    assert!(said.contains("Halted") && said.contains("odd fills"), "{said}");
    second.wait_for(READY);
    let page = stage.status("two");
    assert!(page.contains("HALTED") && page.contains("left by the leader before: "), "{page}");
    assert_eq!(stage.lease()["term"]["integerValue"], "3");
    stage.ctl("two", &["resume", "the venue explained them"]);
    until("the word of that", || stage.lease()["posture"]["stringValue"] == "normal");
    second.wait_until("its first opening", |line| line.starts_with("[executor] SEND_ORDER"));

    // A panic close ends the executor of its directory; the lease runs out, and says what happened.
    let mut third = stage.executor("three");
    third.arg("--standby");
    let mut third = Following::start(third);
    third.wait_until("that it waits", |line| line.contains("standby: waits for the lease"));
    let mut close = command(&stage.temp, &program("hedge-panic-close"));
    close
        .args(["--config", "config", "--yes", "--state-dir", "two"])
        .env("HEDGE__BINANCE__REST_URL", &stage.rest)
        .env("HEDGE__BINANCE__WS_URL", &stage.ws)
        .env("BINANCE_API_KEY", ApiKey::DEMO_KEY)
        .env("BINANCE_API_SECRET", ApiKey::DEMO_SECRET);
    let closed = close.output().unwrap();
    assert_eq!(closed.status.code(), Some(0), "{}", stderr(&closed));
    assert_eq!(second.end(), Some(75), "{:#?}", second.seen);
    let lease = stage.lease();
    assert_eq!(
        (&lease["posture"]["stringValue"], &lease["released"]["booleanValue"]),
        (&json!("halted"), &json!(false)),
        "{lease}"
    );
    third.wait_for(READY);
    let page = stage.status("three");
    assert!(page.contains("HALTED") && page.contains("hedge-panic-close"), "{page}");
    assert_eq!(third.stop("-TERM").1, Some(0), "{:#?}", third.seen);
    assert!(announced(&stage.dir("three")).is_empty() && stage.venue.account(false).legs.is_empty());
}

#[test]
fn what_a_person_orders_last_before_a_stop_is_in_the_lease_that_is_given_back() {
    let stage = Stage::new("last-order");
    stage.lease_was_given_back();
    // The guard that tells the lease looks five times a second: most of these orders it does not see any more.
    for (order, because, posture) in [
        ("halt", "odd fills", "halted"),
        ("resume", "they were explained", "normal"),
        ("exit-only", "news at noon", "exit_only"),
        ("halt", "more odd fills", "halted"),
    ] {
        stage.next_minute();
        let mut executor = stage.start("one");
        executor.wait_for(READY);
        stage.ctl("one", &[order, because, "--operator", "ann"]);
        assert_eq!(executor.stop("-TERM").1, Some(0), "{:#?}", executor.seen);
        let lease = stage.lease();
        let is_told =
            posture == "normal" || lease["because"]["stringValue"].as_str().unwrap().contains(because);
        assert!(lease["posture"]["stringValue"] == posture && is_told, "{order} {because}: {lease}");
        assert_eq!(lease["released"]["booleanValue"], true, "{lease}");
    }
    // Whoever leads next, without this directory, finds it.
    stage.next_minute();
    let mut other = stage.start("two");
    let said =
        other.wait_until("what the first has left", |line| line.contains("the leader before left this"));
    assert!(said.contains("Halted") && said.contains("more odd fills"), "{said}");
    assert_eq!(other.stop("-TERM").1, Some(0), "{:#?}", other.seen);
}

#[test]
fn a_copy_of_a_state_directory_waits_for_its_dead_original_and_issues_other_client_ids() {
    let stage = Stage::new("copies");
    stage.lease_was_given_back();
    let mut first = stage.start("one");
    first.wait_for("[executor] SEND_ORDER");
    first.signal("-KILL");
    first.end_status();
    copy_dir(&stage.dir("one"), &stage.dir("copy"));
    let before = announced(&stage.dir("one"));
    // The store is away at the start of both.
    stage.fake.go_down();
    let mut copy = stage.start("copy");
    copy.wait_until("the word of it", |line| line.contains("this state directory has led under a lease"));
    copy.wait_for(READY);
    let mut again = stage.start("one");
    again.wait_for(READY);
    let last = |dir: &str| starts(&stage.dir(dir)).pop().unwrap();
    assert_eq!((last("one").run, last("one").term), (starts(&stage.dir("one"))[0].run, Term(3)));
    assert_eq!(again.stop("-TERM").1, Some(0), "{:#?}", again.seen);
    // It answers: the lease is still that of the dead one, which nobody renews.
    stage.fake.come_back();
    copy.wait_until("whom it waits for", |line| line.contains("if nobody renews it, it is waited for"));
    copy.wait_until("the lease", |line| line.contains("the lease is ours"));
    assert_eq!(copy.stop("-TERM").1, Some(0), "{:#?}", copy.seen);
    assert_eq!(last("copy").term, last("one").term, "the same journal, the next term");
    assert_ne!(last("copy").run, last("one").run, "so no client id is the same");
    let ids = |dir: &str| announced(&stage.dir(dir)).difference(&before).cloned().collect::<BTreeSet<_>>();
    assert!(ids("copy").is_disjoint(&ids("one")));
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
    again.wait_until("that it leads", |line| line.contains(LEADS));
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

    // The same where the store refuses, which no waiting mends; only a directory that never led is refused.
    stage.fake.fail_times(10_000, Fault::Denied);
    let mut refused = stage.start("two");
    refused.wait_until("the word of it", |line| line.contains("a person must look at the lease's store"));
    refused.wait_for(READY);
    assert!(stage.status("two").contains("the lease's store refused at the start"));
    let never_led = stage.executor("three").output().unwrap();
    assert_eq!(never_led.status.code(), Some(10), "{}", stderr(&never_led));
    assert!(stderr(&never_led).contains("the lease store refuses"), "{}", stderr(&never_led));
    stage.fake.come_back();
    refused.wait_until("that it goes on", is_normal);
    assert_eq!(refused.stop("-TERM").1, Some(0), "{:#?}", refused.seen);

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
    assert!(code == Some(0) && took < PROMPTLY, "{took:?} {:#?}", given_up.seen);

    let mut standby = local("d", &["--standby"]);
    let waits = standby.wait_until("that it waits", is_waiting);
    assert!(waits.contains(&format!("pid {}", leader.id())), "{waits}");
    let page = stage.status("d");
    assert!(page.contains(&format!("process {}", leader.id())), "{page}");
    // Somebody lowers a limit meanwhile; the leader is not restarted.
    stage.change_limits(|limits| limits["ENTRIES_PER_LEG_PER_HOUR"] = json!(50));
    leader.signal("-KILL");
    let killed_at = Instant::now();
    standby.wait_until("that it takes over", |line| line.contains("standby: the state directory is free"));
    let free = killed_at.elapsed();
    standby.wait_for(READY);
    let ready = killed_at.elapsed();
    println!("standby: the lock after {free:?}, ready after {ready:?}");
    assert!(free < PROMPTLY, "{free:?}");
    standby.wait_for("[executor] SEND_ORDER");
    let seen = &standby.seen;
    assert!(seen.iter().any(|line| line.contains("takes over with the one that is there now")), "{seen:#?}");
    let [before, now] = &starts(&stage.dir("d"))[..] else { panic!("two have led") };
    assert_ne!(before.config_hash, now.config_hash);
    assert_eq!(before.run, now.run, "one directory, one lock: the same run");

    // Whoever damages it finds the legs tended, with what the standby has read, and nothing opened.
    let mut last = local("d", &["--standby"]);
    last.wait_until("that it waits", is_waiting);
    stage.change_limits(|limits| *limits = json!("none"));
    standby.signal("-KILL");
    standby.end_status();
    last.wait_until("the word of it", |line| line.contains("the configuration cannot be used as it is now"));
    last.wait_for(READY);
    let page = stage.status("d");
    assert!(page.contains("EXIT-ONLY") && page.contains("risk_limits.json"), "{page}");
    assert_eq!(last.stop("-TERM").1, Some(0), "{:#?}", last.seen);
    assert_eq!(starts(&stage.dir("d"))[2].config_hash, now.config_hash);
    let (at_venue, announced) = (stage.at_venue(), announced(&stage.dir("d")));
    let strange: Vec<_> = at_venue.difference(&announced).collect();
    assert!(strange.is_empty(), "{strange:?}");

    // Where the exchange ends with its executor there is nothing to stand by for.
    let embedded = support::executor(&stage.temp, &["--standby"]).output().unwrap();
    assert_eq!(embedded.status.code(), Some(2), "{}", stderr(&embedded));
}

/// The keys of an account are replaced while a standby waits; those that it has read would not get it in any more.
#[test]
fn a_standby_takes_over_with_the_keys_that_are_there_then() {
    let stage = Stage::new("standby-keys");
    let mut leader = stage.executor("d");
    leader.env("HEDGE__FENCE__LEASE", "local");
    let mut leader = Following::start(leader);
    leader.wait_for(READY);
    let keys = stage.dir("keys.env");
    let write_keys = |key: &str, secret: &str| {
        fs::write(&keys, format!("BINANCE_API_KEY={key}\nBINANCE_API_SECRET={secret}\n")).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write_keys("a-key-that-was-withdrawn-since", "a-secret-that-was-withdrawn-since");
    let mut standby = stage.executor("d");
    standby.args(["--standby", "--env-file", "keys.env"]).env("HEDGE__FENCE__LEASE", "local");
    standby.env_remove("BINANCE_API_KEY").env_remove("BINANCE_API_SECRET");
    let mut standby = Following::start(standby);
    standby.wait_until("that it waits", |line| line.contains("its journal is sound"));
    write_keys(ApiKey::DEMO_KEY, ApiKey::DEMO_SECRET);
    leader.signal("-KILL");
    leader.end_status();
    standby
        .wait_until("that it reads them", |line| line.contains("takes over with those that are there now"));
    standby.wait_for(READY);
    assert_eq!(standby.stop("-TERM").1, Some(0), "{:#?}", standby.seen);
    let [before, now] = &starts(&stage.dir("d"))[..] else { panic!("two have led") };
    assert_eq!((before.run, &before.config_hash), (now.run, &now.config_hash), "only the keys were others");
    for line in &standby.seen {
        assert!(!line.contains("withdrawn") && !line.contains(ApiKey::DEMO_SECRET), "{line}");
    }
}
