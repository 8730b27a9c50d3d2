//! The stop and the take-profits that an opening brings.

use hedge_core::{Decimal, InstrumentSpec, PositionSide, Price, Protection, Ratio, TakeProfit};
use rust_decimal::prelude::FromPrimitive;
use serde::{Deserialize, Serialize};

use super::{Distance, ExitRules};

/// One rung of a take-profit ladder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// How far from the entry.
    pub at: Distance,
    /// Fraction of the opened quantity, 0 to 1.
    pub portion: f64,
}

/// The protection of an opening near `entry`. `None` when the stop or a rung would not be a price of the instrument:
/// then the opening must not happen.
///
/// Triggers are rounded to the nearest tick. A stop that rounding would put on or beyond the entry is refused too.
pub fn protection(
    rules: &ExitRules,
    side: PositionSide,
    entry: Price,
    atr: f64,
    spec: &InstrumentSpec,
) -> Option<Protection> {
    let away = |distance: Distance, sign: i64| -> Option<Price> {
        let distance = distance.resolve(entry.get(), atr)?;
        let price = spec.round_price(entry.get() + distance * Decimal::from(sign))?;
        (price != entry).then_some(price)
    };
    let trigger = away(rules.stop, -side.sign())?;
    let take_profits = rules
        .take_profits
        .iter()
        .map(|rung| {
            let portion = Ratio::new(Decimal::from_f64(rung.portion)?).ok()?;
            Some(TakeProfit { trigger: away(rung.at, side.sign())?, portion })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Protection::Stop { trigger, take_profits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::spec;

    fn rules() -> ExitRules {
        ExitRules {
            stop: Distance::Atr(2.0),
            take_profits: vec![
                Rung { at: Distance::Atr(1.5), portion: 0.4 },
                Rung { at: Distance::Percent(3.0), portion: 0.6 },
            ],
            trailing: None,
            max_bars: None,
        }
    }

    fn prices(protection: Option<Protection>) -> Vec<String> {
        let Some(Protection::Stop { trigger, take_profits }) = protection else { return Vec::new() };
        let rungs = take_profits.iter().map(|rung| format!("{} x {}", rung.portion, rung.trigger));
        std::iter::once(trigger.to_string()).chain(rungs).collect()
    }

    #[test]
    fn a_long_is_stopped_below_and_takes_profit_above() {
        let entry = Price::parse("100").unwrap();
        let ladder = protection(&rules(), PositionSide::Long, entry, 1.234, &spec());
        assert_eq!(prices(ladder), ["97.5", "0.4 x 101.9", "0.6 x 103"]);
    }

    #[test]
    fn a_short_is_stopped_above_and_takes_profit_below() {
        let entry = Price::parse("100").unwrap();
        let ladder = protection(&rules(), PositionSide::Short, entry, 1.234, &spec());
        assert_eq!(prices(ladder), ["102.5", "0.4 x 98.1", "0.6 x 97"]);
    }

    #[test]
    fn a_stop_that_is_no_price_gives_no_protection() {
        let entry = Price::parse("100").unwrap();
        assert_eq!(protection(&rules(), PositionSide::Long, entry, 60.0, &spec()), None);
        assert_eq!(protection(&rules(), PositionSide::Long, entry, 0.001, &spec()), None);
    }
}
