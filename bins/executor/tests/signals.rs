//! Signals at bad moments.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A folder that goes away with the test.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hedge-signals-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn executor(temp: &Temp, args: &[&str]) -> Command {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hedge-executor"));
    command.current_dir(&temp.0).arg("--config").arg(config).args(args);
    for (name, _) in std::env::vars() {
        if name.starts_with("HEDGE__") || name.starts_with("BINANCE_") || name.starts_with("EVENT_STORE") {
            command.env_remove(name);
        }
    }
    command.env("HEDGE__JOURNAL__DURABILITY", "os");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Longer than a program takes to end on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it ended, and what it said on stderr. One that does not end is killed.
fn ended(mut child: Child, within: Duration) -> (ExitStatus, String) {
    let asked_at = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if asked_at.elapsed() > within {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("still there after {within:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status, said)
}

#[test]
fn a_signal_while_the_exchange_does_not_answer_ends_it_with_0() {
    let temp = Temp::new("hanging");
    let exchange = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = exchange.local_addr().unwrap();
    let mut command = executor(&temp, &["--state-dir", "d", "--bars", "5"]);
    command
        .env("HEDGE__BINANCE__REST_URL", format!("http://{address}"))
        .env("HEDGE__BINANCE__WS_URL", format!("ws://{address}"))
        .env("BINANCE_API_KEY", "k")
        .env("BINANCE_API_SECRET", "s");
    for signal in ["-TERM", "-INT"] {
        let child = command.spawn().unwrap();
        // It asks, and hears nothing.
        let _asked: (TcpStream, _) = exchange.accept().unwrap();
        send(&child, signal);
        let (status, said) = ended(child, PATIENCE);
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("stopped before the start"), "{said}");
    }
}

#[test]
fn a_second_signal_ends_a_stop_that_hangs() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let temp = Temp::new(signal);
        // Nobody reads what it prints, so it comes to stand in the middle of a line.
        let child = executor(&temp, &["--state-dir", "d", "--bars", "5000"]).spawn().unwrap();
        let journal = temp.0.join("d/journal/00000000000000000000.jsonl");
        let length = || fs::metadata(&journal).map_or(0, |file| file.len());
        let begun = Instant::now();
        // A slow start is no standstill: it has been busy, and then nothing for three looks.
        let (mut before, mut still) = (0, 0);
        while still < 3 {
            std::thread::sleep(Duration::from_millis(700));
            let now = length();
            still = if now > 0 && now == before { still + 1 } else { 0 };
            before = now;
            assert!(begun.elapsed() < Duration::from_secs(120), "it never stood still");
        }
        send(&child, "-TERM");
        std::thread::sleep(Duration::from_millis(500));
        let mut child = child;
        assert!(child.try_wait().unwrap().is_none(), "it hangs in its output");
        send(&child, signal);
        let (status, said) = ended(child, PATIENCE);
        assert_eq!(status.code(), Some(code), "{said}");
        assert!(said.contains("ended at once by a second SIG"), "{said}");
    }
}
