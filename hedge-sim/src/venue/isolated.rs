//! Adding margin to an isolated leg and taking it out again.
//!
//! Source: fact sheet 4.7 (`positionMargin`), 11 (-4049 to -4055).

use rust_decimal::Decimal;

use super::command::AccountId;
use super::error::{Refusal, VenueError};
use super::event::{AccountUpdate, EventBody, VenueEvent};
use super::exchange::Venue;
use super::margin::leg_value;
use super::view::{MarginChangeView, Window};
use super::vocabulary::{PositionSide, UpdateReason};

impl Venue {
    /// Changes of isolated margins that the account asked for, of a symbol, oldest first.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn margin_changes(
        &self,
        account: AccountId,
        symbol: &str,
        window: Window,
    ) -> Result<Vec<MarginChangeView>, VenueError> {
        let ax = self.account_index(account)?;
        self.symbol_index(symbol)?;
        let rows = self.accounts[ax].margin_changes.iter().filter(|row| row.symbol == symbol);
        Ok(window.cut(rows, |row| (0, row.time_ms)).into_iter().cloned().collect())
    }

    /// Moves free money into an isolated leg (positive) or out of it (negative). The wallet as a whole stays the same.
    /// What is taken out leaves the leg at least its initial margin at mark.
    pub(super) fn adjust_margin(
        &mut self,
        ax: usize,
        symbol: usize,
        position_side: Option<PositionSide>,
        amount: Decimal,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        if amount.is_zero() {
            return Err(Refusal::MarginAmount.into());
        }
        if amount.normalize().scale() > 8 {
            return Err(Refusal::Precision.into());
        }
        let side = position_side.unwrap_or(PositionSide::Both);
        if !self.accounts[ax].sides().contains(&side) {
            return Err(Refusal::PositionSideMismatch.into());
        }
        let slot = &self.accounts[ax].slots[symbol];
        if !slot.is_isolated() {
            return Err(Refusal::MarginNotIsolated.into());
        }
        let leg = slot.leg(side);
        if leg.is_flat() {
            return Err(Refusal::MarginNoPosition.into());
        }
        let market = &self.markets[symbol];
        let asset = market.asset;
        if amount > Decimal::ZERO {
            if amount > self.asset_sums(ax, asset, None).available() {
                return Err(Refusal::CrossBalanceInsufficient.into());
            }
        } else {
            let value = leg_value(market, slot, side, market.mark());
            // Unrealised profit cannot be taken out, a loss has to stay covered.
            let bound = value.initial(slot.leverage) - value.unrealized.min(Decimal::ZERO);
            if -amount > leg.isolated_wallet - bound {
                return Err(Refusal::IsolatedBalanceInsufficient.into());
            }
        }
        let now_ms = self.now_ms;
        let leg = self.accounts[ax].slots[symbol].leg_mut(side);
        leg.isolated_wallet += amount;
        leg.update_ms = now_ms;
        let change = MarginChangeView {
            symbol: self.markets[symbol].rules.symbol.clone(),
            position_side: side,
            amount,
            asset: self.assets[asset].clone(),
            time_ms: now_ms,
        };
        let account = &mut self.accounts[ax];
        account.wallets[asset].update_ms = now_ms;
        account.update_ms = now_ms;
        account.margin_changes.push(change);
        let update = AccountUpdate {
            reason: UpdateReason::MarginTransfer,
            balances: vec![self.balance_change(ax, asset, Decimal::ZERO)],
            positions: vec![self.position_view(ax, symbol, side)],
            symbol: String::new(),
        };
        self.emit(out, Some(self.accounts[ax].id), EventBody::Account(Box::new(update)));
        self.drop_guard(ax);
        self.settle_margins(ax, out);
        Ok(())
    }
}
