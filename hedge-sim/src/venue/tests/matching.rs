use super::kit::*;
use crate::venue::*;
use PositionSide::{Both, Long, Short};
use Side::{Buy, Sell};

#[test]
fn the_book_has_a_one_tick_spread_and_ends_at_three_percent() {
    let desk = hedge_desk();
    let depth = desk.venue.depth(BTC, 1000).unwrap();
    assert_eq!(depth.bids[0].0, d("50000.0"));
    assert_eq!(depth.asks[0].0, d("50000.1"));
    assert_eq!(depth.bids.len(), 200);
    let reach = d("50000") - depth.bids[199].0;
    assert!(reach > d("1480") && reach <= d("1500"), "{reach}");
    assert!(depth.bids.windows(2).all(|w| w[0].0 > w[1].0));
    assert!(depth.asks.windows(2).all(|w| w[0].0 < w[1].0));
    assert!(depth.asks[199].1 > depth.asks[0].1 * d("10"));
}

#[test]
fn a_market_buy_pays_the_ask_and_the_taker_fee() {
    let mut desk = hedge_desk();
    let order = desk.open("BTCUSDT", Long, "0.1");
    assert_eq!(order.status, OrderStatus::Filled);
    assert_eq!(order.avg_price, d("50000.1"));
    // 0.1 * 50000.1 * 0.0005
    assert_eq!(desk.wallet(), d("10000") - d("2.500005"));
    assert_eq!(desk.qty("BTCUSDT", Long), d("0.1"));
    assert_eq!(desk.qty("BTCUSDT", Short), d("0"));
}

#[test]
fn one_fill_is_told_as_new_then_account_then_trade() {
    let mut desk = hedge_desk();
    desk.events.clear();
    let order = desk.open("BTCUSDT", Long, "0.1");
    let kinds: Vec<&str> = desk
        .events
        .iter()
        .filter(|e| e.account == Some(ME))
        .map(|e| match &e.body {
            EventBody::Order(u) => u.execution.as_str(),
            EventBody::Account(_) => "account",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["NEW", "account", "TRADE"]);
    let EventBody::Order(trade) = &desk.events.last().unwrap().body else { panic!() };
    let fill = trade.fill.clone().unwrap();
    assert_eq!((fill.qty, fill.price, fill.maker), (d("0.1"), d("50000.1"), false));
    assert_eq!((fill.fee, fill.fee_asset.as_str()), (d("2.500005"), "USDT"));
    assert_eq!(
        desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap()[0].order_id,
        order.order_id
    );
}

#[test]
fn hedge_legs_never_net() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.2");
    desk.open("BTCUSDT", Short, "0.1");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0.2"));
    assert_eq!(desk.qty("BTCUSDT", Short), d("-0.1"));
}

#[test]
fn one_way_orders_net_and_flip() {
    let mut desk = one_way_desk();
    desk.place(NewOrder::market(ME, "BTCUSDT", Buy, d("0.1")));
    desk.place(NewOrder::market(ME, "BTCUSDT", Sell, d("0.3")));
    let row = desk.position("BTCUSDT", Both);
    assert_eq!(row.qty, d("-0.2"));
    assert_eq!(row.entry_price, d("50000"));
    // Bought at 50000.1, sold at 50000.0.
    assert_eq!(row.accumulated_realized, d("-0.01"));
    desk.check_money("10000");
}

#[test]
fn a_large_taker_walks_the_book_and_pays_worse_prices() {
    let mut desk = hedge_desk();
    desk.ok(Command::Transfer { account: ME, asset: "USDT".into(), amount: d("1000000") });
    let order = desk.open("BTCUSDT", Long, "20");
    assert_eq!(order.status, OrderStatus::Filled);
    assert!(order.avg_price > d("50000.5"), "{}", order.avg_price);
    let trades = desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap();
    assert!(trades.len() > 3);
    assert!(trades.windows(2).all(|w| w[0].price < w[1].price && w[0].trade_id < w[1].trade_id));
}

#[test]
fn what_a_taker_ate_stays_eaten_until_the_price_moves() {
    let mut desk = hedge_desk();
    let first = desk.venue.best(BTC).unwrap();
    let half = (first.ask_qty / d("2")).round_dp(3);
    desk.open("BTCUSDT", Long, &half.to_string());
    let eaten = desk.venue.best(BTC).unwrap();
    assert_eq!(eaten.ask_qty, first.ask_qty - half);
    assert!(eaten.update_id > first.update_id);
    desk.move_to(BTC, "50000.1");
    desk.move_to(BTC, "50000.0");
    assert_eq!(desk.venue.best(BTC).unwrap().ask_qty, first.ask_qty);
}

