//! Reads of orders, executions and the ledger. None of them changes anything.

use super::algo::Algo;
use super::check::Origin;
use super::command::{AccountId, AlgoRef, NewOrder, OrderRef};
use super::error::{Refusal, VenueError};
use super::exchange::Venue;
use super::order::Order;
use super::view::{AlgoView, IncomeView, OrderView, TradeView, Window};
use super::vocabulary::{AlgoStatus, IncomeType, OrderStatus};

const DAY_MS: i64 = 86_400_000;
/// An order that ended without a fill can be looked up this long after its creation. Source: fact sheet 4.4.
const UNFILLED_RETENTION_MS: i64 = 3 * DAY_MS;
/// Every order can be looked up this long after its creation. Source: fact sheet 4.4.
const RETENTION_MS: i64 = 90 * DAY_MS;

impl Venue {
    /// All checks of a placement, nothing placed (`POST order/test`).
    ///
    /// # Errors
    /// What placing would answer.
    pub fn test_order(&self, order: &NewOrder) -> Result<(), VenueError> {
        self.check_order(order, Origin::Client).map(|_| ())
    }

    /// A plain order, open or finished.
    ///
    /// # Errors
    /// `-1121` unknown symbol, `-2013` no such order (any more).
    pub fn order(&self, account: AccountId, symbol: &str, order: &OrderRef) -> Result<OrderView, VenueError> {
        let (ax, symbol) = (self.account_index(account)?, self.symbol_index(symbol)?);
        let found = self.find_order(ax, symbol, order).filter(|o| self.is_kept(o));
        found.map(|o| self.order_view(o)).ok_or_else(|| Refusal::NoSuchOrder.into())
    }

    /// A plain order that is still open.
    ///
    /// # Errors
    /// `-1121` unknown symbol, `-2013` no such open order.
    pub fn open_order(
        &self,
        account: AccountId,
        symbol: &str,
        order: &OrderRef,
    ) -> Result<OrderView, VenueError> {
        let found = self.order(account, symbol, order)?;
        if found.status.is_open() { Ok(found) } else { Err(Refusal::NoSuchOrder.into()) }
    }

