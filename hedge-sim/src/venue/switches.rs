//! Switches of an account that are neither position mode nor leverage: multi-assets mode, the fee burn.
//!
//! Source: fact sheet 4.7 (`multiAssetsMargin`, `feeBurn`), 11 (-4167 … -4172), 14.1.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::command::AccountId;
use super::error::{Refusal, VenueError};
use super::exchange::Venue;

/// What is switched on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountSwitch {
    /// All margin assets stand for each other. With one margin asset that changes no number, and with several the
    /// exchange does not do it: the switch is refused there.
    MultiAssets,
    /// Fees are paid in BNB with a discount as long as there is BNB. No wallet here holds any.
    FeeBurn,
}

/// The switches of one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Switches {
    pub(super) multi_assets: bool,
    pub(super) fee_burn: bool,
}

impl Switches {
    /// An account that never threw a switch is written as it was before there were any.
    pub(super) fn are_off(&self) -> bool {
        *self == Self::default()
    }
}

impl Venue {
    /// Throws a switch of an account.
    pub(super) fn throw_switch(
        &mut self,
        account: AccountId,
        switch: AccountSwitch,
        on: bool,
    ) -> Result<(), VenueError> {
        let ax = self.account_index(account)?;
        if switch == AccountSwitch::MultiAssets {
            self.check_multi_assets(ax, on)?;
        }
        let account = &mut self.accounts[ax];
        match switch {
            AccountSwitch::MultiAssets => account.switches.multi_assets = on,
            AccountSwitch::FeeBurn => account.switches.fee_burn = on,
        }
        account.update_ms = self.now_ms;
        Ok(())
    }

    fn check_multi_assets(&self, ax: usize, on: bool) -> Result<(), VenueError> {
        let account = &self.accounts[ax];
        if account.switches.multi_assets == on {
            return Err(Refusal::AssetModeUnchanged.into());
        }
        if on && self.assets.len() > 1 {
            return Err(Refusal::NotOpenYet.into());
        }
        if !account.open_orders.is_empty() || !account.open_algos.is_empty() {
            return Err(Refusal::AssetModeOrders.into());
        }
        if on && account.slots.iter().any(|slot| slot.is_isolated()) {
            return Err(Refusal::AssetModeIsolated.into());
        }
        if account.wallets.iter().any(|wallet| wallet.balance < Decimal::ZERO) {
            return Err(Refusal::AssetModeNegative.into());
        }
        let short =
            (0..self.assets.len()).any(|asset| self.asset_sums(ax, asset, None).free() < Decimal::ZERO);
        if short { Err(Refusal::AssetModeMargin.into()) } else { Ok(()) }
    }

    /// Whether the account would pay its fees in BNB.
    ///
    /// # Errors
    /// `-2015` unknown account.
    pub fn fee_burn(&self, account: AccountId) -> Result<bool, VenueError> {
        Ok(self.accounts[self.account_index(account)?].switches.fee_burn)
    }
}
