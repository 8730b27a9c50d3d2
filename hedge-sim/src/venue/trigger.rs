//! When an algo order fires, and what happens then.
//!
//! Source: fact sheet 5.3, 5.5.

use rust_decimal::Decimal;

use super::algo::Algo;
use super::check::Origin;
use super::command::NewOrder;
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;
use super::market::Market;
use super::vocabulary::{AlgoStatus, OrderType, Side, Tif, WorkingType};

const MILLION: i128 = 1_000_000;

/// The working prices an algo order waits for, in 10^-8: something happens at or below `lo`, at or above `hi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) lo: i64,
    pub(super) hi: i64,
}

impl Watch {
    const BELOW_ALL: i64 = 0;
    const ABOVE_ALL: i64 = i64::MAX;

    /// What a waiting order watches for now. A trailing order that has not begun waits for its activation price.
    pub(super) fn of(algo: &Algo, tick_e8: i64) -> Self {
        let rises_to = |price_e8| Self { lo: Self::BELOW_ALL, hi: price_e8 };
        let falls_to = |price_e8| Self { lo: price_e8, hi: Self::ABOVE_ALL };
        let trigger_e8 = algo.trigger_ticks * tick_e8;
        let activate_e8 = algo.activate_ticks * tick_e8;
        match (algo.order_type, algo.side) {
            (OrderType::TrailingStopMarket, Side::Sell) if !algo.activated => rises_to(activate_e8),
            (OrderType::TrailingStopMarket, Side::Buy) if !algo.activated => falls_to(activate_e8),
            (OrderType::TrailingStopMarket, Side::Sell) => {
                let kept = i128::from(algo.extreme_e8) * (MILLION - i128::from(algo.callback_ppm));
                falls_to(kept.div_euclid(MILLION) as i64)
            }
            (OrderType::TrailingStopMarket, Side::Buy) => {
                let grown = i128::from(algo.extreme_e8) * (MILLION + i128::from(algo.callback_ppm));
                rises_to((grown + MILLION - 1).div_euclid(MILLION) as i64)
            }
            (stop, Side::Buy) if !stop.is_take_profit() => rises_to(trigger_e8),
            (stop, Side::Sell) if !stop.is_take_profit() => falls_to(trigger_e8),
            (_, Side::Buy) => falls_to(trigger_e8),
            (_, Side::Sell) => rises_to(trigger_e8),
        }
    }

    /// Prices at which nothing changes at all, the trailing extreme included.
    pub(super) fn quiet(algo: &Algo, tick_e8: i64) -> Self {
        let watch = Self::of(algo, tick_e8);
        match (algo.is_trailing() && algo.activated, algo.side) {
            (true, Side::Sell) => Self { hi: algo.extreme_e8 + 1, ..watch },
            (true, Side::Buy) => Self { lo: algo.extreme_e8 - 1, ..watch },
            _ => watch,
        }
    }

    pub(super) fn is_met(self, working_e8: i64) -> bool {
        working_e8 <= self.lo || working_e8 >= self.hi
    }
}

impl Market {
    /// The price an order of this working type watches.
    pub(super) fn working_e8(&self, working_type: WorkingType) -> i64 {
        match working_type {
            WorkingType::Contract => self.last_e8(),
            WorkingType::Mark => self.mark_e8,
        }
    }
}

impl Venue {
    /// Moves the extremes of trailing orders to the present price.
    pub(super) fn follow_trailing(&mut self, symbol: usize) {
        let market = &self.markets[symbol];
        for id in &market.algos {
            let Some(algo) = self.algos.get_mut(id).filter(|a| a.is_trailing() && a.activated) else {
                continue;
            };
            let working_e8 = market.working_e8(algo.working_type);
            algo.extreme_e8 = match algo.side {
                Side::Sell => algo.extreme_e8.max(working_e8),
                Side::Buy => algo.extreme_e8.min(working_e8),
            };
        }
    }

    /// Fires every algo order of the symbol whose condition holds, oldest first.
    pub(super) fn fire_met(&mut self, symbol: usize, out: &mut Vec<VenueEvent>) {
        let waiting = self.markets[symbol].algos.clone();
        for id in waiting {
            let market = &self.markets[symbol];
            let Some(algo) = self.algos.get(&id).filter(|a| a.status.is_waiting()) else { continue };
            if !Watch::of(algo, market.tick_e8).is_met(market.working_e8(algo.working_type)) {
                continue;
            }
            if algo.is_trailing() && !algo.activated {
                self.activate(id, out);
            } else {
                self.fire(id, out);
            }
        }
    }

