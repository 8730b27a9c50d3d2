//! People and tools at the control socket of a run. In real time: sockets do not know paused time.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use hedge_core::{Decision, Fact, OperatorCommand, Posture, Seq, Term};
use hedge_runtime::{
    Activity, Leader, Shutdown, Unfenced,
    control::{Answer, AskError, Done, OfflineError, Request, Status, ask, offline},
};
use support::{AtOrder, Bench};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// A state directory that vanishes with the value.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("hedge-control-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn bench(dir: &Path) -> Bench {
    let mut bench = Bench::new(Activity::free());
    let dir = dir.to_owned();
    bench.settings = Box::new(move |settings| settings.control = Some(dir.clone()));
    bench
}

async fn status(dir: &Path) -> Status {
    match ask(dir, &Request::Status).await.unwrap() {
        Answer::Status(status) => *status,
        Answer::Done(done) => panic!("{done:?}"),
    }
}

async fn order(dir: &Path, command: OperatorCommand, because: &str) -> Done {
    match ask(dir, &Request::command(command, because)).await.unwrap() {
        Answer::Done(done) => done,
        Answer::Status(status) => panic!("{status:?}"),
    }
}

fn orders(bench: &Bench) -> Vec<OperatorCommand> {
    let order = |fact: Fact| match fact {
        Fact::Operator { command, .. } => Some(command),
        _ => None,
    };
    bench.store.facts().into_iter().filter_map(order).collect()
}

#[tokio::test]
async fn a_command_is_answered_once_its_record_is_durable_and_the_status_knows_it() {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    let before = status(&dir.0).await;
    assert_eq!((before.posture, before.operator, before.term), (Posture::Normal, Posture::Normal, Term(1)));
    assert_eq!((before.pid, before.profile.as_str()), (Some(std::process::id()), "paper"));
    assert_eq!(before.equity, hedge_core::Decimal::from(10_000));
    assert!(before.connected && before.legs.is_empty() && !before.simulated);
    let done = order(&dir.0, OperatorCommand::Halt, "news at 14:30").await;
    let record = bench.store.records.lock().unwrap()[done.seq.0 as usize].clone();
    assert!(format!("{record:?}").contains("news at 14:30"), "{record:?}");
    assert_eq!((done.posture, done.operator), (Posture::Halted, Posture::Halted));
    let after = status(&dir.0).await;
    assert_eq!(after.operator_because, "news at 14:30");
    assert_eq!(after.posture_because, "operator: news at 14:30");
    assert!(after.posture_since.is_some() && after.operator_since == after.posture_since);
    bench.stop(run).await;
}

#[tokio::test]
async fn a_command_whose_record_cannot_be_written_is_not_answered_as_done() {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    *bench.store.at_order.lock().unwrap() = AtOrder::FailAlways;
    let error = ask(&dir.0, &Request::command(OperatorCommand::Halt, "now")).await.unwrap_err();
    assert!(
        matches!(&error, AskError::Refused(why) if why.contains("journal could not be written")),
        "{error}"
    );
    assert_eq!(run.await.unwrap().unwrap_err().exit_code(), 74);
    assert!(!dir.socket().exists());
}

#[tokio::test(start_paused = true)]
async fn a_halt_that_came_during_a_long_start_is_carried_out_although_nobody_waits_any_more_and_a_resume_is_not()
 {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    *bench.venue.restless_until.lock().unwrap() =
        hedge_core::Clock::now(bench.clock.as_ref()).plus(std::time::Duration::from_secs(55));
    let run = bench.start();
    bench.until("the socket", |_| dir.socket().exists()).await;
    let [halt, resume] = [OperatorCommand::Halt, OperatorCommand::Resume]
        .map(|command| Request::command(command, "during the start"));
    let (halted, resumed) = tokio::join!(ask(&dir.0, &halt), ask(&dir.0, &resume));
    for answer in [halted, resumed] {
        let error = answer.unwrap_err();
        assert!(matches!(&error, AskError::Refused(why) if why.contains("as soon as it is free")), "{error}");
    }
    bench.live().await;
    bench.until("carried out", |bench| !orders(bench).is_empty()).await;
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().operator(), (Posture::Halted, "during the start"));
    assert_eq!(orders(&bench), [OperatorCommand::Halt]);
}

