//! An incoming order meets the book: resting orders of accounts first at each price, then the standing book.
//!
//! Source: fact sheet 7.2, 7.4, 14.6.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::command::SymbolId;
use super::event::{EventBody, MarketTrade, VenueEvent};
use super::exchange::Venue;
use super::fill::Execution;
use super::market::{Market, Resting, to_e8};
use super::order::Order;
use super::vocabulary::{ExpiryReason, OrderStatus, OrderType, Side, Stp, Tif};

const ONE_E8: i128 = 100_000_000;

/// What an order of a side could meet.
struct Meeting {
    ticks: i64,
    steps: i64,
    /// A resting order of an account, or the standing book.
    maker: Option<u64>,
}

impl Venue {
    /// Matches a fresh (or amended) order and then rests or ends what is left of it.
    pub(super) fn match_incoming(&mut self, order_id: u64, out: &mut Vec<VenueEvent>) {
        let Some(order) = self.orders.get(&order_id) else { return };
        let (symbol, side, limit) = (order.symbol, order.side, self.taker_limit(order));
        let self_trade = self.take(order_id, symbol, side, limit, out);
        let Some(order) = self.orders.get(&order_id).filter(|o| o.status.is_open()) else { return };
        let ticks = order.ticks;
        if self_trade {
            let reason = match order.tif {
                Tif::Ioc => ExpiryReason::IocSelfTrade,
                _ => ExpiryReason::SelfTrade,
            };
            return self.end_order(order_id, OrderStatus::ExpiredInMatch, reason, out);
        }
        match (order.order_type, order.tif) {
            (OrderType::Market, _) => {
                self.end_order(order_id, OrderStatus::Expired, ExpiryReason::MarketRemainder, out);
            }
            (_, Tif::Ioc | Tif::Fok) => {
                self.end_order(order_id, OrderStatus::Expired, ExpiryReason::IocRemainder, out);
            }
            _ => self.markets[symbol].rest(side, Resting { ticks, order_id }),
        }
    }

    /// Worst price an order may take: its limit, or for a market order the take bound around mark.
    fn taker_limit(&self, order: &Order) -> i64 {
        if order.order_type == OrderType::Market {
            self.market_bound(order.symbol, order.side)
        } else {
            order.ticks
        }
    }

    /// Worst price a market order may fill at, in ticks. Source: fact sheet 4.2, `marketTakeBound`.
    pub(super) fn market_bound(&self, symbol: usize, side: Side) -> i64 {
        let market = &self.markets[symbol];
        let Some(bound) = market.rules.market_take_bound.filter(|b| b.is_sign_positive() && !b.is_zero())
        else {
            return if side == Side::Buy { i64::MAX } else { 0 };
        };
        let bound_e8 = to_e8(bound);
        if let Some(worst) = bound_e8.and_then(|bound_e8| quick_bound(market, side, bound_e8)) {
            return worst;
        }
        let worst_e16 = bound_e8.and_then(|bound_e8| {
            let share_e8 = ONE_E8 + i128::from(side.sign()) * i128::from(bound_e8);
            i128::from(market.mark_e8).checked_mul(share_e8)
        });
        if let Some(worst_e16) = worst_e16 {
            let tick_e16 = i128::from(market.tick_e8) * ONE_E8;
            let up = i128::from(side == Side::Sell && worst_e16.rem_euclid(tick_e16) != 0);
            return i64::try_from(worst_e16.div_euclid(tick_e16) + up).unwrap_or(i64::MAX);
        }
        let worst = market.mark() * (Decimal::ONE + Decimal::from(side.sign()) * bound);
        let ticks = worst / market.rules.tick;
        match side {
            Side::Buy => ticks.floor().to_i64().unwrap_or(i64::MAX),
            Side::Sell => ticks.ceil().to_i64().unwrap_or(0),
        }
    }

    /// Whether anything could be taken up to `limit` without looking at self-trade prevention.
    pub(super) fn is_takeable(&self, symbol: usize, side: Side, limit: i64) -> bool {
        let market = &self.markets[symbol];
        let opposite = side.opposite();
        let mut resting = market.book_side(opposite).iter().take_while(|r| reaches(side, limit, r.ticks));
        let left = |r: &Resting| self.orders.get(&r.order_id).is_some_and(|o| o.remaining() > 0);
        let mut levels = market.ladder(opposite).take_while(|level| reaches(side, limit, level.ticks));
        resting.any(left) || levels.any(|level| market.stands(opposite, level))
    }

    /// Steps that could be taken up to `limit` without looking at self-trade prevention, at most `want`.
    pub(super) fn takeable(&self, symbol: usize, side: Side, limit: i64, want: i64) -> i64 {
        let market = &self.markets[symbol];
        let opposite = side.opposite();
        let mut sum = 0i64;
        for resting in market.book_side(opposite).iter().take_while(|r| reaches(side, limit, r.ticks)) {
            sum = sum.saturating_add(self.orders.get(&resting.order_id).map_or(0, |o| o.remaining()));
        }
        for level in market.ladder(opposite).take_while(|l| reaches(side, limit, l.ticks)) {
            if sum >= want {
                break;
            }
            sum = sum.saturating_add(market.level_steps(opposite, level));
        }
        sum.min(want)
    }

