//! `risk_limits.json`: the operators' names, checked.

use std::{collections::BTreeMap, fmt};

use hedge_core::{Bps, Decimal, Symbol};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The whole file. Keys, units, ranges and defaults are explained in [`KEYS`](crate::KEYS); an absent key has its default, an
/// unknown one is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields, default)]
#[allow(missing_docs)] // every key is explained, with unit and range, in KEYS
pub struct RiskLimits {
    pub kill_dd_pct: Decimal,
    pub kill_daily_loss_pct: Decimal,
    pub max_positions: u32,
    pub max_leverage: Decimal,
    pub max_slippage_bps: Decimal,
    pub liq_distance_min_pct: Decimal,
    pub maintenance_margin_pct: Decimal,
    pub max_notional_per_order_usdt: Decimal,
    pub max_notional_per_symbol_usdt: Decimal,
    pub max_notional_total_usdt: Decimal,
    pub min_notional_usdt: Decimal,
    pub max_open_orders: u32,
    pub entries_per_leg_per_hour: u32,
    pub price_staleness_s: u32,
    pub warmup_s: u32,
    pub daily_reset_tz: String,
    pub daily_reset_hour: u8,
    /// Minima of single symbols. Not in this file: the universe's overrides go here.
    #[serde(skip)]
    pub min_notional_by_symbol: BTreeMap<Symbol, Decimal>,
}

impl Default for RiskLimits {
    fn default() -> Self {
        Self {
            kill_dd_pct: Decimal::from(9),
            kill_daily_loss_pct: Decimal::from(4),
            max_positions: 8,
            max_leverage: Decimal::from(3),
            max_slippage_bps: Decimal::from(30),
            liq_distance_min_pct: Decimal::from(20),
            maintenance_margin_pct: Decimal::ONE,
            max_notional_per_order_usdt: Decimal::from(1_000),
            max_notional_per_symbol_usdt: Decimal::from(2_000),
            max_notional_total_usdt: Decimal::from(10_000),
            min_notional_usdt: Decimal::from(5),
            max_open_orders: 60,
            entries_per_leg_per_hour: 4,
            price_staleness_s: 30,
            warmup_s: 60,
            daily_reset_tz: "UTC".to_owned(),
            daily_reset_hour: 0,
            min_notional_by_symbol: BTreeMap::new(),
        }
    }
}

/// One limit that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} = {value} is not usable: {expected}")]
pub struct LimitProblem {
    /// Which key.
    pub key: &'static str,
    /// What was given.
    pub value: String,
    /// What would have been accepted, and why.
    pub expected: String,
}

/// Every limit that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct LimitsError {
    /// In the order of the key table.
    pub problems: Vec<LimitProblem>,
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl RiskLimits {
    /// Checks every value. Errors: [`LimitsError`] with every limit that is out of its range.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let mut problems = Vec::new();
        kill_percent("KILL_DD_PCT", self.kill_dd_pct, &mut problems);
        kill_percent("KILL_DAILY_LOSS_PCT", self.kill_daily_loss_pct, &mut problems);
        let million = Decimal::from(10_000_000);
        let decimals = [
            ("MAX_LEVERAGE", self.max_leverage, Decimal::new(1, 1), Decimal::from(125)),
            ("MAX_SLIPPAGE_BPS", self.max_slippage_bps, Decimal::ONE, Decimal::from(500)),
            ("LIQ_DISTANCE_MIN_PCT", self.liq_distance_min_pct, Decimal::ONE, Decimal::from(95)),
            ("MAINTENANCE_MARGIN_PCT", self.maintenance_margin_pct, Decimal::new(1, 1), Decimal::from(50)),
            ("MAX_NOTIONAL_PER_ORDER_USDT", self.max_notional_per_order_usdt, Decimal::ONE, million),
            ("MAX_NOTIONAL_PER_SYMBOL_USDT", self.max_notional_per_symbol_usdt, Decimal::ONE, million),
            ("MAX_NOTIONAL_TOTAL_USDT", self.max_notional_total_usdt, Decimal::ONE, million),
            ("MIN_NOTIONAL_USDT", self.min_notional_usdt, Decimal::ZERO, million),
        ];
        for (key, value, low, high) in decimals {
            within(key, value, low, high, &mut problems);
        }
        let counts = [
            ("MAX_POSITIONS", self.max_positions, 1, 200),
            ("MAX_OPEN_ORDERS", self.max_open_orders, 2, 1_000),
            ("ENTRIES_PER_LEG_PER_HOUR", self.entries_per_leg_per_hour, 1, 60),
            ("PRICE_STALENESS_S", self.price_staleness_s, 1, 3_600),
            ("WARMUP_S", self.warmup_s, 0, 86_400),
            ("DAILY_RESET_HOUR", u32::from(self.daily_reset_hour), 0, 23),
        ];
        for (key, value, low, high) in counts {
            within(key, value, low, high, &mut problems);
        }
        if self.daily_reset_tz.trim().is_empty() {
            let value = format!("{:?}", self.daily_reset_tz);
            let expected = "expected a zone name such as UTC or Europe/Berlin".to_owned();
            problems.push(LimitProblem { key: "DAILY_RESET_TZ", value, expected });
        }
        if problems.is_empty() { Ok(()) } else { Err(LimitsError { problems }) }
    }
    /// How far from mark a market entry may reach: what the engine's gate needs.
    pub fn max_slippage(&self) -> Bps {
        Bps::new(self.max_slippage_bps).unwrap_or(Bps::ZERO)
    }
}

