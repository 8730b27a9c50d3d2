//! A configuration whose values can be replaced by those of a combination.

use std::{collections::BTreeMap, path::Path};

use figment::{
    Figment,
    providers::{Format, Toml},
    value::Dict,
};
use hedge_core::Symbol;
use serde_json::{Map, Value};

use super::{
    error::SweepError,
    grid::{Axis, Space, decimal, json_number},
};
use crate::{
    config::{Config, ConfigError, FileKind, Source, find, nearest, strangers},
    env::Env,
};

/// Sections of `runtime.toml` that a backtest looks at.
const SECTIONS: [&str; 3] = ["engine", "history", "paper"];
/// Numbers that say how much is risked, not when: they are not varied unless a grid names them.
const SIZES: [&str; 3] = ["leverage", "capital_per_trade", "portion"];
/// Around a configuration: multiples of what stands there.
const MULTIPLES: [&str; 9] = ["0.5", "0.625", "0.75", "0.875", "1", "1.25", "1.5", "1.75", "2"];

/// The four files, taken apart.
#[derive(Clone, Debug)]
pub struct Parameters {
    sources: [Source; 4],
    documents: [Value; 4],
    env: Env,
    base: Config,
}

impl Parameters {
    /// Reads a configuration as [`Config::load`] does. Errors: every problem, one line each.
    pub fn read(path: Option<&Path>, env: &Env) -> Result<Self, ConfigError> {
        let sources = find(path)?;
        let base = Config::of_sources(sources.clone(), strangers(path), env)?;
        let documents = FileKind::ALL.map(|kind| document(&sources[kind as usize]));
        Ok(Self { sources, documents, env: env.clone(), base })
    }

    /// The configuration as it stands.
    pub const fn base(&self) -> &Config {
        &self.base
    }

    /// The configuration of a combination. Errors: why it cannot be used, in one line.
    pub fn config(&self, space: &Space, combination: u64) -> Result<Config, String> {
        let values = space.values(combination);
        self.changed(space.axes.iter().zip(values).map(|(axis, value)| (axis.path.as_str(), value)))
    }

    /// Whether every path names a key that there is. Errors: [`SweepError::Grid`] in one line.
    pub fn check(&self, name: &str, space: &Space) -> Result<(), SweepError> {
        let mut seen = BTreeMap::new();
        for axis in &space.axes {
            if let Some(other) = seen.insert(self.canonical(&axis.path), &axis.path) {
                let text = format!("{} and {other} name the same key; expected each once", axis.path);
                return Err(SweepError::Grid { place: name.to_owned(), text });
            }
            let refused =
                axis.values.first().and_then(|value| self.changed([(axis.path.as_str(), value)]).err());
            // A value may be refused here and fit beside other values; a key that is not there never fits.
            if let Some(text) = refused.filter(|text| text.contains(UNKNOWN)) {
                return Err(SweepError::Grid {
                    place: name.to_owned(),
                    text: format!("{}: {text}", axis.path),
                });
            }
        }
        Ok(())
    }

    /// Every number of the enabled strategies of these symbols, from half to twice its value.
    pub fn around(&self, symbols: &[Symbol]) -> Space {
        let mut axes = Vec::new();
        let blocks = self.documents[FileKind::Strategies as usize]["strategies"].as_array();
        for (block, strategy) in blocks.into_iter().flatten().zip(&self.base.strategies.strategies) {
            if strategy.enabled && symbols.contains(&strategy.symbol) {
                around(block, &format!("strategies.{}", strategy.name), &mut axes);
            }
        }
        axes.sort_by(|a, b| a.path.cmp(&b.path));
        Space { axes }
    }

    /// A path with the name of its strategy in place of a number.
    fn canonical(&self, path: &str) -> String {
        let plain = path.replace('[', ".").replace(']', "");
        let mut keys: Vec<String> = plain.split('.').map(str::to_owned).collect();
        let number =
            keys.get(1).filter(|_| keys[0] == "strategies").and_then(|key| key.parse::<usize>().ok());
        if let Some(block) = number.and_then(|at| self.base.strategies.strategies.get(at)) {
            keys[1] = block.name.to_string();
        }
        keys.join(".")
    }

    fn changed<'a>(&self, changes: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Result<Config, String> {
        let mut documents = self.documents.clone();
        for (path, value) in changes {
            set(&mut documents, path, value)?;
        }
        let mut sources = self.sources.clone();
        for (source, document) in sources.iter_mut().zip(&documents) {
            if *document != self.documents[source.kind as usize] {
                source.text = text(source.kind, document);
            }
        }
        Config::of_sources(sources, Vec::new(), &self.env).map_err(|error| {
            let texts: Vec<String> = error.problems.into_iter().map(|problem| problem.text).collect();
            texts.join("; ")
        })
    }
}

