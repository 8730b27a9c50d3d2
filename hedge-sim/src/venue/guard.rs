//! How far marks may move before an account's margin needs to be looked at again.
//!
//! What a crossed pool has beyond what it must have is a sum over the symbols: the wallet, plus what each symbol's legs
//! have gained, less what they must maintain (weighed for the margin call). Each held symbol is given an *allowance*
//! out of that sum: bounds around its mark inside which it cannot lose more. The pool's *spare* is what is left when
//! every symbol has lost its allowance. While it is above zero and every mark inside its bounds, nothing can happen to
//! the pool, whatever the other marks do.
//!
//! A fill changes the wallet and one symbol: its allowance alone is made anew, from the spare, whatever the number of
//! symbols held. After as many of these as there are symbols all are made anew, so that what has been gained meanwhile
//! is shared out too. Isolated legs stand alone, with half of what they have beyond their maintenance.
//!
//! In the same way each symbol has a least amount that it adds to the free margin inside its bounds, gains less what it
//! binds: an order that needs less than their sum needs no look at what is held.
//!
//! All of this is in whole numbers, rounded against the account. Whether something does happen is decided elsewhere, on
//! exact numbers; a guard only says when nobody needs to look.

use rust_decimal::Decimal;

use super::account::{LEG_SIDES, Slot};
use super::band::Band;
use super::exchange::Venue;
use super::margin::Pool;
use super::market::{Market, to_e8};

/// Decimal places of the sums.
const PLACES: u32 = 26;
/// A margin call's ratio is taken in ten-thousandths.
const WHOLE: i128 = 10_000;

/// Exclusive mark bounds per held symbol, and what the crossed pools have left beside them.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    /// By symbol; `None` where nothing is held.
    stakes: Vec<Option<Stake>>,
    /// Sum of the floors, by asset; `None` when a number does not fit.
    floors: Vec<Option<i128>>,
    /// Sum of what the symbols leave free, by asset; `None` when a number does not fit.
    free: Vec<Option<i128>>,
    /// Single allowances made since all of them were.
    refits: usize,
    /// A margin call of the account is out.
    called: bool,
    has_isolated: bool,
    /// How much of the pool counts, in ten-thousandths.
    weight: i128,
}

#[derive(Debug, Clone, Copy)]
struct Stake {
    lo_e8: i64,
    hi_e8: i64,
    /// What the symbol adds to its pool at worst inside the bounds.
    floor: i128,
    /// What it adds to the free margin at worst inside the bounds: gains less initial margin. `None` when it does not fit.
    free: Option<i128>,
}

impl Guard {
    /// Bounds of a symbol; unbounded when it is not held.
    pub(super) fn of(&self, symbol: usize) -> (i64, i64) {
        let stake = self.stakes.get(symbol).copied().flatten();
        stake.map_or((0, i64::MAX / 4), |stake| (stake.lo_e8, stake.hi_e8))
    }

    pub(super) fn called(&self) -> bool {
        self.called
    }

    fn put(&mut self, symbol: usize, stake: Option<Stake>) {
        if self.stakes.len() <= symbol {
            self.stakes.resize(symbol + 1, None);
        }
        self.stakes[symbol] = stake;
    }
}

impl Venue {
    /// Finds the guard of an account anew and forgets the bands of all symbols it holds.
    pub(super) fn renew_guard(&mut self, ax: usize) {
        for at in 0..self.accounts[ax].held.len() {
            self.markets[self.accounts[ax].held[at]].count_maintenance();
        }
        let mut guard = self.whole_guard(ax);
        guard.called = self.accounts[ax].is_called();
        self.drop_guard(ax);
        self.accounts[ax].guard = Some(guard);
    }

    /// Forgets the guard after money, legs or settings changed.
    pub(super) fn drop_guard(&mut self, ax: usize) {
        self.accounts[ax].guard = None;
        for at in 0..self.accounts[ax].held.len() {
            let symbol = self.accounts[ax].held[at];
            self.markets[symbol].band = Band::UNKNOWN;
        }
    }

    /// Makes one symbol's allowance anew after the wallet and that symbol's legs changed, or its mark left its bounds.
    pub(super) fn refit_guard(&mut self, ax: usize, symbol: usize) {
        self.markets[symbol].band = Band::UNKNOWN;
        let Some(mut guard) = self.accounts[ax].guard.take() else { return };
        self.markets[symbol].count_maintenance();
        if self.refit(ax, symbol, &mut guard).is_some() {
            self.accounts[ax].guard = Some(guard);
        } else {
            self.drop_guard(ax);
        }
    }

