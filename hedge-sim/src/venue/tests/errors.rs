use super::kit::*;
use crate::venue::*;
use PositionSide::{Both, Long, Short};
use Side::{Buy, Sell};

fn limit(qty: &str, price: &str) -> NewOrder {
    NewOrder::limit(ME, "BTCUSDT", Buy, d(qty), d(price)).on(Long)
}

fn market(qty: &str) -> NewOrder {
    NewOrder::market(ME, "BTCUSDT", Buy, d(qty)).on(Long)
}

#[test]
fn shape_refusals() {
    let mut desk = hedge_desk();
    let mut check = |order: NewOrder, code: i64| assert_eq!(desk.refuse(order.clone()), code, "{order:?}");
    check(NewOrder { account: AccountId(9), ..market("0.1") }, -2015);
    check(NewOrder { symbol: "NOPE".into(), ..market("0.1") }, -1121);
    for kind in OrderType::ALL.iter().filter(|k| k.is_conditional()) {
        check(NewOrder { order_type: *kind, ..market("0.1") }, -4120);
    }
    check(NewOrder { order_type: OrderType::Liquidation, ..market("0.1") }, -1116);
    check(NewOrder { tif: Some(Tif::Gtc), ..market("0.1") }, -1106);
    check(NewOrder { price: Some(d("50000")), ..market("0.1") }, -1106);
    check(NewOrder { qty: None, ..market("0.1") }, -1102);
    check(NewOrder { tif: None, ..limit("0.1", "50000") }, -1102);
    check(NewOrder { price: None, ..limit("0.1", "50000") }, -1102);
    check(NewOrder { tif: Some(Tif::GteGtc), ..limit("0.1", "50000") }, -1115);
}

#[test]
fn the_refusal_of_an_unknown_account_is_http_401() {
    let mut desk = hedge_desk();
    let order = NewOrder { account: AccountId(9), ..market("0.1") };
    assert_eq!(desk.run(Command::Place(order)).unwrap_err().http, 401);
}

#[test]
fn position_side_must_fit_the_mode() {
    let mut hedge = hedge_desk();
    assert_eq!(hedge.refuse(NewOrder { position_side: None, ..market("0.1") }), -4061);
    assert_eq!(hedge.refuse(market("0.1").on(Both)), -4061);
    for flag in [true, false] {
        assert_eq!(hedge.refuse(NewOrder { reduce_only: Some(flag), ..market("0.1") }), -1106);
    }
    let mut one_way = one_way_desk();
    assert_eq!(one_way.refuse(market("0.1").on(Short)), -4061);
    let reduce =
        |side, qty| NewOrder { reduce_only: Some(true), ..NewOrder::market(ME, "BTCUSDT", side, d(qty)) };
    assert_eq!(one_way.refuse(reduce(Sell, "0.1")), -2022);
    one_way.place(NewOrder::market(ME, "BTCUSDT", Buy, d("0.1")));
    assert_eq!(one_way.refuse(reduce(Buy, "0.1")), -2022, "the same way is no reduction");
    assert_eq!(one_way.refuse(reduce(Sell, "0.101")), -2022);
    assert_eq!(one_way.place(reduce(Sell, "0.1")).status, OrderStatus::Filled);
}

#[test]
fn price_and_quantity_filters() {
    let mut desk = hedge_desk();
    let mut check = |order: NewOrder, code: i64| assert_eq!(desk.refuse(order.clone()), code, "{order:?}");
    check(limit("0.1", "50000.001"), -1111);
    check(limit("0.1", "50000.01"), -4014);
    check(limit("0.0001", "50000"), -1111);
    check(limit("0.0001", "0.1"), -1111);
    check(limit("0.1", "0"), -4013);
    check(limit("0.1", "1000000.1"), -4002);
    check(limit("0", "50000"), -4003);
    check(limit("-1", "50000"), -4003);
    check(limit("1001", "50000"), -4005);
    check(market("121"), -4005);
    check(limit("0.1", "52500.1"), -4016);
    check(NewOrder { side: Sell, ..limit("0.1", "47499.9") }.on(Short), -4024);
    check(limit("0.001", "49000"), -4164);
    check(market("79228162514264337593543950335"), -4005);
    check(limit("1", "79228162514264337593543950335"), -4002);
}

