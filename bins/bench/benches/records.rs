//! What a bar without a decision costs, what a record costs as text, and what reading all records back costs.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on should stop")]

#[allow(dead_code, unused_imports, reason = "shared with the program")]
#[path = "../src/bars.rs"]
mod bars;
#[allow(dead_code, unused_imports, reason = "shared with the program")]
#[path = "../src/figure.rs"]
mod figure;
#[allow(dead_code, reason = "nothing is sent here")]
mod kit;
#[allow(dead_code, unused_imports, reason = "shared with the program")]
#[path = "../src/replay.rs"]
mod replay;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hedge_core::{
    Book, DataNeed, Envelope, Interval, Output, Strategy, StrategyEvent, StrategyId, StrategyView,
};
use kit::{Desk, bitcoin};

const BARS: usize = 2_000;

/// Looks at every bar and wants nothing.
#[derive(Debug)]
struct Watching(StrategyId);

impl Strategy for Watching {
    fn id(&self) -> StrategyId {
        self.0
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: bitcoin(), interval: Interval::M1, warmup_bars: 0 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _: &StrategyView<'_>, _: &mut Output) {
        black_box(event);
    }
}

fn undecided_bar(c: &mut Criterion) {
    c.bench_function("undecided bar", |b| {
        b.iter_custom(|bars| {
            let mut desk = Desk::new(Box::new(Watching(StrategyId::parse("watching").unwrap())));
            let mut spent = Duration::ZERO;
            for _ in 0..bars {
                let bar = desk.bar();
                let started = Instant::now();
                desk.tell(bar);
                spent += started.elapsed();
                assert!(desk.step.effects.is_empty(), "an effect: {:?}", desk.step.effects);
                desk.next_minute();
            }
            spent
        });
    });
}

/// Of a backtest that trades: intents, assessments, orders, fills.
fn records() -> Vec<Envelope> {
    let mut backtest = bars::generated(BARS).unwrap();
    backtest.run(&mut ()).unwrap();
    backtest.records().unwrap().to_vec()
}

fn journal(c: &mut Criterion) {
    let records = records();
    let mut group = c.benchmark_group("journal");
    group.throughput(Throughput::Elements(records.len() as u64));
    let mut text = Vec::new();
    group.bench_function("line text and checksum", |b| {
        b.iter(|| {
            text.clear();
            let mut chain = hedge_store::Chain::START;
            for record in &records {
                hedge_store::encode_line(&mut chain, record, &mut text).unwrap();
            }
            text.len()
        });
    });
    let mut changes = Vec::new();
    group.bench_function("book fold", |b| {
        b.iter(|| {
            let mut book = Book::default();
            for record in &records {
                changes.clear();
                book.apply(black_box(record), &mut changes);
            }
            book
        });
    });
    group.finish();
}

criterion_group!(benches, undecided_bar, journal);
criterion_main!(benches);
