//! The engine against the pure exchange: protection, hedge legs, conservation of money, repeatability.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use hedge_core::{
    Bar, Bps, DataNeed, Decimal, Engine, EngineConfig, InstrumentId, Intent, Interval, Notional, Output,
    PermitAll, PositionKey, PositionSide, Price, Ratio, Size, Strategy, StrategyEvent, StrategyId,
    StrategyView, Symbol,
};
use hedge_sim::{
    backtest::{Backtest, BacktestConfig, Instruments, Summary},
    market::GeneratedMarket,
};

/// Opens the leg in whose direction the last bars went, once it is free; never looks at the other leg.
#[derive(Debug)]
struct Follow {
    instrument: InstrumentId,
    last: Option<f64>,
    bars: u64,
}

impl Strategy for Follow {
    fn id(&self) -> StrategyId {
        StrategyId::parse(&format!("follow_{}", self.instrument.symbol)).unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: self.instrument, interval: Interval::M15, warmup_bars: 10 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let StrategyEvent::Bar { bar, .. } = event else { return };
        self.bars += 1;
        let rising = self.last.is_some_and(|last| bar.close_f64() > last);
        self.last = Some(bar.close_f64());
        if !self.bars.is_multiple_of(3) {
            return;
        }
        let side = if rising { PositionSide::Long } else { PositionSide::Short };
        let leg = PositionKey::new(self.instrument, side);
        if view.is_free(&leg) {
            out.want(Intent::open(leg, Size::Notional(usdt(600)), stop(bar, side), "follows the last bar"));
        }
    }
}

fn usdt(amount: i64) -> Notional {
    Notional::new(Decimal::from(amount)).unwrap()
}

fn stop(bar: &Bar, side: PositionSide) -> Price {
    let away = Bps::new(Decimal::from(40 * -side.sign())).unwrap().ratio();
    bar.close_price().unwrap().moved_by(Ratio::new(away.get()).unwrap()).unwrap()
}

fn run(seed: u64) -> (Summary, Backtest) {
    let mut backtest = prepared(seed);
    backtest.run(&mut ()).unwrap();
    (backtest.summary().unwrap(), backtest)
}

fn prepared(seed: u64) -> Backtest {
    let symbols: Vec<Symbol> = ["BTCUSDT", "ETHUSDT"].iter().map(|s| Symbol::parse(s).unwrap()).collect();
    let mut market = GeneratedMarket::built_in(seed);
    let data = Arc::new(market.data_set(&symbols, Interval::M15, 1_767_225_600_000, 600, 20).unwrap());
    let rules = Instruments::built_in(&data).unwrap().rules;
    let strategies = symbols
        .iter()
        .map(|symbol| -> Box<dyn Strategy> {
            let instrument = InstrumentId::binance(symbol.as_str()).unwrap();
            Box::new(Follow { instrument, last: None, bars: 0 })
        })
        .collect();
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let engine = Engine::new(config, Box::new(PermitAll), strategies);
    let config = BacktestConfig { history: 20, ..BacktestConfig::default() };
    Backtest::new(engine, data, rules, &config).unwrap()
}

#[test]
fn both_legs_of_a_symbol_are_held_at_once_and_every_open_leg_has_a_stop() {
    let (summary, backtest) = run(7);
    assert!(summary.fills > 50, "{summary:?}");
    assert!(summary.hedged_bars > 20, "{summary:?}");
    for leg in backtest.engine().book().open_legs() {
        assert!(leg.unprotected_since.is_none(), "{leg:?}");
    }
}

#[test]
fn money_is_conserved_to_the_last_digit() {
    let (s, backtest) = run(11);
    assert_eq!(s.nav_start + s.realised + s.unrealised - s.fees_paid + s.funding_net, s.nav_end);
    assert!(!s.funding_net.is_zero() && !s.fees_paid.is_zero());
    let assets = backtest.venue().assets(hedge_sim::venue::AccountId(0)).unwrap();
    let wallet: Decimal = assets.iter().filter(|a| a.asset == "USDT").map(|a| a.wallet_balance).sum();
    assert_eq!(wallet + s.unrealised, s.nav_end, "the book and the exchange agree");
}

#[test]
fn the_same_backtest_gives_the_same_journal() {
    let (first, _) = run(3);
    let (second, _) = run(3);
    assert_eq!(first, second);
    assert_ne!(first.journal_sha256, run(4).0.journal_sha256);
}

#[test]
fn forgetting_records_on_the_way_changes_no_figure_but_the_hash() {
    let (whole, all) = run(3);
    let mut backtest = prepared(3);
    let mut steps = 0_u32;
    while backtest.advance(&mut ()).unwrap() {
        steps += 1;
        if steps.is_multiple_of(100) {
            backtest.forget_records();
        }
    }
    let forgot = backtest.summary().unwrap();
    assert!(backtest.records().unwrap().len() < all.records().unwrap().len() / 10);
    assert_ne!(forgot.journal_sha256, whole.journal_sha256);
    assert_eq!(
        Summary { journal_sha256: String::new(), ..forgot },
        Summary { journal_sha256: String::new(), ..whole }
    );
    assert_eq!(backtest.vetoes(), all.vetoes());
}
