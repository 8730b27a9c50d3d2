use rust_decimal::Decimal;

use super::kit::*;
use crate::venue::*;
use OrderType::{Stop, StopMarket, TakeProfit, TakeProfitMarket, TrailingStopMarket};
use PositionSide::{Both, Long, Short};
use Side::{Buy, Sell};

/// Type, side, leg to hold, trigger, where the price must go, and where it may go without firing.
const DIRECTIONS: [(OrderType, Side, PositionSide, &str, &str, &str); 8] = [
    (StopMarket, Sell, Long, "49500", "49500", "51000"),
    (StopMarket, Buy, Short, "50500", "50500", "49000"),
    (TakeProfitMarket, Sell, Long, "50500", "50500", "49000"),
    (TakeProfitMarket, Buy, Short, "49500", "49500", "51000"),
    (Stop, Sell, Long, "49500", "49500", "51000"),
    (Stop, Buy, Short, "50500", "50500", "49000"),
    (TakeProfit, Sell, Long, "50500", "50500", "49000"),
    (TakeProfit, Buy, Short, "49500", "49500", "51000"),
];

/// Gives the types with a limit child a limit that is met at the trigger.
fn with_limit(algo: NewAlgo) -> NewAlgo {
    let slack = Decimal::from(algo.side.sign() * 10);
    let price = algo.order_type.has_limit_child().then(|| algo.trigger_price.unwrap() + slack);
    NewAlgo { price, ..algo }
}

#[test]
fn every_type_fires_in_its_direction_at_its_trigger_and_not_before() {
    for (kind, side, leg, trigger, fires_at, harmless) in DIRECTIONS {
        for working_type in [WorkingType::Contract, WorkingType::Mark] {
            let mut desk = hedge_desk();
            desk.open("BTCUSDT", leg, "0.1");
            let new = NewAlgo {
                working_type: Some(working_type),
                ..with_limit(conditional(kind, side, leg, "0.1", trigger))
            };
            let id = desk.place_algo(new).algo_id;
            assert!(desk.move_to(BTC, harmless).is_empty(), "{kind} {side}");
            desk.move_to(BTC, "50000");
            let stops = desk.move_to(BTC, fires_at);
            let ticks = desk.venue.rules(BTC).unwrap().ticks_exact(d(fires_at)).unwrap();
            assert_eq!(stops, [ticks], "{kind} {side} {working_type}");
            assert_eq!(desk.algo(id).status, AlgoStatus::Finished, "{kind} {side}");
            assert_eq!(desk.qty("BTCUSDT", leg), d("0"), "{kind} {side}");
        }
    }
}

#[test]
fn what_is_already_true_is_refused_at_placement() {
    for (kind, side, leg, trigger, _, _) in DIRECTIONS {
        let mut desk = hedge_desk();
        desk.open("BTCUSDT", leg, "0.1");
        desk.move_to(BTC, trigger);
        let code = desk.refuse_algo(with_limit(conditional(kind, side, leg, "0.1", trigger)));
        assert_eq!(code, -2021, "{kind} {side}");
    }
}

#[test]
fn a_stop_fires_at_its_trigger_price_and_its_child_carries_its_name() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let new = NewAlgo { client_algo_id: Some("sl-L-1".into()), ..stop_all(Long, "49500") };
    let placed = desk.place_algo(new);
    assert_eq!((placed.status, placed.qty, placed.reduce_only), (AlgoStatus::New, d("0"), true));
    assert!(placed.algo_id > 4_000_000_000_000_000);
    assert!(desk.venue.open_orders(ME, None).unwrap().is_empty());
    desk.move_to(BTC, "49500");
    let algo = desk.algo(placed.algo_id);
    let child = desk.order("BTCUSDT", algo.actual_order_id.unwrap());
    assert_eq!(child.client_order_id, "sl-L-1");
    assert_eq!((child.order_type, child.orig_type), (OrderType::Market, StopMarket));
    assert_eq!((child.avg_price, child.stop_price), (d("49500"), d("49500")));
    assert!(child.close_position && child.reduce_only);
    assert_eq!((algo.actual_price, algo.actual_qty), (d("49500"), d("0.1")));
    use AlgoStatus::*;
    assert_eq!(desk.algo_events(placed.algo_id), [New, Triggering, Triggered, Finished]);
}

