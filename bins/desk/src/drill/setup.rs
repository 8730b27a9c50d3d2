//! The executor's configuration in a drill: strategies that trade every symbol all the time, and the limits for that.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    DrillError,
    exchange::SYMBOLS,
    workplace::{private_file, private_folder},
};

/// The most that a limit may be.
const MOST_NOTIONAL_USDT: u64 = 10_000_000;

/// What differs from drill to drill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// Wallet at the start. Units: USDT.
    pub(super) balance_usdt: u32,
    /// Margin of one entry. Units: USDT.
    pub(super) capital_usdt: u32,
    /// Dearest price of an entry.
    pub(super) slippage_bps: u32,
    /// How long a strategy holds a leg. Units: bars, half a second each.
    pub(super) max_bars: u32,
    /// More lines of `runtime.toml`.
    pub(super) runtime: &'static str,
}

impl Setup {
    /// What most drills trade with.
    pub(super) const USUAL: Self =
        Self { balance_usdt: 1_000_000, capital_usdt: 300, slippage_bps: 30, max_bars: 4, runtime: "" };
}

/// In and out within a few bars, with a stop and two take-profits.
fn strategy(symbol: &str, setup: &Setup) -> Value {
    json!({
        "name": format!("{}_drill", symbol.to_lowercase().trim_end_matches("usdt")), "kind": "sol_fast_lane",
        "symbol": symbol, "timeframe": "1m", "enabled": true, "sides": ["LONG", "SHORT"],
        "capital_per_trade": setup.capital_usdt.to_string(), "leverage": 3, "mode": "reversion", "z_period": 3, "rsi_period": 3,
        "z_entry": 0.1, "rsi_extreme": 50, "atr_min": 0, "atr_max": 0.5, "cooldown_bars": 0, "stop": {"atr": 4.0},
        "take_profits": [{"at": {"atr": 3.0}, "portion": 0.5}, {"at": {"atr": 5.0}, "portion": 0.5}],
        "max_bars": setup.max_bars
    })
}

fn limits(setup: &Setup) -> Value {
    let order = u64::from(setup.capital_usdt) * 10;
    json!({
        "KILL_DD_PCT": 9.0, "KILL_DAILY_LOSS_PCT": 4.0, "MAX_POSITIONS": 20, "MAX_LEVERAGE": 3.0,
        "MAX_SLIPPAGE_BPS": setup.slippage_bps, "LIQ_DISTANCE_MIN_PCT": 20, "MAINTENANCE_MARGIN_PCT": 1.0,
        "MAX_NOTIONAL_PER_ORDER_USDT": order, "MAX_NOTIONAL_PER_SYMBOL_USDT": order * 2,
        "MAX_NOTIONAL_TOTAL_USDT": (order * 20).min(MOST_NOTIONAL_USDT), "MIN_NOTIONAL_USDT": 5, "MAX_OPEN_ORDERS": 200,
        "ENTRIES_PER_LEG_PER_HOUR": 60, "PRICE_STALENESS_S": 300, "WARMUP_S": 0, "DAILY_RESET_TZ": "UTC",
        "DAILY_RESET_HOUR": 0
    })
}

/// Writes the four files.
pub(super) fn write(folder: &Path, setup: &Setup) -> Result<(), DrillError> {
    private_folder(folder)?;
    let strategies: Vec<Value> = SYMBOLS.iter().map(|symbol| strategy(symbol, setup)).collect();
    let runtime = format!(
        "[journal]\nsegment_mb = 64\nmin_free_mb = 16\n[history]\nbars = 50\n[log]\nlevel = \"info\"\n{}",
        setup.runtime
    );
    for (name, text) in [
        ("strategy_config.json", json!({ "strategies": strategies }).to_string()),
        ("risk_limits.json", limits(setup).to_string()),
        ("pairs_universe.json", json!({ "symbols": SYMBOLS }).to_string()),
        ("runtime.toml", runtime),
    ] {
        private_file(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, env::Env, temp::TempDir};

    #[test]
    fn the_configuration_of_a_drill_can_be_used() {
        let temp = TempDir::new();
        write(&temp.0.join("config"), &Setup::USUAL).unwrap();
        let config = Config::load(Some(&temp.0.join("config")), &Env::default()).unwrap();
        assert_eq!(config.strategies.enabled().count(), SYMBOLS.len());
    }
}