#[test]
fn grids_finer_than_the_precision_have_their_own_codes() {
    let mut rules = InstrumentRules::builtin().remove(0);
    rules.symbol = "COARSEUSDT".into();
    rules.tick = d("0.5");
    rules.min_price = d("0.5");
    rules.price_precision = 1;
    rules.lot = LotRule { min: d("0.02"), max: d("10"), step: d("0.02") };
    rules.market_lot = rules.lot;
    rules.qty_precision = 2;
    let mut desk = hedge_desk();
    desk.ok(Command::List { rules: Box::new(rules), price: d("50000") });
    let coarse = |qty: &str, price: &str| NewOrder { symbol: "COARSEUSDT".into(), ..limit(qty, price) };
    assert_eq!(desk.refuse(coarse("0.02", "49999.9")), -4014);
    assert_eq!(desk.refuse(coarse("0.03", "49999.5")), -4023);
    assert_eq!(desk.refuse(coarse("0.01", "49999.5")), -4004);
    desk.place(coarse("0.04", "49999.5"));
}

#[test]
fn client_ids_are_checked_and_unique_among_open_orders() {
    let mut desk = hedge_desk();
    let named = |id: &str| NewOrder { client_order_id: Some(id.into()), ..limit("0.01", "49000") };
    for bad in ["", "a b", "é", &"x".repeat(37)] {
        assert_eq!(desk.refuse(named(bad)), -4015, "{bad:?}");
    }
    let good = "A.z:/_-09".to_owned() + &"x".repeat(27);
    let first = desk.place(named(&good)).order_id;
    assert_eq!(desk.refuse(named(&good)), -4116);
    desk.ok(Command::Cancel { account: ME, symbol: "BTCUSDT".into(), order: OrderRef::Client(good.clone()) });
    let second = desk.place(named(&good)).order_id;
    assert!(second > first);
    let found = desk.venue.order(ME, "BTCUSDT", &OrderRef::Client(good)).unwrap();
    assert_eq!(found.order_id, second, "the newest bearer answers");
    let anonymous = desk.place(limit("0.01", "49000")).client_order_id;
    assert_eq!(anonymous.len(), 22);
}

#[test]
fn too_many_open_orders_are_refused() {
    let mut desk = hedge_desk();
    desk.ok(Command::Transfer { account: ME, asset: "USDT".into(), amount: d("1000000") });
    for _ in 0..200 {
        desk.place(limit("0.01", "49000"));
    }
    assert_eq!(desk.refuse(limit("0.01", "49000")), -2025);
    let eth = NewOrder { symbol: "ETHUSDT".into(), ..limit("0.1", "2990") };
    desk.place(eth);
    let cancelled = desk.ok(Command::CancelAll { account: ME, symbol: "BTCUSDT".into() });
    assert_eq!(cancelled, Reply::Canceled(200));
}

#[test]
fn margin_and_bracket_refusals() {
    let mut desk = hedge_desk();
    // 20x on 10,000 carries 200,000 of notional, four bitcoin.
    assert_eq!(desk.refuse(market("4")), -2019);
    assert_eq!(desk.open("BTCUSDT", Long, "3.9").status, OrderStatus::Filled);
    assert_eq!(desk.refuse(market("0.2")), -2019);
    let mut rich = hedge_desk();
    rich.ok(Command::Transfer { account: ME, asset: "USDT".into(), amount: d("100000000") });
    rich.ok(Command::Leverage { account: ME, symbol: "BTCUSDT".into(), leverage: 125 });
    assert_eq!(rich.refuse(market("1.1")), -2027, "125x carries 50,000 of notional");
    rich.place(limit("0.9", "49900"));
    assert_eq!(rich.refuse(market("0.2")), -2027, "resting orders count");
}

#[test]
fn an_unfavourable_limit_price_costs_margin_at_once() {
    let mut desk = hedge_desk();
    // 3.9 at 51,000 binds 9,945 and begins with a loss of 3,900.
    assert_eq!(desk.refuse(limit("3.9", "51000")), -2019);
    desk.place(limit("3.9", "49000"));
}

#[test]
fn a_market_order_without_a_price_inside_the_bound_is_refused() {
    let mut desk = hedge_desk();
    desk.moved(Command::SetMark { symbol: BTC, mark: d("45000") });
    assert_eq!(desk.refuse(market("0.1")), -4131);
}

#[test]
fn a_symbol_that_is_not_trading_takes_no_openings() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let set = |desk: &mut Desk, status| desk.ok(Command::SetStatus { symbol: BTC, status });
    for status in [SymbolStatus::PreSettle, SymbolStatus::PreDelivering] {
        set(&mut desk, status);
        assert_eq!(desk.refuse(market("0.1")), -4140);
        assert_eq!(desk.close("BTCUSDT", Long, "0.01").status, OrderStatus::Filled);
    }
    set(&mut desk, SymbolStatus::PendingTrading);
    assert_eq!(desk.refuse(market("0.1")), -4140);
    for status in
        [SymbolStatus::Settling, SymbolStatus::Delivering, SymbolStatus::Delivered, SymbolStatus::Close]
    {
        set(&mut desk, status);
        assert_eq!(desk.refuse(market("0.1")), -4141);
        assert_eq!(desk.refuse_algo(stop_all(Long, "49000")), -4141);
    }
}

