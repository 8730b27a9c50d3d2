//! Every key, explained once: documentation and `config explain` read these tables.

use hedge_core::KeyInfo;

/// Keys of a strategy block in `strategy_config.json`.
pub const KEYS: &[KeyInfo] = &[
    KeyInfo::new(
        "name",
        "text",
        "1 to 39 of a-z A-Z 0-9 _ - . :",
        "required",
        "Owns the legs it opens and stands in every log line; must be unique and stay the same over restarts.",
    ),
    KeyInfo::new(
        "kind",
        "word",
        "btc_breakout, eth_momentum, sol_fast_lane, ma_cross",
        "required",
        "Which strategy; each trades any symbol.",
    ),
    KeyInfo::new("symbol", "symbol", "a symbol of pairs_universe.json", "required", "What it trades."),
    KeyInfo::new(
        "timeframe",
        "bar length",
        "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d",
        "15m",
        "It decides when such a bar closes.",
    ),
    KeyInfo::new(
        "enabled",
        "true or false",
        "true, false",
        "true",
        "A block that is switched off is checked but not run.",
    ),
    KeyInfo::new(
        "sides",
        "list of legs",
        "LONG, SHORT",
        "[\"LONG\",\"SHORT\"]",
        "Which legs it may open. Legs are independent: an opposite signal opens the other leg and leaves this one to its stop.",
    ),
    KeyInfo::new(
        "capital_per_trade",
        "USDT",
        "1 to 1000000",
        "required",
        "Notional of one entry (not multiplied by leverage). Raise it when orders fall below a symbol's minimum notional.",
    ),
    KeyInfo::new(
        "leverage",
        "multiple",
        "1 to 125",
        "3",
        "What the symbol is set to at the venue: margin per notional; at most MAX_LEVERAGE. It does not enlarge entries.",
    ),
    KeyInfo::new(
        "cooldown_bars",
        "bars",
        "0 to 10000",
        "4",
        "Least time between two entries of one leg: keeps a choppy market from paying fees over and over.",
    ),
    KeyInfo::new(
        "stop",
        "{\"atr\": x} or {\"percent\": x}",
        "atr 0.1 to 50, percent 0.05 to 90",
        "{\"atr\": 3.0}; ma_cross: {\"percent\": 2.0}",
        "How far against the entry the close-all stop stands. Every leg has one.",
    ),
    KeyInfo::new(
        "take_profits",
        "list of {\"at\": distance, \"portion\": x}",
        "at most 5, nearest first; portions 0.01 to 1, together at most 1",
        "[]",
        "Takes part of the leg off at a gain; portions are of the opened quantity.",
    ),
    KeyInfo::new(
        "trailing",
        "{\"activate\": distance, \"distance\": distance, \"min_step_bps\": x}",
        "distances as for stop; min_step_bps 1 to 1000",
        "none",
        "From a gain of `activate` on, the stop follows the best price at `distance`; it moves only by at least min_step_bps and never back.",
    ),
    KeyInfo::new("max_bars", "bars", "1 to 100000", "none", "Closes a leg at the market after that time."),
    KeyInfo::new(
        "atr_period",
        "bars",
        "2 to 1000",
        "14",
        "Wilder's average true range; unit of stops and filters.",
    ),
    KeyInfo::new(
        "atr_min",
        "fraction of the close",
        "0 to 1",
        "0.001",
        "No entry in a market calmer than this: fees would eat the move.",
    ),
    KeyInfo::new(
        "atr_max",
        "fraction of the close",
        "0 to 1",
        "0.05",
        "No entry in a market wilder than this.",
    ),
    KeyInfo::new("rsi_period", "bars", "2 to 1000", "14", "Wilder's relative strength index."),
    KeyInfo::new("z_period", "bars", "2 to 1000", "20", "Window of the z-score of the close."),
    KeyInfo::new(
        "ema_fast",
        "bars",
        "1 to 1000, less than ema_slow",
        "9",
        "Fast average of the screener's cross.",
    ),
    KeyInfo::new("ema_slow", "bars", "2 to 1000", "21", "Slow average of the screener's cross."),
    KeyInfo::new(
        "lookback_bars",
        "bars",
        "2 to 5000",
        "24",
        "btc_breakout: the channel whose break is entered. Shorter trades more and pays more fees.",
    ),
    KeyInfo::new(
        "rsi_min",
        "RSI",
        "0 to 100",
        "50",
        "eth_momentum: a LONG needs at least this RSI, a SHORT at most 100 minus it.",
    ),
    KeyInfo::new(
        "z_max",
        "standard deviations",
        "0 to 100",
        "3",
        "eth_momentum: no entry when the close is already stretched further than this.",
    ),
    KeyInfo::new(
        "mode",
        "word",
        "reversion, momentum",
        "reversion",
        "sol_fast_lane: bet on the return from an extreme, or on a crossing of the averages.",
    ),
    KeyInfo::new(
        "z_entry",
        "standard deviations",
        "0.1 to 10",
        "2.2",
        "sol_fast_lane: from which z-score on a close is extreme.",
    ),
    KeyInfo::new(
        "rsi_extreme",
        "RSI",
        "0 to 50",
        "32",
        "sol_fast_lane: a reversion LONG needs at most this RSI, a SHORT at least 100 minus it.",
    ),
    KeyInfo::new("sma_fast", "bars", "1 to 5000, less than sma_slow", "10", "ma_cross: fast simple average."),
    KeyInfo::new("sma_slow", "bars", "2 to 5000", "30", "ma_cross: slow simple average."),
];

