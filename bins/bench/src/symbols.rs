//! What a bar costs when many symbols are traded on one account: the same total of bars, shared out among more symbols.

use std::sync::Arc;

use hedge_core::{Bar, Engine, EngineConfig, InstrumentId, Interval, Strategy, Symbol, Timestamp, Venue};
use hedge_sim::{
    backtest::{Backtest, BacktestConfig, Instruments},
    market::{DataSet, Series},
    venue::InstrumentRules,
};
use serde_json::json;

use crate::{
    bars::{Cross, account},
    figure::{ours, print},
    replay::{measure, wide_risk},
};

const BARS: usize = 500_000;
/// So much above that of 500 symbols fewer are held at a time than may be.
const MARGIN_PPM: i64 = 1_000;
const FROM_MS: i64 = 1_700_000_040_000;

pub(crate) fn run(counts: &[u16]) -> Result<(), String> {
    for symbols in counts.iter().map(|count| usize::from(*count)) {
        let mut backtest = backtest(symbols, BARS)?;
        let measured = measure(&mut backtest)?;
        let summary = backtest.summary().map_err(|error| error.to_string())?;
        let more = [
            ("symbols", json!(symbols)),
            ("orders", json!(summary.orders)),
            ("fills", json!(summary.fills)),
            ("allocs", json!(measured.allocations)),
        ];
        print("symbols", ours(), "bar", measured.wall * 1e9 / BARS as f64, "ns/bar", BARS, &more);
    }
    Ok(())
}

/// So many bars in all, shared out among so many symbols.
pub(crate) fn backtest(symbols: usize, bars: usize) -> Result<Backtest, String> {
    let names = (0..symbols).map(|at| Symbol::parse(&format!("S{at:03}USDT")));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let series = names.iter().enumerate().map(|(at, symbol)| wander(*symbol, at as u64, bars / symbols));
    let data = DataSet::new(Interval::M1, series.collect(), Vec::new()).map_err(|error| error.to_string())?;
    let strategies = names.iter().enumerate().map(|(at, symbol)| -> Result<Box<dyn Strategy>, String> {
        Ok(Box::new(Cross::new(
            &format!("cross_{at:03}"),
            InstrumentId::new(Venue::Binance, *symbol),
            MARGIN_PPM,
        )?))
    });
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let engine = Engine::new(config, wide_risk()?, strategies.collect::<Result<_, _>>()?);
    let pattern = Instruments::built_in_of([Symbol::parse("BTCUSDT").map_err(|error| error.to_string())?]);
    let pattern = pattern.map_err(|error| error.to_string())?.rules.into_iter().next();
    let pattern = pattern.ok_or("no rules to make others from")?;
    let rules = names.iter().map(|name| InstrumentRules {
        symbol: name.to_string(),
        pair: name.to_string(),
        ..pattern.clone()
    });
    Backtest::new(engine, Arc::new(data), rules.collect(), &BacktestConfig { history: 20, ..account() })
        .map_err(|error| error.to_string())
}

/// A random walk of its own for each symbol.
fn wander(symbol: Symbol, seed: u64, bars: usize) -> Series {
    let mut word = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut step = |most: i64| {
        word = word.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (word >> 40) as i64 % (2 * most + 1) - most
    };
    let mut price = 600_000;
    let bars = (0..bars as i64).map(|at| {
        let (open, close) = (price, (price + step(420)).clamp(300_000, 1_200_000));
        price = close;
        Bar {
            open_time: Timestamp::from_ms(FROM_MS + at * 60_000),
            interval: Interval::M1,
            open,
            high: open.max(close) + step(100).abs(),
            low: open.min(close) - step(100).abs(),
            close,
            price_scale: 1,
            volume: 1_000,
            volume_scale: 3,
        }
    });
    Series { symbol, interval: Interval::M1, bars: bars.collect(), sources: vec!["generated".to_owned()] }
}