const UNKNOWN: &str = "unknown ";

/// A file as a tree. It has been read as a configuration before, so it is well-formed.
fn document(source: &Source) -> Value {
    match source.kind {
        FileKind::Runtime => {
            let dict: Result<Dict, _> = Figment::from(Toml::string(&source.text)).extract();
            dict.ok().and_then(|dict| serde_json::to_value(dict).ok()).unwrap_or_default()
        }
        _ => serde_json::from_str(&source.text).unwrap_or_default(),
    }
}

/// A tree as a file again.
fn text(kind: FileKind, document: &Value) -> String {
    if kind != FileKind::Runtime {
        return document.to_string();
    }
    let mut toml = String::new();
    for (section, keys) in document.as_object().into_iter().flatten() {
        table(&mut toml, section, keys);
    }
    toml
}

/// One table and, after its own keys, those below it.
fn table(toml: &mut String, name: &str, keys: &Value) {
    toml.push_str(&format!("[{name}]\n"));
    let keys = || keys.as_object().into_iter().flatten();
    // Every value of the file is a text, a number or a switch, which JSON and TOML write alike.
    for (key, value) in keys().filter(|(_, value)| !value.is_object()) {
        toml.push_str(&format!("{key} = {value}\n"));
    }
    for (key, value) in keys().filter(|(_, value)| value.is_object()) {
        table(toml, &format!("{name}.{key}"), value);
    }
}

/// Puts a value where a path points. Errors: a line that says what is expected.
fn set(documents: &mut [Value; 4], path: &str, value: &Value) -> Result<(), String> {
    let plain = path.replace('[', ".").replace(']', "");
    let (file, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let keys: Vec<&str> = rest.split('.').collect();
    let (kind, begin) = match file {
        "strategies" => (FileKind::Strategies, Some("strategies")),
        "risk" => (FileKind::Limits, None),
        "universe" => (FileKind::Universe, None),
        "runtime" if SECTIONS.contains(&keys[0]) => (FileKind::Runtime, None),
        "runtime" => {
            return Err(format!("unknown to a backtest; expected runtime.{}", SECTIONS.join(", runtime.")));
        }
        _ => {
            return Err(
                "unknown path; expected strategies.NAME.key, risk.KEY, universe.key or runtime.section.key"
                    .to_owned(),
            );
        }
    };
    if keys.contains(&"") {
        return Err("unknown path; expected a key after the last dot".to_owned());
    }
    place(&mut documents[kind as usize], begin.into_iter().chain(keys), value)
}

fn place<'a>(tree: &mut Value, mut path: impl Iterator<Item = &'a str>, value: &Value) -> Result<(), String> {
    let Some(key) = path.next() else {
        // A number that the file writes as text stays text.
        *tree = match (&*tree, value) {
            (Value::String(_), Value::Number(number)) => Value::String(number.to_string()),
            _ => value.clone(),
        };
        return Ok(());
    };
    match tree {
        Value::Array(items) => {
            let names = || items.iter().map(|item| item["name"].as_str().unwrap_or_default());
            let at = key.parse().ok().or_else(|| names().position(|name| name == key));
            if let Some(at) = at.filter(|at| *at < items.len()) {
                return place(&mut items[at], path, value);
            }
            let near = nearest(key, names()).unwrap_or_default();
            Err(format!("unknown entry {key}; nearest: {near}"))
        }
        Value::Object(keys) => place(keys.entry(key).or_insert(Value::Null), path, value),
        other => {
            // What is not there yet begins here; a plain value gives way to the table that the path wants.
            *other = Value::Object(Map::new());
            match other {
                Value::Object(keys) => place(keys.entry(key).or_insert(Value::Null), path, value),
                _ => Ok(()),
            }
        }
    }
}

