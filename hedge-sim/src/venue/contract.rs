//! What the exchange changes about a listed contract: its dates and its leverage brackets.
//!
//! Source: fact sheet 4.2 (a delisting overwrites `deliveryDate`), 8.2 (`contractInfo`), 14.5.

use serde::{Deserialize, Serialize};

use super::command::SymbolId;
use super::error::{Refusal, VenueError};
use super::event::{EventBody, VenueEvent};
use super::exchange::Venue;
use super::rules::Bracket;

/// A change of a contract; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractChange {
    /// Instrument.
    pub symbol: SymbolId,
    /// When it is listed. Units: milliseconds since 1970.
    pub onboard_ms: Option<i64>,
    /// When it is delivered or delisted. Nothing happens by itself then: the caller changes the status.
    /// Units: milliseconds since 1970.
    pub delivery_ms: Option<i64>,
    /// New leverage brackets, by rising notional. Leverage above the new highest comes down to it.
    pub brackets: Option<Vec<Bracket>>,
}

impl Venue {
    /// Changes a contract's dates and brackets.
    pub(super) fn change_contract(
        &mut self,
        change: &ContractChange,
        out: &mut Vec<VenueEvent>,
    ) -> Result<(), VenueError> {
        let symbol = self.listed(change.symbol)?;
        if change.onboard_ms.is_some_and(|ms| ms < 0) || change.delivery_ms.is_some_and(|ms| ms < 0) {
            return Err(Refusal::InvalidValue.into());
        }
        let mut rules = self.markets[symbol].rules.clone();
        rules.onboard_ms = change.onboard_ms.unwrap_or(rules.onboard_ms);
        rules.delivery_ms = change.delivery_ms.unwrap_or(rules.delivery_ms);
        if let Some(brackets) = &change.brackets {
            rules.brackets.clone_from(brackets);
            rules.validate().map_err(|e| VenueError::refuse(Refusal::InvalidValue.code(), e.to_string()))?;
        }
        let (name, highest) = (rules.symbol.clone(), rules.max_leverage().max(1));
        self.markets[symbol].rules = rules;
        self.markets[symbol].maintenance = None;
        if change.brackets.is_none() {
            return Ok(());
        }
        for ax in 0..self.accounts.len() {
            if self.accounts[ax].slots[symbol].leverage > highest {
                self.accounts[ax].slots[symbol].leverage = highest;
                let body = EventBody::Leverage { symbol: name.clone(), leverage: highest };
                self.emit(out, Some(self.accounts[ax].id), body);
            }
            self.drop_guard(ax);
            self.settle_margins(ax, out);
        }
        Ok(())
    }
}
