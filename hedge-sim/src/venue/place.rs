//! Plain orders: placing, amending, cancelling.

use super::check::{Accepted, Origin};
use super::command::{ModifyOrder, NewOrder, OrderRef};
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;
use super::filters;
use super::market::mix;
use super::order::{FilledAt, Order, OrderNote};
use super::vocabulary::{ExecutionType, ExpiryReason, OrderStatus, OrderType, SymbolStatus, Tif};

/// Amendments of one order. Source: fact sheet 4.5.
const MAX_AMENDMENTS: u32 = 10_000;

impl Venue {
    /// Places an order for a client and returns its id.
    pub(super) fn place(&mut self, order: &NewOrder, out: &mut Vec<VenueEvent>) -> Result<u64, VenueError> {
        let accepted = self.check_order(order, Origin::Client)?;
        Ok(self.admit(order, accepted, None, out))
    }

    /// Gives an accepted order its id, announces it and matches it.
    pub(super) fn admit(
        &mut self,
        new: &NewOrder,
        accepted: Accepted,
        parent: Option<u64>,
        out: &mut Vec<VenueEvent>,
    ) -> u64 {
        let id = self.take_order_id();
        let client_id = match new.client_order_id.as_deref() {
            Some(text) => text.into(),
            None => self.made_up_client_id().as_str().into(),
        };
        let order = Order {
            id,
            account: new.account,
            symbol: accepted.symbol,
            client_id,
            status: OrderStatus::New,
            side: new.side,
            position_side: accepted.position_side,
            order_type: new.order_type,
            tif: accepted.tif,
            ticks: accepted.ticks,
            steps: accepted.steps,
            filled: 0,
            quote: rust_decimal::Decimal::ZERO,
            filled_at: FilledAt::Nothing,
            reduces: accepted.reduces,
            price_match: new.price_match,
            stp: accepted.stp,
            good_till_ms: accepted.good_till_ms,
            time_ms: self.now_ms,
            update_ms: self.now_ms,
            amendments: 0,
            parent,
        };
        self.register(order);
        if let Some(algo_id) = parent {
            self.announce_child(algo_id, id, out);
        }
        self.emit_order(id, OrderNote::of(ExecutionType::New), out);
        self.match_incoming(id, out);
        if !self.is_comfortable(accepted.ax, accepted.symbol) {
            self.settle_margins(accepted.ax, out);
        }
        id
    }

    /// Enters an order into all indexes.
    pub(super) fn register(&mut self, order: Order) {
        let (id, ax) = (order.id, order.ax());
        if order.good_till_ms > 0 {
            self.gtd_orders.insert((order.good_till_ms, id));
        }
        let account = &mut self.accounts[ax];
        account.by_client.note(&order, &self.orders);
        self.orders.insert(order);
        account.open_orders.push(id);
        account.orders.push(id);
    }

    pub(super) fn take_order_id(&mut self) -> u64 {
        let id = self.next_order_id;
        self.next_order_id += 1;
        id
    }