#[test]
fn a_stop_limit_rests_its_child_and_finishes_with_it() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let new = NewAlgo { price: Some(d("49600")), ..conditional(Stop, Sell, Long, "0.1", "49500") };
    let id = desk.place_algo(new).algo_id;
    desk.move_to(BTC, "49500");
    let algo = desk.algo(id);
    assert_eq!(algo.status, AlgoStatus::Triggered);
    let child = algo.actual_order_id.unwrap();
    assert_eq!(desk.order("BTCUSDT", child).status, OrderStatus::New);
    let by_algo = Command::CancelAlgo { account: ME, algo: AlgoRef::Id(id) };
    assert_eq!(desk.code(by_algo), -2011, "after the trigger the plain endpoint cancels");
    desk.ok(Command::Cancel { account: ME, symbol: "BTCUSDT".into(), order: OrderRef::Id(child) });
    assert_eq!(desk.algo(id).status, AlgoStatus::Finished);
    assert_eq!(desk.qty("BTCUSDT", Long), d("0.1"));
}

#[test]
fn a_close_all_stop_without_a_leg_expires_at_its_trigger() {
    let mut desk = hedge_desk();
    let id = desk.place_algo(stop_all(Long, "49500")).algo_id;
    desk.move_to(BTC, "49000");
    assert_eq!(desk.algo(id).status, AlgoStatus::Expired);
    assert_eq!(desk.algo(id).actual_order_id, None);
}

#[test]
fn a_close_all_stop_covers_what_was_added_after_it() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    desk.place_algo(stop_all(Long, "49500"));
    desk.open("BTCUSDT", Long, "0.2");
    desk.move_to(BTC, "49000");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
}

#[test]
fn a_closing_algo_larger_than_its_leg_is_rejected_at_the_trigger() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let id = desk.place_algo(conditional(TakeProfitMarket, Sell, Long, "0.1", "50500")).algo_id;
    desk.close("BTCUSDT", Long, "0.05");
    desk.move_to(BTC, "50500");
    let algo = desk.algo(id);
    assert_eq!(
        (algo.status, algo.reject_reason.as_str()),
        (AlgoStatus::Rejected, "ReduceOnly Order is rejected.")
    );
    assert_eq!(desk.qty("BTCUSDT", Long), d("0.05"));
}

#[test]
fn margin_is_looked_at_when_an_opening_algo_fires_not_before() {
    let mut desk = hedge_desk();
    let id = desk.place_algo(conditional(StopMarket, Buy, Long, "100", "50500")).algo_id;
    assert_eq!(desk.usdt().available_balance, d("10000"));
    desk.move_to(BTC, "50500");
    let algo = desk.algo(id);
    assert_eq!(algo.status, AlgoStatus::Rejected);
    assert_eq!(algo.reject_reason, "Margin is insufficient.");
}

#[test]
fn a_trailing_sell_follows_the_price_up_and_fires_below_the_top() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let new = NewAlgo {
        trigger_price: None,
        callback_rate: Some(d("1")),
        activate_price: Some(d("51000")),
        ..conditional(TrailingStopMarket, Sell, Long, "0.1", "1")
    };
    let id = desk.place_algo(new).algo_id;
    assert!(desk.move_to(BTC, "45000").is_empty(), "not active, so a fall means nothing");
    assert_eq!(desk.move_to(BTC, "52000"), [510_000]);
    assert!(desk.algo(id).activated);
    assert_eq!(desk.algo_events(id), [AlgoStatus::New, AlgoStatus::New]);
    // 1 % below 52,000.
    assert!(desk.move_to(BTC, "51480.1").is_empty());
    assert!(desk.move_to(BTC, "51900").is_empty());
    assert_eq!(desk.move_to(BTC, "51000"), [514_800]);
    assert_eq!(desk.algo(id).status, AlgoStatus::Finished);
    assert_eq!(desk.algo(id).actual_price, d("51480"));
}

#[test]
fn a_trailing_buy_mirrors_it() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Short, "0.1");
    let new = NewAlgo {
        trigger_price: None,
        callback_rate: Some(d("2")),
        ..conditional(TrailingStopMarket, Buy, Short, "0.1", "1")
    };
    let placed = desk.place_algo(new);
    assert!(placed.activated, "without an activation price it trails at once");
    assert!(desk.move_to(BTC, "48000").is_empty());
    assert_eq!(desk.move_to(BTC, "49500"), [489_600]);
    assert_eq!(desk.qty("BTCUSDT", Short), d("0"));
}