#[test]
fn stirring_changes_sizes_but_not_prices() {
    let mut desk = hedge_desk();
    let before = desk.venue.depth(BTC, 200).unwrap();
    desk.ok(Command::Stir { symbol: BTC });
    let after = desk.venue.depth(BTC, 200).unwrap();
    let changed = before.bids.iter().zip(&after.bids).filter(|(a, b)| a.1 != b.1).count();
    assert!((5..100).contains(&changed), "{changed}");
    assert!(before.bids.iter().zip(&after.bids).all(|(a, b)| a.0 == b.0));
    assert!(after.last_update_id > before.last_update_id);
}

#[test]
fn a_market_order_beyond_the_take_bound_expires_with_reason_9() {
    let mut rules = InstrumentRules::builtin().remove(0);
    rules.symbol = "THINUSDT".into();
    rules.market_take_bound = Some(d("0.00001"));
    let mut desk = hedge_desk();
    desk.ok(Command::List { rules: Box::new(rules), price: d("50000") });
    desk.ok(Command::Transfer { account: ME, asset: "USDT".into(), amount: d("1000000") });
    let order = desk.open("THINUSDT", Long, "100");
    assert_eq!(order.status, OrderStatus::Expired);
    assert!(order.executed_qty > d("0") && order.executed_qty < d("100"));
    let last = *desk.order_events(order.order_id).last().unwrap();
    assert_eq!(last, (ExecutionType::Expired, OrderStatus::Expired, ExpiryReason::MarketRemainder));
    let trades = desk.venue.user_trades(ME, "THINUSDT", None, Window::default()).unwrap();
    assert!(trades.iter().all(|t| t.price <= d("50000.5")));
}

#[test]
fn a_limit_order_rests_and_fills_as_maker_when_the_price_touches_it() {
    let mut desk = hedge_desk();
    let order = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.1"), d("49900")).on(Long));
    assert_eq!(order.status, OrderStatus::New);
    assert!(desk.move_to(BTC, "49900.1").is_empty());
    assert_eq!(desk.move_to(BTC, "49900"), [499_000]);
    let filled = desk.order("BTCUSDT", order.order_id);
    assert_eq!((filled.status, filled.avg_price), (OrderStatus::Filled, d("49900")));
    // 0.1 * 49900 * 0.0002
    assert_eq!(desk.wallet(), d("10000") - d("0.998"));
    assert!(desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap()[0].maker);
}

#[test]
fn resting_orders_fill_in_price_then_time_order() {
    let mut desk = hedge_desk();
    let low = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49800")).on(Long)).order_id;
    let first = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)).order_id;
    let second = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)).order_id;
    assert_eq!(desk.move_to(BTC, "49700"), [499_000, 498_000]);
    let trades = desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap();
    assert_eq!(trades.iter().map(|t| t.order_id).collect::<Vec<_>>(), [first, second, low]);
}

#[test]
fn a_crossing_limit_order_takes_up_to_its_price_and_rests() {
    let mut desk = hedge_desk();
    desk.ok(Command::Transfer { account: ME, asset: "USDT".into(), amount: d("1000000") });
    let order = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("30"), d("50000.2")).on(Long));
    assert_eq!(order.status, OrderStatus::PartiallyFilled);
    assert!(order.avg_price <= d("50000.2"));
    let book = desk.venue.depth(BTC, 5).unwrap();
    assert_eq!(book.bids[0].0, d("50000.2"), "what is left is now the best bid");
}

#[test]
fn the_rest_of_a_large_taker_keeps_the_other_side_away_and_fills_with_the_first_move() {
    let mut desk = hedge_desk();
    desk.ok(Command::Transfer { account: ME, asset: "USDT".into(), amount: d("1000000") });
    let id = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("30"), d("50000.2")).on(Long)).order_id;
    desk.ok(Command::Stir { symbol: BTC });
    assert_eq!(desk.venue.best(BTC).unwrap().ask, d("50000.3"));
    let moved = desk.move_once(BTC, "50010");
    assert_eq!(moved, Moved { last: 500_000, reached: false, eventful: true });
    assert_eq!(desk.order("BTCUSDT", id).status, OrderStatus::Filled);
}

