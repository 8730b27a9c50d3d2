//! Recorded data: files made by the test for every rule, and the shared recordings when they are at hand.

// The helpers below are test code although they stand outside of the test functions.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use hedge_core::{Interval, Symbol, Timestamp};
use hedge_sim::market::{DataSet, MarketStep, Schedule, read_klines};
use rust_decimal::Decimal;

const BAR_MS: i64 = 900_000;
/// 2024-02-15, on every grid.
const START: i64 = 1_707_955_200_000;

fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}
fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// A folder of its own that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hedge-market-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    /// Bars number `from..to`, all at one price.
    fn klines(&self, name: &str, bars: std::ops::Range<i64>, step_ms: i64, price: &str) {
        let row = |at: i64| format!("{},{price},{price},{price},{price},1,,,,,,\n", START + at * step_ms);
        self.write(name, &bars.map(row).collect::<String>());
    }
    fn open(&self, path: &str) -> DataSet {
        DataSet::open(&self.0.join(path), None, None).unwrap()
    }
    fn problem(&self, path: &str) -> String {
        DataSet::open(&self.0.join(path), None, None).unwrap_err().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(data: &DataSet) -> Vec<String> {
    data.symbols().map(|symbol| symbol.to_string()).collect()
}

#[test]
fn a_file_a_kline_folder_and_a_venue_folder_are_the_same_data() {
    let folder = Folder::new();
    folder.klines("venue/klines_15m/BTCUSDT-15m-2024.csv", 0..40, BAR_MS, "50000.5");
    folder.klines("venue/klines_1m/BTCUSDT-1m-2024.csv", 0..40, 60_000, "50000.5");
    folder.write(
        "venue/funding/BTCUSDT-fundingRate-2024.csv",
        &format!("{},8,0.0001\n", START + 4 * BAR_MS + 7),
    );
    folder.write("venue/README.md", "not data");
    let file = folder.open("venue/klines_15m/BTCUSDT-15m-2024.csv");
    let klines = folder.open("venue/klines_15m");
    let venue = folder.open("venue");
    assert_eq!((&file.series, &file.funding), (&klines.series, &klines.funding));
    assert_eq!((&file.series, &file.funding), (&venue.series, &venue.funding));
    assert_eq!(file.content_hash(), venue.content_hash());
    assert_eq!(file.funding_files, ["BTCUSDT-fundingRate-2024.csv"]);
    assert_eq!(venue.notes[0], "klines_15m chosen of klines_1m, klines_15m");
    let minutes = DataSet::open_interval(&folder.0.join("venue"), None, None, Some(Interval::M1)).unwrap();
    assert_eq!((minutes.interval, minutes.series[0].bars.len()), (Interval::M1, 40));
    let error = DataSet::open_interval(&folder.0.join("venue"), None, None, Some(Interval::H1)).unwrap_err();
    assert!(error.to_string().contains("no klines_1h, only klines_1m, klines_15m"), "{error}");
}

#[test]
fn symbols_are_chosen_by_name_else_by_the_universe_else_all() {
    let folder = Folder::new();
    for name in ["ETHUSDT", "BTCUSDT", "XRPUSDT"] {
        folder.klines(&format!("k/{name}-15m-2024.csv"), 0..3, BAR_MS, "10");
    }
    let path = folder.0.join("k");
    let [btc, eth, sol] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(symbol);
    assert_eq!(names(&folder.open("k")), ["BTCUSDT", "ETHUSDT", "XRPUSDT"]);
    let universe = DataSet::open(&path, None, Some(&[eth, sol, btc])).unwrap();
    assert_eq!(names(&universe), ["BTCUSDT", "ETHUSDT"]);
    assert_eq!(universe.notes[0], "not in the universe, left out: XRPUSDT");
    assert_eq!(names(&DataSet::open(&path, Some(&[eth]), Some(&[btc])).unwrap()), ["ETHUSDT"]);
    let missing = DataSet::open(&path, Some(&[eth, sol]), None).unwrap_err().to_string();
    assert!(missing.contains("no bars of SOLUSDT, only of BTCUSDT, ETHUSDT, XRPUSDT"), "{missing}");
    let none = DataSet::open(&path, None, Some(&[sol])).unwrap_err().to_string();
    assert!(none.contains("none of which is in the universe"), "{none}");
}

#[test]
fn a_path_without_klines_says_what_was_expected() {
    let folder = Folder::new();
    folder.write("empty/notes.txt", "hello");
    folder.write("odd.csv", "1,2,3\n");
    assert!(folder.problem("empty").contains("files named SYMBOL-INTERVAL-"), "{}", folder.problem("empty"));
    assert!(folder.problem("odd.csv").contains("SYMBOL-INTERVAL-"), "{}", folder.problem("odd.csv"));
    assert!(folder.problem("missing").starts_with("cannot read"), "{}", folder.problem("missing"));
}

#[test]
fn files_of_one_symbol_are_joined_and_their_holes_are_told() {
    let folder = Folder::new();
    folder.klines("k/BTCUSDT-15m-b.csv", 20..30, BAR_MS, "7.00");
    folder.klines("k/BTCUSDT-15m-a.csv", 0..10, BAR_MS, "7");
    folder.klines("k/BTCUSDT-15m-c.csv", 28..33, BAR_MS, "7.0");
    let data = folder.open("k");
    assert_eq!(data.series[0].bars.len(), 23);
    assert_eq!(data.series[0].sources, ["BTCUSDT-15m-a.csv", "BTCUSDT-15m-b.csv", "BTCUSDT-15m-c.csv"]);
    assert_eq!(data.gaps.len(), 1);
    let gap = data.gaps[0];
    assert_eq!(
        (gap.from.ms(), gap.to.ms(), gap.missing_bars),
        (START + 10 * BAR_MS, START + 20 * BAR_MS, 10)
    );
    folder.klines("k/BTCUSDT-15m-d.csv", 5..6, BAR_MS, "8");
    let problem = folder.problem("k");
    assert!(
        problem.contains("BTCUSDT-15m-a.csv and BTCUSDT-15m-d.csv disagree about BTCUSDT 15m"),
        "{problem}"
    );
}

#[test]
fn funding_is_one_payment_per_settlement_with_the_best_mark_there_is() {
    let folder = Folder::new();
    let hour = 3_600_000;
    folder.klines("v/klines_15m/BTCUSDT-15m-x.csv", 0..100, BAR_MS, "50000");
    let at = |hours: i64, late: i64| START + hours * hour + late;
    let row = |hours, late, rest: &str| format!("{},8,{rest}\n", at(hours, late));
    folder.write(
        "v/funding/BTCUSDT-fundingRate-a.csv",
        &[
            row(-8, 0, "0.0009"),
            row(0, 3, "0.0001"),
            row(8, 12, "0.0002"),
            row(16, 0, "-0.0003"),
            row(24, 0, "0.0004"),
        ]
        .concat(),
    );
    folder.write("v/funding/BTCUSDT-fundingRate-b.csv", &row(8, 0, "0.00020,50001.25"));
    folder.write("v/funding/BTCUSDT-fundingRate-old.csv", &row(-800, 0, "0.0001"));
    folder.write(
        "v/mark_8h/BTCUSDT-mark-8h-x.csv",
        &format!("{},51000.5,52000,50000,51500.25,0,,,,,,\n", at(8, 0)),
    );
    let data = folder.open("v");
    let told: Vec<_> =
        data.funding[0].payments.iter().map(|one| ((one.at_ms - START) / hour, one.rate, one.mark)).collect();
    assert_eq!(
        told,
        [
            (0, decimal("0.0001"), None),
            (8, decimal("0.0002"), Some(decimal("50001.25"))),
            (16, decimal("-0.0003"), Some(decimal("51500.25"))),
            (24, decimal("0.0004"), None),
        ]
    );
    assert_eq!(data.funding_files, ["BTCUSDT-fundingRate-a.csv", "BTCUSDT-fundingRate-b.csv"]);
    assert_eq!(data.mark_files, ["BTCUSDT-mark-8h-x.csv"]);
    folder.write("v/funding/BTCUSDT-fundingRate-c.csv", &row(16, 5, "0.0003"));
    let problem = folder.problem("v");
    assert!(problem.contains("fundingRate-a.csv and BTCUSDT-fundingRate-c.csv disagree"), "{problem}");
}

#[test]
fn the_content_hash_knows_numbers_and_not_names_or_padding() {
    let folder = Folder::new();
    folder.klines("a/BTCUSDT-15m-one.csv", 0..10, BAR_MS, "7.10");
    folder.klines("b/BTCUSDT-15m-first.csv", 0..5, BAR_MS, "7.1");
    folder.klines("b/BTCUSDT-15m-second.csv", 5..10, BAR_MS, "7.1000");
    folder.klines("c/BTCUSDT-15m-one.csv", 0..10, BAR_MS, "7.11");
    assert_eq!(folder.open("a").content_hash(), folder.open("b").content_hash());
    assert_ne!(folder.open("a").content_hash(), folder.open("c").content_hash());
}

#[test]
fn a_window_keeps_the_bars_and_the_funding_inside_it() {
    let folder = Folder::new();
    folder.klines("v/k/BTCUSDT-15m-x.csv", 0..100, BAR_MS, "50000");
    folder.klines("v/k/ETHUSDT-15m-x.csv", 60..100, BAR_MS, "50000");
    let funding: String = (0..4).map(|at| format!("{},8,0.0001\n", START + at * 32 * BAR_MS)).collect();
    folder.write("v/funding/BTCUSDT-fundingRate-x.csv", &funding);
    let time = |at: i64| Timestamp::from_ms(START + at * BAR_MS);
    let data = folder.open("v/k").window(time(20), time(50));
    assert_eq!(names(&data), ["BTCUSDT"]);
    assert_eq!((data.start(), data.end()), (Some(time(20)), Some(time(50))));
    assert_eq!(data.funding[0].payments.iter().map(|one| one.at_ms).collect::<Vec<_>>(), [time(32).ms()]);
}

/// The folder of recordings, if the environment names one.
fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("HEDGE_TEST_DATA").map(PathBuf::from);
    match folder {
        Some(_) => println!("DATA TEST: the readers on recorded files"),
        None => println!("SKIP: HEDGE_TEST_DATA is not set"),
    }
    folder
}
fn recorded(folder: &Path, interval: Interval) -> DataSet {
    DataSet::open_interval(&folder.join("binance_um"), None, None, Some(interval)).unwrap()
}

