//! Booking one execution: fee, profit, leg, ledger, events.
//!
//! Source: fact sheet 14.1, 14.2.

use rust_decimal::Decimal;

use super::account::Leg;
use super::event::{AccountUpdate, EventBody, FillPart, VenueEvent};
use super::exchange::Venue;
use super::ledger::{Booking, booked};
use super::order::OrderNote;
use super::view::TradeView;
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
        let (ax, symbol, side, position_side, account) =
            (order.ax(), order.symbol, order.side, order.position_side, order.account);
        let market = &self.markets[symbol];
        let asset = market.asset;
        let price = market.rules.price_of(execution.ticks);
        let qty = market.rules.qty_of(execution.steps);
        let quote = price * qty;

        order.filled += execution.steps;
        order.quote += quote;
        order.update_ms = now_ms;
        order.status =
            if order.remaining() == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let done = order.remaining() == 0;

        let rates = self.accounts[ax].fee_rates(symbol);
        let fee = match (execution.forced, execution.maker) {
            (true, _) => Decimal::ZERO,
            (false, true) => booked(quote * rates.maker),
            (false, false) => booked(quote * rates.taker),
        };
        let signed = side.sign() * execution.steps;
        let outcome = self.move_leg(ax, symbol, position_side, signed, price, fee);
        self.book_money(ax, symbol, asset, execution.trade_id, outcome.realized, fee);
        if done {
            self.forget_open(order_id);
        }
        self.drop_guard(ax);

        let fee_asset = self.assets[asset].clone();
        self.accounts[ax].trades.push(TradeView {
            trade_id: execution.trade_id,
            order_id,
            symbol: self.markets[symbol].rules.symbol.clone(),
            side,
            position_side,
            price,
            qty,
            quote_qty: quote,
            realized_pnl: outcome.realized,
            commission: fee,
            commission_asset: fee_asset.clone(),
            time_ms: now_ms,
            maker: execution.maker,
        });

        let update = AccountUpdate {
            reason: UpdateReason::Order,
            balances: vec![self.balance_change(ax, asset, Decimal::ZERO)],
            positions: vec![self.position_view(ax, symbol, position_side)],
            symbol: String::new(),
        };
        self.emit(out, Some(account), EventBody::Account(Box::new(update)));
        let fill = FillPart {
            qty,
            price,
            fee,
            fee_asset,
            trade_id: execution.trade_id,
            maker: execution.maker,
            realized_pnl: outcome.realized,
        };
        let kind = if execution.forced { ExecutionType::Calculated } else { ExecutionType::Trade };
        self.emit_order(order_id, OrderNote { fill: Some(fill), ..OrderNote::of(kind) }, out);
        if done {
            self.finish_parent(order_id, out);
        }
        if outcome.reduced {
            self.after_reduction(ax, symbol, position_side, out);
        }
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
        let (leverage, isolated) = (Decimal::from(slot.leverage), slot.is_isolated());
        let leg = slot.leg_mut(position_side);
        leg.update_ms = now_ms;

        let opposite = leg.steps != 0 && leg.steps.signum() != signed.signum();
        let closing = if opposite { leg.steps.abs().min(signed.abs()) } else { 0 };
        let opening = signed.abs() - closing;
        let realized =
            if closing > 0 { close_part(leg, closing, price * rules.qty_of(closing)) } else { Decimal::ZERO };
        leg.realized += realized;
        // The fee of what is closed leaves with it; only fees of what is held stay in the break-even price.
        let opening_fee = booked(fee * Decimal::from(opening) / Decimal::from(signed.abs()));
        if opening > 0 {
            let notional = price * rules.qty_of(opening);
            leg.steps += signed.signum() * opening;
            leg.cost += notional;
            leg.fees += opening_fee;
            if isolated {
                leg.isolated_wallet += booked(notional / leverage);
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
            let info = trade_id.to_string();
            self.book(
                ax,
                Booking { kind, amount, asset, symbol: Some(symbol), info, trade_id: Some(trade_id) },
            );
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
    leg.cost -= cost;
    leg.isolated_wallet -= isolated;
    leg.fees -= fees;
    leg.steps -= leg.steps.signum() * closing;
    if leg.steps == 0 {
        leg.called = false;
    }
    booked(if long { exit - cost } else { cost - exit })
}
