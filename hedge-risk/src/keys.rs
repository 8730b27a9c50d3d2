//! Every limit, explained once: documentation and `config explain` read this table.

use hedge_core::KeyInfo;

/// Keys of `risk_limits.json`.
#[rustfmt::skip]
pub const KEYS: &[KeyInfo] = &[
    KeyInfo::new("KILL_DD_PCT", "percent of the peak", "0.5 to 90", "9",
        "Halts when equity has fallen that far from its peak; an operator must resume, and drawdown then counts from that equity on. 9.0 means 9 %."),
    KeyInfo::new("KILL_DAILY_LOSS_PCT", "percent of the day's start", "0.5 to 90", "4",
        "No more openings after losing that much in a day; re-arms by itself when the next day begins."),
    KeyInfo::new("MAX_POSITIONS", "legs", "1 to 200", "8",
        "Legs that are open or opening. LONG and SHORT of one symbol are two."),
    KeyInfo::new("MAX_LEVERAGE", "multiple of equity", "0.1 to 125", "3",
        "Notional of all legs together, per equity; larger openings are cut back. No strategy and no override may set a symbol to more."),
    KeyInfo::new("MAX_SLIPPAGE_BPS", "basis points of mark", "1 to 500", "30",
        "How far from mark a market entry may fill: it is sent as an immediate-or-cancel limit there. Closes are not limited."),
    KeyInfo::new("LIQ_DISTANCE_MIN_PCT", "percent", "1 to 95", "20",
        "No opening that would leave less than this between prices and the estimated liquidation of the account."),
    KeyInfo::new("MAINTENANCE_MARGIN_PCT", "percent of notional", "0.1 to 50", "1",
        "Maintenance margin assumed in that estimate. Raise it to the highest leverage bracket in use."),
    KeyInfo::new("MAX_NOTIONAL_PER_ORDER_USDT", "USDT", "1 to 10000000", "1000",
        "Largest opening; a larger one is cut back."),
    KeyInfo::new("MAX_NOTIONAL_PER_SYMBOL_USDT", "USDT", "1 to 10000000", "2000",
        "Both legs of a symbol together; a larger opening is cut back."),
    KeyInfo::new("MAX_NOTIONAL_TOTAL_USDT", "USDT", "1 to 10000000", "10000",
        "All legs together; a larger opening is cut back."),
    KeyInfo::new("MIN_NOTIONAL_USDT", "USDT", "0 to 10000000", "5",
        "Smallest opening; a symbol's override and the venue's own minimum hold besides."),
    KeyInfo::new("MAX_OPEN_ORDERS", "orders", "2 to 1000", "60",
        "Orders that are or may be live, counted with the stop and take-profits that an opening brings."),
    KeyInfo::new("ENTRIES_PER_LEG_PER_HOUR", "openings", "1 to 60", "4",
        "A strategy that is stuck in a loop stops itself."),
    KeyInfo::new("PRICE_STALENESS_S", "seconds", "1 to 3600", "30",
        "No opening on a mark price that is older."),
    KeyInfo::new("WARMUP_S", "seconds", "0 to 86400", "60",
        "No opening for that long after a process start."),
    KeyInfo::new("DAILY_RESET_TZ", "zone name", "IANA name such as UTC or Europe/Berlin", "UTC",
        "In which zone the trading day is counted; daylight saving is respected."),
    KeyInfo::new("DAILY_RESET_HOUR", "hour", "0 to 23", "0",
        "At which local hour the trading day begins."),
];

/// The explanation of a key.
pub fn find_key(name: &str) -> Option<&'static KeyInfo> {
    KEYS.iter().find(|info| info.key == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::RiskLimits;

    #[test]
    fn every_key_is_explained_with_the_default_it_has() {
        let serde_json::Value::Object(written) = serde_json::to_value(RiskLimits::default()).unwrap() else {
            panic!("limits are an object")
        };
        let defaults: BTreeMap<String, String> = written
            .into_iter()
            .map(|(key, value)| (key, value.to_string().trim_matches('"').to_owned()))
            .collect();
        let explained: BTreeMap<String, String> =
            KEYS.iter().map(|info| (info.key.to_owned(), info.default.to_owned())).collect();
        assert_eq!(defaults, explained);
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        assert_eq!(find_key("KILL_DD_PCT").unwrap().unit, "percent of the peak");
        assert_eq!(find_key("KILL"), None);
    }
}
