//! Prices of another market, and accounts that began elsewhere.

use super::kit::*;
use crate::venue::*;
use PositionSide::{Long, Short};

impl Desk {
    fn quote(&mut self, bid: i64, ask: i64) -> Moved {
        self.moved(Command::Quote { symbol: BTC, bid, ask, last: None, mark: None })
    }
    fn seed(&mut self, seed: Seed) {
        self.ok(Command::Seed(Box::new(seed)));
    }
    fn refuse_seed(&mut self, seed: Seed) -> String {
        let refused = self.run(Command::Seed(Box::new(seed))).unwrap_err();
        assert_eq!(refused.code, -1130);
        refused.msg.to_string()
    }
}

fn leg(side: PositionSide, qty: &str, cost: &str) -> Seed {
    Seed::Leg { account: ME, symbol: "BTCUSDT".into(), position_side: side, qty: d(qty), cost: d(cost) }
}

#[test]
fn takers_meet_the_bid_and_the_ask_they_were_told() {
    let mut desk = hedge_desk();
    desk.quote(499_900, 500_123);
    assert_eq!(desk.open("BTCUSDT", Long, "0.01").avg_price, d("50012.3"));
    assert_eq!(desk.open("BTCUSDT", Short, "0.01").avg_price, d("49990"));
    desk.check_money("10000");
}

#[test]
fn last_goes_only_as_far_as_the_quote_forces_it() {
    let mut desk = hedge_desk();
    for (bid, ask, last) in
        [(499_000, 501_000, 500_000), (500_500, 501_000, 500_500), (498_000, 499_000, 499_000)]
    {
        assert_eq!(desk.quote(bid, ask).last, last);
    }
    assert_eq!(desk.venue.prices(BTC).unwrap().mark, d("50000"), "mark stays until it is told");
}

#[test]
fn a_resting_order_inside_the_spread_waits_for_the_other_side() {
    let mut desk = hedge_desk();
    desk.quote(499_000, 501_000);
    let order = desk.place(NewOrder::limit(ME, "BTCUSDT", Side::Buy, d("0.01"), d("50000")).on(Long));
    assert_eq!(order.status, OrderStatus::New);
    assert!(!desk.quote(499_500, 500_001).eventful);
    assert!(desk.quote(499_500, 500_000).eventful);
    let filled = desk.order("BTCUSDT", order.order_id);
    assert_eq!((filled.status, filled.avg_price), (OrderStatus::Filled, d("50000")));
}

#[test]
fn a_quote_that_is_none_is_refused() {
    let mut desk = hedge_desk();
    for (bid, ask) in [(0, 10), (500_000, 500_000), (500_001, 500_000), (1, i64::MAX)] {
        assert_eq!(desk.code(Command::Quote { symbol: BTC, bid, ask, last: None, mark: None }), -1130);
    }
}

#[test]
fn a_seeded_leg_costs_nothing_and_realises_against_its_cost() {
    let mut desk = hedge_desk();
    desk.seed(Seed::Wallet { account: ME, asset: "USDT".into(), balance: d("777.5") });
    desk.seed(leg(Long, "0.1", "4900"));
    desk.seed(leg(Short, "0.02", "1020"));
    assert_eq!(
        (desk.position("BTCUSDT", Long).entry_price, desk.qty("BTCUSDT", Short)),
        (d("49000"), d("-0.02"))
    );
    assert_eq!(desk.position("BTCUSDT", Long).unrealized_pnl, d("100"));
    desk.check_money("777.5");
    desk.quote(510_000, 510_001);
    desk.close("BTCUSDT", Long, "0.1");
    // 0.1 × (51,000 − 49,000) less 0.05 % of 5,100
    assert_eq!(desk.wallet(), d("777.5") + d("200") - d("2.55"));
    desk.check_money("777.5");
}

#[test]
fn a_seeded_isolated_leg_has_the_margin_of_its_cost() {
    let mut desk = hedge_desk();
    let symbol = "BTCUSDT".to_owned();
    desk.seed(Seed::Margin { account: ME, symbol, margin_type: MarginType::Isolated, leverage: 10 });
    desk.seed(leg(Long, "0.1", "5000"));
    assert_eq!(desk.position("BTCUSDT", Long).isolated_wallet, d("500"));
    desk.jump(BTC, "45100");
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"), "its margin is used up");
    desk.check_money("10000");
}

