//! How long a start takes when the journal is long.

use std::{fs, num::NonZeroU32, sync::Arc, time::Duration};

use hedge_core::{Asset, Book, Decision, Envelope, Event, Interval, StateStore, Symbol};
use hedge_desk::{compose::compose, config::Config, env::Env};
use hedge_sim::{
    backtest::{Backtest, BacktestConfig},
    market::GeneratedMarket,
    venue::InstrumentRules,
};
use hedge_store::{Durability, FileOptions, FileStore, Owner, StateDir};
use rust_decimal::Decimal;

use super::{
    kills::Times,
    stage::{START_MS, SYMBOLS, Stage},
};

const ORDERS: usize = 10_000;
const STARTS: usize = 5;
/// Enough of them for so many orders, and for a moment without any after them.
const BARS: usize = 9_000;
/// The aim is two seconds on a quiet machine; tests run on loaded and slow ones.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A journal that trading has written, up to a moment in which nothing was open.
struct Past {
    records: Vec<Envelope>,
    orders: usize,
    wallet: Decimal,
}

/// Trades the last days before the exchange begins, on a generated market, with the strategies and the limits of the
/// stage.
fn past(stage: &Stage) -> Past {
    let config = Config::load(Some(&stage.temp.join("config")), &Env::default()).unwrap();
    let symbols: Vec<Symbol> = SYMBOLS.iter().map(|name| Symbol::parse(name).unwrap()).collect();
    let start_ms = START_MS - (BARS as i64 + 60) * Interval::M1.ms();
    let market = GeneratedMarket::built_in(11).data_set(&symbols, Interval::M1, start_ms, BARS, 0).unwrap();
    let mut rules = InstrumentRules::builtin();
    rules.sort_by(|one, other| one.symbol.cmp(&other.symbol));
    let account = BacktestConfig {
        balance_usdt: Decimal::from(1_000_000),
        history: 50,
        leverage: symbols.iter().map(|symbol| config.leverage(symbol)).collect(),
        ..BacktestConfig::default()
    };
    // This engine writes down what it sees, as the executor's does.
    let engine = compose(&config, &symbols).unwrap().engine;
    let mut backtest = Backtest::new(engine, Arc::new(market), rules, &account).unwrap();
    backtest.run(&mut ()).unwrap();

    let (mut book, mut changes, mut orders) = (Book::default(), Vec::new(), 0);
    for (at, record) in backtest.records().unwrap().iter().enumerate() {
        book.apply(record, &mut changes);
        changes.clear();
        orders += usize::from(matches!(record.event, Event::Decision(Decision::OrderApproved { .. })));
        if orders >= ORDERS && book.open_legs().next().is_none() && book.live_orders().next().is_none() {
            let wallet = book.wallet(&Asset::usdt());
            return Past { records: backtest.records().unwrap()[..=at].to_vec(), orders, wallet };
        }
    }
    panic!("{orders} orders, and nothing was flat after {ORDERS} of them")
}

fn write(stage: &Stage, records: &[Envelope]) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = FileOptions { durability: Durability::Os, ..FileOptions::default() };
        let store = FileStore::open(stage.dir(), options).unwrap();
        for batch in records.chunks(4_096) {
            store.append(batch[0].seq, batch).await.unwrap();
        }
        let last = store.read(records[records.len() - 1].seq, NonZeroU32::MIN).await.unwrap();
        assert_eq!(last.records, records[records.len() - 1..]);
    });
    let folder = fs::read_dir(stage.dir().join("journal")).unwrap();
    folder.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn with_ten_thousand_orders_in_the_journal_it_is_ready_as_soon() {
    let builder = Stage::new("crash-boot-past");
    let Past { records, orders, wallet } = past(&builder);
    let stage = Stage::with_balance("crash-boot", wallet);
    let (profile, venue) = ("paper".to_owned(), "binance-loopback".to_owned());
    StateDir::claim(stage.dir(), &Owner { profile, venue, run: None }).unwrap();
    let bytes = write(&stage, &records);

    let mut audit = stage.audit();
    audit.tail.follow();
    assert_eq!(audit.tail.records, records.len() as u64);
    let mut ready = Times::default();
    for _ in 0..STARTS {
        let (mut run, took) = stage.start_to_ready();
        assert!(took < READY_WITHIN, "ready after {took:?}");
        ready.push(took);
        run.signal("-KILL");
        run.end();
    }
    let text = ready.p50_and_max();
    println!(
        "BOOT {orders} orders, {} records, {} MB: start to ready {text}",
        records.len(),
        bytes / 1_000_000
    );
}
