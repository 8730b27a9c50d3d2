//! The limits that operators start from.

#![allow(clippy::unwrap_used)] // a test may fail

use hedge_risk::{DayCalendar, KEYS, RiskLimits, RiskStack};

#[test]
fn the_shipped_limits_name_every_key_and_build_a_stack() {
    let path = format!("{}/../config/risk_limits.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let limits: RiskLimits = serde_json::from_str(&text).unwrap();
    assert!(KEYS.iter().all(|info| text.contains(&format!("\"{}\"", info.key))));
    let calendar = DayCalendar::utc(limits.daily_reset_hour).unwrap();
    assert!(RiskStack::from_limits(&limits, calendar).is_ok());
}
