//! `mainnet-dry` against an exchange that keeps account of every request: it starts from the account's money and legs,
//! trades on its prices, and the exchange never hears of it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hedge_core::{Asset, Book, Decimal, Decision, Envelope, Event, Fact, Seq, VenueSnapshot};
use hedge_sim::{
    binance::{ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, MarketSource, Pace},
    venue::{AccountId, Command, NewOrder, PositionSide, Side, SymbolConfigView},
};
use hedge_store::FileJournal;
use serde_json::Value;
use support::{Temp, exchange::LOG, executor, following::Following, json};

const ME: AccountId = AccountId(0);
/// A bar takes 1.5 s.
const SPEED: u32 = 600;
const BARS: i64 = 1_200;
const BAR_MS: i64 = 900_000;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// BTCUSDT climbs in steps, so that every second bar breaks out of its channel; ETHUSDT goes nowhere.
fn market(temp: &Temp) -> PathBuf {
    let folder = temp.join("klines_15m");
    fs::create_dir_all(&folder).unwrap();
    let first_ms = 1_772_409_600_000;
    // Decimals, first close, climb per bar, height of every second bar.
    let symbols = [("BTCUSDT", 1, 500_000, 400, 2_500), ("ETHUSDT", 2, 300_000, 0, 150)];
    for (symbol, scale, first, climb, step) in symbols {
        let close = |bar: i64| first + bar * climb + if bar % 2 == 0 { step } else { 0 };
        let mut csv = String::from(
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n",
        );
        for bar in 0..BARS {
            let open_ms = first_ms + bar * BAR_MS;
            let (open, close) = (close(bar - 1), close(bar));
            let price = |mantissa: i64| Decimal::new(mantissa, scale);
            let (high, low) = (price(open.max(close)), price(open.min(close)));
            let (open, close, close_ms) = (price(open), price(close), open_ms + BAR_MS - 1);
            writeln!(csv, "{open_ms},{open},{high},{low},{close},1000,{close_ms},,,,,").unwrap();
        }
        fs::write(folder.join(format!("{symbol}-15m-2026-03.csv")), csv).unwrap();
    }
    folder
}

/// Somebody's account: hedge mode, both legs of ETHUSDT, an order that rests.
async fn exchange(temp: &Temp) -> ExchangeHandle {
    let exchange = Exchange::start(ExchangeConfig {
        environment: Environment::Mainnet,
        market: MarketSource::Recorded { path: market(temp), symbols: Vec::new() },
        balance_usdt: d("8000"),
        pace: Pace::Speed(f64::from(SPEED)),
        log_path: Some(temp.join(LOG)),
        ..ExchangeConfig::default()
    });
    let exchange = exchange.await.unwrap();
    let order = |side, qty: &str| NewOrder::market(ME, "ETHUSDT", side, d(qty));
    let named =
        |id: &str, order: NewOrder| Command::Place(NewOrder { client_order_id: Some(id.into()), ..order });
    for command in [
        Command::PositionMode { account: ME, hedge: true },
        named("person-1", order(Side::Buy, "0.5").on(PositionSide::Long)),
        named("person-2", order(Side::Sell, "0.2").on(PositionSide::Short)),
        named(
            "person-3",
            NewOrder::limit(ME, "ETHUSDT", Side::Buy, d("0.1"), d("2860")).on(PositionSide::Long),
        ),
    ] {
        exchange.apply(&command).unwrap().unwrap();
    }
    exchange
}

/// Everything that the exchange keeps of the account.
#[derive(Debug, PartialEq)]
struct Account {
    legs: Vec<(String, PositionSide, Decimal, Decimal)>,
    wallet: Decimal,
    orders: usize,
    algos: usize,
    settings: Vec<SymbolConfigView>,
    /// Every command in its log that is not the market's, refused ones included.
    commands: Vec<String>,
}

fn account(exchange: &ExchangeHandle, temp: &Temp) -> Account {
    let algos = |symbol| exchange.algos(symbol).unwrap().len();
    Account {
        legs: exchange
            .legs()
            .unwrap()
            .into_iter()
            .map(|leg| (leg.symbol, leg.position_side, leg.qty, leg.entry_price))
            .collect(),
        wallet: exchange.wallet().unwrap()[0].wallet_balance,
        orders: exchange.orders(None).unwrap().len(),
        algos: algos("BTCUSDT") + algos("ETHUSDT"),
        settings: exchange.query(|venue| venue.symbol_configs(ME, None).unwrap()),
        commands: commands(&temp.join(LOG)),
    }
}

/// The names of all commands in the log but those of the market.
fn commands(log: &Path) -> Vec<String> {
    const MARKET: [&str; 7] = ["Move", "Jump", "SetMark", "Funding", "Stir", "Tick", "List"];
    let text = fs::read_to_string(log).unwrap();
    let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let name = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let command = &record[0]["c"][1];
        let name = command.as_object().and_then(|map| map.keys().next().cloned());
        name.or_else(|| command.as_str().map(str::to_owned))
    };
    complete.filter_map(name).filter(|name| !MARKET.contains(&name.as_str())).collect()
}

fn dry(temp: &Temp, exchange: &ExchangeHandle) -> Following {
    let scale = SPEED.to_string();
    let args = [
        ["--profile", "mainnet-dry"],
        ["--state-dir", "d"],
        ["--symbols", "BTCUSDT,ETHUSDT"],
        ["--time-scale", &scale],
    ];
    let mut command = executor(temp, args.as_flattened());
    command
        .env("HEDGE__BINANCE__REST_URL", exchange.rest_url())
        .env("HEDGE__BINANCE__WS_URL", exchange.ws_url())
        .env("BINANCE_API_KEY", ApiKey::DEMO_KEY)
        .env("BINANCE_API_SECRET", ApiKey::DEMO_SECRET);
    Following::start(command)
}

