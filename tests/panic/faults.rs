use std::{
    thread,
    time::{Duration, Instant},
};

use hedge_sim::{
    binance::{Fault, FaultKind, OrderPool, When},
    venue::{Command as Wish, NewOrder, OrderType, PositionSide, Side, SymbolId, SymbolStatus, Tif},
};

use super::stage::{Done, Stage};

/// Longer than a panic close takes to close two legs on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const ORDER: &str = "/fapi/v1/order";

/// A small account, faults armed, closed down and checked.
fn with_faults(what: &'static str, faults: Vec<Fault>) -> (Stage, Done) {
    let stage = Stage::new("panic-fault", 2);
    faults.into_iter().for_each(|fault| stage.fault(fault));
    let done = stage.panic_close(&[]);
    stage.check(what, &done);
    println!("TIME TO FLAT, four legs, {what}: {} ms", done.verdict["time_to_flat_ms"]);
    (stage, done)
}

fn on_closes(kind: FaultKind) -> Fault {
    Fault::new(kind).on("POST", ORDER)
}

/// All at once: they wait most of their time.
fn in_parallel(scenarios: Vec<Box<dyn FnOnce() + Send>>) {
    thread::scope(|scope| {
        let running: Vec<_> = scenarios.into_iter().map(|scenario| scope.spawn(scenario)).collect();
        let failed = running.into_iter().filter_map(|thread| thread.join().err()).count();
        assert_eq!(failed, 0, "scenarios failed; see above");
    });
}

fn flat_ms(done: &Done) -> u64 {
    done.verdict["time_to_flat_ms"].as_u64().unwrap()
}

#[test]
fn what_the_venue_did_not_execute_is_closed_again() {
    in_parallel(vec![
        Box::new(|| {
            let kind = FaultKind::Http429 { pool: OrderPool::Orders, retry_after_s: Some(2) };
            let (_, done) = with_faults("429 on closes", vec![on_closes(kind).times(2)]);
            assert!(flat_ms(&done) >= 2_000, "the venue's pause is kept: {}", done.progress);
        }),
        Box::new(|| {
            let kind = FaultKind::Http429 { pool: OrderPool::Weight, retry_after_s: Some(2) };
            let (_, done) =
                with_faults("429 on readings", vec![Fault::new(kind).on("GET", "/fapi/v3/positionRisk")]);
            assert!(done.progress.contains("positions could not be read (rate limited"), "{}", done.progress);
        }),
        Box::new(|| {
            with_faults("503 service unavailable", vec![on_closes(FaultKind::Http503Unavailable).times(5)]);
        }),
        Box::new(|| {
            with_faults("503 internal error", vec![on_closes(FaultKind::Http503Internal).times(5)]);
        }),
        Box::new(|| {
            let kind = FaultKind::Http503Overload { spare_closes: false };
            with_faults("503 overload", vec![on_closes(kind).times(5)]);
        }),
    ]);
}

#[test]
fn a_close_of_unknown_outcome_is_asked_about_and_never_doubled() {
    in_parallel(vec![
        Box::new(|| {
            let (stage, done) =
                with_faults("answers lost", vec![on_closes(FaultKind::AcceptThenDrop).times(4)]);
            assert_eq!(stage.closes_sent().len(), 4, "all were executed: {}", done.progress);
            assert!(done.progress.contains("no second close meanwhile"), "{}", done.progress);
        }),
        Box::new(|| {
            let kind = FaultKind::Http503Unknown { executed: true };
            let (stage, done) = with_faults("503 unknown, executed", vec![on_closes(kind).times(4)]);
            assert_eq!(stage.closes_sent().len(), 4, "{}", done.progress);
        }),
        Box::new(|| {
            let kind = FaultKind::Http503Unknown { executed: false };
            let (stage, done) = with_faults("503 unknown, not executed", vec![on_closes(kind).times(2)]);
            assert_eq!(stage.closes_sent().len(), 4, "those two never arrived: {}", done.progress);
            // Three seconds in which it may be accepted, five in which it may be there and not be seen.
            assert!(flat_ms(&done) >= 8_000, "{}", done.progress);
            assert_eq!(done.progress.matches("never arrived").count(), 2, "{}", done.progress);
        }),
        Box::new(|| {
            let (_, done) = with_faults("requests lost", vec![on_closes(FaultKind::Drop).times(4)]);
            assert!(flat_ms(&done) >= 8_000, "{}", done.progress);
            assert_eq!(done.progress.matches("never arrived").count(), 4, "{}", done.progress);
        }),
    ]);
}

#[test]
fn sockets_that_hang_are_left_behind() {
    in_parallel(vec![
        Box::new(|| {
            let hang = FaultKind::Delay { delay_ms: 600_000, when: When::After };
            let (stage, done) = with_faults("answers that hang", vec![on_closes(hang).times(4)]);
            assert_eq!(stage.closes_sent().len(), 4, "{}", done.progress);
        }),
        Box::new(|| {
            let hang = || FaultKind::Delay { delay_ms: 600_000, when: When::Before };
            let faults = vec![
                Fault::new(hang()).on("GET", "/fapi/v1/time"),
                Fault::new(hang()).on("GET", "/fapi/v3/positionRisk").times(2),
                Fault::new(hang()).on("GET", "/fapi/v1/openOrders"),
                Fault::new(hang()).on("DELETE", "/fapi/v1/order"),
                Fault::new(hang()).on("GET", "/fapi/v1/exchangeInfo").times(9),
                Fault::new(hang()).on("DELETE", "/fapi/v1/algoOpenOrders"),
            ];
            with_faults("everything else hangs once", faults);
        }),
        Box::new(|| {
            // The request reaches the venue after its window: it is refused there, and proven absent here.
            let late = FaultKind::Delay { delay_ms: 4_500, when: When::Before };
            let (_, done) = with_faults("closes that arrive too late", vec![on_closes(late).times(2)]);
            assert!(flat_ms(&done) >= 8_000, "{}", done.progress);
        }),
    ]);
}

