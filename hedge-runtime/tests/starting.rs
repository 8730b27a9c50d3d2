//! What is served while a start reads the history: everything that protects what is open.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use hedge_core::{
    AccountEvent, ClientOrderId, Decision, Fact, Fill, MarketEvent, OperatorCommand, OrderSide, Outcome,
    Position, PositionKey, Posture, Price, Qty, ReportedId, TradeId, VenueOrderId,
};
use hedge_runtime::Activity;
use support::{Answer, Bench, btc, fill_of_the_first_order};
use tokio::time::Instant;

/// A venue whose history does not come, with a position of somebody else that gets a stop at the first look at the account.
fn bench(answers: &[Answer]) -> Bench {
    let bench = Bench::new(Activity::free());
    bench.venue.holds_bars.store(true, SeqCst);
    if !answers.is_empty() {
        let price = |text| Price::parse(text).unwrap();
        let held = Position::new(PositionKey::long(btc()), Qty::parse("2").unwrap(), price("100"));
        *bench.venue.positions.lock().unwrap() = vec![held.with_prices(Some(price("110")), None)];
        bench.venue.answers.lock().unwrap().extend(answers);
    }
    bench
}

fn knows(bench: &Bench, is_it: impl Fn(&Fact) -> bool) -> bool {
    bench.store.facts().iter().any(is_it)
}

/// The start waits for its first series.
async fn until_reading(bench: &Bench) {
    bench.until("it reads history", |bench| bench.venue.called("bars") == 1).await;
}

fn still_reading(bench: &Bench) {
    assert_eq!(bench.venue.called("bars"), 1, "the second series is not asked for yet");
    assert!(!knows(bench, |fact| matches!(fact, Fact::Market { .. })));
}

