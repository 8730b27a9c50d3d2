//! The venue's timer over resting entries: armed, renewed and taken off as the book says.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hedge_core::{
    AccountEvent, Coverage, Decimal, Entry, Fill, OrderRef, OrderReport, OrderSide, PositionSide, Price, Qty,
    ReportedId, ReportedKind, ReportedState, Term, Tif, Timestamp, VenueOrderId,
};
use hedge_runtime::{Activity, Fence, Leader, RunEnd, RunError};
use support::{AtOrder, Bench, START_MS, btc, fill_of_the_first_order};
use tokio::task::JoinHandle;

/// Entries rest at 99, and the timer runs for two minutes.
fn bench() -> Bench {
    let mut bench = Bench::new(Activity::free());
    bench.entry = Entry::Limit { price: Price::parse("99").unwrap(), tif: Tif::Gtc };
    bench.settings = Box::new(|settings| {
        settings.dead_man = Some(Duration::from_secs(120));
        // The scripted venue lists no orders: a comparison would find them gone.
        settings.reconcile_every = Duration::from_secs(3_600);
    });
    bench
}

const ARMED: &str = "dead_man BTCUSDT Some(120)";
const OFF: &str = "dead_man BTCUSDT None";

/// A run with an entry that rests and the timer over it.
async fn armed(bench: &Bench) -> JoinHandle<Result<RunEnd, RunError>> {
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("armed", |bench| bench.venue.called(ARMED) == 1).await;
    run
}

/// A part of that entry is filled, and the leg gets its stop.
async fn fill_in_part(bench: &Bench) {
    let fill = Fill { qty: Qty::parse("0.4").unwrap(), ..fill_of_the_first_order(btc()) };
    bench.venue.say(AccountEvent::Fill { fill });
    bench.until("protected", |bench| bench.venue.called("submit") == 2).await;
}

/// The lock of a directory, and a lease that may be over.
#[derive(Clone, Debug, Default)]
struct Leased(Arc<AtomicBool>);

impl Fence for Leased {
    fn leader(&self) -> Result<Option<Leader>, String> {
        Ok(None)
    }
    fn lead(&self, _: Term, _: Timestamp) -> Result<(), String> {
        Ok(())
    }
    fn admits(&self, _: Term) -> Result<(), String> {
        Ok(())
    }
    fn acknowledge(&self, _: Timestamp) {}
    fn sets_timers(&self) -> Result<(), String> {
        if self.0.load(Ordering::SeqCst) { Err("the lease is over".to_owned()) } else { Ok(()) }
    }
}

