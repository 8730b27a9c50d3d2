//! Every way in which the answer to an order can be lost on its way back ends as unknown: over a real socket, once sent, plain and
//! conditional alike. What the venue answers in words is in `commands.rs`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use hedge_core::{BrokerError, Exit, OrderRef, OrderSpace, Outcome, TriggerBy};
use support::*;

/// What becomes of the answer to an order or a cancel.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The connection ends after the request was read.
    CutAfterRead,
    /// It ends inside the head of the answer.
    CutInHead,
    /// It ends inside the body.
    CutInBody,
    /// Nothing comes.
    Silence,
    /// Something comes that is no HTTP.
    NoHttp,
    /// A page of somebody in between.
    Html,
    /// JSON of another shape.
    OddJson,
    /// A success without a word.
    Empty,
    /// The venue wants quiet, and the body that says for how long is cut off.
    Headless(u16),
}

const FATES: [Fate; 8] = [
    Fate::CutAfterRead,
    Fate::CutInHead,
    Fate::CutInBody,
    Fate::Silence,
    Fate::NoHttp,
    Fate::Html,
    Fate::OddJson,
    Fate::Empty,
];

/// Tells the time, and lets every command meet its fate. Returns its base and how many commands came.
fn venue(fate: Fate) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let commands = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&commands);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), count) = (stream, Arc::clone(&count)) else { return };
            thread::spawn(move || serve(stream, fate, &count));
        }
    });
    (base, commands)
}

fn serve(mut stream: TcpStream, fate: Fate, commands: &AtomicUsize) {
    let mut text = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let Ok(read) = stream.read(&mut piece) else { return };
        if read == 0 {
            return;
        }
        text.extend_from_slice(&piece[..read]);
        if !text.windows(4).any(|end| end == b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8_lossy(&text).into_owned();
        text.clear();
        if head.contains("/fapi/v1/time") {
            let body = format!("{{\"serverTime\":{NOW_MS}}}");
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
            continue;
        }
        commands.fetch_add(1, SeqCst);
        let whole = |body: &str| {
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
        };
        let answer = match fate {
            Fate::CutAfterRead => Vec::new(),
            Fate::CutInHead => b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(),
            Fate::CutInBody => b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{\"orderId\":1,".to_vec(),
            Fate::Silence => {
                thread::sleep(Duration::from_secs(5));
                return;
            }
            Fate::NoHttp => b"220 mail.example.org ESMTP\r\n".to_vec(),
            Fate::Html => whole("<html><body>Please log on</body></html>"),
            Fate::OddJson => whole("[{\"status\":\"fine\"}]"),
            Fate::Empty => whole(""),
            Fate::Headless(status) => {
                format!("HTTP/1.1 {status} No\r\ncontent-length: 400\r\n\r\n{{\"code\":-10").into_bytes()
            }
        };
        let _ = stream.write_all(&answer);
        return;
    }
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_unknown_and_sent_once_in_either_space() {
    let trigger = hedge_core::Price::parse("2000").unwrap();
    let exits = [Exit::Market, Exit::StopMarket { trigger, by: TriggerBy::Mark }];
    for fate in FATES {
        for exit in exits {
            let (base, commands) = venue(fate);
            let client = client_at(&base, "ws://127.0.0.1:9", TestClock::at(NOW_MS), quick_streams());
            let failed = client.for_closing().submit_close(&close(exit)).await.unwrap_err();
            assert_eq!(failed.error.outcome(), Outcome::Unknown, "{fate:?} {exit:?}: {}", failed.error);
            assert!(
                failed.acceptable_until.is_some(),
                "{fate:?} {exit:?}: nobody could ever prove it absent"
            );
            assert_eq!(commands.load(SeqCst), 1, "{fate:?} {exit:?}: it was sent again");
        }
    }
}

#[tokio::test]
async fn a_head_that_asks_for_quiet_is_heeded_though_its_body_is_cut_off() {
    for status in [418, 429] {
        let (base, commands) = venue(Fate::Headless(status));
        let client =
            client_at(&base, "ws://127.0.0.1:9", TestClock::at(NOW_MS), quick_streams()).for_closing();
        let failed = client.submit_close(&close(Exit::Market)).await.unwrap_err();
        assert_eq!(failed.error.outcome(), Outcome::Unknown, "{status}: {}", failed.error);
        assert_eq!(client.rest().banned_until().is_some(), status == 418);
        let failed = client.submit_close(&close(Exit::Market)).await.unwrap_err();
        assert_eq!(failed.error.outcome(), Outcome::NotSent, "{status}: {}", failed.error);
        assert_eq!(commands.load(SeqCst), 1, "{status}: it went on asking");
    }
}

#[tokio::test]
async fn a_panic_close_that_finds_no_connection_in_its_time_was_not_sent() {
    // Taken by the system's queue, and never spoken with: TLS does not come about.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let client = client_at(&base, "ws://127.0.0.1:9", TestClock::at(NOW_MS), quick_streams()).for_closing();
    let failed = client.submit_close(&close(Exit::Market)).await.unwrap_err();
    assert_eq!(failed.error.outcome(), Outcome::NotSent, "{}", failed.error);
    assert!(failed.error.to_string().contains("no connection within 2.5s"), "{}", failed.error);
    drop(listener);
}

#[tokio::test]
async fn a_cancel_whose_answer_is_lost_is_unknown_and_sent_once_in_either_space() {
    for fate in FATES {
        for space in [OrderSpace::Plain, OrderSpace::Algo] {
            let (base, commands) = venue(fate);
            let client = client_at(&base, "ws://127.0.0.1:9", TestClock::at(NOW_MS), quick_streams());
            let order = OrderRef::Client { id: id(), space };
            let failed: BrokerError = client.for_closing().cancel(&eth(), &order).await.unwrap_err();
            assert_eq!(failed.outcome(), Outcome::Unknown, "{fate:?} {space:?}: {failed}");
            assert_eq!(commands.load(SeqCst), 1, "{fate:?} {space:?}");
        }
    }
}
