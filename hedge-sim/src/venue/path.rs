//! Price moves: from here to there through everything between, stopping where something happens.
//!
//! A move is quick when its target lies inside the market's band. Otherwise the nearest price at which an order, a
//! trigger or a margin is touched is found, prices go there, everything at that price happens, and the move ends.

use rust_decimal::Decimal;

use super::account::LEG_SIDES;
use super::band::Band;
use super::command::{Moved, SymbolId};
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;
use super::margin::Pool;
use super::market::to_e8;
use super::matching::reaches;
use super::rules::{MARK_SCALE, scaled};
use super::trigger::Watch;
use super::vocabulary::{PositionSide, Side, WorkingType};

/// The straight way of last and mark to their targets. Steps are ticks of last.
#[derive(Debug, Clone, Copy)]
struct Path {
    from: i64,
    to: i64,
    mark_from_e8: i64,
    mark_to_e8: i64,
    tick_e8: i64,
}

impl Path {
    fn steps(&self) -> i64 {
        (self.to - self.from).abs()
    }

    fn last_at(&self, step: i64) -> i64 {
        self.from + (self.to - self.from).signum() * step
    }

    /// Mark goes in proportion; when last stands still mark is at its target at once.
    fn mark_at(&self, step: i64) -> i64 {
        let steps = self.steps();
        if step >= steps {
            return self.mark_to_e8;
        }
        let way = i128::from(self.mark_to_e8) - i128::from(self.mark_from_e8);
        self.mark_from_e8 + (way * i128::from(step) / i128::from(steps)) as i64
    }

    fn working_at(&self, step: i64, working_type: WorkingType) -> i64 {
        match working_type {
            WorkingType::Contract => self.last_at(step) * self.tick_e8,
            WorkingType::Mark => self.mark_at(step),
        }
    }

    /// First step at which a condition holds that, once true, stays true along the way.
    fn first(&self, holds: impl Fn(i64) -> bool) -> Option<i64> {
        let (mut lo, mut hi) = (0, self.steps());
        if !holds(hi) {
            return None;
        }
        while lo < hi {
            let middle = lo + (hi - lo) / 2;
            if holds(middle) { hi = middle } else { lo = middle + 1 }
        }
        Some(hi)
    }
}

