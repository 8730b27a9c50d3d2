//! What many requests have in common: spans of time, symbols, weights that depend on a limit.

use hedge_core::Timestamp;

use crate::encode::Params;

/// A stretch of time, either end open. Units: the venue's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: Option<Timestamp>,
    /// Last instant.
    pub to: Option<Timestamp>,
}

impl Span {
    /// From an instant on.
    pub const fn since(from: Timestamp) -> Self {
        Self { from: Some(from), to: None }
    }

    pub(super) fn apply(self, params: Params) -> Params {
        params
            .with_opt("startTime", self.from.map(Timestamp::ms))
            .with_opt("endTime", self.to.map(Timestamp::ms))
    }
}

pub(super) fn symbol(symbol: &str) -> Params {
    Params::new().with("symbol", symbol)
}

pub(super) fn maybe_symbol(symbol: Option<&str>) -> Params {
    Params::new().with_opt("symbol", symbol)
}

/// Weight of a kline request. Source: fact sheet 4.1.
pub(super) const fn kline_weight(limit: u32) -> u32 {
    match limit {
        0..100 => 1,
        100..500 => 2,
        500..=1_000 => 5,
        _ => 10,
    }
}

/// Weight of a depth request. Source: fact sheet 4.1.
pub(super) const fn depth_weight(limit: u32) -> u32 {
    match limit {
        0..=50 => 2,
        51..=100 => 5,
        101..=500 => 10,
        _ => 20,
    }
}

/// Weight of a question that costs less about one symbol.
pub(super) const fn weight(symbol: Option<&str>, one: u32, all: u32) -> u32 {
    if symbol.is_some() { one } else { all }
}
