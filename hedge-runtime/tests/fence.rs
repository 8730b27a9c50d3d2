//! Who leads an account: at the start, in full flight, and after a takeover.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hedge_core::{Clock, Fact, OperatorCommand, Posture, Term, Timestamp};
use hedge_runtime::{Activity, Fence, Leader, RunError};
use support::{Answer, Bench, btc};
use tokio::time::Instant;

/// A fence in memory; another process is played by [`TestFence::take_over`].
#[derive(Clone, Debug, Default)]
struct TestFence(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    leader: Option<Leader>,
    forbidden: Option<String>,
    /// What another process writes as soon as this one has read the fence at its start.
    overtakes: Option<Leader>,
    acknowledged_at: Option<Timestamp>,
}

impl TestFence {
    fn left_behind(term: u32, posture: Posture, because: &str) -> Self {
        let fence = Self::default();
        fence.take_over(term, posture, because);
        fence
    }
    fn take_over(&self, term: u32, posture: Posture, because: &str) {
        let leader = Leader { term: Term(term), posture, because: because.to_owned() };
        self.0.lock().unwrap().leader = Some(leader);
    }
    fn acknowledged_at(&self) -> Option<Timestamp> {
        self.0.lock().unwrap().acknowledged_at
    }
    fn leader(&self) -> Leader {
        self.0.lock().unwrap().leader.clone().unwrap()
    }
}

impl Fence for TestFence {
    fn leader(&self) -> Result<Option<Leader>, String> {
        let mut state = self.0.lock().unwrap();
        if let Some(because) = &state.forbidden {
            return Err(because.clone());
        }
        let leader = state.leader.clone();
        if let Some(faster) = state.overtakes.take() {
            state.leader = Some(faster);
        }
        Ok(leader)
    }
    fn lead(&self, term: Term, _: Timestamp) -> Result<(), String> {
        let mut state = self.0.lock().unwrap();
        match &state.leader {
            Some(leader) if leader.term >= term => Err(format!("term {} leads", leader.term)),
            _ => {
                state.leader = Some(Leader { term, posture: Posture::Normal, because: String::new() });
                Ok(())
            }
        }
    }
    fn admits(&self, term: Term) -> Result<(), String> {
        match &self.0.lock().unwrap().leader {
            Some(leader) if leader.term > term => Err(format!("term {} leads", leader.term)),
            _ => Ok(()),
        }
    }
    fn acknowledge(&self, at: Timestamp) {
        self.0.lock().unwrap().acknowledged_at = Some(at);
    }
}

fn is_fenced<T: std::fmt::Debug>(end: Result<T, RunError>, by: &str) -> bool {
    let error = end.unwrap_err();
    assert_eq!(error.exit_code(), 75, "{error}");
    matches!(&error, RunError::Fenced { because } if because.contains(by))
}

fn orders(bench: &Bench) -> Vec<(OperatorCommand, String)> {
    let order = |fact: Fact| match fact {
        Fact::Operator { command, because } => Some((command, because)),
        _ => None,
    };
    bench.store.facts().into_iter().filter_map(order).collect()
}

