//! A restart goes on where the journal ends, whatever the process before knew besides.

use std::time::Duration;

use hedge_core::*;
use proptest::{prelude::*, strategy::Strategy};

use super::bench::*;

fn opened() -> Bench {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.book("99.9", "100.1");
    bench.open(PositionKey::long(btc()), "1", "95");
    bench.open(PositionKey::short(btc()), "0.4", "106");
    bench
}

#[test]
fn positions_wallet_and_orders_are_those_of_the_journal() {
    let mut bench = opened();
    bench.want(Intent::Close {
        position: PositionKey::long(btc()),
        portion: Portion::All,
        exit: Exit::Limit { price: px("101.5"), tif: Tif::Gtc },
        because: "test".into(),
    });
    let wallet = bench.engine.book().wallet(&Asset::usdt());
    let named = |bench: &Bench| {
        let mut orders: Vec<_> = bench
            .sim
            .open_orders()
            .into_iter()
            .map(|order| {
                (order.client_id.as_str().to_owned(), order.order, order.qty, order.trigger, order.covers)
            })
            .collect();
        orders.sort_by(|a, b| a.0.cmp(&b.0));
        orders
    };
    let (before, legs) = (named(&bench), bench.sim.positions().len());
    assert_eq!((before.len(), legs), (3, 2));

    bench.die_and_restart(usize::MAX);
    assert_eq!(named(&bench), before, "under their client ids and venue ids");
    assert_eq!(bench.sim.account().balances[0].wallet.get(), wallet);
    assert_eq!((bench.differences(), bench.corrections()), (Vec::new(), Vec::new()));

    bench.mark("100");
    bench.book("101.5", "101.6");
    assert!(!bench.leg(PositionKey::long(btc())).is_open(), "the resting close goes on resting");
    bench.mark("106");
    assert!(!bench.leg(PositionKey::short(btc())).is_open(), "the stop goes on waiting");
    assert_eq!((bench.differences(), bench.corrections()), (Vec::new(), Vec::new()));
}

#[test]
fn a_stop_that_the_price_passed_meanwhile_fires_at_the_first_price() {
    let mut bench = opened();
    bench.die_and_restart(usize::MAX);
    bench.mark("90");
    assert!(!bench.leg(PositionKey::long(btc())).is_open());
    let fill = bench.sim.fills_since(&btc(), Timestamp::EPOCH).remove(0);
    assert_eq!(fill.price, px("89.9"), "at the price of now, as after a gap");
    assert_eq!(bench.differences(), []);
}

/// The entry was decided and sent, and the process died before anything of it was written: it never happened.
#[test]
fn an_order_without_any_answer_in_the_journal_never_happened() {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.durable = 0;
    bench.open(PositionKey::long(btc()), "1", "95");
    let decided = bench
        .journal
        .iter()
        .position(|record| matches!(record.event, Event::Decision(Decision::OrderApproved { .. })))
        .unwrap();
    bench.durable = decided + 1;
    bench.die_and_restart(0);
    assert!(bench.sim.positions().is_empty());
    bench.wait(Duration::from_secs(120));
    assert_eq!((bench.engine.book().live_order_count(), bench.engine.book().doubtful_orders()), (0, 0));
    assert_eq!(bench.differences(), []);
}

/// The answer said "filled" and the execution itself was not written any more.
#[test]
fn an_execution_that_was_promised_happens_after_the_restart() {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.open(PositionKey::long(btc()), "1", "95");
    let acked = bench
        .journal
        .iter()
        .position(|record| matches!(record.event, Event::Fact(Fact::SubmitAcked { .. })))
        .unwrap();
    assert!(matches!(
        bench.journal[acked].event,
        Event::Fact(Fact::SubmitAcked { state: ReportedState::Filled, .. })
    ));
    bench.durable = acked + 1;
    bench.die_and_restart(0);
    let fills = bench.sim.fills_since(&btc(), Timestamp::EPOCH);
    assert_eq!((fills.len(), fills[0].qty.to_string()), (1, "1".to_owned()));
    assert_eq!(bench.leg(PositionKey::long(btc())).qty, d("1"));
    assert!(bench.engine.book().is_protected(&PositionKey::long(btc())), "and its stop with it");
    assert_eq!((bench.differences(), bench.corrections()), (Vec::new(), Vec::new()));
}

#[test]
fn what_the_journal_does_not_know_is_the_accounts() {
    let bench = opened();
    let other = PositionKey::long(InstrumentId::binance("SOLUSDT").unwrap());
    let real = AccountSnapshot {
        venue_time: bench.now,
        balances: Vec::new(),
        mode: PositionMode::Hedge,
        multi_assets: false,
        can_trade: None,
        can_withdraw: None,
    };
    let held = [
        Position::new(other, Qty::parse("7").unwrap(), px("20")),
        Position::new(PositionKey::long(eth()), Qty::parse("9").unwrap(), px("3000")),
    ];
    let start = super::super::Start::of_book(bench.engine.book(), &real, &held);
    let legs: Vec<String> = start.legs.iter().map(|leg| leg.key.to_string()).collect();
    assert_eq!(legs, ["BTCUSDT LONG", "BTCUSDT SHORT", "SOLUSDT LONG"], "ETHUSDT is traded here, and flat");
}

