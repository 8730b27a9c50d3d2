//! Positions of somebody else at the first start.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use hedge_core::{
    Coverage, Decimal, EngineConfig, Fact, InstrumentId, OrderRef, OrderReport, OrderSide, Position,
    PositionKey, PositionSide, Price, Qty, ReportedId, ReportedKind, ReportedState, Timestamp, VenueOrderId,
};
use hedge_runtime::{Activity, RunError};
use support::{Bench, START_MS, btc, sol};

fn held(instrument: InstrumentId) -> Position {
    let price = |text| Price::parse(text).unwrap();
    Position::new(PositionKey::long(instrument), Qty::parse("2").unwrap(), price("100"))
        .with_prices(Some(price("110")), None)
}

fn stop_of(instrument: InstrumentId, covers: Coverage) -> OrderReport {
    OrderReport {
        instrument,
        client_id: ReportedId::parse("web_person"),
        order: OrderRef::Algo { id: VenueOrderId(4_711), child: None },
        side: PositionSide::Long.into(),
        order_side: OrderSide::Sell,
        kind: ReportedKind::StopMarket,
        price: None,
        trigger: Price::parse("90").ok(),
        qty: Qty::parse("2").ok().filter(|_| covers == Coverage::Qty),
        filled: Decimal::ZERO,
        average: None,
        covers,
        state: ReportedState::Working,
        reason: None,
        venue_time: Timestamp::from_ms(START_MS),
    }
}

fn bench(adopts: bool, positions: Vec<Position>, orders: Vec<OrderReport>) -> Bench {
    let mut bench = Bench::new(Activity::free());
    if !adopts {
        bench.config = EngineConfig { adopt_stop: None, ..EngineConfig::default() };
    }
    *bench.venue.positions.lock().unwrap() = positions;
    *bench.venue.orders.lock().unwrap() = orders;
    bench
}

async fn refusal(bench: &Bench) -> String {
    let error = bench.start().await.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Bare { .. }), "{error}");
    assert_eq!(error.exit_code(), 10);
    assert_eq!(bench.venue.called("submit"), 0);
    assert!(!bench.store.facts().iter().any(|fact| matches!(fact, Fact::Snapshot { .. })));
    error.to_string()
}

#[tokio::test(start_paused = true)]
async fn where_positions_are_left_alone_one_without_a_stop_refuses_the_start_by_name() {
    for orders in [Vec::new(), vec![stop_of(btc(), Coverage::Qty)], vec![stop_of(sol(), Coverage::WholeLeg)]]
    {
        let text = refusal(&bench(false, vec![held(btc())], orders)).await;
        assert!(
            text.contains("LONG 2 BTCUSDT at 100") && text.contains("foreign.positions = adopt"),
            "{text}"
        );
    }
    let both = refusal(&bench(false, vec![held(btc()), held(sol())], Vec::new())).await;
    assert!(both.contains("LONG 2 BTCUSDT at 100, LONG 2 SOLUSDT at 100"), "{both}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_start_refuses_again_until_the_account_is_in_order() {
    let mut bench = bench(false, vec![held(btc())], Vec::new());
    refusal(&bench).await;
    refusal(&bench).await;
    *bench.venue.orders.lock().unwrap() = vec![stop_of(btc(), Coverage::WholeLeg)];
    let run = bench.start();
    bench.live().await;
    bench.restartable_stop(run).await;
    assert_eq!(bench.venue.called("submit"), 0, "it is left alone");
    // Later starts look after what is ours, whatever a person has done meanwhile.
    bench.venue.orders.lock().unwrap().clear();
    let run = bench.start();
    bench.live().await;
    bench.stop(run).await;
}

#[tokio::test(start_paused = true)]
async fn where_positions_are_adopted_one_outside_the_universe_gets_a_stop_too() {
    let bench = bench(true, vec![held(btc()), held(sol())], Vec::new());
    let run = bench.start();
    bench.live().await;
    for instrument in [btc(), sol()] {
        let submitted = format!("submit {}", PositionKey::long(instrument));
        assert_eq!(bench.venue.called(&submitted), 1, "{:?}", bench.venue.calls.lock().unwrap());
    }
    let end = bench.stop(run).await;
    assert_eq!(end.engine.book().open_legs().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_position_on_a_symbol_that_is_not_listed_refuses_the_start_unless_it_has_a_stop() {
    let odd = InstrumentId::binance("ODDUSDT").unwrap();
    let text = refusal(&bench(true, vec![held(odd)], Vec::new())).await;
    assert!(text.contains("ODDUSDT") && text.contains("cannot be traded here"), "{text}");
    let bench = bench(true, vec![held(odd)], vec![stop_of(odd, Coverage::WholeLeg)]);
    let run = bench.start();
    bench.live().await;
    bench.stop(run).await;
}
