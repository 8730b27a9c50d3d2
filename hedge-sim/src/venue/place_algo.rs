//! Placing algo orders: the checks, then the record. No margin is bound before the trigger.
//!
//! Source: fact sheet 5.2, 5.3.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::algo::Algo;
use super::check::{Origin, missing};
use super::command::NewAlgo;
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::{SecondCloseAll, Venue};
use super::filters;
use super::order::closes;
use super::trigger::Watch;
use super::vocabulary::{AlgoStatus, OrderType, PositionSide, Stp, Tif, WorkingType};

/// Waiting algo orders of an account, all symbols together. Source: fact sheet 0.1 item 3.
const MAX_ALGOS: usize = 200;

impl Venue {
    /// Places an algo order and returns its id.
    pub(super) fn place_algo(&mut self, new: &NewAlgo, out: &mut Vec<VenueEvent>) -> Result<u64, VenueError> {
        let mut algo = self.check_algo(new)?;
        algo.id = self.next_algo_id;
        self.next_algo_id += 1;
        if algo.client_id.is_empty() {
            algo.client_id = self.made_up_client_id();
        }
        let (id, ax, symbol) = (algo.id, algo.ax(), algo.symbol);
        if algo.good_till_ms > 0 {
            self.gtd_algos.insert((algo.good_till_ms, id));
        }
        let account = &mut self.accounts[ax];
        account.by_client_algo.insert(algo.client_id.clone(), id);
        account.open_algos.push(id);
        account.algos.push(id);
        self.algos.insert(algo);
        let market = &mut self.markets[symbol];
        market.algos.push(id);
        market.band = super::band::Band::UNKNOWN;
        self.emit_algo(id, out);
        Ok(id)
    }

    fn check_algo(&self, new: &NewAlgo) -> Result<Algo, VenueError> {
        let ax = self.account_index(new.account)?;
        let symbol = self.symbol_index(&new.symbol)?;
        if !new.order_type.is_conditional() {
            return Err(Refusal::BadOrderType.into());
        }
        check_close_all_shape(new)?;
        let position_side = self.check_mode(ax, new.position_side, new.reduce_only, Origin::Client)?;
        let closing = closes(new.side, position_side);
        // In hedge mode a close-all names its leg by closing it.
        if new.close_position && position_side != PositionSide::Both && !closing {
            return Err(Refusal::ReduceOnlyRejected.into());
        }
        let reduces = closing || new.close_position || new.reduce_only == Some(true);
        self.check_status(symbol, reduces)?;
        self.check_restriction(ax, reduces)?;
        self.check_algo_client_id(ax, new.client_algo_id.as_deref())?;

        let steps = self.check_algo_qty(new, symbol)?;
        let limit_ticks = self.check_algo_limit(new, symbol)?;
        let trigger_ticks = self.check_trigger(new, symbol)?;
        let trailing = self.check_trailing(new, symbol)?;
        let tif = self.check_algo_tif(new, ax, symbol, position_side)?;
        self.check_algo_notional(
            symbol,
            reduces,
            steps,
            trigger_ticks.max(limit_ticks).max(trailing.activate_ticks),
        )?;
        if self.accounts[ax].open_algos.len() >= MAX_ALGOS {
            return Err(Refusal::MaxAlgoOrders.into());
        }
        let algo = Algo {
            id: 0,
            account: new.account,
            symbol,
            client_id: new.client_algo_id.clone().unwrap_or_default(),
            order_type: new.order_type,
            status: AlgoStatus::New,
            side: new.side,
            position_side,
            tif,
            steps,
            trigger_ticks,
            limit_ticks,
            working_type: new.working_type.unwrap_or(WorkingType::Contract),
            price_protect: new.price_protect,
            close_position: new.close_position,
            reduce_only: new.reduce_only == Some(true),
            price_match: new.price_match,
            stp: new.stp.unwrap_or(Stp::ExpireMaker),
            activate_ticks: trailing.activate_ticks,
            callback_rate: new.callback_rate.filter(|_| new.order_type == OrderType::TrailingStopMarket),
            callback_ppm: trailing.callback_ppm,
            activated: trailing.activated,
            extreme_e8: 0,
            child: None,
            create_ms: self.now_ms,
            update_ms: self.now_ms,
            trigger_ms: 0,
            good_till_ms: if tif == Tif::Gtd { new.good_till_ms.unwrap_or(0) / 1_000 * 1_000 } else { 0 },
            reject_reason: String::new(),
        };
        self.check_second_close_all(&algo)?;
        self.check_not_yet_true(algo)
    }

    fn check_algo_client_id(&self, ax: usize, client_id: Option<&str>) -> Result<(), VenueError> {
        let Some(text) = client_id else { return Ok(()) };
        filters::client_id(text)?;
        let bearer = self.accounts[ax].by_client_algo.get(text).and_then(|id| self.algos.get(id));
        if bearer.is_some_and(|a| a.status.is_waiting()) {
            Err(Refusal::DuplicateClientId.into())
        } else {
            Ok(())
        }
    }

    fn check_algo_qty(&self, new: &NewAlgo, symbol: usize) -> Result<i64, VenueError> {
        if new.close_position {
            return Ok(0);
        }
        let rules = &self.markets[symbol].rules;
        let qty = new.qty.ok_or_else(|| missing("quantity"))?;
        let lot = if new.order_type.has_limit_child() { rules.lot } else { rules.market_lot };
        filters::lot_steps(rules, &lot, qty)
    }

