//! What can still be used of a broken configuration: for a program that must work at the worst moment.

use std::path::Path;

use figment::{
    Figment,
    providers::{Format, Toml},
    value::Dict,
};

use super::{
    Config, ConfigError,
    files::{FileKind, Source},
    runtime_load::{self, PREFIX},
};
use crate::env::{Env, VARIABLES, decides_where};

/// Keys that say where the venue is and how it is spoken to.
const HOSTS: [&str; 2] = ["rest_url", "ws_url"];
const MANNERS: [&str; 2] = ["recv_window_ms", "timeout_ms"];

impl Config {
    /// As [`load`](Self::load), but whatever cannot be used is replaced by what is built in; the problems come beside it. Of a
    /// broken `runtime.toml` the hosts are kept, and of the variables every one that can be used.
    ///
    /// Errors: a variable that forbids or names the venue cannot be understood, or the file names hosts that cannot be used. A
    /// guess could be another account.
    pub fn salvage(path: Option<&Path>, env: &Env) -> Result<(Self, Option<ConfigError>), ConfigError> {
        let problems = match Self::load(path, env) {
            Ok(config) => return Ok((config, None)),
            Err(problems) => problems,
        };
        let env = usable(env)?;
        let (name, text) = runtime_text(path);
        let mut texts = vec![text.clone()];
        let sections = [section(&text, &[HOSTS, MANNERS].concat()), section(&text, &HOSTS)];
        texts.extend(sections.into_iter().filter(|part| names_a_host(part)));
        // Whoever named a host does not mean the profile's own; variables win over the file in any case.
        if !names_a_host(&text) || HOSTS.iter().all(|key| env.get(&variable(key)).is_some()) {
            texts.push(String::new());
        }
        for text in texts {
            let [universe, strategies, limits, _] = FileKind::ALL.map(Source::shipped);
            let runtime = Source { kind: FileKind::Runtime, name: name.clone(), text };
            if let Ok(config) = Self::of_sources([universe, strategies, limits, runtime], Vec::new(), &env) {
                return Ok((config, Some(problems)));
            }
        }
        Err(problems)
    }
}

fn variable(key: &str) -> String {
    format!("{PREFIX}BINANCE__{}", key.to_uppercase())
}

/// The variables without those that cannot be used. Errors: one of these decides which account is meant.
fn usable(env: &Env) -> Result<Env, ConfigError> {
    let ours = VARIABLES.iter().map(|variable| variable.name).filter(|name| env.get(name).is_some());
    let names = ours.chain(env.starting_with(PREFIX).map(|(name, _)| name));
    let (mut left_out, mut refused) = (Vec::new(), Vec::new());
    for name in names {
        let Some(mut problems) = trouble(name, &env.only(name)) else { continue };
        if decides_where(name) {
            refused.append(&mut problems.problems);
        } else {
            left_out.push(name.to_owned());
        }
    }
    if refused.is_empty() { Ok(env.without(&left_out)) } else { Err(ConfigError { problems: refused }) }
}

/// What is wrong with a variable, seen alone.
fn trouble(name: &str, alone: &Env) -> Option<ConfigError> {
    let problems = alone.switches().err().or_else(|| runtime_load::load("", "", alone).err())?;
    let is_host = HOSTS.iter().any(|key| variable(key) == name);
    // A host without the other one is no trouble of its own.
    let is_lone = problems.problems.iter().all(|problem| problem.text.contains("given without"));
    (!(is_host && is_lone)).then_some(problems)
}

/// Whether a text sets a host, also where it is no TOML.
fn names_a_host(text: &str) -> bool {
    let sets = |line: &str| HOSTS.iter().any(|key| line.trim_start().starts_with(key));
    text.lines().any(sets)
}

/// The file's text as far as it can be read, and what it is called.
fn runtime_text(path: Option<&Path>) -> (String, String) {
    let given = path.unwrap_or(Path::new("config"));
    let file = match given.extension() {
        Some(ending) if ending == "toml" => given.to_owned(),
        Some(ending) if ending == "json" => given.with_file_name(FileKind::Runtime.name()),
        _ => given.join(FileKind::Runtime.name()),
    };
    let text = std::fs::read(&file).unwrap_or_default();
    (file.display().to_string(), String::from_utf8_lossy(&text).into_owned())
}

