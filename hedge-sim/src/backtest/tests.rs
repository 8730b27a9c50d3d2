//! Leaping over quiet bars must be the same as walking through them.

use std::sync::Arc;

use hedge_core::{
    Bps, DataNeed, Decimal, Engine, EngineConfig, Entry, Envelope, Exit, InstrumentId, Intent, Interval,
    Leverage, Notional, Output, PermitAll, Portion, PositionKey, PositionSide, Price, Protection, Ratio,
    Size, Step, Strategy, StrategyEvent, StrategyId, StrategyView, Symbol, Tif, TriggerBy,
};
use proptest::prelude::*;

use super::{Backtest, BacktestConfig, Instruments, Observer};
use crate::market::{DataSet, GeneratedMarket, Series};

/// Does anything that a strategy can do, as a seed says.
#[derive(Debug)]
struct Restless {
    instrument: InstrumentId,
    word: u64,
    /// One bar in this many is acted on.
    calm: u64,
    usdt: i64,
}

impl Restless {
    fn draw(&mut self, below: u64) -> u64 {
        self.word = self.word.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.word >> 33) % below
    }

    /// A price up to `most_bps` away from `from` in the direction of `sign`.
    fn near(&mut self, from: Price, sign: i64, most_bps: u64) -> Price {
        let bps = 5 + self.draw(most_bps) as i64;
        from.moved_by(Ratio::new(Decimal::new(sign * bps, 4)).unwrap()).unwrap()
    }
}

impl Strategy for Restless {
    fn id(&self) -> StrategyId {
        StrategyId::parse(&format!("restless_{}", self.instrument.symbol).to_lowercase()).unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: self.instrument, interval: Interval::M15, warmup_bars: 5 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let StrategyEvent::Bar { bar, .. } = event else { return };
        if self.draw(self.calm) > 0 {
            return;
        }
        let close = bar.close_price().unwrap();
        let side = PositionSide::BOTH[self.draw(2) as usize];
        let position = PositionKey::new(self.instrument, side);
        let because = "restless".into();
        let held = view.leg(&position).is_some();
        out.want(match (held, self.draw(4)) {
            (true, 0) => Intent::close(position, "restless"),
            (true, 1) => {
                let price = self.near(close, side.sign(), 80);
                let exit = Exit::Limit { price, tif: Tif::Gtc };
                Intent::Close { position, portion: Portion::All, exit, because }
            }
            (true, 2) => Intent::Protect { position, trigger: self.near(close, -side.sign(), 150), because },
            (true, _) => {
                let callback = Bps::new(Decimal::from(20 + self.draw(100))).unwrap();
                let exit = Exit::TrailingStop { activate: None, callback, by: TriggerBy::Last };
                Intent::Close { position, portion: Portion::All, exit, because }
            }
            (false, kind) => {
                let entry = match kind {
                    0 => Entry::Market,
                    1 => Entry::Limit {
                        price: self.near(close, -side.sign(), 60),
                        tif: Tif::Gtd { until: view.now.plus(std::time::Duration::from_secs(3_600)) },
                    },
                    _ => Entry::Limit { price: self.near(close, -side.sign(), 60), tif: Tif::Gtc },
                };
                let protection = match self.draw(3) {
                    0 => Protection::Unprotected { because: "on purpose".into() },
                    _ => {
                        let trigger = self.near(close, -side.sign(), 200);
                        Protection::Stop { trigger, take_profits: Vec::new() }
                    }
                };
                let size = Size::Notional(Notional::new(Decimal::from(self.usdt)).unwrap());
                Intent::Open { position, size, entry, protection, because }
            }
        });
    }
}

fn data(seed: u64, symbols: usize, holes: bool) -> Arc<DataSet> {
    let names = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
    let symbols: Vec<Symbol> = names[..symbols].iter().map(|name| Symbol::parse(name).unwrap()).collect();
    let mut market = GeneratedMarket::built_in(seed);
    let whole = market.data_set(&symbols, Interval::M15, 1_767_225_600_000, 500, 10).unwrap();
    if !holes {
        return Arc::new(whole);
    }
    let pierced = whole.series.iter().zip([41, 67, 97]).map(|(series, every)| {
        let bars = series.bars.iter().enumerate().filter(|(at, _)| (at + 7) % every > 3);
        Series { bars: bars.map(|(_, bar)| *bar).collect(), ..series.clone() }
    });
    Arc::new(DataSet::new(Interval::M15, pierced.collect(), whole.funding.clone()).unwrap())
}