#[tokio::test(start_paused = true)]
async fn answers_and_the_account_stream_are_taken_in_while_the_history_is_read() {
    let bench = bench(&[Answer::AfterMs(200)]);
    let run = bench.start();
    until_reading(&bench).await;
    let is_answered = |fact: &Fact| matches!(fact, Fact::SubmitAcked { .. });
    bench.until("the stop's answer", |bench| knows(bench, is_answered)).await;
    bench.venue.say(AccountEvent::Disconnected { reason: "test".into() });
    bench.venue.say(AccountEvent::Reconnected);
    let snapshots = |bench: &Bench| {
        bench.store.facts().iter().filter(|fact| matches!(fact, Fact::Snapshot { .. })).count()
    };
    bench.until("a comparison", |bench| snapshots(bench) == 2).await;
    still_reading(&bench);
    bench.venue.let_bars_go();
    bench.live().await;
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_without_an_answer_is_asked_about_while_the_history_is_read() {
    let bench = bench(&[Answer::TimedOut]);
    let run = bench.start();
    until_reading(&bench).await;
    bench.until("a second question", |bench| bench.venue.called("find_order") >= 2).await;
    still_reading(&bench);
    bench.venue.let_bars_go();
    bench.live().await;
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_halt_is_heard_while_the_history_is_read() {
    let bench = bench(&[]);
    let runtime = bench.runtime();
    let operator = runtime.operator();
    let run = tokio::spawn(runtime.run());
    until_reading(&bench).await;
    operator.command(OperatorCommand::Halt, "test");
    let is_halted =
        |decision: &Decision| matches!(decision, Decision::PostureChanged { posture: Posture::Halted, .. });
    bench.until("halted", |bench| bench.store.decisions().iter().any(is_halted)).await;
    still_reading(&bench);
    bench.venue.let_bars_go();
    bench.live().await;
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn prices_wait_until_the_history_has_been_read() {
    let bench = bench(&[]);
    let run = bench.start();
    until_reading(&bench).await;
    bench.close_bar(0, 0);
    tokio::time::sleep(Duration::from_secs(5)).await;
    still_reading(&bench);
    assert_eq!(bench.venue.called("submit"), 0);
    bench.venue.let_bars_go();
    bench.until("the opening", |bench| bench.venue.called("submit") == 1).await;
    bench.stop(run).await;
    let facts = bench.store.facts();
    let place = |is_it: fn(&MarketEvent) -> bool| {
        facts.iter().rposition(|fact| matches!(fact, Fact::Market { event } if is_it(event))).unwrap()
    };
    let (last, bar) = (
        place(|event| matches!(event, MarketEvent::History { .. })),
        place(|event| matches!(event, MarketEvent::Bar { .. })),
    );
    assert!(last < bar, "the history comes before what happened meanwhile");
}

#[tokio::test(start_paused = true)]
async fn nothing_opens_before_the_history_has_been_read() {
    let mut bench = bench(&[]);
    bench.venue.let_bars_go();
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("the opening", |bench| bench.venue.called("answered") == 1).await;
    let ours = |bench: &Bench, place: usize| {
        ClientOrderId::parse(&bench.store.approved()[place]).ok().map(ReportedId::Ours)
    };
    let fill = Fill { client_id: ours(&bench, 0), ..fill_of_the_first_order(btc()) };
    bench.venue.say(AccountEvent::Fill { fill: fill.clone() });
    bench.until("the stop", |bench| bench.venue.called("answered") == 2).await;
    bench.restartable_stop(run).await;
    let held = Position::new(PositionKey::long(btc()), fill.qty, fill.price);
    *bench.venue.positions.lock().unwrap() = vec![held];
    bench.venue.calls.lock().unwrap().clear();
    bench.venue.holds_bars.store(true, SeqCst);
    let run = bench.start();
    until_reading(&bench).await;
    // Its stop has closed the leg, and the strategy wants back in at once.
    let (client_id, order_side) = (ours(&bench, 1), OrderSide::Sell);
    let (trade_id, order) = (TradeId(2), VenueOrderId(2));
    let closed = Fill { client_id, order_side, trade_id, order, ..fill };
    bench.venue.say(AccountEvent::Fill { fill: closed });
    let is_refused = |fact: &Fact| match fact {
        Fact::SubmitFailed { outcome, message, .. } => {
            *outcome == Outcome::NotSent && message.contains("the start is not over")
        }
        _ => false,
    };
    bench.until("refused", |bench| knows(bench, is_refused)).await;
    assert_eq!(bench.venue.called("bars"), 1);
    let calls = bench.venue.calls.lock().unwrap().clone();
    let opens = |call: &&String| call.starts_with("submit") && call.ends_with('e');
    assert_eq!(calls.iter().find(opens), None);
    bench.venue.let_bars_go();
    bench.live().await;
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_stopped_waits_for_the_answer_to_its_stop_and_says_goodbye() {
    let bench = bench(&[Answer::AfterMs(1_500)]);
    let run = bench.start();
    until_reading(&bench).await;
    let asked_at = Instant::now();
    let end = bench.stop(run).await;
    assert!(asked_at.elapsed() < Duration::from_secs(5), "{:?}", asked_at.elapsed());
    assert_eq!(end.because, "test is over");
    assert!(knows(&bench, |fact| matches!(fact, Fact::SubmitAcked { .. })), "the stop is known to be there");
    assert!(matches!(bench.store.facts().last(), Some(Fact::RunStopped { .. })));
    assert!(bench.store.views.lock().unwrap().iter().any(|(name, _)| *name == "health"));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_waits_for_the_answer_to_its_stop() {
    let bench = bench(&[Answer::AfterMs(1_500)]);
    // Longer than any start waits for a budget.
    bench.venue.budget_waits.lock().unwrap().push_back(Duration::from_secs(3_600));
    bench.venue.holds_bars.store(false, SeqCst);
    let error = bench.start().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("bars of binance:BTCUSDT"), "{error}");
    assert!(knows(&bench, |fact| matches!(fact, Fact::SubmitAcked { .. })), "the stop is known to be there");
}