/// Waits until a file holds what is looked for.
fn wait_for_file(path: &Path, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found = fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok());
        match found {
            Some(found) if holds(&found) => return found,
            found => assert!(Instant::now() < until, "{what} did not come: {found:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn records(dir: &Path) -> Vec<Envelope> {
    let journal = FileJournal::open_read_only(dir).unwrap();
    journal.records(Seq(0)).map(|record| record.unwrap()).collect()
}

/// The snapshot with which each process began, and the book as it was before.
fn starts(records: &[Envelope]) -> Vec<(Book, VenueSnapshot)> {
    let (mut book, mut before, mut found) = (Book::default(), None, Vec::new());
    for record in records {
        match &record.event {
            Event::Fact(Fact::RunStarted(_)) => before = Some(book.clone()),
            Event::Fact(Fact::Snapshot { snapshot }) => {
                found.extend(before.take().map(|before| (before, (**snapshot).clone())));
            }
            _ => {}
        }
        book.apply(record, &mut Vec::new());
    }
    found
}

/// Legs by name, with quantity and entry price to eight decimals.
fn legs_of_book(book: &Book) -> BTreeMap<String, (Decimal, Decimal)> {
    let leg = |leg: &hedge_core::LegState| {
        (leg.key.to_string(), (leg.qty.normalize(), (leg.cost / leg.qty).round_dp(8).normalize()))
    };
    book.open_legs().map(leg).collect()
}

fn legs_of_snapshot(snapshot: &VenueSnapshot) -> BTreeMap<String, (Decimal, Decimal)> {
    let leg = |leg: &hedge_core::Position| {
        (leg.key().to_string(), (leg.qty().get(), leg.entry().get().normalize()))
    };
    snapshot.positions.iter().map(leg).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_trades_on_the_accounts_money_and_the_exchange_never_hears_of_it() {
    let temp = Temp::new("dry-run");
    let exchange = exchange(&temp).await;
    let before = account(&exchange, &temp);
    assert_eq!((before.legs.len(), before.orders, before.commands.len()), (2, 3, 4), "{before:#?}");

    let mut program = dry(&temp, &exchange);
    program.wait_until("what is left out", |line| {
        line.contains("the dry run leaves out the account's open order person-3 on ETHUSDT")
    });
    let first = program.wait_for("[executor] account OK");
    let money = format!("\"balance\":\"{}\"", before.wallet.normalize());
    assert!(first.contains(" dry_run=True ") && first.contains(&money), "{first} without {money}");
    assert!(first.ends_with("positions: 2"), "{first}");
    program.wait_until("an entry", |line| {
        line.starts_with("[executor] SEND_ORDER") && line.contains("\"purpose\":\"entry\"")
    });
    let state = temp.join("d");
    let positions = wait_for_file(&state.join("positions.json"), "a simulated leg of BTCUSDT", |found| {
        found.to_string().contains("BTCUSDT")
    });
    let shown = positions.to_string();
    assert!(shown.contains("\"simulated\":true") && !shown.contains("\"simulated\":false"), "{shown}");
    assert_eq!(program.stop("-INT").1, Some(0), "{:#?}", program.seen);

    let mut program = dry(&temp, &exchange);
    program.wait_for("[executor] account OK");
    program.wait_for("[screener]");
    assert_eq!(program.stop("-TERM").1, Some(0), "{:#?}", program.seen);

    let after = account(&exchange, &temp);
    assert_eq!(after, before, "nothing was ordered, cancelled or set at the exchange");

    let records = records(&state);
    let [(_, first), (book, second)] = &starts(&records)[..] else { panic!("two processes") };
    let wallet = |snapshot: &VenueSnapshot| snapshot.account.balances[0].wallet.get();
    assert_eq!(wallet(first), before.wallet, "the first start takes over the account's money");
    let entry = |leg: &(String, PositionSide, Decimal, Decimal)| {
        (format!("{} {}", leg.0, leg.1), (leg.2.abs().normalize(), leg.3.normalize()))
    };
    assert_eq!(legs_of_snapshot(first), before.legs.iter().map(entry).collect(), "and its legs");

    assert!(book.totals().fills > 0);
    assert_eq!(legs_of_snapshot(second), legs_of_book(book), "a restart goes on with the simulated legs");
    assert_eq!(wallet(second), book.wallet(&Asset::usdt()), "and the simulated money");
    assert_ne!(wallet(second), before.wallet, "which is no longer the account's");
    let mut kept: Vec<&str> = second.orders.iter().map(|order| order.client_id.as_str()).collect();
    let mut known: Vec<&str> = book.live_orders().map(|order| order.client_id.as_str()).collect();
    kept.sort_unstable();
    known.sort_unstable();
    assert_eq!(kept, known, "and the simulated orders");
    let corrections: Vec<&Envelope> = records
        .iter()
        .filter(|record| matches!(record.event, Event::Decision(Decision::Corrected { .. })))
        .collect();
    assert!(corrections.is_empty(), "{corrections:#?}");
    for view in ["nav.json", "synced_state.json"] {
        assert_eq!(json(&state.join(view))["simulated"], Value::Bool(true), "{view}");
    }
    exchange.shutdown().await;
}
