//! Starting where another account stands: wallets, legs and orders that came about elsewhere.
//!
//! A seed states a beginning, it is not a trade: it costs nothing, realises nothing and leaves no ledger row. The rule
//! of the ledger stays: wallet = start + sum of rows, where the seeded wallet is the start. What a seeded leg gains or
//! loses is counted from the cost that is stated with it.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::algo::Algo;
use super::command::{AccountId, NewAlgo, NewOrder};
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;
use super::fill::Execution;
use super::ledger::booked;
use super::market::Resting;
use super::order::{FilledAt, Order, closes};
use super::vocabulary::{
    AlgoStatus, MarginType, OrderStatus, OrderType, PositionSide, Stp, Tif, WorkingType,
};

/// One statement about where an account stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Seed {
    /// Ids of orders, executions and ledger rows go on from here; they never go back.
    Ids {
        /// The first id that may be given.
        from: u64,
    },
    /// What a wallet holds.
    Wallet {
        /// Account.
        account: AccountId,
        /// Asset; a new one is added.
        asset: String,
        /// Balance, of any sign, at most eight decimals.
        balance: Decimal,
    },
    /// How a symbol is set. Legs that are open take their isolated margin from it, at their cost.
    Margin {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
        /// Margin type.
        margin_type: MarginType,
        /// Leverage.
        leverage: u32,
    },
    /// An open leg. It must be flat before.
    Leg {
        /// Account.
        account: AccountId,
        /// Symbol.
        symbol: String,
        /// Which leg.
        position_side: PositionSide,
        /// How much is held, unsigned; in one-way mode negative for short.
        qty: Decimal,
        /// What it cost: the sum of price times quantity.
        cost: Decimal,
    },
    /// A plain order that was accepted elsewhere, under its id.
    Order {
        /// Its id.
        id: u64,
        /// As it was sent.
        order: NewOrder,
        /// How much of it is filled.
        filled: Decimal,
        /// An execution that was promised and not yet told; it happens now, as taker.
        due: Option<Due>,
        /// Whether what is left of it rests; if not, it has expired.
        rests: bool,
    },
    /// An algo order that was accepted elsewhere, under its id.
    Algo {
        /// Its id.
        id: u64,
        /// As it was sent.
        algo: NewAlgo,
        /// The plain order that it became, if it has fired. What is left of that has expired.
        child: Option<Child>,
    },
}

/// An execution that is still to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// How much.
    pub qty: Decimal,
    /// At what price, put on the tick grid.
    pub price: Decimal,
}

/// The plain order that a fired algo order became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its id; a new one when absent.
    pub id: Option<u64>,
    /// Its quantity.
    pub qty: Decimal,
    /// How much of it is filled.
    pub filled: Decimal,
    /// An execution that is still to happen.
    pub due: Option<Due>,
}

