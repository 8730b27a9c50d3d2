//! Defaults, then `runtime.toml`, then variables: merged by figment, checked against the table of keys.

use std::collections::BTreeMap;

use figment::{
    Figment,
    providers::{Format, Serialized, Toml},
    value::{Dict, Value},
};

use super::{
    calendar,
    json::{assignment, expected},
    problem::{ConfigError, Problem, nearest},
    protect::{Countdown, Probed},
    runtime::RuntimeConfig,
    runtime_keys::{Kind, RUNTIME_KEYS, defaults, find},
    stop_variables,
    toml_lines::TomlLines,
};
use crate::env::Env;

/// How variables of keys begin.
pub(super) const PREFIX: &str = "HEDGE__";

/// The venue wants an order's end further ahead than 600 s; the rest is for clocks that differ and orders that wait.
const LEAST_GTD_S: u64 = 660;

/// Where each value came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuntimeSources {
    by_key: BTreeMap<&'static str, String>,
}

impl RuntimeSources {
    /// `config/runtime.toml:12`, `environment`, or `default`.
    pub(crate) fn of(&self, path: &str) -> &str {
        self.by_key.get(path).map_or("default", String::as_str)
    }
}

/// Variables that override keys: the key, its value and which variable it was.
struct Overrides {
    dict: Dict,
    origins: BTreeMap<String, (String, String)>,
}

pub(crate) fn load(
    name: &str,
    text: &str,
    env: &Env,
) -> Result<(RuntimeConfig, RuntimeSources), ConfigError> {
    let lines = TomlLines::scan(text);
    let file: Dict = Figment::from(Toml::string(text)).extract().map_err(|error| unreadable(name, &error))?;
    let mut problems = Vec::new();
    let mut sources = RuntimeSources::default();
    for (section, value) in &file {
        let place = format!("{name}:{}", lines.of(section));
        let Value::Dict(_, keys) = value else {
            problems.push(unknown(place, section, &found(value)));
            continue;
        };
        if !RUNTIME_KEYS.iter().any(|key| is_below(key.path, section)) {
            problems.push(unknown_section(place, section));
            continue;
        }
        let mut seen = Seen { name, lines: &lines, sources: &mut sources, problems: &mut problems };
        seen.section(section, keys);
    }
    let overrides = overrides(env, &mut problems);
    for (path, (origin, variable)) in &overrides.origins {
        if let Some(known) = find(path) {
            sources.by_key.insert(known.path, format!("{variable} in {origin}"));
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    let config: RuntimeConfig = Figment::from(Serialized::defaults(defaults()))
        .merge(Toml::string(text))
        .merge(Serialized::defaults(overrides.dict))
        .extract()
        .map_err(|error| unreadable(name, &error))?;
    let problems = cross_checks(&config, &sources);
    if problems.is_empty() { Ok((config, sources)) } else { Err(ConfigError { problems }) }
}

/// What is found in the file, against the table of keys.
struct Seen<'a> {
    name: &'a str,
    lines: &'a TomlLines,
    sources: &'a mut RuntimeSources,
    problems: &'a mut Vec<Problem>,
}

impl Seen<'_> {
    fn section(&mut self, section: &str, keys: &Dict) {
        for (key, value) in keys {
            let path = format!("{section}.{key}");
            let place = format!("{}:{}", self.name, self.lines.of(&path));
            match (find(&path), value) {
                (None, Value::Dict(_, inner)) if RUNTIME_KEYS.iter().any(|key| is_below(key.path, &path)) => {
                    self.section(&path, inner);
                }
                (None, Value::Dict(..)) => self.problems.push(unknown_section(place, &path)),
                (None, _) => self.problems.push(unknown(place, &path, &found(value))),
                (Some(known), _) if !known.kind.accepts(value) => {
                    let wanted = expected(&known.kind.range(), known.unit);
                    let text = format!("{}: {wanted}", assignment(&path, &found(value)));
                    self.problems.push(Problem::new(place, text));
                }
                (Some(known), _) => {
                    self.sources.by_key.insert(known.path, place);
                }
            }
        }
    }
}

fn unknown_section(place: String, section: &str) -> Problem {
    let near = nearest(section, RUNTIME_KEYS.iter().map(|key| key.split().0)).unwrap_or_default();
    Problem::new(place, format!("[{section}]: unknown section; nearest valid section: [{near}]"))
}

