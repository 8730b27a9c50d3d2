use super::kit::*;
use crate::venue::*;
use PositionSide::{Both, Long, Short};
use Side::{Buy, Sell};

fn isolate(desk: &mut Desk) {
    desk.ok(Command::MarginType { account: ME, symbol: "BTCUSDT".into(), margin_type: MarginType::Isolated });
}

#[test]
fn position_numbers_at_mark() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.5");
    desk.moved(Command::SetMark { symbol: BTC, mark: d("50400.1") });
    let row = desk.position("BTCUSDT", Long);
    assert_eq!((row.entry_price, row.mark_price), (d("50000.1"), d("50400.1")));
    assert_eq!(row.unrealized_pnl, d("200"));
    assert_eq!(row.notional, d("25200.05"));
    assert_eq!(row.position_initial_margin, d("1260.0025"));
    // First bracket: 0.4 %.
    assert_eq!(row.maint_margin, d("100.8002"));
    // Fee 0.5 * 50000.1 * 0.0005 = 12.500025, or 25.00005 a coin.
    assert_eq!(row.break_even_price, d("50025.10005"));
    assert_eq!(row.adl, 1);
    let usdt = desk.usdt();
    assert_eq!(usdt.unrealized_pnl, d("200"));
    assert_eq!(usdt.wallet_balance, d("9987.499975"));
    assert_eq!(usdt.available_balance, d("9987.499975") + d("200") - d("1260.0025"));
    assert_eq!(usdt.max_withdraw, d("9987.499975") - d("1260.0025"), "unrealised profit stays");
}

#[test]
fn a_short_row_is_negative() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Short, "0.5");
    desk.moved(Command::SetMark { symbol: BTC, mark: d("49000") });
    let row = desk.position("BTCUSDT", Short);
    assert_eq!((row.qty, row.notional), (d("-0.5"), d("-24500")));
    assert_eq!(row.unrealized_pnl, d("500"));
    assert_eq!(row.break_even_price, d("49975"));
}

#[test]
fn resting_opening_orders_bind_margin_and_closing_ones_do_not() {
    let mut desk = hedge_desk();
    desk.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("1"), d("48000")).on(Long));
    assert_eq!(desk.usdt().open_order_initial_margin, d("2400"));
    let row = desk.position("BTCUSDT", Long);
    assert_eq!((row.bid_notional, row.open_order_initial_margin), (d("48000"), d("2400")));
    assert!(row.active);
    desk.open("ETHUSDT", Long, "1");
    desk.place(NewOrder::limit(ME, "ETHUSDT", Sell, d("1"), d("3100")).on(Long));
    assert_eq!(desk.usdt().open_order_initial_margin, d("2400"));
}

#[test]
fn one_way_orders_bind_only_what_they_add() {
    let mut desk = one_way_desk();
    desk.place(NewOrder::market(ME, "BTCUSDT", Buy, d("1")));
    desk.place(NewOrder::limit(ME, "BTCUSDT", Sell, d("1"), d("51000")));
    assert_eq!(desk.usdt().open_order_initial_margin, d("0"), "selling out adds nothing");
    desk.place(NewOrder::limit(ME, "BTCUSDT", Sell, d("2"), d("51000")));
    // 153,000 of sells against 50,000 held: 103,000 short at worst, 53,000 more than now, at 20x.
    assert_eq!(desk.usdt().open_order_initial_margin, d("2650"));
    assert_eq!(desk.position("BTCUSDT", Both).ask_notional, d("153000"));
}

#[test]
fn isolated_margin_is_set_apart_and_comes_back() {
    let mut desk = hedge_desk();
    isolate(&mut desk);
    desk.open("BTCUSDT", Long, "1");
    let row = desk.position("BTCUSDT", Long);
    assert_eq!(row.isolated_wallet, d("2500.005"));
    let usdt = desk.usdt();
    assert_eq!(usdt.cross_wallet_balance, usdt.wallet_balance - d("2500.005"));
    desk.close("BTCUSDT", Long, "0.5");
    assert_eq!(desk.position("BTCUSDT", Long).isolated_wallet, d("1250.0025"));
    desk.close("BTCUSDT", Long, "0.5");
    assert_eq!(desk.usdt().cross_wallet_balance, desk.wallet());
    desk.check_money("10000");
}

#[test]
fn the_liquidation_price_is_where_the_liquidation_happens() {
    for (side, direction) in [(Long, "30000"), (Short, "70000")] {
        let mut desk = hedge_desk();
        desk.open("BTCUSDT", side, "0.9");
        let expected = desk.position("BTCUSDT", side).liquidation_price;
        assert!(expected > d("0"));
        let stops = desk.move_to(BTC, direction);
        let at = desk.venue.rules(BTC).unwrap().price_of(*stops.last().unwrap());
        // The bracket may change on the way; within it the formula is exact to a tick.
        assert!((at - expected).abs() <= expected * d("0.003"), "{side}: {at} against {expected}");
        assert_eq!(desk.qty("BTCUSDT", side), d("0"));
        assert!(desk.wallet() >= d("0"));
        desk.check_money("10000");
    }
}

