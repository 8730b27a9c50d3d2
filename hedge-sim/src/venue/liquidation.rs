//! What happens when margin runs out: a call first, then forced closes, step by step.
//!
//! Source: fact sheet 14.5, "Process". The forced close takes the whole leg at mark; after each leg the pool is looked
//! at again. A clearance fee is taken from what is left, a deficit is covered by the insurance fund.

use rust_decimal::Decimal;

use super::account::LEG_SIDES;
use super::event::{AccountUpdate, EventBody, MarginCall, VenueEvent};
use super::exchange::Venue;
use super::fill::Execution;
use super::ledger::{Booking, Info, booked};
use super::margin::{Pool, leg_value};
use super::order::{FilledAt, Order, OrderNote};
use super::vocabulary::{
    AlgoStatus, ExecutionType, ExpiryReason, IncomeType, MarginType, OrderStatus, OrderType, PositionSide,
    Side, Stp, Tif, UpdateReason,
};

/// The client id of a deleveraging. Source: fact sheet 7.1.
const ADL_ID: &str = "adl_autoclose";
/// A call is forgotten when maintenance falls below this share of the call's threshold.
const CALL_RELIEF: Decimal = Decimal::from_parts(9, 0, 0, false, 1);

impl Venue {
    /// Looks at every margin pool of an account and does what its state demands.
    pub(super) fn settle_margins(&mut self, ax: usize, out: &mut Vec<VenueEvent>) {
        if self.accounts[ax].held.is_empty() {
            // An order of its own may have closed the last leg beyond ruin.
            for asset in 0..self.assets.len() {
                if self.accounts[ax].wallets[asset].balance < Decimal::ZERO {
                    self.cover_debt(ax, asset, out);
                }
            }
            return;
        }
        for asset in 0..self.assets.len() {
            self.settle_cross(ax, asset, out);
        }
        let isolated: Vec<usize> = {
            let account = &self.accounts[ax];
            account.held.iter().copied().filter(|s| account.slots[*s].is_isolated()).collect()
        };
        for symbol in isolated {
            for side in LEG_SIDES {
                self.settle_isolated(ax, symbol, side, out);
            }
        }
    }

    fn settle_cross(&mut self, ax: usize, asset: usize, out: &mut Vec<VenueEvent>) {
        let pool = self.cross_pool(ax, asset, None);
        if pool.is_broken() {
            return self.liquidate_cross(ax, asset, out);
        }
        let called = self.accounts[ax].wallets[asset].called;
        let Some(now_called) = self.call_state(pool, called) else { return };
        self.accounts[ax].wallets[asset].called = now_called;
        self.drop_guard(ax);
        if now_called {
            let rows = self.cross_legs(ax, asset);
            let cross_wallet = Some(self.balance_change(ax, asset, Decimal::ZERO).cross_wallet);
            self.emit_call(ax, cross_wallet, MarginType::Crossed, &rows, out);
        }
    }

    fn settle_isolated(&mut self, ax: usize, symbol: usize, side: PositionSide, out: &mut Vec<VenueEvent>) {
        let leg = self.accounts[ax].leg(symbol, side);
        if leg.is_flat() {
            return;
        }
        let called = leg.called;
        let pool = self.isolated_pool(ax, symbol, side, self.markets[symbol].mark());
        if pool.is_broken() {
            return self.liquidate_isolated(ax, symbol, side, out);
        }
        let Some(now_called) = self.call_state(pool, called) else { return };
        self.accounts[ax].slots[symbol].leg_mut(side).called = now_called;
        self.drop_guard(ax);
        if now_called {
            self.emit_call(ax, None, MarginType::Isolated, &[(symbol, side)], out);
        }
    }

    /// Whether a call begins (`true`) or is over (`false`); `None` when nothing changes.
    fn call_state(&self, pool: Pool, called: bool) -> Option<bool> {
        let ratio = self.config.margin_call_ratio;
        match called {
            false => pool.deserves_call(ratio).then_some(true),
            true => (!pool.deserves_call(ratio * CALL_RELIEF)).then_some(false),
        }
    }

