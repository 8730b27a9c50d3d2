//! `[stops]` and `[deadman]`: the second look at every leg's protection, and what becomes of entries when nobody watches.

use std::time::Duration;

use hedge_core::StopValidator;
use serde::{Deserialize, Serialize};

/// The stop validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct StopsSection {
    pub validator: bool,
    pub repair: bool,
    pub repair_tp: bool,
    pub grace_ms: u64,
    pub interval_ms: u64,
}

impl StopsSection {
    /// The engine's part.
    pub const fn validator(&self) -> StopValidator {
        StopValidator {
            enabled: self.validator,
            repair: self.repair,
            repair_take_profits: self.repair_tp,
            grace: Duration::from_millis(self.grace_ms),
            interval: Duration::from_millis(self.interval_ms),
        }
    }
}

/// What the venue does about resting entries when the process is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct DeadmanSection {
    pub gtd_s: u64,
    pub binance: Countdown,
    pub probe: Probed,
    pub countdown_s: u64,
}

/// Whether the venue's countdown is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Countdown {
    /// It is left alone.
    Off,
    /// It runs for a symbol while one of our entries rests there.
    Armed,
}

/// What is known of what the countdown cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probed {
    /// Nothing.
    Unknown,
    /// A probe has seen it cancel plain orders and leave conditional ones.
    PlainOnly,
    /// A person takes it upon himself that stops may go too.
    Override,
}

impl DeadmanSection {
    /// How long an entry may rest; `None` for as long as its strategy says.
    pub fn entries_vanish_after(&self) -> Option<Duration> {
        (self.gtd_s > 0).then(|| Duration::from_secs(self.gtd_s))
    }
    /// How long the countdown runs, where it is used.
    pub fn countdown(&self) -> Option<Duration> {
        let is_armed = self.binance == Countdown::Armed && self.probe != Probed::Unknown;
        is_armed.then(|| Duration::from_secs(self.countdown_s))
    }
}
