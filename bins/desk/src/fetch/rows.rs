//! Rows of the API in the columns of the archive.

use std::fmt::{Display, Write};

use hedge_binance::wire::market::{FundingRate, Kline};

const KLINE_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
const FUNDING_HEADER: &str = "calc_time,funding_interval_hours,last_funding_rate,mark_price\n";
const HOUR_MS: i64 = 3_600_000;

/// Candles. What the API did not say stays empty: unknown, not zero.
pub(super) fn klines(rows: &[Kline]) -> String {
    fn known<T: Display>(value: Option<&T>) -> String {
        value.map(T::to_string).unwrap_or_default()
    }
    let mut csv = String::from(KLINE_HEADER);
    for row in rows {
        let Kline { open_time, open, high, low, close, volume, close_time, .. } = row;
        let _ = writeln!(
            csv,
            "{open_time},{open},{high},{low},{close},{volume},{close_time},{},{},{},{},0",
            known(row.quote_volume.as_ref()),
            known(row.trades.as_ref()),
            known(row.taker_buy_volume.as_ref()),
            known(row.taker_buy_quote_volume.as_ref()),
        );
    }
    csv
}

/// Settlements. The API does not say how many hours one covers; the distance to the one before says it.
pub(super) fn funding(rows: &[FundingRate]) -> String {
    let mut csv = String::from(FUNDING_HEADER);
    for (at, row) in rows.iter().enumerate() {
        let neighbours = match at {
            0 => rows.get(..2),
            _ => rows.get(at - 1..=at),
        };
        let apart =
            neighbours.map(|pair| (pair[1].funding_time - pair[0].funding_time + HOUR_MS / 2) / HOUR_MS);
        // Unknown stays empty.
        let hours =
            apart.filter(|hours| (1..=24).contains(hours)).map(|hours| hours.to_string()).unwrap_or_default();
        let known = row.mark_price.filter(|mark| mark.is_sign_positive() && !mark.is_zero());
        let mark = known.map(|mark| mark.to_string()).unwrap_or_default();
        let _ = writeln!(csv, "{},{hours},{},{mark}", row.funding_time, row.funding_rate);
    }
    csv
}
