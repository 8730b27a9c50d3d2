//! A run's own configuration, kept with the run: what decided how it traded, so that its decisions can be made again later.
//!
//! `configs/<hash>.json` of a state directory holds what the hash covers, without secrets and without what only people read.
//! It is checked by that hash when it is read.

use std::{fs, io, path::Path};

use hedge_core::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Config,
    files::{FileKind, Source},
    runtime_keys::{Kind, RUNTIME_KEYS},
};
use crate::{compose::Pacing, env::Env, runs::write_private};

/// The folder of a state directory that holds them.
pub const KEPT_FOLDER: &str = "configs";
const FORMAT: u32 = 1;
/// Sections that decide nothing; some of them name hosts and files.
const LEFT_OUT: [&str; 5] = ["store", "views", "log", "telegram", "heartbeat"];
/// Sections from which an engine is made. None of them has room for a host, a path or a name.
const DECIDING: [&str; 4] = ["engine", "stops", "deadman", "foreign"];

/// A configuration as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptConfig {
    format: u32,
    /// As the run states it.
    config_hash: String,
    /// How many times as fast as walls' the run's clock went; digits, so that it reads back as the same number.
    speed: String,
    /// Whether only what an engine is made from is left of it. The hash covers more, and cannot be checked then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reduced: bool,
    universe: Value,
    strategies: Value,
    limits: Value,
    runtime: Value,
}

impl KeptConfig {
    /// What is to be kept of a configuration and its pace.
    pub fn of(config: &Config, pacing: Pacing) -> Self {
        let value = |value: Result<Value, serde_json::Error>| value.unwrap_or_default();
        let mut runtime = value(serde_json::to_value(&config.runtime));
        if let Value::Object(sections) = &mut runtime {
            sections.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
        }
        Self {
            format: FORMAT,
            config_hash: pacing.hash(config),
            speed: pacing.speed().max(1.0).to_string(),
            reduced: false,
            universe: value(serde_json::to_value(&config.universe)),
            strategies: value(serde_json::to_value(&config.strategies)),
            limits: value(serde_json::to_value(&config.limits)),
            runtime,
        }
    }

    /// The hash that the run states.
    pub fn stated_hash(&self) -> &str {
        &self.config_hash
    }

    /// Only what an engine is made from: no host, no path.
    #[must_use]
    pub fn reduced(mut self) -> Self {
        if let Value::Object(sections) = &mut self.runtime {
            sections.retain(|name, _| DECIDING.contains(&name.as_str()));
        }
        self.reduced = true;
        self
    }

    /// As the text of its file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the text of a file.
    ///
    /// Errors: a sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let kept: Self = serde_json::from_str(text).map_err(|error| format!("it cannot be read: {error}"))?;
        if kept.format == FORMAT {
            Ok(kept)
        } else {
            Err(format!("its format is {}, this program reads {FORMAT}", kept.format))
        }
    }

    /// The configuration again, and the pace of the run's clock. What is not kept is at its defaults.
    ///
    /// Errors: a sentence that says what cannot be used, or that it is not the one that its hash names.
    pub fn restore(&self) -> Result<(Config, Pacing), String> {
        let speed = self.speed.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed > 0.0);
        let pacing = Pacing::of_speed(
            speed.ok_or_else(|| format!("its speed {:?} is no number above 0", self.speed))?,
        );
        let name = |kind: FileKind| format!("kept {}", kind.name());
        let json = |kind, value: &Value| Source { kind, name: name(kind), text: value.to_string() };
        let runtime = FileKind::Runtime;
        let sources = [
            json(FileKind::Universe, &self.universe),
            json(FileKind::Strategies, &self.strategies),
            json(FileKind::Limits, &self.limits),
            Source { kind: runtime, name: name(runtime), text: toml(&self.runtime)? },
        ];
        let config =
            Config::of_sources(sources, Vec::new(), &Env::default()).map_err(|error| error.to_string())?;
        let hash = pacing.hash(&config);
        if !self.reduced && hash != self.config_hash {
            return Err(format!("it hashes to {hash}, but is named {}: it was changed", self.config_hash));
        }
        Ok((config, pacing))
    }
}

/// Keeps a run's configuration in its state directory, unless it is there. Gives the hash that the run states.
///
/// Errors: it cannot be written, or what would be written does not read back as the same configuration.
pub fn keep(state_dir: &Path, config: &Config, pacing: Pacing) -> io::Result<String> {
    let kept = KeptConfig::of(config, pacing);
    let folder = state_dir.join(KEPT_FOLDER);
    let file = folder.join(file_name(&kept.config_hash));
    let text = kept.to_text();
    if fs::read_to_string(&file).is_ok_and(|found| found == text) {
        return Ok(kept.config_hash);
    }
    KeptConfig::parse(&text).and_then(|kept| kept.restore()).map_err(io::Error::other)?;
    create_private(&folder)?;
    write_private(&file, text.as_bytes())?;
    Ok(kept.config_hash)
}

