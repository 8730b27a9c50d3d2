//! Bars as scaled integers: cheap to copy, exact as decimals, ready as `f64` for indicators.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    money::Price,
    time::{Interval, Timestamp},
};

/// Why four prices do not make a bar.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("bar at {open_time} is not usable: {problem}")]
pub struct InvalidBar {
    /// When the bar opens.
    pub open_time: Timestamp,
    /// What is wrong with it.
    pub problem: String,
}

/// One candle. Prices are `mantissa / 10^price_scale`, volume is `mantissa / 10^volume_scale` in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// First instant of the bar.
    pub open_time: Timestamp,
    /// Its length.
    pub interval: Interval,
    /// First price, scaled.
    pub open: i64,
    /// Highest price, scaled.
    pub high: i64,
    /// Lowest price, scaled.
    pub low: i64,
    /// Last price, scaled.
    pub close: i64,
    /// Decimal places of the four prices.
    pub price_scale: u8,
    /// Base volume, scaled. Zero means no trade was recorded.
    pub volume: i64,
    /// Decimal places of the volume.
    pub volume_scale: u8,
}

const POW10: [f64; 19] =
    [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

impl Bar {
    /// Checks `0 < low <= open, close <= high` and the scales. Errors: [`InvalidBar`] naming the rule.
    pub fn checked(self) -> Result<Self, InvalidBar> {
        let bad = |problem: String| Err(InvalidBar { open_time: self.open_time, problem });
        if self.price_scale > 18 || self.volume_scale > 18 {
            return bad(format!("scales {} and {} exceed 18", self.price_scale, self.volume_scale));
        }
        if self.low <= 0 {
            return bad(format!("low {} is not above 0", self.decimal(self.low)));
        }
        if self.low > self.open.min(self.close) || self.high < self.open.max(self.close) {
            return bad(format!(
                "low {} <= open {}, close {} <= high {} does not hold",
                self.decimal(self.low),
                self.decimal(self.open),
                self.decimal(self.close),
                self.decimal(self.high)
            ));
        }
        if self.volume < 0 {
            return bad("volume is below 0".to_owned());
        }
        Ok(self)
    }
    /// First instant after the bar.
    #[inline]
    pub const fn end(&self) -> Timestamp {
        Timestamp::from_ns(self.open_time.ns() + self.interval.ms() * 1_000_000)
    }
    /// A scaled price of this bar as a decimal.
    #[inline]
    pub fn decimal(&self, mantissa: i64) -> Decimal {
        Decimal::new(mantissa, u32::from(self.price_scale.min(18)))
    }
    /// A scaled price of this bar as a checked [`Price`]; `None` when it is not above zero.
    #[inline]
    pub fn price(&self, mantissa: i64) -> Option<Price> {
        Price::from_scaled(mantissa, self.price_scale.min(18))
    }
    /// The close as a checked price; `None` for a bar that is not [`checked`](Self::checked).
    #[inline]
    pub fn close_price(&self) -> Option<Price> {
        self.price(self.close)
    }
    fn float(&self, mantissa: i64) -> f64 {
        mantissa as f64 / POW10[usize::from(self.price_scale.min(18))]
    }
    /// Open as a float, for indicators only.
    pub fn open_f64(&self) -> f64 {
        self.float(self.open)
    }
    /// High as a float, for indicators only.
    pub fn high_f64(&self) -> f64 {
        self.float(self.high)
    }
    /// Low as a float, for indicators only.
    pub fn low_f64(&self) -> f64 {
        self.float(self.low)
    }
    /// Close as a float, for indicators only.
    pub fn close_f64(&self) -> f64 {
        self.float(self.close)
    }
    /// Base volume as a decimal.
    pub fn volume_decimal(&self) -> Decimal {
        Decimal::new(self.volume, u32::from(self.volume_scale.min(18)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar() -> Bar {
        Bar {
            open_time: Timestamp::from_ms(0),
            interval: Interval::M15,
            open: 1000,
            high: 1100,
            low: 900,
            close: 950,
            price_scale: 1,
            volume: 12_345,
            volume_scale: 3,
        }
    }

    #[test]
    fn a_bar_gives_exact_decimals_and_floats() {
        let bar = bar().checked().unwrap();
        assert_eq!(bar.close_price().unwrap().to_string(), "95");
        assert_eq!(bar.high_f64(), 110.0);
        assert_eq!(bar.volume_decimal().to_string(), "12.345");
        assert_eq!(bar.end().ms(), 900_000);
    }

    #[test]
    fn a_bar_whose_low_is_above_its_close_is_refused() {
        assert!(Bar { low: 960, ..bar() }.checked().is_err());
        assert!(Bar { low: 0, ..bar() }.checked().is_err());
    }
}