#[test]
fn ioc_expires_its_remainder_with_reason_2() {
    let mut desk = hedge_desk();
    let ioc = |price: &str| NewOrder {
        tif: Some(Tif::Ioc),
        ..NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d(price)).on(Long)
    };
    let none = desk.place(ioc("49999"));
    assert_eq!((none.status, none.executed_qty), (OrderStatus::Expired, d("0")));
    assert_eq!(desk.order_events(none.order_id).last().unwrap().2, ExpiryReason::IocRemainder);
    let all = desk.place(ioc("50001"));
    assert_eq!((all.status, all.executed_qty), (OrderStatus::Filled, d("0.01")));
}

#[test]
fn fok_and_post_only_are_refused_at_the_door_or_behave() {
    let mut desk = hedge_desk();
    let with = |tif, price: &str| NewOrder {
        tif: Some(tif),
        ..NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d(price)).on(Long)
    };
    assert_eq!(desk.refuse(with(Tif::Fok, "49999")), -5021);
    assert_eq!(desk.place(with(Tif::Fok, "50000.1")).status, OrderStatus::Filled);
    assert_eq!(desk.refuse(with(Tif::Gtx, "50000.1")), -5022);
    assert_eq!(desk.place(with(Tif::Gtx, "50000")).status, OrderStatus::New);
}

#[test]
fn gtd_orders_expire_when_their_date_passes() {
    let mut desk = hedge_desk();
    let gtd = |until: Option<i64>| NewOrder {
        tif: Some(Tif::Gtd),
        good_till_ms: until,
        ..NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49000")).on(Long)
    };
    let now = desk.now_ms;
    assert_eq!(desk.refuse(gtd(Some(now + 600_000))), -5040);
    assert_eq!(desk.refuse(gtd(None)), -1102);
    let order = desk.place(gtd(Some(now + 700_999)));
    assert_eq!(order.good_till_ms, (now + 700_999) / 1000 * 1000);
    desk.now_ms = order.good_till_ms - 2;
    desk.ok(Command::Tick);
    assert_eq!(desk.order("BTCUSDT", order.order_id).status, OrderStatus::New);
    desk.ok(Command::Tick);
    assert_eq!(desk.order("BTCUSDT", order.order_id).status, OrderStatus::Expired);
}

#[test]
fn an_order_does_not_trade_with_its_own_account() {
    for (stp, maker, taker) in [
        (None, OrderStatus::ExpiredInMatch, OrderStatus::Filled),
        (Some(Stp::ExpireTaker), OrderStatus::New, OrderStatus::ExpiredInMatch),
        (Some(Stp::ExpireBoth), OrderStatus::ExpiredInMatch, OrderStatus::ExpiredInMatch),
        (Some(Stp::None), OrderStatus::Filled, OrderStatus::Filled),
    ] {
        let mut desk = hedge_desk();
        let resting =
            desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("50000")).on(Long)).order_id;
        let sell = NewOrder { stp, ..NewOrder::market(ME, "BTCUSDT", Sell, d("0.01")).on(Short) };
        let sold = desk.place(sell);
        assert_eq!(desk.order("BTCUSDT", resting).status, maker, "{stp:?}");
        assert_eq!(sold.status, taker, "{stp:?}");
        desk.check_money("10000");
    }
}

#[test]
fn two_accounts_trade_with_each_other_at_the_makers_price() {
    let mut desk = hedge_desk();
    let other = AccountId(1);
    desk.ok(Command::OpenAccount { account: other, balance_usdt: d("10000") });
    let resting = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.02"), d("50000")).on(Long)).order_id;
    let before = desk.venue.best(BTC).unwrap().bid_qty;
    desk.ok(Command::Place(NewOrder::market(other, "BTCUSDT", Sell, d("0.01"))));
    assert_eq!(desk.order("BTCUSDT", resting).status, OrderStatus::PartiallyFilled);
    assert_eq!(desk.venue.best(BTC).unwrap().bid_qty, before - d("0.01"));
    let mine = desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap();
    let theirs = desk.venue.user_trades(other, "BTCUSDT", None, Window::default()).unwrap();
    assert_eq!(mine[0].trade_id, theirs[0].trade_id);
    assert!(mine[0].maker && !theirs[0].maker);
}

