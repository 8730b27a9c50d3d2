//! A backtest over a million ticks: one small market order each thousandth, buy then sell, with every rule of the gate.

use std::{fs, path::PathBuf, sync::Arc, time::Instant};

use hedge_core::{
    DataNeed, Decimal, Engine, EngineConfig, Entry, InstrumentId, Intent, Output, PositionKey, PositionSide,
    Protection, Qty, Size, Strategy, StrategyEvent, StrategyId, StrategyView, Symbol, Venue,
};
use hedge_sim::{
    backtest::{Backtest, BacktestConfig, Instruments},
    market::{Tick, TickKind, TickSeries, TickSet},
};

use crate::replay::{Measured, measure, wide_risk};

const CASH_USDT: i64 = 1_000_000_000;
const EVERY: u64 = 1_000;
const GENERATED_TICKS: i64 = 1_000_000;
const GENERATED_FROM_MS: i64 = 1_700_000_040_000;

pub(crate) fn run() -> Result<(), String> {
    let loading = Instant::now();
    let symbol = Symbol::parse("BTCUSDT").map_err(|error| error.to_string())?;
    let series = match std::env::var_os("BENCH_DATA") {
        Some(folder) => read(symbol, &PathBuf::from(folder).join("ticks.csv"))?,
        None => generated(symbol),
    };
    let events = series.ticks.len();
    let data = Arc::new(TickSet::new(vec![series]).map_err(|error| error.to_string())?);
    let loaded = loading.elapsed().as_secs_f64();
    let strategy = EveryThousandth::new(InstrumentId::new(Venue::Binance, symbol))?;
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let engine = Engine::new(config, wide_risk()?, vec![Box::new(strategy)]);
    let rules = Instruments::built_in_of(data.symbols()).map_err(|error| error.to_string())?.rules;
    let config = BacktestConfig { balance_usdt: Decimal::from(CASH_USDT), ..BacktestConfig::default() };
    let mut backtest = Backtest::on_ticks(engine, data, rules, &config).map_err(|error| error.to_string())?;
    let Measured { wall, allocations } = measure(&mut backtest)?;
    crate::replay::print("B4-ticks", &backtest, events, (loaded, wall), allocations)
}

/// Buys 0.001 on the thousandth event, sells it on the next thousandth, and so on.
#[derive(Debug)]
struct EveryThousandth {
    id: StrategyId,
    leg: PositionKey,
    size: Size,
    seen: u64,
}

impl EveryThousandth {
    fn new(instrument: InstrumentId) -> Result<Self, String> {
        Ok(Self {
            id: StrategyId::parse("every_thousandth").map_err(|error| error.to_string())?,
            leg: PositionKey::new(instrument, PositionSide::Long),
            size: Size::Qty(Qty::new(Decimal::new(1, 3)).map_err(|error| error.to_string())?),
            seen: 0,
        })
    }
}

impl Strategy for EveryThousandth {
    fn id(&self) -> StrategyId {
        self.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        Vec::new()
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        vec![self.leg.instrument]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        if !matches!(event, StrategyEvent::Quote { .. } | StrategyEvent::Print { .. }) {
            return;
        }
        self.seen += 1;
        if !self.seen.is_multiple_of(EVERY) {
            return;
        }
        out.want(match view.leg(&self.leg) {
            Some(_) => Intent::close(self.leg, "every second thousandth event"),
            None => Intent::Open {
                position: self.leg,
                size: self.size,
                entry: Entry::Market,
                protection: Protection::Unprotected { because: "the benchmark's own order count".into() },
                because: "every second thousandth event".into(),
            },
        });
    }
}

/// `ts_ms,kind,a,b,c,d`. Kind Q: bid, its quantity, ask, its quantity. Kind T: price, quantity, 1 if the buyer was the
/// maker, trade id. One decimal in prices, three in quantities.
fn read(symbol: Symbol, path: &PathBuf) -> Result<TickSeries, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let ticks = text.lines().skip(1).enumerate().map(|(number, line)| {
        tick(line).ok_or_else(|| format!("{}:{}: not ts_ms,kind,a,b,c,d", path.display(), number + 2))
    });
    let ticks = ticks.collect::<Result<_, _>>()?;
    Ok(TickSeries { symbol, price_scale: 1, qty_scale: 3, ticks, sources: vec!["ticks.csv".to_owned()] })
}

fn tick(line: &str) -> Option<Tick> {
    let mut fields = line.split(',');
    let at_ms = fields.next()?.parse().ok()?;
    let kind = fields.next()?;
    let mut number = |places: usize| crate::replay::scaled(fields.next()?, places);
    let kind = match kind {
        "Q" => TickKind::Quote { bid: number(1)?, bid_qty: number(3)?, ask: number(1)?, ask_qty: number(3)? },
        "T" => TickKind::Print {
            price: number(1)?,
            qty: number(3)?,
            seller_aggressed: match fields.next()? {
                "1" => true,
                "0" => false,
                _ => return None,
            },
        },
        _ => return None,
    };
    Some(Tick { at_ms, kind })
}

/// Two quotes and a print in turn around a price that wanders: as many ticks, and as many orders.
fn generated(symbol: Symbol) -> TickSeries {
    let tick = |at: i64| {
        let bid = 600_000 + (at / 3 * 7_919) % 4_001 - 2_000;
        let kind = match at % 3 {
            2 => TickKind::Print { price: bid + at % 2, qty: 10 + at % 90, seller_aggressed: at % 2 == 0 },
            _ => TickKind::Quote { bid, bid_qty: 1 + at % 5_000, ask: bid + 1, ask_qty: 1 + at % 3_000 },
        };
        Tick { at_ms: GENERATED_FROM_MS + at * 40, kind }
    };
    let ticks = (0..GENERATED_TICKS).map(tick).collect();
    TickSeries { symbol, price_scale: 1, qty_scale: 3, ticks, sources: vec!["generated".to_owned()] }
}