#[tokio::test]
async fn a_person_s_order_outlives_the_process_and_a_resume_lifts_it() {
    let dir = Dir::new();
    let mut bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    order(&dir.0, OperatorCommand::ExitOnly, "lunch").await;
    bench.restartable_stop(run).await;
    let run = bench.start();
    bench.live().await;
    let found = status(&dir.0).await;
    assert_eq!((found.operator, found.operator_because.as_str()), (Posture::ExitOnly, "lunch"));
    assert_eq!(found.term, Term(2));
    let done = order(&dir.0, OperatorCommand::Resume, "back").await;
    assert_eq!((done.posture, done.operator), (Posture::Normal, Posture::Normal));
    bench.stop(run).await;
}

#[tokio::test]
async fn a_process_that_must_not_open_cannot_be_resumed_and_says_why() {
    let dir = Dir::new();
    let mut bench = bench(&dir.0);
    let path = dir.0.clone();
    bench.settings = Box::new(move |settings| {
        settings.control = Some(path.clone());
        settings.hold = Some("the safety proof is missing".to_owned());
    });
    let run = bench.start();
    bench.live().await;
    let error = ask(&dir.0, &Request::command(OperatorCommand::Resume, "go")).await.unwrap_err();
    assert!(
        matches!(&error, AskError::Refused(why) if why.contains("the safety proof is missing")),
        "{error}"
    );
    let found = status(&dir.0).await;
    assert_eq!(found.hold.as_deref(), Some("the safety proof is missing"));
    assert_eq!((found.posture, orders(&bench)), (Posture::ExitOnly, vec![OperatorCommand::ExitOnly]));
    order(&dir.0, OperatorCommand::Halt, "stricter is always possible").await;
    order(&dir.0, OperatorCommand::ExitOnly, "and back to what is allowed").await;
    bench.stop(run).await;
}

#[tokio::test]
async fn garbage_gets_an_error_and_the_run_goes_on() {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    let talk = async |bytes: &[u8]| {
        let mut stream = UnixStream::connect(dir.socket()).await.unwrap();
        stream.write_all(bytes).await.ok();
        stream.shutdown().await.ok();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok();
        answer
    };
    for bytes in
        [&b"GET / HTTP/1.1\r\n"[..], b"{\"command\":\"halt\"", b"\xff\xff\n", b"null\n", b"\n", b"[]"]
    {
        let answer = talk(bytes).await;
        assert!(answer.starts_with("{\"error\":\"not a request"), "{bytes:?}: {answer}");
    }
    let endless = talk(&vec![b'x'; 1_000_000]).await;
    assert!(endless.contains("at most 4096 bytes") || endless.is_empty(), "{endless}");
    let two = talk(b"{\"command\":\"dance\"}\n{\"command\":\"status\"}").await;
    let lines: Vec<&str> = two.lines().collect();
    assert_eq!(lines.len(), 2, "{two}");
    assert!(lines[0].contains("unknown command") && lines[1].contains("\"ok\":true"), "{two}");
    assert!(orders(&bench).is_empty());
    bench.stop(run).await;
}

#[tokio::test]
async fn a_person_gets_through_although_many_clients_keep_silent() {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(UnixStream::connect(dir.socket()).await.unwrap());
    }
    order(&dir.0, OperatorCommand::Halt, "now").await;
    drop(silent);
    bench.stop(run).await;
}

