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

fn refused(args: &[&str]) -> String {
    let Output { status, stdout, stderr } = program(args).output().unwrap();
    assert!(!status.success() && stdout.is_empty());
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said
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
fn values_may_begin_with_a_hyphen() {
    let given = ["--venue", "binance", "--api-key", "-k", "--api-secret", "-s"];
    let (_running, ready) = Running::start(program(&given));
    assert!(ready.get("api_key").is_none());
    let mut from_environment = program(&["--venue", "binance"]);
    from_environment.env("SIM_API_KEY", "-k").env("SIM_API_SECRET", "--s");
    assert!(Running::start(from_environment).1.get("api_key").is_none());
}

#[test]
fn bad_input_is_one_clear_line() {
    assert!(refused(&["--venue", "binance", "--speed", "max"]).contains("drives the market"));
    assert!(refused(&["--venue", "binance", "--speed", "-1"]).contains("0.001..=100000"));
    assert!(refused(&["--venue", "binance", "--listen", "0.0.0.0:0"]).contains("loopback"));
    assert!(refused(&["--venue", "binance", "--balance", "-5"]).contains("negative"));
    assert!(refused(&["--venue", "binance", "--api-key", "k"]).contains("--api-secret"));
    assert!(refused(&["--venue", "binance", "--data", "/nowhere"]).contains("/nowhere"));
    assert!(refused(&["--venue", "kraken"]).contains("binance"));
    assert!(refused(&[]).contains("--venue"));
}
