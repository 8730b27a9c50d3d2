//! An executor whose account a panic close has taken over.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use hedge_core::{Posture, Term, Timestamp};
use hedge_store::{ControlDir, FenceRecord};
use support::{Temp, executor, following::Following, json};

/// Whether an exchange answers at that address.
fn answers(rest: &str) -> bool {
    let host = rest.strip_prefix("http://").unwrap();
    let Ok(mut stream) = TcpStream::connect(host) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("GET /fapi/v1/time HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).is_ok() && answer.contains("serverTime")
}

#[test]
fn the_embedded_exchange_outlives_the_takeover_until_the_panic_close_has_ended() {
    let temp = Temp::new("outlives");
    let dir = temp.join("d");
    let mut run = Following::start(executor(&temp, &["--state-dir", "d", "--follow", "--speed", "60"]));
    run.wait_for("[executor] account OK");
    let rest = json(&dir.join("exchange.json"))["rest_url"].as_str().unwrap().to_owned();
    let control = ControlDir::of(&dir);
    let term = Term(control.fence().unwrap().unwrap().term.0 + 1);
    let guard = control.begin_panic().unwrap().unwrap();
    control
        .put_fence(&FenceRecord {
            term,
            posture: Posture::Halted,
            because: "the test takes over".into(),
            by: "test".into(),
            at: Timestamp::from_ms(1),
        })
        .unwrap();
    run.wait_until("that it stays", |line| line.contains("stays up until it has ended"));
    assert_eq!(control.ack().unwrap().unwrap().term, term, "it has stopped before that");
    assert!(answers(&rest), "legs can still be closed there");
    drop(guard);
    assert_eq!(run.end(), Some(75), "{:#?}", run.seen);
    assert!(!answers(&rest) && !dir.join("exchange.json").exists());

    // The halt that the takeover left behind stands until somebody resumes.
    let mut next = Following::start(executor(&temp, &["--state-dir", "d", "--follow", "--speed", "60"]));
    // Before that it may say that it is not connected yet.
    let is_halt = |line: &str| line.starts_with("[executor] POSTURE") && line.contains("halted");
    let posture = next.wait_until("the halt", is_halt);
    assert!(posture.contains("the test takes over"), "{posture}");
    assert_eq!(next.stop("-TERM").1, Some(0), "{:#?}", next.seen);
}
