//! Legs that the exchange takes away on command: a liquidation that nothing led up to, and auto-deleveraging.
//!
//! Nobody here holds the other side of an account's position, so a deleveraging never happens by itself.
//! Source: fact sheet 7.1 (reserved client ids), 14.5 ("Process").

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::command::AccountId;
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;
use super::vocabulary::{ExpiryReason, OrderStatus, PositionSide};

/// A leg to be taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForceClose {
    /// Account.
    pub account: AccountId,
    /// Symbol.
    pub symbol: String,
    /// Leg; `BOTH` in one-way mode.
    pub position_side: PositionSide,
    /// Why.
    pub by: ForcedBy,
}

/// Why the exchange takes a leg away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ForcedBy {
    /// The account's (crossed) or the symbol's (isolated) plain orders expire, the leg's algo orders too, and the whole
    /// leg is closed at mark for the clearance fee, whatever its margin.
    Liquidation,
    /// The leg, or so much of it, is closed at mark without a fee. Orders stay as far as the leg still covers them.
    Adl {
        /// How much; `None`: all of it.
        qty: Option<Decimal>,
    },
}

impl Venue {
    /// Takes a leg away.
    pub(super) fn take_leg(
        &mut self,
        forced: &ForceClose,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        let ax = self.account_index(forced.account)?;
        let symbol = self.symbol_index(&forced.symbol)?;
        let side = forced.position_side;
        if !self.accounts[ax].sides().contains(&side) {
            return Err(Refusal::PositionSideMismatch.into());
        }
        let held = self.accounts[ax].leg(symbol, side).steps.abs();
        if held == 0 {
            return Err(Refusal::MarginNoPosition.into());
        }
        match forced.by {
            ForcedBy::Liquidation if self.accounts[ax].slots[symbol].is_isolated() => {
                self.liquidate_isolated(ax, symbol, side, out);
            }
            ForcedBy::Liquidation => self.liquidate_one(ax, symbol, side, out),
            ForcedBy::Adl { qty } => {
                let steps = match qty {
                    None => held,
                    Some(qty) => self.markets[symbol]
                        .rules
                        .steps_exact(qty)
                        .filter(|steps| (1..=held).contains(steps))
                        .ok_or(VenueError::of(Refusal::InvalidValue))?,
                };
                self.force_close_part(ax, symbol, side, (None, steps), out);
                self.drop_guard(ax);
            }
        }
        self.settle_margins(ax, out);
        Ok(())
    }

    /// One crossed leg, as the sweep of a broken pool would take it.
    fn liquidate_one(&mut self, ax: usize, symbol: usize, side: PositionSide, out: &mut Vec<VenueEvent>) {
        let asset = self.markets[symbol].asset;
        for id in self.open_orders_on(ax, None) {
            if self.orders.get(&id).is_some_and(|o| self.markets[o.symbol].asset == asset) {
                self.end_order(id, OrderStatus::Expired, ExpiryReason::Liquidation, out);
            }
        }
        self.expire_algos_of(ax, symbol, side, "liquidation", out);
        self.close_and_clear(ax, symbol, side, out);
        self.drop_guard(ax);
    }
}
