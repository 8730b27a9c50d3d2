//! Booking one execution: fee, profit, leg, ledger, events.
//!
//! Source: fact sheet 14.1, 14.2.

use hedge_core::money::{difference, is_same, product, sum};
use rust_decimal::Decimal;

use super::account::Leg;
use super::event::{AccountUpdate, EventBody, FillPart, VenueEvent};
use super::exchange::Venue;
use super::ledger::{Booking, Info, TradeRow, booked};
use super::order::OrderNote;
use super::told::FillTold;
use super::vocabulary::{
    ExecutionType, ExpiryReason, IncomeType, OrderStatus, PositionSide, Side, UpdateReason,
};

/// One execution of one order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Execution {
    pub(super) ticks: i64,
    pub(super) steps: i64,
    pub(super) trade_id: u64,
    pub(super) maker: bool,
    /// A forced close: no commission, and the event says `CALCULATED`.
    pub(super) forced: bool,
}

/// An execution that was booked, and what it came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booked {
    execution: Execution,
    asset: usize,
    fee: Decimal,
    realized: Decimal,
}

impl Booked {
    pub(super) fn told(&self) -> FillTold {
        let Self { execution, fee, realized, .. } = *self;
        let Execution { ticks, steps, trade_id, maker, .. } = execution;
        FillTold { trade_id, ticks, steps, maker, fee, realized }
    }
}

/// What an execution did to a leg.
struct LegOutcome {
    realized: Decimal,
    reduced: bool,
}

impl Venue {
    /// Books an execution. The order must be open and have at least that much left.
    pub(super) fn book_execution(&mut self, order_id: u64, execution: Execution, out: &mut Vec<VenueEvent>) {
        let now_ms = self.now_ms;
        let Some(order) = self.orders.get_mut(&order_id) else { return };
        let (ax, symbol, side, position_side) = (order.ax(), order.symbol, order.side, order.position_side);
        let market = &self.markets[symbol];
        let asset = market.asset;
        let price = market.rules.price_of(execution.ticks);
        let qty = market.rules.qty_of(execution.steps);
        let quote = product(&price, &qty);

        order.filled += execution.steps;
        order.quote = sum(&order.quote, &quote);
        order.filled_at = order.filled_at.and(execution.ticks);
        order.update_ms = now_ms;
        order.status =
            if order.remaining() == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let done = order.remaining() == 0;

        let rates = self.accounts[ax].fee_rates(symbol);
        let fee = match (execution.forced, execution.maker) {
            (true, _) => Decimal::ZERO,
            (false, true) => booked(product(&quote, &rates.maker)),
            (false, false) => booked(product(&quote, &rates.taker)),
        };
        let signed = side.sign() * execution.steps;
        let outcome = self.move_leg(ax, symbol, position_side, signed, price, fee);
        self.book_money(ax, symbol, asset, execution.trade_id, outcome.realized, fee);
        if done {
            self.forget_open(order_id);
        }
        self.refit_guard(ax, symbol);
        self.accounts[ax].trades.push(TradeRow {
            trade_id: execution.trade_id,
            order_id,
            symbol: symbol as u16,
            asset: asset as u16,
            side,
            position_side,
            ticks: execution.ticks,
            steps: execution.steps,
            realized: outcome.realized,
            fee,
            time_ms: now_ms,
            maker: execution.maker,
        });
        let booked = Booked { execution, asset, fee, realized: outcome.realized };
        self.emit_fill(order_id, (ax, symbol, position_side), booked, out);
        if done {
            self.finish_parent(order_id, out);
        }
        if outcome.reduced {
            self.after_reduction(ax, symbol, position_side, out);
        }
    }

    /// Tells the account what a fill did to money and leg, then what it did to the order.
    fn emit_fill(
        &mut self,
        order_id: u64,
        (ax, symbol, position_side): (usize, usize, PositionSide),
        booked: Booked,
        out: &mut Vec<VenueEvent>,
    ) {
        if self.leaves_out() {
            self.tell_order(order_id, ExpiryReason::None, Some(&booked));
            return;
        }
        let Booked { execution, asset, fee, realized } = booked;
        let update = AccountUpdate {
            reason: UpdateReason::Order,
            balances: vec![self.balance_change(ax, asset, Decimal::ZERO)],
            positions: vec![self.position_view(ax, symbol, position_side)],
            symbol: String::new(),
        };
        self.emit(out, Some(self.accounts[ax].id), EventBody::Account(Box::new(update)));
        let rules = &self.markets[symbol].rules;
        let fill = FillPart {
            qty: rules.qty_of(execution.steps),
            price: rules.price_of(execution.ticks),
            fee,
            fee_asset: self.assets[asset].clone(),
            trade_id: execution.trade_id,
            maker: execution.maker,
            realized_pnl: realized,
        };
        let kind = if execution.forced { ExecutionType::Calculated } else { ExecutionType::Trade };
        self.emit_order(order_id, OrderNote { fill: Some(fill), ..OrderNote::of(kind) }, out);
    }

