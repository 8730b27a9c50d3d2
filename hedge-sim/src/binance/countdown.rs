//! Dead-man countdowns: per symbol, when its orders are cancelled unless the client calls again.
//!
//! Source: fact sheet 4.4 (`countdownCancelAll`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::ApiError;
use super::log::LogError;
use super::params::Params;
use super::state::{ACCOUNT, Core};
use crate::venue::{Command, Reply};

/// When each countdown ends, on the venue clock.
#[derive(Debug, Default)]
pub(crate) struct Countdowns(BTreeMap<String, i64>);

impl Countdowns {
    /// Starts or restarts a countdown; `None` stops it.
    pub(crate) fn set(&mut self, symbol: &str, end_ms: Option<i64>) {
        match end_ms {
            Some(end_ms) => self.0.insert(symbol.to_owned(), end_ms),
            None => self.0.remove(symbol),
        };
    }

    /// The one that ends first, if it ends until `now_ms`.
    fn due(&self, now_ms: i64) -> Option<(String, i64)> {
        let first = self.0.iter().min_by_key(|(_, end_ms)| **end_ms)?;
        (*first.1 <= now_ms).then(|| (first.0.clone(), *first.1))
    }
}

impl Core {
    /// Answers `countdownCancelAll`: the time comes back as text.
    pub(crate) fn countdown(&mut self, params: &Params) -> Result<Value, ApiError> {
        let symbol = self.symbol(params)?.1.symbol.clone();
        let length_ms = params.need_int("countdownTime")?;
        if length_ms < 0 {
            return Err(ApiError::invalid("countdownTime"));
        }
        let end_ms = (length_ms > 0).then(|| self.now_ms().saturating_add(length_ms));
        self.set_countdown(&symbol, end_ms)?;
        Ok(json!({"symbol": symbol, "countdownTime": length_ms.to_string()}))
    }

    /// Ends every countdown that ran out until now.
    pub(crate) fn end_countdowns(&mut self, now_ms: i64) -> Result<(), LogError> {
        while let Some((symbol, _)) = self.countdowns.due(now_ms) {
            self.end_countdown(symbol, now_ms)?;
        }
        Ok(())
    }

    /// In lockstep: ends a countdown that runs out before or at `next_ms`, at its own time. `None`: none does;
    /// otherwise whether it cancelled anything.
    pub(crate) fn end_countdown_before(&mut self, next_ms: i64) -> Result<Option<bool>, LogError> {
        let Some((symbol, end_ms)) = self.countdowns.due(next_ms) else { return Ok(None) };
        self.clock.jump(end_ms);
        self.end_countdown(symbol, end_ms).map(Some)
    }

    fn end_countdown(&mut self, symbol: String, at_ms: i64) -> Result<bool, LogError> {
        let command = Command::CountdownElapsed { account: ACCOUNT, symbol: symbol.clone() };
        let reply = self.command_at(at_ms, &command)?;
        self.countdowns.set(&symbol, None);
        Ok(matches!(reply, Ok(Reply::Canceled(1..))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_countdown_ends_first_and_a_stopped_one_never() {
        let mut countdowns = Countdowns::default();
        countdowns.set("B", Some(20));
        countdowns.set("A", Some(30));
        countdowns.set("C", Some(10));
        countdowns.set("C", None);
        assert_eq!(countdowns.due(19), None);
        assert_eq!(countdowns.due(40), Some(("B".to_owned(), 20)));
        countdowns.set("B", Some(50));
        assert_eq!(countdowns.due(40), Some(("A".to_owned(), 30)));
    }
}