    fn emit_call(
        &mut self,
        ax: usize,
        cross_wallet: Option<Decimal>,
        margin_type: MarginType,
        rows: &[(usize, PositionSide)],
        out: &mut Vec<VenueEvent>,
    ) {
        let positions = rows.iter().map(|(symbol, side)| self.position_view(ax, *symbol, *side)).collect();
        let call = MarginCall { cross_wallet, margin_type, positions };
        self.emit(out, Some(self.accounts[ax].id), EventBody::MarginCall(Box::new(call)));
    }

    /// Crossed legs of an asset.
    fn cross_legs(&self, ax: usize, asset: usize) -> Vec<(usize, PositionSide)> {
        let account = &self.accounts[ax];
        let held = account.held.iter().copied();
        held.filter(|s| self.markets[*s].asset == asset && !account.slots[*s].is_isolated())
            .flat_map(|s| LEG_SIDES.map(|side| (s, side)))
            .filter(|(s, side)| !account.leg(*s, *side).is_flat())
            .collect()
    }

    /// Sweeps the account's orders, then closes the leg with the largest maintenance margin until the pool holds.
    fn liquidate_cross(&mut self, ax: usize, asset: usize, out: &mut Vec<VenueEvent>) {
        for id in self.open_orders_on(ax, None) {
            if self.orders.get(&id).is_some_and(|o| self.markets[o.symbol].asset == asset) {
                self.end_order(id, OrderStatus::Expired, ExpiryReason::Liquidation, out);
            }
        }
        while self.cross_pool(ax, asset, None).is_broken() {
            let legs = self.cross_legs(ax, asset);
            let maint = |&(symbol, side): &(usize, PositionSide)| {
                let market = &self.markets[symbol];
                leg_value(market, &self.accounts[ax].slots[symbol], side, market.mark()).maint
            };
            let Some((symbol, side)) = legs.into_iter().max_by_key(maint) else { break };
            self.expire_algos_of(ax, symbol, side, "liquidation", out);
            self.close_and_clear(ax, symbol, side, out);
        }
        self.cover_debt(ax, asset, out);
        self.accounts[ax].wallets[asset].called = false;
        self.drop_guard(ax);
    }

    /// What is owed once nothing is at risk any more is the insurance fund's.
    fn cover_debt(&mut self, ax: usize, asset: usize, out: &mut Vec<VenueEvent>) {
        let cross_wallet = self.balance_change(ax, asset, Decimal::ZERO).cross_wallet;
        if cross_wallet < Decimal::ZERO && self.cross_legs(ax, asset).is_empty() {
            self.book_clearance(ax, None, asset, -cross_wallet, out);
        }
    }

    /// Closes a crossed leg and takes the clearance fee.
    pub(super) fn close_and_clear(
        &mut self,
        ax: usize,
        symbol: usize,
        side: PositionSide,
        out: &mut Vec<VenueEvent>,
    ) {
        let asset = self.markets[symbol].asset;
        let closed = self.force_close(ax, symbol, side, "autoclose", out);
        let left = self.cross_pool(ax, asset, None).balance;
        let fee = self.clearance_fee(symbol, closed.notional, left);
        self.book_clearance(ax, Some(symbol), asset, -fee, out);
    }

    /// Sweeps the symbol's orders and closes the leg; what it loses beyond its own margin is not the account's.
    pub(super) fn liquidate_isolated(
        &mut self,
        ax: usize,
        symbol: usize,
        side: PositionSide,
        out: &mut Vec<VenueEvent>,
    ) {
        for id in self.open_orders_on(ax, Some(symbol)) {
            self.end_order(id, OrderStatus::Expired, ExpiryReason::Liquidation, out);
        }
        self.expire_algos_of(ax, symbol, side, "liquidation", out);
        let asset = self.markets[symbol].asset;
        let margin = self.accounts[ax].leg(symbol, side).isolated_wallet;
        let closed = self.force_close(ax, symbol, side, "autoclose", out);
        let left = margin + closed.realized;
        let amount =
            if left < Decimal::ZERO { -left } else { -self.clearance_fee(symbol, closed.notional, left) };
        self.book_clearance(ax, Some(symbol), asset, amount, out);
        self.drop_guard(ax);
    }

