//! The loop under paused time, against a scripted venue.

mod support;

use std::time::Duration;

use hedge_core::{
    AccountEvent, ClientOrderId, Clock, Decision, Fact, Fill, MarketEvent, OperatorCommand, Outcome, Posture,
    ReportedId, Term, Timestamp,
};
use hedge_runtime::{Activity, RunError};
use support::{Answer, AtOrder, Bench, btc, fill_of_the_first_order};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn the_account_stream_is_connected_before_anything_is_read_and_nothing_trades_before_the_setup() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    let venue = &bench.venue;
    assert_eq!(venue.place_of("account_events"), 0);
    assert!(venue.place_of("ensure_position_mode") < venue.place_of("ensure_leverage"));
    assert!(venue.place_of("ensure_leverage") < venue.place_of("open_orders"));
    assert!(venue.place_of("open_orders") < venue.place_of("bars"));
    bench.stop(run).await;
    let facts = bench.store.facts();
    assert!(matches!(&facts[0], Fact::RunStarted(started) if started.term == Term(1)));
    assert!(matches!(facts[1], Fact::Instrument { .. }));
    assert!(matches!(facts[3], Fact::Snapshot { .. }));
    let history =
        facts.iter().filter(|fact| matches!(fact, Fact::Market { event: MarketEvent::History { .. } }));
    assert_eq!(history.count(), 4, "two closed bars of each symbol, not the running one");
}

