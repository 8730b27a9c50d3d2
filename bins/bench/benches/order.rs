//! From a wish to a signed order: the grid, the decision with every rule asked, the signature.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on should stop")]

#[allow(dead_code, unused_imports, reason = "shared with the program")]
#[path = "../src/figure.rs"]
mod figure;
mod kit;
#[allow(dead_code, unused_imports, reason = "shared with the program")]
#[path = "../src/sign.rs"]
mod sign;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use hedge_core::{
    DataNeed, Decimal, Entry, Intent, Interval, OrderSide, Output, PositionKey, PositionSide, Price,
    Protection, Qty, Size, Strategy, StrategyEvent, StrategyId, StrategyView, Tif,
};
use hedge_sim::{backtest::spec_of, venue::InstrumentRules};
use kit::{Desk, bitcoin};

/// The engine is made anew after so many orders, as if some days were over.
const ORDERS_PER_RUN: u64 = 10_000;

/// Wants to open on every bar, LONG and SHORT in turn.
#[derive(Debug)]
struct Eager {
    id: StrategyId,
    bars: u64,
}

impl Strategy for Eager {
    fn id(&self) -> StrategyId {
        self.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: bitcoin(), interval: Interval::M1, warmup_bars: 0 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _: &StrategyView<'_>, out: &mut Output) {
        let StrategyEvent::Bar { .. } = event else { return };
        self.bars += 1;
        let (side, tenths) = match self.bars % 2 {
            0 => (PositionSide::Long, 599_900),
            _ => (PositionSide::Short, 600_100),
        };
        let Some((price, qty)) = Price::of(Decimal::new(tenths, 1)).zip(Qty::of(Decimal::new(10, 3))) else {
            return;
        };
        out.want(Intent::Open {
            position: PositionKey::new(bitcoin(), side),
            size: Size::Qty(qty),
            entry: Entry::Limit { price, tif: Tif::Gtc },
            protection: Protection::Unprotected { because: "nothing fills here".into() },
            because: "a bar".into(),
        });
    }
}

fn eager() -> Desk {
    Desk::new(Box::new(Eager { id: StrategyId::parse("eager").unwrap(), bars: 0 }))
}

fn decision(c: &mut Criterion) {
    c.bench_function("gate decision", |b| {
        b.iter_custom(|orders| {
            let (mut desk, mut spent) = (eager(), Duration::ZERO);
            for order in 1..=orders {
                let bar = desk.bar();
                let started = Instant::now();
                desk.tell(bar);
                spent += started.elapsed();
                assert!(desk.unsend(), "no order: {:?}", desk.step.events);
                desk.next_minute();
                if order.is_multiple_of(ORDERS_PER_RUN) {
                    desk = eager();
                }
            }
            spent
        });
    });
}

fn signed(c: &mut Criterion) {
    let orders = sign::Orders::new().unwrap();
    let mut i = 0;
    c.bench_function("signed order", |b| {
        b.iter(|| {
            i += 1;
            orders.signed(black_box(i)).unwrap()
        });
    });
}

fn quantise(c: &mut Criterion) {
    let rules = InstrumentRules::builtin().into_iter().find(|rules| rules.symbol == "BTCUSDT").unwrap();
    let spec = spec_of(&rules).unwrap();
    let (qty, price) = (Decimal::new(123_456_789, 8), Decimal::new(6_000_012_345, 5));
    c.bench_function("quantise/qty", |b| b.iter(|| spec.floor_qty(black_box(qty), &spec.lot)));
    c.bench_function("quantise/price", |b| {
        b.iter(|| spec.passive_price(black_box(price), OrderSide::Buy));
    });
}

criterion_group!(benches, quantise, decision, signed);
criterion_main!(benches);