    /// `None` when all allowances have to be made anew.
    fn refit(&self, ax: usize, symbol: usize, guard: &mut Guard) -> Option<()> {
        let account = &self.accounts[ax];
        let market = &self.markets[symbol];
        let slot = &account.slots[symbol];
        guard.refits += 1;
        if guard.has_isolated
            || slot.is_isolated()
            || guard.called
            || guard.refits > most_refits(account.held.len())
        {
            return None;
        }
        let before = guard.stakes.get(symbol).copied().flatten();
        let floor_before = before.map_or(0, |stake| stake.floor);
        let others = guard.floors.get(market.asset).copied().flatten()?.checked_sub(floor_before)?;
        let free_before = before.map_or(Some(0), |stake| stake.free);
        let others_free =
            guard.free[market.asset].zip(free_before).and_then(|(all, own)| all.checked_sub(own));
        if account.held.binary_search(&symbol).is_err() {
            guard.put(symbol, None);
            guard.floors[market.asset] = Some(others);
            guard.free[market.asset] = others_free;
            return Some(());
        }
        let weight = guard.weight;
        let wallet = money(account.wallets[market.asset].balance, weight, false)?;
        let worth = Self::worth(market, slot, weight)?;
        let spare = wallet.checked_add(others)?.checked_add(worth)?;
        let stake = Self::stake(market, slot, weight, (worth, spare), account.held.len());
        if spare <= 0 || stake.lo_e8 >= stake.hi_e8 {
            return None;
        }
        guard.floors[market.asset] = others.checked_add(stake.floor);
        guard.free[market.asset] = plus(others_free, stake.free);
        guard.put(symbol, Some(stake));
        Some(())
    }

    /// Whether the guard shows that no margin of the account can be broken, called for or relieved now. `symbol` is the
    /// only one whose mark may have moved since the bands were found.
    pub(super) fn is_comfortable(&self, ax: usize, symbol: usize) -> bool {
        let account = &self.accounts[ax];
        let Some(guard) = &account.guard else { return false };
        if guard.called || guard.has_isolated || self.config.margin_call_ratio <= Decimal::ZERO {
            return false;
        }
        let (lo, hi) = guard.of(symbol);
        let mark_e8 = self.markets[symbol].mark_e8;
        let weight = guard.weight;
        let has_spare = |(wallet, floors): (&super::account::Wallet, &Option<i128>)| {
            let spare = money(wallet.balance, weight, false)?.checked_add((*floors)?)?;
            Some(spare > 0)
        };
        lo < mark_e8
            && mark_e8 < hi
            && account.wallets.iter().zip(&guard.floors).all(|pool| has_spare(pool) == Some(true))
            && account.wallets.len() == guard.floors.len()
    }

    /// Whether the guard shows that more than this is free of an asset, without adding up what is held: `symbol` is the
    /// only one whose mark may have moved since the bands were found.
    pub(super) fn surely_has(&self, ax: usize, symbol: usize, amount: &Decimal) -> bool {
        let account = &self.accounts[ax];
        let Some(guard) = account.guard.as_ref().filter(|guard| !guard.has_isolated) else { return false };
        let market = &self.markets[symbol];
        let (lo, hi) = guard.of(symbol);
        if !account.open_orders.is_empty() || market.mark_e8 <= lo || hi <= market.mark_e8 {
            return false;
        }
        let at_least = money(account.wallets[market.asset].balance, WHOLE, false)
            .and_then(|wallet| wallet.checked_add(guard.free.get(market.asset).copied().flatten()?));
        // One more, for what exact sums may have rounded.
        let at_most = money(*amount, WHOLE, true).and_then(|amount| amount.checked_add(ONE));
        at_least.zip(at_most).is_some_and(|(at_least, at_most)| at_least > at_most)
    }

