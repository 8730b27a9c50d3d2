//! What real prices do to a simulated account.

use std::time::Duration;

use hedge_core::*;

use super::{super::Start, bench::*};

fn fills(bench: &Bench) -> Vec<(OrderSide, String, String)> {
    let fills = bench.sim.fills_since(&btc(), Timestamp::EPOCH);
    fills.iter().map(|fill| (fill.order_side, fill.qty.to_string(), fill.price.to_string())).collect()
}

#[test]
fn an_entry_buys_at_the_ask_and_a_close_sells_at_the_bid() {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.book("99.9", "100.2");
    bench.open(PositionKey::long(btc()), "1", "95");
    bench.book("101.4", "101.6");
    bench.mark("101.5");
    bench.want(Intent::close(PositionKey::long(btc()), "test"));
    assert_eq!(
        fills(&bench),
        [
            (OrderSide::Buy, "1".to_owned(), "100.2".to_owned()),
            (OrderSide::Sell, "1".to_owned(), "101.4".to_owned()),
        ]
    );
    // 10000 + (101.4 − 100.2) − 0.05 % of 201.6
    assert_eq!(bench.engine.book().equity(), d("10001.0992"));
    assert_eq!(bench.differences(), []);
}

#[test]
fn a_large_order_finds_enough_at_the_best_price() {
    let mut bench = Bench::new(&Start { wallets: vec![(Asset::usdt(), d("10000000"))], ..flat() });
    bench.mark("100");
    bench.book("99.9", "100.1");
    bench.open(PositionKey::short(btc()), "99", "105");
    assert_eq!(fills(&bench), [(OrderSide::Sell, "99".to_owned(), "99.9".to_owned())]);
}

#[test]
fn without_a_book_an_order_fills_half_a_spread_from_the_mark() {
    let mut bench = Bench::new(&flat());
    bench.mark("50000");
    bench.open(PositionKey::long(btc()), "0.01", "49000");
    // One basis point of 50,000 is 5.
    assert_eq!(fills(&bench), [(OrderSide::Buy, "0.01".to_owned(), "50005".to_owned())]);
}

#[test]
fn a_book_that_has_fallen_silent_counts_no_longer() {
    let mut bench = Bench::new(&flat());
    bench.mark("50000");
    bench.book("49990", "50010");
    bench.wait(Duration::from_secs(11));
    bench.mark("60000");
    bench.open(PositionKey::long(btc()), "0.01", "58000");
    assert_eq!(fills(&bench), [(OrderSide::Buy, "0.01".to_owned(), "60006".to_owned())]);
}

#[test]
fn nothing_can_be_ordered_before_the_first_price() {
    let mut bench = Bench::new(&Start { legs: vec![leg(PositionKey::long(btc()), "1", "100")], ..flat() });
    assert_eq!(bench.leg(PositionKey::long(btc())).qty, d("1"));
    let close = bench.close_order("1", &Exit::Market);
    let refused = bench.sim.submit(close.get().order()).unwrap_err();
    assert_eq!(refused.outcome(), Outcome::NotSent);
    assert!(refused.to_string().contains("no price of BTCUSDT has come in yet"), "{refused}");
    let stop = bench.close_order("1", &Exit::StopMarket { trigger: px("90"), by: TriggerBy::Mark });
    assert_eq!(bench.sim.submit(stop.get().order()).unwrap().state, ReportedState::Working, "it only waits");
}

#[test]
fn a_stop_fires_on_the_mark_and_sells_at_the_bid() {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.book("99.9", "100.1");
    bench.open(PositionKey::long(btc()), "1", "95");
    assert_eq!(bench.sim.open_orders().len(), 1, "its stop");
    bench.book("94", "94.2");
    assert_eq!(fills(&bench).len(), 1, "prints alone do not fire it");
    bench.mark("95");
    assert_eq!(fills(&bench)[1], (OrderSide::Sell, "1".to_owned(), "94".to_owned()));
    assert!(!bench.leg(PositionKey::long(btc())).is_open());
    assert_eq!((bench.sim.open_orders().len(), bench.differences()), (0, Vec::new()));
}

#[test]
fn a_resting_close_fills_at_its_own_price_once_the_other_side_has_come() {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.book("99.9", "100.1");
    bench.open(PositionKey::long(btc()), "1", "95");
    bench.want(Intent::Close {
        position: PositionKey::long(btc()),
        portion: Portion::All,
        exit: Exit::Limit { price: px("101"), tif: Tif::Gtc },
        because: "test".into(),
    });
    bench.book("100.9", "101.2");
    assert_eq!(fills(&bench).len(), 1, "the ask has passed it, and nobody buys from us there");
    bench.book("101", "101.2");
    assert_eq!(fills(&bench)[1], (OrderSide::Sell, "1".to_owned(), "101".to_owned()));
    assert_eq!(bench.differences(), []);
}