fn within<T: PartialOrd + fmt::Display>(
    key: &'static str,
    value: T,
    low: T,
    high: T,
    problems: &mut Vec<LimitProblem>,
) {
    if value < low || value > high {
        let expected = format!("expected {low} to {high}");
        problems.push(LimitProblem { key, value: value.to_string(), expected });
    }
}

/// A percentage that somebody may have written as a fraction: 0.09 would stop trading at the first tick.
fn kill_percent(key: &'static str, value: Decimal, problems: &mut Vec<LimitProblem>) {
    let (low, high) = (Decimal::new(5, 1), Decimal::from(90));
    if value >= low && value <= high {
        return;
    }
    let expected = if value > Decimal::ZERO && value < low {
        let as_fraction = (value * Decimal::ONE_HUNDRED).normalize();
        format!(
            "it is read as {value} %; if {as_fraction} % was meant, write {as_fraction}. Expected {low} to {high} (percent)"
        )
    } else {
        format!("expected {low} to {high} (percent: 9.0 means 9 %)")
    };
    problems.push(LimitProblem { key, value: value.to_string(), expected });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::dec;

    fn parse(text: &str) -> RiskLimits {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn operators_names_are_read_and_absent_ones_have_their_defaults() {
        let limits = parse(r#"{"KILL_DD_PCT": 9.0, "MAX_POSITIONS": 4, "MAX_LEVERAGE": "2.5"}"#);
        assert_eq!(
            (limits.kill_dd_pct, limits.max_positions, limits.max_leverage),
            (dec("9"), 4, dec("2.5"))
        );
        assert_eq!(limits.liq_distance_min_pct, dec("20"));
        assert!(limits.validate().is_ok());
        assert!(RiskLimits::default().validate().is_ok());
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error = serde_json::from_str::<RiskLimits>(r#"{"KILL_DRAWDOWN": 9}"#).unwrap_err();
        assert!(error.to_string().contains("KILL_DRAWDOWN"));
        assert!(serde_json::from_str::<RiskLimits>(r#"{"MIN_NOTIONAL_BY_SYMBOL": {}}"#).is_err());
    }

    #[test]
    fn a_percentage_that_looks_like_a_fraction_is_refused_with_both_readings() {
        let error = parse(r#"{"KILL_DD_PCT": 0.09}"#).validate().unwrap_err().to_string();
        let expected = "KILL_DD_PCT = 0.09 is not usable: it is read as 0.09 %; if 9 % was meant, write 9. \
                        Expected 0.5 to 90 (percent)";
        assert_eq!(error, expected);
        assert!(parse(r#"{"KILL_DD_PCT": 0.5, "KILL_DAILY_LOSS_PCT": 0.5}"#).validate().is_ok());
        assert!(parse(r#"{"KILL_DAILY_LOSS_PCT": 0.49}"#).validate().is_err());
    }

    #[test]
    fn every_value_out_of_range_is_named_with_its_range() {
        let limits = parse(
            r#"{"MAX_POSITIONS": 0, "DAILY_RESET_HOUR": 24, "DAILY_RESET_TZ": " ", "KILL_DD_PCT": 91}"#,
        );
        let error = limits.validate().unwrap_err();
        let keys: Vec<&str> = error.problems.iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["KILL_DD_PCT", "MAX_POSITIONS", "DAILY_RESET_HOUR", "DAILY_RESET_TZ"]);
        assert_eq!(error.problems[1].to_string(), "MAX_POSITIONS = 0 is not usable: expected 1 to 200");
    }
}