    /// Takes from the book until the order is filled, the limit is passed or the book is empty. True when
    /// self-trade prevention ends the order.
    fn take(
        &mut self,
        order_id: u64,
        symbol: usize,
        side: Side,
        limit: i64,
        out: &mut Vec<VenueEvent>,
    ) -> bool {
        loop {
            let Some(order) = self.orders.get(&order_id).filter(|o| o.status.is_open()) else { return false };
            let (left, stp, ax) = (order.remaining(), order.stp, order.ax());
            let Some(meeting) = self.next_meeting(symbol, side, limit) else { return false };
            let Some(maker) = meeting.maker else {
                let steps = left.min(meeting.steps);
                self.markets[symbol].eat(side.opposite(), meeting.ticks, steps);
                self.trade(symbol, side, meeting.ticks, steps, order_id, None, out);
                continue;
            };
            let own = self.orders.get(&maker).is_some_and(|m| m.ax() == ax);
            let prevention = if own { stp } else { Stp::None };
            if matches!(prevention, Stp::ExpireMaker | Stp::ExpireBoth) {
                self.end_order(maker, OrderStatus::ExpiredInMatch, ExpiryReason::SelfTrade, out);
            }
            match prevention {
                Stp::ExpireTaker | Stp::ExpireBoth => return true,
                Stp::ExpireMaker => {}
                Stp::None => {
                    let steps = left.min(meeting.steps);
                    self.trade(symbol, side, meeting.ticks, steps, order_id, Some(maker), out);
                }
            }
        }
    }

    /// The best thing on the other side within the limit.
    fn next_meeting(&self, symbol: usize, side: Side, limit: i64) -> Option<Meeting> {
        let market = &self.markets[symbol];
        let opposite = side.opposite();
        let resting = market.book_side(opposite).first().copied();
        let levels = market.ladder(opposite).map(|level| (level.ticks, market.level_steps(opposite, level)));
        let standing =
            levels.take_while(|(ticks, _)| reaches(side, limit, *ticks)).find(|(_, steps)| *steps > 0);
        // At one price an account's order stands before the made-up ones, as it does when the price touches it.
        let resting = resting.filter(|r| reaches(side, limit, r.ticks));
        let resting = resting.filter(|r| standing.is_none_or(|(ticks, _)| reaches(side, ticks, r.ticks)));
        if let Some(found) = resting {
            let steps = self.orders.get(&found.order_id)?.remaining();
            return Some(Meeting { ticks: found.ticks, steps, maker: Some(found.order_id) });
        }
        standing.map(|(ticks, steps)| Meeting { ticks, steps, maker: None })
    }

    /// One trade: the taker's side first, then the maker's when it is an account.
    #[allow(clippy::too_many_arguments)]
    fn trade(
        &mut self,
        symbol: usize,
        side: Side,
        ticks: i64,
        steps: i64,
        taker: u64,
        maker: Option<u64>,
        out: &mut Vec<VenueEvent>,
    ) {
        let trade_id = self.markets[symbol].take_trade_id();
        let execution = Execution { ticks, steps, trade_id, maker: false, forced: false };
        self.print(symbol, execution, side == Side::Sell, out);
        self.book_execution(taker, execution, out);
        if let Some(maker) = maker.filter(|m| self.orders.get(m).is_some_and(|o| o.status.is_open())) {
            self.book_execution(maker, Execution { maker: true, ..execution }, out);
        }
    }

    /// Fills a resting order at its own price because the market came to it.
    pub(super) fn fill_resting(&mut self, order_id: u64, out: &mut Vec<VenueEvent>) {
        let Some(order) = self.orders.get(&order_id) else { return };
        let (symbol, side, ticks, steps) = (order.symbol, order.side, order.ticks, order.remaining());
        let trade_id = self.markets[symbol].take_trade_id();
        let execution = Execution { ticks, steps, trade_id, maker: true, forced: false };
        self.print(symbol, execution, side == Side::Buy, out);
        self.book_execution(order_id, execution, out);
    }

    pub(super) fn print(
        &mut self,
        symbol: usize,
        execution: Execution,
        buyer_is_maker: bool,
        out: &mut Vec<VenueEvent>,
    ) {
        if self.leaves_out() {
            return;
        }
        let rules = &self.markets[symbol].rules;
        let trade = MarketTrade {
            symbol: SymbolId(symbol as u16),
            trade_id: execution.trade_id,
            price: rules.price_of(execution.ticks),
            qty: rules.qty_of(execution.steps),
            buyer_is_maker,
        };
        self.emit(out, None, EventBody::Trade(trade));
    }
}

/// The bound of a market order where mark stands on the grid and 64 bits hold the product.
#[inline]
fn quick_bound(market: &Market, side: Side, bound_e8: i64) -> Option<i64> {
    if market.mark_e8 <= 0 || market.mark_e8 % market.tick_e8 != 0 {
        return None;
    }
    let share_e8 = (ONE_E8 as i64).checked_add(side.sign().checked_mul(bound_e8)?)?;
    let worst = (market.mark_e8 / market.tick_e8).checked_mul(share_e8)?;
    let up = i64::from(side == Side::Sell && worst.rem_euclid(ONE_E8 as i64) != 0);
    Some(worst.div_euclid(ONE_E8 as i64) + up)
}

/// Whether a taker of this side with this limit accepts the price.
#[inline]
pub(super) fn reaches(side: Side, limit: i64, price: i64) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}
