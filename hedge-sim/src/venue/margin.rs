//! Margin arithmetic: what legs and orders bind, what is available, what stands against liquidation.
//!
//! Source: fact sheet 14.2, 14.5.

use hedge_core::money::{difference, greatest, product, sum};
use rust_decimal::Decimal;

use super::account::{LEG_SIDES, Slot};
use super::exchange::Venue;
use super::market::Market;
use super::vocabulary::{PositionSide, Side};

/// Numbers of one leg at a mark price.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LegValue {
    /// Signed.
    pub(super) notional: Decimal,
    pub(super) unrealized: Decimal,
    pub(super) maint: Decimal,
}

impl LegValue {
    /// What the leg binds.
    pub(super) fn initial(&self, leverage: u32) -> Decimal {
        if self.notional.is_zero() { Decimal::ZERO } else { self.notional.abs() / Decimal::from(leverage) }
    }
}

/// Notional of an account's open orders on one row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OpenNotional {
    pub(super) bids: Decimal,
    pub(super) asks: Decimal,
    pub(super) opening_bids: Decimal,
    pub(super) opening_asks: Decimal,
}

/// What stands against liquidation, and what it must cover.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pool {
    pub(super) balance: Decimal,
    pub(super) maint: Decimal,
}

impl Pool {
    /// Source: fact sheet 14.5, "Cross liquidation when".
    pub(super) fn is_broken(self) -> bool {
        self.maint > Decimal::ZERO && self.balance <= self.maint
    }

    pub(super) fn deserves_call(self, ratio: Decimal) -> bool {
        self.maint > Decimal::ZERO && self.maint >= self.balance * ratio
    }
}

/// Sums of one asset of an account.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AssetSums {
    pub(super) wallet: Decimal,
    pub(super) isolated_wallets: Decimal,
    pub(super) cross_unrealized: Decimal,
    pub(super) isolated_unrealized: Decimal,
    pub(super) cross_initial: Decimal,
    pub(super) isolated_initial: Decimal,
    pub(super) maint: Decimal,
    pub(super) order_margin: Decimal,
}

impl AssetSums {
    pub(super) fn cross_wallet(&self) -> Decimal {
        difference(&self.wallet, &self.isolated_wallets)
    }

    /// What is not bound; negative when more is bound than there is.
    pub(super) fn free(&self) -> Decimal {
        let worth = sum(&self.cross_wallet(), &self.cross_unrealized);
        difference(&difference(&worth, &self.cross_initial), &self.order_margin)
    }

    pub(super) fn available(&self) -> Decimal {
        greatest(self.free(), Decimal::ZERO)
    }

    /// Unrealised profit cannot be withdrawn.
    pub(super) fn max_withdraw(&self) -> Decimal {
        self.available().min(self.available() - self.cross_unrealized).max(Decimal::ZERO)
    }
}

/// Numbers of a leg at `mark`.
pub(super) fn leg_value(market: &Market, slot: &Slot, side: PositionSide, mark: Decimal) -> LegValue {
    let leg = slot.leg(side);
    if leg.is_flat() {
        return LegValue::default();
    }
    let absolute = product(&market.rules.qty_of(leg.steps.abs()), &mark);
    let (notional, unrealized) = if leg.steps > 0 {
        (absolute, difference(&absolute, &leg.cost))
    } else {
        (-absolute, difference(&leg.cost, &absolute))
    };
    LegValue { notional, unrealized, maint: maintenance(market, absolute) }
}

/// Notional of a leg at `mark`, signed.
pub(super) fn leg_notional(market: &Market, slot: &Slot, side: PositionSide, mark: Decimal) -> Decimal {
    let steps = slot.leg(side).steps;
    if steps == 0 { Decimal::ZERO } else { product(&market.rules.qty_of(steps), &mark) }
}

fn maintenance(market: &Market, notional: Decimal) -> Decimal {
    let bracket = market.rules.bracket(notional);
    bracket.map_or(Decimal::ZERO, |b| {
        greatest(difference(&product(&notional, &b.maint_ratio), &b.cum), Decimal::ZERO)
    })
}

impl Venue {
    /// Notional of the open orders of a row; `exclude` leaves one order out.
    pub(super) fn open_notional(
        &self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        exclude: Option<u64>,
    ) -> OpenNotional {
        let mut sums = OpenNotional::default();
        let rules = &self.markets[symbol].rules;
        for id in &self.accounts[ax].open_orders {
            let Some(order) = self.orders.get(id) else { continue };
            if order.symbol != symbol || order.position_side != position_side || exclude == Some(*id) {
                continue;
            }
            let notional = product(&rules.price_of(order.ticks), &rules.qty_of(order.remaining()));
            let opening = if order.reduces { Decimal::ZERO } else { notional };
            match order.side {
                Side::Buy => {
                    sums.bids += notional;
                    sums.opening_bids += opening;
                }
                Side::Sell => {
                    sums.asks += notional;
                    sums.opening_asks += opening;
                }
            }
        }
        sums
    }

    /// Margin of the open orders of a row, with `extra` added to them. In hedge mode each leg stands alone; in
    /// one-way mode only what orders add to the larger outcome counts.
    pub(super) fn order_margin(
        &self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        extra: Option<(Side, Decimal)>,
        exclude: Option<u64>,
    ) -> Decimal {
        let mut open = self.open_notional(ax, symbol, position_side, exclude);
        match extra {
            Some((Side::Buy, notional)) => open.opening_bids += notional,
            Some((Side::Sell, notional)) => open.opening_asks += notional,
            None => {}
        }
        let slot = &self.accounts[ax].slots[symbol];
        let bound = if position_side == PositionSide::Both {
            let market = &self.markets[symbol];
            let held = leg_notional(market, slot, position_side, market.mark());
            let worst = (held + open.opening_bids).abs().max((held - open.opening_asks).abs());
            (worst - held.abs()).max(Decimal::ZERO)
        } else {
            open.opening_bids + open.opening_asks
        };
        bound / Decimal::from(slot.leverage)
    }

