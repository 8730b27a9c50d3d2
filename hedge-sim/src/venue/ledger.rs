//! Every movement of money: one function changes a wallet, and it always writes a ledger row.

use hedge_core::money::sum;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::event::BalanceChange;
use super::exchange::Venue;
use super::view::{IncomeView, TradeView};
use super::vocabulary::{IncomeType, PositionSide, Side};

/// Rounds to the eight decimals in which the exchange keeps money.
#[inline]
pub(super) fn booked(value: Decimal) -> Decimal {
    if value.scale() <= 8 { value } else { value.round_dp(8) }
}

/// A ledger row to be written.
pub(super) struct Booking {
    pub(super) kind: IncomeType,
    pub(super) amount: Decimal,
    pub(super) asset: usize,
    pub(super) symbol: Option<usize>,
    pub(super) info: Info,
}

/// What a row says besides its amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Info {
    /// Nothing.
    None,
    /// It comes from this execution.
    Trade(u64),
    /// It comes from a forced close.
    Liquidation,
}

/// A row of the ledger.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct IncomeRow {
    pub(super) kind: IncomeType,
    pub(super) symbol: Option<u16>,
    pub(super) asset: u16,
    pub(super) income: Decimal,
    pub(super) info: Info,
    pub(super) time_ms: i64,
    pub(super) tran_id: u64,
}

/// An execution of an account.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct TradeRow {
    pub(super) trade_id: u64,
    pub(super) order_id: u64,
    pub(super) symbol: u16,
    pub(super) asset: u16,
    pub(super) side: Side,
    pub(super) position_side: PositionSide,
    pub(super) ticks: i64,
    pub(super) steps: i64,
    pub(super) realized: Decimal,
    pub(super) fee: Decimal,
    pub(super) time_ms: i64,
    pub(super) maker: bool,
}

impl Venue {
    /// Changes a wallet and writes the row. An amount of zero leaves no row.
    pub(super) fn book(&mut self, ax: usize, booking: Booking) -> u64 {
        if booking.amount.is_zero() {
            return 0;
        }
        let tran_id = self.next_tran_id;
        self.next_tran_id += 1;
        let account = &mut self.accounts[ax];
        let wallet = &mut account.wallets[booking.asset];
        wallet.balance = sum(&wallet.balance, &booking.amount);
        wallet.update_ms = self.now_ms;
        account.update_ms = self.now_ms;
        account.income.push(IncomeRow {
            kind: booking.kind,
            symbol: booking.symbol.map(|at| at as u16),
            asset: booking.asset as u16,
            income: booking.amount,
            info: booking.info,
            time_ms: self.now_ms,
            tran_id,
        });
        tran_id
    }

    pub(super) fn income_view(&self, row: &IncomeRow) -> IncomeView {
        let (info, trade_id) = match row.info {
            Info::None => (String::new(), String::new()),
            Info::Trade(id) => (id.to_string(), id.to_string()),
            Info::Liquidation => ("liquidation".to_owned(), String::new()),
        };
        IncomeView {
            symbol: row
                .symbol
                .map_or_else(String::new, |at| self.markets[usize::from(at)].rules.symbol.clone()),
            income_type: row.kind,
            income: row.income,
            asset: self.assets[usize::from(row.asset)].clone(),
            info,
            time_ms: row.time_ms,
            tran_id: row.tran_id,
            trade_id,
        }
    }

    pub(super) fn trade_view(&self, row: &TradeRow) -> TradeView {
        let rules = &self.markets[usize::from(row.symbol)].rules;
        let (price, qty) = (rules.price_of(row.ticks), rules.qty_of(row.steps));
        TradeView {
            trade_id: row.trade_id,
            order_id: row.order_id,
            symbol: rules.symbol.clone(),
            side: row.side,
            position_side: row.position_side,
            price,
            qty,
            quote_qty: price * qty,
            realized_pnl: row.realized,
            commission: row.fee,
            commission_asset: self.assets[usize::from(row.asset)].clone(),
            time_ms: row.time_ms,
            maker: row.maker,
        }
    }

    /// The wallet line of an account event. `change` is what was neither profit nor fee.
    pub(super) fn balance_change(&self, ax: usize, asset: usize, change: Decimal) -> BalanceChange {
        let wallet = self.accounts[ax].wallets[asset].balance;
        let isolated = self.isolated_total(ax, asset);
        BalanceChange { asset: self.assets[asset].clone(), wallet, cross_wallet: wallet - isolated, change }
    }

    fn isolated_total(&self, ax: usize, asset: usize) -> Decimal {
        let account = &self.accounts[ax];
        let held = account.held.iter().filter(|s| self.markets[**s].asset == asset);
        let legs =
            held.flat_map(|s| super::account::LEG_SIDES.map(|side| account.leg(*s, side).isolated_wallet));
        legs.sum()
    }
}
