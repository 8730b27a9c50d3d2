//! Filters: precision, price and quantity grids and bounds, percent price, client ids.
//!
//! Source: fact sheet 4.2, 4.5, 7.1. Precision is checked before the notional, as the exchange does.

use rust_decimal::Decimal;

use super::error::{Refusal, VenueError};
use super::market::Market;
use super::rules::{InstrumentRules, LotRule, is_multiple};
use super::vocabulary::Side;

/// No real price or quantity comes near; beyond it sums might overflow.
const CEILING: Decimal = Decimal::from_parts(1_410_065_408, 2, 0, false, 0);

/// Longest client id. Source: fact sheet 7.1.
const CLIENT_ID_MAX: usize = 36;

/// Refuses a value with more decimals than the instrument has.
pub(super) fn precise(value: Decimal, decimals: u32) -> Result<(), VenueError> {
    if value.scale() > decimals && value.normalize().scale() > decimals {
        Err(Refusal::Precision.into())
    } else {
        Ok(())
    }
}

/// Ticks of a limit price inside all bounds.
pub(super) fn limit_ticks(rules: &InstrumentRules, price: Decimal) -> Result<i64, VenueError> {
    precise(price, rules.price_precision)?;
    if price <= Decimal::ZERO || price < rules.min_price {
        return Err(Refusal::PriceBelowMin.into());
    }
    if price > CEILING || rules.max_price > Decimal::ZERO && price > rules.max_price {
        return Err(Refusal::PriceAboveMax.into());
    }
    rules.ticks_exact(price).ok_or_else(|| Refusal::PriceOffTick.into())
}

/// Ticks of a trigger price: the same grid, other codes for the bounds.
pub(super) fn trigger_ticks(rules: &InstrumentRules, price: Decimal) -> Result<i64, VenueError> {
    precise(price, rules.price_precision)?;
    if price <= Decimal::ZERO || price < rules.min_price {
        return Err(Refusal::TriggerTooLow.into());
    }
    if price > CEILING || rules.max_price > Decimal::ZERO && price > rules.max_price {
        return Err(Refusal::TriggerAboveMax.into());
    }
    rules.ticks_exact(price).ok_or_else(|| Refusal::PriceOffTick.into())
}

/// Steps of a quantity inside the lot rule.
pub(super) fn lot_steps(rules: &InstrumentRules, lot: &LotRule, qty: Decimal) -> Result<i64, VenueError> {
    precise(qty, rules.qty_precision)?;
    if qty <= Decimal::ZERO {
        return Err(Refusal::QtyNotPositive.into());
    }
    if qty < lot.min {
        return Err(Refusal::QtyBelowMin.into());
    }
    if qty > CEILING || qty > lot.max {
        return Err(Refusal::QtyAboveMax.into());
    }
    let on_lot_grid = qty.checked_sub(lot.min).is_some_and(|over| is_multiple(over, lot.step));
    rules.steps_exact(qty).filter(|_| on_lot_grid).ok_or_else(|| Refusal::QtyOffStep.into())
}

/// Refuses limit prices too far on the wrong side of mark.
pub(super) fn percent_price(market: &Market, side: Side, price: Decimal) -> Result<(), VenueError> {
    let mark = market.mark();
    match side {
        Side::Buy if market.rules.percent_price_up.is_some_and(|up| price > mark * up) => {
            Err(Refusal::AbovePercentPrice.into())
        }
        Side::Sell if market.rules.percent_price_down.is_some_and(|down| price < mark * down) => {
            Err(Refusal::BelowPercentPrice.into())
        }
        _ => Ok(()),
    }
}

/// Refuses an opening order whose notional is too small.
pub(super) fn min_notional(rules: &InstrumentRules, notional: Decimal) -> Result<(), VenueError> {
    if notional >= rules.min_notional {
        return Ok(());
    }
    let text = format!(
        "Order's notional must be no smaller than {} (unless you choose reduce only).",
        rules.min_notional
    );
    Err(VenueError::refuse(-4164, text))
}

/// Checks the text of a client id.
pub(super) fn client_id(text: &str) -> Result<(), VenueError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '/' | '_' | '-');
    if text.is_empty() || text.len() > CLIENT_ID_MAX || !text.chars().all(allowed) {
        return Err(Refusal::BadClientId.into());
    }
    Ok(())
}
