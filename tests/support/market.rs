//! A market that is the same in every run: generated for a fixed time and written as the public dumps are.

use std::{fmt::Write as _, fs, path::PathBuf};

use hedge_core::{Decimal, Interval, Symbol};
use hedge_sim::market::GeneratedMarket;

use super::Temp;

/// 2026-03-02T00:00:00Z.
const START_MS: i64 = 1_772_409_600_000;
const SEED: u64 = 11;

/// A folder with `bars` fifteen-minute bars of the three symbols that the shipped strategies trade.
pub fn klines(temp: &Temp, bars: usize) -> PathBuf {
    let folder = temp.join("klines_15m");
    fs::create_dir_all(&folder).unwrap();
    let symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"].map(|name| Symbol::parse(name).unwrap());
    let data = GeneratedMarket::built_in(SEED).data_set(&symbols, Interval::M15, START_MS, bars, 0).unwrap();
    for series in &data.series {
        let mut csv = String::from(
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n",
        );
        for bar in &series.bars {
            let price = |mantissa| Decimal::new(mantissa, u32::from(bar.price_scale));
            let open_ms = bar.open_time.ms();
            let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(price);
            let volume = bar.volume_decimal();
            let close_ms = open_ms + Interval::M15.ms() - 1;
            writeln!(csv, "{open_ms},{open},{high},{low},{close},{volume},{close_ms},,,,,").unwrap();
        }
        fs::write(folder.join(format!("{}-15m-2026-03.csv", series.symbol)), csv).unwrap();
    }
    folder
}