#[test]
fn both_recorded_windows_of_seven_symbols_are_read_and_joined() {
    let Some(folder) = recordings() else { return };
    let data = DataSet::open(&folder.join("binance_um"), None, None).unwrap();
    assert_eq!(data.interval, Interval::M15);
    let expected = ["ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];
    assert_eq!(names(&data), expected);
    assert!(data.series.iter().all(|series| series.bars.len() == 5_856 + 32_064));
    let scales: Vec<u8> = data.series.iter().map(|series| series.price_scale()).collect();
    assert_eq!(scales, [4, 2, 1, 5, 2, 3, 4]);
    assert_eq!(data.gaps.len(), 7);
    let gap = data.gaps[0];
    assert_eq!(
        (gap.from.to_string(), gap.to.to_string()),
        ("2022-07-01T00:00:00.000Z".into(), "2024-02-15T00:00:00.000Z".into())
    );
    let btc = &data.series[2].bars;
    assert_eq!(btc[5_856].decimal(btc[5_856].open), decimal("51823.1"));
    assert_eq!(btc[5_856].volume_decimal(), decimal("1878.645"));
    assert_eq!(data.content_hash(), recorded(&folder, Interval::M15).content_hash());
}

#[test]
fn recorded_funding_is_merged_and_gets_its_marks() {
    let Some(folder) = recordings() else { return };
    let data = recorded(&folder, Interval::M15);
    let of = |name: &str| &data.funding[data.index_of(symbol(name)).unwrap()].payments;
    // Each settlement once: 183 of 2022, then every 8 hours of 334 days from midnight to midnight.
    assert_eq!(of("BTCUSDT").len(), 183 + 3 * 334 + 1);
    assert_eq!(of("ADAUSDT").len(), 3 * 334);
    assert!(of("BTCUSDT").iter().all(|one| one.at_ms % 3_600_000 == 0));
    let btc_at = |at_ms: i64| *of("BTCUSDT").iter().find(|one| one.at_ms == at_ms).unwrap();
    // From a mark_price column, from the mark kline that opens there, and before there were marks.
    assert_eq!(btc_at(1_720_569_600_000).mark, Some(decimal("58026.14114894")));
    assert_eq!(btc_at(1_707_984_000_000).mark, Some(decimal("51802.4")));
    assert_eq!(btc_at(1_651_363_200_000).mark, None);
    assert_eq!(btc_at(1_651_363_200_000).rate, decimal("0.00002403"));
    assert!(of("XRPUSDT").iter().all(|one| one.mark.is_none()));
    assert!(!data.funding_files.iter().any(|name| name.contains("2019")));
    assert_eq!(data.mark_files.len(), 4);
}

#[test]
fn recorded_minutes_read_with_all_twelve_columns_filled_or_empty() {
    let Some(folder) = recordings() else { return };
    let avax = read_klines(&folder.join("binance_um/klines_1m/AVAXUSDT-1m-2025-02.csv.gz")).unwrap();
    assert_eq!((avax.symbol, avax.interval, avax.bars.len()), (symbol("AVAXUSDT"), Interval::M1, 28 * 1_440));
    assert_eq!(avax.bars[0].close_price().unwrap().to_string(), "34.36");
    let data = recorded(&folder, Interval::M1);
    assert_eq!(names(&data), ["AVAXUSDT", "BNBUSDT", "BTCUSDT", "ETHUSDT", "SOLUSDT"]);
    assert_eq!(data.series[2].bars.len(), 43_198);
    assert!(data.gaps.is_empty());
}

#[test]
fn other_recordings_of_the_layout_are_read_too() {
    let Some(folder) = recordings() else { return };
    let okx = DataSet::open(&folder.join("okx_swap"), None, None).unwrap();
    assert_eq!(names(&okx), ["BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP"]);
    let ton = DataSet::open(
        &folder.join("events/TONUSDT-5m-from-listing-2024-03-01_2024-03-15.csv.gz"),
        None,
        None,
    );
    assert_eq!(ton.unwrap().series[0].bars.len(), 4_170);
    let listings = DataSet::open(&folder.join("events/listing_1h"), None, None).unwrap();
    assert_eq!(listings.series.len(), 8);
}

#[test]
fn a_recorded_window_plays_every_bar_in_time_order() {
    let Some(folder) = recordings() else { return };
    let cut = Timestamp::from_ms(1_656_633_600_000);
    let data = recorded(&folder, Interval::M15).window(Timestamp::EPOCH, cut);
    let schedule = Schedule::new(Arc::new(data), 500);
    assert_eq!((schedule.history(), schedule.bar_times()), (500, 5_356));
    let (mut last_ms, mut counts) = (0, [0_usize; 4]);
    for step in schedule {
        assert!(step.at_ms() >= last_ms);
        last_ms = step.at_ms();
        counts[match step {
            MarketStep::Warmup { .. } => 0,
            MarketStep::Move { .. } => 1,
            MarketStep::Funding { .. } => 2,
            MarketStep::BarClosed { .. } => 3,
        }] += 1;
    }
    // 183 settlements less those of the first 125 hours (00:00 of 1 May to 00:00 of 6 May); the data ends at one
    // that is not recorded.
    assert_eq!(counts, [7 * 500, 4 * 7 * 5_356, 183 - 16, 7 * 5_356]);
}