    /// The fee of a forced close, never more than what is left.
    fn clearance_fee(&self, symbol: usize, notional: Decimal, left: Decimal) -> Decimal {
        booked(notional * self.markets[symbol].rules.liquidation_fee)
            .min(left.max(Decimal::ZERO).trunc_with_scale(8))
    }

    fn book_clearance(
        &mut self,
        ax: usize,
        symbol: Option<usize>,
        asset: usize,
        amount: Decimal,
        out: &mut Vec<VenueEvent>,
    ) {
        if amount.is_zero() {
            return;
        }
        let kind = IncomeType::InsuranceClear;
        self.book(ax, Booking { kind, amount, asset, symbol, info: Info::Liquidation });
        let update = AccountUpdate {
            reason: UpdateReason::InsuranceClear,
            balances: vec![self.balance_change(ax, asset, amount)],
            positions: Vec::new(),
            symbol: String::new(),
        };
        self.emit(out, Some(self.accounts[ax].id), EventBody::Account(Box::new(update)));
    }

    /// Expires the waiting algo orders of a row.
    pub(super) fn expire_algos_of(
        &mut self,
        ax: usize,
        symbol: usize,
        side: PositionSide,
        reason: &str,
        out: &mut Vec<VenueEvent>,
    ) {
        for id in self.open_algos_on(ax, Some(symbol)) {
            if self.algos.get(&id).is_some_and(|a| a.position_side == side) {
                self.end_algo(id, AlgoStatus::Expired, reason, out);
            }
        }
    }

    /// Closes a leg at mark by an order of the exchange's own, without commission.
    pub(super) fn force_close(
        &mut self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        prefix: &str,
        out: &mut Vec<VenueEvent>,
    ) -> ForcedClose {
        let steps = self.accounts[ax].leg(symbol, position_side).steps.abs();
        self.force_close_part(ax, symbol, position_side, (Some(prefix), steps), out)
    }

    /// Closes so much of a leg; without a prefix under the id of a deleveraging, which bears no number.
    pub(super) fn force_close_part(
        &mut self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        (prefix, steps): (Option<&str>, i64),
        out: &mut Vec<VenueEvent>,
    ) -> ForcedClose {
        let market = &self.markets[symbol];
        let signed = self.accounts[ax].leg(symbol, position_side).steps;
        let side = if signed > 0 { Side::Sell } else { Side::Buy };
        let ticks = market.rules.ticks_nearest(market.mark()).unwrap_or(market.last).max(1);
        let notional = market.rules.price_of(ticks) * market.rules.qty_of(steps);
        let id = self.take_order_id();
        let before = self.accounts[ax].leg(symbol, position_side).realized;
        self.register(Order {
            id,
            account: self.accounts[ax].id,
            symbol,
            client_id: prefix
                .map_or_else(|| ADL_ID.into(), |prefix| format!("{prefix}-{id}").as_str().into()),
            status: OrderStatus::New,
            side,
            position_side,
            order_type: OrderType::Liquidation,
            tif: Tif::Ioc,
            ticks,
            steps,
            filled: 0,
            quote: Decimal::ZERO,
            filled_at: FilledAt::Nothing,
            reduces: true,
            price_match: None,
            stp: Stp::None,
            good_till_ms: 0,
            time_ms: self.now_ms,
            update_ms: self.now_ms,
            amendments: 0,
            parent: None,
        });
        self.emit_order(id, OrderNote::of(ExecutionType::New), out);
        let trade_id = self.markets[symbol].take_trade_id();
        let execution = Execution { ticks, steps, trade_id, maker: false, forced: true };
        self.print(symbol, execution, side == Side::Sell, out);
        self.book_execution(id, execution, out);
        ForcedClose { notional, realized: self.accounts[ax].leg(symbol, position_side).realized - before }
    }
}

/// What a forced close came to.
pub(super) struct ForcedClose {
    notional: Decimal,
    realized: Decimal,
}
