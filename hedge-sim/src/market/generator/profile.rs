//! What distinguishes one generated symbol from another.

use hedge_core::Symbol;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::market::error::MarketError;

/// Grid, usual price, volatility and activity of a generated symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct SymbolProfile {
    pub(super) symbol: Symbol,
    pub(super) price_scale: u8,
    /// Mantissa of the price grid.
    pub(super) tick: i64,
    pub(super) volume_scale: u8,
    /// Mantissa of the quantity grid.
    pub(super) step: i64,
    /// The price that the market wanders around; never left by more than a factor of five.
    pub(super) anchor: f64,
    /// Share of the common factor.
    pub(super) beta: f64,
    /// Daily deviation of the symbol's own factor.
    pub(super) own_daily: f64,
    /// Base units traded in a usual minute.
    pub(super) minute_qty: f64,
}

/// Symbol, tick, step, anchor, beta, own daily deviation, quantity of a minute.
type Row = (&'static str, (i64, u8), (i64, u8), f64, f64, f64, f64);

/// Grids as seen in recorded bars of 2024; prices and activity of the usual size.
const BUILT_IN: [Row; 7] = [
    ("ADAUSDT", (1, 4), (1, 0), 0.55, 1.35, 0.024, 400_000.0),
    ("BNBUSDT", (1, 2), (1, 2), 610.0, 0.85, 0.016, 400.0),
    ("BTCUSDT", (1, 1), (1, 3), 68_000.0, 1.0, 0.008, 180.0),
    ("DOGEUSDT", (1, 5), (1, 0), 0.16, 1.4, 0.028, 3_000_000.0),
    ("ETHUSDT", (1, 2), (1, 3), 3_200.0, 1.15, 0.014, 2_000.0),
    ("SOLUSDT", (1, 3), (1, 0), 150.0, 1.35, 0.024, 15_000.0),
    ("XRPUSDT", (1, 4), (1, 1), 0.9, 1.15, 0.024, 600_000.0),
];

impl SymbolProfile {
    /// The built-in profile of a symbol: the seven usual ones against USDT.
    pub fn built_in(symbol: Symbol) -> Option<Self> {
        BUILT_IN.iter().find(|row| row.0 == symbol.as_str()).map(|row| Self::from_row(symbol, row))
    }
    /// All built-in profiles, ordered by symbol.
    pub fn all_built_in() -> Vec<Self> {
        let profile = |row: &Row| Some(Self::from_row(Symbol::parse(row.0).ok()?, row));
        BUILT_IN.iter().filter_map(profile).collect()
    }
    fn from_row(symbol: Symbol, row: &Row) -> Self {
        let (_, (tick, price_scale), (step, volume_scale), anchor, beta, own_daily, minute_qty) = *row;
        Self { symbol, price_scale, tick, volume_scale, step, anchor, beta, own_daily, minute_qty }
    }
    /// The same market on another price and quantity grid, for example an instrument file's.
    /// Errors when a grid is not above zero or too coarse for the symbol's prices or volumes.
    pub fn with_grid(mut self, tick: Decimal, step: Decimal) -> Result<Self, MarketError> {
        (self.tick, self.price_scale) = mantissa(tick, self.anchor / 1_000.0, self.symbol, "tick")?;
        (self.step, self.volume_scale) = mantissa(step, self.minute_qty / 20.0, self.symbol, "step")?;
        Ok(self)
    }
    /// Which symbol.
    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }
    /// Decimal places of its prices.
    pub const fn price_scale(&self) -> u8 {
        self.price_scale
    }
    /// Decimal places of its quantities.
    pub const fn volume_scale(&self) -> u8 {
        self.volume_scale
    }
    /// One tick as a float.
    pub(super) fn tick_size(&self) -> f64 {
        self.tick as f64 / 10_u64.pow(u32::from(self.price_scale)) as f64
    }
    /// One lot as a float.
    pub(super) fn lot_size(&self) -> f64 {
        self.step as f64 / 10_u64.pow(u32::from(self.volume_scale)) as f64
    }
}

fn mantissa(grid: Decimal, largest: f64, symbol: Symbol, what: &str) -> Result<(i64, u8), MarketError> {
    let normal = grid.normalize();
    let usable =
        normal > Decimal::ZERO && normal.scale() <= 9 && normal.to_f64().is_some_and(|grid| grid <= largest);
    let scale = u8::try_from(normal.scale()).ok();
    match (usable, normal.mantissa().to_i64(), scale) {
        (true, Some(mantissa), Some(scale)) => Ok((mantissa, scale)),
        _ => Err(MarketError::Selection(format!(
            "{what} {grid} of {symbol} does not suit the generated market; expected more than 0 and at most {largest}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seven_usual_symbols_are_built_in_and_ordered() {
        let names: Vec<String> =
            SymbolProfile::all_built_in().iter().map(|one| one.symbol.to_string()).collect();
        let expected = ["ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_grid_that_is_too_coarse_is_refused() {
        let sol = SymbolProfile::built_in(Symbol::parse("SOLUSDT").unwrap()).unwrap();
        let finer = sol.clone().with_grid(Decimal::new(5, 2), Decimal::new(1, 2)).unwrap();
        assert_eq!((finer.tick, finer.price_scale, finer.step, finer.volume_scale), (5, 2, 1, 2));
        assert!(sol.clone().with_grid(Decimal::from(10), Decimal::ONE).is_err());
        assert!(sol.with_grid(Decimal::ZERO, Decimal::ONE).is_err());
    }
}
