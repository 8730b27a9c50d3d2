//! Commands and takeovers, against the real program: at full speed, over kills and restarts.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    future::Future,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use hedge_core::{Decision, Envelope, Event, Fact, Leg, OperatorCommand, Posture, Seq, Term, Timestamp};
use hedge_runtime::control::{Answer, AskError, Done, Request, Status, ask};
use hedge_store::{ControlDir, FenceRecord, FileJournal};
use support::{Temp, exchange::placed, executor, following::Following};

/// Longer than anything that is waited for takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// More bars than a run plays before it is interfered with.
const MANY_BARS: &str = "60000";

/// Trades as fast as it can on an exchange of its own.
fn at_full_speed(temp: &Temp) -> Following {
    let args =
        ["--state-dir", "d", "--bars", MANY_BARS, "--seed", "42", "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT"];
    let mut command = executor(temp, &args);
    command.env("HEDGE__JOURNAL__DURABILITY", "os");
    Following::start(command)
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("never: {what}");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn status(dir: &Path) -> Option<Status> {
    match block_on(ask(dir, &Request::Status)) {
        Ok(Answer::Status(status)) => Some(*status),
        Err(AskError::NobodyThere { .. }) => None,
        other => panic!("{other:?}"),
    }
}

fn order(dir: &Path, command: OperatorCommand, because: &str) -> Done {
    match block_on(ask(dir, &Request::command(command, because))) {
        Ok(Answer::Done(done)) => done,
        other => panic!("{other:?}"),
    }
}

fn records(dir: &Path) -> Vec<Envelope> {
    let journal = FileJournal::open_read_only(dir).unwrap();
    journal.records(Seq(0)).collect::<Result<_, _>>().unwrap()
}

fn openings(records: &[Envelope]) -> impl Iterator<Item = Seq> {
    records.iter().filter_map(|record| match &record.event {
        Event::Decision(Decision::OrderApproved { leg: Leg::Open(_), .. }) => Some(record.seq),
        _ => None,
    })
}

fn panic_fence(term: Term) -> FenceRecord {
    FenceRecord {
        term,
        posture: Posture::Halted,
        because: "taken over by a test".to_owned(),
        by: "hedge-panic-close".to_owned(),
        at: Timestamp::from_ms(1_763_638_569_123),
    }
}

fn temp(name: &str) -> (Temp, PathBuf, ControlDir) {
    let temp = Temp::new(name);
    let dir = temp.join("d");
    let control = ControlDir::of(&dir);
    (temp, dir, control)
}

#[test]
fn at_full_speed_nothing_is_sent_or_journalled_after_a_takeover_was_acknowledged() {
    let (temp, dir, control) = temp("takeover");
    let mut run = at_full_speed(&temp);
    wait("orders", || (placed(&dir).len() > 50).then_some(()));
    let panic = control.begin_panic().unwrap().expect("nobody else");
    let term = Term(control.fence().unwrap().unwrap().term.0 + 1);
    let taken_over_at = Instant::now();
    control.put_fence(&panic_fence(term)).unwrap();
    let ack = wait("the acknowledgement", || control.ack().unwrap().filter(|ack| ack.term == term));
    let took = taken_over_at.elapsed();
    assert_eq!(ack.pid, run.id());
    assert!(took < Duration::from_secs(2), "as long as a panic close waits: {took:?}");
    let (journalled, sent) = (records(&dir), placed(&dir));
    // The exchange stays up for the panic close, and would note whatever came.
    assert!(status(&dir).is_none(), "a process that does not lead takes no commands");
    drop(panic);
    assert_eq!(run.end(), Some(75), "{:#?}", run.seen);
    assert_eq!(placed(&dir), sent, "nothing has reached the exchange since");
    assert_eq!(records(&dir), journalled, "nothing was journalled since");
    let says = run.seen.iter().filter(|line| line.contains("hedge-panic-close leads this account as term 2"));
    assert!(says.count() > 0, "{:#?}", run.seen);

    // The next run asks what became of the rest, stays halted, and says by whom.
    let mut next = at_full_speed(&temp);
    let halted = wait("the next run", || status(&dir));
    assert_eq!((halted.term, halted.operator), (Term(3), Posture::Halted));
    assert_eq!(halted.operator_because, "taken over by a test");
    let played = wait("some more bars", || status(&dir).filter(|now| now.as_of.0 > halted.as_of.0 + 2_000));
    assert_eq!(played.posture, Posture::Halted);
    next.stop("-TERM");
    let all = records(&dir);
    let start = Seq(journalled.len() as u64);
    assert_eq!(openings(&all).filter(|seq| *seq >= start).count(), 0, "nothing is opened while halted");
}

#[test]
fn no_executor_starts_while_a_panic_close_is_at_work() {
    let (temp, dir, control) = temp("refused");
    let panic = control.begin_panic().unwrap().expect("nobody else");
    let mut run = Following::start(executor(&temp, &["--state-dir", "d", "--bars", "5", "--seed", "1"]));
    // An exchange of its own would outlive the panic close.
    run.wait_until("the refusal", |line| line.contains("panic close"));
    drop(panic);
    assert_eq!(run.end(), Some(75), "{:#?}", run.seen);
    assert_eq!(FileJournal::open_read_only(&dir).unwrap().next_seq(), Seq(0), "it has not even begun");
}

#[test]
fn at_full_speed_nothing_is_opened_after_a_halt_was_answered_and_a_resume_goes_on() {
    let (temp, dir, _) = temp("halt");
    let mut run = at_full_speed(&temp);
    wait("orders", || (placed(&dir).len() > 20).then_some(()));
    let before = status(&dir).unwrap();
    assert_eq!((before.posture, before.pid), (Posture::Normal, Some(run.id())));
    let halt = order(&dir, OperatorCommand::Halt, "news at 14:30");
    let durable = records(&dir);
    let record = &durable[usize::try_from(halt.seq.0).unwrap()];
    assert!(
        matches!(&record.event, Event::Fact(Fact::Operator { command: OperatorCommand::Halt, because }) if because == "news at 14:30"),
        "{record:?}"
    );
    wait("a thousand more records", || status(&dir).filter(|now| now.as_of.0 > halt.seq.0 + 1_000));
    let resume = order(&dir, OperatorCommand::Resume, "over");
    wait("openings again", || openings(&records(&dir)).find(|seq| *seq > resume.seq));
    run.stop("-TERM");
    let all = records(&dir);
    let meanwhile = openings(&all).filter(|seq| *seq > halt.seq && *seq < resume.seq);
    assert_eq!(meanwhile.count(), 0);
}

#[test]
fn a_halt_outlives_kill_9_until_somebody_resumes() {
    let (temp, dir, control) = temp("kill");
    let follow = || {
        let mut run = Following::start(executor(&temp, &["--state-dir", "d", "--follow"]));
        run.wait_for("[executor] account OK");
        run
    };
    let mut run = follow();
    order(&dir, OperatorCommand::Halt, "kill switch: looks odd");
    for term in 2..4 {
        run.stop("-KILL");
        assert!(control.socket().exists(), "a killed process leaves its socket");
        assert!(status(&dir).is_none(), "and nobody answers");
        run = follow();
        let found = status(&dir).unwrap();
        assert_eq!(
            (found.term, found.posture, found.operator),
            (Term(term), Posture::Halted, Posture::Halted)
        );
        assert_eq!(found.operator_because, "kill switch: looks odd");
    }
    order(&dir, OperatorCommand::Resume, "was a false alarm");
    run.stop("-KILL");
    run = follow();
    let found = status(&dir).unwrap();
    assert_eq!((found.operator, found.operator_because.as_str()), (Posture::Normal, "was a false alarm"));
    assert_eq!(run.stop("-TERM").1, Some(0));
    assert!(!control.socket().exists());
}
