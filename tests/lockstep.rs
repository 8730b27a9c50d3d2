//! The same bars lead to the same orders: through signed requests and sockets in lockstep, and in a backtest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{fs, io, path::Path, path::PathBuf, sync::Arc};

use hedge_core::{Book, Decimal, Envelope, Interval, Symbol, Timestamp};
use hedge_desk::{
    backtest::{self, Played, RecordedMarket, play},
    config::{Config, resolve},
    env::Env,
    journal::JournalSource,
    logging::{Format, Sink},
    trade::{Finished, Setup, TradeOptions, run_and_inspect},
};
use hedge_runtime::Shutdown;
use hedge_sim::{
    binance::ExchangeHandle,
    market::{GeneratedMarket, SymbolProfile},
    venue::{AccountId, InstrumentRules},
};
use support::{
    Temp, config, json,
    picture::{Picture, same, thoughts},
    recorded,
};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

/// One of the two runs.
struct Side {
    picture: Picture,
    records: Vec<Envelope>,
    book: Book,
}

/// The shipped configuration. What is only about this machine's disk is left out.
fn shipped() -> (Config, Env) {
    let env = Env::from_pairs([("HEDGE__JOURNAL__DURABILITY", "os")]);
    (Config::load(Some(&config()), &env).unwrap(), env)
}

fn symbols() -> Vec<Symbol> {
    SYMBOLS.iter().map(|name| Symbol::parse(name).unwrap()).collect()
}

/// Plays the embedded exchange in lockstep: real client, real sockets, journal on disk.
async fn embedded(options: TradeOptions) -> Side {
    let (config, env) = shipped();
    let dir = options.state_dir.clone().unwrap();
    let options = TradeOptions { symbols: Some(symbols()), speed: Some("max".parse().unwrap()), ..options };
    let look = |exchange: Option<&ExchangeHandle>| {
        let exchange = exchange.unwrap();
        let (account, symbols) = (exchange.account(), exchange.symbols());
        exchange.query(|venue| Picture::of(venue, account, &symbols))
    };
    let sink = Sink::to(Format::Text, io::sink());
    let mode = resolve(None, &env, &config).unwrap();
    let setup = Setup { mode: &mode, config: &config, env: &env, sink: &sink };
    let (Finished { because, engine, .. }, picture) =
        run_and_inspect(setup, &options, Shutdown::new(), look).await.unwrap();
    assert_eq!(because, "all bars are played");
    let (journal, _) = JournalSource::find(&dir, Some(&dir)).unwrap();
    Side { picture, records: journal.load().unwrap(), book: engine.book().clone() }
}

fn replayed(market: &RecordedMarket, history: usize) -> Side {
    let (config, _) = shipped();
    let account = hedge_sim::backtest::BacktestConfig { history, ..backtest::account(&config, market) };
    let Played { backtest, .. } =
        play(backtest::engine(&config).unwrap(), market, &account, &mut ()).unwrap();
    let symbols: Vec<String> = market.data.symbols().map(|symbol| symbol.to_string()).collect();
    Side {
        picture: Picture::of(backtest.venue(), AccountId(0), &symbols),
        records: backtest.records().unwrap().to_vec(),
        book: backtest.engine().book().clone(),
    }
}

/// Stops at the first difference; the earliest cause is looked at first.
fn compare(embedded: &Side, backtest: &Side) {
    let (here, there) = (&embedded.picture, &backtest.picture);
    same("thought", &thoughts(&embedded.records), &thoughts(&backtest.records));
    let ours = here.in_order_of(&embedded.records, &embedded.book);
    same("step", &ours, &there.in_order_of(&backtest.records, &backtest.book));
    same("plain order", &here.plain, &there.plain);
    same("algo order", &here.algos, &there.algos);
    same("execution", &here.fills, &there.fills);
    same("ledger row", &here.income, &there.income);
    assert_eq!(here.sums, there.sums);
    assert_eq!((&here.legs, here.wallet, here.worth), (&there.legs, there.wallet, there.worth));
    assert_eq!(embedded.book.totals(), backtest.book.totals());
    assert_eq!(embedded.book.equity(), backtest.book.equity());
    // Both books agree with their exchanges, to the last digit.
    for side in [embedded, backtest] {
        let totals = side.book.totals();
        assert_eq!(side.book.equity().normalize(), side.picture.worth);
        assert_eq!(totals.corrections, Decimal::ZERO);
        let sums = |kind: &str| side.picture.sums.get(kind).copied().unwrap_or_default();
        assert_eq!(totals.funding, sums("FundingFee"));
        assert_eq!(-totals.fees, sums("Commission"));
        assert_eq!(totals.realized, sums("RealizedPnl"));
    }
}

