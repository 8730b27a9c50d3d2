//! What an instrument allows: grids, limits, status, leverage brackets.
//!
//! Source: Binance USD-M docs, Exchange Information and Notional and Leverage Brackets; fact sheet 4.2, 4.9.

use hedge_core::money::compare;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::vocabulary::{OrderType, SymbolStatus, Tif};

/// Smallest unit of a mark price: all marks are whole multiples of 10^-8.
pub(crate) const MARK_SCALE: u32 = 8;

/// Rules that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("instrument {symbol}: {what}")]
pub struct RulesError {
    /// Symbol of the row, or a place in the file when it has none.
    pub symbol: String,
    /// What is wrong and what would be right.
    pub what: String,
}

/// Everything the exchange checks about one instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstrumentRules {
    /// Name, e.g. `BTCUSDT`.
    pub symbol: String,
    /// Pair, equal to the symbol for perpetuals.
    pub pair: String,
    /// Contract type text, e.g. `PERPETUAL`.
    pub contract_type: String,
    /// Trading status.
    pub status: SymbolStatus,
    /// First trading time.
    pub onboard_ms: i64,
    /// Delivery time; far in the future for a perpetual that is not being delisted.
    pub delivery_ms: i64,
    /// Base asset.
    pub base_asset: String,
    /// Quote asset.
    pub quote_asset: String,
    /// Asset of margin, fees and profit.
    pub margin_asset: String,
    /// Most decimals a price may be sent with.
    pub price_precision: u32,
    /// Most decimals a quantity may be sent with.
    pub qty_precision: u32,
    /// Price step.
    pub tick: Decimal,
    /// Lowest price; zero switches the bound off.
    pub min_price: Decimal,
    /// Highest price; zero switches the bound off.
    pub max_price: Decimal,
    /// Quantity limits of limit orders.
    pub lot: LotRule,
    /// Quantity limits of market orders.
    pub market_lot: LotRule,
    /// Open plain orders per account; `None` means no limit.
    pub max_num_orders: Option<u32>,
    /// Smallest notional of an opening order.
    pub min_notional: Decimal,
    /// Highest buy price as a multiple of mark.
    pub percent_price_up: Option<Decimal>,
    /// Lowest sell price as a multiple of mark.
    pub percent_price_down: Option<Decimal>,
    /// How far from mark a market order may fill, as a fraction; `None` means anywhere.
    pub market_take_bound: Option<Decimal>,
    /// How far mark and last may be apart at the trigger of a price-protected order.
    pub trigger_protect: Option<Decimal>,
    /// Fee of a forced close, as a fraction of notional.
    pub liquidation_fee: Decimal,
    /// Order types that are accepted.
    pub order_types: Vec<OrderType>,
    /// Times in force that are accepted.
    pub tifs: Vec<Tif>,
    /// Leverage brackets, by rising notional; never empty.
    pub brackets: Vec<Bracket>,
}

/// Quantity limits of one order family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotRule {
    /// Smallest quantity.
    pub min: Decimal,
    /// Largest quantity.
    pub max: Decimal,
    /// Quantity step.
    pub step: Decimal,
}

/// One leverage bracket. Maintenance margin inside it is `notional * maint_ratio - cum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    /// Number of the bracket, from 1.
    pub bracket: u32,
    /// Highest leverage inside it.
    pub initial_leverage: u32,
    /// Upper notional bound, inclusive.
    pub notional_cap: Decimal,
    /// Lower notional bound.
    pub notional_floor: Decimal,
    /// Maintenance margin ratio.
    pub maint_ratio: Decimal,
    /// Maintenance amount that makes the margin continuous across brackets.
    pub cum: Decimal,
}

