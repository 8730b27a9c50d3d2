//! What a driver in the same thread is told: numbers and small ids instead of views for a wire.
//!
//! An exchange that [tells briefly](Venue::tell_briefly) puts everything that happens here instead of into the events
//! of [`Venue::apply`]: each change of an order as it was at that moment, and whole events for all that is rare. What
//! such a driver has no use for (account updates of a fill, prints) is counted and not made. Nothing else differs.

use rust_decimal::Decimal;

use super::check::Origin;
use super::command::{AccountId, NewOrder, SymbolId};
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;
use super::fill::Booked;
use super::order::{FilledAt, Order};
use super::vocabulary::{ExpiryReason, OrderStatus, OrderType, PositionSide, Side};

/// One thing told. Of orders only those of the first account: such a driver trades on no other.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// A change of a plain order.
    Order(OrderTold),
    /// Anything else.
    Event(Box<VenueEvent>),
}

const FIRST: AccountId = AccountId(0);

/// A plain order after a change, in ticks and steps.
#[derive(Debug, Clone)]
pub(crate) struct OrderTold {
    pub(crate) symbol: SymbolId,
    pub(crate) id: u64,
    pub(crate) status: OrderStatus,
    pub(crate) side: Side,
    pub(crate) position_side: PositionSide,
    pub(crate) order_type: OrderType,
    pub(crate) ticks: i64,
    /// Trigger of the algo order that it came from.
    pub(crate) stop_ticks: i64,
    pub(crate) close_position: bool,
    pub(crate) steps: i64,
    pub(crate) filled: i64,
    pub(crate) average: Average,
    pub(crate) expiry: ExpiryReason,
    pub(crate) update_ms: i64,
    pub(crate) fill: Option<FillTold>,
}

/// The average price of what is filled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Average {
    /// Nothing is filled.
    None,
    /// One price, in ticks.
    At(i64),
    /// Of several prices.
    Of(Decimal),
}

/// The fill that a change of an order is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FillTold {
    pub(crate) trade_id: u64,
    pub(crate) ticks: i64,
    pub(crate) steps: i64,
    pub(crate) maker: bool,
    pub(crate) fee: Decimal,
    pub(crate) realized: Decimal,
}

/// An order that was taken, after matching.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) order_id: u64,
    pub(crate) status: OrderStatus,
    pub(crate) executed: Decimal,
}

impl Venue {
    /// From now on everything is told through [`told`](Self::told) and nothing as events.
    pub(crate) fn tell_briefly(&mut self) {
        self.told = Some(Vec::new());
    }

    /// Whether anything was told since the last time.
    #[inline]
    pub(crate) fn has_told(&self) -> bool {
        self.told.as_ref().is_some_and(|told| !told.is_empty())
    }

    /// Exchanges what was told since the last time for an empty list.
    pub(crate) fn told(&mut self, into: &mut Vec<Told>) {
        if let Some(told) = self.told.as_mut().filter(|told| !told.is_empty()) {
            std::mem::swap(told, into);
        }
    }

    /// Places an order as [`Command::Place`](super::Command::Place) does. `symbol` is the number of the one it names.
    ///
    /// # Errors
    /// The exchange's own refusal.
    pub(crate) fn place_briefly(
        &mut self,
        now_ms: i64,
        symbol: SymbolId,
        order: &NewOrder,
    ) -> Result<Taken, VenueError> {
        let mut none = Vec::new();
        self.advance(now_ms, &mut none);
        let (ax, symbol) = (self.account_index(order.account)?, self.listed(symbol)?);
        let accepted = self.check_order_on(ax, symbol, order, Origin::Client)?;
        let order_id = self.admit(order, accepted, None, &mut none);
        let order = self.orders.get(&order_id).ok_or(VenueError::of(Refusal::NoSuchOrder))?;
        let executed = self.markets[order.symbol].rules.qty_of(order.filled);
        Ok(Taken { order_id, status: order.status, executed })
    }

    /// Tells a change of an order, when that is what is wanted.
    pub(super) fn tell_order(
        &mut self,
        order_id: u64,
        expiry: ExpiryReason,
        booked: Option<&Booked>,
    ) -> bool {
        let Some(told) = &mut self.told else { return false };
        self.next_seq += 1;
        let Some(order) = self.orders.get(&order_id).filter(|order| order.account == FIRST) else {
            return true;
        };
        let parent = order.parent.and_then(|id| self.algos.get(&id));
        told.push(Told::Order(OrderTold {
            symbol: SymbolId(order.symbol as u16),
            id: order.id,
            status: order.status,
            side: order.side,
            position_side: order.position_side,
            order_type: order.order_type,
            ticks: order.ticks,
            stop_ticks: parent.map_or(0, |algo| algo.trigger_ticks),
            close_position: parent.is_some_and(|algo| algo.close_position),
            steps: order.steps,
            filled: order.filled,
            average: match order.filled_at {
                FilledAt::Nothing => Average::None,
                FilledAt::One(ticks) => Average::At(ticks),
                FilledAt::Several => Average::Of(average(order, &self.markets[order.symbol].rules)),
            },
            expiry,
            update_ms: order.update_ms,
            fill: booked.map(Booked::told),
        }));
        true
    }

    /// The client id of a plain order; empty for a number that none has.
    pub(crate) fn client_id_of(&self, order_id: u64) -> &str {
        self.orders.get(&order_id).map_or("", |order| &order.client_id)
    }

    /// Counts an event that a brief telling leaves out; false when it has to be made.
    pub(super) fn leaves_out(&mut self) -> bool {
        self.next_seq += u64::from(self.told.is_some());
        self.told.is_some()
    }
}

/// Average price of what is filled, eight decimals, without trailing zeros.
pub(super) fn average(order: &Order, rules: &super::rules::InstrumentRules) -> Decimal {
    match order.filled_at {
        FilledAt::Nothing => Decimal::ZERO,
        // That is the average, without dividing.
        FilledAt::One(ticks) => rules.price_of(ticks).normalize(),
        FilledAt::Several => (order.quote / rules.qty_of(order.filled)).round_dp(8).normalize(),
    }
}
