//! A crossing of two averages that the RSI agrees with.

use std::borrow::Cow;

use hedge_core::{Bar, PositionSide};

use crate::{
    indicators::Crossing,
    screener::Screened,
    signal::{SignalRule, SignalStrategy, Vetoes, Wanted},
};

/// Momentum on both legs, built for ETH; trades any symbol.
pub type EthMomentum = SignalStrategy<Momentum>;

/// LONG when the fast EMA crosses above the slow one, SHORT when below.
///
/// The RSI must agree (at least `rsi_min` for LONG, at most `100 − rsi_min` for SHORT) and the close must not be
/// stretched already (z-score at most `z_max` in the direction of the entry).
#[derive(Clone, Copy, Debug)]
pub struct Momentum {
    /// RSI that a LONG needs at least.
    pub rsi_min: f64,
    /// z-score in the direction of the entry, at most.
    pub z_max: f64,
    /// ATR as a fraction of the close, at least.
    pub atr_min: f64,
    /// ATR as a fraction of the close, at most.
    pub atr_max: f64,
}

impl SignalRule for Momentum {
    fn warmup_bars(&self) -> usize {
        0
    }

    fn update(&mut self, _: &Bar, seen: &Screened, vetoes: &mut Vetoes) -> Option<Wanted> {
        let (Some(z), Some(rsi), Some(atr), Some(_)) = (seen.z, seen.rsi, seen.atr_fraction(), seen.slow)
        else {
            vetoes.push(Cow::Borrowed("warmup"));
            return None;
        };
        let Some(crossing) = seen.crossing else {
            vetoes.push(Cow::Borrowed("no_cross"));
            return None;
        };
        // Mirrored for SHORT, so that one set of comparisons serves both legs.
        let (side, agreement, stretch, weak, stretched) = match crossing {
            Crossing::Up => (PositionSide::Long, rsi, z, "rsi_low", "z_high"),
            Crossing::Down => (PositionSide::Short, 100.0 - rsi, -z, "rsi_high", "z_low"),
        };
        let before = vetoes.len();
        let mut veto = |holds: bool, word: &'static str| {
            if holds {
                vetoes.push(Cow::Borrowed(word));
            }
        };
        veto(atr < self.atr_min, "atr_low");
        veto(atr > self.atr_max, "atr_high");
        veto(agreement < self.rsi_min, weak);
        veto(stretch > self.z_max, stretched);
        if vetoes.len() > before {
            return None;
        }
        let over = if side == PositionSide::Long { "above" } else { "below" };
        let because = format!("fast average crossed {over} the slow one at rsi {rsi:.1} and z {z:+.2}");
        Some(Wanted { side, because: because.into() })
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::bar;

    const RULE: Momentum = Momentum { rsi_min: 50.0, z_max: 2.0, atr_min: 0.001, atr_max: 0.05 };

    fn told(seen: Screened) -> String {
        let mut vetoes = Vetoes::new();
        let wanted = { RULE }.update(&bar(0, 100.0), &seen, &mut vetoes);
        wanted.map_or_else(|| vetoes.join(" "), |wanted| wanted.side.to_string())
    }

    fn seen(crossing: Crossing, rsi: f64, z: f64) -> Screened {
        Screened {
            close: 100.0,
            z: Some(z),
            rsi: Some(rsi),
            atr: Some(1.0),
            fast: Some(1.0),
            slow: Some(1.0),
            crossing: Some(crossing),
        }
    }

    #[test]
    fn a_crossing_that_the_filters_accept_opens_its_leg() {
        assert_eq!(told(seen(Crossing::Up, 50.0, 2.0)), "LONG");
        assert_eq!(told(seen(Crossing::Down, 50.0, -2.0)), "SHORT");
    }

    #[test]
    fn every_filter_that_objects_is_named() {
        assert_eq!(told(seen(Crossing::Up, 49.9, 2.1)), "rsi_low z_high");
        assert_eq!(told(seen(Crossing::Down, 50.1, -2.1)), "rsi_high z_low");
        assert_eq!(told(Screened { atr: Some(0.05), ..seen(Crossing::Up, 60.0, 0.0) }), "atr_low");
        assert_eq!(told(Screened { atr: Some(9.0), ..seen(Crossing::Up, 60.0, 0.0) }), "atr_high");
    }

    #[test]
    fn nothing_is_wanted_without_a_crossing_or_while_warming_up() {
        assert_eq!(told(Screened { crossing: None, ..seen(Crossing::Up, 60.0, 0.0) }), "no_cross");
        assert_eq!(told(Screened { z: None, ..seen(Crossing::Up, 60.0, 0.0) }), "warmup");
    }
}
