//! Every movement of money: one function changes a wallet, and it always writes a ledger row.

use rust_decimal::Decimal;

use super::event::BalanceChange;
use super::exchange::Venue;
use super::view::IncomeView;
use super::vocabulary::IncomeType;

/// Rounds to the eight decimals in which the exchange keeps money.
pub(super) fn booked(value: Decimal) -> Decimal {
    value.round_dp(8)
}

/// A ledger row to be written.
pub(super) struct Booking {
    pub(super) kind: IncomeType,
    pub(super) amount: Decimal,
    pub(super) asset: usize,
    pub(super) symbol: Option<usize>,
    pub(super) info: String,
    pub(super) trade_id: Option<u64>,
}

impl Venue {
    /// Changes a wallet and writes the row. An amount of zero leaves no row.
    pub(super) fn book(&mut self, ax: usize, booking: Booking) -> u64 {
        if booking.amount.is_zero() {
            return 0;
        }
        let tran_id = self.next_tran_id;
        self.next_tran_id += 1;
        let symbol = booking.symbol.map_or_else(String::new, |s| self.markets[s].rules.symbol.clone());
        let row = IncomeView {
            symbol,
            income_type: booking.kind,
            income: booking.amount,
            asset: self.assets[booking.asset].clone(),
            info: booking.info,
            time_ms: self.now_ms,
            tran_id,
            trade_id: booking.trade_id.map_or_else(String::new, |id| id.to_string()),
        };
        let account = &mut self.accounts[ax];
        let wallet = &mut account.wallets[booking.asset];
        wallet.balance += booking.amount;
        wallet.update_ms = self.now_ms;
        account.update_ms = self.now_ms;
        account.income.push(row);
        tran_id
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
