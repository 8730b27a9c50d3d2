//! The exchange itself: its state and the one door through which it changes.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::algo::Algo;
use super::by_id::ById;
use super::command::{AccountId, Command, FeeRates, Reply, SymbolId};
use super::error::{Refusal, VenueError};
use super::event::{EventBody, VenueEvent};
use super::market::Market;
use super::order::Order;
use super::quote::Quote;
use super::told::Told;

/// How an exchange differs from another one before anything happens on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VenueConfig {
    /// Seed of made-up client ids, first ids and book sizes.
    pub seed: u64,
    /// Fees of a new account.
    pub fees: FeeRates,
    /// Leverage of a new account, capped by the instrument.
    pub leverage: u32,
    /// What a second close-all order of the same type, leg and side meets.
    pub second_close_all: SecondCloseAll,
    /// Whether a dead-man countdown cancels algo orders too.
    pub countdown_cancels_algos: bool,
    /// Notional at the best price of the standing book.
    pub top_of_book_usdt: Decimal,
    /// Share of the margin balance that maintenance must eat before a margin call is sent.
    pub margin_call_ratio: Decimal,
}

/// The exchange's answer to a second close-all order of the same type, leg and side (not confirmed by the vendor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecondCloseAll {
    /// Refused with -4130.
    Refuse4130,
    /// Taken.
    Accept,
}

impl Default for VenueConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            fees: FeeRates { maker: Decimal::new(2, 4), taker: Decimal::new(5, 4) },
            leverage: 20,
            second_close_all: SecondCloseAll::Refuse4130,
            countdown_cancels_algos: false,
            top_of_book_usdt: Decimal::new(50_000, 0),
            margin_call_ratio: Decimal::new(8, 1),
        }
    }
}

/// A simulated exchange. Pure: no clock, no randomness of its own, no I/O.
///
/// It can be written out and read back (`serde`); reading back gives the same exchange.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Venue {
    pub(super) config: VenueConfig,
    pub(super) now_ms: i64,
    pub(super) markets: Vec<Market>,
    pub(super) names: BTreeMap<String, u16>,
    /// Margin assets; the first is USDT.
    pub(super) assets: Vec<String>,
    pub(super) accounts: Vec<Account>,
    pub(super) orders: ById<Order>,
    pub(super) algos: ById<Algo>,
    pub(super) gtd_orders: BTreeSet<(i64, u64)>,
    pub(super) gtd_algos: BTreeSet<(i64, u64)>,
    pub(super) next_order_id: u64,
    pub(super) next_algo_id: u64,
    pub(super) next_tran_id: u64,
    /// No instrument that is listed from now on numbers its trades from below this.
    #[serde(default)]
    pub(super) first_trade_id: u64,
    pub(super) next_seq: u64,
    /// Client ids made up so far.
    pub(super) made_up: u64,
    /// What was told to a driver that [wants few words](Venue::tell_briefly).
    #[serde(skip)]
    pub(super) told: Option<Vec<Told>>,
}

impl Venue {
    /// An exchange without instruments and accounts.
    pub fn new(config: VenueConfig) -> Self {
        let offset = config.seed % 1_000 * 1_000;
        Self {
            config,
            now_ms: 0,
            markets: Vec::new(),
            names: BTreeMap::new(),
            assets: vec!["USDT".to_owned()],
            accounts: Vec::new(),
            orders: ById::default(),
            algos: ById::default(),
            gtd_orders: BTreeSet::new(),
            gtd_algos: BTreeSet::new(),
            next_order_id: 70_000_000_001 + offset,
            // Live algo ids are of this size. Source: fact sheet 5.4.
            next_algo_id: 4_000_000_000_000_001 + offset,
            next_tran_id: 9_000_000_001 + offset,
            first_trade_id: 0,
            next_seq: 1,
            made_up: 0,
            told: None,
        }
    }