impl InstrumentRules {
    /// Refuses rules the core cannot work with: non-positive grids, an empty or unordered bracket table.
    pub fn validate(&self) -> Result<(), RulesError> {
        let fail = |what: String| Err(RulesError { symbol: self.symbol.clone(), what });
        if self.symbol.is_empty() || self.margin_asset.is_empty() {
            return fail("symbol and margin asset must not be empty".into());
        }
        for (name, grid) in
            [("tick size", self.tick), ("lot step", self.lot.step), ("market lot step", self.market_lot.step)]
        {
            if grid <= Decimal::ZERO {
                return fail(format!("{name} is {grid}, it must be positive"));
            }
            if grid.normalize().scale() > MARK_SCALE {
                return fail(format!("{name} is {grid}, more than {MARK_SCALE} decimals are not supported"));
            }
        }
        if self.brackets.is_empty() {
            return fail("no leverage brackets; give at least one".into());
        }
        if self.brackets.windows(2).any(|w| w[0].notional_cap >= w[1].notional_cap) {
            return fail("leverage brackets must rise in notional".into());
        }
        let (large, ten) = (Decimal::from(10_000_000_000_000_000u64), Decimal::TEN);
        let bracket_fits = |b: &Bracket| {
            (1..=1_000).contains(&b.initial_leverage)
                && within(b.notional_cap, large)
                && within(b.cum, large)
                && within(b.maint_ratio, Decimal::ONE)
        };
        if !self.brackets.iter().all(bracket_fits) {
            return fail("a leverage bracket has a negative number or one beyond reason".into());
        }
        let optional =
            [self.percent_price_up, self.percent_price_down, self.market_take_bound, self.trigger_protect];
        if !optional.iter().flatten().all(|v| within(*v, ten)) || !within(self.liquidation_fee, Decimal::ONE)
        {
            return fail(
                "a multiplier, bound or fee is negative or beyond reason; they are fractions".into(),
            );
        }
        if !within(self.min_notional, large) {
            return fail(format!("minimum notional is {}", self.min_notional));
        }
        Ok(())
    }

    /// Highest leverage of any bracket.
    pub fn max_leverage(&self) -> u32 {
        self.brackets.iter().map(|b| b.initial_leverage).max().unwrap_or(1)
    }

    /// Largest notional that may be held at this leverage; zero when no bracket allows it.
    pub fn max_notional(&self, leverage: u32) -> Decimal {
        // Caps rise from bracket to bracket.
        let allowed = self.brackets.iter().rfind(|b| b.initial_leverage >= leverage);
        allowed.map_or(Decimal::ZERO, |b| b.notional_cap)
    }

    /// The bracket a notional falls into; beyond the last cap the last bracket goes on.
    pub fn bracket(&self, notional: Decimal) -> Option<&Bracket> {
        self.brackets.iter().find(|b| compare(&notional, &b.notional_cap).is_le()).or(self.brackets.last())
    }

    /// Price of a whole number of ticks.
    pub fn price_of(&self, ticks: i64) -> Decimal {
        multiple_of(self.tick, ticks)
    }

    /// Quantity of a whole number of steps.
    pub fn qty_of(&self, steps: i64) -> Decimal {
        multiple_of(self.lot.step, steps)
    }

    /// Ticks of a price that is on the grid; `None` off it.
    pub fn ticks_exact(&self, price: Decimal) -> Option<i64> {
        whole_multiple(price, self.tick)
    }

    /// Nearest tick of any price, half away from zero; `None` when it does not fit.
    pub fn ticks_nearest(&self, price: Decimal) -> Option<i64> {
        let ratio = price.checked_div(self.tick)?;
        ratio.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero).to_i64()
    }

    /// Nearest tick of a scaled integer price (`mantissa * 10^-scale`), half up; the cheap form for bars.
    pub fn ticks_from_scaled(&self, mantissa: i64, scale: u32) -> Option<i64> {
        let tick = self.tick.normalize();
        let numerator = i128::from(mantissa).checked_mul(10i128.checked_pow(tick.scale())?)?;
        let denominator = tick.mantissa().checked_mul(10i128.checked_pow(scale)?)?;
        let doubled = numerator.checked_mul(2)?.checked_add(denominator)?;
        i64::try_from(doubled.div_euclid(denominator.checked_mul(2)?)).ok()
    }

    /// Steps of a quantity that is on the grid; `None` off it.
    pub fn steps_exact(&self, qty: Decimal) -> Option<i64> {
        whole_multiple(qty, self.lot.step)
    }
}