    /// Sums over all positions and orders of an asset; `exclude` leaves one order out.
    pub(super) fn asset_sums(&self, ax: usize, asset: usize, exclude: Option<u64>) -> AssetSums {
        let account = &self.accounts[ax];
        let mut sums = AssetSums { wallet: account.wallets[asset].balance, ..AssetSums::default() };
        for &symbol in &account.held {
            let market = &self.markets[symbol];
            if market.asset != asset {
                continue;
            }
            let slot = &account.slots[symbol];
            for side in LEG_SIDES {
                let value = leg_value(market, slot, side, market.mark());
                sums.maint += value.maint;
                sums.isolated_wallets += slot.leg(side).isolated_wallet;
                if slot.is_isolated() {
                    sums.isolated_unrealized += value.unrealized;
                    sums.isolated_initial += value.initial(slot.leverage);
                } else {
                    sums.cross_unrealized += value.unrealized;
                    sums.cross_initial += value.initial(slot.leverage);
                }
            }
        }
        for (symbol, side) in self.rows_with_orders(ax) {
            if self.markets[symbol].asset == asset {
                sums.order_margin += self.order_margin(ax, symbol, side, None, exclude);
            }
        }
        sums
    }

    /// Rows with open plain orders, each once.
    fn rows_with_orders(&self, ax: usize) -> Vec<(usize, PositionSide)> {
        let open = self.accounts[ax].open_orders.iter().filter_map(|id| self.orders.get(id));
        let mut rows: Vec<_> = open.map(|o| (o.symbol, o.position_side)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The crossed pool of an asset, with one symbol's mark replaced when `at` says so.
    pub(super) fn cross_pool(&self, ax: usize, asset: usize, at: Option<(usize, Decimal)>) -> Pool {
        let account = &self.accounts[ax];
        let mut pool = Pool { balance: account.wallets[asset].balance, maint: Decimal::ZERO };
        for &symbol in &account.held {
            let market = &self.markets[symbol];
            if market.asset != asset {
                continue;
            }
            let slot = &account.slots[symbol];
            let mark = at.filter(|(s, _)| *s == symbol).map_or_else(|| market.mark(), |(_, mark)| mark);
            for side in LEG_SIDES {
                if slot.is_isolated() {
                    pool.balance -= slot.leg(side).isolated_wallet;
                } else {
                    let value = leg_value(market, slot, side, mark);
                    pool.balance = sum(&pool.balance, &value.unrealized);
                    pool.maint = sum(&pool.maint, &value.maint);
                }
            }
        }
        pool
    }

    /// The pool of one isolated leg.
    pub(super) fn isolated_pool(&self, ax: usize, symbol: usize, side: PositionSide, mark: Decimal) -> Pool {
        let slot = &self.accounts[ax].slots[symbol];
        let value = leg_value(&self.markets[symbol], slot, side, mark);
        Pool { balance: slot.leg(side).isolated_wallet + value.unrealized, maint: value.maint }
    }

    /// Price of mark at which the leg's pool breaks if nothing else changes; zero when there is none.
    /// Source: fact sheet 14.5.
    pub(super) fn liquidation_price(&self, ax: usize, symbol: usize, side: PositionSide) -> Decimal {
        let market = &self.markets[symbol];
        let slot = &self.accounts[ax].slots[symbol];
        if slot.leg(side).is_flat() {
            return Decimal::ZERO;
        }
        // Legs that hedge each other fully cannot be brought down by the price. Source: fact sheet 14.5.
        let net: i64 = LEG_SIDES.iter().map(|s| slot.leg(*s).steps).sum();
        if net == 0 && !slot.is_isolated() {
            return Decimal::ZERO;
        }
        let (mut numerator, legs): (Decimal, &[PositionSide]) = if slot.is_isolated() {
            (slot.leg(side).isolated_wallet, &[side])
        } else {
            let all = self.cross_pool(ax, market.asset, None);
            let here = LEG_SIDES.map(|s| leg_value(market, slot, s, market.mark()));
            let (unrealized, maint) =
                here.iter().fold((Decimal::ZERO, Decimal::ZERO), |(u, m), v| (u + v.unrealized, m + v.maint));
            // `all` is wallet plus everything unrealised less everything maintained; this symbol is added back below.
            (all.balance - unrealized - (all.maint - maint), &LEG_SIDES)
        };
        let mut denominator = Decimal::ZERO;
        for leg_side in legs {
            let leg = slot.leg(*leg_side);
            let size = market.rules.qty_of(leg.steps.abs());
            let Some(bracket) = market.rules.bracket(size * market.mark()) else { continue };
            if leg.is_flat() {
                continue;
            }
            numerator += bracket.cum - Decimal::from(leg.steps.signum()) * leg.cost;
            denominator += size * bracket.maint_ratio - market.rules.qty_of(leg.steps);
        }
        let price = numerator.checked_div(denominator).unwrap_or(Decimal::ZERO);
        // A hedge that is nearly complete pushes the price out of any market.
        if price <= Decimal::ZERO || price > market.mark() * Decimal::from(1_000) {
            return Decimal::ZERO;
        }
        price.round_dp(8)
    }
}
