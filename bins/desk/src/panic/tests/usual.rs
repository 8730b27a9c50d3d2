use std::time::Duration;

use hedge_core::{LotRule, OrderSide};

use super::*;
use crate::panic::{End, HeldSide::*, Plan};

#[tokio::test(start_paused = true)]
async fn both_legs_of_all_symbols_are_closed_at_once_and_stops_go_last() {
    let script = Script::new();
    let symbols = ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "FUSDT", "GUSDT", "HUSDT", "IUSDT", "JUSDT"];
    for (n, symbol) in (1_i64..).zip(symbols) {
        for side in [Long, Short] {
            script.hold(leg(symbol, side), "1.5");
            script.stop(leg(symbol, side), 2 * n + i64::from(side == Short));
        }
    }
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat && script.is_flat(), "{said:#?}");
    assert_eq!((verdict.legs.len(), script.conditional()), (20, 0));
    assert!(verdict.time_to_flat_ms.unwrap() < 200, "{verdict:?}");
    // The readings are a request's lifetime and five seconds apart.
    assert!(verdict.took_ms >= 8_000 && verdict.took_ms < 9_500, "{}", verdict.took_ms);
    let commands = script.commands();
    let last_close = commands.iter().rposition(|line| line.starts_with("close")).unwrap();
    let first_sweep = commands.iter().position(|line| line.starts_with("sweep")).unwrap();
    assert!(last_close < first_sweep);
    assert_eq!(commands.iter().filter(|line| line.starts_with("close")).count(), 20);
    assert!(script.times("close").iter().all(|at| *at < Duration::from_millis(100)), "all at once");
    assert!(said.last().unwrap().contains("cancelled"), "{said:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_account_without_anything_is_flat_after_two_readings() {
    let script = Script::new();
    let (verdict, _) = close_all(&script).await;
    assert_eq!((verdict.end, verdict.time_to_flat_ms), (End::Flat, None));
    assert!(verdict.took_ms >= 8_000);
    assert_eq!(script.commands(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn plain_orders_go_before_the_close_and_openings_among_the_conditional_ones_too() {
    let script = Script::new();
    let long = leg("AUSDT", Long);
    script.hold(long, "2");
    script.stop(long, 1);
    script.opening_stop("AUSDT", 2);
    script.rest(long, OrderSide::Sell, "2", true);
    script.rest(leg("BUSDT", Short), OrderSide::Sell, "1", true);
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat, "{said:#?}");
    let commands = script.commands();
    let at = |text: &str| {
        commands.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{commands:?}"))
    };
    assert!(at("cancel AUSDT Plain") < at("close AUSDT"), "one by one, for it has a stop: {commands:?}");
    assert!(!commands.contains(&"cancel plain AUSDT".to_owned()), "{commands:?}");
    assert!(at("VenueOrderId(2)") < at("sweep AUSDT"));
    assert!(at("close AUSDT") < at("sweep AUSDT"));
    assert!(at(" BUSDT") < at("sweep AUSDT"));
    assert_eq!(verdict.orders_canceled.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_one_way_position_is_closed_too() {
    let script = Script::new();
    script.hold(leg("AUSDT", Net), "0.25");
    let (verdict, _) = close_all(&script).await;
    assert!(verdict.flat && script.is_flat());
    assert_eq!(script.commands(), ["close AUSDT BOTH 0.25"]);
}

#[tokio::test(start_paused = true)]
async fn other_symbols_are_left_alone() {
    let script = Script::new();
    for symbol in ["AUSDT", "BUSDT"] {
        script.hold(leg(symbol, Long), "1");
        script.stop(leg(symbol, Long), if symbol == "AUSDT" { 1 } else { 2 });
        script.rest(leg(symbol, Long), OrderSide::Buy, "1", true);
    }
    let (verdict, _) = close_some(&script, &["AUSDT"], Duration::from_secs(60)).await;
    assert!(verdict.flat);
    assert!(!script.commands().iter().any(|line| line.contains("BUSDT")), "{:?}", script.commands());
    assert_eq!(script.conditional(), 1);
    let plan = Plan::read(script.as_ref(), None).await.unwrap();
    assert_eq!((plan.legs.len(), plan.orders, plan.conditional, plan.is_flat()), (1, 1, 1, false));
}

#[tokio::test(start_paused = true)]
async fn a_leg_above_the_largest_market_order_is_closed_piece_by_piece() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "300");
    let mut spec = spec("AUSDT");
    spec.market_lot = LotRule { min: d("1"), max: d("120"), step: d("1") };
    script.specs(vec![spec]);
    let (verdict, _) = close_all(&script).await;
    assert!(verdict.flat);
    assert_eq!(script.commands(), ["close AUSDT LONG 120", "close AUSDT LONG 120", "close AUSDT LONG 60"]);
    assert_eq!(verdict.legs[0].closed, d("300"));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_fills_after_the_first_reading_is_caught_by_the_second() {
    let script = Script::new();
    script.hold(leg("AUSDT", Long), "1");
    script.later(Duration::from_millis(7_900), leg("AUSDT", Long), "0.5");
    script.later(Duration::from_millis(3_000), leg("BUSDT", Short), "4");
    let (verdict, said) = close_all(&script).await;
    assert!(verdict.flat && script.is_flat(), "{said:#?}");
    assert_eq!(
        script.commands(),
        ["close AUSDT LONG 1", "close BUSDT SHORT 4", "close AUSDT LONG 0.5"],
        "{said:#?}"
    );
    assert!(said.iter().any(|line| line.contains("AUSDT LONG: 0.5 is open again")), "{said:#?}");
    // The last leg counts.
    assert!(verdict.time_to_flat_ms.unwrap() > 7_900);
}

pub(super) fn spec(symbol: &str) -> hedge_core::InstrumentSpec {
    use hedge_core::*;
    let lot = LotRule { min: d("0.001"), max: d("1000000"), step: d("0.001") };
    InstrumentSpec {
        id: InstrumentId::binance(symbol).unwrap(),
        status: InstrumentStatus::Trading,
        base: Asset::usdt(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: d("0.01"),
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::ZERO,
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    }
}
