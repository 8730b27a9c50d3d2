//! Each JSON file alone: its shape, then its values, each problem at its line.

use hedge_risk::RiskLimits;
use hedge_strategy::config::{ConfigProblem, StrategiesConfig, UniverseConfig};

use super::{
    files::Source,
    json::{Hint, assignment, read},
    outline::{Outline, Spot},
    problem::{ConfigError, Problem},
};

/// A file's content and where it stands.
#[derive(Debug)]
pub(crate) struct Checked<T> {
    pub(crate) value: T,
    pub(crate) outline: Outline,
}

pub(crate) fn check_universe(source: &Source) -> Result<Checked<UniverseConfig>, ConfigError> {
    let (value, outline): (UniverseConfig, _) = read(&source.name, &source.text, strategy_hint)?;
    let spot = |problem: &ConfigProblem| {
        let of_symbol = ["overrides", problem.place.as_str(), problem.key];
        outline.at(&of_symbol).or_else(|| outline.at(&of_symbol[..2])).or_else(|| outline.at(&[problem.key]))
    };
    match value.validate() {
        Ok(()) => Ok(Checked { value, outline }),
        Err(error) => Err(placed(source, error.problems.iter().map(|problem| (spot(problem), problem)))),
    }
}

pub(crate) fn check_strategies(source: &Source) -> Result<Checked<StrategiesConfig>, ConfigError> {
    let (value, outline): (StrategiesConfig, _) = read(&source.name, &source.text, strategy_hint)?;
    // The last of two blocks with one name is the one that is complained about.
    let spot = |problem: &ConfigProblem| {
        let block = value.strategies.iter().rposition(|block| block.name.as_str() == problem.place)?;
        let block = block.to_string();
        let path = ["strategies", block.as_str(), problem.key];
        outline.at(&path).or_else(|| outline.at(&path[..2]))
    };
    match value.validate() {
        Ok(()) => Ok(Checked { value, outline }),
        Err(error) => Err(placed(source, error.problems.iter().map(|problem| (spot(problem), problem)))),
    }
}

pub(crate) fn check_limits(source: &Source) -> Result<Checked<RiskLimits>, ConfigError> {
    let hint = |key: &str| hedge_risk::find_key(key).map(|info| Hint { range: info.range, unit: info.unit });
    let (value, outline): (RiskLimits, _) = read(&source.name, &source.text, hint)?;
    match value.validate() {
        Ok(()) => Ok(Checked { value, outline }),
        Err(error) => {
            let problems = error.problems.iter().map(|problem| {
                let spot = outline.at(&[problem.key]);
                let line = spot.as_ref().map_or(1, |spot| spot.line);
                let found = spot.map_or_else(|| problem.value.clone(), |spot| spot.found);
                let text = format!("{}: {}", assignment(problem.key, &found), problem.expected);
                Problem::new(format!("{}:{line}", source.name), text)
            });
            Err(ConfigError { problems: problems.collect() })
        }
    }
}

fn strategy_hint(key: &str) -> Option<Hint> {
    hedge_strategy::config::find_key(key).map(|info| Hint { range: info.range, unit: info.unit })
}

/// Problems at their lines; what is absent from the file is complained about at its block.
fn placed<'a>(
    source: &Source,
    problems: impl Iterator<Item = (Option<Spot>, &'a ConfigProblem)>,
) -> ConfigError {
    let problems = problems.map(|(spot, problem)| {
        let line = spot.as_ref().map_or(1, |spot| spot.line);
        let text = match spot {
            Some(spot) if spot.key.as_deref() == Some(problem.key) => assignment(&spot.path, &spot.found),
            // The place itself is what cannot be used.
            Some(spot) if spot.path == format!("{}.{}", problem.key, problem.value) => spot.path,
            Some(spot) => assignment(&format!("{}.{}", spot.path, problem.key), &problem.value),
            None => assignment(problem.key, &problem.value),
        };
        Problem::new(format!("{}:{line}", source.name), format!("{text}: expected {}", problem.expected))
    });
    ConfigError { problems: problems.collect() }
}