#[derive(Clone, Debug)]
enum Happens {
    Price { bps: i64 },
    Book { bps: i64, ticks: i64 },
    Open { long: bool, thousandths: i64, stop_bps: i64 },
    Close { long: bool },
    CloseAt { long: bool, bps: i64 },
    Protect { long: bool, bps: i64 },
    Funding { millionths: i64 },
    Time { secs: u64 },
    Death { kept: usize },
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (-150..150_i64).prop_map(|bps| Happens::Price { bps }),
        2 => (-150..150_i64, 1..40_i64).prop_map(|(bps, ticks)| Happens::Book { bps, ticks }),
        4 => (any::<bool>(), 1..400_i64, 20..400_i64)
            .prop_map(|(long, thousandths, stop_bps)| Happens::Open { long, thousandths, stop_bps }),
        1 => any::<bool>().prop_map(|long| Happens::Close { long }),
        2 => (any::<bool>(), 5..100_i64).prop_map(|(long, bps)| Happens::CloseAt { long, bps }),
        2 => (any::<bool>(), 10..300_i64).prop_map(|(long, bps)| Happens::Protect { long, bps }),
        1 => (-500..500_i64).prop_map(|millionths| Happens::Funding { millionths }),
        1 => (1..100_u64).prop_map(|secs| Happens::Time { secs }),
        2 => (0..30_usize).prop_map(|kept| Happens::Death { kept }),
    ]
}

fn key(long: bool) -> PositionKey {
    if long { PositionKey::long(btc()) } else { PositionKey::short(btc()) }
}

fn at(price: Decimal, bps: i64) -> Price {
    let moved = price * (Decimal::ONE + Decimal::new(bps, 4));
    Price::new(moved.round_dp(1).max(d("1"))).unwrap()
}

fn play(bench: &mut Bench, mark: &mut Decimal, step: &Happens) {
    // Losing sides: below for LONG, above for SHORT.
    let against = |long: bool, bps: i64| if long { -bps } else { bps };
    match *step {
        Happens::Price { bps } => {
            *mark = at(*mark, bps).get();
            bench.mark_of(btc(), 0, &mark.to_string());
        }
        Happens::Book { bps, ticks } => {
            let bid = at(*mark, bps);
            let ask = bid.get() + Decimal::new(ticks, 1);
            bench.book(&bid.to_string(), &ask.to_string());
        }
        Happens::Open { long, thousandths, stop_bps } => {
            let qty = Decimal::new(thousandths + 60, 3).to_string();
            bench.open(key(long), &qty, &at(*mark, against(long, stop_bps)).to_string());
        }
        Happens::Close { long } => bench.want(Intent::close(key(long), "test")),
        Happens::CloseAt { long, bps } => bench.want(Intent::Close {
            position: key(long),
            portion: Portion::Fraction(Ratio::new(d("0.5")).unwrap()),
            exit: Exit::Limit { price: at(*mark, against(long, -bps)), tif: Tif::Gtc },
            because: "test".into(),
        }),
        Happens::Protect { long, bps } => bench.want(Intent::Protect {
            position: key(long),
            trigger: at(*mark, against(long, bps)),
            because: "test".into(),
        }),
        Happens::Funding { millionths } => {
            let rate = Decimal::new(millionths, 6).to_string();
            let now = bench.now;
            bench.funding(&rate, now.plus(Duration::from_secs(1)));
            bench.wait(Duration::from_secs(2));
            bench.mark_of(btc(), 0, &mark.to_string());
        }
        Happens::Time { secs } => bench.wait(Duration::from_secs(secs)),
        Happens::Death { kept } => {
            bench.die_and_restart(kept);
            bench.mark_of(btc(), 0, &mark.to_string());
        }
    }
}

proptest! {
    /// Whatever happens, and wherever processes die: once everything has been said, book and simulation agree to the last
    /// digit without a correction, no order is in doubt, and every leg has its stop.
    #[test]
    fn book_and_simulation_agree_over_any_number_of_deaths(steps in proptest::collection::vec(happens(), 1..60)) {
        let mut bench = Bench::new(&flat());
        let mut mark = d("100");
        bench.mark("100");
        for step in &steps {
            play(&mut bench, &mut mark, step);
        }
        bench.wait(Duration::from_secs(180));
        bench.mark_of(btc(), 0, &mark.to_string());
        bench.wait(Duration::from_secs(30));
        prop_assert_eq!(bench.differences(), Vec::new());
        prop_assert_eq!(bench.corrections(), Vec::<&Decision>::new());
        prop_assert_eq!(bench.engine.book().doubtful_orders(), 0);
        for leg in bench.engine.book().open_legs() {
            prop_assert!(bench.engine.book().is_protected(&leg.key), "{} has no stop", leg.key);
        }
        let totals = bench.engine.book().totals();
        let explained = totals.nav_start + totals.realized - totals.fees + totals.funding + totals.corrections;
        prop_assert_eq!(explained, bench.engine.book().wallet(&Asset::usdt()));
    }
}
