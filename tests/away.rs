//! A restart while the exchange is away: a directory that has led stays and asks again, until it can protect what is open.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "crash/venue.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the crash tests")]
mod venue;

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hedge_sim::binance::ApiKey;
use serde_json::{Value, json};
use support::{Temp, command, fast::Fast, following::Following, hedgectl, program, stderr};
use venue::Venue;

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const READY: &str = "[executor] account OK";
const PATIENCE: Duration = Duration::from_secs(60);

/// The way to the exchange, with a port of its own that can be closed and opened again.
struct Line {
    at: SocketAddr,
    to: SocketAddr,
    open: Option<Open>,
}

struct Open {
    accepting: JoinHandle<()>,
    is_over: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Line {
    /// Below the ports that a system gives away by itself: nobody else takes this one while it is closed.
    fn to(to: SocketAddr) -> Self {
        let first = 12_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        let listener = (first..32_000).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).unwrap();
        let mut line = Self { at: listener.local_addr().unwrap(), to, open: None };
        line.accept(listener);
        line
    }

    fn open(&mut self) {
        self.accept(TcpListener::bind(self.at).unwrap());
    }

    fn accept(&mut self, listener: TcpListener) {
        let (is_over, streams) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (ends, kept, to) = (Arc::clone(&is_over), Arc::clone(&streams), self.to);
        let accepting = thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if ends.load(SeqCst) {
                    return;
                }
                let Ok(far) = TcpStream::connect(to) else { continue };
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                kept.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                thread::spawn(move || copy(near, far));
                thread::spawn(move || copy(far_too, near_too));
            }
        });
        self.open = Some(Open { accepting, is_over, streams });
    }

    /// Whoever speaks is cut off, and whoever comes is refused.
    fn close(&mut self) {
        let open = self.open.take().unwrap();
        open.is_over.store(true, SeqCst);
        // Wakes whoever accepts.
        let _ = TcpStream::connect(self.at);
        open.accepting.join().unwrap();
        for stream in open.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        assert!(TcpStream::connect(self.at).is_err(), "the port is closed");
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// An exchange, the way to it, and executors with state directories of their own.
struct Stage {
    temp: Temp,
    venue: Venue,
    line: Line,
    _exchange: Following,
}

impl Stage {
    fn new(name: &str) -> Self {
        let temp = Temp::new(name);
        let fast = Fast {
            symbols: &SYMBOLS,
            take_profits: &[3.0],
            limits: &[],
            runtime: "[journal]\ndurability = \"os\"\nmin_free_mb = 16\n[history]\nbars = 50\n[binance]\ntimeout_ms = 2000\n",
        };
        fast.write(&temp);
        let mut exchange = command(&temp, &program("hedge-exchange-sim"));
        exchange.args(["--venue", "binance", "--environment", "mainnet", "--hedge-mode", "--leverage", "3"]);
        let mut exchange = Following::start(exchange);
        let ready: Value = serde_json::from_str(&exchange.wait_for("{")).unwrap();
        let rest = ready["rest"].as_str().unwrap();
        let line = Line::to(rest.strip_prefix("http://").unwrap().parse().unwrap());
        Self { temp, venue: Venue::at(rest), line, _exchange: exchange }
    }

    fn executor(&self, dir: &str) -> Command {
        let mut executor = command(&self.temp, &program("hedge-executor"));
        executor
            .args(["--config", "config", "--follow", "--state-dir", dir])
            .env("HEDGE__BINANCE__REST_URL", format!("http://{}", self.line.at))
            .env("HEDGE__BINANCE__WS_URL", format!("ws://{}", self.line.at))
            .env("BINANCE_API_KEY", ApiKey::DEMO_KEY)
            .env("BINANCE_API_SECRET", ApiKey::DEMO_SECRET);
        executor
    }

    fn start(&self, dir: &str) -> Following {
        Following::start(self.executor(dir))
    }

    fn status(&self, dir: &str) -> String {
        let args = ["status", "--config", "config", "--state-dir", dir];
        let output = hedgectl(&self.temp, &args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn wait_for_cover(&self) {
        let began = Instant::now();
        while !self.venue.account(false).bare().is_empty() {
            assert!(began.elapsed() < PATIENCE, "{:?} has no stop", self.venue.account(false).bare());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn asks_again(line: &str) -> bool {
    line.contains("the venue does not answer") && line.contains("asks again")
}

#[test]
fn a_restart_waits_for_an_exchange_that_is_away_and_then_protects_what_is_open() {
    let mut stage = Stage::new("away");
    let mut leader = stage.start("d");
    leader.wait_for(READY);
    leader.signal("-KILL");
    leader.end_status();
    stage.line.close();
    // What the killed one would have protected.
    stage.venue.open_by_hand("BTCUSDT", "0.01", "byhand1");
    let bare = || stage.venue.account(false).bare();
    assert!(bare().iter().any(|(symbol, _)| symbol == "BTCUSDT"), "{:?}", bare());

    // Whoever asks it to stop meanwhile is heard at once.
    let mut asked = stage.start("d");
    asked.wait_until("that it asks again", asks_again);
    let id = asked.id();
    let page = stage.status("d");
    assert!(page.contains(&format!("process {id} starts")), "{page}");
    assert_eq!(asked.stop("-TERM").1, Some(0), "{:#?}", asked.seen);

    // A first start has nothing to come back to, and somebody who looks at it.
    let refused = stage.executor("first").output().unwrap();
    assert_eq!(refused.status.code(), Some(10), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("preflight check \"clock\" failed"), "{}", stderr(&refused));

    let mut next = stage.start("d");
    next.wait_until("that it asks again", asks_again);
    stage.line.open();
    next.wait_until("that it is answered", |line| line.contains("the venue answers again"));
    next.wait_for(READY);
    stage.wait_for_cover();
    assert_eq!(next.stop("-TERM").1, Some(0), "{:#?}", next.seen);
}

#[test]
fn a_restart_waits_for_an_exchange_that_has_no_time_for_it_and_not_for_one_that_says_no() {
    let stage = Stage::new("busy");
    let mut leader = stage.start("d");
    leader.wait_for(READY);
    assert_eq!(leader.stop("-TERM").1, Some(0), "{:#?}", leader.seen);
    stage.venue.open_by_hand("BTCUSDT", "0.01", "byhand1");

    // The clock is told, the account is not.
    let path = "/fapi/v1/accountConfig";
    let busy = json!({"fault": "http_503_unavailable", "match": {"path": path}, "count": null});
    stage.venue.fault(&busy);
    let mut next = stage.start("d");
    let said = next.wait_until("that it asks again", asks_again);
    assert!(said.contains("keys"), "{said}");
    stage.venue.clear_faults();
    next.wait_for(READY);
    stage.wait_for_cover();
    assert_eq!(next.stop("-TERM").1, Some(0), "{:#?}", next.seen);

    let mut denied = stage.executor("d");
    denied.env("BINANCE_API_SECRET", "another-secret-than-the-one-of-the-key");
    let denied = denied.output().unwrap();
    assert_eq!(denied.status.code(), Some(10), "{}", stderr(&denied));
    assert!(stderr(&denied).contains("preflight check \"keys\" failed"), "{}", stderr(&denied));
}
