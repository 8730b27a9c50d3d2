//! Records of algo orders and their state machine.
//!
//! Source: fact sheet 5.5, 5.6.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::by_id::Identified;
use super::command::{AccountId, AlgoRef};
use super::error::{Refusal, VenueError};
use super::event::{EventBody, VenueEvent};
use super::exchange::Venue;
use super::order::closes;
use super::view::AlgoView;
use super::vocabulary::{AlgoStatus, OrderType, PositionSide, PriceMatch, Side, Stp, Tif, WorkingType};

/// A conditional order in ticks and steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Algo {
    pub(super) id: u64,
    pub(super) account: AccountId,
    pub(super) symbol: usize,
    pub(super) client_id: String,
    pub(super) order_type: OrderType,
    pub(super) status: AlgoStatus,
    pub(super) side: Side,
    pub(super) position_side: PositionSide,
    pub(super) tif: Tif,
    /// Zero for close-all.
    pub(super) steps: i64,
    /// Zero for trailing.
    pub(super) trigger_ticks: i64,
    /// Zero for a market child.
    pub(super) limit_ticks: i64,
    pub(super) working_type: WorkingType,
    pub(super) price_protect: bool,
    pub(super) close_position: bool,
    /// The flag of one-way mode; hedge closes are implied.
    pub(super) reduce_only: bool,
    pub(super) price_match: Option<PriceMatch>,
    pub(super) stp: Stp,
    /// Zero unless trailing.
    pub(super) activate_ticks: i64,
    pub(super) callback_rate: Option<Decimal>,
    /// Trailing distance in millionths.
    pub(super) callback_ppm: i64,
    pub(super) activated: bool,
    /// Best working price since activation, trailing only.
    pub(super) extreme_e8: i64,
    pub(super) child: Option<u64>,
    pub(super) create_ms: i64,
    pub(super) update_ms: i64,
    pub(super) trigger_ms: i64,
    pub(super) good_till_ms: i64,
    pub(super) reject_reason: String,
}

impl Identified for Algo {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Algo {
    pub(super) fn ax(&self) -> usize {
        usize::from(self.account.0)
    }

    pub(super) fn is_trailing(&self) -> bool {
        self.order_type == OrderType::TrailingStopMarket
    }

    /// Whether its child can only reduce.
    pub(super) fn reduces(&self) -> bool {
        self.reduce_only || self.close_position || closes(self.side, self.position_side)
    }

    /// Type of the child.
    pub(super) fn child_type(&self) -> OrderType {
        if self.order_type.has_limit_child() { OrderType::Limit } else { OrderType::Market }
    }
}

impl Venue {
    pub(super) fn algo_view(&self, algo: &Algo) -> AlgoView {
        let rules = &self.markets[algo.symbol].rules;
        let child = algo.child.and_then(|id| self.orders.get(&id)).map(|o| self.order_view(o));
        AlgoView {
            algo_id: algo.id,
            account: algo.account,
            client_algo_id: algo.client_id.clone(),
            symbol: rules.symbol.clone(),
            order_type: algo.order_type,
            status: algo.status,
            side: algo.side,
            position_side: algo.position_side,
            tif: algo.tif,
            qty: rules.qty_of(algo.steps),
            trigger_price: rules.price_of(algo.trigger_ticks),
            price: rules.price_of(algo.limit_ticks),
            working_type: algo.working_type,
            price_protect: algo.price_protect,
            close_position: algo.close_position,
            reduce_only: algo.reduces(),
            price_match: algo.price_match,
            stp: algo.stp,
            activate_price: algo.is_trailing().then(|| rules.price_of(algo.activate_ticks)),
            callback_rate: algo.callback_rate,
            activated: algo.activated,
            actual_order_id: algo.child,
            actual_type: child.as_ref().map(|c| c.order_type),
            actual_price: child.as_ref().map_or(Decimal::ZERO, |c| c.avg_price),
            actual_qty: child.as_ref().map_or(Decimal::ZERO, |c| c.executed_qty),
            create_ms: algo.create_ms,
            update_ms: algo.update_ms,
            trigger_ms: algo.trigger_ms,
            good_till_ms: algo.good_till_ms,
            reject_reason: algo.reject_reason.clone(),
        }
    }

    pub(super) fn emit_algo(&mut self, algo_id: u64, out: &mut Vec<VenueEvent>) {
        let Some(algo) = self.algos.get(&algo_id) else { return };
        let (account, view) = (algo.account, self.algo_view(algo));
        self.emit(out, Some(account), EventBody::Algo(Box::new(view)));
    }

