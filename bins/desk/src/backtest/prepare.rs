//! From a configuration to a backtest that can be played.

use hedge_core::{Engine, EngineConfig, Symbol};
use hedge_risk::RiskStack;
use hedge_sim::backtest::BacktestConfig;

use super::market::RecordedMarket;
use crate::config::{Config, ConfigError, Problem};

/// The engine of a configuration, for data that stays in its file: decisions are journalled, market facts are not.
///
/// Errors: [`ConfigError`] for values that the configuration layer would have refused.
pub fn engine(config: &Config) -> Result<Engine, ConfigError> {
    let refused =
        |place: &str, text: String| ConfigError { problems: vec![Problem { place: place.to_owned(), text }] };
    let strategies =
        config.strategies.build().map_err(|error| refused("strategy_config.json", error.to_string()))?;
    let risk = RiskStack::from_limits(&config.limits, config.calendar.clone())
        .map_err(|error| refused("risk_limits.json", error.to_string()))?;
    let settings =
        EngineConfig { journal_market: false, ..config.runtime.engine(config.limits.max_slippage()) };
    Ok(Engine::new(settings, Box::new(risk), strategies))
}

/// Account, history and leverage of a configuration, for the symbols of a market.
pub fn account(config: &Config, market: &RecordedMarket) -> BacktestConfig {
    BacktestConfig {
        balance_usdt: config.runtime.paper.balance_usdt,
        history: config.runtime.history.bars,
        leverage: market.data.symbols().map(|symbol| config.leverage(&symbol)).collect(),
        config_hash: config.hash(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..BacktestConfig::default()
    }
}

/// What will not happen although it is configured, one sentence each.
pub fn remarks(config: &Config, market: &RecordedMarket) -> Vec<String> {
    let mut remarks = Vec::new();
    let data = &market.data;
    let has = |symbol: Symbol| data.index_of(symbol).is_some();
    let mut trading = false;
    for block in config.strategies.enabled() {
        if !has(block.symbol) {
            remarks.push(format!("{} does not trade: the data has no {}", block.name, block.symbol));
        } else if block.timeframe != data.interval {
            let (wants, given) = (block.timeframe, data.interval);
            remarks.push(format!(
                "{} does not trade: it decides on {wants} bars, the data has {given}",
                block.name
            ));
        } else {
            trading = true;
        }
    }
    if !trading {
        remarks.push("no strategy trades on this data; the summary will show no orders".to_owned());
    }
    remarks
}
