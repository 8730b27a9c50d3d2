//! How much: from capital, from risk, from what still fits under a limit.

use hedge_core::{Decimal, InstrumentSpec, Notional, Price, Qty};

/// The quantity that a capital buys, on the grid. `None` when that is below the instrument's minimum.
pub fn capital_per_trade(capital: Notional, price: Price, spec: &InstrumentSpec) -> Option<Qty> {
    spec.floor_qty(capital.get().checked_div(price.get())?, &spec.lot)
}

/// Risk parity: the notional whose loss at the stop is that percentage of equity. With a stop at a multiple of the ATR every
/// instrument risks the same, calm or wild. Units: percent (1 is 1 %). `None` when entry and stop are the same or equity
/// is not above zero.
///
/// ```
/// use hedge_core::{Decimal, Price};
/// use hedge_risk::sizing::risk_parity;
///
/// // A stop 2 % away: risking 1 % of 10,000 takes half of it.
/// let notional = risk_parity(Decimal::from(10_000), Decimal::ONE, Price::parse("100")?, Price::parse("98")?);
/// assert_eq!(notional.map(|n| n.get()), Some(Decimal::from(5_000)));
/// # Ok::<(), hedge_core::InvalidAmount>(())
/// ```
pub fn risk_parity(equity: Decimal, risk_pct: Decimal, entry: Price, stop: Price) -> Option<Notional> {
    let at_stop = (entry.get() - stop.get()).abs();
    let risk = equity.checked_mul(risk_pct)?.checked_div(Decimal::ONE_HUNDRED)?;
    if risk <= Decimal::ZERO {
        return None;
    }
    Notional::new(risk.checked_mul(entry.get())?.checked_div(at_stop)?).ok()
}

/// The largest quantity that fits into `room` and that the venue still takes. `None` when nothing does. Units: USDT.
pub fn cut_back(room: Decimal, price: Price, spec: &InstrumentSpec) -> Option<Qty> {
    let qty = spec.floor_qty(room.checked_div(price.get())?, &spec.lot)?;
    (qty.get() * price.get() >= spec.min_notional.get()).then_some(qty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{dec, price, spec};

    #[test]
    fn capital_buys_whole_steps_only() {
        let capital = Notional::new(dec("250")).unwrap();
        assert_eq!(capital_per_trade(capital, price("100"), &spec()).map(Qty::get), Some(dec("2.5")));
        assert_eq!(capital_per_trade(capital, price("99"), &spec()).map(Qty::get), Some(dec("2.525")));
        assert_eq!(capital_per_trade(capital, price("1000000"), &spec()), None);
    }

    #[test]
    fn every_stop_costs_the_same_share_of_equity() {
        for stop in ["90", "99", "101", "125"] {
            let notional = risk_parity(dec("10000"), dec("1"), price("100"), price(stop)).unwrap();
            let loss = notional.get() / dec("100") * (dec("100") - dec(stop)).abs();
            assert_eq!(loss, dec("100"));
        }
        assert_eq!(risk_parity(dec("10000"), dec("1"), price("100"), price("100")), None);
        assert_eq!(risk_parity(dec("-1"), dec("1"), price("100"), price("90")), None);
    }

    #[test]
    fn a_cut_back_order_fits_and_is_still_taken_by_the_venue() {
        assert_eq!(cut_back(dec("55.05"), price("100"), &spec()).map(Qty::get), Some(dec("0.55")));
        // The venue's minimum in these tests is 5.
        assert_eq!(cut_back(dec("5"), price("100"), &spec()).map(Qty::get), Some(dec("0.05")));
        assert_eq!(cut_back(dec("4.9"), price("100"), &spec()), None);
        assert_eq!(cut_back(dec("-3"), price("100"), &spec()), None);
    }
}