#[tokio::test(start_paused = true)]
async fn quotes_and_trades_are_subscribed_where_a_strategy_asks_for_them() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    for channel in ["BookTicker", "Trades"] {
        assert_eq!(bench.venue.called(&format!("stream BTCUSDT {channel}")), 1);
        assert_eq!(bench.venue.called(&format!("stream ETHUSDT {channel}")), 0, "nobody there reads them");
    }
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_is_durable_before_the_venue_sees_it() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("sent", |bench| bench.venue.called("submit") == 1).await;
    assert!(bench.venue.unjournalled.lock().unwrap().is_empty());
    bench.stop(run).await;
    assert!(bench.store.facts().iter().any(|fact| matches!(fact, Fact::SubmitAcked { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_failed_append_ends_the_loop_and_nothing_is_sent() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    *bench.store.at_order.lock().unwrap() = AtOrder::Fail;
    bench.close_bar(0, 0);
    bench.close_bar(1, 0);
    let error = run.await.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Journal(_)), "{error}");
    assert_eq!(error.exit_code(), 74);
    assert_eq!(bench.venue.called("submit"), 0);
    assert!(bench.store.approved().is_empty());
    assert!(
        !bench.store.facts().iter().any(|fact| matches!(fact, Fact::RunStopped { .. })),
        "there is no step after the failure, not even to say goodbye"
    );
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_went_stale_is_dropped_as_not_sent() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    *bench.store.at_order.lock().unwrap() = AtOrder::TakeSeconds(3);
    bench.close_bar(0, 0);
    let failed = |fact: &Fact| matches!(fact, Fact::SubmitFailed { outcome: Outcome::NotSent, .. });
    bench.until("dropped", |bench| bench.store.facts().iter().any(failed)).await;
    assert_eq!(bench.venue.called("submit"), 0);
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_budget_or_a_ban_kept_from_leaving_says_from_when_on_it_may() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    let wait = Duration::from_secs(3_600);
    bench.venue.answers.lock().unwrap().push_back(Answer::Limited(wait));
    let from = bench.clock.now().plus(wait);
    bench.close_bar(0, 0);
    let named = |fact: &Fact| match fact {
        Fact::SubmitFailed { outcome: Outcome::NotSent, retry_at, .. } => *retry_at,
        _ => None,
    };
    bench.until("told", |bench| bench.store.facts().iter().find_map(named).is_some()).await;
    let told = bench.store.facts().iter().find_map(named).unwrap();
    assert!(told >= from && told <= bench.clock.now().plus(wait), "{told:?}");
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_asked_about_until_absence_is_proven_and_never_sent_again() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().push_back(Answer::TimedOut);
    bench.close_bar(0, 0);
    let proven = |decision: &Decision| matches!(decision, Decision::AbsenceProven { .. });
    bench.until("proven absent", |bench| bench.store.decisions().iter().any(proven)).await;
    assert_eq!(bench.venue.called("submit"), 1);
    assert!(bench.venue.called("find_order") >= 2, "one look is no proof");
    bench.stop(run).await;
    let answered = bench.store.facts().into_iter().filter_map(|fact| match fact {
        Fact::QueryAnswered { answer, .. } => Some(answer),
        _ => None,
    });
    assert!(answered.count() >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_the_state_and_takes_in_answers_that_are_on_their_way() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().push_back(Answer::AfterMs(1_500));
    bench.close_bar(0, 0);
    bench.until("sent", |bench| bench.venue.called("submit") == 1).await;
    let asked_at = Instant::now();
    let end = bench.stop(run).await;
    assert!(asked_at.elapsed() < Duration::from_secs(5));
    assert_eq!(end.because, "test is over");
    let facts = bench.store.facts();
    assert!(matches!(facts.last(), Some(Fact::RunStopped { .. })));
    assert!(facts.iter().any(|fact| matches!(fact, Fact::SubmitAcked { .. })));
    let views = bench.store.views.lock().unwrap();
    let last = views.iter().rev().find(|(name, _)| *name == "health").unwrap();
    assert_eq!(last.1.as_of.0 + 1, bench.store.records.lock().unwrap().len() as u64);
    for name in
        ["nav", "positions", "signals", "trade_log", "health", "screener", "peak_state", "synced_state"]
    {
        assert!(views.iter().any(|(known, _)| *known == name), "{name} is not written");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_leave_a_leg_bare_whose_fill_is_still_on_its_way() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().push_back(Answer::FilledAfterMs(300));
    bench.close_bar(0, 0);
    bench.until("sent", |bench| bench.venue.called("submit") == 1).await;
    bench.shutdown.trigger("SIGTERM");
    bench.until("answered", |bench| bench.venue.called("answered") == 1).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!run.is_finished(), "the venue counts a fill that the stream has not told yet");
    bench.venue.say(AccountEvent::Fill { fill: fill_of_the_first_order(btc()) });
    let end = run.await.unwrap().unwrap();
    assert_eq!(bench.venue.called("answered"), 2, "the stop is at the venue: {:?}", bench.venue.calls);
    let leg = end.engine.book().open_legs().next().unwrap();
    assert_eq!(leg.unprotected_since, None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_does_not_keep_it_from_stopping() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().push_back(Answer::AfterMs(3_600_000));
    bench.close_bar(0, 0);
    bench.until("sent", |bench| bench.venue.called("submit") == 1).await;
    let asked_at = Instant::now();
    bench.stop(run).await;
    assert!(asked_at.elapsed() < Duration::from_secs(5), "{:?}", asked_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_the_next_term_and_keeps_the_run() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    let first = bench.stop(run).await.engine.book().run();
    tokio::time::sleep(Duration::from_secs(90)).await;
    let again = Bench { shutdown: hedge_runtime::Shutdown::new(), activity: Activity::free(), ..bench };
    let run = again.start();
    again
        .until("second start", |bench| {
            bench.store.facts().iter().filter(|fact| matches!(fact, Fact::RunStarted(_))).count() == 2
        })
        .await;
    let end = again.stop(run).await;
    assert_eq!(end.engine.book().run(), first);
    assert_eq!(end.engine.book().term(), Term(2));
}

#[tokio::test(start_paused = true)]
async fn commands_of_different_legs_run_side_by_side() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().extend([Answer::AfterMs(400), Answer::AfterMs(400)]);
    bench.close_bar(0, 0);
    bench.close_bar(1, 0);
    bench.until("both sent", |bench| bench.venue.called("submit") == 2).await;
    assert_eq!(bench.venue.called("answered"), 0);
    bench.stop(run).await;
}

/// Opens BTC LONG, whose fill the account stream tells before the opening or anything else is answered. Returns when the
/// stop has reached the venue, and how long that took.
async fn stop_after_a_fill(bench: &Bench) -> Duration {
    bench.close_bar(0, 0);
    bench.until("the opening", |bench| bench.venue.called("submit") == 1).await;
    let client_id = ClientOrderId::parse(&bench.store.approved()[0]).ok().map(ReportedId::Ours);
    bench.venue.say(AccountEvent::Fill { fill: Fill { client_id, ..fill_of_the_first_order(btc()) } });
    let filled_at = Instant::now();
    bench.until("the stop", |bench| bench.venue.called("submit BTCUSDT") == 2).await;
    filled_at.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_the_answer_to_the_opening_that_it_protects() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().extend([Answer::AfterMs(10_000), Answer::AfterMs(50)]);
    let took = stop_after_a_fill(&bench).await;
    assert_eq!(bench.venue.called("answered"), 0, "the opening's answer is still on its way");
    assert!(took < Duration::from_millis(100), "{took:?}");
    bench.until("the stop's answer", |bench| bench.venue.called("answered") == 1).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(bench.venue.called("submit BTCUSDT"), 2, "it is covered, and nothing closes it");
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().open_legs().next().unwrap().unprotected_since, None);
}

#[tokio::test(start_paused = true)]
async fn a_leg_is_closed_in_time_also_while_its_stop_is_without_an_answer() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    let answers = [Answer::AfterMs(10_000), Answer::AfterMs(10_000), Answer::AfterMs(50)];
    bench.venue.answers.lock().unwrap().extend(answers);
    stop_after_a_fill(&bench).await;
    let sent_at = Instant::now();
    bench.until("the close", |bench| bench.venue.called("submit BTCUSDT") == 3).await;
    let within = bench.config.protect_within;
    assert!(sent_at.elapsed() < within + Duration::from_millis(100), "{:?}", sent_at.elapsed());
    assert_eq!(bench.venue.called("answered BTCUSDT"), 0, "neither the opening nor the stop was answered");
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn one_command_at_a_time_does_not_keep_a_stop_for_longer_than_a_second() {
    let mut bench = Bench::new(Activity::free());
    bench.settings = Box::new(|settings| settings.parallel_legs = 1);
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().extend([Answer::AfterMs(10_000), Answer::AfterMs(50)]);
    let took = stop_after_a_fill(&bench).await;
    assert!(took < Duration::from_millis(1_100), "{took:?}");
    assert_eq!(bench.venue.called("answered"), 0);
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn in_lockstep_the_next_bar_waits_until_the_effects_of_the_one_before_came_back() {
    let bench = Bench::new(Activity::stepped());
    let run = bench.start();
    bench.live().await;
    bench.activity.hold();
    bench.venue.answers.lock().unwrap().extend([Answer::AfterMs(400), Answer::AfterMs(400)]);
    bench.close_bar(0, 0);
    bench.close_bar(1, 0);
    bench.until("held", |bench| bench.activity.holds_work(bench.clock.now())).await;
    let now = || bench.clock.now();
    while bench.activity.holds_work(now()) {
        bench.activity.release();
        bench.activity.idle(now).await;
    }
    let calls: Vec<String> = bench.venue.calls.lock().unwrap().clone();
    let calls: Vec<&str> = calls
        .iter()
        .filter(|call| call.starts_with("submit") || call.starts_with("answered"))
        .map(|call| &call[..call.find(" LONG").unwrap()])
        .collect();
    assert_eq!(calls, ["submit BTCUSDT", "answered BTCUSDT", "submit ETHUSDT", "answered ETHUSDT"]);
    bench.activity.release();
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn it_does_not_look_idle_before_it_has_started() {
    let bench = Bench::new(Activity::stepped());
    let runtime = bench.runtime();
    assert!(!bench.activity.is_idle(bench.clock.now()));
    drop(runtime);
}

#[tokio::test(start_paused = true)]
async fn the_account_is_read_again_at_every_interval_and_after_a_reconnect() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    let snapshots = |bench: &Bench| {
        bench.store.facts().iter().filter(|fact| matches!(fact, Fact::Snapshot { .. })).count()
    };
    bench.until("booted", |bench| snapshots(bench) == 1).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    bench.until("interval", |bench| snapshots(bench) == 2).await;
    bench.venue.say(AccountEvent::Disconnected { reason: "test".into() });
    bench.venue.say(AccountEvent::Reconnected);
    bench.until("reconnect", |bench| snapshots(bench) == 3).await;
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_a_busy_account_to_come_to_rest() {
    let bench = Bench::new(Activity::free());
    *bench.venue.restless_until.lock().unwrap() = bench.clock.now().plus(Duration::from_secs(40));
    let run = bench.start();
    bench.live().await;
    assert!(bench.venue.called("open_orders") < 12, "each read costs the request budget");
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_never_rests_fails_the_start_after_about_a_minute() {
    let bench = Bench::new(Activity::free());
    *bench.venue.restless_until.lock().unwrap() = Timestamp::MAX;
    let begun = Instant::now();
    let error = bench.start().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("kept changing"), "{error}");
    assert!((60..90).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_start_that_waits() {
    let bench = Bench::new(Activity::free());
    *bench.venue.restless_until.lock().unwrap() = Timestamp::MAX;
    let run = bench.start();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let asked_at = Instant::now();
    bench.stop(run).await;
    assert!(asked_at.elapsed() < Duration::from_secs(5), "{:?}", asked_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_account_stream_that_ends_is_opened_again() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.end_account_stream();
    bench.until("opened again", |bench| bench.venue.called("account_events") == 2).await;
    bench.stop(run).await;
    let said = |event: &AccountEvent| {
        bench
            .store
            .facts()
            .iter()
            .any(|fact| matches!(fact, Fact::Account { event: seen } if **seen == *event))
    };
    assert!(said(&AccountEvent::Disconnected { reason: "the account stream has ended".into() }));
    assert!(said(&AccountEvent::Reconnected));
}

#[tokio::test(start_paused = true)]
async fn an_operators_halt_stops_openings() {
    let bench = Bench::new(Activity::free());
    let runtime = bench.runtime();
    let operator = runtime.operator();
    let run = tokio::spawn(runtime.run());
    bench.live().await;
    operator.command(OperatorCommand::Halt, "test");
    bench.close_bar(0, 0);
    bench
        .until("halted", |bench| {
            bench
                .store
                .decisions()
                .iter()
                .any(|decision| matches!(decision, Decision::PostureChanged { posture: Posture::Halted, .. }))
        })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.venue.called("submit"), 0);
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn an_announced_delisting_is_a_fact_at_once_and_not_at_the_next_look() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    let began = Instant::now();
    bench.venue.stopped.lock().unwrap().push(btc());
    bench.venue.announced.notify_one();
    let is_known = |bench: &Bench| {
        bench.store.facts().iter().any(
            |fact| matches!(fact, Fact::Instrument { spec, .. } if spec.id == btc() && !spec.is_trading()),
        )
    };
    bench.until("the delisting", is_known).await;
    assert!(began.elapsed() < Duration::from_secs(60), "the usual look comes after an hour");
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_crashes_leaves_its_order_unknown_and_the_run_goes_on() {
    let bench = Bench::new(Activity::free());
    let run = bench.start();
    bench.live().await;
    bench.venue.answers.lock().unwrap().push_back(Answer::Panics);
    bench.close_bar(0, 0);
    let unknown =
        |fact: &Fact| matches!(fact, Fact::SubmitFailed { outcome: hedge_core::Outcome::Unknown, .. });
    bench.until("told", |bench| bench.store.facts().iter().any(unknown)).await;
    bench.until("asked about", |bench| bench.venue.called("find_order") > 0).await;
    assert_eq!(bench.venue.called("submit BTCUSDT"), 1, "it is not sent again");
    bench.close_bar(1, 0);
    bench.until("the other symbol is served", |bench| bench.venue.called("submit ETHUSDT") == 1).await;
    let end = bench.stop(run).await;
    let book = end.engine.book();
    assert!(book.orders().any(|order| order.position.instrument == btc() && order.state == hedge_core::OrderState::Unknown));
}
