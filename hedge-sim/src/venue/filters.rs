//! Filters: precision, price and quantity grids and bounds, percent price, client ids.
//!
//! Source: fact sheet 4.2, 4.5, 7.1. Precision is checked before the notional, as the exchange does.

use std::cmp::Ordering;

use hedge_core::money::{compare, difference, product};
use rust_decimal::Decimal;

use super::error::{Refusal, VenueError};
use super::market::Market;
use super::rules::{InstrumentRules, LotRule, is_multiple, on_scale};
use super::vocabulary::Side;

/// No real price or quantity comes near; beyond it sums might overflow.
const CEILING: Decimal = Decimal::from_parts(1_410_065_408, 2, 0, false, 0);
const CEILING_WHOLE: i64 = 10_000_000_000;

/// Longest client id. Source: fact sheet 7.1.
const CLIENT_ID_MAX: usize = 36;

/// Which bytes a client id may have: letters, digits and `.:/_-`.
const CLIENT_ID_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        allowed[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'/' | b'_' | b'-');
        byte += 1;
    }
    allowed
};

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
    match price_place(rules, price) {
        Ordering::Less => Err(Refusal::PriceBelowMin.into()),
        Ordering::Greater => Err(Refusal::PriceAboveMax.into()),
        Ordering::Equal => rules.ticks_exact(price).ok_or_else(|| Refusal::PriceOffTick.into()),
    }
}

/// Ticks of a trigger price: the same grid, other codes for the bounds.
pub(super) fn trigger_ticks(rules: &InstrumentRules, price: Decimal) -> Result<i64, VenueError> {
    precise(price, rules.price_precision)?;
    match price_place(rules, price) {
        Ordering::Less => Err(Refusal::TriggerTooLow.into()),
        Ordering::Greater => Err(Refusal::TriggerAboveMax.into()),
        Ordering::Equal => rules.ticks_exact(price).ok_or_else(|| Refusal::PriceOffTick.into()),
    }
}

/// Below the bounds of a price, above them, or inside.
fn price_place(rules: &InstrumentRules, price: Decimal) -> Ordering {
    if !is_positive(&price) || compare(&price, &rules.min_price).is_lt() {
        return Ordering::Less;
    }
    let above = |most: &Decimal| compare(&price, most).is_gt();
    if above(&CEILING) || is_positive(&rules.max_price) && above(&rules.max_price) {
        return Ordering::Greater;
    }
    Ordering::Equal
}

#[inline]
fn is_positive(value: &Decimal) -> bool {
    value.is_sign_positive() && !value.is_zero()
}

/// Steps of a quantity inside the lot rule.
pub(super) fn lot_steps(rules: &InstrumentRules, lot: &LotRule, qty: Decimal) -> Result<i64, VenueError> {
    precise(qty, rules.qty_precision)?;
    if let Some(steps) = quick_steps(rules, lot, qty) {
        return Ok(steps);
    }
    if !is_positive(&qty) {
        return Err(Refusal::QtyNotPositive.into());
    }
    if compare(&qty, &lot.min).is_lt() {
        return Err(Refusal::QtyBelowMin.into());
    }
    if compare(&qty, &CEILING).is_gt() || compare(&qty, &lot.max).is_gt() {
        return Err(Refusal::QtyAboveMax.into());
    }
    let over = if lot.min.is_sign_negative() {
        qty.checked_sub(lot.min)
    } else {
        // Both are at most the ceiling.
        Some(difference(&qty, &lot.min))
    };
    let on_lot_grid = over.is_some_and(|over| is_multiple(over, lot.step));
    rules.steps_exact(qty).filter(|_| on_lot_grid).ok_or_else(|| Refusal::QtyOffStep.into())
}

/// Steps of a quantity that passes, where words hold all of it.
#[inline]
fn quick_steps(rules: &InstrumentRules, lot: &LotRule, qty: Decimal) -> Option<i64> {
    let bounds = lot.min.scale().max(lot.max.scale());
    let scale = qty.scale().max(bounds).max(lot.step.scale()).max(rules.lot.step.scale());
    let (least, qty, most) = (on_scale(lot.min, scale)?, on_scale(qty, scale)?, on_scale(lot.max, scale)?);
    let (lot_step, step) = (on_scale(lot.step, scale)?, on_scale(rules.lot.step, scale)?);
    let ceiling = CEILING_WHOLE.checked_mul(10_i64.checked_pow(scale)?)?;
    let is_inside = qty > 0 && least >= 0 && least <= qty && qty <= most.min(ceiling);
    let is_on_grid =
        is_inside && lot_step > 0 && step > 0 && (qty - least) % lot_step == 0 && qty % step == 0;
    is_on_grid.then(|| qty / step)
}

/// Refuses limit prices too far on the wrong side of mark.
pub(super) fn percent_price(market: &Market, side: Side, price: Decimal) -> Result<(), VenueError> {
    let mark = market.mark();
    match side {
        Side::Buy
            if market
                .rules
                .percent_price_up
                .is_some_and(|up| compare(&price, &product(&mark, &up)).is_gt()) =>
        {
            Err(Refusal::AbovePercentPrice.into())
        }
        Side::Sell
            if market
                .rules
                .percent_price_down
                .is_some_and(|down| compare(&price, &product(&mark, &down)).is_lt()) =>
        {
            Err(Refusal::BelowPercentPrice.into())
        }
        _ => Ok(()),
    }
}

/// Refuses an opening order whose notional is too small.
pub(super) fn min_notional(rules: &InstrumentRules, notional: Decimal) -> Result<(), VenueError> {
    if compare(&notional, &rules.min_notional).is_ge() {
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
    let allowed = |byte: u8| CLIENT_ID_BYTES[usize::from(byte)];
    if text.is_empty() || text.len() > CLIENT_ID_MAX || !text.bytes().all(allowed) {
        return Err(Refusal::BadClientId.into());
    }
    Ok(())
}
