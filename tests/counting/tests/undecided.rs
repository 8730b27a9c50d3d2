//! A market fact that leads to no decision costs no memory: not in the driver, not at the exchange, not in the engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use hedge_core::{
    Bar, DataNeed, Decimal, Engine, EngineConfig, Entry, Event, InstrumentId, Intent, Interval, Output,
    PositionKey, PositionSide, Price, Protection, Qty, Ratio, Size, Strategy, StrategyEvent, StrategyId,
    StrategyView, Symbol, Timestamp,
};
use hedge_counting::{Counting, allocations};
use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
use hedge_sim::{
    backtest::{Backtest, BacktestConfig, Instruments},
    market::{DataSet, Series, Tick, TickKind, TickSeries, TickSet},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COUNTED: usize = 10_000;
/// Until then the position is opened, its stop confirmed, and every buffer has its size.
const SETTLED: usize = 100;

/// Opens one protected leg on the first thing it sees and then only looks.
#[derive(Debug)]
struct Watcher {
    leg: PositionKey,
    seen: u64,
    best: Option<Price>,
}

impl Watcher {
    fn look(&mut self, price: Price, view: &StrategyView<'_>, out: &mut Output) {
        self.seen += 1;
        self.best = self.best.max(Some(price));
        if self.seen == 2 && view.is_free(&self.leg) {
            out.want(Intent::Open {
                position: self.leg,
                size: Size::Qty(Qty::new(Decimal::new(1, 2)).unwrap()),
                entry: Entry::Market,
                protection: Protection::Stop {
                    trigger: price.moved_by(Ratio::new(Decimal::new(-5, 2)).unwrap()).unwrap(),
                    take_profits: Vec::new(),
                },
                because: "to have something at stake".into(),
            });
        }
    }
}

impl Strategy for Watcher {
    fn id(&self) -> StrategyId {
        StrategyId::parse("watcher").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: self.leg.instrument, interval: Interval::M1, warmup_bars: 0 }]
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        vec![self.leg.instrument]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        match event {
            StrategyEvent::Bar { bar, .. } => self.look(bar.close_price().unwrap(), view, out),
            StrategyEvent::Quote { ask, .. } => self.look(*ask, view, out),
            StrategyEvent::Print { price, .. } => self.look(*price, view, out),
            _ => {}
        }
    }
}

fn engine() -> Engine {
    let limits = RiskLimits {
        max_notional_per_order_usdt: Decimal::from(100_000),
        max_notional_per_symbol_usdt: Decimal::from(100_000),
        max_notional_total_usdt: Decimal::from(100_000),
        warmup_s: 0,
        ..RiskLimits::default()
    };
    let risk = RiskStack::from_limits(&limits, DayCalendar::utc(0).unwrap()).unwrap();
    let leg = PositionKey::new(InstrumentId::binance("BTCUSDT").unwrap(), PositionSide::Long);
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    Engine::new(config, Box::new(risk), vec![Box::new(Watcher { leg, seen: 0, best: None })])
}

/// Scaled by ten; goes up and down by less than a tenth of a percent, so that an entry fills.
fn price(at: usize) -> i64 {
    600_000 + (at as i64 * 7_919) % 401 - 200
}

fn bars() -> Backtest {
    let bar = |at: usize| {
        let (open, close) = (price(at), price(at + 1));
        Bar {
            open_time: Timestamp::from_ms(1_700_000_040_000 + at as i64 * 60_000),
            interval: Interval::M1,
            open,
            high: open.max(close) + 30,
            low: open.min(close) - 30,
            close,
            price_scale: 1,
            volume: 1_000,
            volume_scale: 3,
        }
    };
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let bars = (0..SETTLED + COUNTED + 10).map(bar).collect();
    let series = Series { symbol, interval: Interval::M1, bars, sources: Vec::new() };
    let data = Arc::new(DataSet::new(Interval::M1, vec![series], Vec::new()).unwrap());
    let rules = Instruments::built_in(&data).unwrap().rules;
    Backtest::new(engine(), data, rules, &BacktestConfig { history: 1, ..BacktestConfig::default() }).unwrap()
}

fn ticks() -> Backtest {
    let tick = |at: usize| {
        let bid = price(at);
        let kind = match at % 3 {
            2 => TickKind::Print { price: bid, qty: 5, seller_aggressed: at.is_multiple_of(2) },
            _ => TickKind::Quote { bid, bid_qty: 1_500, ask: bid + 1, ask_qty: 20 },
        };
        Tick { at_ms: 1_700_000_040_000 + at as i64 * 400, kind }
    };
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let ticks = (0..SETTLED + COUNTED + 10).map(tick).collect();
    let series = TickSeries { symbol, price_scale: 1, qty_scale: 3, ticks, sources: Vec::new() };
    let data = Arc::new(TickSet::new(vec![series]).unwrap());
    let rules = Instruments::built_in_of(data.symbols()).unwrap().rules;
    Backtest::on_ticks(engine(), data, rules, &BacktestConfig::default()).unwrap()
}

fn counted(mut backtest: Backtest) -> u64 {
    let play = |backtest: &mut Backtest, facts: usize| {
        for _ in 0..facts {
            assert!(backtest.advance(&mut ()).unwrap());
        }
    };
    play(&mut backtest, SETTLED);
    let leg = backtest.engine().book().open_legs().next().cloned();
    let leg = leg.unwrap_or_else(|| panic!("the leg is not open, refused: {:?}", backtest.vetoes()));
    assert!(leg.unprotected_since.is_none(), "its stop is confirmed");
    let (records, before) = (backtest.records().unwrap().len(), allocations());
    play(&mut backtest, COUNTED);
    let asked = allocations() - before;
    assert_eq!(backtest.records().unwrap().len(), records, "nothing was decided");
    let approved =
        |event: &Event| matches!(event, Event::Decision(hedge_core::event::Decision::OrderApproved { .. }));
    assert_eq!(backtest.records().unwrap().iter().filter(|record| approved(&record.event)).count(), 2);
    asked
}

#[test]
fn a_market_fact_that_leads_to_no_decision_allocates_nothing() {
    let before = allocations();
    drop(Box::new(before));
    assert!(allocations() > before, "the counter counts");
    assert_eq!(counted(bars()), 0, "bars");
    assert_eq!(counted(ticks()), 0, "ticks");
}