/// The named keys of `[binance]`, as far as the text is TOML at all.
fn section(text: &str, keys: &[&str]) -> String {
    let Ok(file) = Figment::from(Toml::string(text)).extract::<Dict>() else { return String::new() };
    let Some(found) = file.get("binance").and_then(|value| value.as_dict()) else { return String::new() };
    let mut lines = vec!["[binance]".to_owned()];
    for key in keys {
        match found.get(*key) {
            Some(figment::value::Value::String(_, text)) => lines.push(format!("{key} = {text:?}")),
            Some(figment::value::Value::Num(_, number)) => {
                lines.extend(number.to_i128().map(|number| format!("{key} = {number}")));
            }
            _ => {}
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    struct Folder(PathBuf);
    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("hedge-salvage-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            for kind in FileKind::ALL {
                fs::write(path.join(kind.name()), Source::shipped(kind).text).unwrap();
            }
            for (file, text) in files {
                fs::write(path.join(file), text).unwrap();
            }
            Self(path)
        }
        fn salvaged(&self, env: &Env) -> (Config, Option<ConfigError>) {
            Config::salvage(Some(&self.0), env).unwrap()
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    const HOST: &str = "[binance]\nrest_url = \"http://127.0.0.1:81\"\nws_url = \"ws://127.0.0.1:82\"\nrecv_window_ms = 4000\n";

    #[test]
    fn a_typo_in_the_limits_keeps_the_hosts_and_is_told() {
        let folder =
            Folder::new("limits", &[("risk_limits.json", "{ \"KILL_DD_PC\": 5 }"), ("runtime.toml", HOST)]);
        let (config, problems) = folder.salvaged(&Env::default());
        assert_eq!(config.runtime.binance.rest_url.as_deref(), Some("http://127.0.0.1:81"));
        assert_eq!(config.runtime.binance.recv_window_ms, 4_000);
        assert!(problems.unwrap().to_string().contains("risk_limits.json"));
    }

    #[test]
    fn of_a_broken_runtime_file_the_hosts_are_kept() {
        let text = format!("{HOST}\n[views]\ninterval = 7\n");
        let folder = Folder::new("runtime", &[("runtime.toml", &text)]);
        let (config, problems) = folder.salvaged(&Env::default());
        assert_eq!(config.runtime.binance.ws_url.as_deref(), Some("ws://127.0.0.1:82"));
        assert!(problems.unwrap().to_string().contains("interval"));
    }

    #[test]
    fn what_is_no_toml_at_all_gives_way_to_the_defaults_and_variables_still_count() {
        let folder = Folder::new("nonsense", &[("runtime.toml", "[binance\n"), ("pairs_universe.json", "")]);
        let env = Env::from_pairs([
            ("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:83"),
            ("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:84"),
        ]);
        let (config, problems) = folder.salvaged(&env);
        assert_eq!(config.runtime.binance.rest_url.as_deref(), Some("http://127.0.0.1:83"));
        assert!(problems.is_some());
        assert!(Config::salvage(Some(Path::new("/nowhere/at/all")), &Env::default()).unwrap().1.is_some());
    }

    /// A host of variables, beside one that is broken.
    fn beside(name: &str, value: &str) -> Env {
        Env::from_pairs([
            ("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:85"),
            ("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:86"),
            ("EVENT_STORE_ROOT", "/var/lib/hedge"),
            ("DRY_RUN", "1"),
            (name, value),
        ])
    }

    #[test]
    fn one_broken_variable_takes_no_other_with_it() {
        let folder = Folder::new("variables", &[]);
        for (name, value) in [
            ("LOG_LEVEL", "verbose"),
            ("HEARTBEAT_TZ", "Nowhere"),
            ("HEDGE__HISTORY__BARS", "many"),
            ("HEDGE__HISTROY__BARS", "500"),
        ] {
            let (config, problems) = folder.salvaged(&beside(name, value));
            assert_eq!(config.switches.state_root, Path::new("/var/lib/hedge"), "{name}");
            assert_eq!(config.switches.dry_run, Some(true), "{name}");
            assert_eq!(config.runtime.binance.rest_url.as_deref(), Some("http://127.0.0.1:85"), "{name}");
            assert!(problems.unwrap().to_string().contains(name));
        }
    }

    #[test]
    fn what_forbids_or_names_the_venue_is_never_guessed() {
        let folder = Folder::new("guessed", &[]);
        for (name, value) in [
            ("DRY_RUN", "perhaps"),
            ("SAFE_MODE", "perhaps"),
            ("BINANCE_TESTNET", "2"),
            ("HEDGE__BINANCE__REST_URL", "127.0.0.1:85"),
            ("HEDGE__BINANCE__WS_ULR", "ws://127.0.0.1:86"),
        ] {
            let error = Config::salvage(Some(&folder.0), &beside(name, value)).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let lone = Env::from_pairs([("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:85")]);
        assert!(Config::salvage(Some(&folder.0), &lone).is_err(), "half a venue is none");
        for text in ["[binance]\nrest_url = 7\n", "[binance\nrest_url = \"http://127.0.0.1:85\"\n"] {
            let folder = Folder::new("file-host", &[("runtime.toml", text)]);
            assert!(Config::salvage(Some(&folder.0), &Env::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_in_order_is_taken_as_it_is() {
        let folder = Folder::new("whole", &[("runtime.toml", HOST)]);
        let (config, problems) = folder.salvaged(&Env::default());
        assert_eq!(problems, None);
        assert_eq!(config.hash(), Config::load(Some(&folder.0), &Env::default()).unwrap().hash());
    }
}