    /// Applies one command at `now_ms` (never earlier than any before; an earlier time counts as the latest).
    /// Events are appended to `out` in the order in which they happened.
    ///
    /// # Errors
    /// The exchange's own refusal. Orders whose date was over have expired all the same, nothing else has changed.
    pub fn apply(
        &mut self,
        now_ms: i64,
        command: &Command,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Reply, VenueError> {
        if let Command::Move { symbol, to, mark } = command {
            let mark_e8 = mark.map(Self::mark_e8_of).transpose();
            let mark_e8 = mark_e8.inspect_err(|_| {
                self.advance(now_ms, out);
            })?;
            return self.move_price(now_ms, *symbol, *to, mark_e8, out).map(Reply::Moved);
        }
        self.advance(now_ms, out);
        match command {
            Command::Move { .. } | Command::Tick => Ok(Reply::Done),
            Command::List { rules, price } => self.list(rules, *price).map(Reply::Listed),
            Command::OpenAccount { account, balance_usdt } => {
                self.open_account(*account, *balance_usdt).map(|()| Reply::Done)
            }
            Command::SetStatus { symbol, status } => {
                let symbol = self.listed(*symbol)?;
                self.set_status(symbol, *status, out);
                Ok(Reply::Done)
            }
            Command::Jump { .. }
            | Command::SetMark { .. }
            | Command::Funding { .. }
            | Command::Quote { .. }
            | Command::Stir { .. } => self.apply_market(command, out),
            Command::Contract(change) => self.change_contract(change, out).map(|()| Reply::Done),
            Command::ForceClose(forced) => self.take_leg(forced, out).map(|()| Reply::Done),
            Command::Book(change) => self.give_book(change).map(|()| Reply::Done),
            Command::Switch { account, switch, on } => {
                self.throw_switch(*account, *switch, *on).map(|()| Reply::Done)
            }
            Command::Seed(seed) => self.seed(seed, out).map(|()| Reply::Done),
            Command::Place(_)
            | Command::Modify(_)
            | Command::Cancel { .. }
            | Command::CancelAll { .. }
            | Command::PlaceAlgo(_)
            | Command::CancelAlgo { .. }
            | Command::CancelAllAlgos { .. }
            | Command::CountdownElapsed { .. } => self.apply_order(command, out),
            Command::SetFees { .. }
            | Command::Restrict { .. }
            | Command::PositionMode { .. }
            | Command::MarginType { .. }
            | Command::Leverage { .. }
            | Command::AdjustMargin { .. }
            | Command::Transfer { .. } => self.apply_setting(command, out),
        }
    }

    fn apply_market(&mut self, command: &Command, out: &mut Vec<VenueEvent>) -> Result<Reply, VenueError> {
        match command {
            Command::Jump { symbol, to, mark } => {
                let symbol = self.listed(*symbol)?;
                let tick_e8 = self.markets[symbol].tick_e8;
                let mark_e8 = mark.map(Self::mark_e8_of).transpose()?;
                self.jump(symbol, *to, mark_e8.unwrap_or_else(|| to.wrapping_mul(tick_e8)), out)
                    .map(Reply::Moved)
            }
            Command::Quote { symbol, bid, ask, last, mark } => {
                let symbol = self.listed(*symbol)?;
                let mark_e8 = mark.map(Self::mark_e8_of).transpose()?;
                let quote = Quote { bid: *bid, ask: *ask, last: *last, mark_e8 };
                self.quote(symbol, quote, out).map(Reply::Moved)
            }
            Command::SetMark { symbol, mark } => {
                let symbol = self.listed(*symbol)?;
                let (last, mark_e8) = (self.markets[symbol].last, Self::mark_e8_of(*mark)?);
                self.jump(symbol, last, mark_e8, out).map(Reply::Moved)
            }
            Command::Funding { symbol, rate, mark } => {
                let symbol = self.listed(*symbol)?;
                self.settle_funding(symbol, *rate, *mark, out).map(|legs| Reply::Funded { legs })
            }
            Command::Stir { symbol } => {
                let symbol = self.listed(*symbol)?;
                self.markets[symbol].stir();
                Ok(Reply::Done)
            }
            _ => Ok(Reply::Done),
        }
    }

    fn apply_order(&mut self, command: &Command, out: &mut Vec<VenueEvent>) -> Result<Reply, VenueError> {
        match command {
            Command::Place(order) => self.place(order, out).and_then(|id| self.reply_order(id)),
            Command::Modify(change) => self.modify(change, out).and_then(|id| self.reply_order(id)),
            Command::Cancel { account, symbol, order } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                self.cancel(ax, symbol, order, out).and_then(|id| self.reply_order(id))
            }
            Command::CancelAll { account, symbol } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                Ok(Reply::Canceled(self.cancel_all(ax, symbol, out)))
            }
            Command::PlaceAlgo(algo) => self.place_algo(algo, out).and_then(|id| self.reply_algo(id)),
            Command::CancelAlgo { account, algo } => {
                let ax = self.account_index(*account)?;
                self.cancel_algo(ax, algo, out).and_then(|id| self.reply_algo(id))
            }
            Command::CancelAllAlgos { account, symbol } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                Ok(Reply::Canceled(self.cancel_all_algos(ax, symbol, out)))
            }
            Command::CountdownElapsed { account, symbol } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                let mut count = self.cancel_all(ax, symbol, out);
                if self.config.countdown_cancels_algos {
                    count += self.cancel_all_algos(ax, symbol, out);
                }
                Ok(Reply::Canceled(count))
            }
            _ => Ok(Reply::Done),
        }
    }

    fn apply_setting(&mut self, command: &Command, out: &mut Vec<VenueEvent>) -> Result<Reply, VenueError> {
        match command {
            Command::SetFees { account, symbol, fees } => {
                let ax = self.account_index(*account)?;
                self.set_fees(ax, *symbol, *fees).map(|()| Reply::Done)
            }
            Command::Restrict { account, restriction } => {
                let ax = self.account_index(*account)?;
                self.accounts[ax].restriction = *restriction;
                Ok(Reply::Done)
            }
            Command::PositionMode { account, hedge } => {
                let ax = self.account_index(*account)?;
                self.set_position_mode(ax, *hedge).map(|()| Reply::Done)
            }
            Command::MarginType { account, symbol, margin_type } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                self.set_margin_type(ax, symbol, *margin_type, out).map(|()| Reply::Done)
            }
            Command::Leverage { account, symbol, leverage } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                let max_notional = self.set_leverage(ax, symbol, *leverage, out)?;
                Ok(Reply::Leverage { leverage: *leverage, max_notional })
            }
            Command::AdjustMargin { account, symbol, position_side, amount } => {
                let (ax, symbol) = (self.account_index(*account)?, self.symbol_index(symbol)?);
                self.adjust_margin(ax, symbol, *position_side, *amount, out).map(|()| Reply::Done)
            }
            Command::Transfer { account, asset, amount } => {
                let ax = self.account_index(*account)?;
                self.transfer(ax, asset, *amount, out).map(|tran_id| Reply::Transferred { tran_id })
            }
            _ => Ok(Reply::Done),
        }
    }

    pub(super) fn listed(&self, symbol: SymbolId) -> Result<usize, VenueError> {
        let index = usize::from(symbol.0);
        if index < self.markets.len() { Ok(index) } else { Err(Refusal::BadSymbol.into()) }
    }

    fn reply_order(&self, id: u64) -> Result<Reply, VenueError> {
        let order = self.orders.get(&id).ok_or(VenueError::of(Refusal::NoSuchOrder))?;
        Ok(Reply::Order(Box::new(self.order_view(order))))
    }

    fn reply_algo(&self, id: u64) -> Result<Reply, VenueError> {
        let algo = self.algos.get(&id).ok_or(VenueError::of(Refusal::NoSuchOrder))?;
        Ok(Reply::Algo(Box::new(self.algo_view(algo))))
    }

    /// Lets time pass; true when that ended orders.
    #[inline]
    pub(super) fn advance(&mut self, now_ms: i64, out: &mut Vec<VenueEvent>) -> bool {
        self.now_ms = self.now_ms.max(now_ms);
        let dated = !self.gtd_orders.is_empty() || !self.gtd_algos.is_empty();
        dated && self.expire_dated(out)
    }

    pub(super) fn emit(&mut self, out: &mut Vec<VenueEvent>, account: Option<AccountId>, body: EventBody) {
        let seq = self.next_seq;
        self.next_seq += 1;
        let event = VenueEvent { seq, account, at_ms: self.now_ms, body };
        match &mut self.told {
            None => out.push(event),
            Some(told) => told.push(Told::Event(Box::new(event))),
        }
    }
}
