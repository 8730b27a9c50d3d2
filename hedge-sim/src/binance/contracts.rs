//! Listings and delistings: what `/sim/contract` changes, and what happens when its dates come.
//!
//! Source: fact sheet 4.2 (a delisting overwrites `deliveryDate`), 7.1, 8.2 (`!contractInfo`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::ApiError;
use super::log::LogError;
use super::state::Core;
use crate::venue::{Bracket, Command, ContractChange, SymbolId, SymbolStatus};

/// Nothing is delivered from here on: what a perpetual says that is not delisted. Source: fact sheet 4.2.
pub(crate) const NEVER_MS: i64 = 4_133_404_800_000;

/// What has been announced and not happened yet: a contract's next status and when it gets it.
#[derive(Debug, Default)]
pub(crate) struct Announced(BTreeMap<(SymbolId, Turn), i64>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Opens,
    Settles,
}

impl Announced {
    /// Notes what a command announces.
    pub(crate) fn note(&mut self, command: &Command) {
        let Command::Contract(change) = command else { return };
        for (turn, at_ms) in [(Turn::Opens, change.onboard_ms), (Turn::Settles, change.delivery_ms)] {
            match at_ms {
                Some(NEVER_MS..) => {
                    self.0.remove(&(change.symbol, turn));
                }
                Some(at_ms) => {
                    self.0.insert((change.symbol, turn), at_ms);
                }
                None => {}
            }
        }
    }

    fn first(&self, until_ms: i64) -> Option<((SymbolId, Turn), i64)> {
        let first = self.0.iter().min_by_key(|(_, at_ms)| **at_ms)?;
        (*first.1 <= until_ms).then_some((*first.0, *first.1))
    }
}

/// A change of one contract as `/sim/contract` takes it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    symbol: String,
    status: Option<String>,
    onboard_ms: Option<i64>,
    onboard_in_ms: Option<i64>,
    delivery_ms: Option<i64>,
    delivery_in_ms: Option<i64>,
    brackets: Option<Value>,
}

impl Core {
    /// Changes a contract and tells of it. An error is one line, with nothing changed.
    pub(crate) fn change_contract(&mut self, change: &Change) -> Result<(), ApiError> {
        let symbol = self.venue.symbol_id(&change.symbol).ok_or_else(ApiError::bad_symbol)?;
        let status = change.status.as_deref().map(|text| {
            SymbolStatus::parse(text).ok_or_else(|| {
                ApiError::bad(-1130, format!("{text:?} is no status; expected such as TRADING"))
            })
        });
        let status = status.transpose()?;
        let now_ms = self.now_ms();
        let at = |at_ms: Option<i64>, in_ms: Option<i64>| at_ms.or(in_ms.map(|ms| now_ms.saturating_add(ms)));
        let brackets = change.brackets.as_ref().map(|json| self.brackets(symbol, json)).transpose()?;
        let changed = ContractChange {
            symbol,
            onboard_ms: at(change.onboard_ms, change.onboard_in_ms),
            delivery_ms: at(change.delivery_ms, change.delivery_in_ms),
            brackets,
        };
        let of_rules =
            changed.onboard_ms.is_some() || changed.delivery_ms.is_some() || changed.brackets.is_some();
        if of_rules {
            self.command_at(now_ms, &Command::Contract(changed))??;
        }
        if let Some(status) = status {
            self.command_at(now_ms, &Command::SetStatus { symbol, status })??;
        }
        // Brackets are told only when they changed. Source: fact sheet 8.2 (`bks`).
        self.announce_contract_with(symbol, change.brackets.is_some());
        Ok(())
    }

    /// Brackets in the exchange's own shape: `[{"bracket":1,"initialLeverage":75,…}]`.
    fn brackets(&self, symbol: SymbolId, json: &Value) -> Result<Vec<Bracket>, ApiError> {
        let name = self.venue.rules(symbol).map(|rules| rules.symbol.clone()).unwrap_or_default();
        let whole = serde_json::json!([{"symbol": name, "brackets": json}]);
        let refuse = |text: String| ApiError::bad(-1130, text);
        let mut read = crate::venue::brackets_from_json(&whole).map_err(|error| refuse(error.to_string()))?;
        read.remove(&name).ok_or_else(|| refuse("\"brackets\" holds no brackets".to_owned()))
    }

    /// Does what was announced for until now.
    pub(crate) fn turn_contracts(&mut self, now_ms: i64) -> Result<(), LogError> {
        while self.turn_first(now_ms)?.is_some() {}
        Ok(())
    }

    /// In lockstep: does what was announced for before or at `next_ms`, at its own time. `None`: nothing was; otherwise
    /// whether it touched the account.
    pub(crate) fn turn_contract_before(&mut self, next_ms: i64) -> Result<Option<bool>, LogError> {
        let Some((_, at_ms)) = self.announced.first(next_ms) else { return Ok(None) };
        self.clock.jump(at_ms);
        let before = self.hub.user_events();
        self.turn_first(at_ms)?;
        Ok(Some(self.hub.user_events() > before))
    }

    fn turn_first(&mut self, now_ms: i64) -> Result<Option<()>, LogError> {
        let Some(((symbol, turn), at_ms)) = self.announced.first(now_ms) else { return Ok(None) };
        let from = self.venue.rules(symbol).map(|rules| rules.status);
        let status = match (turn, from) {
            (Turn::Opens, Some(SymbolStatus::PendingTrading)) => Some(SymbolStatus::Trading),
            (
                Turn::Settles,
                Some(SymbolStatus::Trading | SymbolStatus::PreSettle | SymbolStatus::PendingTrading),
            ) => Some(SymbolStatus::Settling),
            // Somebody was faster.
            _ => None,
        };
        if let Some(status) = status {
            // A symbol that is listed takes any status.
            let _ = self.command_at(at_ms, &Command::SetStatus { symbol, status })?;
            self.announce_contract(symbol);
        }
        self.announced.0.remove(&(symbol, turn));
        Ok(Some(()))
    }
}