    fn whole_guard(&self, ax: usize) -> Guard {
        let account = &self.accounts[ax];
        let weight = self.weight(account.is_called());
        let nothing = vec![Some(0); account.wallets.len()];
        let mut guard = Guard { floors: nothing.clone(), free: nothing, weight, ..Guard::default() };
        let isolated = |symbol: &&usize| account.slots[**symbol].is_isolated();
        for &symbol in account.held.iter().filter(isolated) {
            guard.has_isolated = true;
            guard.put(symbol, Some(self.isolated_stake(ax, symbol)));
        }
        for asset in 0..account.wallets.len() {
            let crossed = |symbol: &usize| {
                !account.slots[*symbol].is_isolated() && self.markets[*symbol].asset == asset
            };
            let held: Vec<usize> = account.held.iter().copied().filter(crossed).collect();
            let worth: Vec<Option<i128>> = held
                .iter()
                .map(|&symbol| Self::worth(&self.markets[symbol], &account.slots[symbol], weight))
                .collect();
            let wallet = money(self.crossed_wallet(ax, asset), weight, false);
            let total = worth.iter().try_fold(wallet, |sum, worth| Some(sum?.checked_add((*worth)?)));
            let total = total.flatten();
            for (&symbol, worth) in held.iter().zip(&worth) {
                let (market, slot) = (&self.markets[symbol], &account.slots[symbol]);
                let stake = match (worth, total) {
                    (Some(worth), Some(total)) => {
                        Self::stake(market, slot, weight, (*worth, total), held.len())
                    }
                    // Too large to be counted: every move is looked at.
                    _ => Stake { lo_e8: market.mark_e8, hi_e8: market.mark_e8, floor: 0, free: None },
                };
                guard.floors[asset] = guard.floors[asset]
                    .and_then(|sum| sum.checked_add(stake.floor))
                    .filter(|_| total.is_some());
                guard.free[asset] = plus(guard.free[asset], stake.free);
                guard.put(symbol, Some(stake));
            }
        }
        guard
    }

    /// The wallet without what isolated legs hold of it.
    fn crossed_wallet(&self, ax: usize, asset: usize) -> Decimal {
        let account = &self.accounts[ax];
        let held = account.held.iter().filter(|symbol| self.markets[**symbol].asset == asset);
        let legs = held.flat_map(|symbol| LEG_SIDES.map(|side| account.leg(*symbol, side).isolated_wallet));
        account.wallets[asset].balance - legs.sum::<Decimal>()
    }

    /// An allowance out of `spare`: half of it shared among `parts` symbols, as bounds of mark. One unit of mark costs the
    /// net quantity in profit and, at worst, the steepest maintenance ratio on the gross quantity.
    fn stake(
        market: &Market,
        slot: &Slot,
        weight: i128,
        (worth, spare): (i128, i128),
        parts: usize,
    ) -> Stake {
        let half = spare.max(0) >> 1;
        let allowance = if parts > 1 { half / parts as i128 } else { half };
        let (gross, net) = LEG_SIDES
            .iter()
            .map(|side| i128::from(slot.leg(*side).steps))
            .fold((0_i128, 0_i128), |(gross, net), steps| (gross + steps.abs(), net + steps));
        let step_e8 = i128::from(market.step_e8);
        // A mark of 10^-8 times a quantity of 10^-8, at a ratio in millionths, weighed.
        let per_unit = (net.abs() * step_e8)
            .checked_mul(1_000_000 * weight)
            .zip(
                market
                    .maintenance
                    .as_ref()
                    .and_then(|of| (gross * step_e8).checked_mul(of.steepest_ppm * WHOLE)),
            )
            .and_then(|(profit, maintenance)| profit.checked_add(maintenance));
        let width = match per_unit {
            Some(per_unit) if per_unit > 0 => i64::try_from(allowance / per_unit).unwrap_or(i64::MAX),
            // A leg that cannot lose.
            Some(_) => i64::MAX,
            None => 0,
        };
        let width = width.min(i64::MAX / 8);
        let (lo_e8, hi_e8) = (market.mark_e8.saturating_sub(width), market.mark_e8.saturating_add(width));
        let free = Self::free_floor(slot, (gross * step_e8, net * step_e8), (lo_e8, hi_e8));
        Stake { lo_e8, hi_e8, floor: worth.saturating_sub(allowance), free }
    }

    /// The least that a crossed symbol leaves free while its mark is inside bounds. `None` when it does not fit.
    fn free_floor(slot: &Slot, (gross_e8, net_e8): (i128, i128), (lo_e8, hi_e8): (i64, i64)) -> Option<i128> {
        let mut cost = 0_i128;
        for leg in LEG_SIDES.map(|side| slot.leg(side)).iter().filter(|leg| !leg.is_flat()) {
            cost = cost.checked_add(money(if leg.steps > 0 { leg.cost } else { -leg.cost }, WHOLE, true)?)?;
        }
        let worst = if net_e8 >= 0 { lo_e8 } else { hi_e8 };
        let in_money = |quantity: i128, mark: i64| {
            quantity.checked_mul(mark.into())?.checked_mul(1_000_000)?.checked_mul(WHOLE)
        };
        // A power of two that is not above the leverage, so that no less is bound and nothing is divided.
        let bound = (in_money(gross_e8, hi_e8)? >> slot.leverage.checked_ilog2().unwrap_or(0)) + 1;
        in_money(net_e8, worst)?.checked_sub(cost)?.checked_sub(bound)
    }