fn backtest(data: &Arc<DataSet>, seed: u64, calm: u64, balance: i64, usdt: i64) -> Backtest {
    let rules = Instruments::built_in(data).unwrap().rules;
    let strategies = data.symbols().zip(1..).map(|(symbol, nth)| -> Box<dyn Strategy> {
        let instrument = InstrumentId::binance(symbol.as_str()).unwrap();
        Box::new(Restless { instrument, word: seed.wrapping_mul(nth), calm, usdt })
    });
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let engine = Engine::new(config, Box::new(PermitAll), strategies.collect());
    let config = BacktestConfig {
        history: 10,
        balance_usdt: Decimal::from(balance),
        leverage: vec![Leverage::new(50).unwrap(); rules.len()],
        ..BacktestConfig::default()
    };
    Backtest::new(engine, Arc::clone(data), rules, &config).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Small accounts with large orders meet margin calls and liquidations on their way.
    #[test]
    fn leaping_over_quiet_bars_is_walking_through_them(
        seed in any::<u64>(),
        symbols in 1usize..=3,
        holes in any::<bool>(),
        calm in prop_oneof![Just(1u64), Just(6), Just(40)],
        (balance, usdt) in prop_oneof![Just((100_000i64, 900i64)), Just((400, 4_000)), Just((150, 3_000))],
    ) {
        let data = data(seed % 50, symbols, holes);
        let mut leaping = backtest(&data, seed, calm, balance, usdt);
        let mut walking = backtest(&data, seed, calm, balance, usdt);
        walking.walk_fully();
        leaping.run(&mut ()).unwrap();
        walking.run(&mut ()).unwrap();
        prop_assert_eq!(leaping.venue().state_digest(), walking.venue().state_digest());
        let first_difference = leaping.records().unwrap().iter().zip(walking.records().unwrap()).find(|(a, b)| a != b);
        prop_assert_eq!(first_difference, None);
        prop_assert_eq!(leaping.summary().unwrap(), walking.summary().unwrap());
        prop_assert!(leaping.leaps() > 0);
    }
}

/// Writes down every record as the engine made it.
#[derive(Default)]
struct Clerk(Vec<Envelope>);

impl Observer for Clerk {
    fn on_step(&mut self, _: &Engine, step: &Step) {
        self.0.extend(step.events.iter().cloned());
    }
}

#[test]
fn the_records_that_are_read_are_those_that_the_engine_made() {
    let data = data(7, 3, false);
    for seed in 1..=4 {
        let mut busy = backtest(&data, seed, 3, 400, 4_000);
        let mut clerk = Clerk::default();
        let begun = busy.record_count();
        busy.run(&mut clerk).unwrap();
        let text = |records: &[Envelope]| serde_json::to_string(records).unwrap();
        assert_eq!(text(&busy.records().unwrap()[begun..]), text(&clerk.0));
        assert!(busy.each_record().map(Result::unwrap).eq(busy.records().unwrap().iter().cloned()));
        assert_eq!(busy.record_count(), busy.records().unwrap().len());
        busy.forget_records();
        assert_eq!((busy.records().unwrap(), busy.each_record().count()), (&[] as &[Envelope], 0));
    }
}

#[test]
fn the_restless_strategy_does_what_it_is_here_for() {
    let data = data(7, 2, false);
    let mut told = String::new();
    for seed in 1..=4 {
        let mut busy = backtest(&data, seed, 1, 150, 3_000);
        busy.run(&mut ()).unwrap();
        told += &format!("{:?}", busy.records().unwrap());
    }
    for word in ["TrailingStop", "Gtd", "MarginCall", "Liquidation", "Protect"] {
        assert!(told.contains(word), "{word}");
    }
    let mut calm = backtest(&data, 7, 40, 100_000, 900);
    calm.run(&mut ()).unwrap();
    assert!(
        calm.leaps() > 200 && calm.summary().unwrap().orders > 10,
        "{} {:?}",
        calm.leaps(),
        calm.summary()
    );
}
