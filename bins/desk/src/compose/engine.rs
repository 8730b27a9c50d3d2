//! From the configuration to an engine: strategies, limits, instruments.

use hedge_core::{
    InstrumentId, Interval, MarginMode, StopValidator, Symbol, Venue, engine::Engine, engine::EngineConfig,
};
use hedge_risk::{LimitsError, RiskStack};
use hedge_runtime::Listing;
use hedge_strategy::config::StrategyConfig;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::client::stretched;
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

/// How the run's clock goes, where that matters to the engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pacing {
    speed: f64,
}

impl Pacing {
    /// A clock as on walls.
    pub const WALL: Self = Self { speed: 1.0 };

    /// A clock that runs so many times as fast as those on walls.
    pub const fn of_speed(speed: f64) -> Self {
        Self { speed }
    }

    /// How many times as fast.
    pub const fn speed(self) -> f64 {
        self.speed
    }

    /// The configuration's hash as a run at this pace states it: another pace is another engine, and its decisions are not
    /// those of a slower one.
    pub fn hash(self, config: &Config) -> String {
        let hash = config.hash();
        if self.speed <= 1.0 {
            return hash;
        }
        let text = format!("{hash} at {} times the speed", self.speed);
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What bounds our own latency is as long on walls at any speed; the engine counts it by the run's clock.
    fn engine(self, config: EngineConfig) -> EngineConfig {
        EngineConfig {
            protect_within: stretched(config.protect_within, self.speed),
            approval_ttl: stretched(config.approval_ttl, self.speed),
            validator: StopValidator {
                grace: stretched(config.validator.grace, self.speed),
                interval: stretched(config.validator.interval, self.speed),
                ..config.validator
            },
            unknown_alert_after: stretched(config.unknown_alert_after, self.speed),
            ..config
        }
    }
}

/// Builds the engine for some symbols of the universe, in their order, for a clock as on walls.
///
/// Errors: [`ComposeError`].
pub fn compose(config: &Config, symbols: &[Symbol]) -> Result<Composition, ComposeError> {
    compose_paced(config, symbols, Pacing::WALL)
}

/// The same for a clock that may run faster. Errors: [`ComposeError`].
pub fn compose_paced(
    config: &Config,
    symbols: &[Symbol],
    pacing: Pacing,
) -> Result<Composition, ComposeError> {
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
    let engine = Engine::new(pacing.engine(settings), Box::new(risk), strategies);
    let mut read: Vec<InstrumentId> =
        engine.needs().iter().map(|need| need.instrument).chain(engine.tick_needs()).collect();
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn on_a_fast_clock_our_own_latency_is_bounded_by_walls_and_cool_downs_are_not() {
        let wall = EngineConfig::default();
        let fast = Pacing::of_speed(60.0).engine(wall.clone());
        assert_eq!(fast.protect_within, Duration::from_secs(180));
        assert_eq!(fast.approval_ttl, Duration::from_secs(120));
        assert_eq!(fast.mute_for, wall.mute_for);
        assert_eq!(Pacing::of_speed(0.01).engine(wall.clone()).protect_within, wall.protect_within);
    }
}
