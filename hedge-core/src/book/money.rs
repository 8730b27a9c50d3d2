//! Folding executions and flows: money is conserved exactly.

use super::keyed::Place;
use super::state::{Book, Change, Forced, REMEMBERED_IDS};
use rust_decimal::Decimal;

use crate::{
    id::{Asset, InstrumentId},
    money::{compare, difference, greatest, least, product, sum},
    order_state::{OrderEvent, OrderState},
    position::{Action, PositionKey, PositionSide},
    time::Timestamp,
    venue::{CashFlow, CashFlowKind, Fill, OrderRef},
};

/// The part of a cost that `part` of `whole` carries, to eight decimals.
fn share_of(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal {
    let share = cost.checked_mul(part).map_or_else(|| cost * (part / whole), |product| product / whole);
    share.round_dp(8)
}

#[inline]
fn is_below_zero(value: &Decimal) -> bool {
    value.is_sign_negative() && !value.is_zero()
}

impl Book {
    pub(super) fn apply_fill(&mut self, fill: &Fill, at: Timestamp, changes: &mut Vec<Change>) {
        let (Some(side), Some(ix)) = (fill.side.leg(), self.ix(&fill.instrument)) else {
            changes.push(Change::ForeignFill(Box::new(fill.clone())));
            return;
        };
        let key = PositionKey::new(fill.instrument, side);
        if !self.trades[usize::from(ix.0)].insert(fill.trade_id) {
            self.named_late(fill, key, at, changes);
            return;
        }
        if fill.venue_time < self.first_venue_time {
            return;
        }
        self.last_venue_time = self.last_venue_time.max(fill.venue_time);
        let slot = usize::from(ix.0) * 2 + usize::from(side == PositionSide::Short);
        let place = self
            .place_named(fill)
            .or_else(|| self.orders.place(self.by_venue.get(&(fill.instrument, fill.order))?));
        let id = place.map(|place| self.orders.at(place).client_id);
        let included = self.legs[slot].taken_over_at.is_some_and(|taken| fill.venue_time <= taken);
        if !included {
            self.book_fill(slot, fill, at);
            self.update_protection(slot, at);
        }
        match place {
            Some(place) => {
                let record = self.orders.at(place);
                // A plain order that was named is claimed already.
                if record.venue != Some(OrderRef::Plain(fill.order)) {
                    self.by_venue.insert((fill.instrument, fill.order), record.client_id);
                }
                if self.legs[slot].protection.is_none() {
                    self.legs[slot].protection.clone_from(&record.protection);
                    self.review_bare(slot);
                }
                self.adopt_child(place, fill.order);
                self.credit(place, slot, fill.qty.get(), at, changes);
            }
            None => {
                // It has a name, and none that is in this journal: also one of ours, which a panic close gives.
                if fill.client_id.is_some() {
                    self.strangers.insert((fill.instrument, fill.order));
                    if self.strangers.len() > REMEMBERED_IDS {
                        self.strangers.pop_first();
                    }
                }
                self.unexplained(fill, key, changes);
            }
        }
        if fill.is_close() == Some(true) {
            changes.push(Change::Shrank(key, self.legs[slot].qty.is_zero()));
        } else {
            changes.push(Change::Grew(key, id));
        }
    }

    fn place_named(&self, fill: &Fill) -> Option<Place> {
        self.orders.place(fill.client_id.as_ref()?.ours()?)
    }

    /// An execution that is booked already, as somebody's, may come again with the name of our order that made it, or with the
    /// one by which the venue forced it.
    fn named_late(&mut self, fill: &Fill, position: PositionKey, at: Timestamp, changes: &mut Vec<Change>) {
        if let Some(place) = self.place_named(fill)
            && self.unclaimed.contains_key(&(fill.instrument, fill.order))
        {
            self.adopt_child(place, fill.order);
            self.claim(place, fill.instrument, fill.order, at, changes);
            return;
        }
        let Some(forced) = fill.forced() else { return };
        if self.remember_forced(fill.instrument, fill.order, forced) {
            changes.push(Change::Forced(Box::new(Forced {
                position,
                forced,
                order: fill.order,
                client_id: fill.client_id.as_ref().map(|id| id.as_str().to_owned()),
                closed: None,
            })));
        }
    }

    /// An execution that no order of ours made: the venue's own, or somebody else's.
    fn unexplained(&mut self, fill: &Fill, position: PositionKey, changes: &mut Vec<Change>) {
        let order = (fill.instrument, fill.order);
        let Some(forced) = fill.forced().or_else(|| self.forced_orders.get(&order).copied()) else {
            self.unclaimed.entry(order).or_insert((Decimal::ZERO, self.next)).0 += fill.qty.get();
            if self.unclaimed.len() > REMEMBERED_IDS {
                self.unclaimed.pop_first();
            }
            changes.push(Change::ForeignFill(Box::new(fill.clone())));
            return;
        };
        self.remember_forced(fill.instrument, fill.order, forced);
        changes.push(Change::Forced(Box::new(Forced {
            position,
            forced,
            order: fill.order,
            client_id: fill.client_id.as_ref().map(|id| id.as_str().to_owned()),
            closed: Some((fill.qty, fill.price)),
        })));
    }

    /// Counts an execution towards its order.
    pub(super) fn credit(
        &mut self,
        place: Place,
        filled_slot: usize,
        qty: Decimal,
        at: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let record = self.orders.at_mut(place);
        record.filled = sum(&record.filled, &qty);
        let was_done = record.state.is_terminal() && record.state != OrderState::Filled;
        let opens = record.leg.action() == Action::Open;
        let whole_leg = record.is_close_all_stop();
        let enough = compare(&record.filled, &record.qty.get()).is_ge();
        let id = record.client_id;
        // Nearly always the leg that the execution names.
        let slot = match self.legs.get_mut(filled_slot) {
            Some(leg) if leg.key == record.position => Some(filled_slot),
            _ => self.slot(&self.orders.at(place).position),
        };
        // What it may still open is less now.
        if let Some(slot) = slot {
            self.kept.at_risk.moved(slot / 2);
        }
        if opens && let Some(leg) = slot.and_then(|slot| self.legs.get_mut(slot)) {
            // Also when it was believed done and its leg released.
            if leg.owner.is_none() {
                leg.owner = self.orders.at(place).strategy;
            }
        }
        // A close-all stop fills whatever the leg holds; it is done when the leg is flat.
        let complete = if whole_leg { slot.is_none_or(|slot| !self.legs[slot].is_open()) } else { enough };
        self.advance(place, &OrderEvent::Fill { complete }, at, changes);
        self.finish(place, at, changes);
        self.close_question_of_fills(place);
        if was_done {
            changes.push(Change::LateFill(id));
        }
    }

    /// Ends an order whose last missing fill has arrived.
    pub(super) fn finish(&mut self, place: Place, at: Timestamp, changes: &mut Vec<Change>) {
        let record = self.orders.at_mut(place);
        if record.ending.is_some()
            && compare(&record.filled, &record.reported_filled).is_ge()
            && let Some(ending) = record.ending.take()
        {
            self.advance(place, &OrderEvent::Reported(&ending), at, changes);
        }
    }

    /// Books one execution on a leg. Money is conserved exactly: what the venue realises leaves the cost.
    pub(super) fn book_fill(&mut self, slot: usize, fill: &Fill, at: Timestamp) {
        let notional = product(&fill.qty.get(), &fill.price.get());
        let (mut qty, mut cost) = (self.legs[slot].qty, self.legs[slot].cost);
        let mut realized = Decimal::ZERO;
        if fill.is_close() == Some(true) {
            let sign = Decimal::from(self.legs[slot].key.side.sign());
            let closed = least(fill.qty.get(), greatest(qty, Decimal::ZERO));
            let share = if compare(&closed, &qty).is_ge() { cost } else { share_of(cost, closed, qty) };
            match fill.realized {
                Some(stated) => {
                    realized = stated.get();
                    cost = difference(&cost, &difference(&notional, &product(&realized, &sign)));
                }
                // What overtook its opening realises nothing yet: the opening will find it in the cost.
                None => {
                    let extra = (fill.qty.get() - closed) * fill.price.get();
                    realized = (closed * fill.price.get() - share) * sign;
                    cost -= share + extra;
                }
            }
            qty = difference(&qty, &fill.qty.get());
            if is_below_zero(&qty) {
                self.legs[slot].deficit_stated = fill.realized.is_some();
            }
        } else if is_below_zero(&qty) && !self.legs[slot].deficit_stated {
            // A close had overtaken this opening: what it sold is bought now, and the difference is realised.
            let sign = Decimal::from(self.legs[slot].key.side.sign());
            let owed = Decimal::ZERO - qty;
            let covered = fill.qty.get().min(owed);
            let share = if covered == owed { cost } else { share_of(cost, covered, owed) };
            realized = (Decimal::ZERO - share - covered * fill.price.get()) * sign;
            cost += (fill.qty.get() - covered) * fill.price.get() - share;
            qty += fill.qty.get();
        } else {
            qty = sum(&qty, &fill.qty.get());
            cost = sum(&cost, &notional);
        }
        if qty.is_zero() {
            // The venue rounds entry prices: what is left of the cost is that rounding, and no money.
            cost = Decimal::ZERO;
        }
        if is_below_zero(&qty) {
            // If it stays so, a fill is missing: the account is read again.
            self.differs.insert(self.legs[slot].key, at);
        }
        // A zero of either sign is the same money: it is written as 0.
        if realized.is_zero() {
            realized = Decimal::ZERO;
        }
        let fee = fill.fee.value.get();
        let leg = &mut self.legs[slot];
        leg.realized = sum(&leg.realized, &realized);
        let settle = self.specs[slot / 2].as_ref().map_or_else(Asset::usdt, |spec| spec.settle);
        self.kept.wallet_moved();
        let wallet = self.wallet.entry(settle).or_default();
        *wallet = sum(wallet, &realized);
        self.totals.realized = sum(&self.totals.realized, &realized);
        if fill.fee.asset == settle {
            *wallet = difference(wallet, &fee);
            leg.fees = sum(&leg.fees, &fee);
            self.totals.fees = sum(&self.totals.fees, &fee);
        } else {
            let wallet = self.wallet.entry(fill.fee.asset).or_default();
            *wallet = difference(wallet, &fee);
        }
        self.totals.fills += 1;
        self.set_leg(slot, qty, cost, at);
    }

    pub(super) fn set_leg(&mut self, slot: usize, qty: Decimal, cost: Decimal, at: Timestamp) {
        if !is_below_zero(&qty) {
            self.differs.remove(&self.legs[slot].key);
        }
        let leg = &mut self.legs[slot];
        let was_open = leg.is_open();
        leg.qty = qty;
        leg.cost = cost;
        if leg.is_open() && !was_open {
            leg.opened_at = Some(at);
            leg.opened_seq = self.next;
            leg.unprotected_since = Some(leg.said_open_since.take().unwrap_or(at));
            let place = self.open.partition_point(|&other| other < slot);
            self.open.insert(place, slot);
            self.kept.opened(slot);
        } else if !leg.is_open() && was_open {
            leg.opened_at = None;
            leg.unprotected_since = None;
            leg.protection = None;
            self.open.retain(|&other| other != slot);
            self.kept.closed(slot);
        }
        self.kept.leg_moved(slot);
        self.release(slot);
        self.review_use(slot);
        self.review_bare(slot);
    }

    /// A leg that is flat and has no live opening belongs to nobody.
    pub(super) fn release(&mut self, slot: usize) {
        let leg = &self.legs[slot];
        if !leg.is_open() && !self.has_opening(leg) {
            let leg = &mut self.legs[slot];
            leg.owner = None;
            leg.protection = None;
            leg.said_open_since = None;
            let key = leg.key;
            self.flattening.remove(&key);
        }
    }

    /// Whether it is news that moves money.
    pub(super) fn apply_flow(&mut self, flow: &CashFlow) -> bool {
        // These arrive with their fills; the income ledger repeats them.
        if matches!(flow.kind, CashFlowKind::Fee | CashFlowKind::RealizedPnl) {
            return false;
        }
        // What flowed before the first look at the account is in its wallet.
        let is_old = flow.venue_time < self.first_venue_time;
        if self.flows.insert(flow.id.clone(), flow.venue_time).is_some() || is_old {
            return false;
        }
        if self.flows.len() > REMEMBERED_IDS {
            let oldest = self.flows.iter().min_by_key(|(_, time)| **time).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.flows.remove(&id));
        }
        self.last_venue_time = self.last_venue_time.max(flow.venue_time);
        let value = flow.amount.value.get();
        let ours = flow.amount.asset == Asset::usdt();
        match flow.kind {
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
        let taken_over = self.wallet_taken_over.get(&flow.amount.asset);
        if taken_over.is_some_and(|taken| flow.venue_time <= *taken) {
            // The wallet has it already, as money that nothing explained: now something does.
            if ours {
                self.totals.corrections -= value;
            }
            return true;
        }
        *self.wallet.entry(flow.amount.asset).or_default() += value;
        self.kept.wallet_moved();
        true
    }

    /// A fee that the venue charged otherwise than the execution said.
    pub(super) fn correct_fee(&mut self, flow: &CashFlow, booked: Decimal) {
        self.flows.insert(flow.id.clone(), flow.venue_time);
        let more = Decimal::ZERO - flow.amount.value.get() - booked;
        let asset = flow.amount.asset;
        let is_settled_in =
            flow.instrument.and_then(|id| self.spec(self.ix(&id)?)).is_some_and(|spec| spec.settle == asset);
        if is_settled_in {
            self.totals.fees += more;
        }
        // A wallet that was taken over since has been charged already.
        if self.wallet_taken_over.get(&asset).is_some_and(|taken| flow.venue_time <= *taken) {
            if asset == Asset::usdt() {
                self.totals.corrections += more;
            }
            return;
        }
        *self.wallet.entry(asset).or_default() -= more;
        self.kept.wallet_moved();
    }

    /// Whether a flow was booked, or its fee corrected.
    pub(crate) fn knows_flow(&self, id: &str) -> bool {
        self.flows.contains_key(id)
    }

    /// Whether an execution was booked.
    pub(crate) fn knows_trade(&self, fill: &Fill) -> bool {
        let trades = self.ix(&fill.instrument).and_then(|ix| self.trades.get(usize::from(ix.0)));
        fill.venue_time >= self.first_venue_time
            && trades.is_some_and(|trades| trades.contains(fill.trade_id))
    }

    /// The venue books funding of a symbol in one sum; it is attributed to the leg whose sign it has, or to the larger one.
    pub(super) fn split_funding(&mut self, id: &InstrumentId, value: Decimal) {
        let Some(ix) = self.ix(id) else { return };
        let base = usize::from(ix.0) * 2;
        let slot = if self.legs[base].qty >= self.legs[base + 1].qty { base } else { base + 1 };
        self.legs[slot].funding += value;
    }
}