#[tokio::test(start_paused = true)]
async fn a_start_takes_a_greater_term_than_journal_and_fence_and_tells_the_fence() {
    let fence = TestFence::left_behind(7, Posture::Normal, "");
    let bench = Bench::new(Activity::free()).fenced(fence.clone());
    let run = bench.start();
    bench.live().await;
    assert_eq!(fence.leader().term, Term(8));
    bench.stop(run).await;
    assert!(matches!(&bench.store.facts()[0], Fact::RunStarted(started) if started.term == Term(8)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_or_set_at_the_venue_before_the_lead_is_taken() {
    let fence = TestFence::default();
    fence.0.lock().unwrap().overtakes =
        Some(Leader { term: Term(1), posture: Posture::Halted, because: "panic close".to_owned() });
    let bench = Bench::new(Activity::free()).fenced(fence);
    assert!(is_fenced(bench.start().await.unwrap(), "term 1 leads"));
    assert!(bench.venue.calls.lock().unwrap().is_empty());
    assert!(matches!(bench.store.facts()[..], [Fact::RunStarted(_)]));
}

#[tokio::test(start_paused = true)]
async fn no_start_while_the_fence_forbids_it() {
    let fence = TestFence::default();
    fence.0.lock().unwrap().forbidden = Some("a panic close is at work".to_owned());
    let bench = Bench::new(Activity::free()).fenced(fence);
    assert!(is_fenced(bench.start().await.unwrap(), "a panic close is at work"));
    assert!(bench.store.facts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_panic_close_has_halted_stays_halted_over_restarts_until_somebody_resumes() {
    let fence = TestFence::left_behind(4, Posture::Halted, "panic close by hand");
    let mut bench = Bench::new(Activity::free()).fenced(fence.clone());
    for _ in 0..3 {
        let run = bench.start();
        bench.live().await;
        let end = bench.restartable_stop(run).await;
        assert_eq!(end.engine.book().operator(), (Posture::Halted, "panic close by hand"));
        assert_eq!(fence.leader().posture, Posture::Normal, "the journal keeps it now");
    }
    assert_eq!(
        orders(&bench),
        [(OperatorCommand::Halt, "panic close by hand".to_owned())],
        "journalled once"
    );
    let runtime = bench.runtime();
    let operator = runtime.operator();
    let run = tokio::spawn(runtime.run());
    bench.live().await;
    operator.command(OperatorCommand::Resume, "all is well");
    bench.until("resumed", |bench| orders(bench).len() == 2).await;
    bench.restartable_stop(run).await;
    let run = bench.start();
    bench.live().await;
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().operator(), (Posture::Normal, "all is well"));
}

#[tokio::test(start_paused = true)]
async fn a_looser_posture_in_the_fence_loosens_nothing() {
    let fence = TestFence::default();
    let mut bench = Bench::new(Activity::free()).fenced(fence.clone());
    let runtime = bench.runtime();
    runtime.operator().command(OperatorCommand::Halt, "stop everything");
    let run = tokio::spawn(runtime.run());
    bench.live().await;
    bench.restartable_stop(run).await;
    fence.take_over(9, Posture::ExitOnly, "somebody's tool");
    let run = bench.start();
    bench.live().await;
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().operator(), (Posture::Halted, "stop everything"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_run_notices_a_takeover_within_a_fifth_of_a_second_and_journals_nothing_more() {
    let fence = TestFence::default();
    let bench = Bench::new(Activity::free()).fenced(fence.clone());
    let run = bench.start();
    bench.live().await;
    let records = bench.store.facts().len();
    fence.take_over(2, Posture::Halted, "panic close");
    let before = Instant::now();
    assert!(is_fenced(run.await.unwrap(), "term 2 leads"));
    assert!(before.elapsed() <= Duration::from_millis(250), "{:?}", before.elapsed());
    assert_eq!(bench.store.facts().len(), records, "not even that it stopped");
    assert!(fence.acknowledged_at().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_decided_before_a_takeover_is_not_sent_after_it() {
    let fence = TestFence::default();
    let bench = Bench::new(Activity::free()).fenced(fence.clone());
    // The answer comes after the takeover, and the other symbol's bar too.
    bench.venue.answers.lock().unwrap().push_back(Answer::FilledAfterMs(150));
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("the entry is on its way", |bench| bench.venue.called("submit") == 1).await;
    fence.take_over(2, Posture::Halted, "panic close");
    bench.close_bar(1, 0);
    assert!(is_fenced(run.await.unwrap(), "term 2 leads"));
    assert_eq!(bench.venue.called("submit"), 1, "{:?}", bench.venue.calls.lock().unwrap());
    let answered = bench.store.facts().iter().any(|fact| matches!(fact, Fact::SubmitAcked { .. }));
    assert!(!answered, "what comes after the fence is not journalled");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_its_client_has_not_sent_yet_is_dropped_at_once() {
    let fence = TestFence::default();
    let bench = Bench::new(Activity::free()).fenced(fence.clone());
    // Whatever the client waits for before it sends: here it takes 60 ms.
    bench.venue.answers.lock().unwrap().push_back(Answer::AfterMs(60));
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("the entry is with its client", |bench| bench.venue.called("submit") == 1).await;
    fence.take_over(2, Posture::Halted, "panic close");
    assert!(is_fenced(run.await.unwrap(), "term 2 leads"));
    assert_eq!(bench.venue.called("answered"), 0, "{:?}", bench.venue.calls.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_acknowledgement_comes_after_requests_that_are_on_their_way_were_dropped() {
    let fence = TestFence::default();
    let bench = Bench::new(Activity::free()).fenced(fence.clone());
    bench.venue.answers.lock().unwrap().push_back(Answer::AfterMs(60_000));
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("the entry is on its way", |bench| bench.venue.called("submit") == 1).await;
    fence.take_over(2, Posture::Halted, "panic close");
    let taken_over_at = bench.clock.now();
    assert!(is_fenced(run.await.unwrap(), "term 2 leads"));
    let waited = fence.acknowledged_at().unwrap().since(taken_over_at);
    assert!(waited <= Duration::from_millis(300), "{waited:?}");
    assert_eq!(Arc::strong_count(&bench.venue), 1, "nobody holds the client any more");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(bench.venue.called(&format!("answered {}", hedge_core::PositionKey::long(btc()))), 0);
}

#[tokio::test(start_paused = true)]
async fn the_next_run_asks_about_an_order_that_a_takeover_left_open() {
    let fence = TestFence::default();
    let mut bench = Bench::new(Activity::free()).fenced(fence.clone());
    bench.venue.answers.lock().unwrap().push_back(Answer::AfterMs(60_000));
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("the entry is on its way", |bench| bench.venue.called("submit") == 1).await;
    fence.take_over(2, Posture::Halted, "panic close");
    assert!(is_fenced(run.await.unwrap(), "term 2 leads"));
    bench.shutdown = hedge_runtime::Shutdown::new();
    let run = bench.start();
    bench.live().await;
    assert!(bench.venue.called("find_order") >= 1);
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().term(), Term(3));
    assert_eq!(end.engine.book().operator().0, Posture::Halted);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_must_not_open_says_so_and_the_next_one_that_may_lifts_exactly_that() {
    let mut bench = Bench::new(Activity::free());
    bench.settings = Box::new(|settings| settings.hold = Some("consent is missing".to_owned()));
    let runtime = bench.runtime();
    let operator = runtime.operator();
    let run = tokio::spawn(runtime.run());
    bench.live().await;
    operator.command(OperatorCommand::Resume, "let me");
    bench.until("answered", |bench| orders(bench).len() == 2).await;
    bench.close_bar(0, 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.venue.called("submit"), 0);
    let end = bench.restartable_stop(run).await;
    assert_eq!(end.engine.book().operator(), (Posture::ExitOnly, "start: consent is missing"));
    bench.settings = Box::new(|_| {});
    let run = bench.start();
    bench.live().await;
    let end = bench.restartable_stop(run).await;
    assert_eq!(end.engine.book().operator(), (Posture::Normal, "start: this process may open again"));
}

#[tokio::test(start_paused = true)]
async fn what_a_person_has_ordered_outlives_a_start_that_must_not_open() {
    for (command, posture) in
        [(OperatorCommand::ExitOnly, Posture::ExitOnly), (OperatorCommand::Halt, Posture::Halted)]
    {
        let mut bench = Bench::new(Activity::free());
        let runtime = bench.runtime();
        runtime.operator().command(command, "lunch");
        let run = tokio::spawn(runtime.run());
        bench.live().await;
        bench.restartable_stop(run).await;
        for hold in [Some("consent is missing".to_owned()), None] {
            bench.settings = Box::new(move |settings| settings.hold.clone_from(&hold));
            let run = bench.start();
            bench.live().await;
            let end = bench.restartable_stop(run).await;
            assert_eq!(end.engine.book().operator(), (posture, "lunch"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_s_order_is_dropped_when_a_person_was_faster() {
    let bench = Bench::new(Activity::free());
    let runtime = bench.runtime();
    let operator = runtime.operator();
    let run = tokio::spawn(runtime.run());
    bench.live().await;
    let standing = (Posture::Normal, String::new());
    operator.command(OperatorCommand::Halt, "a person");
    operator.command_while(standing, OperatorCommand::ExitOnly, "journal disk: full");
    bench.until("halted", |bench| !orders(bench).is_empty()).await;
    operator.command_while((Posture::Halted, "a person".to_owned()), OperatorCommand::ExitOnly, "as seen");
    bench.until("both", |bench| orders(bench).len() == 2).await;
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().operator(), (Posture::ExitOnly, "as seen"));
}