#[test]
fn resting_closes_that_the_leg_no_longer_covers_expire_newest_first() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.3");
    let close = |desk: &mut Desk, price: &str| {
        desk.place(NewOrder::limit(ME, "BTCUSDT", Sell, d("0.1"), d(price)).on(Long)).order_id
    };
    let old = close(&mut desk, "51000");
    let young = close(&mut desk, "50500");
    assert!(desk.order("BTCUSDT", old).reduce_only);
    desk.close("BTCUSDT", Long, "0.1");
    assert_eq!(desk.order("BTCUSDT", young).status, OrderStatus::New);
    // A close-all takes the leg whatever rests beside it.
    desk.place_algo(stop_all(Long, "49000"));
    desk.move_to(BTC, "49000");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
    for id in [old, young] {
        assert_eq!(desk.order_events(id).last().unwrap().2, ExpiryReason::ReduceOnly);
    }
    let ended: Vec<u64> = desk
        .events
        .iter()
        .filter_map(|e| match &e.body {
            EventBody::Order(u) if u.expiry == ExpiryReason::ReduceOnly => Some(u.order.order_id),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [young, old]);
}

#[test]
fn closing_one_step_more_than_the_leg_is_refused() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let sell = |qty: &str| NewOrder::market(ME, "BTCUSDT", Sell, d(qty)).on(Long);
    assert_eq!(desk.refuse(sell("0.101")), -2022);
    desk.place(NewOrder::limit(ME, "BTCUSDT", Sell, d("0.06"), d("51000")).on(Long));
    assert_eq!(desk.refuse(sell("0.041")), -2022, "resting closes count");
    assert_eq!(desk.place(sell("0.04")).status, OrderStatus::Filled);
    let close_short = NewOrder::market(ME, "BTCUSDT", Buy, d("0.001")).on(Short);
    assert_eq!(desk.refuse(close_short), -2022, "there is no short leg");
}

#[test]
fn a_small_close_is_exempt_from_the_minimum_notional() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.002");
    assert_eq!(desk.refuse(NewOrder::market(ME, "BTCUSDT", Buy, d("0.0001")).on(Long)), -1111);
    assert_eq!(desk.close("BTCUSDT", Long, "0.001").status, OrderStatus::Filled);
    desk.move_to(BTC, "49000");
    assert_eq!(desk.refuse(NewOrder::market(ME, "BTCUSDT", Buy, d("0.001")).on(Long)), -4164);
}

#[test]
fn realised_profit_is_exit_less_the_share_of_cost() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.3");
    desk.move_to(BTC, "51000");
    desk.close("BTCUSDT", Long, "0.1");
    // After a rise last is the ask, the bid one tick below: 0.1 * (50999.9 - 50000.1).
    let trades = desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap();
    assert_eq!(trades.last().unwrap().realized_pnl, d("99.98"));
    assert_eq!(desk.position("BTCUSDT", Long).entry_price, d("50000.1"));
    desk.close("BTCUSDT", Long, "0.2");
    let row = desk.position("BTCUSDT", Long);
    assert_eq!((row.qty, row.accumulated_realized), (d("0"), d("299.94")));
    desk.check_money("10000");
}

#[test]
fn a_modified_order_keeps_its_id_and_loses_its_place() {
    let mut desk = hedge_desk();
    let first = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)).order_id;
    let second = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)).order_id;
    let change = |id, price: &str, qty: &str| ModifyOrder {
        account: ME,
        symbol: "BTCUSDT".into(),
        order: OrderRef::Id(id),
        side: Buy,
        qty: d(qty),
        price: d(price),
        modify_id: Some(7),
        reduce_only: None,
    };
    assert_eq!(desk.code(Command::Modify(change(first, "49900", "0.01"))), -5027);
    assert_eq!(desk.code(Command::Modify(change(99, "49900", "0.01"))), -2013);
    assert_eq!(desk.code(Command::Modify(change(first, "49900", "0.001"))), -5029);
    let raise = ModifyOrder { reduce_only: Some(true), ..change(first, "49900", "0.02") };
    assert_eq!(desk.code(Command::Modify(raise)), -5047);
    desk.ok(Command::Modify(change(first, "49900", "0.02")));
    let event = desk.order_events(first);
    assert_eq!(event.last().unwrap().0, ExecutionType::Amendment);
    desk.move_to(BTC, "49900");
    let trades = desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap();
    assert_eq!(trades.iter().map(|t| t.order_id).collect::<Vec<_>>(), [second, first]);
}

