//! From the configuration to an engine: strategies, limits, instruments.

use hedge_core::{InstrumentId, Interval, MarginMode, Symbol, Venue, engine::Engine, engine::EngineConfig};
use hedge_risk::{LimitsError, RiskStack};
use hedge_runtime::Listing;
use hedge_strategy::config::StrategyConfig;
use thiserror::Error;

use crate::config::Config;

/// Parts that do not fit together.
#[derive(Debug, Error)]
pub enum ComposeError {
    /// Limits out of range.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A strategy out of range.
    #[error(transparent)]
    Strategies(#[from] hedge_strategy::config::ConfigError),
    /// Nothing would trade.
    #[error("no enabled strategy trades {symbols}; enable one in strategy_config.json or name other symbols")]
    NothingToDo {
        /// The symbols that were asked for.
        symbols: String,
    },
}

/// An engine and what it trades.
#[derive(Debug)]
pub struct Composition {
    /// Strategies and limits in one engine.
    pub engine: Engine,
    /// The instruments, in the engine's order.
    pub universe: Vec<Listing>,
    /// Instruments whose bars a strategy reads.
    pub read: Vec<InstrumentId>,
    /// Strategies that are enabled but whose symbol is not traded, by name.
    pub left_out: Vec<String>,
}

/// Builds the engine for some symbols of the universe, in their order.
///
/// Errors: [`ComposeError`].
pub fn compose(config: &Config, symbols: &[Symbol]) -> Result<Composition, ComposeError> {
    let (trading, idle): (Vec<&StrategyConfig>, Vec<&StrategyConfig>) =
        config.strategies.enabled().partition(|block| symbols.contains(&block.symbol));
    if trading.is_empty() {
        let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        return Err(ComposeError::NothingToDo { symbols: names.join(", ") });
    }
    let strategies = trading.into_iter().map(StrategyConfig::build).collect::<Result<Vec<_>, _>>()?;
    let risk = RiskStack::from_limits(&config.limits, config.calendar.clone())?;
    let settings =
        EngineConfig { journal_market: true, ..config.runtime.engine(config.limits.max_slippage()) };
    let engine = Engine::new(settings, Box::new(risk), strategies);
    let mut read: Vec<InstrumentId> = engine.needs().iter().map(|need| need.instrument).collect();
    read.sort();
    read.dedup();
    let listing = |symbol: &Symbol| Listing {
        instrument: InstrumentId::new(Venue::Binance, *symbol),
        leverage: config.leverage(symbol),
        margin: MarginMode::Crossed,
    };
    Ok(Composition {
        engine,
        universe: symbols.iter().map(listing).collect(),
        read,
        left_out: idle.iter().map(|block| block.name.to_string()).collect(),
    })
}

/// Bar lengths that the enabled strategies decide on, each once, shortest first.
pub fn intervals(config: &Config) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = config.strategies.enabled().map(|block| block.timeframe).collect();
    intervals.sort();
    intervals.dedup();
    intervals
}
