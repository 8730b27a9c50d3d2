//! A close beyond the extreme of the last bars.

use std::borrow::Cow;

use hedge_core::{Bar, PositionSide};

use crate::{
    indicators::{RollingHigh, RollingLow},
    screener::Screened,
    signal::{SignalRule, SignalStrategy, Vetoes, Wanted},
};

/// Breakout on both legs, built for BTC; trades any symbol.
pub type BtcBreakout = SignalStrategy<DonchianBreak>;

/// LONG when a bar closes above the highest high of the bars before it, SHORT when below the lowest low.
///
/// Only the first bar of a break signals. A break while the ATR is outside its band is spent without an entry.
#[derive(Debug)]
pub struct DonchianBreak {
    lookback: usize,
    atr_min: f64,
    atr_max: f64,
    high: RollingHigh,
    low: RollingLow,
    broken: Option<PositionSide>,
}

impl DonchianBreak {
    /// Over that many bars, while the ATR is between two fractions of the close.
    pub fn new(lookback: usize, atr_min: f64, atr_max: f64) -> Self {
        Self {
            lookback,
            atr_min,
            atr_max,
            high: RollingHigh::new(lookback),
            low: RollingLow::new(lookback),
            broken: None,
        }
    }
}

impl SignalRule for DonchianBreak {
    fn warmup_bars(&self) -> usize {
        self.lookback + 1
    }

    fn update(&mut self, bar: &Bar, seen: &Screened, vetoes: &mut Vetoes) -> Option<Wanted> {
        // The channel is read before this bar enters it.
        let channel = self.high.value().zip(self.low.value());
        self.high.update(bar.high_f64());
        self.low.update(bar.low_f64());
        let (Some((high, low)), Some(atr)) = (channel, seen.atr_fraction()) else {
            vetoes.push(Cow::Borrowed("warmup"));
            return None;
        };
        let side = if seen.close > high {
            Some(PositionSide::Long)
        } else if seen.close < low {
            Some(PositionSide::Short)
        } else {
            None
        };
        let fresh = std::mem::replace(&mut self.broken, side) != side;
        let veto = match side {
            None => "no_break",
            Some(_) if !fresh => "old_break",
            Some(_) if atr < self.atr_min => "atr_low",
            Some(_) if atr > self.atr_max => "atr_high",
            Some(side) => {
                let (what, edge) = match side {
                    PositionSide::Long => ("above the high", high),
                    PositionSide::Short => ("below the low", low),
                };
                let because = format!("close {} {what} {edge} of {} bars", seen.close, self.lookback);
                return Some(Wanted { side, because: because.into() });
            }
        };
        vetoes.push(Cow::Borrowed(veto));
        None
    }

    fn reset(&mut self) {
        self.high.reset();
        self.low.reset();
        self.broken = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::bar;

    fn run(rule: &mut DonchianBreak, closes: &[f64]) -> Vec<String> {
        closes
            .iter()
            .enumerate()
            .map(|(i, &close)| {
                let seen = Screened { close, atr: Some(close * 0.01), ..Screened::default() };
                let mut vetoes = Vetoes::new();
                let wanted = rule.update(&bar(i as i64, close), &seen, &mut vetoes);
                assert_eq!(wanted.is_none(), !vetoes.is_empty());
                wanted.map_or_else(|| vetoes.concat(), |wanted| wanted.side.to_string())
            })
            .collect()
    }

    #[test]
    fn a_break_is_a_close_beyond_the_bars_before_it_and_signals_once() {
        // Bars reach one beyond their close either way: the channel of 100, 100 is 99 to 101.
        let mut rule = DonchianBreak::new(2, 0.0, 1.0);
        let told = run(&mut rule, &[100.0, 100.0, 101.0, 102.1, 103.2, 103.0, 100.0, 98.0]);
        let expected =
            ["warmup", "warmup", "no_break", "LONG", "old_break", "no_break", "SHORT", "old_break"];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_break_in_a_market_that_is_too_calm_or_too_wild_is_no_entry() {
        let told = run(&mut DonchianBreak::new(1, 0.02, 1.0), &[100.0, 105.0]);
        assert_eq!(told[1], "atr_low");
        let told = run(&mut DonchianBreak::new(1, 0.0, 0.005), &[100.0, 105.0]);
        assert_eq!(told[1], "atr_high");
    }

    #[test]
    fn a_reset_forgets_the_channel() {
        let mut rule = DonchianBreak::new(1, 0.0, 1.0);
        run(&mut rule, &[100.0, 100.0]);
        rule.reset();
        assert_eq!(run(&mut rule, &[200.0]), ["warmup"]);
    }
}
