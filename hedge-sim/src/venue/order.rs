//! Records of plain orders.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::by_id::Identified;
use super::client_id::ClientId;
use super::command::AccountId;
use super::event::{EventBody, FillPart, OrderUpdate, VenueEvent};
use super::exchange::Venue;
use super::view::OrderView;
use super::vocabulary::{
    ExecutionType, ExpiryReason, OrderStatus, OrderType, PositionSide, PriceMatch, Side, Stp, Tif,
    WorkingType,
};

/// A plain order in ticks and steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) account: AccountId,
    pub(super) symbol: usize,
    pub(super) client_id: ClientId,
    pub(super) status: OrderStatus,
    pub(super) side: Side,
    pub(super) position_side: PositionSide,
    pub(super) order_type: OrderType,
    pub(super) tif: Tif,
    /// Zero for market orders.
    pub(super) ticks: i64,
    pub(super) steps: i64,
    pub(super) filled: i64,
    pub(super) quote: Decimal,
    pub(super) filled_at: FilledAt,
    /// By flag in one-way mode, by leg and side in hedge mode.
    pub(super) reduces: bool,
    pub(super) price_match: Option<PriceMatch>,
    pub(super) stp: Stp,
    pub(super) good_till_ms: i64,
    pub(super) time_ms: i64,
    pub(super) update_ms: i64,
    pub(super) amendments: u32,
    pub(super) parent: Option<u64>,
}

/// The prices of an order's fills, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FilledAt {
    Nothing,
    One(i64),
    Several,
}

impl FilledAt {
    pub(super) fn and(self, ticks: i64) -> Self {
        if self == Self::Nothing || self == Self::One(ticks) { Self::One(ticks) } else { Self::Several }
    }
}

impl Identified for Order {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Order {
    pub(super) fn remaining(&self) -> i64 {
        self.steps - self.filled
    }

    pub(super) fn ax(&self) -> usize {
        usize::from(self.account.0)
    }
}

/// Whether an order of this side on this leg closes. In one-way mode only the flag tells.
pub(super) fn closes(side: Side, position_side: PositionSide) -> bool {
    matches!((position_side, side), (PositionSide::Long, Side::Sell) | (PositionSide::Short, Side::Buy))
}

impl Venue {
    pub(super) fn order_view(&self, order: &Order) -> OrderView {
        let rules = &self.markets[order.symbol].rules;
        let executed = rules.qty_of(order.filled);
        let parent = order.parent.and_then(|id| self.algos.get(&id));
        OrderView {
            order_id: order.id,
            account: order.account,
            symbol: rules.symbol.clone(),
            client_order_id: order.client_id.to_string(),
            status: order.status,
            side: order.side,
            position_side: order.position_side,
            order_type: order.order_type,
            orig_type: parent.map_or(order.order_type, |p| p.order_type),
            tif: order.tif,
            price: rules.price_of(order.ticks),
            orig_qty: rules.qty_of(order.steps),
            executed_qty: executed,
            avg_price: super::told::average(order, rules),
            cum_quote: order.quote,
            reduce_only: order.reduces,
            close_position: parent.is_some_and(|p| p.close_position),
            stop_price: rules.price_of(parent.map_or(0, |p| p.trigger_ticks)),
            working_type: parent.map_or(WorkingType::Contract, |p| p.working_type),
            price_protect: parent.is_some_and(|p| p.price_protect),
            price_match: order.price_match,
            stp: order.stp,
            good_till_ms: order.good_till_ms,
            time_ms: order.time_ms,
            update_ms: order.update_ms,
            algo_id: order.parent,
            activate_price: parent.filter(|p| p.is_trailing()).map(|p| rules.price_of(p.activate_ticks)),
            callback_rate: parent.and_then(|p| p.callback_rate),
        }
    }

    /// Tells the account about a change of an order.
    pub(super) fn emit_order(&mut self, order_id: u64, note: OrderNote, out: &mut Vec<VenueEvent>) {
        if self.tell_order(order_id, note.expiry, None) {
            return;
        }
        let Some(order) = self.orders.get(&order_id) else { return };
        let (ax, symbol, position_side, account) =
            (order.ax(), order.symbol, order.position_side, order.account);
        let open = self.open_notional(ax, symbol, position_side, None);
        let update = OrderUpdate {
            order: self.order_view(order),
            execution: note.execution,
            expiry: note.expiry,
            fill: note.fill,
            bids_notional: open.bids,
            asks_notional: open.asks,
            modify_id: note.modify_id,
        };
        self.emit(out, Some(account), EventBody::Order(Box::new(update)));
    }

    /// Ends an open order: takes it out of the book and all indexes, tells the account, finishes its parent.
    pub(super) fn end_order(
        &mut self,
        order_id: u64,
        status: OrderStatus,
        expiry: ExpiryReason,
        out: &mut Vec<VenueEvent>,
    ) {
        let now_ms = self.now_ms;
        let Some(order) = self.orders.get_mut(&order_id).filter(|o| o.status.is_open()) else { return };
        order.status = status;
        order.update_ms = now_ms;
        let execution = match status {
            OrderStatus::Canceled => ExecutionType::Canceled,
            _ => ExecutionType::Expired,
        };
        self.forget_open(order_id);
        self.emit_order(order_id, OrderNote { expiry, ..OrderNote::of(execution) }, out);
        self.finish_parent(order_id, out);
    }

    /// Removes an order that is no longer open from the book and the open lists.
    pub(super) fn forget_open(&mut self, order_id: u64) {
        let Some(order) = self.orders.get(&order_id) else { return };
        let (ax, symbol, side, good_till_ms) = (order.ax(), order.symbol, order.side, order.good_till_ms);
        self.markets[symbol].unrest(side, order_id);
        let open = &mut self.accounts[ax].open_orders;
        if let Ok(at) = open.binary_search(&order_id) {
            open.remove(at);
        }
        if good_till_ms > 0 {
            self.gtd_orders.remove(&(good_till_ms, order_id));
        }
    }
}

/// What an order event says besides the order itself.
pub(super) struct OrderNote {
    pub(super) execution: ExecutionType,
    pub(super) expiry: ExpiryReason,
    pub(super) fill: Option<FillPart>,
    pub(super) modify_id: Option<i64>,
}

impl OrderNote {
    pub(super) fn of(execution: ExecutionType) -> Self {
        Self { execution, expiry: ExpiryReason::None, fill: None, modify_id: None }
    }
}
