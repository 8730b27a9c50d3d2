//! What the exchange itself does to accounts and contracts: legs taken away, brackets changed, switches, a told book.

use super::kit::*;
use crate::venue::*;

fn take(side: PositionSide, by: ForcedBy) -> Command {
    Command::ForceClose(ForceClose { account: ME, symbol: "ETHUSDT".to_owned(), position_side: side, by })
}

fn switch(switch: AccountSwitch, on: bool) -> Command {
    Command::Switch { account: ME, switch, on }
}

fn wallet(desk: &Desk) -> rust_decimal::Decimal {
    desk.venue.assets(ME).unwrap()[0].wallet_balance
}

fn booked(desk: &Desk) -> rust_decimal::Decimal {
    desk.venue.income(ME, None, None, Window::default()).unwrap().iter().map(|row| row.income).sum()
}

fn filled(desk: &Desk) -> Vec<(String, PositionSide, rust_decimal::Decimal)> {
    let update = |event: &VenueEvent| match &event.body {
        EventBody::Order(update) if update.execution == ExecutionType::Calculated => {
            let fill = update.fill.as_ref()?;
            Some((update.order.client_order_id.clone(), update.order.position_side, fill.qty))
        }
        _ => None,
    };
    desk.events.iter().filter_map(update).collect()
}

#[test]
fn a_commanded_liquidation_takes_the_leg_for_the_clearance_fee_and_books_every_cent() {
    let mut desk = hedge_desk();
    desk.open("ETHUSDT", PositionSide::Long, "1");
    desk.open("ETHUSDT", PositionSide::Short, "0.4");
    let before = wallet(&desk);
    desk.ok(take(PositionSide::Long, ForcedBy::Liquidation));
    let closed = filled(&desk);
    assert!(closed[0].0.starts_with("autoclose-"), "{closed:?}");
    assert_eq!((closed[0].1, closed[0].2), (PositionSide::Long, d("1")));
    // 1.25 % or what the instrument says of 3,000, and what the taker lost to the spread.
    let fee = desk.venue.rules(ETH).unwrap().liquidation_fee * d("3000");
    assert!((before - wallet(&desk) - fee).abs() < d("1"), "{before} {}", wallet(&desk));
    assert_eq!(wallet(&desk) - d("10000"), booked(&desk), "wallet = start + ledger");
    assert_eq!(desk.code(take(PositionSide::Long, ForcedBy::Liquidation)), -4054);
    assert_eq!(desk.code(take(PositionSide::Both, ForcedBy::Liquidation)), -4061);
}

#[test]
fn an_isolated_leg_is_liquidated_alone() {
    let mut desk = hedge_desk();
    desk.ok(Command::MarginType {
        account: ME,
        symbol: "ETHUSDT".to_owned(),
        margin_type: MarginType::Isolated,
    });
    desk.open("ETHUSDT", PositionSide::Long, "1");
    desk.open("BTCUSDT", PositionSide::Long, "0.01");
    desk.place(NewOrder::limit(ME, "BTCUSDT", Side::Buy, d("0.01"), d("49000")).on(PositionSide::Long));
    desk.ok(take(PositionSide::Long, ForcedBy::Liquidation));
    assert_eq!(desk.venue.open_orders(ME, Some("BTCUSDT")).unwrap().len(), 1, "another symbol's orders stay");
    assert_eq!(wallet(&desk) - d("10000"), booked(&desk));
}

#[test]
fn a_deleveraging_takes_a_part_and_closes_that_the_rest_no_longer_covers_expire() {
    let mut desk = hedge_desk();
    desk.open("ETHUSDT", PositionSide::Long, "1");
    let close = NewOrder::limit(ME, "ETHUSDT", Side::Sell, d("0.5"), d("3100")).on(PositionSide::Long);
    desk.place(close.clone());
    desk.place(close);
    desk.ok(take(PositionSide::Long, ForcedBy::Adl { qty: Some(d("0.6")) }));
    assert_eq!(filled(&desk), [("adl_autoclose".to_owned(), PositionSide::Long, d("0.6"))]);
    assert_eq!(desk.venue.open_orders(ME, None).unwrap().len(), 0, "0.4 covers no close of 0.5");
    assert_eq!(wallet(&desk) - d("10000"), booked(&desk));
    assert_eq!(desk.code(take(PositionSide::Long, ForcedBy::Adl { qty: Some(d("0.5")) })), -1130);
    assert_eq!(desk.code(take(PositionSide::Long, ForcedBy::Adl { qty: Some(d("0")) })), -1130);
    // Twice under one client id: the venue's own do not count as duplicates.
    desk.ok(take(PositionSide::Long, ForcedBy::Adl { qty: None }));
    assert!(desk.venue.positions(ME, None).unwrap().iter().all(|leg| leg.qty.is_zero()));
}

#[test]
fn the_log_of_all_this_rebuilds_the_exchange() {
    let mut desk = hedge_desk();
    desk.ok(switch(AccountSwitch::FeeBurn, true));
    desk.ok(switch(AccountSwitch::MultiAssets, true));
    desk.open("ETHUSDT", PositionSide::Long, "1");
    desk.ok(take(PositionSide::Long, ForcedBy::Adl { qty: Some(d("0.1")) }));
    let book =
        BookChange { symbol: ETH, whole: true, bids: vec![(299_990, 100)], asks: vec![(300_010, 100)] };
    desk.ok(Command::Book(book));
    desk.ok(Command::Quote { symbol: ETH, bid: 299_990, ask: 300_010, last: None, mark: None });
    let change = ContractChange {
        symbol: ETH,
        onboard_ms: None,
        delivery_ms: Some(1_800_000_000_000),
        brackets: None,
    };
    desk.ok(Command::Contract(change));
    let text = serde_json::to_string(&desk.log).unwrap();
    let log: Vec<(i64, Command)> = serde_json::from_str(&text).unwrap();
    let mut again = Venue::new(VenueConfig::default());
    for (now_ms, command) in &log {
        let _ = again.apply(*now_ms, command, &mut Vec::new());
    }
    assert_eq!(again.state_digest(), desk.venue.state_digest());
    let read: Venue = serde_json::from_str(&serde_json::to_string(&desk.venue).unwrap()).unwrap();
    assert_eq!(read.state_digest(), desk.venue.state_digest(), "a written exchange reads back");
}