    /// Ends a waiting or triggering algo order and tells why.
    pub(super) fn end_algo(
        &mut self,
        algo_id: u64,
        status: AlgoStatus,
        reason: &str,
        out: &mut Vec<VenueEvent>,
    ) {
        let now_ms = self.now_ms;
        let live = |a: &&mut Algo| matches!(a.status, AlgoStatus::New | AlgoStatus::Triggering);
        let Some(algo) = self.algos.get_mut(&algo_id).filter(live) else { return };
        algo.status = status;
        algo.update_ms = now_ms;
        algo.reject_reason = reason.to_owned();
        self.forget_waiting(algo_id);
        self.emit_algo(algo_id, out);
    }

    /// Removes an algo order that no longer waits from the open lists.
    pub(super) fn forget_waiting(&mut self, algo_id: u64) {
        let Some(algo) = self.algos.get(&algo_id) else { return };
        let (ax, symbol, good_till_ms) = (algo.ax(), algo.symbol, algo.good_till_ms);
        let open = &mut self.accounts[ax].open_algos;
        if let Ok(at) = open.binary_search(&algo_id) {
            open.remove(at);
        }
        let market = &mut self.markets[symbol];
        market.algos.retain(|id| *id != algo_id);
        market.band = super::band::Band::UNKNOWN;
        if good_till_ms > 0 {
            self.gtd_algos.remove(&(good_till_ms, algo_id));
        }
    }

    /// The child of an algo order ended: so does the algo order.
    pub(super) fn finish_parent(&mut self, order_id: u64, out: &mut Vec<VenueEvent>) {
        let now_ms = self.now_ms;
        let Some(parent) = self.orders.get(&order_id).and_then(|o| o.parent) else { return };
        let Some(algo) = self.algos.get_mut(&parent).filter(|a| a.status == AlgoStatus::Triggered) else {
            return;
        };
        algo.status = AlgoStatus::Finished;
        algo.update_ms = now_ms;
        self.emit_algo(parent, out);
    }

    pub(super) fn find_algo(&self, ax: usize, algo: &AlgoRef) -> Option<&Algo> {
        let id = match algo {
            AlgoRef::Id(id) => Some(id),
            AlgoRef::Client(text) => self.accounts[ax].by_client_algo.get(text),
        };
        id.and_then(|id| self.algos.get(id)).filter(|a| a.ax() == ax)
    }

    /// Cancels a waiting algo order. After the trigger it is the child that must be cancelled. Source: fact sheet 5.3.
    pub(super) fn cancel_algo(
        &mut self,
        ax: usize,
        algo: &AlgoRef,
        out: &mut Vec<VenueEvent>,
    ) -> Result<u64, VenueError> {
        let found = self.find_algo(ax, algo).filter(|a| a.status.is_waiting());
        let id = found.map(|a| a.id).ok_or(VenueError::of(Refusal::CancelRejected))?;
        self.end_algo(id, AlgoStatus::Canceled, "", out);
        Ok(id)
    }

    pub(super) fn cancel_all_algos(&mut self, ax: usize, symbol: usize, out: &mut Vec<VenueEvent>) -> usize {
        let waiting = self.open_algos_on(ax, Some(symbol));
        for id in &waiting {
            self.end_algo(*id, AlgoStatus::Canceled, "", out);
        }
        waiting.len()
    }

    pub(super) fn open_algos_on(&self, ax: usize, symbol: Option<usize>) -> Vec<u64> {
        let open = self.accounts[ax].open_algos.iter().filter_map(|id| self.algos.get(id));
        open.filter(|a| symbol.is_none_or(|s| a.symbol == s)).map(|a| a.id).collect()
    }

    /// Expires the position-tied algo orders of a leg that is gone.
    pub(super) fn expire_tied_algos(
        &mut self,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
        out: &mut Vec<VenueEvent>,
    ) {
        if !self.accounts[ax].leg(symbol, position_side).is_flat() {
            return;
        }
        for id in self.open_algos_on(ax, Some(symbol)) {
            let tied = |a: &Algo| a.tif == Tif::GteGtc && a.position_side == position_side;
            if self.algos.get(&id).is_some_and(tied) {
                self.end_algo(id, AlgoStatus::Expired, "the position it was tied to is closed", out);
            }
        }
    }
}
