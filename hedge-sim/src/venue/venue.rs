//! The exchange itself: its state and the one door through which it changes.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::command::{Command, FeeRates, Reply};
use super::error::VenueError;
use super::event::VenueEvent;

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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Venue {
    pub(crate) config: VenueConfig,
    pub(crate) now_ms: i64,
}

impl Venue {
    /// An exchange without instruments and accounts.
    pub fn new(config: VenueConfig) -> Self {
        Self { config, now_ms: 0 }
    }

    /// Applies one command at `now_ms` (never earlier than any before; an earlier time counts as the latest).
    /// Events are appended to `out` in the order in which they happened.
    pub fn apply(
        &mut self,
        now_ms: i64,
        command: &Command,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Reply, VenueError> {
        let _ = (now_ms, command, out);
        Err(VenueError::refuse(-1001, "not open yet"))
    }
}
