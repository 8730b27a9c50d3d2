//! The same bars lead to the same orders, in a backtest and through sockets.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use hedge_core::Timestamp;
use hedge_desk::{
    backtest::{self, RecordedMarket, play},
    compose::intervals,
    config::{Config, resolve},
    env::Env,
    logging::{Format, Sink},
    trade::{Setup, TradeOptions, run_and_inspect},
};
use hedge_runtime::Shutdown;
use hedge_sim::{
    binance::ExchangeHandle,
    venue::{AccountId, Venue, Window},
};

/// Bars of history and bars that are traded.
const HISTORY: usize = 500;
const BARS: usize = 5_356;

/// A folder with the recorded window of mid 2022, its funding and the instruments beside it.
fn window(data: &Path, at: &Path) -> io::Result<PathBuf> {
    let klines = at.join("binance_um/klines_15m");
    fs::create_dir_all(&klines)?;
    for entry in fs::read_dir(data.join("binance_um/klines_15m"))?.flatten() {
        if entry.file_name().to_string_lossy().contains("-2022-") {
            std::os::unix::fs::symlink(entry.path(), klines.join(entry.file_name()))?;
        }
    }
    for name in ["binance_um/funding", "binance_um/mark_8h", "instruments"] {
        std::os::unix::fs::symlink(data.join(name), at.join(name))?;
    }
    Ok(klines)
}

/// Counts the screener's lines that name both legs.
#[derive(Clone, Default)]
struct BothLegs(Arc<AtomicU64>);

impl io::Write for BothLegs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.starts_with(b"[screener] ") && bytes.ends_with(b" side=LONG+SHORT") {
            self.0.fetch_add(1, Relaxed);
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every order of an exchange without ids and times, one line each, in the order in which they were placed; plain orders
/// first, because conditional ones are numbered apart.
fn orders(venue: &Venue, account: AccountId, symbols: &[String]) -> Vec<String> {
    let plain = venue.all_orders(account, None, Window::default()).unwrap();
    let mut plain: Vec<(u64, String)> = plain
        .iter()
        .map(|order| {
            let what =
                format!("{} {:?} {:?} {:?}", order.symbol, order.position_side, order.side, order.orig_type);
            let how_much = format!(
                "qty {} price {} trigger {}",
                order.orig_qty.normalize(),
                order.price.normalize(),
                order.stop_price.normalize()
            );
            let filled = format!("{} at {}", order.executed_qty.normalize(), order.avg_price.normalize());
            (order.order_id, format!("{what} {how_much} filled {filled}: {:?}", order.status))
        })
        .collect();
    plain.sort();
    let mut algos: Vec<(u64, String)> = symbols
        .iter()
        .flat_map(|symbol| venue.all_algos(account, symbol, Window::default()).unwrap())
        .map(|algo| {
            let what =
                format!("{} {:?} {:?} {:?}", algo.symbol, algo.position_side, algo.side, algo.order_type);
            let (qty, trigger) = (algo.qty.normalize(), algo.trigger_price.normalize());
            let line =
                format!("{what} qty {qty} trigger {trigger} all {}: {:?}", algo.close_position, algo.status);
            (algo.algo_id, line)
        })
        .collect();
    algos.sort();
    plain.into_iter().chain(algos).map(|(_, line)| line).collect()
}

#[tokio::test]
async fn recorded_bars_lead_to_the_same_orders_in_a_backtest_and_on_the_embedded_exchange() {
    let Some(data) = std::env::var_os("HEDGE_TEST_DATA").map(PathBuf::from) else {
        println!("SKIP: HEDGE_TEST_DATA is not set");
        return;
    };
    println!("DATA TEST: backtest and embedded exchange on recorded bars");
    let temp = std::env::temp_dir().join(format!("hedge-parity-{}", std::process::id()));
    fs::create_dir_all(&temp).unwrap();
    let klines = window(&data, &temp).unwrap();
    let env = Env::from_pairs([("HEDGE__JOURNAL__DURABILITY", "os")]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let config = Config::load(Some(&folder), &env).unwrap();

    let options = TradeOptions {
        bars: Some(BARS as u64),
        data: Some(klines.clone()),
        history: Some(HISTORY),
        state_dir: Some(temp.join("state")),
        speed: Some("max".parse().unwrap()),
        ..TradeOptions::default()
    };
    let both_legs = BothLegs::default();
    let sink = Sink::to(Format::Text, both_legs.clone());
    let read = |exchange: Option<&ExchangeHandle>| {
        let exchange = exchange.unwrap();
        let (account, symbols) = (exchange.account(), exchange.symbols());
        (exchange.query(|venue| orders(venue, account, &symbols)), symbols)
    };
    let mode = resolve(None, &env, &config).unwrap();
    let setup = Setup { mode: &mode, config: &config, env: &env, sink: &sink };
    let (finished, (embedded, symbols)) =
        run_and_inspect(setup, &options, Shutdown::new(), read).await.unwrap();

    let all =
        RecordedMarket::open(&klines, None, &config.universe.symbols, &intervals(&config), None).unwrap();
    let start = all.data.start().unwrap();
    let end = Timestamp::from_ms(start.ms() + (HISTORY + BARS) as i64 * all.data.interval.ms());
    let market = all.window(start, end);
    let account = backtest::account(&config, &market);
    let played = play(backtest::engine(&config).unwrap(), &market, &account, &mut ()).unwrap();
    let replayed = orders(played.backtest.venue(), AccountId(0), &symbols);

    fs::remove_dir_all(&temp).unwrap();
    assert!(embedded.len() > 300, "only {} orders: that proves little", embedded.len());
    for (place, (embedded, replayed)) in embedded.iter().zip(&replayed).enumerate() {
        assert_eq!(embedded, replayed, "order {place}");
    }
    assert_eq!(embedded.len(), replayed.len());
    let (here, there) = (finished.engine.book().totals(), played.backtest.engine().book().totals());
    assert_eq!((here.realized, here.fees, here.funding), (there.realized, there.fees, there.funding));
    assert!(!here.funding.is_zero(), "the window has funding");
    let (line, record) = (&played.line, &finished.record);
    assert_eq!((record.hedged_bars(), here.fills), (line.hedged_bars, line.fills));
    assert!(line.hedged_bars > 0, "both legs were held at once");
    assert!(both_legs.0.load(Relaxed) > 0, "the screener's line names both legs then");
    assert_eq!(record.bars_per_symbol(), BARS as u64);
}