/// A folder with the recorded window of mid 2022 of the chosen symbols; funding and instruments lie beside it.
fn window(data: &Path, at: &Path) -> PathBuf {
    let klines = at.join("binance_um/klines_15m");
    fs::create_dir_all(&klines).unwrap();
    for symbol in SYMBOLS {
        let name = format!("{symbol}-15m-2022-05-01_2022-06-30.csv.gz");
        fs::copy(data.join("binance_um/klines_15m").join(&name), klines.join(&name)).unwrap();
    }
    let funding = at.join("binance_um/funding");
    fs::create_dir_all(&funding).unwrap();
    for entry in fs::read_dir(data.join("binance_um/funding")).unwrap().flatten() {
        fs::copy(entry.path(), funding.join(entry.file_name())).unwrap();
    }
    let instruments = at.join("instruments");
    fs::create_dir_all(&instruments).unwrap();
    for entry in fs::read_dir(data.join("instruments")).unwrap().flatten() {
        fs::copy(entry.path(), instruments.join(entry.file_name())).unwrap();
    }
    klines
}

#[tokio::test]
async fn recorded_bars_give_the_same_orders_through_sockets_and_in_a_backtest() {
    const HISTORY: usize = 300;
    const BARS: usize = 1_200;
    let Some(data) = recorded("lockstep on recorded bars") else { return };
    let temp = Temp::new("lockstep-recorded");
    let klines = window(&data, temp.path());
    let embedded = embedded(TradeOptions {
        bars: Some(BARS as u64),
        history: Some(HISTORY),
        data: Some(klines.clone()),
        state_dir: Some(temp.join("state")),
        ..TradeOptions::default()
    })
    .await;

    let symbols = symbols();
    let all = RecordedMarket::open(&klines, Some(&symbols), &symbols, &[Interval::M15], None).unwrap();
    let start = all.data.start().unwrap().ms();
    let until = Timestamp::from_ms(start + (HISTORY + BARS) as i64 * Interval::M15.ms());
    let backtest = replayed(&all.window(Timestamp::from_ms(start), until), HISTORY);

    compare(&embedded, &backtest);
    let funding = backtest.book.totals().funding;
    assert!(!funding.is_zero(), "the window has funding");
    let (plain, algos) = (backtest.picture.plain.len(), backtest.picture.algos.len());
    assert!(plain > 50 && algos > 100, "only {plain} and {algos} orders: that proves little");
    println!(
        "DATA TEST lockstep: {BARS} bars of {}, {plain} plain and {algos} algo orders, {} fills, funding {funding}: equal",
        SYMBOLS.join(", "),
        backtest.book.totals().fills
    );
}

#[tokio::test]
async fn a_generated_market_gives_the_same_orders_through_sockets_and_in_a_backtest() {
    const HISTORY: usize = 200;
    const BARS: usize = 400;
    const SEED: u64 = 7;
    let temp = Temp::new("lockstep-generated");
    let embedded = embedded(TradeOptions {
        bars: Some(BARS as u64),
        history: Some(HISTORY),
        seed: Some(SEED),
        state_dir: Some(temp.join("state")),
        ..TradeOptions::default()
    })
    .await;

    // The generated market starts at wall time: the run's plan says when that was.
    let start_ms = json(&temp.join("state/plan.json"))["from_ms"].as_i64().unwrap();
    let symbols = symbols();
    let rules: Vec<InstrumentRules> = symbols
        .iter()
        .map(|symbol| {
            InstrumentRules::builtin().into_iter().find(|rules| rules.symbol == symbol.as_str()).unwrap()
        })
        .collect();
    let profiles = symbols.iter().zip(&rules).map(|(symbol, rules)| {
        SymbolProfile::built_in(*symbol).unwrap().with_grid(rules.tick, rules.lot.step).unwrap()
    });
    let mut generator = GeneratedMarket::new(SEED, profiles.collect()).unwrap();
    let data = generator.data_set(&symbols, Interval::M15, start_ms, BARS, HISTORY).unwrap();
    let market = RecordedMarket { data: Arc::new(data), rules, notes: Vec::new(), warnings: Vec::new() };
    let backtest = replayed(&market, HISTORY);

    compare(&embedded, &backtest);
    let orders = backtest.picture.plain.len() + backtest.picture.algos.len();
    assert!(orders >= 10, "only {orders} orders: that proves little");
}