#[test]
fn a_delisting_expires_orders_with_reason_7_and_settles_legs_at_mark() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    let id = desk.place(limit("0.01", "49000")).order_id;
    let stop = desk.place_algo(stop_all(Long, "49000")).algo_id;
    desk.moved(Command::SetMark { symbol: BTC, mark: d("50100") });
    desk.ok(Command::SetStatus { symbol: BTC, status: SymbolStatus::Settling });
    assert_eq!(desk.order_events(id).last().unwrap().2, ExpiryReason::Delisting);
    assert_eq!(desk.algo(stop).status, AlgoStatus::Expired);
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
    let last = desk.venue.all_orders(ME, Some("BTCUSDT"), Window::default()).unwrap().pop().unwrap();
    assert!(last.client_order_id.starts_with("settlement_autoclose-"));
    assert_eq!(last.avg_price, d("50100"));
    desk.check_money("10000");
}

#[test]
fn restricted_accounts_are_told_so() {
    let mut desk = hedge_desk();
    desk.open("BTCUSDT", Long, "0.1");
    desk.ok(Command::Restrict { account: ME, restriction: Restriction::ReduceOnly });
    assert_eq!(desk.refuse(market("0.1")), -4087);
    desk.close("BTCUSDT", Long, "0.01");
    desk.ok(Command::Restrict { account: ME, restriction: Restriction::NoOrders });
    assert_eq!(desk.refuse(NewOrder::market(ME, "BTCUSDT", Sell, d("0.01")).on(Long)), -4088);
    assert!(!desk.venue.account_config(ME).unwrap().can_trade);
}

#[test]
fn the_position_mode_switches_only_on_a_clean_account() {
    let mut desk = hedge_desk();
    let switch = |hedge| Command::PositionMode { account: ME, hedge };
    assert_eq!(desk.code(switch(true)), -4059);
    let stop = desk.place_algo(stop_all(Long, "49000")).algo_id;
    assert_eq!(desk.code(switch(false)), -4067, "algo orders count");
    desk.ok(Command::CancelAlgo { account: ME, algo: AlgoRef::Id(stop) });
    let id = desk.place(limit("0.01", "49000")).order_id;
    assert_eq!(desk.code(switch(false)), -4067);
    desk.ok(Command::Cancel { account: ME, symbol: "BTCUSDT".into(), order: OrderRef::Id(id) });
    desk.open("ETHUSDT", Short, "0.1");
    assert_eq!(desk.code(switch(false)), -4068);
    desk.close("ETHUSDT", Short, "0.1");
    desk.ok(switch(false));
    assert!(!desk.venue.account_config(ME).unwrap().hedge_mode);
}

#[test]
fn the_margin_type_switches_only_on_a_clean_symbol() {
    let mut desk = hedge_desk();
    let switch = |margin_type| Command::MarginType { account: ME, symbol: "BTCUSDT".into(), margin_type };
    assert_eq!(desk.code(switch(MarginType::Crossed)), -4046);
    let id = desk.place(limit("0.01", "49000")).order_id;
    assert_eq!(desk.code(switch(MarginType::Isolated)), -4047);
    desk.ok(Command::Cancel { account: ME, symbol: "BTCUSDT".into(), order: OrderRef::Id(id) });
    desk.open("BTCUSDT", Long, "0.01");
    assert_eq!(desk.code(switch(MarginType::Isolated)), -4048);
    desk.close("BTCUSDT", Long, "0.01");
    desk.ok(switch(MarginType::Isolated));
    let EventBody::Account(update) = &desk.events.last().unwrap().body else { panic!() };
    assert_eq!(update.reason, UpdateReason::MarginTypeChange);
}

#[test]
fn leverage_has_bounds_and_consequences() {
    let mut desk = hedge_desk();
    let set = |leverage| Command::Leverage { account: ME, symbol: "BTCUSDT".into(), leverage };
    assert_eq!(desk.code(set(0)), -4028);
    assert_eq!(desk.code(set(126)), -4028);
    let reply = desk.ok(set(50));
    assert_eq!(reply, Reply::Leverage { leverage: 50, max_notional: d("5000000") });
    assert_eq!(desk.venue.symbol_configs(ME, Some("BTCUSDT")).unwrap()[0].leverage, 50);
    desk.open("BTCUSDT", Long, "2");
    assert_eq!(desk.code(set(125)), -2027, "100,000 of notional is above the bracket");
    assert_eq!(desk.code(set(5)), -2028, "20,000 of margin is not there");
    desk.ok(set(20));
    let mut isolated = hedge_desk();
    isolated.ok(Command::MarginType {
        account: ME,
        symbol: "BTCUSDT".into(),
        margin_type: MarginType::Isolated,
    });
    isolated.open("BTCUSDT", Long, "0.1");
    assert_eq!(isolated.code(set(10)), -4161);
    isolated.ok(set(25));
}