#[tokio::test]
async fn many_clients_at_once_are_all_answered() {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    let clients: Vec<_> = (0..24)
        .map(|n| {
            let dir = dir.0.clone();
            tokio::spawn(async move {
                if n % 4 == 0 {
                    order(&dir, OperatorCommand::ExitOnly, &n.to_string()).await;
                } else {
                    status(&dir).await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(orders(&bench).len(), 6);
    bench.stop(run).await;
}

#[tokio::test]
async fn the_socket_is_its_owner_s_only_and_goes_with_the_run() {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    let mode = fs::metadata(dir.socket()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    bench.stop(run).await;
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 0, "nothing is left behind");
    assert!(matches!(ask(&dir.0, &Request::Status).await, Err(AskError::NobodyThere { .. })));
}

#[tokio::test]
async fn the_socket_of_a_killed_process_is_nobody_and_is_replaced() {
    let dir = Dir::new();
    drop(std::os::unix::net::UnixListener::bind(dir.socket()).unwrap());
    assert!(matches!(ask(&dir.0, &Request::Status).await, Err(AskError::NobodyThere { .. })));
    let bench = bench(&dir.0);
    let run = bench.start();
    bench.live().await;
    status(&dir.0).await;
    bench.stop(run).await;
}

#[tokio::test]
async fn what_is_not_a_socket_is_left_alone_and_stops_the_start() {
    let dir = Dir::new();
    fs::write(dir.socket(), "a person's file").unwrap();
    let bench = bench(&dir.0);
    let error = bench.start().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("control.sock"), "{error}");
    assert_eq!(fs::read_to_string(dir.socket()).unwrap(), "a person's file");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_state_directory_with_a_very_long_path_has_a_socket_too() {
    let dir = Dir::new();
    let long = dir.0.join("x".repeat(100)).join("y".repeat(100));
    fs::create_dir_all(&long).unwrap();
    let bench = bench(&long);
    let run = bench.start();
    bench.live().await;
    order(&long, OperatorCommand::Halt, "far away").await;
    bench.stop(run).await;
}

#[tokio::test]
async fn a_run_that_drains_still_answers() {
    let dir = Dir::new();
    let bench = bench(&dir.0);
    bench.venue.answers.lock().unwrap().push_back(support::Answer::AfterMs(1_500));
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("the entry is on its way", |bench| bench.venue.called("submit") == 1).await;
    bench.shutdown.trigger("test is over");
    order(&dir.0, OperatorCommand::Halt, "on the way out").await;
    let end = run.await.unwrap().unwrap();
    assert_eq!(end.engine.book().operator(), (Posture::Halted, "on the way out"));
}

#[tokio::test]
async fn without_an_executor_a_command_goes_into_the_journal_and_the_next_start_goes_by_it() {
    let mut bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.restartable_stop(run).await;
    for (command, posture) in [
        (OperatorCommand::Halt, Posture::Halted),
        (OperatorCommand::Resume, Posture::Normal),
        (OperatorCommand::Flatten, Posture::ExitOnly),
    ] {
        let before = bench.store.records.lock().unwrap().len() as u64;
        let done = offline(
            bench.engine(),
            bench.store.as_ref(),
            bench.clock.as_ref(),
            &Unfenced,
            command,
            "nobody runs",
        )
        .await
        .unwrap();
        assert_eq!((done.seq, done.operator, done.posture), (Seq(before), posture, posture));
        let run = bench.start();
        bench.live().await;
        let end = bench.restartable_stop(run).await;
        assert_eq!(end.engine.book().operator(), (posture, "nobody runs"));
    }
    let last = bench.store.decisions();
    assert!(last.iter().all(|decision| !matches!(decision, Decision::OrderApproved { .. })));
}

/// A fence that a panic close has left halted.
#[derive(Clone, Debug, Default)]
struct LeftHalted(Arc<AtomicU64>);

impl hedge_runtime::Fence for LeftHalted {
    fn leader(&self) -> Result<Option<Leader>, String> {
        let led = self.0.load(Relaxed);
        let (posture, term) =
            if led == 0 { (Posture::Halted, 5) } else { (Posture::Normal, u32::try_from(led).unwrap()) };
        Ok(Some(Leader { term: Term(term), posture, because: "panic close".to_owned() }))
    }
    fn lead(&self, term: Term, _: hedge_core::Timestamp) -> Result<(), String> {
        self.0.store(u64::from(term.0), Relaxed);
        Ok(())
    }
    fn admits(&self, _: Term) -> Result<(), String> {
        Ok(())
    }
    fn acknowledge(&self, _: hedge_core::Timestamp) {}
}

#[tokio::test]
async fn a_resume_without_an_executor_lifts_what_a_panic_close_left_in_the_fence() {
    let mut bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.restartable_stop(run).await;
    let fence = LeftHalted::default();
    let (store, clock) = (bench.store.as_ref(), bench.clock.as_ref());
    let done = offline(bench.engine(), store, clock, &fence, OperatorCommand::Resume, "looked at it");
    assert_eq!(done.await.unwrap().operator, Posture::Normal);
    assert_eq!(orders(&bench), [OperatorCommand::Halt, OperatorCommand::Resume]);
    let mut bench = bench.fenced(fence);
    bench.shutdown = Shutdown::new();
    let run = bench.start();
    bench.live().await;
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().operator(), (Posture::Normal, "looked at it"));
    assert_eq!(end.engine.book().term(), Term(7), "one more than the fence's");
}

#[tokio::test]
async fn nothing_is_ordered_where_nothing_has_run() {
    let bench = Bench::new(Activity::free());
    let (store, clock) = (bench.store.as_ref(), bench.clock.as_ref());
    let halted = offline(bench.engine(), store, clock, &Unfenced, OperatorCommand::Halt, "x").await;
    assert!(matches!(halted, Err(OfflineError::Empty)));
    assert!(bench.store.facts().is_empty());
}