/// Keys of `pairs_universe.json`.
pub const UNIVERSE_KEYS: &[KeyInfo] = &[
    KeyInfo::new(
        "symbols",
        "list of symbols",
        "at least one, each once, in the venue's spelling",
        "required",
        "What may be traded; strategies name symbols of this list.",
    ),
    KeyInfo::new(
        "overrides",
        "map from symbol to settings",
        "symbols of the list",
        "{}",
        "What differs for a symbol.",
    ),
    KeyInfo::new(
        "target_leverage",
        "multiple",
        "1 to 125",
        "the strategy's leverage",
        "Leverage the symbol is set to at the venue; at most MAX_LEVERAGE.",
    ),
    KeyInfo::new(
        "min_notional",
        "USDT",
        "0 to 1000000",
        "the venue's minimum",
        "Smallest opening of the symbol; the venue's own minimum holds besides.",
    ),
];

/// The explanation of a key of either file.
pub fn find_key(name: &str) -> Option<&'static KeyInfo> {
    KEYS.iter().chain(UNIVERSE_KEYS).find(|info| info.key == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::StrategyConfig;

    /// A block with every key; serde refuses it if one does not exist.
    const EVERY_KEY: &str = r#"{
        "name": "s", "kind": "sol_fast_lane", "symbol": "X", "timeframe": "15m", "enabled": true,
        "sides": ["LONG"], "capital_per_trade": "5", "leverage": 3, "cooldown_bars": 4,
        "stop": {"atr": 3.0}, "take_profits": [], "max_bars": 5,
        "trailing": {"activate": {"atr": 1.0}, "distance": {"percent": 2.0}, "min_step_bps": 10},
        "atr_period": 14, "atr_min": 0.001, "atr_max": 0.05, "rsi_period": 14, "z_period": 20,
        "ema_fast": 9, "ema_slow": 21, "lookback_bars": 24, "rsi_min": 50, "z_max": 3,
        "mode": "reversion", "z_entry": 2.2, "rsi_extreme": 32, "sma_fast": 10, "sma_slow": 30
    }"#;

    #[test]
    fn every_key_is_explained_and_every_explanation_has_its_key() {
        let block: StrategyConfig = serde_json::from_str(EVERY_KEY).unwrap();
        let serde_json::Value::Object(written) = serde_json::to_value(block).unwrap() else { panic!() };
        let written: BTreeSet<&str> = written.keys().map(String::as_str).collect();
        let explained: BTreeSet<&str> = KEYS.iter().map(|info| info.key).collect();
        assert_eq!(written, explained);
        assert_eq!(explained.len(), KEYS.len());
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        assert_eq!(find_key("leverage").unwrap().default, "3");
        assert_eq!(find_key("target_leverage").unwrap().unit, "multiple");
        assert_eq!(find_key("nonsense"), None);
    }
}