#[test]
fn unknown_orders_are_not_found() {
    let mut desk = hedge_desk();
    let cancel = |order| Command::Cancel { account: ME, symbol: "BTCUSDT".into(), order };
    assert_eq!(desk.code(cancel(OrderRef::Id(5))), -2011);
    assert_eq!(desk.code(cancel(OrderRef::Client("nobody".into()))), -2011);
    let filled = desk.open("BTCUSDT", Long, "0.01").order_id;
    assert_eq!(desk.code(cancel(OrderRef::Id(filled))), -2011);
    assert_eq!(desk.venue.open_order(ME, "BTCUSDT", &OrderRef::Id(filled)).unwrap_err().code, -2013);
    assert_eq!(desk.venue.order(ME, "ETHUSDT", &OrderRef::Id(filled)).unwrap_err().code, -2013);
    assert_eq!(desk.venue.order(ME, "NOPE", &OrderRef::Id(filled)).unwrap_err().code, -1121);
}

#[test]
fn transfers_move_money_and_respect_what_is_free() {
    let mut desk = hedge_desk();
    let transfer = |amount: &str| Command::Transfer { account: ME, asset: "USDT".into(), amount: d(amount) };
    assert_eq!(desk.code(transfer("0")), -1130);
    assert_eq!(desk.code(transfer("0.000000001")), -1130);
    assert_eq!(desk.code(transfer("-10000.1")), -2018);
    assert_eq!(desk.code(Command::Transfer { account: ME, asset: "DOGE".into(), amount: d("1") }), -1130);
    desk.ok(transfer("-4000"));
    desk.open("BTCUSDT", Long, "1");
    assert_eq!(desk.code(transfer("-4000")), -2018, "2,500 of it is bound");
    desk.ok(transfer("500.5"));
    let rows = desk.venue.income(ME, None, Some(IncomeType::Transfer), Window::default()).unwrap();
    assert_eq!(rows.iter().map(|r| r.income).collect::<Vec<_>>(), [d("-4000"), d("500.5")]);
    desk.check_money("10000");
}

#[test]
fn a_test_order_checks_everything_and_places_nothing() {
    let desk = hedge_desk();
    let before = desk.venue.state_digest();
    assert_eq!(desk.venue.test_order(&market("4")).unwrap_err().code, -2019);
    assert!(desk.venue.test_order(&market("0.1")).is_ok());
    assert_eq!(desk.venue.state_digest(), before);
}

#[test]
fn listing_and_opening_refuse_nonsense() {
    let mut desk = hedge_desk();
    let rules = InstrumentRules::builtin().remove(0);
    assert_eq!(
        desk.code(Command::List { rules: Box::new(rules.clone()), price: d("1") }),
        -1130,
        "already there"
    );
    let new = InstrumentRules { symbol: "NEWUSDT".into(), ..rules };
    assert_eq!(desk.code(Command::List { rules: Box::new(new.clone()), price: d("0") }), -1130);
    let broken = InstrumentRules { tick: d("0"), ..new };
    assert_eq!(desk.code(Command::List { rules: Box::new(broken), price: d("1") }), -1130);
    assert_eq!(desk.code(Command::OpenAccount { account: AccountId(7), balance_usdt: d("1") }), -1130);
    assert_eq!(desk.code(Command::OpenAccount { account: AccountId(1), balance_usdt: d("-1") }), -1130);
    let fees = FeeRates { maker: d("0.2"), taker: d("0.2") };
    assert_eq!(desk.code(Command::SetFees { account: ME, symbol: None, fees }), -1130);
}

#[test]
fn fees_can_differ_by_account_and_symbol() {
    let mut desk = hedge_desk();
    let fees = FeeRates { maker: d("0"), taker: d("0.001") };
    desk.ok(Command::SetFees { account: ME, symbol: Some(ETH), fees });
    assert_eq!(desk.venue.commission_rate(ME, "ETHUSDT").unwrap(), fees);
    assert_eq!(desk.venue.commission_rate(ME, "BTCUSDT").unwrap().taker, d("0.0005"));
    desk.open("ETHUSDT", Long, "1");
    assert_eq!(desk.wallet(), d("10000") - d("3.00001"));
}

#[test]
fn all_refusals_have_negative_codes_and_text() {
    for refusal in Refusal::ALL {
        assert!(refusal.code() < 0 && !refusal.text().is_empty(), "{refusal:?}");
    }
}
