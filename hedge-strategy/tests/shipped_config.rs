//! The configuration files that operators start from.

#![allow(clippy::unwrap_used)] // a test may fail

use std::collections::BTreeSet;

use hedge_core::PositionSide;
use hedge_strategy::config::{StrategiesConfig, UniverseConfig};

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../config/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_shipped_strategies_build_and_trade_both_legs() {
    let config: StrategiesConfig = read("strategy_config.json");
    let names: Vec<String> =
        config.build().unwrap().iter().map(|strategy| strategy.id().to_string()).collect();
    assert_eq!(names, ["btc_breakout", "eth_momentum", "sol_fast_lane"]);
    assert!(config.enabled().all(|block| block.sides == PositionSide::BOTH));
}

#[test]
fn the_shipped_strategies_trade_symbols_of_the_shipped_universe() {
    let universe: UniverseConfig = read("pairs_universe.json");
    universe.validate().unwrap();
    let symbols: BTreeSet<_> = universe.symbols.iter().copied().collect();
    let config: StrategiesConfig = read("strategy_config.json");
    assert!(config.strategies.iter().all(|block| symbols.contains(&block.symbol)));
}
