//! Strategies that are in and out all the time, so that a test of seconds sees many orders.

use std::fs;

use serde_json::{Value, json};

use super::{Temp, config, json as read_json};

/// What differs from test to test.
#[derive(Debug)]
pub struct Fast<'a> {
    pub symbols: &'a [&'a str],
    /// Multiples of the ATR at which a half is taken, each.
    pub take_profits: &'a [f64],
    /// Limits besides those without which nothing would go fast.
    pub limits: &'a [(&'a str, u64)],
    /// `runtime.toml`.
    pub runtime: &'a str,
}

impl Fast<'_> {
    /// Writes the folder `config`.
    pub fn write(&self, temp: &Temp) {
        let folder = temp.join("config");
        fs::create_dir(&folder).unwrap();
        let takes: Vec<Value> =
            self.take_profits.iter().map(|atr| json!({"at": {"atr": atr}, "portion": 0.5})).collect();
        let strategy = |symbol: &&str| {
            json!({
                "name": format!("{}_fast", symbol.to_lowercase().trim_end_matches("usdt")), "kind": "sol_fast_lane",
                "symbol": symbol, "timeframe": "1m", "enabled": true, "sides": ["LONG", "SHORT"],
                "capital_per_trade": "300", "leverage": 3, "mode": "reversion", "z_period": 5, "z_entry": 0.1,
                "rsi_extreme": 50, "atr_min": 0, "atr_max": 0.5, "cooldown_bars": 0, "stop": {"atr": 3.0},
                "take_profits": takes, "max_bars": 3
            })
        };
        let strategies: Vec<Value> = self.symbols.iter().map(strategy).collect();
        let mut limits = read_json(&config().join("risk_limits.json"));
        let usual = [("ENTRIES_PER_LEG_PER_HOUR", 60), ("PRICE_STALENESS_S", 300), ("WARMUP_S", 0)];
        for (key, value) in usual.iter().chain(self.limits) {
            limits[*key] = json!(value);
        }
        let put = |name: &str, value: &Value| fs::write(folder.join(name), value.to_string()).unwrap();
        put("strategy_config.json", &json!({"strategies": strategies}));
        put("risk_limits.json", &limits);
        put("pairs_universe.json", &json!({"symbols": self.symbols}));
        fs::write(folder.join("runtime.toml"), self.runtime).unwrap();
    }
}
