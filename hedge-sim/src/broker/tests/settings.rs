//! Settings change the simulation, and nothing else.

use std::time::Duration;

use hedge_core::*;

use super::{
    super::{PaperConfig, Simulation, Start, SymbolSetting},
    bench::*,
};

fn set(margin: MarginMode, leverage: u32) -> PaperConfig {
    let leverage = Leverage::new(leverage).unwrap();
    PaperConfig {
        settings: vec![SymbolSetting { instrument: btc(), margin, leverage }],
        ..PaperConfig::default()
    }
}

fn held() -> Start {
    Start { legs: vec![leg(PositionKey::long(btc()), "1", "100")], ..flat() }
}

#[test]
fn an_unknown_setting_is_taken_to_be_what_is_asked_for_first() {
    let mut sim = simulation(&held());
    assert_eq!(sim.ensure_margin_mode(&btc(), MarginMode::Isolated).unwrap(), Changed::No);
    let leverage = |sim: &mut Simulation, multiple| {
        sim.ensure_leverage(&btc(), Leverage::new(multiple).unwrap()).unwrap()
    };
    assert_eq!(leverage(&mut sim, 5), Changed::No);
    assert_eq!(leverage(&mut sim, 5), Changed::No);
    assert_eq!(leverage(&mut sim, 6), Changed::Yes, "what was asked for first is known now");
    let refused = sim.ensure_margin_mode(&btc(), MarginMode::Crossed).unwrap_err();
    assert_eq!(refused.code(), Some(-4048), "there is a position");
}

#[test]
fn a_known_setting_is_changed_or_refused_as_the_venue_does() {
    let mut sim = Simulation::new(set(MarginMode::Crossed, 20), &specs(), &flat()).unwrap();
    assert_eq!(sim.ensure_margin_mode(&btc(), MarginMode::Crossed).unwrap(), Changed::No);
    assert_eq!(sim.ensure_margin_mode(&btc(), MarginMode::Isolated).unwrap(), Changed::Yes);
    assert_eq!(sim.ensure_leverage(&btc(), Leverage::new(3).unwrap()).unwrap(), Changed::Yes);
    let told = sim.take_events();
    let leverage = Leverage::new(3).unwrap();
    assert!(told.contains(&AccountEvent::LeverageChanged { instrument: btc(), leverage }), "{told:?}");

    let mut sim = Simulation::new(set(MarginMode::Crossed, 20), &specs(), &held()).unwrap();
    let refused = sim.ensure_margin_mode(&btc(), MarginMode::Isolated).unwrap_err();
    assert_eq!((refused.code(), refused.reason()), (Some(-4048), Some(RejectReason::Precondition)));
}

#[test]
fn an_isolated_leg_is_liquidated_from_its_own_margin() {
    let mut sim = Simulation::new(set(MarginMode::Isolated, 10), &specs(), &held()).unwrap();
    let mark = |price: &str, at_ms: i64| MarketEvent::Mark {
        instrument: InstrumentIx(0),
        mark: px(price),
        venue_time: Timestamp::from_ms(at_ms),
    };
    sim.market(&btc(), &mark("100", START_MS + 1));
    assert_eq!(sim.positions().len(), 1);
    sim.market(&btc(), &mark("89", START_MS + 2));
    assert!(sim.positions().is_empty(), "its 10 USDT are gone, the wallet has 10,000");
    let wallet = sim.account().balances[0].wallet.get();
    assert!(wallet >= d("9989") && wallet < d("9991"), "{wallet}");
}

#[test]
fn a_countdown_cancels_plain_orders_in_the_venues_time() {
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
    assert_eq!(bench.sim.open_orders().len(), 2);
    bench.sim.dead_man(&btc(), Some(Duration::from_secs(30))).unwrap();
    bench.wait(Duration::from_secs(20));
    bench.mark("100");
    assert_eq!(bench.sim.open_orders().len(), 2);
    bench.sim.dead_man(&btc(), Some(Duration::from_secs(30))).unwrap();
    bench.wait(Duration::from_secs(20));
    bench.mark("100");
    assert_eq!(bench.sim.open_orders().len(), 2, "it was renewed");
    bench.wait(Duration::from_secs(20));
    bench.mark("100");
    let left = bench.sim.open_orders();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].kind, ReportedKind::StopMarket, "the stop stays");
}

#[test]
fn a_symbol_that_stops_trading_takes_closes_only() {
    let mut bench = Bench::new(&flat());
    bench.mark("100");
    bench.open(PositionKey::long(btc()), "1", "95");
    let mut changed = specs();
    changed[0].status = InstrumentStatus::NotTrading("PRE_SETTLE".to_owned());
    bench.sim.refresh(&changed);
    bench.open(PositionKey::short(btc()), "1", "105");
    assert!(!bench.leg(PositionKey::short(btc())).is_open());
    bench.want(Intent::close(PositionKey::long(btc()), "test"));
    assert!(bench.sim.positions().is_empty());
}

#[test]
fn all_orders_of_a_space_can_be_cancelled_at_once() {
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
    bench.sim.cancel_all(&btc(), OrderSpaces::Plain).unwrap();
    assert_eq!(bench.sim.open_orders()[0].kind, ReportedKind::StopMarket);
    bench.sim.cancel_all(&btc(), OrderSpaces::Both).unwrap();
    assert!(bench.sim.open_orders().is_empty());
}
