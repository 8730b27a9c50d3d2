//! `config show` and `config explain`.

use std::fmt::Write;

use hedge_strategy::config::{KEYS as STRATEGY_KEYS, UNIVERSE_KEYS};

use super::{
    files::FileKind,
    load::Config,
    problem::{ConfigError, Problem, distance},
    runtime_keys::RUNTIME_KEYS,
};
use crate::env::{Env, VARIABLES};

/// The effective configuration with the origin of each value. Secrets are named, never shown.
pub fn show(config: &Config, env: &Env) -> String {
    let mut out = String::new();
    let runtime = serde_json::to_value(&config.runtime).unwrap_or_default();
    heading(&mut out, config.file(FileKind::Runtime));
    for key in RUNTIME_KEYS {
        let value = runtime.pointer(&format!("/{}", key.path.replace('.', "/")));
        let value = value.map_or_else(|| "none".to_owned(), ToString::to_string);
        line(&mut out, key.path, &value, config.sources.of(key.path));
    }
    for (kind, value) in [
        (FileKind::Limits, serde_json::to_value(&config.limits)),
        (FileKind::Universe, serde_json::to_value(&config.universe)),
        (FileKind::Strategies, serde_json::to_value(&config.strategies)),
    ] {
        heading(&mut out, config.file(kind));
        let text = value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_default();
        out.push_str(&text);
        out.push('\n');
    }
    heading(&mut out, "variables");
    for variable in VARIABLES {
        let (value, origin) = match env.get(variable.name) {
            None => (format!("not set, {}", variable.default), "default".to_owned()),
            Some(_) if Env::SECRETS.contains(&variable.name) => {
                ("set, hidden".to_owned(), env.origin(variable.name))
            }
            Some(value) => (value.to_owned(), env.origin(variable.name)),
        };
        line(&mut out, variable.name, &value, &origin);
    }
    // Writing to a String cannot fail.
    writeln!(out, "\nconfig_hash {}", config.hash()).ok();
    out
}

fn heading(out: &mut String, name: &str) {
    let gap = if out.is_empty() { "" } else { "\n" };
    writeln!(out, "{gap}# {name}").ok();
}

fn line(out: &mut String, key: &str, value: &str, origin: &str) {
    writeln!(out, "{key:<32} {value:<24} {origin}").ok();
}

/// One key of any file, or one variable, as read from its table.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) file: &'static str,
    pub(super) unit: String,
    pub(super) range: String,
    pub(super) default: String,
    pub(super) why: &'static str,
    set_by: String,
}

/// Everything about a key: unit, range, default, reason, and where it is set. A key of `runtime.toml` is named with or
/// without its section. Errors: an unknown key, with the nearest one.
pub fn explain(name: &str) -> Result<String, ConfigError> {
    let entries = entries();
    let wanted = name.trim();
    let found: Vec<&Entry> = entries.iter().filter(|entry| entry.is_called(wanted)).collect();
    if found.is_empty() {
        let bare = wanted.rsplit('.').next().unwrap_or(wanted).to_lowercase();
        let near = entries.iter().min_by_key(|entry| {
            let own = entry.name.to_lowercase();
            let own_bare = own.rsplit('.').next().unwrap_or(&own);
            distance(&wanted.to_lowercase(), &own).min(distance(&bare, own_bare))
        });
        let near = near.map(|entry| entry.name.as_str()).unwrap_or_default();
        return Err(Problem::new(
            "config explain",
            format!("{wanted}: unknown key; nearest valid key: {near}"),
        )
        .into());
    }
    Ok(found.into_iter().map(Entry::text).collect::<Vec<_>>().join("\n"))
}

impl Entry {
    fn is_called(&self, wanted: &str) -> bool {
        self.name.eq_ignore_ascii_case(wanted)
            || self.name.split_once('.').is_some_and(|(_, key)| key.eq_ignore_ascii_case(wanted))
            || (wanted.starts_with("HEDGE__") && self.set_by.ends_with(wanted))
    }

    fn text(&self) -> String {
        format!(
            "{} ({})\n  unit     {}\n  accepts  {}\n  default  {}\n  set by   {}\n  {}\n",
            self.name, self.file, self.unit, self.range, self.default, self.set_by, self.why
        )
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let runtime = RUNTIME_KEYS.iter().map(|key| Entry {
        name: key.path.to_owned(),
        file: FileKind::Runtime.name(),
        unit: key.unit.to_owned(),
        range: key.kind.range(),
        default: if key.default.is_empty() { "none".to_owned() } else { key.default.to_owned() },
        why: key.why,
        set_by: format!("section [{}], or the variable {}", key.split().0, key.variable()),
    });
    let json =
        |file: FileKind, name: &str, unit: &str, range: &str, default: &str, why: &'static str| Entry {
            name: name.to_owned(),
            file: file.name(),
            unit: unit.to_owned(),
            range: range.to_owned(),
            default: default.to_owned(),
            why,
            set_by: file.name().to_owned(),
        };
    let limits = hedge_risk::KEYS.iter().map(|k| Entry {
        set_by: format!("{}; a decimal may stand in quotes", FileKind::Limits.name()),
        ..json(FileKind::Limits, k.key, k.unit, k.range, k.default, k.why)
    });
    let strategies =
        STRATEGY_KEYS.iter().map(|k| json(FileKind::Strategies, k.key, k.unit, k.range, k.default, k.why));
    let universe =
        UNIVERSE_KEYS.iter().map(|k| json(FileKind::Universe, k.key, k.unit, k.range, k.default, k.why));
    let variables = VARIABLES.iter().map(|variable| Entry {
        name: variable.name.to_owned(),
        file: "variable",
        unit: "text".to_owned(),
        range: variable.range.to_owned(),
        default: variable.default.to_owned(),
        why: variable.why,
        set_by: "the process's environment, or .env".to_owned(),
    });
    runtime.chain(limits).chain(strategies).chain(universe).chain(variables).collect()
}
