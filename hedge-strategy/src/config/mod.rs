//! What operators write: `strategy_config.json` and `pairs_universe.json`, with every key explained.
//!
//! Shapes are checked by serde (an unknown key is an error), values by `validate`, which names each key that is out of its
//! range. [`KEYS`] and [`UNIVERSE_KEYS`] are what documentation and `config explain` are made from.

mod keys;
mod strategy;
mod universe;

use std::fmt;

use thiserror::Error;

pub use hedge_core::KeyInfo;
pub use keys::{KEYS, UNIVERSE_KEYS, find_key};
pub use strategy::{Kind, StrategiesConfig, StrategyConfig};
pub use universe::{SymbolOverride, UniverseConfig};

/// One value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {key} = {value} is not usable: expected {expected}")]
pub struct ConfigProblem {
    /// Whose setting it is: a strategy's name or a symbol.
    pub place: String,
    /// Which key.
    pub key: &'static str,
    /// What was given.
    pub value: String,
    /// What would have been accepted.
    pub expected: String,
}

/// Every value of a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// In the order of the file.
    pub problems: Vec<ConfigProblem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

/// Collects problems of one place.
#[derive(Debug)]
struct Checker {
    place: String,
    problems: Vec<ConfigProblem>,
}

impl Checker {
    const fn new(place: String) -> Self {
        Self { place, problems: Vec::new() }
    }
    fn problem(&mut self, key: &'static str, value: impl fmt::Display, expected: impl Into<String>) {
        let (place, value) = (self.place.clone(), value.to_string());
        self.problems.push(ConfigProblem { place, key, value, expected: expected.into() });
    }
    /// Both ends are accepted.
    fn within<T: PartialOrd + fmt::Display + Copy>(&mut self, key: &'static str, value: T, low: T, high: T) {
        // Written so that a NaN is a problem.
        if !(value >= low && value <= high) {
            self.problem(key, value, format!("{low} to {high}"));
        }
    }
    fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError { problems: self.problems }) }
    }
}