fn report(number: i64, side: OrderSide, state: ReportedState) -> OrderReport {
    OrderReport {
        instrument: btc(),
        client_id: ReportedId::parse("web_person"),
        order: OrderRef::Plain(VenueOrderId(number)),
        side: PositionSide::Long.into(),
        order_side: side,
        kind: ReportedKind::Limit,
        price: Some(Price::parse("99").unwrap()),
        trigger: None,
        qty: Some(Qty::parse("1").unwrap()),
        filled: Decimal::ZERO,
        average: None,
        covers: Coverage::Qty,
        state,
        reason: None,
        venue_time: Timestamp::from_ms(START_MS),
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_armed_while_an_entry_rests_renewed_in_time_and_then_taken_off() {
    let bench = bench();
    let run = bench.start();
    bench.live().await;
    // An earlier process may have left it on.
    bench.until("taken off at the start", |bench| bench.venue.called(OFF) == 1).await;
    assert_eq!(bench.venue.called(ARMED), 0, "nothing rests");
    bench.close_bar(0, 0);
    bench.until("armed", |bench| bench.venue.called(ARMED) == 1).await;
    tokio::time::sleep(Duration::from_secs(130)).await;
    assert_eq!(bench.venue.called(ARMED), 4, "three times within two minutes");
    assert_eq!(bench.venue.called("dead_man ETHUSDT Some"), 0, "nothing rests there");
    bench.venue.say(AccountEvent::Order { report: report(1, OrderSide::Buy, ReportedState::Canceled) });
    bench.until("taken off", |bench| bench.venue.called(OFF) == 2).await;
    tokio::time::sleep(Duration::from_secs(130)).await;
    assert_eq!(bench.venue.called(ARMED), 4);
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn without_being_asked_for_it_is_never_touched() {
    let mut bench = bench();
    bench.settings = Box::new(|_| {});
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("sent", |bench| bench.venue.called("submit") == 1).await;
    tokio::time::sleep(Duration::from_secs(130)).await;
    bench.stop(run).await;
    assert_eq!(bench.venue.called("dead_man"), 0);
}

#[tokio::test(start_paused = true)]
async fn where_a_plain_order_closes_something_it_is_never_armed() {
    let bench = bench();
    bench.venue.orders.lock().unwrap().push(report(77, OrderSide::Sell, ReportedState::Working));
    let run = bench.start();
    bench.live().await;
    bench.close_bar(0, 0);
    bench.until("sent", |bench| bench.venue.called("submit") == 1).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bench.venue.called(ARMED), 0, "it would take that order away");
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_on_ever_more_patiently() {
    let bench = bench();
    let run = armed(&bench).await;
    bench.venue.refuses_timers.store(true, Ordering::SeqCst);
    // Long after the renewal was due: what was due once stays due.
    tokio::time::sleep(Duration::from_secs(160)).await;
    let failed = bench.venue.called(ARMED) - 1;
    assert!((8..=20).contains(&failed), "{failed} attempts in two minutes");
    bench.venue.refuses_timers.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let renewed = bench.venue.called(ARMED);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(bench.venue.called(ARMED) <= renewed + 1, "the next renewal is due after forty seconds");
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_takes_it_off_where_a_leg_is_open_too() {
    let bench = bench();
    let run = armed(&bench).await;
    let off = bench.venue.called(OFF);
    fill_in_part(&bench).await;
    *bench.store.at_order.lock().unwrap() = AtOrder::FailAlways;
    bench
        .venue
        .say(AccountEvent::Order { report: report(1, OrderSide::Buy, ReportedState::PartiallyFilled) });
    let ended = run.await.unwrap();
    assert!(matches!(ended, Err(hedge_runtime::RunError::Journal(_))), "{ended:?}");
    assert_eq!(bench.venue.called(OFF) - off, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_it_on_an_entry_and_takes_it_off_where_a_leg_is_open() {
    for fills in [false, true] {
        let bench = bench();
        let run = armed(&bench).await;
        let off = bench.venue.called(OFF);
        if fills {
            fill_in_part(&bench).await;
        }
        bench.stop(run).await;
        assert_eq!(bench.venue.called(OFF) - off, usize::from(fills), "filled in part: {fills}");
    }
}

#[tokio::test(start_paused = true)]
async fn once_the_lease_is_over_it_is_taken_off_open_legs_and_not_renewed_until_the_lease_is_back() {
    for fills in [false, true] {
        let lease = Leased::default();
        let bench = bench().fenced(lease.clone());
        let run = armed(&bench).await;
        if fills {
            fill_in_part(&bench).await;
        }
        let off = bench.venue.called(OFF);
        lease.0.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(bench.venue.called(ARMED), 1, "nobody may renew it");
        // Where nothing is held it runs out, and the entry vanishes; a leg's stops must not go with it.
        assert_eq!(bench.venue.called(OFF) - off, usize::from(fills));
        if !fills {
            fill_in_part(&bench).await;
            bench.until("off", |bench| bench.venue.called(OFF) == off + 1).await;
        }
        lease.0.store(false, Ordering::SeqCst);
        bench.until("armed again", |bench| bench.venue.called(ARMED) == 2).await;
        bench.stop(run).await;
    }
}
