//! Where a simulated account begins.

use hedge_core::*;

use super::{
    super::{PaperConfig, PaperError, Simulation, Start, rules_of},
    bench::*,
};
use crate::backtest::spec_of;

fn account(mode: PositionMode) -> AccountSnapshot {
    AccountSnapshot {
        venue_time: Timestamp::from_ms(START_MS),
        balances: [("USDT", "1234.56789012"), ("BNB", "0.5")]
            .map(|(asset, wallet)| Balance {
                asset: Asset::parse(asset).unwrap(),
                wallet: SignedAmount::parse(wallet).unwrap(),
                available: None,
            })
            .to_vec(),
        mode,
        multi_assets: false,
        can_trade: Some(true),
        can_withdraw: Some(true),
    }
}

fn position(key: PositionKey, qty: &str, entry: &str, mark: &str) -> Position {
    Position::new(key, Qty::parse(qty).unwrap(), px(entry)).with_prices(Some(px(mark)), None)
}

#[test]
fn it_begins_with_the_accounts_wallets_and_both_legs() {
    let held = [
        position(PositionKey::long(btc()), "2", "100.123456789", "110"),
        position(PositionKey::short(btc()), "0.5", "120", "110"),
        position(PositionKey::short(eth()), "3", "10", "9"),
    ];
    let start = Start::of_account(&account(PositionMode::Hedge), &held);
    let mut sim = Simulation::new(PaperConfig::default(), &specs(), &start).unwrap();
    let snapshot = sim.account();
    let wallets: Vec<_> =
        snapshot.balances.iter().map(|row| (row.asset.to_string(), row.wallet.to_string())).collect();
    assert_eq!(
        wallets,
        [("USDT".to_owned(), "1234.56789012".to_owned()), ("BNB".to_owned(), "0.5".to_owned())]
    );
    assert_eq!((snapshot.mode, snapshot.can_withdraw), (PositionMode::Hedge, Some(true)));
    let rows: Vec<_> = sim
        .positions()
        .iter()
        .map(|leg| (leg.key().to_string(), leg.qty().to_string(), leg.entry().to_string()))
        .collect();
    let row = |key: &str, qty: &str, entry: &str| (key.to_owned(), qty.to_owned(), entry.to_owned());
    assert_eq!(
        rows,
        [
            row("BTCUSDT LONG", "2", "100.12345679"),
            row("BTCUSDT SHORT", "0.5", "120"),
            row("ETHUSDT SHORT", "3", "10"),
        ]
    );
    assert!(sim.take_events().is_empty(), "a beginning is no event");
    assert!(sim.fills_since(&btc(), Timestamp::EPOCH).is_empty());
    assert!(sim.cash_flows_since(Timestamp::EPOCH).is_empty());
}

#[test]
fn the_engine_takes_the_accounts_equity_for_its_start() {
    let held = [position(PositionKey::long(btc()), "2", "100", "110")];
    let bench = Bench::new(&Start::of_account(&account(PositionMode::Hedge), &held));
    // 1,234.56789012 + 2 × (110 − 100)
    assert_eq!(bench.engine.book().totals().nav_start, d("1254.56789012"));
}

#[test]
fn a_leg_of_somebody_else_gets_its_stop_in_the_simulation() {
    let held = [position(PositionKey::long(btc()), "2", "100", "110")];
    let mut bench = Bench::new(&Start::of_account(&account(PositionMode::Hedge), &held));
    bench.mark("110");
    let stops = bench.sim.open_orders();
    assert_eq!(stops.len(), 1);
    assert_eq!((stops[0].covers, &stops[0].kind), (Coverage::WholeLeg, &ReportedKind::StopMarket));
    assert!(bench.engine.book().is_protected(&PositionKey::long(btc())));
    assert_eq!(bench.differences(), []);
}

#[test]
fn closing_a_taken_over_leg_realises_against_its_entry_price() {
    let held = [position(PositionKey::long(btc()), "2", "100", "110")];
    let mut bench = Bench::new(&Start::of_account(&account(PositionMode::Hedge), &held));
    bench.mark("110");
    bench.book("110", "110.1");
    bench.flatten();
    // 1,234.56789012 + 20 − 0.05 % of 220
    assert_eq!(bench.engine.book().wallet(&Asset::usdt()), d("1254.45789012"));
    assert_eq!((bench.differences(), bench.corrections()), (Vec::new(), Vec::new()));
}

#[test]
fn a_one_way_account_without_positions_is_switched_in_the_simulation_only() {
    let start = Start::of_account(&account(PositionMode::Net), &[]);
    let mut sim = Simulation::new(PaperConfig::default(), &specs(), &start).unwrap();
    assert_eq!(sim.account().mode, PositionMode::Net);
    assert_eq!(sim.ensure_position_mode(PositionMode::Hedge).unwrap(), Changed::Yes);
    assert_eq!(sim.ensure_position_mode(PositionMode::Hedge).unwrap(), Changed::No);
    assert_eq!(sim.account().mode, PositionMode::Hedge);
}

#[test]
fn what_cannot_be_simulated_is_named() {
    let gone = PositionKey::long(InstrumentId::binance("LUNAUSDT").unwrap());
    let dust = PositionKey::long(btc());
    for (held, expected) in [
        (leg(gone, "1", "100"), "cannot take over LUNAUSDT LONG: the venue does not list it"),
        (leg(dust, "0.0005", "100"), "cannot take over BTCUSDT LONG: a LONG leg of 0.0005"),
    ] {
        let start = Start { legs: vec![held], ..flat() };
        let error = Simulation::new(PaperConfig::default(), &specs(), &start).unwrap_err();
        assert!(matches!(error, PaperError::Unusable { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn rules_say_what_the_specification_says_and_permit_the_rest() {
    let mut spec = spec(btc());
    let rules = rules_of(&spec).unwrap();
    assert_eq!(spec_of(&rules).unwrap(), spec, "nothing is lost");
    assert_eq!((rules.max_num_orders, rules.market_take_bound, rules.trigger_protect), (None, None, None));
    assert_eq!(rules.max_leverage(), 125);
    assert!(rules.max_notional(125) >= d("1000000000000"), "no notional is too large");
    let small = rules.bracket(d("40000")).unwrap().maint_ratio;
    let large = rules.bracket(d("40000000")).unwrap().maint_ratio;
    assert!(small < large, "maintenance grows with the position");
    spec.contract_size = d("10");
    let error = rules_of(&spec).unwrap_err().to_string();
    assert_eq!(error, "instrument BTCUSDT: a contract is 10 base units, only 1 is simulated");
}

#[test]
fn later_simulations_never_give_an_id_again() {
    let ids = |at_ms: i64| {
        let start = Start { at: Timestamp::from_ms(at_ms), ..flat() };
        let mut bench = Bench::new(&start);
        bench.mark("100");
        bench.open(PositionKey::long(btc()), "1", "95");
        let fill = bench.sim.fills_since(&btc(), Timestamp::EPOCH).remove(0);
        let OrderRef::Algo { id, .. } = bench.sim.open_orders().remove(0).order else { panic!("a stop") };
        (fill.trade_id.0, fill.order.0, id.0)
    };
    let (first, second) = (ids(START_MS), ids(START_MS + 1_000));
    assert!(first.0 < second.0 && first.1 < second.1 && first.2 < second.2, "{first:?} {second:?}");
    assert!(second.2 < 1 << 53, "readable everywhere");
}
