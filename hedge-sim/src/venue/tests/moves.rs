use super::kit::*;
use crate::venue::*;
use PositionSide::{Long, Short};
use Side::{Buy, Sell};

#[test]
fn a_move_stops_at_the_first_price_at_which_something_happens() {
    let mut desk = hedge_desk();
    desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long));
    desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49800")).on(Long));
    let first = desk.move_once(BTC, "49700");
    assert_eq!(first, Moved { last: 499_000, reached: false, eventful: true });
    assert_eq!(desk.venue.prices(BTC).unwrap().last, d("49900"));
    let second = desk.move_once(BTC, "49700");
    assert_eq!(second, Moved { last: 498_000, reached: false, eventful: true });
    let third = desk.move_once(BTC, "49700");
    assert_eq!(third, Moved { last: 497_000, reached: true, eventful: false });
}

#[test]
fn an_event_at_the_target_itself_ends_the_move_there() {
    let mut desk = hedge_desk();
    desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long));
    assert_eq!(desk.move_once(BTC, "49900"), Moved { last: 499_000, reached: true, eventful: true });
}

#[test]
fn after_a_rise_last_is_the_ask_and_after_a_fall_the_bid() {
    let mut desk = hedge_desk();
    desk.move_to(BTC, "50100");
    let best = desk.venue.best(BTC).unwrap();
    assert_eq!((best.bid, best.ask), (d("50099.9"), d("50100")));
    desk.move_to(BTC, "50050");
    let best = desk.venue.best(BTC).unwrap();
    assert_eq!((best.bid, best.ask), (d("50050"), d("50050.1")));
}

#[test]
fn a_resting_buy_is_not_touched_by_a_rise() {
    let mut desk = hedge_desk();
    let id = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("50000")).on(Long)).order_id;
    assert!(desk.move_to(BTC, "50100").is_empty());
    assert_eq!(desk.order("BTCUSDT", id).status, OrderStatus::New);
    assert!(desk.move_to(BTC, "50001").is_empty());
    assert_eq!(desk.move_to(BTC, "49999"), [500_000]);
}

#[test]
fn an_order_at_the_very_price_a_fall_starts_from_fills_first() {
    let mut desk = hedge_desk();
    let id = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("50000")).on(Long)).order_id;
    let moved = desk.move_once(BTC, "49990");
    assert_eq!(moved, Moved { last: 500_000, reached: false, eventful: true });
    assert_eq!(desk.order("BTCUSDT", id).status, OrderStatus::Filled);
}

#[test]
fn a_jump_fills_limits_at_their_price_and_stops_at_the_new_one() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let limit = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)).order_id;
    let stop = desk.place_algo(conditional(OrderType::StopMarket, Sell, Long, "0.1", "49800")).algo_id;
    let moved = desk.jump(BTC, "49000");
    assert_eq!(moved, Moved { last: 490_000, reached: true, eventful: true });
    assert_eq!(desk.order("BTCUSDT", limit).avg_price, d("49900"));
    assert_eq!(desk.algo(stop).actual_price, d("49000"));
}

#[test]
fn mark_follows_last_unless_it_is_told_otherwise() {
    let mut desk = hedge_desk();
    desk.move_to(BTC, "50100");
    assert_eq!(desk.venue.prices(BTC).unwrap().mark, d("50100"));
    desk.moved(Command::Move { symbol: BTC, to: 502_000, mark: Some(d("50190.12345678")) });
    let prices = desk.venue.prices(BTC).unwrap();
    assert_eq!((prices.last, prices.mark), (d("50200"), d("50190.12345678")));
    desk.moved(Command::SetMark { symbol: BTC, mark: d("50000") });
    assert_eq!(desk.venue.prices(BTC).unwrap().mark, d("50000"));
}

#[test]
fn mark_goes_in_proportion_so_a_mark_trigger_stops_the_move_on_the_way() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let stop = NewAlgo { working_type: Some(WorkingType::Mark), ..stop_all(Long, "49950") };
    let id = desk.place_algo(stop).algo_id;
    // Mark falls 100 while last falls 200: mark is at 49,950 when last is at 49,900.
    let moved = desk.moved(Command::Move { symbol: BTC, to: 498_000, mark: Some(d("49900")) });
    assert_eq!(moved, Moved { last: 499_000, reached: false, eventful: true });
    assert_eq!(desk.algo(id).status, AlgoStatus::Finished);
    assert_eq!(desk.algo(id).actual_price, d("49900"));
}

#[test]
fn bad_targets_are_refused() {
    let mut desk = hedge_desk();
    for to in [0, -5, i64::MAX, i64::MAX / 8] {
        assert_eq!(desk.code(Command::Move { symbol: BTC, to, mark: None }), -1130, "{to}");
        assert_eq!(desk.code(Command::Jump { symbol: BTC, to, mark: None }), -1130, "{to}");
    }
    for mark in ["0", "-1", "99999999999999999999"] {
        assert_eq!(desk.code(Command::Move { symbol: BTC, to: 1, mark: Some(d(mark)) }), -1130);
        assert_eq!(desk.code(Command::SetMark { symbol: BTC, mark: d(mark) }), -1130);
    }
    assert_eq!(desk.code(Command::Move { symbol: SymbolId(99), to: 1, mark: None }), -1121);
}

#[test]
fn a_dated_order_that_expires_stops_a_move_before_it_begins() {
    let mut desk = hedge_desk();
    let until = desk.now_ms + 700_000;
    desk.place(NewOrder {
        tif: Some(Tif::Gtd),
        good_till_ms: Some(until),
        ..NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)
    });
    desk.now_ms = until;
    assert_eq!(desk.move_once(BTC, "49800"), Moved { last: 500_000, reached: false, eventful: true });
    assert_eq!(desk.move_once(BTC, "49800"), Moved { last: 498_000, reached: true, eventful: false });
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
}

#[test]
fn both_legs_can_be_stopped_in_one_swing() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    desk.open("BTCUSDT", Short, "0.1");
    desk.place_algo(stop_all(Long, "49500"));
    desk.place_algo(stop_all(Short, "50500"));
    assert_eq!(desk.move_to(BTC, "49000"), [495_000]);
    assert_eq!((desk.qty("BTCUSDT", Long), desk.qty("BTCUSDT", Short)), (d("0"), d("-0.1")));
    assert_eq!(desk.move_to(BTC, "51000"), [505_000]);
    assert_eq!(desk.qty("BTCUSDT", Short), d("0"));
    desk.check_money("10000");
}