fn around(tree: &Value, path: &str, axes: &mut Vec<Axis>) {
    match tree {
        Value::Object(keys) => {
            for (key, below) in keys.iter().filter(|(key, _)| !SIZES.contains(&key.as_str())) {
                around(below, &format!("{path}.{key}"), axes);
            }
        }
        Value::Array(items) => {
            for (at, below) in items.iter().enumerate() {
                around(below, &format!("{path}.{at}"), axes);
            }
        }
        Value::Number(_) => {
            let (Some(number), whole) = (decimal(tree), tree.is_i64()) else { return };
            let multiples = MULTIPLES.iter().filter_map(|text| text.parse::<hedge_core::Decimal>().ok());
            let mut values: Vec<Value> = multiples
                .map(|multiple| {
                    let value = number * multiple;
                    json_number(if whole { value.round() } else { value }, whole)
                })
                .collect();
            values.dedup();
            if values.len() > 1 {
                axes.push(Axis { path: path.to_owned(), values });
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        Parameters::read(Some(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"))), &Env::default())
            .unwrap()
    }
    fn space(text: &str) -> Space {
        Space::from_toml("grid.toml", text).unwrap()
    }
    fn only(text: &str) -> Result<Config, String> {
        parameters().config(&space(text), 0)
    }

    #[test]
    fn keys_of_all_four_files_can_vary() {
        let config = only(
            "strategies.btc_breakout.lookback_bars = [36]\nstrategies.0.stop.atr = [2.5]\nrisk.KILL_DD_PCT = [7]\n\
             runtime.paper.balance_usdt = [5000]\nruntime.history.bars = [300]\n",
        )
        .unwrap();
        let block = &config.strategies.strategies[0];
        assert_eq!(block.lookback_bars, Some(36));
        assert_eq!(serde_json::to_value(block.stop).unwrap(), serde_json::json!({"atr": 2.5}));
        assert_eq!(config.limits.kill_dd_pct.to_string(), "7");
        assert_eq!(config.runtime.paper.balance_usdt.to_string(), "5000");
        assert_eq!(config.runtime.history.bars, 300);
        assert_ne!(config.hash(), parameters().base().hash());
    }

    #[test]
    fn money_that_the_file_writes_as_text_stays_text() {
        let config = only("strategies.btc_breakout.capital_per_trade = [250.5]\n").unwrap();
        assert_eq!(config.strategies.strategies[0].capital_per_trade.to_string(), "250.5");
    }

    #[test]
    fn whole_tables_and_words_can_vary_and_absent_keys_can_be_set() {
        let config = only("strategies.btc_breakout.stop = [{ percent = 1.5 }]\nstrategies.sol_fast_lane.mode = [\"momentum\"]\nstrategies.eth_momentum.max_bars = [50]\n").unwrap();
        let stop = serde_json::to_value(config.strategies.strategies[0].stop).unwrap();
        assert_eq!(stop, serde_json::json!({"percent": 1.5}));
        assert_eq!(config.strategies.strategies[1].max_bars, Some(50));
    }

    #[test]
    fn a_key_that_there_is_not_is_one_line_with_the_nearest() {
        for (text, expected) in [
            ("strategies.btc_breakout.lokback_bars = [1]", "unknown key; nearest valid key: lookback_bars"),
            (
                "strategies.btc_brekout.lookback_bars = [1]",
                "unknown entry btc_brekout; nearest: btc_breakout",
            ),
            ("risk.KILL_DD = [1]", "unknown key; nearest valid key: KILL_DD_PCT"),
            ("runtime.history.bar = [1]", "unknown key; nearest valid key: history.bars"),
            ("runtime.log.level = [\"warn\"]", "expected runtime.engine, runtime.history, runtime.paper"),
            (
                "strategies.btc_breakout.lookback_bars = [12]\nstrategies.0.lookback_bars = [24]",
                "strategies.btc_breakout.lookback_bars and strategies.0.lookback_bars name the same key",
            ),
            ("strategy.x = [1]", "expected strategies.NAME.key, risk.KEY"),
        ] {
            let error = parameters().check("grid.toml", &space(text)).unwrap_err().to_string();
            assert!(
                error.starts_with("grid.toml: ") && error.contains(expected) && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn a_value_that_only_fits_beside_others_is_not_refused_early() {
        let grid =
            space("strategies.eth_momentum.ema_fast = [60]\nstrategies.eth_momentum.ema_slow = [50, 90]\n");
        parameters().check("grid.toml", &grid).unwrap();
        assert!(parameters().config(&grid, 0).unwrap_err().contains("ema_fast"));
        assert!(parameters().config(&grid, 1).is_ok());
    }

    #[test]
    fn around_a_configuration_every_number_of_the_traded_strategies_varies() {
        let space = parameters().around(&[Symbol::parse("BTCUSDT").unwrap()]);
        let paths: Vec<&str> = space.axes.iter().map(|axis| axis.path.as_str()).collect();
        assert!(paths.contains(&"strategies.btc_breakout.lookback_bars"), "{paths:?}");
        assert!(paths.contains(&"strategies.btc_breakout.trailing.activate.atr"), "{paths:?}");
        assert!(paths.iter().all(|path| path.starts_with("strategies.btc_breakout.")), "{paths:?}");
        assert!(
            !paths.iter().any(|path| path.ends_with("leverage") || path.ends_with("portion")),
            "{paths:?}"
        );
        let lookback = space.axes.iter().find(|axis| axis.path.ends_with("lookback_bars")).unwrap();
        assert_eq!(lookback.values, [12, 15, 18, 21, 24, 30, 36, 42, 48].map(Value::from));
    }
}