#[test]
fn amendments_are_refused_where_they_cannot_be() {
    let mut desk = hedge_desk();
    let market = desk.open("BTCUSDT", Long, "0.01").order_id;
    let gone = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("50000.1")).on(Long)).order_id;
    let open = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)).order_id;
    let change = |id, price: &str| {
        Command::Modify(ModifyOrder {
            account: ME,
            symbol: "BTCUSDT".into(),
            order: OrderRef::Id(id),
            side: Buy,
            qty: d("0.01"),
            price: d(price),
            modify_id: None,
            reduce_only: None,
        })
    };
    assert_eq!(desk.code(change(market, "49000")), -5025);
    assert_eq!(desk.code(change(gone, "49000")), -2013, "it is filled");
    assert_eq!(desk.code(change(open, "52600")), -4016);
    for _ in 0..5_000 {
        for price in ["49800", "49900"] {
            desk.venue.apply(desk.now_ms, &change(open, price), &mut Vec::new()).unwrap();
        }
    }
    assert_eq!(desk.code(change(open, "49000")), -5026);
    desk.ok(Command::SetStatus { symbol: BTC, status: SymbolStatus::PreSettle });
    assert_eq!(desk.code(change(open, "49000")), -5024);
}

#[test]
fn a_post_only_order_amended_into_the_book_is_cancelled() {
    let mut desk = hedge_desk();
    let gtx = NewOrder {
        tif: Some(Tif::Gtx),
        ..NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)
    };
    let id = desk.place(gtx).order_id;
    desk.ok(Command::Modify(ModifyOrder {
        account: ME,
        symbol: "BTCUSDT".into(),
        order: OrderRef::Id(id),
        side: Buy,
        qty: d("0.01"),
        price: d("50000.1"),
        modify_id: None,
        reduce_only: None,
    }));
    assert_eq!(desk.order("BTCUSDT", id).status, OrderStatus::Canceled);
}

#[test]
fn price_match_takes_its_price_from_the_book() {
    let mut desk = hedge_desk();
    let matched = |price_match| NewOrder {
        price: None,
        price_match: Some(price_match),
        ..NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("1")).on(Long)
    };
    assert_eq!(desk.place(matched(PriceMatch::Queue5)).price, d("49999.6"));
    assert_eq!(desk.place(matched(PriceMatch::Opponent)).status, OrderStatus::Filled);
    assert_eq!(desk.refuse(NewOrder { price: Some(d("1")), ..matched(PriceMatch::Queue) }), -5037);
    let market = NewOrder {
        price_match: Some(PriceMatch::Queue),
        ..NewOrder::market(ME, "BTCUSDT", Buy, d("1")).on(Long)
    };
    assert_eq!(desk.refuse(market), -5038);
    let rules = InstrumentRules { symbol: "DUSTUSDT".into(), ..InstrumentRules::builtin().remove(0) };
    desk.ok(Command::List { rules: Box::new(rules), price: d("0.1") });
    let dust = NewOrder { symbol: "DUSTUSDT".into(), qty: Some(d("900")), ..matched(PriceMatch::Queue5) };
    assert_eq!(desk.refuse(dust), -5041, "there are no five levels below one tick");
}

#[test]
fn cancelled_orders_vanish_from_lookups_after_three_days_and_filled_ones_after_ninety() {
    let mut desk = hedge_desk();
    let filled = desk.open("BTCUSDT", Long, "0.01").order_id;
    let id = desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.01"), d("49900")).on(Long)).order_id;
    desk.ok(Command::Cancel { account: ME, symbol: "BTCUSDT".into(), order: OrderRef::Id(id) });
    let days = |n: i64| n * 86_400_000;
    desk.now_ms += days(3) + 1;
    desk.ok(Command::Tick);
    assert_eq!(desk.venue.order(ME, "BTCUSDT", &OrderRef::Id(id)).unwrap_err().code, -2013);
    assert!(desk.venue.order(ME, "BTCUSDT", &OrderRef::Id(filled)).is_ok());
    desk.now_ms += days(88);
    desk.ok(Command::Tick);
    assert_eq!(desk.venue.order(ME, "BTCUSDT", &OrderRef::Id(filled)).unwrap_err().code, -2013);
}