#[test]
fn funding_is_charged_once_at_its_time_with_the_last_announced_rate() {
    let settles_at = Timestamp::from_ms(START_MS).plus(Duration::from_secs(60));
    let later = settles_at.plus(Duration::from_secs(8 * 3_600));
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.funding("0.0001", settles_at);
    bench.open(PositionKey::long(btc()), "1", "95");
    let before = bench.engine.book().wallet(&Asset::usdt());
    bench.funding("0.0002", settles_at);
    bench.wait(Duration::from_secs(61));
    assert_eq!(bench.engine.book().wallet(&Asset::usdt()), before, "nothing was heard of the time yet");
    bench.mark("200");
    bench.funding("0.5", later);
    bench.mark("200");
    // 1 × 100 × 0.02 %: the mark that stood when the time came.
    assert_eq!(bench.engine.book().wallet(&Asset::usdt()), before - d("0.02"));
    assert_eq!(bench.engine.book().totals().funding, d("-0.02"));
    let flows = bench.sim.cash_flows_since(Timestamp::EPOCH);
    assert_eq!(flows.len(), 1, "{flows:?}");
    assert_eq!((bench.differences(), bench.corrections()), (Vec::new(), Vec::new()));
}

#[test]
fn funding_is_charged_too_when_the_next_settlement_is_announced_before_a_price() {
    let settles_at = Timestamp::from_ms(START_MS).plus(Duration::from_secs(30));
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.open(PositionKey::short(btc()), "1", "105");
    bench.funding("0.0001", settles_at);
    bench.funding("0.0003", settles_at.plus(Duration::from_secs(8 * 3_600)));
    assert_eq!(bench.engine.book().totals().funding, d("0.01"), "a short leg receives");
}

#[test]
fn a_settlement_that_is_put_off_is_not_charged_early() {
    let settles_at = Timestamp::from_ms(START_MS).plus(Duration::from_secs(4 * 3_600));
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.open(PositionKey::short(btc()), "1", "105");
    bench.funding("0.0001", settles_at);
    bench.funding("0.0001", settles_at.plus(Duration::from_secs(4 * 3_600)));
    assert_eq!(bench.engine.book().totals().funding, d("0"));
}

#[test]
fn an_account_that_cannot_hold_its_legs_is_liquidated_by_the_exchanges_rules() {
    let held = vec![leg(PositionKey::long(btc()), "10", "1000")];
    let mut bench = Bench::new(&Start { wallets: vec![(Asset::usdt(), d("500"))], legs: held, ..flat() });
    bench.mark("1000");
    assert!(bench.leg(PositionKey::long(btc())).is_open());
    bench.mark("951");
    bench.wait(Duration::from_secs(30));
    assert!(!bench.leg(PositionKey::long(btc())).is_open());
    assert!(bench.sim.positions().is_empty());
    assert_eq!(bench.differences(), []);
    assert!(bench.engine.book().wallet(&Asset::usdt()) >= Decimal::ZERO, "the insurance covers the rest");
}

#[test]
fn bars_are_prices_where_there_is_no_other() {
    let mut bench = Bench::new(&flat());
    let bar = Bar {
        open_time: Timestamp::from_ms((START_MS / 900_000 - 1) * 900_000),
        interval: Interval::M15,
        open: 1_000,
        high: 1_000,
        low: 1_000,
        close: 1_000,
        price_scale: 1,
        volume: 1,
        volume_scale: 0,
    };
    bench.sim.market(&btc(), &MarketEvent::Bar { instrument: InstrumentIx(0), bar });
    bench.deliver(MarketEvent::Bar { instrument: InstrumentIx(0), bar });
    bench.open(PositionKey::long(btc()), "1", "95");
    assert_eq!(fills(&bench), [(OrderSide::Buy, "1".to_owned(), "100.1".to_owned())]);
}

#[test]
fn prices_that_no_exchange_can_hold_are_passed_over() {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.book("100.1", "99.9");
    bench.book("99.9", "100.1");
    bench.open(PositionKey::long(btc()), "1", "95");
    assert_eq!(fills(&bench), [(OrderSide::Buy, "1".to_owned(), "100.1".to_owned())]);
}

#[test]
fn the_same_market_gives_the_same_journal() {
    let play = || {
        let mut bench = Bench::new(&flat());
        for price in ["100", "101", "99", "94", "96"] {
            bench.mark(price);
            bench.open(PositionKey::long(btc()), "0.5", "93.5");
            bench.open(PositionKey::short(btc()), "0.3", "104");
        }
        serde_json::to_string(&bench.journal).unwrap()
    };
    assert_eq!(play(), play());
}