    /// 22 characters, as the exchange makes them, from the seed and a counter.
    pub(super) fn made_up_client_id(&mut self) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        self.made_up += 1;
        let mut word = mix(self.config.seed ^ mix(self.made_up));
        let mut text = String::with_capacity(22);
        for _ in 0..22 {
            word = mix(word);
            text.push(char::from(LETTERS[(word % 62) as usize]));
        }
        text
    }

    /// Finds a plain order of an account.
    pub(super) fn find_order(&self, ax: usize, symbol: usize, order: &OrderRef) -> Option<&Order> {
        let id = match order {
            OrderRef::Id(id) => Some(*id),
            OrderRef::Client(text) => self.accounts[ax].by_client.newest(text.as_bytes(), &self.orders),
        };
        let found = id.and_then(|id| self.orders.get(&id));
        found.filter(|o| o.ax() == ax && o.symbol == symbol)
    }

    /// Cancels an open order and returns its id.
    pub(super) fn cancel(
        &mut self,
        ax: usize,
        symbol: usize,
        order: &OrderRef,
        out: &mut Vec<VenueEvent>,
    ) -> Result<u64, VenueError> {
        let found = self.find_order(ax, symbol, order).filter(|o| o.status.is_open());
        let id = found.map(|o| o.id).ok_or(VenueError::of(Refusal::CancelRejected))?;
        self.end_order(id, OrderStatus::Canceled, ExpiryReason::None, out);
        Ok(id)
    }

    /// Cancels all open plain orders of a symbol.
    pub(super) fn cancel_all(&mut self, ax: usize, symbol: usize, out: &mut Vec<VenueEvent>) -> usize {
        let open = self.open_orders_on(ax, Some(symbol));
        for id in &open {
            self.end_order(*id, OrderStatus::Canceled, ExpiryReason::None, out);
        }
        open.len()
    }

    pub(super) fn open_orders_on(&self, ax: usize, symbol: Option<usize>) -> Vec<u64> {
        let open = self.accounts[ax].open_orders.iter().filter_map(|id| self.orders.get(id));
        open.filter(|o| symbol.is_none_or(|s| o.symbol == s)).map(|o| o.id).collect()
    }

    /// Amends price and quantity of a resting limit order; it goes to the end of the queue. Where the exchange cancels
    /// instead, so does this. Source: fact sheet 4.5, "PUT modify".
    pub(super) fn modify(
        &mut self,
        change: &ModifyOrder,
        out: &mut Vec<VenueEvent>,
    ) -> Result<u64, VenueError> {
        let ax = self.account_index(change.account)?;
        let symbol = self.symbol_index(&change.symbol)?;
        let order = self.find_order(ax, symbol, &change.order);
        let order = order.ok_or(VenueError::of(Refusal::NoSuchOrder))?.clone();
        if order.order_type != OrderType::Limit {
            return Err(Refusal::ModifyNotLimit.into());
        }
        if !order.status.is_open() {
            return Err(Refusal::NoSuchOrder.into());
        }
        let accepted = self.check_modify(&order, change, ax)?;
        let id = order.id;
        let would_take = self.is_takeable(symbol, order.side, accepted.ticks);
        let nothing_left = order.filled > 0 && accepted.steps <= order.filled;
        if nothing_left || order.tif == Tif::Gtx && would_take {
            self.end_order(id, OrderStatus::Canceled, ExpiryReason::None, out);
            return Ok(id);
        }
        let before = (order.ticks, order.steps);
        self.markets[symbol].unrest(order.side, id);
        if let Some(order) = self.orders.get_mut(&id) {
            order.ticks = accepted.ticks;
            order.steps = accepted.steps;
            order.amendments += 1;
            order.update_ms = self.now_ms;
            order.price_match = None;
        }
        self.note_amendment(id, before, change.modify_id);
        self.emit_order(
            id,
            OrderNote { modify_id: change.modify_id, ..OrderNote::of(ExecutionType::Amendment) },
            out,
        );
        self.match_incoming(id, out);
        self.settle_margins(ax, out);
        Ok(id)
    }

    fn check_modify(&self, order: &Order, change: &ModifyOrder, ax: usize) -> Result<Accepted, VenueError> {
        let market = &self.markets[order.symbol];
        let rules = &market.rules;
        if rules.status != SymbolStatus::Trading {
            return Err(Refusal::ModifyHalted.into());
        }
        if change.side != order.side {
            return Err(Refusal::InvalidValue.into());
        }
        if change.reduce_only == Some(true) && !order.reduces {
            return Err(Refusal::ModifyReduceOnly.into());
        }
        if order.amendments >= MAX_AMENDMENTS {
            return Err(Refusal::ModifyTooMany.into());
        }
        filters::precise(change.price, rules.price_precision)?;
        filters::precise(change.qty, rules.qty_precision)?;
        let ticks = filters::limit_ticks(rules, change.price)?;
        let steps = filters::lot_steps(rules, &rules.lot, change.qty)?;
        if ticks == order.ticks && steps == order.steps {
            return Err(Refusal::ModifyUnchanged.into());
        }
        filters::percent_price(market, order.side, change.price)?;
        let accepted = Accepted {
            ax,
            symbol: order.symbol,
            position_side: order.position_side,
            tif: order.tif,
            ticks,
            steps,
            reduces: order.reduces,
            stp: order.stp,
            good_till_ms: order.good_till_ms,
        };
        let rest = Accepted { steps: (steps - order.filled).max(0), ..accepted };
        if rest.steps == 0 {
            return Ok(accepted);
        }
        if order.reduces {
            self.check_leg(&rest, order.side, Origin::Client, Some(order.id))?;
        } else {
            filters::min_notional(rules, change.price * change.qty)
                .map_err(|e| if e.code == -4164 { VenueError::refuse(-5029, e.msg) } else { e })?;
            self.check_bracket(&rest, order.side, Some(order.id))?;
            self.check_margin(&rest, order.side, Some(order.id))?;
        }
        Ok(accepted)
    }

    /// Ends orders and algo orders whose date is over.
    pub(super) fn expire_dated(&mut self, out: &mut Vec<VenueEvent>) -> bool {
        let mut any = false;
        while let Some(&(date, id)) = self.gtd_orders.first().filter(|(date, _)| *date <= self.now_ms) {
            self.gtd_orders.remove(&(date, id));
            self.end_order(id, OrderStatus::Expired, ExpiryReason::None, out);
            any = true;
        }
        while let Some(&(date, id)) = self.gtd_algos.first().filter(|(date, _)| *date <= self.now_ms) {
            self.gtd_algos.remove(&(date, id));
            self.end_algo(id, super::vocabulary::AlgoStatus::Expired, "good till date passed", out);
            any = true;
        }
        any
    }
}