impl Venue {
    /// The quick form of [`Command::Move`](super::Command::Move), for replays: mark in multiples of 10^-8, or last.
    ///
    /// # Errors
    /// `-1121` for an unknown instrument, `-1130` for a price that is not positive or too large.
    #[inline]
    pub fn move_price(
        &mut self,
        now_ms: i64,
        symbol: SymbolId,
        to: i64,
        mark_e8: Option<i64>,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Moved, VenueError> {
        let dated = self.advance(now_ms, out);
        let index = usize::from(symbol.0);
        let Some(market) = self.markets.get_mut(index) else { return Err(Refusal::BadSymbol.into()) };
        // A target outside all bounds fails the band too, so the product cannot overflow where it is used.
        let mark_to_e8 = mark_e8.unwrap_or_else(|| to.wrapping_mul(market.tick_e8));
        if market.band.allows(to, mark_to_e8) && !dated {
            market.shift(self.now_ms, to, mark_to_e8);
            return Ok(Moved { last: to, reached: true, eventful: false });
        }
        self.check_target(index, to, mark_to_e8)?;
        if dated {
            // Something just happened to an account at the price that stands.
            return Ok(Moved { last: self.markets[index].last, reached: false, eventful: true });
        }
        Ok(self.move_carefully(index, to, mark_to_e8, out))
    }

    /// Whether last, with mark beside it, may go anywhere between `lo` and `hi` (in ticks), jumps included, without
    /// concerning anybody. A caller who was told so may go there with [`stride`](Self::stride) until an order
    /// [ends by its date](Self::has_dated).
    #[inline]
    pub(crate) fn is_quiet(&mut self, symbol: SymbolId, lo: i64, hi: i64) -> bool {
        let index = usize::from(symbol.0);
        match self.markets.get(index) {
            Some(market) if market.band.is_known() => market.is_quiet(lo, hi),
            Some(_) => {
                self.find_band(index);
                self.markets[index].is_quiet(lo, hi)
            }
            None => false,
        }
    }

    /// Takes last, with mark beside it, along quiet prices: the same as a move or a jump to each of them.
    #[inline]
    pub(crate) fn stride(&mut self, now_ms: i64, symbol: SymbolId, path: [i64; 4]) {
        self.now_ms = self.now_ms.max(now_ms);
        let Some(market) = self.markets.get_mut(usize::from(symbol.0)) else { return };
        debug_assert!(path.iter().all(|to| market.band.allows(*to, to * market.tick_e8)));
        market.stride(self.now_ms, path);
    }

    /// Whether an order or an algo order ends by its date until a time.
    #[inline]
    pub(crate) fn has_dated(&self, until_ms: i64) -> bool {
        let due = |first: Option<&(i64, u64)>| first.is_some_and(|(date, _)| *date <= until_ms);
        due(self.gtd_orders.first()) || due(self.gtd_algos.first())
    }

    pub(super) fn check_target(&self, symbol: usize, to: i64, mark_to_e8: i64) -> Result<(), VenueError> {
        let fits = self.markets[symbol].holds_ticks(to) && mark_to_e8 > 0 && mark_to_e8 < i64::MAX / 4;
        if fits { Ok(()) } else { Err(Refusal::InvalidValue.into()) }
    }

    fn move_carefully(
        &mut self,
        symbol: usize,
        to: i64,
        mark_to_e8: i64,
        out: &mut Vec<VenueEvent>,
    ) -> Moved {
        let market = &self.markets[symbol];
        let path =
            Path { from: market.last, to, mark_from_e8: market.mark_e8, mark_to_e8, tick_e8: market.tick_e8 };
        let before = self.next_seq;
        let crossing = self.markets[symbol].crossing().is_some();
        let stop = if crossing { Some(0) } else { self.next_stop(symbol, &path) };
        let step = stop.unwrap_or(path.steps());
        let at = path.last_at(step);
        self.markets[symbol].shift(self.now_ms, at, path.mark_at(step));
        self.follow_trailing(symbol);
        if crossing {
            self.fill_crossing(symbol, out);
        }
        if stop.is_some() {
            self.happen(symbol, (path.to - path.from).signum(), at, out);
            debug_assert!(self.next_seq > before, "a stop at which nothing happens would never be left");
        }
        self.find_band(symbol);
        Moved { last: at, reached: step == path.steps(), eventful: self.next_seq > before }
    }

    /// Puts prices at their targets at once and lets everything happen that they passed. Limit orders fill at their
    /// own price, triggers fire at the new one.
    pub(super) fn jump(
        &mut self,
        symbol: usize,
        to: i64,
        mark_to_e8: i64,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Moved, VenueError> {
        self.check_target(symbol, to, mark_to_e8)?;
        let before = self.next_seq;
        let from = self.markets[symbol].last;
        self.markets[symbol].shift(self.now_ms, to, mark_to_e8);
        self.follow_trailing(symbol);
        self.happen(symbol, (to - from).signum(), to, out);
        self.find_band(symbol);
        Ok(Moved { last: to, reached: true, eventful: self.next_seq > before })
    }

    /// Everything that happens at the price just reached: limit fills on the side a fall (-1) or a rise (1) touches,
    /// triggers, margins.
    pub(super) fn happen(&mut self, symbol: usize, direction: i64, at: i64, out: &mut Vec<VenueEvent>) {
        match direction {
            -1 => self.fill_touched(symbol, Side::Buy, at, out),
            1 => self.fill_touched(symbol, Side::Sell, at, out),
            _ => {}
        }
        self.fire_met(symbol, out);
        for ax in 0..self.accounts.len() {
            if self.accounts[ax].held.binary_search(&symbol).is_ok() {
                self.settle_margins(ax, out);
            }
        }
    }

    /// Fills the resting orders of a side that the price came to, best price first, oldest first.
    pub(super) fn fill_touched(&mut self, symbol: usize, side: Side, at: i64, out: &mut Vec<VenueEvent>) {
        loop {
            let first = self.markets[symbol].book_side(side).first().copied();
            let Some(resting) = first.filter(|r| reaches(side.opposite(), at, r.ticks)) else { return };
            self.fill_resting(resting.order_id, out);
        }
    }

    /// Fills what rests across the market: with the first move the other side comes to it.
    pub(super) fn fill_crossing(&mut self, symbol: usize, out: &mut Vec<VenueEvent>) {
        while let Some(resting) = self.markets[symbol].crossing() {
            self.fill_resting(resting.order_id, out);
        }
    }

    /// The first step of the way at which anything happens.
    fn next_stop(&self, symbol: usize, path: &Path) -> Option<i64> {
        let market = &self.markets[symbol];
        let resting = match (path.to - path.from).signum() {
            -1 => market.bids.first().filter(|r| r.ticks >= path.to).map(|r| (path.from - r.ticks).max(0)),
            1 => market.asks.first().filter(|r| r.ticks <= path.to).map(|r| (r.ticks - path.from).max(0)),
            _ => None,
        };
        let triggers = market.algos.iter().filter_map(|id| self.algos.get(id)).filter_map(|algo| {
            let watch = Watch::of(algo, market.tick_e8);
            path.first(|step| watch.is_met(path.working_at(step, algo.working_type)))
        });
        let margins = (0..self.accounts.len()).filter_map(|ax| self.margin_stop(ax, symbol, path));
        resting.into_iter().chain(triggers).chain(margins).min()
    }

    /// Where on the way an account's margin comes to a call or breaks.
    fn margin_stop(&self, ax: usize, symbol: usize, path: &Path) -> Option<i64> {
        let account = &self.accounts[ax];
        if account.held.binary_search(&symbol).is_err() {
            return None;
        }
        if let Some(guard) = &account.guard {
            let (lo, hi) = guard.of(symbol);
            if lo < path.mark_to_e8 && path.mark_to_e8 < hi {
                return None;
            }
        }
        let slot = &account.slots[symbol];
        if !slot.is_isolated() {
            let asset = self.markets[symbol].asset;
            let called = account.wallets[asset].called;
            return path.first(|step| {
                let mark = scaled(path.mark_at(step), MARK_SCALE);
                self.is_critical(self.cross_pool(ax, asset, Some((symbol, mark))), called)
            });
        }
        let legs = LEG_SIDES.into_iter().filter(|side| !slot.leg(*side).is_flat());
        legs.filter_map(|side: PositionSide| {
            path.first(|step| {
                let mark = scaled(path.mark_at(step), MARK_SCALE);
                self.is_critical(self.isolated_pool(ax, symbol, side, mark), slot.leg(side).called)
            })
        })
        .min()
    }

    pub(super) fn is_critical(&self, pool: Pool, called: bool) -> bool {
        pool.is_broken() || !called && pool.deserves_call(self.config.margin_call_ratio)
    }

    /// Finds the band around the present price inside which nothing can happen.
    pub(super) fn find_band(&mut self, symbol: usize) {
        for ax in 0..self.accounts.len() {
            if self.accounts[ax].held.binary_search(&symbol).is_err() || self.is_guarded(ax, symbol) {
                continue;
            }
            self.refit_guard(ax, symbol);
            if !self.is_guarded(ax, symbol) {
                self.renew_guard(ax);
            }
        }
        let market = &self.markets[symbol];
        if market.crossing().is_some() {
            return;
        }
        let mut band = Band::idle(market.max_ticks());
        band.narrow_last(
            market.bids.first().map_or(0, |r| r.ticks),
            market.asks.first().map_or(i64::MAX, |r| r.ticks),
        );
        for algo in market.algos.iter().filter_map(|id| self.algos.get(id)) {
            let quiet = Watch::quiet(algo, market.tick_e8);
            match algo.working_type {
                WorkingType::Mark => band.narrow_mark(quiet.lo, quiet.hi),
                WorkingType::Contract => {
                    let hi = quiet.hi / market.tick_e8 + i64::from(quiet.hi % market.tick_e8 != 0);
                    band.narrow_last(quiet.lo.div_euclid(market.tick_e8), hi);
                }
            }
        }
        for account in &self.accounts {
            if let Some(guard) = &account.guard {
                let (lo, hi) = guard.of(symbol);
                band.narrow_mark(lo, hi);
                band.uncalled &= !guard.called();
            }
        }
        self.markets[symbol].band = band;
    }

    /// Whether the account has a guard that covers the present mark of the symbol.
    fn is_guarded(&self, ax: usize, symbol: usize) -> bool {
        let mark_e8 = self.markets[symbol].mark_e8;
        self.accounts[ax].guard.as_ref().is_some_and(|guard| {
            let (lo, hi) = guard.of(symbol);
            lo < mark_e8 && mark_e8 < hi
        })
    }

    /// Mark of a command in multiples of 10^-8.
    pub(super) fn mark_e8_of(mark: Decimal) -> Result<i64, VenueError> {
        let fits = mark > Decimal::ZERO && mark < Decimal::from(20_000_000_000u64);
        let e8 = if fits { to_e8(mark.round_dp(MARK_SCALE)) } else { None };
        e8.ok_or_else(|| Refusal::InvalidValue.into())
    }
}