impl Venue {
    /// Takes a statement over.
    pub(super) fn seed(&mut self, seed: &Seed, out: &mut Vec<VenueEvent>) -> Result<(), VenueError> {
        match seed {
            Seed::Ids { from } => {
                self.seed_ids(*from);
                Ok(())
            }
            Seed::Wallet { account, asset, balance } => {
                let ax = self.account_index(*account)?;
                self.seed_wallet(ax, asset, *balance)
            }
            Seed::Margin { account, symbol, margin_type, leverage } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                self.seed_margin(ax, symbol, *margin_type, *leverage)
            }
            Seed::Leg { account, symbol, position_side, qty, cost } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                self.seed_leg(ax, symbol, *position_side, *qty, *cost)
            }
            Seed::Order { id, order, filled, due, rests } => {
                let (ax, symbol) = (self.account_index(order.account)?, self.symbol_index(&order.symbol)?);
                let filled = self.steps_of(symbol, *filled)?;
                self.seed_order(ax, symbol, *id, order, filled, None)?;
                self.seed_due(symbol, *id, *due, out)?;
                self.seed_rest(symbol, *id, *rests);
                Ok(())
            }
            Seed::Algo { id, algo, child } => self.seed_algo(*id, algo, child.as_ref(), out),
        }
    }

    fn seed_ids(&mut self, from: u64) {
        self.next_order_id = self.next_order_id.max(from);
        self.next_tran_id = self.next_tran_id.max(from);
        // Algo orders have an id space of their own, far from the plain one.
        self.next_algo_id = self.next_algo_id.max(ALGO_IDS_FROM.saturating_add(from));
        self.first_trade_id = self.first_trade_id.max(from);
        for market in &mut self.markets {
            market.next_trade_id = market.next_trade_id.max(from);
        }
    }

    fn seed_wallet(&mut self, ax: usize, asset: &str, balance: Decimal) -> Result<(), VenueError> {
        if !super::settings::is_money(balance) || asset.is_empty() {
            return Err(unusable(format!("a wallet of {balance} {asset:?}")));
        }
        let asset = self.asset_index(asset);
        let wallet = &mut self.accounts[ax].wallets[asset];
        wallet.balance = balance;
        wallet.update_ms = self.now_ms;
        self.drop_guard(ax);
        Ok(())
    }

    fn seed_margin(
        &mut self,
        ax: usize,
        symbol: usize,
        margin_type: MarginType,
        leverage: u32,
    ) -> Result<(), VenueError> {
        let rules = &self.markets[symbol].rules;
        if leverage == 0 || leverage > rules.max_leverage() {
            return Err(unusable(format!("a leverage of {leverage} on {}", rules.symbol)));
        }
        let slot = &mut self.accounts[ax].slots[symbol];
        (slot.margin_type, slot.leverage) = (margin_type, leverage);
        for side in super::account::LEG_SIDES {
            let isolated = slot.is_isolated();
            let leg = slot.leg_mut(side);
            leg.isolated_wallet =
                if isolated { booked(leg.cost / Decimal::from(leverage)) } else { Decimal::ZERO };
        }
        self.drop_guard(ax);
        Ok(())
    }

    fn seed_leg(
        &mut self,
        ax: usize,
        symbol: usize,
        side: PositionSide,
        qty: Decimal,
        cost: Decimal,
    ) -> Result<(), VenueError> {
        let name = self.markets[symbol].rules.symbol.clone();
        let what = format!("a {side} leg of {qty} {name} that cost {cost}");
        let steps = self.markets[symbol].rules.steps_exact(qty).filter(|steps| *steps != 0);
        let account = &self.accounts[ax];
        let fits = account.sides().contains(&side)
            && account.leg(symbol, side).is_flat()
            && cost > Decimal::ZERO
            && cost < MOST_COST
            && (side == PositionSide::Both || qty > Decimal::ZERO);
        let steps = steps.filter(|_| fits).ok_or_else(|| unusable(what))?;
        let now_ms = self.now_ms;
        let slot = &mut self.accounts[ax].slots[symbol];
        let (isolated, leverage) = (slot.is_isolated(), Decimal::from(slot.leverage));
        let leg = slot.leg_mut(side);
        leg.steps = if side == PositionSide::Short { -steps } else { steps };
        leg.cost = cost;
        leg.isolated_wallet = if isolated { booked(cost / leverage) } else { Decimal::ZERO };
        leg.update_ms = now_ms;
        self.accounts[ax].note_held(symbol);
        self.drop_guard(ax);
        Ok(())
    }

    fn steps_of(&self, symbol: usize, qty: Decimal) -> Result<i64, VenueError> {
        let rules = &self.markets[symbol].rules;
        let steps = rules.steps_exact(qty).filter(|steps| *steps >= 0);
        steps.ok_or_else(|| unusable(format!("{qty} {}: not a whole number of steps", rules.symbol)))
    }

    fn seed_order(
        &mut self,
        ax: usize,
        symbol: usize,
        id: u64,
        new: &NewOrder,
        filled: i64,
        parent: Option<u64>,
    ) -> Result<(), VenueError> {
        let rules = &self.markets[symbol].rules;
        let what = || unusable(format!("order {id} on {}", rules.symbol));
        let steps = new.qty.and_then(|qty| rules.steps_exact(qty)).filter(|steps| *steps >= filled);
        let steps = steps.ok_or_else(what)?;
        let is_limit = new.order_type == OrderType::Limit;
        let ticks = match new.price.filter(|_| is_limit) {
            Some(price) => rules.ticks_exact(price).filter(|ticks| *ticks > 0).ok_or_else(what)?,
            None if is_limit => return Err(what()),
            None => 0,
        };
        let position_side = new.position_side.unwrap_or(PositionSide::Both);
        if self.orders.contains_key(&id) || !self.accounts[ax].sides().contains(&position_side) {
            return Err(what());
        }
        let tif = new.tif.unwrap_or(Tif::Gtc);
        // What it was filled at is not known any more; its limit is the nearest guess.
        let quote = rules.price_of(ticks) * rules.qty_of(filled);
        let order = Order {
            id,
            account: new.account,
            symbol,
            client_id: new.client_order_id.as_deref().unwrap_or_default().into(),
            status: if filled > 0 { OrderStatus::PartiallyFilled } else { OrderStatus::New },
            side: new.side,
            position_side,
            order_type: new.order_type,
            tif,
            ticks,
            steps,
            filled,
            quote,
            filled_at: if filled > 0 { FilledAt::Several } else { FilledAt::Nothing },
            reduces: closes(new.side, position_side) || new.reduce_only == Some(true),
            price_match: None,
            stp: new.stp.unwrap_or(Stp::ExpireMaker),
            good_till_ms: if tif == Tif::Gtd { new.good_till_ms.unwrap_or(0) } else { 0 },
            time_ms: self.now_ms,
            update_ms: self.now_ms,
            amendments: 0,
            parent,
        };
        self.next_order_id = self.next_order_id.max(id.saturating_add(1));
        self.register(order);
        let open = &mut self.accounts[ax];
        open.open_orders.sort_unstable();
        open.orders.sort_unstable();
        Ok(())
    }

    /// Lets a promised execution happen.
    fn seed_due(
        &mut self,
        symbol: usize,
        id: u64,
        due: Option<Due>,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        let Some(due) = due else { return Ok(()) };
        let steps = self.steps_of(symbol, due.qty)?;
        let ticks = self.markets[symbol].rules.ticks_nearest(due.price).filter(|ticks| *ticks > 0);
        let ticks = ticks.ok_or_else(|| unusable(format!("an execution at {}", due.price)))?;
        let left = self.orders.get(&id).map_or(0, Order::remaining);
        if steps == 0 || steps > left {
            return Err(unusable(format!("an execution of {} on order {id}", due.qty)));
        }
        let trade_id = self.markets[symbol].take_trade_id();
        let execution = Execution { ticks, steps, trade_id, maker: false, forced: false };
        self.book_execution(id, execution, out);
        Ok(())
    }

    /// What is left of a seeded order rests or has expired; nobody is told, for it happened elsewhere.
    fn seed_rest(&mut self, symbol: usize, id: u64, rests: bool) {
        let Some(order) = self.orders.get_mut(&id).filter(|order| order.status.is_open()) else { return };
        let (side, ticks) = (order.side, order.ticks);
        if rests && order.order_type == OrderType::Limit && order.remaining() > 0 {
            return self.markets[symbol].rest(side, Resting { ticks, order_id: id });
        }
        order.status = if order.remaining() == 0 { OrderStatus::Filled } else { OrderStatus::Expired };
        self.forget_open(id);
    }

    fn seed_algo(
        &mut self,
        id: u64,
        new: &NewAlgo,
        child: Option<&Child>,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        let (ax, symbol) = (self.account_index(new.account)?, self.symbol_index(&new.symbol)?);
        let algo = self.seeded_algo(id, symbol, new)?;
        if self.algos.contains_key(&id) || !self.accounts[ax].sides().contains(&algo.position_side) {
            return Err(unusable(format!("algo order {id} on {}", new.symbol)));
        }
        self.next_algo_id = self.next_algo_id.max(id.saturating_add(1));
        if algo.good_till_ms > 0 {
            self.gtd_algos.insert((algo.good_till_ms, id));
        }
        let account = &mut self.accounts[ax];
        account.by_client_algo.insert(algo.client_id.clone(), id);
        account.open_algos.push(id);
        account.open_algos.sort_unstable();
        account.algos.push(id);
        account.algos.sort_unstable();
        self.algos.insert(algo);
        let market = &mut self.markets[symbol];
        market.algos.push(id);
        market.algos.sort_unstable();
        market.band = super::band::Band::UNKNOWN;
        match child {
            Some(child) => self.seed_child(ax, symbol, id, child, out),
            None => Ok(()),
        }
    }

    fn seeded_algo(&self, id: u64, symbol: usize, new: &NewAlgo) -> Result<Algo, VenueError> {
        let market = &self.markets[symbol];
        let rules = &market.rules;
        let what = || unusable(format!("algo order {id} on {}", rules.symbol));
        let ticks = |price: Option<Decimal>| match price {
            Some(price) => rules.ticks_exact(price).filter(|ticks| *ticks > 0).ok_or_else(what),
            None => Ok(0),
        };
        let is_trailing = new.order_type == OrderType::TrailingStopMarket;
        let trigger_ticks = ticks(new.trigger_price)?;
        if !new.order_type.is_conditional() || is_trailing == (trigger_ticks > 0) {
            return Err(what());
        }
        let steps = match new.qty {
            Some(qty) => self.steps_of(symbol, qty)?,
            None if new.close_position => 0,
            None => return Err(what()),
        };
        let working_type = new.working_type.unwrap_or(WorkingType::Contract);
        let callback_ppm = new.callback_rate.and_then(|rate| (rate * Decimal::from(10_000)).to_i64());
        let activate_ticks = ticks(new.activate_price)?;
        let tif = new.tif.unwrap_or(Tif::Gtc);
        Ok(Algo {
            id,
            account: new.account,
            symbol,
            client_id: new.client_algo_id.clone().unwrap_or_default(),
            order_type: new.order_type,
            status: AlgoStatus::New,
            side: new.side,
            position_side: new.position_side.unwrap_or(PositionSide::Both),
            tif,
            steps,
            trigger_ticks,
            limit_ticks: ticks(new.price)?,
            working_type,
            price_protect: new.price_protect,
            close_position: new.close_position,
            reduce_only: new.reduce_only == Some(true),
            price_match: new.price_match,
            stp: new.stp.unwrap_or(Stp::ExpireMaker),
            activate_ticks: if is_trailing && activate_ticks == 0 { market.last } else { activate_ticks },
            callback_rate: new.callback_rate.filter(|_| is_trailing),
            callback_ppm: callback_ppm.filter(|_| is_trailing).unwrap_or(0),
            // The best price since the activation is not known elsewhere: it is looked for anew.
            activated: is_trailing && activate_ticks == 0,
            extreme_e8: if is_trailing { market.working_e8(working_type) } else { 0 },
            child: None,
            create_ms: self.now_ms,
            update_ms: self.now_ms,
            trigger_ms: 0,
            good_till_ms: if tif == Tif::Gtd { new.good_till_ms.unwrap_or(0) } else { 0 },
            reject_reason: String::new(),
        })
    }

    /// The algo order has fired already: it is no longer waiting, and ends with its child.
    fn seed_child(
        &mut self,
        ax: usize,
        symbol: usize,
        algo_id: u64,
        child: &Child,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        self.forget_waiting(algo_id);
        let child_id = child.id.unwrap_or_else(|| self.take_order_id());
        let now_ms = self.now_ms;
        let Some(algo) = self.algos.get_mut(&algo_id) else { return Ok(()) };
        (algo.status, algo.child) = (AlgoStatus::Triggered, Some(child_id));
        (algo.trigger_ms, algo.update_ms) = (now_ms, now_ms);
        let order = NewOrder {
            client_order_id: Some(algo.client_id.clone()),
            position_side: Some(algo.position_side),
            ..NewOrder::market(algo.account, "", algo.side, child.qty)
        };
        let filled = self.steps_of(symbol, child.filled)?;
        self.seed_order(ax, symbol, child_id, &order, filled, Some(algo_id))?;
        self.seed_due(symbol, child_id, child.due, out)?;
        self.seed_rest(symbol, child_id, false);
        if let Some(algo) = self.algos.get_mut(&algo_id) {
            algo.status = AlgoStatus::Finished;
        }
        Ok(())
    }
}

/// Live algo ids are of this size. Source: fact sheet 5.4.
const ALGO_IDS_FROM: u64 = 4_000_000_000_000_000;
/// No leg costs more; beyond it products might overflow.
const MOST_COST: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

fn unusable(what: String) -> VenueError {
    VenueError::refuse(Refusal::InvalidValue.code(), format!("{what} cannot be taken over"))
}