    /// Open plain orders, by id.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn open_orders(
        &self,
        account: AccountId,
        symbol: Option<&str>,
    ) -> Result<Vec<OrderView>, VenueError> {
        let (ax, symbol) = self.scope(account, symbol)?;
        let open = self.open_orders_on(ax, symbol);
        Ok(open.iter().filter_map(|id| self.orders.get(id)).map(|o| self.order_view(o)).collect())
    }

    /// Plain orders, open or finished, by id.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn all_orders(
        &self,
        account: AccountId,
        symbol: Option<&str>,
        window: Window,
    ) -> Result<Vec<OrderView>, VenueError> {
        let (ax, symbol) = self.scope(account, symbol)?;
        let all = self.accounts[ax].orders.iter().filter_map(|id| self.orders.get(id));
        let kept = all.filter(|o| symbol.is_none_or(|s| o.symbol == s) && self.is_kept(o));
        let rows = window.cut(kept, |o| (o.id, o.time_ms));
        Ok(rows.into_iter().map(|o| self.order_view(o)).collect())
    }

    /// Executions of an account on a symbol, by trade id.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn user_trades(
        &self,
        account: AccountId,
        symbol: &str,
        order_id: Option<u64>,
        window: Window,
    ) -> Result<Vec<TradeView>, VenueError> {
        let ax = self.account_index(account)?;
        let symbol = self.symbol_index(symbol)?;
        let trades = self.accounts[ax].trades.iter();
        let wanted =
            trades.filter(|t| usize::from(t.symbol) == symbol && order_id.is_none_or(|id| t.order_id == id));
        let rows = window.cut(wanted, |t| (t.trade_id, t.time_ms));
        Ok(rows.into_iter().map(|row| self.trade_view(row)).collect())
    }

    /// An algo order, waiting or not.
    ///
    /// # Errors
    /// `-2013` no such order (any more).
    pub fn algo(&self, account: AccountId, algo: &AlgoRef) -> Result<AlgoView, VenueError> {
        let ax = self.account_index(account)?;
        let found = self.find_algo(ax, algo).filter(|a| self.is_algo_kept(a));
        found.map(|a| self.algo_view(a)).ok_or_else(|| Refusal::NoSuchOrder.into())
    }

    /// Waiting algo orders, by id.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn open_algos(&self, account: AccountId, symbol: Option<&str>) -> Result<Vec<AlgoView>, VenueError> {
        let (ax, symbol) = self.scope(account, symbol)?;
        let open = self.open_algos_on(ax, symbol);
        Ok(open.iter().filter_map(|id| self.algos.get(id)).map(|a| self.algo_view(a)).collect())
    }

    /// Algo orders of a symbol, by id.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn all_algos(
        &self,
        account: AccountId,
        symbol: &str,
        window: Window,
    ) -> Result<Vec<AlgoView>, VenueError> {
        let (ax, symbol) = (self.account_index(account)?, self.symbol_index(symbol)?);
        let all = self.accounts[ax].algos.iter().filter_map(|id| self.algos.get(id));
        let kept = all.filter(|a| a.symbol == symbol && self.is_algo_kept(a));
        Ok(window.cut(kept, |a| (a.id, a.create_ms)).into_iter().map(|a| self.algo_view(a)).collect())
    }

    /// Ledger rows, oldest first. `window.from_id` means the transaction id.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn income(
        &self,
        account: AccountId,
        symbol: Option<&str>,
        kind: Option<IncomeType>,
        window: Window,
    ) -> Result<Vec<IncomeView>, VenueError> {
        let (ax, symbol) = self.scope(account, symbol)?;
        let rows = self.accounts[ax].income.iter();
        let wanted = rows.filter(|r| {
            symbol.is_none_or(|s| r.symbol.map(usize::from) == Some(s)) && kind.is_none_or(|k| r.kind == k)
        });
        let rows = window.cut(wanted, |r| (r.tran_id, r.time_ms));
        Ok(rows.into_iter().map(|row| self.income_view(row)).collect())
    }

    pub(super) fn scope(
        &self,
        account: AccountId,
        symbol: Option<&str>,
    ) -> Result<(usize, Option<usize>), VenueError> {
        Ok((self.account_index(account)?, symbol.map(|s| self.symbol_index(s)).transpose()?))
    }

    fn is_kept(&self, order: &Order) -> bool {
        let age_ms = self.now_ms - order.time_ms;
        let vanished_early =
            matches!(order.status, OrderStatus::Canceled | OrderStatus::Expired) && order.filled == 0;
        order.status.is_open() || age_ms <= if vanished_early { UNFILLED_RETENTION_MS } else { RETENTION_MS }
    }

    fn is_algo_kept(&self, algo: &Algo) -> bool {
        let age_ms = self.now_ms - algo.create_ms;
        let vanished_early = matches!(algo.status, AlgoStatus::Canceled | AlgoStatus::Expired);
        algo.status.is_waiting()
            || age_ms <= if vanished_early { UNFILLED_RETENTION_MS } else { RETENTION_MS }
    }
}

impl Window {
    /// The rows of the window: ids and times inside, and of too many the oldest when a beginning is given, else the
    /// newest.
    pub(super) fn cut<T>(&self, rows: impl Iterator<Item = T>, key: impl Fn(&T) -> (u64, i64)) -> Vec<T> {
        let inside = |row: &T| {
            let (id, time_ms) = key(row);
            self.from_id.is_none_or(|from| id >= from)
                && self.start_ms.is_none_or(|start| time_ms >= start)
                && self.end_ms.is_none_or(|end| time_ms <= end)
        };
        let mut kept: Vec<T> = rows.filter(inside).collect();
        if self.limit > 0 && kept.len() > self.limit {
            let oldest_first = self.from_id.is_some() || self.start_ms.is_some();
            if oldest_first {
                kept.truncate(self.limit);
            } else {
                kept.drain(..kept.len() - self.limit);
            }
        }
        kept
    }
}
