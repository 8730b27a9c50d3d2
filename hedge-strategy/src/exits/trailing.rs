//! A stop that follows the price and never goes back.

use hedge_core::{Bps, Decimal, InstrumentSpec, PositionSide, Price};
use serde::{Deserialize, Serialize};

use super::Distance;

/// How the stop follows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trailing {
    /// How far the best price must have gone from the entry before the stop follows at all.
    pub activate: Distance,
    /// How far behind the best price the stop stands.
    pub distance: Distance,
    /// By how much a new trigger must be better than the old one: each move costs two requests.
    pub min_step_bps: Bps,
}

/// Where a leg stands when a bar closes.
#[derive(Clone, Copy, Debug)]
pub struct Trail {
    /// Which leg.
    pub side: PositionSide,
    /// Average entry.
    pub entry: Price,
    /// Best price since the entry.
    pub best: Price,
    /// The bar's close.
    pub close: Price,
    /// Trigger of the live stop.
    pub stop: Price,
    /// ATR in price units.
    pub atr: f64,
}

impl Trailing {
    /// The trigger to move to; `None` when the stop stays.
    ///
    /// It stays while the leg has not gained enough, while the better trigger is not better by the minimum step, and
    /// when the price has already fallen back through the new trigger (the old stop still stands behind it).
    pub fn tighten(&self, trail: &Trail, spec: &InstrumentSpec) -> Option<Price> {
        let sign = Decimal::from(trail.side.sign());
        let gain = |from: Price, to: Price| (to.get() - from.get()) * sign;
        if gain(trail.entry, trail.best) < self.activate.resolve(trail.entry.get(), trail.atr)? {
            return None;
        }
        let behind = self.distance.resolve(trail.best.get(), trail.atr)?;
        let trigger = spec.round_price(trail.best.get() - behind * sign)?;
        let step = trail.stop.get() * self.min_step_bps.ratio().get();
        let better = gain(trail.stop, trigger);
        let room = gain(trigger, trail.close);
        (better > Decimal::ZERO && better >= step && room > spec.tick && room >= step).then_some(trigger)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::spec;

    fn rules() -> Trailing {
        Trailing {
            activate: Distance::Atr(1.0),
            distance: Distance::Atr(2.0),
            min_step_bps: Bps::parse("10").unwrap(),
        }
    }

    fn price(value: f64) -> Price {
        Price::parse(&format!("{value:.1}")).unwrap()
    }

    fn trail(side: PositionSide, best: f64, close: f64, stop: f64) -> Trail {
        Trail {
            side,
            entry: price(100.0),
            best: price(best),
            close: price(close),
            stop: price(stop),
            atr: 2.0,
        }
    }

    #[test]
    fn a_stop_follows_the_best_price_of_its_leg() {
        let long = trail(PositionSide::Long, 105.0, 104.0, 97.0);
        assert_eq!(rules().tighten(&long, &spec()), Some(price(101.0)));
        let short = trail(PositionSide::Short, 95.0, 96.0, 103.0);
        assert_eq!(rules().tighten(&short, &spec()), Some(price(99.0)));
    }

    #[test]
    fn a_stop_follows_from_exactly_the_activation_on() {
        assert_eq!(rules().tighten(&trail(PositionSide::Long, 101.9, 101.9, 96.0), &spec()), None);
        let reached = trail(PositionSide::Long, 102.0, 102.0, 96.0);
        assert_eq!(rules().tighten(&reached, &spec()), Some(price(98.0)));
    }

    #[test]
    fn a_stop_moves_from_exactly_the_minimum_step_on() {
        // Ten basis points of 1000 are one: 1000 to 1000.9 is too little, 1000 to 1001 is enough.
        let wide =
            Trail { entry: price(990.0), atr: 2.0, ..trail(PositionSide::Long, 1004.9, 1004.9, 1000.0) };
        assert_eq!(rules().tighten(&wide, &spec()), None);
        let enough = Trail { best: price(1005.0), close: price(1005.0), ..wide };
        assert_eq!(rules().tighten(&enough, &spec()), Some(price(1001.0)));
    }

    #[test]
    fn a_stop_that_the_price_has_already_passed_is_not_placed() {
        assert_eq!(rules().tighten(&trail(PositionSide::Long, 110.0, 105.9, 97.0), &spec()), None);
        assert_eq!(rules().tighten(&trail(PositionSide::Short, 90.0, 94.1, 103.0), &spec()), None);
    }

    proptest! {
        #[test]
        fn a_stop_never_loosens(
            long in any::<bool>(),
            best in 50.0_f64..200.0,
            close in 50.0_f64..200.0,
            stop in 50.0_f64..200.0,
            atr in 0.1_f64..20.0,
        ) {
            let side = if long { PositionSide::Long } else { PositionSide::Short };
            let state = Trail { atr, ..trail(side, best, close, stop) };
            if let Some(moved) = rules().tighten(&state, &spec()) {
                let sign = Decimal::from(side.sign());
                prop_assert!((moved.get() - state.stop.get()) * sign > Decimal::ZERO);
                prop_assert!((state.close.get() - moved.get()) * sign > Decimal::ZERO);
            }
        }
    }
}