/// The configuration of that hash that a state directory keeps; `None` when it keeps none.
///
/// Errors: a sentence that names the file.
pub fn find_kept(state_dir: &Path, hash: &str) -> Result<Option<KeptConfig>, String> {
    if hash.is_empty() || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let file = state_dir.join(KEPT_FOLDER).join(file_name(hash));
    let named = |why: String| format!("{}: {why}", file.display());
    match fs::read_to_string(&file) {
        Ok(text) => {
            let kept = KeptConfig::parse(&text).map_err(named)?;
            if kept.config_hash == hash {
                Ok(Some(kept))
            } else {
                Err(named("it is another one's".to_owned()))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(error.to_string())),
    }
}

fn file_name(hash: &str) -> String {
    format!("{hash}.json")
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn is_number(section: &str, key: &str) -> bool {
    RUNTIME_KEYS.iter().any(|known| {
        known.path.split_once('.') == Some((section, key)) && matches!(known.kind, Kind::Number { .. })
    })
}

/// Sections of plain values as TOML, so that they are read and checked as an operator's file is.
fn toml(runtime: &Value) -> Result<String, String> {
    let refused = |name: &str| format!("{name} is not what a section of runtime.toml may hold");
    let mut text = String::new();
    for (section, keys) in runtime.as_object().ok_or_else(|| refused("runtime"))? {
        text.push_str(&format!("[{section}]\n"));
        for (key, value) in keys.as_object().ok_or_else(|| refused(section))? {
            match value {
                Value::Null => {}
                // A decimal is kept as its digits, and stands in a file without quotes. An id of digits has them.
                Value::String(digits)
                    if is_number(section, key) && Decimal::from_str_exact(digits).is_ok() =>
                {
                    text.push_str(&format!("{key} = {digits}\n"));
                }
                Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    text.push_str(&format!("{key} = {value}\n"));
                }
                Value::Array(_) | Value::Object(_) => return Err(refused(&format!("{section}.{key}"))),
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    fn config(pairs: &[(&str, &str)]) -> Config {
        Config::load(None, &Env::from_pairs(pairs.iter().copied())).unwrap()
    }

    fn unusual() -> Config {
        config(&[
            ("HEDGE__ENGINE__MUTE_S", "901"),
            ("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:81"),
            ("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:82"),
            ("HEDGE__PAPER__SPEED", "2.5"),
            ("HEDGE__PAPER__BALANCE_USDT", "12345.5"),
            ("HEDGE__FOREIGN__ORDERS", "adopt"),
            ("HEDGE__FENCE__ACCOUNT", "48213377"),
            ("HEDGE__JOURNAL__DURABILITY", "os"),
            ("HEDGE__LOG__FILE", "/var/log/hedge.log"),
        ])
    }

    #[test]
    fn a_kept_configuration_is_the_same_one_by_its_hash_and_names_no_log() {
        let temp = TempDir::new();
        for (config, speed) in [(config(&[]), 1.0), (unusual(), 1.0), (unusual(), 60.3)] {
            let pacing = Pacing::of_speed(speed);
            let hash = keep(&temp.0, &config, pacing).unwrap();
            assert_eq!(hash, pacing.hash(&config));
            assert_eq!(keep(&temp.0, &config, pacing).unwrap(), hash, "a second start keeps the same");
            let kept = find_kept(&temp.0, &hash).unwrap().unwrap();
            let (again, pace) = kept.restore().unwrap();
            assert_eq!((again.hash(), pace), (config.hash(), pacing));
            assert!(!kept.to_text().contains("hedge.log"));
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
                let folder = temp.0.join(KEPT_FOLDER);
                assert_eq!((mode(&folder), mode(&folder.join(file_name(&hash)))), (0o700, 0o600));
            }
        }
        assert_eq!(find_kept(&temp.0, "../../owner"), Ok(None));
    }

    #[test]
    fn a_changed_one_is_refused_and_a_reduced_one_makes_the_same_engine_without_a_host() {
        let kept = KeptConfig::of(&unusual(), Pacing::WALL);
        let changed = KeptConfig::parse(&kept.to_text().replace("901", "902")).unwrap();
        let error = changed.restore().unwrap_err();
        assert!(error.contains("it was changed"), "{error}");
        let reduced = kept.reduced();
        assert!(!reduced.to_text().contains("127.0.0.1"), "{}", reduced.to_text());
        let (config, _) = reduced.restore().unwrap();
        let engine = |config: &Config| format!("{:?}", config.runtime.engine(config.limits.max_slippage()));
        assert_eq!(engine(&config), engine(&unusual()));
        for nonsense in ["", "{}", "[]", "{\"format\":9}"] {
            assert!(KeptConfig::parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