    /// Changes a leg by a signed quantity and returns the profit that realises.
    fn move_leg(
        &mut self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        signed: i64,
        price: Decimal,
        fee: Decimal,
    ) -> LegOutcome {
        let now_ms = self.now_ms;
        let rules = &self.markets[symbol].rules;
        let slot = &mut self.accounts[ax].slots[symbol];
        let (leverage, isolated) = (slot.leverage, slot.is_isolated());
        let leg = slot.leg_mut(position_side);
        leg.update_ms = now_ms;

        let opposite = leg.steps != 0 && leg.steps.signum() != signed.signum();
        let closing = if opposite { leg.steps.abs().min(signed.abs()) } else { 0 };
        let opening = signed.abs() - closing;
        let realized = if closing > 0 {
            close_part(leg, closing, product(&price, &rules.qty_of(closing)))
        } else {
            Decimal::ZERO
        };
        leg.realized = sum(&leg.realized, &realized);
        // The fee of what is closed leaves with it; only fees of what is held stay in the break-even price.
        let opening_fee = match closing {
            0 => fee,
            _ if opening == 0 => Decimal::ZERO,
            _ => booked(fee * Decimal::from(opening) / Decimal::from(signed.abs())),
        };
        if opening > 0 {
            let notional = product(&price, &rules.qty_of(opening));
            leg.steps += signed.signum() * opening;
            leg.cost = sum(&leg.cost, &notional);
            leg.fees = sum(&leg.fees, &opening_fee);
            if isolated {
                leg.isolated_wallet += booked(notional / Decimal::from(leverage));
            }
        }
        self.accounts[ax].note_held(symbol);
        LegOutcome { realized, reduced: closing > 0 }
    }

    fn book_money(
        &mut self,
        ax: usize,
        symbol: usize,
        asset: usize,
        trade_id: u64,
        realized: Decimal,
        fee: Decimal,
    ) {
        let rows = [(IncomeType::RealizedPnl, realized), (IncomeType::Commission, -fee)];
        for (kind, amount) in rows {
            let info = Info::Trade(trade_id);
            self.book(ax, Booking { kind, amount, asset, symbol: Some(symbol), info });
        }
    }

    /// What follows when a leg got smaller: closing orders it no longer covers expire, newest first, and algo orders
    /// tied to it expire when it is gone. Source: fact sheet 14.6 item 3, 5.3.
    fn after_reduction(
        &mut self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        out: &mut Vec<VenueEvent>,
    ) {
        for side in [Side::Buy, Side::Sell] {
            let covered = self.closable(ax, symbol, position_side, side);
            self.trim_closes(ax, symbol, position_side, side, covered, out);
        }
        self.expire_tied_algos(ax, symbol, position_side, out);
    }

    /// Steps an order of this side could close on the row.
    pub(super) fn closable(&self, ax: usize, symbol: usize, position_side: PositionSide, side: Side) -> i64 {
        let steps = self.accounts[ax].leg(symbol, position_side).steps;
        if steps.signum() == -side.sign() { steps.abs() } else { 0 }
    }

    fn trim_closes(
        &mut self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        side: Side,
        covered: i64,
        out: &mut Vec<VenueEvent>,
    ) {
        let mut resting = self.resting_closes(ax, symbol, position_side, side);
        let mut sum: i64 = resting.iter().map(|(_, left)| left).sum();
        while sum > covered {
            let Some((newest, left)) = resting.pop() else { return };
            sum -= left;
            self.end_order(newest, OrderStatus::Expired, ExpiryReason::ReduceOnly, out);
        }
    }

    /// Resting closing orders of a row and side with what they have left, oldest first.
    pub(super) fn resting_closes(
        &self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        side: Side,
    ) -> Vec<(u64, i64)> {
        if self.accounts[ax].open_orders.is_empty() {
            return Vec::new();
        }
        let open = self.accounts[ax].open_orders.iter().filter_map(|id| self.orders.get(id));
        open.filter(|o| o.symbol == symbol && o.position_side == position_side && o.side == side)
            .filter(|o| o.reduces && self.markets[symbol].book_side(side).iter().any(|r| r.order_id == o.id))
            .map(|o| (o.id, o.remaining()))
            .collect()
    }
}

/// `whole * part / all`; multiplied first, which is exact, unless the product is too large for that.
fn part_of(whole: Decimal, part: i64, all: i64) -> Decimal {
    let (part, all) = (Decimal::from(part), Decimal::from(all));
    whole.checked_mul(part).map_or_else(|| whole * (part / all), |product| product / all)
}

/// Takes `closing` steps out of a leg at `exit` notional and returns the profit. The cost basis stays exact: a partial
/// close takes its share rounded to eight decimals, a full close takes what is left.
fn close_part(leg: &mut Leg, closing: i64, exit: Decimal) -> Decimal {
    let held = leg.steps.abs();
    let long = leg.steps > 0;
    let share = |whole: Decimal| {
        if closing == held { whole } else { booked(part_of(whole, closing, held)) }
    };
    let (cost, isolated, fees) = (share(leg.cost), share(leg.isolated_wallet), share(leg.fees));
    take(&mut leg.cost, cost);
    take(&mut leg.isolated_wallet, isolated);
    take(&mut leg.fees, fees);
    leg.steps -= leg.steps.signum() * closing;
    if leg.steps == 0 {
        leg.called = false;
    }
    booked(if long { difference(&exit, &cost) } else { difference(&cost, &exit) })
}

/// Takes a part away; nothing from nothing leaves it written as it is.
fn take(whole: &mut Decimal, part: Decimal) {
    if !(part.is_zero() && is_same(whole, &part)) {
        *whole = difference(whole, &part);
    }
}