#[test]
fn a_fully_hedged_symbol_has_no_liquidation_price() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.5");
    desk.open("BTCUSDT", Short, "0.5");
    assert_eq!(desk.position("BTCUSDT", Long).liquidation_price, d("0"));
    assert_eq!(desk.position("BTCUSDT", Short).liquidation_price, d("0"));
}

#[test]
fn a_margin_call_comes_before_the_liquidation_and_once() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "3");
    let resting = desk.place(NewOrder::limit(ME, "ETHUSDT", Buy, d("0.1"), d("2900")).on(Long)).order_id;
    desk.events.clear();
    desk.move_to(BTC, "40000");
    let bodies: Vec<&EventBody> = desk.events.iter().map(|e| &e.body).collect();
    let calls = bodies.iter().filter(|b| matches!(b, EventBody::MarginCall(_))).count();
    assert_eq!(calls, 1);
    assert!(
        matches!(bodies[0], EventBody::MarginCall(c) if c.cross_wallet.is_some() && c.positions.len() == 1)
    );
    let forced = bodies.iter().find_map(|b| match b {
        EventBody::Order(u) if u.execution == ExecutionType::Calculated => Some(u),
        _ => None,
    });
    let forced = forced.unwrap();
    assert!(forced.order.client_order_id.starts_with("autoclose-"));
    assert_eq!((forced.order.order_type, forced.order.tif), (OrderType::Liquidation, Tif::Ioc));
    assert_eq!(desk.order_events(resting).last().unwrap().2, ExpiryReason::Liquidation);
    let fees = desk.venue.income(ME, None, Some(IncomeType::InsuranceClear), Window::default()).unwrap();
    assert!(fees[0].income < d("0"));
    desk.check_money("10000");
}

#[test]
fn a_gap_beyond_ruin_is_covered_by_the_insurance_fund() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "3.9");
    desk.jump(BTC, "40000");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
    assert_eq!(desk.wallet(), d("0"));
    let cover = desk.venue.income(ME, None, Some(IncomeType::InsuranceClear), Window::default()).unwrap();
    assert!(cover.last().unwrap().income > d("0"));
    desk.check_money("10000");
}

#[test]
fn a_stop_that_fills_beyond_ruin_leaves_no_debt() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "3.9");
    desk.place_algo(stop_all(Long, "49950"));
    desk.jump(BTC, "40000");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
    assert_eq!(desk.wallet(), d("0"));
    desk.check_money("10000");
}

#[test]
fn an_isolated_leg_loses_its_own_margin_and_no_more() {
    let mut desk = hedge_desk();
    isolate(&mut desk);
    desk.open("BTCUSDT", Long, "1");
    desk.open("BTCUSDT", Short, "0.1");
    let before = desk.wallet();
    desk.jump(BTC, "40000");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
    assert_eq!(desk.qty("BTCUSDT", Short), d("-0.1"), "the other leg stands");
    assert_eq!(desk.wallet(), before - d("2500.005"));
    desk.check_money("10000");
}

#[test]
fn liquidation_takes_the_legs_one_by_one_until_the_rest_holds() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "2.5");
    desk.open("ETHUSDT", Long, "1");
    desk.move_to(BTC, "44000");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
    let left = desk.qty("ETHUSDT", Long);
    assert!(left == d("1") || desk.wallet() == d("0"), "{left}");
    desk.check_money("10000");
}

#[test]
fn a_loss_elsewhere_brings_the_liquidation_nearer() {
    let mut alone = hedge_desk();
    alone.open("BTCUSDT", Long, "1.5");
    let mut both = alone.clone();
    both.open("ETHUSDT", Long, "20");
    both.move_to(ETH, "2900");
    let price = |desk: &Desk| desk.position("BTCUSDT", Long).liquidation_price;
    assert!(price(&both) > price(&alone));
    both.move_to(BTC, "45000");
    assert_eq!(both.qty("BTCUSDT", Long), d("0"));
    alone.move_to(BTC, "45000");
    assert_eq!(alone.qty("BTCUSDT", Long), d("1.5"));
}