    fn check_algo_limit(&self, new: &NewAlgo, symbol: usize) -> Result<i64, VenueError> {
        match (new.order_type.has_limit_child(), new.price, new.price_match) {
            (false, None, None) => Ok(0),
            (false, Some(_), _) => Err(Refusal::PriceNotRequired.into()),
            (false, None, Some(_)) => Err(Refusal::PriceMatchType.into()),
            (true, Some(_), Some(_)) => Err(Refusal::PriceMatchWithPrice.into()),
            (true, None, Some(_)) => Ok(0),
            (true, Some(price), None) => filters::limit_ticks(&self.markets[symbol].rules, price),
            (true, None, None) => Err(missing("price")),
        }
    }

    fn check_trigger(&self, new: &NewAlgo, symbol: usize) -> Result<i64, VenueError> {
        if new.order_type == OrderType::TrailingStopMarket {
            return Ok(0);
        }
        let price = new.trigger_price.ok_or_else(|| missing("triggerPrice"))?;
        filters::trigger_ticks(&self.markets[symbol].rules, price)
    }

    fn check_trailing(&self, new: &NewAlgo, symbol: usize) -> Result<Trailing, VenueError> {
        if new.order_type != OrderType::TrailingStopMarket {
            return Ok(Trailing::default());
        }
        let market = &self.markets[symbol];
        let rate = new.callback_rate.ok_or_else(|| missing("callbackRate"))?;
        // 0.1 to 20 percent. Source: fact sheet 5.2, raised on 2026-10-23.
        if rate < Decimal::new(1, 1) || rate > Decimal::from(20) || rate.normalize().scale() > 4 {
            return Err(Refusal::InvalidValue.into());
        }
        let ppm = rate * Decimal::from(10_000);
        let callback_ppm = ppm.to_i64().unwrap_or(0);
        let Some(price) = new.activate_price else {
            return Ok(Trailing { activate_ticks: market.last, callback_ppm, activated: true });
        };
        let activate_ticks = filters::trigger_ticks(&market.rules, price)
            .map_err(|e| if e.code == -4006 { Refusal::BadActivation.into() } else { e })?;
        Ok(Trailing { activate_ticks, callback_ppm, activated: false })
    }

    fn check_algo_tif(
        &self,
        new: &NewAlgo,
        ax: usize,
        symbol: usize,
        position_side: PositionSide,
    ) -> Result<Tif, VenueError> {
        let tif = new.tif.unwrap_or(Tif::Gtc);
        match tif {
            // Tied to a position, so there must be one. Source: fact sheet 5.2.
            Tif::GteGtc if self.closable(ax, symbol, position_side, new.side) == 0 => {
                Err(Refusal::GteNeedsPosition.into())
            }
            Tif::GteGtc => Ok(tif),
            _ if !self.markets[symbol].rules.tifs.contains(&tif) => Err(Refusal::BadTif.into()),
            _ => self.check_good_till(tif, new.good_till_ms).map(|()| tif),
        }
    }

    fn check_algo_notional(
        &self,
        symbol: usize,
        reduces: bool,
        steps: i64,
        ticks: i64,
    ) -> Result<(), VenueError> {
        let rules = &self.markets[symbol].rules;
        if reduces {
            Ok(())
        } else {
            filters::min_notional(rules, rules.price_of(ticks) * rules.qty_of(steps))
        }
    }

    fn check_second_close_all(&self, algo: &Algo) -> Result<(), VenueError> {
        if !algo.close_position || self.config.second_close_all == SecondCloseAll::Accept {
            return Ok(());
        }
        let same = |other: &Algo| {
            other.close_position
                && other.symbol == algo.symbol
                && other.position_side == algo.position_side
                && other.side == algo.side
                && other.order_type == algo.order_type
        };
        let waiting = self.accounts[algo.ax()].open_algos.iter().filter_map(|id| self.algos.get(id));
        if waiting.into_iter().any(same) { Err(Refusal::SecondCloseAll.into()) } else { Ok(()) }
    }

    /// Refuses what would fire, or begin to trail, at once; gives a trailing order its starting extreme.
    fn check_not_yet_true(&self, mut algo: Algo) -> Result<Algo, VenueError> {
        let market = &self.markets[algo.symbol];
        let working_e8 = market.working_e8(algo.working_type);
        if algo.is_trailing() && algo.activated {
            algo.extreme_e8 = working_e8;
            return Ok(algo);
        }
        if Watch::of(&algo, market.tick_e8).is_met(working_e8) {
            return Err(Refusal::WouldTrigger.into());
        }
        Ok(algo)
    }
}

#[derive(Debug, Default)]
struct Trailing {
    activate_ticks: i64,
    callback_ppm: i64,
    activated: bool,
}

/// Source: fact sheet 3 and 5.2, `closePosition`.
fn check_close_all_shape(new: &NewAlgo) -> Result<(), VenueError> {
    if !new.close_position {
        return Ok(());
    }
    if !matches!(new.order_type, OrderType::StopMarket | OrderType::TakeProfitMarket) {
        return Err(Refusal::CloseAllType.into());
    }
    if new.qty.is_some() {
        return Err(Refusal::QtyWithCloseAll.into());
    }
    if new.reduce_only.is_some() {
        return Err(Refusal::ReduceOnlyWithCloseAll.into());
    }
    Ok(())
}
