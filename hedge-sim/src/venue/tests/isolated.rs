//! Margin into and out of isolated legs, and the record of amendments.

use super::kit::*;
use crate::venue::*;

fn adjust(side: Option<PositionSide>, amount: &str) -> Command {
    Command::AdjustMargin { account: ME, symbol: "BTCUSDT".into(), position_side: side, amount: d(amount) }
}

fn isolated(desk: &mut Desk) {
    desk.ok(Command::MarginType { account: ME, symbol: "BTCUSDT".into(), margin_type: MarginType::Isolated });
}

const LONG: Option<PositionSide> = Some(PositionSide::Long);

#[test]
fn margin_added_to_a_leg_is_no_longer_free_and_pushes_its_liquidation_away() {
    let mut desk = hedge_desk();
    isolated(&mut desk);
    desk.open("BTCUSDT", PositionSide::Long, "0.1");
    let (before, free) = (desk.position("BTCUSDT", PositionSide::Long), desk.usdt().available_balance);
    let wallet = desk.wallet();
    desk.ok(adjust(LONG, "100"));
    let after = desk.position("BTCUSDT", PositionSide::Long);
    assert_eq!(after.isolated_wallet, before.isolated_wallet + d("100"));
    assert!(after.liquidation_price < before.liquidation_price, "{after:?}");
    assert_eq!((desk.wallet(), desk.usdt().available_balance), (wallet, free - d("100")));
    let EventBody::Account(update) = &desk.events.last().unwrap().body else { panic!("no account event") };
    assert_eq!(update.reason, UpdateReason::MarginTransfer);
    assert_eq!(update.positions[0].isolated_wallet, after.isolated_wallet);
    assert_eq!(update.balances[0].cross_wallet, wallet - after.isolated_wallet);
    desk.ok(adjust(LONG, "-99"));
    assert_eq!(desk.position("BTCUSDT", PositionSide::Long).isolated_wallet, before.isolated_wallet + d("1"));
    let changes = desk.venue.margin_changes(ME, "BTCUSDT", Window::default()).unwrap();
    assert_eq!(changes.iter().map(|change| change.amount).collect::<Vec<_>>(), [d("100"), d("-99")]);
}

#[test]
fn a_leg_keeps_its_initial_margin_and_an_account_cannot_add_what_it_does_not_have() {
    let mut desk = hedge_desk();
    isolated(&mut desk);
    assert_eq!(desk.code(adjust(LONG, "1")), -4054);
    desk.open("BTCUSDT", PositionSide::Long, "0.1");
    assert_eq!(desk.code(adjust(LONG, "0")), -4055);
    assert_eq!(desk.code(adjust(LONG, "0.000000001")), -1111);
    assert_eq!(desk.code(adjust(None, "1")), -4061);
    assert_eq!(desk.code(adjust(LONG, "-1")), -4051);
    assert_eq!(desk.code(adjust(LONG, "10000")), -4050);
    assert_eq!(desk.code(adjust(Some(PositionSide::Short), "1")), -4054);
    let mut crossed = hedge_desk();
    crossed.open("BTCUSDT", PositionSide::Long, "0.1");
    assert_eq!(crossed.code(adjust(LONG, "1")), -4049);
}

#[test]
fn every_amendment_is_on_record_with_what_it_changed() {
    let mut desk = hedge_desk();
    let limit = NewOrder::limit(ME, "BTCUSDT", Side::Buy, d("0.01"), d("49900"));
    let order = desk.place(NewOrder { client_order_id: Some("mine".into()), ..limit }.on(PositionSide::Long));
    let change = |price: &str, qty: &str, modify_id| {
        Command::Modify(ModifyOrder {
            account: ME,
            symbol: "BTCUSDT".into(),
            order: OrderRef::Id(order.order_id),
            side: Side::Buy,
            qty: d(qty),
            price: d(price),
            modify_id,
            reduce_only: None,
        })
    };
    desk.ok(change("49800", "0.01", None));
    desk.ok(change("49800", "0.02", Some(7)));
    assert_eq!(desk.code(change("49800", "0.02", None)), -5027);
    let rows = |order: Option<OrderRef>| {
        desk.venue.amendments(ME, "BTCUSDT", order.as_ref(), Window::default()).unwrap()
    };
    let all = rows(None);
    let told = |row: &AmendmentView| (row.price_before, row.price_after, row.qty_before, row.qty_after);
    assert_eq!(told(&all[0]), (d("49900"), d("49800"), d("0.01"), d("0.01")));
    assert_eq!(told(&all[1]), (d("49800"), d("49800"), d("0.01"), d("0.02")));
    assert_eq!(
        all.iter().map(|row| (row.count, row.modify_id)).collect::<Vec<_>>(),
        [(1, None), (2, Some(7))]
    );
    assert_eq!(rows(Some(OrderRef::Client("mine".into()))), all);
    assert_eq!(rows(Some(OrderRef::Id(1))), []);
}