#[test]
fn a_ban_is_told_and_waited_for() {
    let (_, done) = with_faults("418", vec![on_closes(FaultKind::Http418).for_ms(6_000)]);
    assert!(done.progress.contains("the venue has banned this address until 20"), "{}", done.progress);
    assert!(flat_ms(&done) >= 5_000, "{}", done.progress);
}

#[test]
fn twenty_legs_under_faults_of_every_kind_are_flat() {
    let stage = Stage::new("panic-storm", 10);
    let kinds = [
        FaultKind::AcceptThenDrop,
        FaultKind::Drop,
        FaultKind::Http429 { pool: OrderPool::Orders, retry_after_s: Some(1) },
        FaultKind::Http503Unknown { executed: true },
        FaultKind::Http503Unknown { executed: false },
        FaultKind::Http503Unavailable,
        FaultKind::Http503Internal,
        FaultKind::Delay { delay_ms: 600_000, when: When::After },
    ];
    for (kind, symbol) in kinds.into_iter().zip(&stage.symbols) {
        stage.fault(on_closes(kind).symbol(symbol).times(2));
    }
    stage.fault(Fault::new(FaultKind::Http503Unavailable).on("GET", "/fapi/v3/positionRisk").times(2));
    stage.fault(Fault::new(FaultKind::Drop).on("DELETE", "/fapi/v1/algoOpenOrders").times(3));
    let done = stage.panic_close(&[]);
    stage.check("storm", &done);
    println!("TIME TO FLAT, twenty legs, under faults: {} ms", done.verdict["time_to_flat_ms"]);
}

#[test]
fn an_entry_that_fills_late_is_closed_too() {
    let stage = Stage::new("panic-late", 2);
    let symbol = stage.symbols[1].clone();
    let (url, account) = (stage.exchange.rest_url(), stage.exchange.account());
    assert!(url.starts_with("http://127.0.0.1"));
    thread::scope(|scope| {
        let closing = scope.spawn(|| stage.panic_close(&[]));
        // Somebody who was not told to stop opens a leg, and rests an entry, while the second reading is waited for: that
        // comes seconds after the first one.
        let until = Instant::now() + PATIENCE;
        while !stage.exchange.legs().unwrap().is_empty() {
            assert!(Instant::now() < until, "nothing was closed");
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_secs(2));
        let entry = NewOrder {
            position_side: Some(PositionSide::Long),
            ..NewOrder::market(account, &symbol, Side::Buy, stage.held[&(symbol.clone(), PositionSide::Long)])
        };
        stage.wish(&Wish::Place(entry.clone()));
        stage.wish(&Wish::Place(NewOrder {
            order_type: OrderType::Limit,
            tif: Some(Tif::Gtc),
            price: Some(rest_price(&stage, &symbol)),
            ..entry
        }));
        let done = closing.join().unwrap();
        assert_eq!(done.code, Some(0), "{}", done.progress);
        assert!(done.progress.contains("is open again"), "{}", done.progress);
        assert!(stage.exchange.legs().unwrap().is_empty());
        let left = stage.exchange.query(|venue| venue.open_orders(account, None).unwrap());
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(stage.closes_of(&symbol, PositionSide::Long), 2, "{}", done.progress);
    });
}

/// A little below the market.
fn rest_price(stage: &Stage, symbol: &str) -> hedge_core::Decimal {
    let account = stage.exchange.account();
    let mark = stage.exchange.query(|venue| venue.positions(account, Some(symbol)).unwrap()[0].mark_price);
    (mark * "0.97".parse::<hedge_core::Decimal>().unwrap()).round_dp(2)
}

#[test]
fn a_symbol_that_takes_no_orders_is_named_and_its_stop_stays() {
    let stage = Stage::new("panic-settling", 2);
    let symbol = stage.symbols[1].clone();
    // PENDING_TRADING refuses closes too and, unlike the later states, settles nothing.
    stage.wish(&Wish::SetStatus { symbol: SymbolId(1), status: SymbolStatus::PendingTrading });
    let done = stage.panic_close(&["--within", "20s"]);
    assert_eq!(done.code, Some(13), "{}", done.progress);
    assert_eq!(done.verdict["end"], "not_trading", "{}", done.progress);
    assert!(done.progress.contains(&format!("{symbol} does not trade normally")), "{}", done.progress);
    let open: Vec<_> = stage.exchange.legs().unwrap().iter().map(|leg| leg.symbol.clone()).collect();
    assert_eq!(open, [symbol.clone(), symbol.clone()], "the other one is flat");
    let account = stage.exchange.account();
    let stops = stage.exchange.query(|venue| venue.open_algos(account, None).unwrap());
    assert!(stops.iter().all(|stop| stop.symbol == symbol) && stops.len() == 2, "{stops:?}");
}
