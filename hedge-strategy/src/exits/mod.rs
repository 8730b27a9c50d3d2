//! When to leave, as pure rules: a protective stop, a ladder of take-profits, a trailing stop and a time limit.
//!
//! No rule here needs an exchange. The first two become the [`Protection`](hedge_core::Protection) of the opening; the
//! trailing stop moves the leg's close-all stop, and only ever towards profit.

mod ladder;
mod trailing;

use std::time::Duration;

use hedge_core::{Decimal, Interval, LegState, Timestamp};
use rust_decimal::prelude::FromPrimitive;
use serde::{Deserialize, Serialize};

pub use ladder::{Rung, protection};
pub use trailing::{Trail, Trailing};

/// A distance from a price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Multiples of the ATR.
    Atr(f64),
    /// Percent of the price: 2.0 is two percent.
    Percent(f64),
}

impl Distance {
    /// In price units. `None` when that is not a finite amount above zero.
    pub fn resolve(self, price: Decimal, atr: f64) -> Option<Decimal> {
        let distance = match self {
            Self::Atr(multiple) => Decimal::from_f64(multiple * atr)?,
            Self::Percent(percent) => price * Decimal::from_f64(percent)? / Decimal::ONE_HUNDRED,
        };
        (distance > Decimal::ZERO).then_some(distance)
    }
}

/// How a leg is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitRules {
    /// How far against the entry the close-all stop stands.
    pub stop: Distance,
    /// Take-profits, nearest first; may be empty.
    pub take_profits: Vec<Rung>,
    /// Whether the stop follows the price.
    pub trailing: Option<Trailing>,
    /// After how many bars the leg is closed at the market.
    pub max_bars: Option<u32>,
}

impl ExitRules {
    /// Only a stop.
    pub const fn stop_only(stop: Distance) -> Self {
        Self { stop, take_profits: Vec::new(), trailing: None, max_bars: None }
    }
    /// Whether a leg has been held for as long as the rules allow.
    pub fn is_over(&self, leg: &LegState, interval: Interval, now: Timestamp) -> bool {
        let (Some(bars), Some(opened)) = (self.max_bars, leg.opened_at) else { return false };
        let limit = Duration::from_millis(interval.ms().unsigned_abs() * u64::from(bars));
        now.since(opened) >= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_a_multiple_of_the_atr_or_a_percentage_of_the_price() {
        let price = Decimal::from(200);
        assert_eq!(Distance::Atr(2.5).resolve(price, 4.0), Some(Decimal::from(10)));
        assert_eq!(Distance::Percent(1.5).resolve(price, 4.0), Some(Decimal::from(3)));
    }

    #[test]
    fn a_distance_of_nothing_is_no_distance() {
        let price = Decimal::from(200);
        assert_eq!(Distance::Atr(2.5).resolve(price, 0.0), None);
        assert_eq!(Distance::Atr(f64::NAN).resolve(price, 1.0), None);
        assert_eq!(Distance::Percent(-1.0).resolve(price, 1.0), None);
    }
}