#[test]
fn trailing_parameters_are_checked() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let trailing = |rate: Option<&str>, activate: Option<&str>| NewAlgo {
        trigger_price: None,
        callback_rate: rate.map(d),
        activate_price: activate.map(d),
        ..conditional(TrailingStopMarket, Sell, Long, "0.1", "1")
    };
    assert_eq!(desk.refuse_algo(trailing(None, None)), -1102);
    assert_eq!(desk.refuse_algo(trailing(Some("0.09"), None)), -1130);
    assert_eq!(desk.refuse_algo(trailing(Some("20.1"), None)), -1130);
    assert_eq!(desk.refuse_algo(trailing(Some("79228162514264337593543950335"), None)), -1130);
    assert_eq!(desk.refuse_algo(trailing(Some("1"), Some("0"))), -4135);
    assert_eq!(desk.refuse_algo(trailing(Some("1"), Some("50000"))), -2021);
    assert_eq!(desk.refuse_algo(trailing(Some("1"), Some("49999"))), -2021);
    desk.place_algo(trailing(Some("20"), Some("50000.1")));
}

#[test]
fn a_position_tied_order_needs_a_position_and_dies_with_it() {
    let mut desk = hedge_desk();
    let tied =
        || NewAlgo { tif: Some(Tif::GteGtc), ..conditional(TakeProfitMarket, Sell, Long, "0.1", "51000") };
    assert_eq!(desk.refuse_algo(tied()), -4509);
    desk.open("BTCUSDT", Long, "0.1");
    let id = desk.place_algo(tied()).algo_id;
    let loose = desk.place_algo(stop_all(Long, "49000")).algo_id;
    desk.close("BTCUSDT", Long, "0.05");
    assert_eq!(desk.algo(id).status, AlgoStatus::New);
    desk.close("BTCUSDT", Long, "0.05");
    assert_eq!(desk.algo(id).status, AlgoStatus::Expired);
    assert_eq!(desk.algo(loose).status, AlgoStatus::New, "a close-all is not tied, it waits for its trigger");
}

#[test]
fn price_protection_rejects_while_mark_and_last_are_apart() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let id = desk.place_algo(NewAlgo { price_protect: true, ..stop_all(Long, "46000") }).algo_id;
    desk.moved(Command::Move { symbol: BTC, to: 460_000, mark: Some(d("49900")) });
    let algo = desk.algo(id);
    assert_eq!(algo.status, AlgoStatus::Rejected);
    assert!(algo.reject_reason.starts_with("price protection"));
    assert_eq!(desk.qty("BTCUSDT", Long), d("0.1"));
}

#[test]
fn a_second_close_all_of_one_leg_is_refused_or_accepted_as_configured() {
    let mut strict = hedge_desk();
    strict.place_algo(stop_all(Long, "49000"));
    assert_eq!(strict.refuse_algo(stop_all(Long, "48000")), -4130);
    strict.place_algo(stop_all(Short, "51000"));
    strict.place_algo(NewAlgo { order_type: TakeProfitMarket, ..stop_all(Long, "52000") });

    let mut lax = desk_of(VenueConfig { second_close_all: SecondCloseAll::Accept, ..VenueConfig::default() });
    lax.ok(Command::PositionMode { account: ME, hedge: true });
    lax.place_algo(stop_all(Long, "49000"));
    lax.place_algo(stop_all(Long, "48000"));
    assert_eq!(lax.venue.open_algos(ME, Some("BTCUSDT")).unwrap().len(), 2);
}

#[test]
fn close_all_takes_no_quantity_no_flag_and_no_other_type() {
    let mut desk = hedge_desk();
    assert_eq!(desk.refuse_algo(NewAlgo { qty: Some(d("1")), ..stop_all(Long, "49000") }), -4137);
    assert_eq!(desk.refuse_algo(NewAlgo { reduce_only: Some(true), ..stop_all(Long, "49000") }), -4138);
    assert_eq!(desk.refuse_algo(NewAlgo { order_type: Stop, ..stop_all(Long, "49000") }), -4139);
    let opening = NewAlgo { side: Buy, ..stop_all(Long, "51000") };
    assert_eq!(desk.refuse_algo(opening), -2022, "in hedge mode it must close its leg");
}

#[test]
fn no_more_than_two_hundred_algo_orders_wait() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    for _ in 0..200 {
        desk.place_algo(conditional(StopMarket, Sell, Long, "0.001", "49000"));
    }
    assert_eq!(desk.refuse_algo(conditional(StopMarket, Sell, Long, "0.001", "49000")), -4045);
    let cancelled = desk.ok(Command::CancelAllAlgos { account: ME, symbol: "BTCUSDT".into() });
    assert_eq!(cancelled, Reply::Canceled(200));
    assert!(desk.venue.open_algos(ME, None).unwrap().is_empty());
}

