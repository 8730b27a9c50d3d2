//! A backtest of a crossing of two averages over a million one-minute bars: gate, journal records and every fill.

use std::{collections::VecDeque, fs, path::PathBuf, sync::Arc, time::Instant};

use hedge_core::{
    Bar, DataNeed, Decimal, Engine, EngineConfig, Entry, InstrumentId, Intent, Interval, Output, PositionKey,
    PositionSide, Protection, Qty, Size, Strategy, StrategyEvent, StrategyId, StrategyView, Symbol,
    Timestamp, Venue,
};
use hedge_sim::{
    backtest::{Backtest, BacktestConfig, Instruments},
    market::{DataSet, GeneratedMarket, Series},
    venue::{FeeRates, VenueConfig},
};

use crate::replay::{measure, wide_risk};

const FAST: usize = 5;
const SLOW: usize = 20;
const CASH_USDT: i64 = 1_000_000_000;
/// Deeper than any order.
const TOP_OF_BOOK_USDT: i64 = 1_000_000;
const GENERATED_BARS: usize = 1_000_000;
const GENERATED_FROM_MS: i64 = 1_700_000_040_000;

pub(crate) fn run() -> Result<(), String> {
    let loading = Instant::now();
    let symbol = Symbol::parse("BTCUSDT").map_err(|error| error.to_string())?;
    let data = Arc::new(match std::env::var_os("BENCH_DATA") {
        Some(folder) => read(symbol, &PathBuf::from(folder).join("bars.csv"))?,
        None => market(symbol, GENERATED_BARS)?,
    });
    let bars = data.series.iter().map(|series| series.bars.len()).sum::<usize>();
    let loaded = loading.elapsed().as_secs_f64();
    let mut backtest = backtest(symbol, &data)?;
    let measured = measure(&mut backtest)?;
    crate::replay::print("B4-bars", &backtest, bars, (loaded, measured.wall), measured.allocations)
}

/// The same backtest over fewer bars of the generated market.
pub(crate) fn generated(count: usize) -> Result<Backtest, String> {
    let symbol = Symbol::parse("BTCUSDT").map_err(|error| error.to_string())?;
    backtest(symbol, &Arc::new(market(symbol, count)?))
}

fn market(symbol: Symbol, count: usize) -> Result<DataSet, String> {
    GeneratedMarket::built_in(7)
        .data_set(&[symbol], Interval::M1, GENERATED_FROM_MS, count, SLOW)
        .map_err(|error| error.to_string())
}

fn backtest(symbol: Symbol, data: &Arc<DataSet>) -> Result<Backtest, String> {
    let instrument = InstrumentId::new(Venue::Binance, symbol);
    let strategy = Cross::new("cross", instrument, 0)?;
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let engine = Engine::new(config, wide_risk()?, vec![Box::new(strategy)]);
    let rules = Instruments::built_in(data).map_err(|error| error.to_string())?.rules;
    let config = account();
    Backtest::new(engine, Arc::clone(data), rules, &config).map_err(|error| error.to_string())
}

/// Cash without end and four basis points a fill.
pub(crate) fn account() -> BacktestConfig {
    let four_bps = Decimal::new(4, 4);
    BacktestConfig {
        balance_usdt: Decimal::from(CASH_USDT),
        history: SLOW,
        fees: Some(FeeRates { maker: four_bps, taker: four_bps }),
        // One fill an order: the standing book is deeper than any order.
        venue: VenueConfig { top_of_book_usdt: Decimal::from(TOP_OF_BOOK_USDT), ..VenueConfig::default() },
        ..BacktestConfig::default()
    }
}

/// Long one bitcoin while the fast average is above the slow one, flat otherwise.
#[derive(Debug)]
pub(crate) struct Cross {
    id: StrategyId,
    leg: PositionKey,
    size: Size,
    /// How far above the fast average must be. Units: millionths.
    margin_ppm: i64,
    closes: VecDeque<i64>,
    fast: i64,
    slow: i64,
}

impl Cross {
    pub(crate) fn new(name: &str, instrument: InstrumentId, margin_ppm: i64) -> Result<Self, String> {
        Ok(Self {
            id: StrategyId::parse(name).map_err(|error| error.to_string())?,
            leg: PositionKey::new(instrument, PositionSide::Long),
            size: Size::Qty(Qty::new(Decimal::ONE).map_err(|error| error.to_string())?),
            margin_ppm,
            closes: VecDeque::with_capacity(SLOW + 1),
            fast: 0,
            slow: 0,
        })
    }

    /// Sums instead of averages: whole numbers, so no rounding. `None` until both are complete.
    fn is_above(&mut self, bar: &Bar) -> Option<bool> {
        self.fast += bar.close;
        self.slow += bar.close;
        if self.closes.len() >= FAST {
            self.fast -= self.closes.get(self.closes.len() - FAST)?;
        }
        self.closes.push_back(bar.close);
        if self.closes.len() > SLOW {
            self.slow -= self.closes.pop_front()?;
        }
        (self.closes.len() == SLOW).then(|| {
            let (fast, slow) = (self.fast * SLOW as i64, self.slow * FAST as i64);
            fast > slow + slow * self.margin_ppm / 1_000_000
        })
    }
}

impl Strategy for Cross {
    fn id(&self) -> StrategyId {
        self.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: self.leg.instrument, interval: Interval::M1, warmup_bars: SLOW }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let (StrategyEvent::History { bar, .. } | StrategyEvent::Bar { bar, .. }) = event else { return };
        match (self.is_above(bar), view.leg(&self.leg).is_some()) {
            (Some(true), false) => out.want(Intent::Open {
                position: self.leg,
                size: self.size,
                entry: Entry::Market,
                protection: Protection::Unprotected { because: "the benchmark's own order count".into() },
                because: "fast above slow".into(),
            }),
            (Some(false), true) => out.want(Intent::close(self.leg, "fast below slow")),
            _ => {}
        }
    }
}

/// `ts_ms,open,high,low,close,volume` with one decimal in prices and three in volumes.
fn read(symbol: Symbol, path: &PathBuf) -> Result<DataSet, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let bars = text.lines().skip(1).enumerate().map(|(number, line)| {
        bar(line)
            .ok_or_else(|| format!("{}:{}: not ts_ms,open,high,low,close,volume", path.display(), number + 2))
    });
    let series = Series {
        symbol,
        interval: Interval::M1,
        bars: bars.collect::<Result<_, _>>()?,
        sources: vec!["bars.csv".to_owned()],
    };
    DataSet::new(Interval::M1, vec![series], Vec::new()).map_err(|error| error.to_string())
}

fn bar(line: &str) -> Option<Bar> {
    let mut fields = line.split(',');
    let open_time = Timestamp::from_ms(fields.next()?.parse().ok()?);
    let mut scaled = |places: usize| crate::replay::scaled(fields.next()?, places);
    Some(Bar {
        open_time,
        interval: Interval::M1,
        open: scaled(1)?,
        high: scaled(1)?,
        low: scaled(1)?,
        close: scaled(1)?,
        price_scale: 1,
        volume: scaled(3)?,
        volume_scale: 3,
    })
}
