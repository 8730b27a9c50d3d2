//! The strategies that ship keep what the suite demands, each kind with its usual settings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use hedge_core::Strategy;
use hedge_strategy::config::StrategyConfig;
use hedge_testkit::conformance::strategy;

fn make(kind: &'static str) -> impl Fn() -> Box<dyn Strategy> {
    move || {
        let block =
            format!(r#"{{"name": "s", "kind": "{kind}", "symbol": "BTCUSDT", "capital_per_trade": "500"}}"#);
        serde_json::from_str::<StrategyConfig>(&block).unwrap().build().unwrap()
    }
}

fn conforms(kind: &'static str) {
    assert!(strategy::is_deterministic(make(kind)) > 0, "{kind} never wanted anything");
    assert!(strategy::survives_replay(make(kind)) > 0);
    assert!(strategy::is_silent_during_warmup(make(kind)) > 0);
}

#[test]
fn the_breakout_conforms() {
    conforms("btc_breakout");
}

#[test]
fn the_momentum_strategy_conforms() {
    conforms("eth_momentum");
}

#[test]
fn the_fast_lane_conforms() {
    conforms("sol_fast_lane");
}

#[test]
fn the_average_cross_conforms() {
    conforms("ma_cross");
}