#[test]
fn algo_placement_refusals() {
    let mut desk = hedge_desk();
    let base = || conditional(StopMarket, Sell, Long, "0.1", "49000");
    let mut check = |algo: NewAlgo, code: i64| assert_eq!(desk.refuse_algo(algo.clone()), code, "{algo:?}");
    check(NewAlgo { symbol: "NOPE".into(), ..base() }, -1121);
    check(NewAlgo { order_type: OrderType::Limit, ..base() }, -1116);
    check(NewAlgo { position_side: None, ..base() }, -4061);
    check(NewAlgo { position_side: Some(Both), ..base() }, -4061);
    check(NewAlgo { reduce_only: Some(false), ..base() }, -1106);
    check(NewAlgo { client_algo_id: Some("a b".into()), ..base() }, -4015);
    check(NewAlgo { qty: None, ..base() }, -1102);
    check(NewAlgo { trigger_price: None, ..base() }, -1102);
    check(NewAlgo { trigger_price: Some(d("0")), ..base() }, -4006);
    check(NewAlgo { trigger_price: Some(d("2000000")), ..base() }, -4007);
    check(NewAlgo { trigger_price: Some(d("49000.001")), ..base() }, -1111);
    check(NewAlgo { qty: Some(d("0.0001")), ..base() }, -1111);
    check(NewAlgo { qty: Some(d("121")), ..base() }, -4005);
    check(NewAlgo { price: Some(d("49000")), ..base() }, -1106);
    check(NewAlgo { price_match: Some(PriceMatch::Queue), ..base() }, -5038);
    check(NewAlgo { order_type: Stop, ..base() }, -1102);
    check(NewAlgo { side: Buy, trigger_price: Some(d("51000")), qty: Some(d("0")), ..base() }, -4003);
    let named = || NewAlgo { client_algo_id: Some("twin".into()), ..base() };
    desk.place_algo(named());
    assert_eq!(desk.refuse_algo(named()), -4116);
    assert_eq!(desk.code(Command::CancelAlgo { account: ME, algo: AlgoRef::Id(1) }), -2011);
    assert_eq!(desk.venue.algo(ME, &AlgoRef::Id(1)).unwrap_err().code, -2013);
}

#[test]
fn an_opening_algo_meets_the_minimum_notional_at_placement() {
    let mut desk = hedge_desk();
    let small = NewAlgo {
        symbol: "XRPUSDT".into(),
        trigger_price: Some(d("11")),
        qty: Some(d("0.1")),
        ..conditional(StopMarket, Buy, Long, "1", "1")
    };
    assert_eq!(desk.refuse_algo(small), -4164);
}

#[test]
fn a_countdown_cancels_plain_orders_and_algo_orders_only_when_configured() {
    for (touches, left) in [(false, 1), (true, 0)] {
        let mut desk = desk_of(VenueConfig { countdown_cancels_algos: touches, ..VenueConfig::default() });
        desk.ok(Command::PositionMode { account: ME, hedge: true });
        desk.place_algo(stop_all(Long, "49000"));
        desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long));
        desk.ok(Command::CountdownElapsed { account: ME, symbol: "BTCUSDT".into() });
        assert!(desk.venue.open_orders(ME, None).unwrap().is_empty());
        assert_eq!(desk.venue.open_algos(ME, None).unwrap().len(), left);
    }
}

#[test]
fn one_way_reduce_only_stops_and_close_alls_work_on_the_net_position() {
    let mut desk = one_way_desk();
    desk.place(NewOrder::market(ME, "BTCUSDT", Sell, d("0.1")));
    let stop = NewAlgo {
        trigger_price: Some(d("50500")),
        close_position: true,
        ..NewAlgo::of(ME, "BTCUSDT", Buy, StopMarket)
    };
    desk.place_algo(stop);
    desk.move_to(BTC, "51000");
    assert_eq!(desk.qty("BTCUSDT", Both), d("0"));
    desk.place(NewOrder::market(ME, "BTCUSDT", Buy, d("0.1")));
    desk.place_algo(NewAlgo {
        trigger_price: Some(d("50000")),
        qty: Some(d("0.1")),
        reduce_only: Some(true),
        ..NewAlgo::of(ME, "BTCUSDT", Sell, StopMarket)
    });
    desk.move_to(BTC, "49000");
    assert_eq!(desk.qty("BTCUSDT", Both), d("0"));
    desk.check_money("10000");
}