#[test]
fn funding_is_paid_by_longs_and_received_by_shorts_leg_by_leg() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.5");
    desk.open("BTCUSDT", Short, "0.2");
    let before = desk.wallet();
    desk.events.clear();
    let reply = desk.ok(Command::Funding { symbol: BTC, rate: d("0.0001"), mark: Some(d("50123.4")) });
    assert_eq!(reply, Reply::Funded { legs: 2 });
    // -0.5 * 50123.4 * 0.0001 and +0.2 * 50123.4 * 0.0001
    let rows = desk.venue.income(ME, None, Some(IncomeType::FundingFee), Window::default()).unwrap();
    assert_eq!(rows.iter().map(|r| r.income).collect::<Vec<_>>(), [d("-2.50617"), d("1.002468")]);
    assert_eq!(desk.wallet(), before - d("2.50617") + d("1.002468"));
    let EventBody::Account(update) = &desk.events[0].body else { panic!() };
    assert_eq!((update.reason, update.symbol.as_str()), (UpdateReason::FundingFee, "BTCUSDT"));
    assert!(update.positions.is_empty(), "crossed legs are not listed");
    let none = desk.ok(Command::Funding { symbol: ETH, rate: d("0.0001"), mark: None });
    assert_eq!(none, Reply::Funded { legs: 0 });
    assert_eq!(desk.code(Command::Funding { symbol: BTC, rate: d("1"), mark: None }), -1130);
    desk.check_money("10000");
}

#[test]
fn isolated_funding_comes_out_of_the_legs_own_margin() {
    let mut desk = hedge_desk();
    isolate(&mut desk);
    desk.open("BTCUSDT", Long, "1");
    let margin = desk.position("BTCUSDT", Long).isolated_wallet;
    desk.ok(Command::Funding { symbol: BTC, rate: d("-0.001"), mark: Some(d("50000")) });
    assert_eq!(desk.position("BTCUSDT", Long).isolated_wallet, margin + d("50"));
    let EventBody::Account(update) = &desk.events.last().unwrap().body else { panic!() };
    assert_eq!(update.positions.len(), 1);
}

#[test]
fn history_windows_keep_the_newest_rows_unless_a_beginning_is_given() {
    let mut desk = hedge_desk();
    for _ in 0..5 {
        desk.open("BTCUSDT", Long, "0.01");
    }
    let all = desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap();
    let ids = |w: Window| -> Vec<u64> {
        desk.venue.user_trades(ME, "BTCUSDT", None, w).unwrap().iter().map(|t| t.trade_id).collect()
    };
    let id = |n: usize| all[n].trade_id;
    assert_eq!(ids(Window { limit: 2, ..Window::default() }), [id(3), id(4)]);
    assert_eq!(ids(Window { limit: 2, from_id: Some(id(1)), ..Window::default() }), [id(1), id(2)]);
    let between =
        Window { start_ms: Some(all[1].time_ms), end_ms: Some(all[2].time_ms), ..Window::default() };
    assert_eq!(ids(between), [id(1), id(2)]);
}

#[test]
fn a_usdc_margined_symbol_has_its_own_wallet() {
    let mut rules = InstrumentRules::builtin().remove(0);
    rules.symbol = "BTCUSDC".into();
    rules.margin_asset = "USDC".into();
    rules.quote_asset = "USDC".into();
    let mut desk = hedge_desk();
    desk.ok(Command::List { rules: Box::new(rules), price: d("50000") });
    let buy = NewOrder::market(ME, "BTCUSDC", Buy, d("0.1")).on(Long);
    assert_eq!(desk.refuse(buy.clone()), -2019);
    desk.ok(Command::Transfer { account: ME, asset: "USDC".into(), amount: d("1000") });
    desk.place(buy);
    let assets = desk.venue.assets(ME).unwrap();
    assert_eq!(assets[0].wallet_balance, d("10000"));
    assert_eq!(assets[1].asset, "USDC");
    assert_eq!(assets[1].wallet_balance, d("1000") - d("2.500005"));
}

#[test]
fn what_a_guard_says_is_free_is_free_until_leverage_or_a_resting_order_binds_more() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    desk.open("ETHUSDT", Short, "1");
    // A move finds the bounds inside which nothing happens.
    desk.move_to(BTC, "50100");
    desk.move_to(ETH, "2990");
    let says = |desk: &Desk, amount: &str| desk.venue.surely_has(0, 0, &d(amount));
    assert!(says(&desk, "1000"), "most of the money is free");
    let available = desk.usdt().available_balance;
    assert!(!desk.venue.surely_has(0, 0, &available), "no more than what is free");
    let mut resting = desk.clone();
    resting.place(NewOrder::limit(ME, "BTCUSDT", Buy, d("0.1"), d("48000")).on(Long));
    assert!(!says(&resting, "1"), "orders that rest are added up");
    desk.ok(Command::Leverage { account: ME, symbol: "ETHUSDT".into(), leverage: 1 });
    assert!(!says(&desk, "1"), "everything is looked at once more");
    desk.move_to(BTC, "50101");
    assert!(!says(&desk, "8000") && desk.usdt().available_balance < d("8000"));
}
