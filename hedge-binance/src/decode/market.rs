//! Bars from klines.

use hedge_core::{Bar, Decimal, Interval, Timestamp};

use super::{DecodeError, err};
use crate::{hot, wire::market::Kline};

/// The year 2100: a later bar is a damaged answer.
const LAST_MS: i64 = 4_102_444_800_000;

/// A bar from a queried kline.
///
/// # Errors
/// Prices that make no bar, or numbers beyond the scaled range.
pub fn bar(interval: Interval, row: &Kline) -> Result<Bar, DecodeError> {
    build(interval, row.open_time, [row.open, row.high, row.low, row.close], row.volume)
}

/// A bar from a pushed kline; `None` while it is not closed.
///
/// # Errors
/// As [`bar`]; also an interval that was not asked for.
pub fn bar_of_event(interval: Interval, row: &hot::Kline<'_>) -> Result<Option<Bar>, DecodeError> {
    if !row.closed {
        return Ok(None);
    }
    if row.interval != interval.as_str() {
        return Err(err("kline interval", format!("expected {interval}, found {:?}", row.interval)));
    }
    build(interval, row.open_time, [row.open, row.high, row.low, row.close], row.volume).map(Some)
}

fn build(
    interval: Interval,
    open_ms: i64,
    prices: [Decimal; 4],
    volume: Decimal,
) -> Result<Bar, DecodeError> {
    if !(0..LAST_MS).contains(&open_ms) {
        return Err(err("kline", format!("open time {open_ms} is not in this century")));
    }
    let price_scale = prices.iter().map(|price| price.normalize().scale()).max().unwrap_or_default();
    let volume_scale = volume.normalize().scale();
    let [open, high, low, close] = prices;
    Bar {
        open_time: Timestamp::from_ms(open_ms),
        interval,
        open: mantissa(open, price_scale)?,
        high: mantissa(high, price_scale)?,
        low: mantissa(low, price_scale)?,
        close: mantissa(close, price_scale)?,
        price_scale: scale_u8(price_scale)?,
        volume: mantissa(volume, volume_scale)?,
        volume_scale: scale_u8(volume_scale)?,
    }
    .checked()
    .map_err(|error| err("kline", error))
}

fn mantissa(mut value: Decimal, scale: u32) -> Result<i64, DecodeError> {
    value.rescale(scale);
    i64::try_from(value.mantissa()).map_err(|_| err("kline", format!("{value} is beyond the scaled range")))
}

fn scale_u8(scale: u32) -> Result<u8, DecodeError> {
    u8::try_from(scale).map_err(|_| err("kline", format!("{scale} decimals")))
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use crate::wire::event::KlineEvent;

    #[test]
    fn a_kline_becomes_scaled_integers() {
        let row = br#"[1795168800000,"1.2038","1.2043","1.2037","1.2040","5120.0",1795168859999,"6164.88",23,"0","0","0"]"#;
        let bar = bar(Interval::M1, &json("kline", row).unwrap()).unwrap();
        assert_eq!((bar.open, bar.close, bar.price_scale), (12_038, 12_040, 4));
        assert_eq!((bar.volume, bar.volume_scale), (5_120, 0));
    }

    #[test]
    fn a_running_candle_is_no_bar() {
        let text = r#"{"e":"kline","E":1795168800500,"s":"ABCUSDT","k":{"t":1795168800000,"T":1795168859999,"s":"ABCUSDT",
          "i":"1m","o":"1","c":"1","h":"1","l":"1","v":"0","q":"0","n":0,"x":false}}"#;
        let event: KlineEvent = json("kline", text.as_bytes()).unwrap();
        let body = hot::Kline::from(&event);
        assert_eq!(bar_of_event(Interval::M1, &body).unwrap(), None);
        let closed = hot::Kline { closed: true, ..body };
        assert!(bar_of_event(Interval::M1, &closed).unwrap().is_some());
        assert!(bar_of_event(Interval::M5, &closed).is_err());
    }

    #[test]
    fn a_kline_whose_high_is_below_its_low_is_refused() {
        let row = br#"[1795168800000,"1.2","1.1","1.3","1.2","5",1795168859999]"#;
        assert!(bar(Interval::M1, &json("kline", row).unwrap()).is_err());
    }
}
