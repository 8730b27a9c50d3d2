//! What every strategy looks at on every closed bar, and the breadcrumb it leaves behind.

use hedge_core::{Bar, InstrumentId, Interval, PositionSide, Reading};
use serde::{Deserialize, Serialize};

use crate::{
    indicators::{Atr, Cross, Crossing, Ema, Rsi, ZScore},
    signal::Vetoes,
};

/// Periods of the screener's indicators. Units: bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenerParams {
    /// Window of the z-score of the close.
    pub z: usize,
    /// Changes in the RSI.
    pub rsi: usize,
    /// Bars in the ATR.
    pub atr: usize,
    /// Fast average.
    pub fast: usize,
    /// Slow average.
    pub slow: usize,
}

impl Default for ScreenerParams {
    fn default() -> Self {
        Self { z: 20, rsi: 14, atr: 14, fast: 9, slow: 21 }
    }
}

/// What the screener computed for one bar; `None` while warming up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Screened {
    /// The bar's close.
    pub close: f64,
    /// z-score of the close.
    pub z: Option<f64>,
    /// RSI, 0 to 100.
    pub rsi: Option<f64>,
    /// ATR in price units.
    pub atr: Option<f64>,
    /// Fast average.
    pub fast: Option<f64>,
    /// Slow average.
    pub slow: Option<f64>,
    /// The averages crossed on this bar.
    pub crossing: Option<Crossing>,
}

impl Screened {
    /// ATR as a fraction of the close.
    pub fn atr_fraction(&self) -> Option<f64> {
        self.atr.map(|atr| atr / self.close)
    }
    /// Whether every indicator has warmed up.
    pub fn is_warm(&self) -> bool {
        self.z.is_some()
            && self.rsi.is_some()
            && self.atr.is_some()
            && self.slow.is_some()
            && self.fast.is_some()
    }
}

/// z-score, RSI, ATR and an EMA cross of one instrument, bar by bar.
#[derive(Clone, Debug)]
pub struct Screener {
    params: ScreenerParams,
    z: ZScore,
    rsi: Rsi,
    atr: Atr,
    fast: Ema,
    slow: Ema,
    cross: Cross,
}

impl Screener {
    /// With those periods.
    pub fn new(params: ScreenerParams) -> Self {
        Self {
            params,
            z: ZScore::new(params.z),
            rsi: Rsi::new(params.rsi),
            atr: Atr::new(params.atr),
            fast: Ema::new(params.fast),
            slow: Ema::new(params.slow),
            cross: Cross::default(),
        }
    }
    /// How many bars it needs before it can say everything.
    pub fn warmup_bars(&self) -> usize {
        let ScreenerParams { z, rsi, atr, fast, slow } = self.params;
        z.max(rsi + 1).max(atr).max(fast).max(slow)
    }
    /// Takes one closed bar in.
    pub fn update(&mut self, bar: &Bar) -> Screened {
        let close = bar.close_f64();
        let (fast, slow) = (self.fast.update(close), self.slow.update(close));
        Screened {
            close,
            z: self.z.update(close),
            rsi: self.rsi.update(close),
            atr: self.atr.update(bar.high_f64(), bar.low_f64(), close),
            fast,
            slow,
            crossing: fast.zip(slow).and_then(|(fast, slow)| self.cross.update(fast, slow)),
        }
    }
    /// Forgets everything: the next bars warm it up again.
    pub fn reset(&mut self) {
        *self = Self::new(self.params);
    }
}

/// Where a bar left its strategy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stance {
    pub(crate) in_trade: bool,
    pub(crate) side: Option<PositionSide>,
    pub(crate) emitted: bool,
}

/// The breadcrumb of one bar.
pub(crate) fn reading(
    seen: &Screened,
    instrument: InstrumentId,
    timeframe: Interval,
    stance: Stance,
    veto: Vetoes,
) -> Reading {
    Reading {
        instrument,
        timeframe,
        z: seen.z,
        rsi: seen.rsi,
        atr: seen.atr_fraction(),
        cross_up: seen.crossing == Some(Crossing::Up),
        cross_down: seen.crossing == Some(Crossing::Down),
        in_trade: stance.in_trade,
        side: stance.side,
        emitted: stance.emitted,
        veto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::bar;

    #[test]
    fn a_screener_is_warm_exactly_after_its_warmup() {
        let mut screener = Screener::new(ScreenerParams { z: 4, rsi: 5, atr: 3, fast: 2, slow: 6 });
        assert_eq!(screener.warmup_bars(), 6);
        let warm: Vec<bool> = (0..7).map(|i| screener.update(&bar(i, 100.0 + i as f64)).is_warm()).collect();
        assert_eq!(warm, [false, false, false, false, false, true, true]);
        screener.reset();
        assert!(!screener.update(&bar(8, 100.0)).is_warm());
    }

    #[test]
    fn the_atr_of_a_reading_is_a_fraction_of_the_close() {
        let seen = Screened { close: 200.0, atr: Some(3.0), ..Screened::default() };
        let stance = Stance { in_trade: false, side: None, emitted: false };
        let id = InstrumentId::binance("BTCUSDT").unwrap();
        let reading = reading(&seen, id, Interval::M15, stance, Vec::new());
        assert_eq!(reading.atr, Some(0.015));
        assert!(!reading.cross_up && !reading.cross_down);
    }
}