/// Whether a key stands in a section, or in a section of it.
fn is_below(path: &str, section: &str) -> bool {
    path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

/// Puts a value where its path says, making the sections on the way.
pub(super) fn put(dict: &mut Dict, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            dict.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = dict.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// What no single key can tell.
fn cross_checks(config: &RuntimeConfig, sources: &RuntimeSources) -> Vec<Problem> {
    let one_url_only = match (&config.binance.rest_url, &config.binance.ws_url) {
        (Some(_), None) => Some(("binance.rest_url", "binance.ws_url")),
        (None, Some(_)) => Some(("binance.ws_url", "binance.rest_url")),
        _ => None,
    };
    let one_url_only = one_url_only.map(|(given, missing)| {
        let text = format!("{given}: given without {missing}; override both or none");
        Problem::new(sources.of(given), text)
    });
    let telegram = &config.telegram.base_url;
    let in_the_clear = (telegram.starts_with("http://") && !is_on_this_machine(telegram)).then(|| {
        let text = assignment("telegram.base_url", &found(&Value::from(telegram.as_str())));
        let wanted = "expected https://: the token would travel in the clear; without TLS only a host on this machine is possible";
        Problem::new(sources.of("telegram.base_url"), format!("{text}: {wanted}"))
    });
    let gtd_s = config.deadman.gtd_s;
    let too_short = (1..LEAST_GTD_S).contains(&gtd_s).then(|| {
        let text = format!(
            "deadman.gtd_s = {gtd_s}: expected 0, or at least {LEAST_GTD_S} s: the venue takes no shorter end"
        );
        Problem::new(sources.of("deadman.gtd_s"), text)
    });
    let deadman = &config.deadman;
    let unprobed = (deadman.binance == Countdown::Armed && deadman.probe == Probed::Unknown).then(|| {
        let text = "deadman.binance = \"armed\": expected off while deadman.probe is unknown: the countdown may take stops away \
             with it; run hedgectl probe deadman on a demo account, and write deadman.probe = \"plain_only\" if it says so";
        Problem::new(sources.of("deadman.binance"), text.to_owned())
    });
    let binance = &config.binance;
    let late = config.fence.problem(binance.recv_window_ms.into(), binance.timeout_ms);
    let late = late.map(|(key, text)| Problem::new(sources.of(key), text));
    one_url_only.into_iter().chain(in_the_clear).chain(too_short).chain(unprobed).chain(late).collect()
}

/// Whether a base URL names this machine.
pub(crate) fn is_on_this_machine(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn overrides(env: &Env, problems: &mut Vec<Problem>) -> Overrides {
    let mut overrides = Overrides { dict: Dict::new(), origins: BTreeMap::new() };
    // The operators' own name for one key; the long form wins over it.
    if let Some(level) = env.log_level() {
        overrides.set("log.level", Value::from(level), env.origin("LOG_LEVEL"), "LOG_LEVEL");
    }
    if let Some(zone) = env.get("HEARTBEAT_TZ") {
        let origin = env.origin("HEARTBEAT_TZ");
        if calendar::is_zone(zone) {
            overrides.set("heartbeat.zone", Value::from(zone.trim()), origin, "HEARTBEAT_TZ");
        } else {
            let text = assignment("HEARTBEAT_TZ", &found(&Value::from(zone)));
            problems.push(Problem::new(origin, format!("{text}: {}", expected(&Kind::Zone.range(), ""))));
        }
    }
    for (path, value, variable) in stop_variables::read(env, problems) {
        overrides.set(path, value, env.origin(variable), variable);
    }
    for (variable, text) in env.starting_with(PREFIX) {
        let origin = env.origin(variable);
        let path = variable[PREFIX.len()..].to_lowercase().replace("__", ".");
        match find(&path) {
            None => {
                let near = nearest(&path, RUNTIME_KEYS.iter().map(|key| key.path)).and_then(find);
                let near = near.map(|key| key.variable()).unwrap_or_default();
                problems.push(Problem::new(
                    origin,
                    format!("{variable}: unknown key {path}; nearest valid variable: {near}"),
                ));
            }
            Some(key) => {
                let value = key.kind.read(text);
                if key.kind.accepts(&value) {
                    overrides.set(key.path, value, origin, variable);
                } else {
                    let wanted = expected(&key.kind.range(), key.unit);
                    let text = assignment(variable, &found(&Value::from(text)));
                    problems.push(Problem::new(origin, format!("{text}: {wanted}")));
                }
            }
        }
    }
    overrides
}

impl Overrides {
    fn set(&mut self, path: &str, value: Value, origin: String, variable: &str) {
        put(&mut self.dict, path, value);
        self.origins.insert(path.to_owned(), (origin, variable.to_owned()));
    }
}

/// A key that the table does not have. A key without its section is looked for in every section.
fn unknown(place: String, path: &str, found: &str) -> Problem {
    let near = match RUNTIME_KEYS.iter().find(|key| key.split().1 == path) {
        Some(same_name) => Some(same_name.path),
        None => nearest(path, RUNTIME_KEYS.iter().map(|key| key.path)),
    };
    let near = near.unwrap_or_default();
    Problem::new(place, format!("{}: unknown key; nearest valid key: {near}", assignment(path, found)))
}

/// A value as it would be written.
fn found(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The TOML reader explains with a picture over several lines; one line is kept of it.
fn unreadable(name: &str, error: &figment::Error) -> Problem {
    let text = error.to_string();
    let line = text
        .split_once(" at line ")
        .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok());
    let why = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or(&text).trim().to_owned();
    match line {
        Some(line) => Problem::new(format!("{name}:{line}"), format!("not valid TOML: {why}")),
        None => Problem::new(name, why),
    }
}
