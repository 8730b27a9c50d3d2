//! How far marks may move before an account's margin needs to be looked at again.
//!
//! An account's slack is shared out among the symbols it holds, half of it in all: while every mark stays inside its
//! part, losses and growing maintenance together cannot use the slack up, whatever the other marks do.

use rust_decimal::Decimal;

use super::account::LEG_SIDES;
use super::exchange::Venue;
use super::margin::Pool;
use super::market::to_e8;

/// Exclusive mark bounds per held symbol.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    bounds: Vec<(usize, i64, i64)>,
}

impl Guard {
    /// Bounds of a symbol; unbounded when it is not held.
    pub(super) fn of(&self, symbol: usize) -> (i64, i64) {
        self.bounds.iter().find(|b| b.0 == symbol).map_or((0, i64::MAX / 4), |&(_, lo, hi)| (lo, hi))
    }
}

impl Venue {
    /// Finds the guard of an account anew and forgets the bands of all symbols it holds.
    pub(super) fn renew_guard(&mut self, ax: usize) {
        let account = &self.accounts[ax];
        let bounds = account.held.iter().map(|&symbol| self.guard_bounds(ax, symbol)).collect();
        for at in 0..self.accounts[ax].held.len() {
            let symbol = self.accounts[ax].held[at];
            self.markets[symbol].band = super::band::Band::UNKNOWN;
        }
        self.accounts[ax].guard = Some(Guard { bounds });
    }

    /// Forgets the guard after money, legs or settings changed.
    pub(super) fn drop_guard(&mut self, ax: usize) {
        self.accounts[ax].guard = None;
        for at in 0..self.accounts[ax].held.len() {
            let symbol = self.accounts[ax].held[at];
            self.markets[symbol].band = super::band::Band::UNKNOWN;
        }
    }

    fn guard_bounds(&self, ax: usize, symbol: usize) -> (usize, i64, i64) {
        let account = &self.accounts[ax];
        let market = &self.markets[symbol];
        let slot = &account.slots[symbol];
        let width = if slot.is_isolated() {
            let mut tightest: Option<i64> = None;
            for side in LEG_SIDES.into_iter().filter(|s| !slot.leg(*s).is_flat()) {
                let pool = self.isolated_pool(ax, symbol, side, market.mark());
                let steps = slot.leg(side).steps;
                let width = self.width_e8(
                    symbol,
                    steps.abs(),
                    steps.abs(),
                    self.slack(pool, slot.leg(side).called),
                    1,
                );
                tightest = Some(tightest.map_or(width, |t| t.min(width)));
            }
            tightest.unwrap_or(0)
        } else {
            let pool = self.cross_pool(ax, market.asset, None);
            let slack = self.slack(pool, account.wallets[market.asset].called);
            let gross: i64 = LEG_SIDES.iter().map(|s| slot.leg(*s).steps.abs()).sum();
            let net: i64 = LEG_SIDES.iter().map(|s| slot.leg(*s).steps).sum();
            self.width_e8(symbol, net.abs(), gross, slack, account.held.len())
        };
        (symbol, market.mark_e8.saturating_sub(width), market.mark_e8.saturating_add(width))
    }

    /// What may be lost before the next thing to tell: a margin call, or the liquidation itself.
    fn slack(&self, pool: Pool, called: bool) -> Decimal {
        let to_break = pool.balance - pool.maint;
        let ratio = self.config.margin_call_ratio;
        if called || ratio <= Decimal::ZERO || ratio >= Decimal::ONE {
            return to_break.max(Decimal::ZERO);
        }
        to_break.min(pool.balance - pool.maint / ratio).max(Decimal::ZERO)
    }

    /// Half the slack, shared among `parts` symbols, as a distance of mark. One unit of mark costs the net quantity in
    /// profit and, at worst, the steepest maintenance ratio on the gross quantity, widened for the call's ratio.
    fn width_e8(&self, symbol: usize, net: i64, gross: i64, slack: Decimal, parts: usize) -> i64 {
        let rules = &self.markets[symbol].rules;
        let steepest = rules.brackets.iter().map(|b| b.maint_ratio).max().unwrap_or(Decimal::ONE);
        let ratio = self.config.margin_call_ratio;
        let widening =
            if ratio > Decimal::ZERO && ratio < Decimal::ONE { Decimal::ONE / ratio } else { Decimal::ONE };
        let per_unit = rules.qty_of(net) + rules.qty_of(gross) * steepest * widening;
        let width = (slack / Decimal::from(2 * parts.max(1) as u64)).checked_div(per_unit);
        // A width that does not fit, or a leg that cannot lose, is as good as unbounded.
        width.and_then(|w| to_e8(w.trunc_with_scale(8))).unwrap_or(i64::MAX).min(i64::MAX / 8)
    }
}