#[test]
fn multi_assets_mode_is_refused_while_it_cannot_be() {
    let mut desk = hedge_desk();
    let multi = |on| switch(AccountSwitch::MultiAssets, on);
    assert_eq!(desk.code(multi(false)), -4171);
    desk.ok(Command::MarginType {
        account: ME,
        symbol: "ETHUSDT".to_owned(),
        margin_type: MarginType::Isolated,
    });
    assert_eq!(desk.code(multi(true)), -4167);
    desk.ok(Command::MarginType {
        account: ME,
        symbol: "ETHUSDT".to_owned(),
        margin_type: MarginType::Crossed,
    });
    let order =
        desk.place(NewOrder::limit(ME, "ETHUSDT", Side::Buy, d("0.1"), d("2900")).on(PositionSide::Long));
    assert_eq!(desk.code(multi(true)), -4170);
    let cancel =
        Command::Cancel { account: ME, symbol: "ETHUSDT".to_owned(), order: OrderRef::Id(order.order_id) };
    desk.ok(cancel);
    desk.ok(multi(true));
    assert!(desk.venue.account_config(ME).unwrap().multi_assets);
    let isolate =
        Command::MarginType { account: ME, symbol: "ETHUSDT".to_owned(), margin_type: MarginType::Isolated };
    assert_eq!(desk.code(isolate), -4168);
    let mut other = InstrumentRules::builtin().remove(0);
    (other.symbol, other.pair, other.margin_asset) = ("BTCUSDC".into(), "BTCUSDC".into(), "USDC".into());
    desk.ok(multi(false));
    desk.ok(Command::List { rules: Box::new(other), price: d("50000") });
    assert_eq!(desk.code(multi(true)), -4084, "two margin assets are not one pool");
}

#[test]
fn new_brackets_bring_leverage_down_and_may_break_a_leg() {
    let mut desk = hedge_desk();
    desk.open("ETHUSDT", PositionSide::Long, "30");
    let bracket = |cap: &str, ratio: &str| Bracket {
        bracket: 1,
        initial_leverage: 5,
        notional_cap: d(cap),
        notional_floor: d("0"),
        maint_ratio: d(ratio),
        cum: d("0"),
    };
    let change = |brackets| {
        Command::Contract(ContractChange {
            symbol: ETH,
            onboard_ms: None,
            delivery_ms: None,
            brackets: Some(brackets),
        })
    };
    assert_eq!(desk.code(change(Vec::new())), -1130);
    desk.ok(change(vec![bracket("1000000", "0.01")]));
    assert_eq!(desk.venue.symbol_configs(ME, Some("ETHUSDT")).unwrap()[0].leverage, 5);
    assert!(filled(&desk).is_empty());
    // 90,000 at twelve percent is more than the account has.
    desk.ok(change(vec![bracket("1000000", "0.12")]));
    assert!(filled(&desk)[0].0.starts_with("autoclose-"));
}

#[test]
fn a_told_book_is_walked_level_by_level_and_quotes_trim_it() {
    let mut desk = hedge_desk();
    let book = |bids: &[(i64, i64)], asks: &[(i64, i64)], whole| {
        Command::Book(BookChange { symbol: ETH, whole, bids: bids.to_vec(), asks: asks.to_vec() })
    };
    desk.ok(book(&[(300_000, 1_000), (299_900, 5_000)], &[(300_010, 400), (300_200, 700)], true));
    desk.ok(Command::Quote { symbol: ETH, bid: 300_000, ask: 300_010, last: None, mark: None });
    let depth = desk.venue.depth(ETH, 10).unwrap();
    assert_eq!((depth.bids.len(), depth.asks.len()), (2, 2));
    assert_eq!((depth.asks[1].0, depth.asks[1].1), (d("3002.00"), d("0.700")));
    desk.open("ETHUSDT", PositionSide::Long, "1");
    let trades = desk.venue.user_trades(ME, "ETHUSDT", None, Window::default()).unwrap();
    assert_eq!(trades.iter().map(|t| t.price).collect::<Vec<_>>(), [d("3000.10"), d("3002.00")]);
    assert_eq!(desk.venue.depth(ETH, 10).unwrap().asks, [(d("3002.00"), d("0.100"))]);
    // A level taken away, one changed, and a quote that passes the best bid.
    desk.ok(book(&[(299_900, 0), (299_800, 300)], &[], false));
    desk.ok(Command::Quote { symbol: ETH, bid: 299_800, ask: 300_010, last: None, mark: None });
    assert_eq!(desk.venue.depth(ETH, 10).unwrap().bids, [(d("2998.00"), d("0.300"))]);
    let id = desk.venue.depth(ETH, 1).unwrap().last_update_id;
    desk.ok(book(&[(299_700, 5)], &[], false));
    assert!(desk.venue.depth(ETH, 1).unwrap().last_update_id > id, "every change has an id of its own");
    assert_eq!(desk.code(book(&[(-5, 5)], &[], false)), -1130);
    assert_eq!(desk.code(book(&[(5, -5)], &[], false)), -1130);
}