#[test]
fn seeded_orders_go_on_under_their_ids() {
    let mut desk = hedge_desk();
    desk.seed(Seed::Ids { from: 1_000_000_000_000_000 });
    desk.seed(leg(Long, "0.1", "5000"));
    let order = NewOrder {
        client_order_id: Some("mine".into()),
        ..NewOrder::limit(ME, "BTCUSDT", Side::Sell, d("0.05"), d("51000")).on(Long)
    };
    desk.seed(Seed::Order { id: 17, order, filled: d("0.02"), due: None, rests: true });
    let algo = NewAlgo { client_algo_id: Some("stop".into()), ..stop_all(Long, "49000") };
    desk.seed(Seed::Algo { id: 18, algo, child: None });
    assert!(desk.events.iter().all(|event| event.account.is_none()), "nobody is told of a beginning");
    desk.move_to(BTC, "51000");
    let filled = desk.order("BTCUSDT", 17);
    assert_eq!(
        (filled.status, filled.executed_qty, filled.client_order_id.as_str()),
        (OrderStatus::Filled, d("0.05"), "mine")
    );
    assert_eq!(desk.qty("BTCUSDT", Long), d("0.07"), "only what was left of it");
    desk.move_to(BTC, "49000");
    assert_eq!(desk.algo(18).status, AlgoStatus::Finished);
    assert_eq!(desk.qty("BTCUSDT", Long), d("0"));
    let trades = desk.venue.user_trades(ME, "BTCUSDT", None, Window::default()).unwrap();
    assert!(trades.iter().all(|trade| trade.trade_id >= 1_000_000_000_000_000), "{trades:?}");
    desk.check_money("10000");
}

#[test]
fn a_promised_execution_happens_as_it_is_seeded() {
    let mut desk = hedge_desk();
    let order = NewOrder::limit(ME, "BTCUSDT", Side::Buy, d("0.1"), d("50100")).on(Long);
    let due = Some(Due { qty: d("0.06"), price: d("50100") });
    desk.seed(Seed::Order { id: 17, order, filled: d("0"), due, rests: false });
    let ended = desk.order("BTCUSDT", 17);
    assert_eq!((ended.status, ended.executed_qty), (OrderStatus::Expired, d("0.06")));
    assert_eq!(desk.position("BTCUSDT", Long).entry_price, d("50100"));
    let child = Child { id: Some(20), qty: d("0.06"), filled: d("0"), due };
    desk.seed(Seed::Algo { id: 19, algo: stop_all(Long, "50000"), child: Some(child) });
    assert_eq!((desk.algo(19).status, desk.qty("BTCUSDT", Long)), (AlgoStatus::Finished, d("0")));
    desk.check_money("10000");
}

#[test]
fn a_log_with_seeds_and_quotes_rebuilds_the_same_exchange() {
    let mut desk = hedge_desk();
    desk.seed(leg(Short, "0.1", "5000"));
    desk.quote(499_000, 499_800);
    desk.close("BTCUSDT", Short, "0.03");
    let text = serde_json::to_string(&desk.log).unwrap();
    let log: Vec<(i64, Command)> = serde_json::from_str(&text).unwrap();
    let mut again = Venue::new(VenueConfig::default());
    for (at_ms, command) in &log {
        again.apply(*at_ms, command, &mut Vec::new()).unwrap();
    }
    assert_eq!(again.state_digest(), desk.venue.state_digest());
}

#[test]
fn what_cannot_have_been_is_not_taken_over() {
    let mut desk = hedge_desk();
    desk.seed(leg(Long, "0.1", "5000"));
    for (seed, expected) in [
        (leg(Long, "0.1", "5000"), "a LONG leg of 0.1 BTCUSDT that cost 5000 cannot be taken over"),
        (leg(Short, "0.0001", "5"), "a SHORT leg of 0.0001"),
        (leg(Short, "0.1", "0"), "a SHORT leg of 0.1"),
        (leg(PositionSide::Both, "0.1", "5000"), "a BOTH leg"),
        (
            Seed::Wallet { account: ME, asset: "USDT".into(), balance: d("0.000000001") },
            "a wallet of 0.000000001",
        ),
        (
            Seed::Margin {
                account: ME,
                symbol: "BTCUSDT".into(),
                margin_type: MarginType::Crossed,
                leverage: 126,
            },
            "a leverage of 126",
        ),
        (
            Seed::Order {
                id: 1,
                order: NewOrder::limit(ME, "BTCUSDT", Side::Buy, d("0.1"), d("50000.01")).on(Long),
                filled: d("0"),
                due: None,
                rests: true,
            },
            "order 1 on BTCUSDT",
        ),
        (
            Seed::Order {
                id: 2,
                order: NewOrder::market(ME, "BTCUSDT", Side::Buy, d("0.1")).on(Long),
                filled: d("0.2"),
                due: None,
                rests: false,
            },
            "order 2 on BTCUSDT",
        ),
    ] {
        let refused = desk.refuse_seed(seed);
        assert!(refused.contains(expected), "{refused}");
    }
}