    fn activate(&mut self, algo_id: u64, out: &mut Vec<VenueEvent>) {
        let now_ms = self.now_ms;
        let Some(algo) = self.algos.get_mut(&algo_id) else { return };
        let market = &mut self.markets[algo.symbol];
        algo.activated = true;
        algo.extreme_e8 = market.working_e8(algo.working_type);
        algo.update_ms = now_ms;
        market.band = super::band::Band::UNKNOWN;
        self.emit_algo(algo_id, out);
    }

    /// The condition is met: the child goes to the matching engine, or the algo order ends with the reason why not.
    fn fire(&mut self, algo_id: u64, out: &mut Vec<VenueEvent>) {
        let now_ms = self.now_ms;
        let Some(algo) = self.algos.get_mut(&algo_id) else { return };
        algo.status = AlgoStatus::Triggering;
        algo.trigger_ms = now_ms;
        algo.update_ms = now_ms;
        let algo = algo.clone();
        self.forget_waiting(algo_id);
        self.emit_algo(algo_id, out);

        let leg_steps = self.closable(algo.ax(), algo.symbol, algo.position_side, algo.side);
        if algo.close_position && leg_steps == 0 {
            return self.end_algo(algo_id, AlgoStatus::Expired, "there is no position to close", out);
        }
        if algo.price_protect && self.is_price_apart(algo.symbol) {
            return self.end_algo(
                algo_id,
                AlgoStatus::Rejected,
                "price protection: mark and last are too far apart",
                out,
            );
        }
        let steps = if algo.close_position { leg_steps } else { algo.steps };
        let origin = if algo.close_position { Origin::CloseAll } else { Origin::Algo };
        let child = self.child_of(&algo, steps);
        match child.and_then(|order| Ok((self.check_order(&order, origin)?, order))) {
            Ok((accepted, order)) => {
                self.admit(&order, accepted, Some(algo_id), out);
            }
            Err(refusal) => self.end_algo(algo_id, AlgoStatus::Rejected, &refusal.msg, out),
        }
    }

    fn child_of(&self, algo: &Algo, steps: i64) -> Result<NewOrder, VenueError> {
        let rules = &self.markets[algo.symbol].rules;
        let limit = algo.child_type() == OrderType::Limit;
        let price = match algo.price_match.filter(|_| limit) {
            Some(price_match) => Some(self.matched_price(algo.symbol, algo.side, price_match)?),
            None => limit.then(|| rules.price_of(algo.limit_ticks)),
        };
        let one_way_reduce = algo.reduces() && algo.position_side == super::vocabulary::PositionSide::Both;
        let tif = match algo.tif {
            Tif::GteGtc => Tif::Gtc,
            // The child would be refused for a date that is too near; the algo order carried the date.
            Tif::Gtd if algo.good_till_ms <= self.now_ms + 600_000 => return Err(Refusal::BadGtd.into()),
            tif => tif,
        };
        Ok(NewOrder {
            account: algo.account,
            symbol: rules.symbol.clone(),
            side: algo.side,
            position_side: Some(algo.position_side),
            order_type: algo.child_type(),
            tif: limit.then_some(tif),
            qty: Some(rules.qty_of(steps)),
            price,
            reduce_only: one_way_reduce.then_some(true),
            client_order_id: Some(algo.client_id.clone()),
            price_match: None,
            stp: Some(algo.stp),
            good_till_ms: (tif == Tif::Gtd).then_some(algo.good_till_ms),
        })
    }

    /// Whether mark and last differ by more than the symbol's `triggerProtect`.
    fn is_price_apart(&self, symbol: usize) -> bool {
        let market = &self.markets[symbol];
        let Some(limit) = market.rules.trigger_protect else { return false };
        let (mark, last) = (market.mark(), market.rules.price_of(market.last));
        mark > Decimal::ZERO && (mark - last).abs() / mark > limit
    }

    /// The child was accepted: the algo order is triggered and says which order that is.
    pub(super) fn announce_child(&mut self, algo_id: u64, order_id: u64, out: &mut Vec<VenueEvent>) {
        let now_ms = self.now_ms;
        let Some(algo) = self.algos.get_mut(&algo_id) else { return };
        algo.status = AlgoStatus::Triggered;
        algo.child = Some(order_id);
        algo.update_ms = now_ms;
        self.emit_algo(algo_id, out);
    }
}
