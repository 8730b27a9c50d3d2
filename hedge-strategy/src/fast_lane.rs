//! Quick trades: a crossing of short averages, or a return from an extreme.

use std::borrow::Cow;

use hedge_core::{Bar, PositionSide};
use serde::{Deserialize, Serialize};

use crate::{
    indicators::Crossing,
    screener::Screened,
    signal::{SignalRule, SignalStrategy, Vetoes, Wanted},
};

/// The fast lane on both legs, built for SOL; trades any symbol.
pub type SolFastLane = SignalStrategy<FastLane>;

/// What the fast lane bets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FastLaneMode {
    /// An extreme close comes back: LONG when the z-score falls to `−z_entry` with an oversold RSI, SHORT mirrored.
    Reversion,
    /// A crossing of the averages goes on while the close is not yet extreme.
    Momentum,
}

/// See [`FastLaneMode`].
#[derive(Clone, Copy, Debug)]
pub struct FastLane {
    /// What it bets on.
    pub mode: FastLaneMode,
    /// z-score from which on a close is extreme.
    pub z_entry: f64,
    /// RSI at or below which the market is oversold; `100 −` this is overbought.
    pub rsi_extreme: f64,
    /// ATR as a fraction of the close, at least.
    pub atr_min: f64,
    /// ATR as a fraction of the close, at most.
    pub atr_max: f64,
    /// z-score of the bar before.
    pub(crate) z_before: Option<f64>,
}

impl FastLane {
    /// With those thresholds.
    pub const fn new(mode: FastLaneMode, z_entry: f64, rsi_extreme: f64, atr_min: f64, atr_max: f64) -> Self {
        Self { mode, z_entry, rsi_extreme, atr_min, atr_max, z_before: None }
    }

    fn reversion(&self, before: f64, z: f64, rsi: f64) -> Result<PositionSide, &'static str> {
        let (fell, rose) =
            (before > -self.z_entry && z <= -self.z_entry, before < self.z_entry && z >= self.z_entry);
        match (fell, rose) {
            (true, _) if rsi > self.rsi_extreme => Err("rsi_high"),
            (true, _) => Ok(PositionSide::Long),
            (_, true) if rsi < 100.0 - self.rsi_extreme => Err("rsi_low"),
            (_, true) => Ok(PositionSide::Short),
            _ if z.abs() >= self.z_entry => Err("old_extreme"),
            _ => Err("no_extreme"),
        }
    }

    fn momentum(&self, crossing: Option<Crossing>, z: f64) -> Result<PositionSide, &'static str> {
        match crossing {
            None => Err("no_cross"),
            Some(Crossing::Up) if z > self.z_entry => Err("z_high"),
            Some(Crossing::Up) => Ok(PositionSide::Long),
            Some(Crossing::Down) if z < -self.z_entry => Err("z_low"),
            Some(Crossing::Down) => Ok(PositionSide::Short),
        }
    }
}

impl SignalRule for FastLane {
    fn warmup_bars(&self) -> usize {
        0
    }

    fn update(&mut self, _: &Bar, seen: &Screened, vetoes: &mut Vetoes) -> Option<Wanted> {
        let before = std::mem::replace(&mut self.z_before, seen.z);
        let warm = (before, seen.z, seen.rsi, seen.atr_fraction(), seen.slow);
        let (Some(before), Some(z), Some(rsi), Some(atr), Some(_)) = warm else {
            vetoes.push(Cow::Borrowed("warmup"));
            return None;
        };
        let signal = match self.mode {
            FastLaneMode::Reversion => self.reversion(before, z, rsi),
            FastLaneMode::Momentum => self.momentum(seen.crossing, z),
        };
        let veto = match signal {
            Err(veto) => veto,
            Ok(_) if atr < self.atr_min => "atr_low",
            Ok(_) if atr > self.atr_max => "atr_high",
            Ok(side) => {
                let bet = match self.mode {
                    FastLaneMode::Reversion => "return from an extreme",
                    FastLaneMode::Momentum => "crossing of the averages",
                };
                return Some(Wanted { side, because: format!("{bet} at z {z:+.2} and rsi {rsi:.1}").into() });
            }
        };
        vetoes.push(Cow::Borrowed(veto));
        None
    }

    fn reset(&mut self) {
        self.z_before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::bar;

    fn told(rule: &mut FastLane, z: f64, rsi: f64, crossing: Option<Crossing>) -> String {
        let seen = Screened {
            close: 100.0,
            z: Some(z),
            rsi: Some(rsi),
            atr: Some(1.0),
            fast: Some(1.0),
            slow: Some(1.0),
            crossing,
        };
        let mut vetoes = Vetoes::new();
        let wanted = rule.update(&bar(0, 100.0), &seen, &mut vetoes);
        wanted.map_or_else(|| vetoes.join(" "), |wanted| wanted.side.to_string())
    }

    #[test]
    fn a_reversion_is_entered_once_when_the_close_becomes_extreme() {
        let mut rule = FastLane::new(FastLaneMode::Reversion, 2.0, 30.0, 0.0, 1.0);
        assert_eq!(told(&mut rule, 0.0, 50.0, None), "warmup");
        assert_eq!(told(&mut rule, -1.9, 30.0, None), "no_extreme");
        assert_eq!(told(&mut rule, -2.0, 30.0, None), "LONG");
        assert_eq!(told(&mut rule, -2.5, 20.0, None), "old_extreme");
        assert_eq!(told(&mut rule, 2.0, 70.0, None), "SHORT");
    }

    #[test]
    fn an_extreme_that_the_rsi_does_not_confirm_is_no_entry() {
        let mut rule = FastLane::new(FastLaneMode::Reversion, 2.0, 30.0, 0.0, 1.0);
        told(&mut rule, 0.0, 50.0, None);
        assert_eq!(told(&mut rule, -2.0, 30.1, None), "rsi_high");
        assert_eq!(told(&mut rule, 2.0, 69.9, None), "rsi_low");
    }

    #[test]
    fn fast_momentum_follows_a_crossing_that_is_not_stretched() {
        let mut rule = FastLane::new(FastLaneMode::Momentum, 2.0, 30.0, 0.0, 1.0);
        told(&mut rule, 0.0, 50.0, None);
        assert_eq!(told(&mut rule, 2.0, 50.0, Some(Crossing::Up)), "LONG");
        assert_eq!(told(&mut rule, 2.1, 50.0, Some(Crossing::Up)), "z_high");
        assert_eq!(told(&mut rule, -2.0, 50.0, Some(Crossing::Down)), "SHORT");
        assert_eq!(told(&mut rule, 0.0, 50.0, None), "no_cross");
    }

    #[test]
    fn the_fast_lane_stays_out_of_calm_and_wild_markets() {
        let mut calm = FastLane::new(FastLaneMode::Momentum, 2.0, 30.0, 0.02, 1.0);
        told(&mut calm, 0.0, 50.0, None);
        assert_eq!(told(&mut calm, 0.0, 50.0, Some(Crossing::Up)), "atr_low");
        let mut wild = FastLane::new(FastLaneMode::Momentum, 2.0, 30.0, 0.0, 0.009);
        told(&mut wild, 0.0, 50.0, None);
        assert_eq!(told(&mut wild, 0.0, 50.0, Some(Crossing::Up)), "atr_high");
    }
}
