//! A kline with all the columns a venue answers with.

use hedge_core::{Bar, Interval, Timestamp};
use rust_decimal::Decimal;

/// One kline. Prices are `mantissa / 10^price_scale`, quantities `mantissa / 10^volume_scale` in base units, quote
/// amounts `mantissa / 10^(price_scale + volume_scale)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kline {
    /// First instant.
    pub open_ms: i64,
    /// Last instant: one millisecond before the next kline opens.
    pub close_ms: i64,
    /// First price, scaled.
    pub open: i64,
    /// Highest price, scaled.
    pub high: i64,
    /// Lowest price, scaled.
    pub low: i64,
    /// Last price, scaled.
    pub close: i64,
    /// Decimal places of the prices.
    pub price_scale: u8,
    /// Base volume, scaled.
    pub volume: i64,
    /// Base volume bought by takers, scaled.
    pub taker_buy_volume: i64,
    /// Decimal places of the volumes.
    pub volume_scale: u8,
    /// Quote volume, scaled.
    pub quote_volume: i128,
    /// Quote volume bought by takers, scaled.
    pub taker_buy_quote: i128,
    /// Number of trades.
    pub trades: i64,
}

impl Kline {
    /// Takes in the kline that follows this one; the close time becomes that of `next`.
    pub fn absorb(&mut self, next: &Self) {
        self.close_ms = next.close_ms;
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume += next.volume;
        self.taker_buy_volume += next.taker_buy_volume;
        self.quote_volume += next.quote_volume;
        self.taker_buy_quote += next.taker_buy_quote;
        self.trades += next.trades;
    }
    /// A scaled price as a decimal.
    pub fn price(&self, mantissa: i64) -> Decimal {
        Decimal::new(mantissa, u32::from(self.price_scale))
    }
    /// A scaled base quantity as a decimal.
    pub fn qty(&self, mantissa: i64) -> Decimal {
        Decimal::new(mantissa, u32::from(self.volume_scale))
    }
    /// A scaled quote amount as a decimal; `None` when it leaves the decimal range.
    pub fn quote(&self, mantissa: i128) -> Option<Decimal> {
        let scale = u32::from(self.price_scale) + u32::from(self.volume_scale);
        Decimal::try_from_i128_with_scale(mantissa, scale).ok()
    }
    /// The columns that a [`Bar`] keeps.
    pub fn bar(&self, interval: Interval) -> Bar {
        Bar {
            open_time: Timestamp::from_ms(self.open_ms),
            interval,
            open: self.open,
            high: self.high,
            low: self.low,
            close: self.close,
            price_scale: self.price_scale,
            volume: self.volume,
            volume_scale: self.volume_scale,
        }
    }
}