    /// What a crossed symbol adds to its pool at the present mark: gains less maintenance. `None` when it does not fit.
    fn worth(market: &Market, slot: &Slot, weight: i128) -> Option<i128> {
        let (mut gained, mut maintained) = (0_i128, 0_i128);
        for leg in LEG_SIDES.map(|side| slot.leg(side)) {
            if leg.is_flat() {
                continue;
            }
            let notional_e16 = (i128::from(leg.steps) * i128::from(market.step_e8))
                .checked_mul(i128::from(market.mark_e8))?;
            let cost = money(if leg.steps > 0 { leg.cost } else { -leg.cost }, weight, true)?;
            gained = gained.checked_add(notional_e16.checked_mul(1_000_000 * weight)?)?.checked_sub(cost)?;
            maintained = maintained.checked_add(market.maintenance.as_ref()?.of(notional_e16.abs())?)?;
        }
        gained.checked_sub(maintained)
    }

    /// How much of the pool counts, in ten-thousandths: a call comes when maintenance reaches that share of it.
    fn weight(&self, called: bool) -> i128 {
        let ratio = self.config.margin_call_ratio;
        if called || ratio <= Decimal::ZERO || ratio >= Decimal::ONE {
            return WHOLE;
        }
        to_e8(ratio.trunc_with_scale(4)).map_or(1, |e8| i128::from(e8) * WHOLE / 100_000_000).max(1)
    }

    fn isolated_stake(&self, ax: usize, symbol: usize) -> Stake {
        let market = &self.markets[symbol];
        let slot = &self.accounts[ax].slots[symbol];
        let held = LEG_SIDES.into_iter().filter(|side| !slot.leg(*side).is_flat());
        let widths = held.map(|side| {
            let pool = self.isolated_pool(ax, symbol, side, market.mark());
            self.width_e8(symbol, slot.leg(side).steps.abs(), self.slack(pool, slot.leg(side).called))
        });
        let width = widths.min().unwrap_or(0);
        Stake {
            lo_e8: market.mark_e8.saturating_sub(width),
            hi_e8: market.mark_e8.saturating_add(width),
            floor: 0,
            free: None,
        }
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

    /// Half the slack of an isolated leg as a distance of mark.
    fn width_e8(&self, symbol: usize, steps: i64, slack: Decimal) -> i64 {
        let rules = &self.markets[symbol].rules;
        let steepest = rules.brackets.iter().map(|b| b.maint_ratio).max().unwrap_or(Decimal::ONE);
        let ratio = self.config.margin_call_ratio;
        let widening =
            if ratio > Decimal::ZERO && ratio < Decimal::ONE { Decimal::ONE / ratio } else { Decimal::ONE };
        let qty = rules.qty_of(steps);
        let width = (slack / Decimal::TWO).checked_div(qty + qty * steepest * widening);
        // A width that does not fit, or a leg that cannot lose, is as good as unbounded.
        width.and_then(|w| to_e8(w.trunc_with_scale(8))).unwrap_or(i64::MAX).min(i64::MAX / 8)
    }
}

/// Powers of ten, as many as an amount can lack places.
const POWERS: [i128; (PLACES - 4) as usize + 1] = {
    let mut powers = [1; (PLACES - 4) as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// One of an asset.
const ONE: i128 = POWERS[(PLACES - 4) as usize] * WHOLE;

/// Both together, where both are known and fit.
fn plus(a: Option<i128>, b: Option<i128>) -> Option<i128> {
    a?.checked_add(b?)
}

/// After so many single allowances all are made anew: as many as there are, and some for an account that holds little,
/// where there is little to share out.
fn most_refits(held: usize) -> usize {
    held + 64
}

/// An amount in multiples of 10^-26, weighed in ten-thousandths, rounded down or up; `None` when it does not fit.
fn money(amount: Decimal, weight: i128, up: bool) -> Option<i128> {
    // The weight brings four of the places.
    let places = PLACES - 4;
    let (mantissa, scale) = (amount.mantissa(), amount.scale());
    let whole = match places.checked_sub(scale) {
        Some(missing) => mantissa.checked_mul(*POWERS.get(missing as usize)?)?,
        None => mantissa.div_euclid(10_i128.checked_pow(scale - places)?) + i128::from(up),
    };
    whole.checked_mul(weight)
}
