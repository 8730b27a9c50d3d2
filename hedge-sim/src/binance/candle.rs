//! Klines of any length from the bars that are played.
//!
//! A candle longer than the bars is their sum; a shorter one is the part of a bar's inner path that lies in it; the
//! forming one is the path so far. So a 15m kline is always its fifteen 1m klines, and the past has no seam to the
//! present. Trade counts and taker shares are not recorded in bars; they are derived from the open time.

use hedge_core::Bar;
use rust_decimal::Decimal;

use crate::market::{Kline, inner_path, point_times_ms, price_along};

/// One kline, closed or forming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candle {
    pub(crate) open: Decimal,
    pub(crate) high: Decimal,
    pub(crate) low: Decimal,
    pub(crate) close: Decimal,
    pub(crate) volume: Decimal,
    pub(crate) quote: Decimal,
    pub(crate) trades: u64,
    pub(crate) taker_volume: Decimal,
    pub(crate) taker_quote: Decimal,
}

impl Candle {
    /// A kline that a market knows with all its columns.
    pub(crate) fn of_kline(kline: &Kline) -> Self {
        Self {
            open: kline.price(kline.open),
            high: kline.price(kline.high),
            low: kline.price(kline.low),
            close: kline.price(kline.close),
            volume: kline.qty(kline.volume),
            quote: kline.quote(kline.quote_volume).unwrap_or_default(),
            trades: u64::try_from(kline.trades).unwrap_or(0),
            taker_volume: kline.qty(kline.taker_buy_volume),
            taker_quote: kline.quote(kline.taker_buy_quote).unwrap_or_default(),
        }
    }

    /// The part of a bar in `[from_ms, to_ms)`; `None` when they do not meet.
    pub(crate) fn part(bar: &Bar, from_ms: i64, to_ms: i64) -> Option<Self> {
        let (open_ms, end_ms) = (bar.open_time.ms(), bar.end().ms());
        let (from_ms, to_ms) = (from_ms.max(open_ms), to_ms.min(end_ms));
        if from_ms >= to_ms {
            return None;
        }
        let (first, last) = (price_along(bar, from_ms), price_along(bar, to_ms - 1));
        let points = point_times_ms(open_ms, bar.interval).into_iter().zip(inner_path(bar));
        let inside = points.filter(|(at_ms, _)| (from_ms..to_ms).contains(at_ms)).map(|(_, price)| price);
        let (mut high, mut low) = (first.max(last), first.min(last));
        for price in inside {
            high = high.max(price);
            low = low.min(price);
        }
        let share = Decimal::from(to_ms - from_ms) / Decimal::from(end_ms - open_ms);
        Some(Self::built(bar, [first, high, low, last], share))
    }

    fn built(bar: &Bar, [open, high, low, close]: [i64; 4], share: Decimal) -> Self {
        let [open, high, low, close] = [open, high, low, close].map(|price| bar.decimal(price));
        let volume = (bar.volume_decimal() * share).round_dp(u32::from(bar.volume_scale));
        let typical = (open + high + low + close) / Decimal::from(4);
        let mixed = mix(bar.open_time.ms());
        // Between 40 and 60 percent of the volume was bought by takers, more in a rising bar.
        let tilt = if bar.close >= bar.open { 50 } else { 40 };
        let taker_share = Decimal::new(tilt + (mixed % 11) as i64, 2);
        let quote = (volume * typical).round_dp(8);
        let all_trades = if bar.volume == 0 { 0 } else { 60 + mixed % 600 };
        Self {
            open,
            high,
            low,
            close,
            volume,
            quote,
            trades: whole(Decimal::from(all_trades) * share),
            taker_volume: (volume * taker_share).round_dp(u32::from(bar.volume_scale)),
            taker_quote: (quote * taker_share).round_dp(8),
        }
    }

    /// The candle that is this one and then `next`.
    pub(crate) fn and(self, next: Self) -> Self {
        Self {
            open: self.open,
            high: self.high.max(next.high),
            low: self.low.min(next.low),
            close: next.close,
            volume: self.volume + next.volume,
            quote: self.quote + next.quote,
            trades: self.trades + next.trades,
            taker_volume: self.taker_volume + next.taker_volume,
            taker_quote: self.taker_quote + next.taker_quote,
        }
    }

    /// The kline `[from_ms, to_ms)` out of bars in time order; `None` without a bar in it.
    pub(crate) fn over(bars: &[Bar], from_ms: i64, to_ms: i64) -> Option<Self> {
        let first = bars.partition_point(|bar| bar.end().ms() <= from_ms);
        let last = bars.partition_point(|bar| bar.open_time.ms() < to_ms);
        let inside = bars.get(first..last)?;
        inside.iter().filter_map(|bar| Self::part(bar, from_ms, to_ms)).reduce(Self::and)
    }
}

fn whole(value: Decimal) -> u64 {
    value.round().try_into().unwrap_or(0)
}

/// A repeatable number from a time (the splitmix64 finaliser).
pub(crate) fn mix(value: i64) -> u64 {
    let mut x = value.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use hedge_core::{Interval, Timestamp};

    use super::*;

    fn bar(open_ms: i64, [open, high, low, close]: [i64; 4]) -> Bar {
        Bar {
            open_time: Timestamp::from_ms(open_ms),
            interval: Interval::M15,
            open,
            high,
            low,
            close,
            price_scale: 1,
            volume: 1_500,
            volume_scale: 3,
        }
    }

    #[test]
    fn a_whole_bar_is_its_fifteen_minutes() {
        let bar = bar(900_000, [1_000, 1_500, 800, 1_200]);
        let minutes = (0..15).filter_map(|n| Candle::part(&bar, 900_000 + n * 60_000, 960_000 + n * 60_000));
        let joined = minutes.reduce(Candle::and).unwrap();
        let whole = Candle::part(&bar, 0, i64::MAX).unwrap();
        assert_eq!(
            (joined.open, joined.high, joined.low, joined.close, joined.volume),
            (whole.open, whole.high, whole.low, whole.close, whole.volume)
        );
        assert_eq!(whole.high.to_string(), "150.0");
    }

    #[test]
    fn longer_klines_sum_their_bars() {
        let bars = [bar(0, [10, 20, 5, 15]), bar(900_000, [15, 30, 14, 12])];
        let hour = Candle::over(&bars, 0, 3_600_000).unwrap();
        assert_eq!(
            [hour.open, hour.high, hour.low, hour.close].map(|p| p.to_string()),
            ["1.0", "3.0", "0.5", "1.2"]
        );
        assert_eq!(hour.volume.to_string(), "3.000");
        assert_eq!(Candle::over(&bars, 3_600_000, 7_200_000), None);
    }

    #[test]
    fn the_forming_kline_knows_only_the_path_so_far() {
        let bar = bar(0, [1_000, 1_500, 800, 1_200]);
        let forming = Candle::part(&bar, 0, 112_501).unwrap();
        assert_eq!(forming.high.to_string(), "100.0");
        assert_eq!(forming.low.to_string(), "90.0");
    }
}
