//! A strategy of your own in a backtest on generated bars: `cargo run -p hedge-examples --example custom_strategy`.
use std::{error::Error, sync::Arc};

use hedge_core::*;
use hedge_sim::backtest::{Backtest, BacktestConfig, Instruments};
use hedge_sim::market::GeneratedMarket;

/// Three closes in one direction open that leg, behind a stop 1 % away; three against it close it.
#[derive(Debug)]
struct ThreeInARow {
    id: StrategyId,
    instrument: InstrumentId,
    capital: Notional,
    closes: Vec<i64>,
}

impl Strategy for ThreeInARow {
    fn id(&self) -> StrategyId {
        self.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: self.instrument, interval: Interval::M15, warmup_bars: 4 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let (StrategyEvent::History { bar, .. } | StrategyEvent::Bar { bar, .. }) = event else { return };
        self.closes.push(bar.close);
        let Some([a, b, c, d]) = self.closes.last_chunk() else { return };
        let steps = [b - a, c - b, d - c];
        let with = |side: &PositionSide| steps.iter().all(|step| step * side.sign() > 0);
        let Some(side) = PositionSide::BOTH.into_iter().find(with) else { return };
        let other = PositionKey::new(self.instrument, side.opposite());
        if view.leg(&other).is_some() {
            out.want(Intent::close(other, "three closes against it"));
        }
        let leg = PositionKey::new(self.instrument, side);
        let away = Ratio::new(Decimal::new(-side.sign(), 2)).ok(); // 1 % on the losing side
        let stop = bar.close_price().zip(away).and_then(|(close, away)| close.moved_by(away).ok());
        if let (Some(stop), true) = (stop, view.is_free(&leg)) {
            out.want(Intent::open(leg, Size::Notional(self.capital), stop, "three closes in a row"));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let symbol = Symbol::parse("BTCUSDT")?;
    let (interval, new_year_ms) = (Interval::M15, 1_767_225_600_000);
    let data = GeneratedMarket::built_in(7).data_set(&[symbol], interval, new_year_ms, 2_000, 100)?;
    let rules = Instruments::built_in(&data)?.rules;
    let (id, instrument) = (StrategyId::parse("three_in_a_row")?, InstrumentId::new(Venue::Binance, symbol));
    let strategy = ThreeInARow { id, instrument, capital: Notional::new(500.into())?, closes: Vec::new() };
    let config = EngineConfig { journal_market: false, ..Default::default() };
    let engine = Engine::new(config, Box::new(PermitAll), vec![Box::new(strategy)]);
    let config = BacktestConfig { history: 100, ..Default::default() };
    let mut backtest = Backtest::new(engine, Arc::new(data), rules, &config)?;
    backtest.run(&mut ())?;
    println!("{}", serde_json::to_string_pretty(&backtest.summary()?)?);
    Ok(())
}