fn within(value: Decimal, most: Decimal) -> bool {
    value >= Decimal::ZERO && value <= most
}

/// `mantissa / 10^scale`, as [`Decimal::new`] has it.
#[inline]
pub(crate) fn scaled(mantissa: i64, scale: u32) -> Decimal {
    let digits = mantissa.unsigned_abs();
    Decimal::from_parts(digits as u32, (digits >> 32) as u32, 0, mantissa < 0, scale)
}

/// So many times a grid: the same decimal that multiplying gives, without widening what fits one word.
#[inline]
pub(crate) fn multiple_of(grid: Decimal, count: i64) -> Decimal {
    match word(&grid).and_then(|mantissa| mantissa.checked_mul(count)) {
        Some(product) if product != 0 => scaled(product, grid.scale()),
        _ => wide_multiple(grid, count),
    }
}

#[cold]
fn wide_multiple(grid: Decimal, count: i64) -> Decimal {
    Decimal::from(count) * grid
}

/// The mantissa; `None` when it does not fit one word.
#[inline]
fn word(value: &Decimal) -> Option<i64> {
    let parts = value.unpack();
    let digits = i64::try_from(u64::from(parts.lo) | u64::from(parts.mid) << 32).ok()?;
    (parts.hi == 0).then_some(if parts.negative { -digits } else { digits })
}

/// The mantissa on a scale that is at least the decimal's own; `None` when it is not or does not fit one word.
#[inline]
pub(super) fn on_scale(value: Decimal, scale: u32) -> Option<i64> {
    match scale.checked_sub(value.scale())? {
        0 => word(&value),
        missing => word(&value)?.checked_mul(10_i64.checked_pow(missing)?),
    }
}

/// Mantissas of two decimals on one scale; `None` when they do not fit one word.
#[inline]
fn on_one_scale(a: Decimal, b: Decimal) -> Option<(i64, i64)> {
    let scale = a.scale().max(b.scale());
    Some((on_scale(a, scale)?, on_scale(b, scale)?))
}

/// Whether a value is so many times a grid, for the remainder alone.
pub(super) fn is_multiple(value: Decimal, grid: Decimal) -> bool {
    match on_one_scale(value, grid) {
        Some((value, grid)) if grid != 0 => value % grid == 0,
        _ => value.checked_rem(grid).is_some_and(|rest| rest.is_zero()),
    }
}

fn whole_multiple(value: Decimal, grid: Decimal) -> Option<i64> {
    if let Some((value, grid)) = on_one_scale(value, grid)
        && grid != 0
    {
        return (value % grid == 0).then(|| value / grid);
    }
    let ratio = value.checked_div(grid)?;
    if ratio.fract().is_zero() && ratio.checked_mul(grid)? == value { ratio.to_i64() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quick_and_plain_arithmetic_agree_on_grids(
            mantissa in prop_oneof![-1_000_000_i64..1_000_000, any::<i64>()], scale in 0_u32..12,
            grid in prop_oneof![1_i64..2_000, any::<i64>()], grid_scale in 0_u32..12, count in any::<i32>(),
        ) {
            let (value, grid) = (Decimal::new(mantissa, scale), Decimal::new(grid, grid_scale));
            prop_assume!(!grid.is_zero());
            let product = Decimal::from(count) * grid;
            prop_assert_eq!(multiple_of(grid, i64::from(count)).serialize(), product.serialize());
            let rest = value.checked_rem(grid);
            prop_assert_eq!(is_multiple(value, grid), rest.is_some_and(|rest| rest.is_zero()));
            prop_assert_eq!(whole_multiple(product, grid), Some(i64::from(count)));
            if whole_multiple(value, grid).is_some() {
                prop_assert!(is_multiple(value, grid));
            }
        }
    }
}
