//! Folding executions and flows: money is conserved exactly.

use super::order::OrderRecord;
use super::state::{Book, Change, REMEMBERED_IDS};
use rust_decimal::Decimal;

use crate::{
    id::{Asset, ClientOrderId, InstrumentId},
    money::SignedAmount,
    order_state::{OrderEvent, OrderState},
    position::{PositionKey, PositionSide},
    time::Timestamp,
    venue::{CashFlow, CashFlowKind, Fill},
};

impl Book {
    pub(super) fn apply_fill(&mut self, fill: &Fill, at: Timestamp, changes: &mut Vec<Change>) {
        let (Some(side), Some(ix)) = (fill.side.leg(), self.ix(&fill.instrument)) else {
            changes.push(Change::ForeignFill(Box::new(fill.clone())));
            return;
        };
        if !self.trades[usize::from(ix.0)].insert(fill.trade_id) {
            return;
        }
        self.last_venue_time = self.last_venue_time.max(fill.venue_time);
        let key = PositionKey::new(fill.instrument, side);
        let slot = usize::from(ix.0) * 2 + usize::from(side == PositionSide::Short);
        let id = fill
            .client_id
            .as_ref()
            .and_then(crate::venue::ReportedId::ours)
            .copied()
            .filter(|id| self.orders.contains_key(id))
            .or_else(|| self.by_venue.get(&(fill.instrument, fill.order)).copied());
        self.book_fill(slot, fill, at);
        match id {
            Some(id) => {
                self.by_venue.insert((fill.instrument, fill.order), id);
                if self.legs[slot].protection.is_none() {
                    let planned = self.orders.get(&id).and_then(|record| record.protection.clone());
                    self.legs[slot].protection = planned;
                }
                let complete = self.orders.get_mut(&id).is_some_and(|record| {
                    record.filled += fill.qty.get();
                    record.filled >= record.qty.get()
                });
                self.adopt_child(&id, fill.order);
                let was_done = self
                    .orders
                    .get(&id)
                    .is_some_and(|record| record.state.is_terminal() && record.state != OrderState::Filled);
                // A close-all stop fills whatever the leg holds; it is done when the leg is flat.
                let whole_leg = self.orders.get(&id).is_some_and(OrderRecord::is_close_all_stop);
                let flat = self.legs[slot].qty.is_zero();
                let complete = if whole_leg { flat } else { complete };
                self.advance(&id, &OrderEvent::Fill { complete }, at, changes);
                self.finish(&id, at, changes);
                if was_done {
                    changes.push(Change::LateFill(id));
                }
            }
            None => changes.push(Change::ForeignFill(Box::new(fill.clone()))),
        }
        if fill.is_close() == Some(true) {
            changes.push(Change::Shrank(key, self.legs[slot].qty.is_zero()));
        } else {
            changes.push(Change::Grew(key, id));
        }
    }

    /// Ends an order whose last missing fill has arrived.
    pub(super) fn finish(&mut self, id: &ClientOrderId, at: Timestamp, changes: &mut Vec<Change>) {
        let Some(record) = self.orders.get_mut(id) else { return };
        if record.filled >= record.reported_filled
            && let Some(ending) = record.ending.take()
        {
            self.advance(id, &OrderEvent::Reported(&ending), at, changes);
        }
    }

    /// Books one execution on a leg. Money is conserved exactly: what the venue realises leaves the cost.
    pub(super) fn book_fill(&mut self, slot: usize, fill: &Fill, at: Timestamp) {
        let notional = fill.qty.get() * fill.price.get();
        let (mut qty, mut cost) = (self.legs[slot].qty, self.legs[slot].cost);
        let mut realized = Decimal::ZERO;
        if fill.is_close() == Some(true) {
            let closed = fill.qty.get().min(qty);
            let sign = Decimal::from(self.legs[slot].key.side.sign());
            let share = if closed >= qty || qty.is_zero() { cost } else { (cost * closed / qty).round_dp(8) };
            realized = fill.realized.map_or((notional - share) * sign, SignedAmount::get);
            cost -= notional - realized * sign;
            qty -= closed;
            if qty.is_zero() {
                // The venue rounds entry prices; what is left of the cost is that rounding.
                realized -= cost * sign;
                cost = Decimal::ZERO;
            }
        } else {
            qty += fill.qty.get();
            cost += notional;
        }
        let leg = &mut self.legs[slot];
        leg.realized += realized;
        let settle = self.specs[slot / 2].as_ref().map_or_else(Asset::usdt, |spec| spec.settle);
        *self.wallet.entry(settle).or_default() += realized;
        self.totals.realized += realized;
        *self.wallet.entry(fill.fee.asset).or_default() -= fill.fee.value.get();
        if fill.fee.asset == settle {
            leg.fees += fill.fee.value.get();
            self.totals.fees += fill.fee.value.get();
        }
        self.totals.fills += 1;
        self.set_leg(slot, qty, cost, at);
    }

    pub(super) fn set_leg(&mut self, slot: usize, qty: Decimal, cost: Decimal, at: Timestamp) {
        let leg = &mut self.legs[slot];
        let was_open = leg.is_open();
        leg.qty = qty;
        leg.cost = cost;
        if leg.is_open() && !was_open {
            leg.opened_at = Some(at);
            leg.unprotected_since = Some(at);
            self.open.push(slot);
            self.open.sort_unstable();
        } else if !leg.is_open() && was_open {
            leg.opened_at = None;
            leg.unprotected_since = None;
            leg.protection = None;
            self.open.retain(|&other| other != slot);
        }
        self.release(slot);
    }

    /// A leg that is flat and has no live opening belongs to nobody.
    pub(super) fn release(&mut self, slot: usize) {
        let key = self.legs[slot].key;
        if !self.legs[slot].is_open() && self.legs[slot].owner.is_some() && !self.has_live_entry(&key) {
            self.legs[slot].owner = None;
        }
    }

    pub(super) fn apply_flow(&mut self, flow: &CashFlow) {
        if !self.flows.insert((flow.venue_time, flow.id.clone())) {
            return;
        }
        if self.flows.len() > REMEMBERED_IDS {
            self.flows.pop_first();
        }
        self.last_venue_time = self.last_venue_time.max(flow.venue_time);
        let value = flow.amount.value.get();
        let ours = flow.amount.asset == Asset::usdt();
        match flow.kind {
            // These arrive with their fills; the income ledger repeats them.
            CashFlowKind::Fee | CashFlowKind::RealizedPnl => return,
            CashFlowKind::Funding if ours => {
                self.totals.funding += value;
                if let Some(id) = &flow.instrument {
                    self.split_funding(id, value);
                }
            }
            CashFlowKind::Transfer if ours => self.totals.transfers += value,
            CashFlowKind::Other(_) if ours => self.totals.corrections += value,
            _ => {}
        }
        *self.wallet.entry(flow.amount.asset).or_default() += value;
    }

    /// The venue books funding of a symbol in one sum; it is attributed to the leg whose sign it has, or to the larger one.
    pub(super) fn split_funding(&mut self, id: &InstrumentId, value: Decimal) {
        let Some(ix) = self.ix(id) else { return };
        let base = usize::from(ix.0) * 2;
        let slot = if self.legs[base].qty >= self.legs[base + 1].qty { base } else { base + 1 };
        self.legs[slot].funding += value;
    }
}
