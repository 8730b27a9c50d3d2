//! Variables, configuration, profile and keys: what a program reads before it does anything.

use std::path::{Path, PathBuf};

use hedge_core::PreflightCheck;

use super::examine::Patient;
use crate::{
    config::{Config, Mode, Profile, resolve},
    env::Env,
    preflight::{failed, ok, warning},
    venue::{Exchange, default_dir, state_dir},
};

const DEFAULT_ENV_FILE: &str = ".env";
const MAINNET_KEYS: [&str; 2] = ["BINANCE_API_KEY", "BINANCE_API_SECRET"];
const TESTNET_KEYS: [&str; 2] = ["BINANCE_UM_API_KEY_TESTNET", "BINANCE_UM_API_SECRET_TESTNET"];

/// What the other checks build on.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) env: Env,
    pub(super) config: Config,
    pub(super) mode: Mode,
    pub(super) state_dir: PathBuf,
}

/// The checks, and what was read if all of it could be.
pub(super) fn look(patient: &Patient) -> (Vec<PreflightCheck>, Option<Setup>) {
    let mut checks = Vec::new();
    let (check, env) = variables(patient.env_file.as_deref());
    checks.push(check);
    let Some(env) = env else { return (checks, None) };
    let (check, config) = configuration(patient.config.as_deref(), &env);
    checks.push(check);
    let Some(config) = config else { return (checks, None) };
    let (check, mode) = profile(patient.profile.as_deref(), &env, &config);
    checks.push(check);
    let Some(mode) = mode else { return (checks, None) };
    let dir = state_dir(&mode, &config, patient.state_dir.as_deref());
    // Before the first start there is none yet; its place is known all the same.
    let root = || patient.state_dir.clone().unwrap_or_else(|| default_dir(&mode, &config));
    let dir = dir.unwrap_or_else(|_| root());
    checks.push(keys(&mode, &config, &env, &dir));
    checks.push(telegram(&env));
    (checks, Some(Setup { env, config, mode, state_dir: dir }))
}

fn variables(file: Option<&Path>) -> (PreflightCheck, Option<Env>) {
    let (name, expected) = ("variables", "a file of variables is readable by its owner only (0600)");
    match Env::load(file) {
        Ok(env) => {
            let found = match file {
                Some(path) => format!("{} and the process's own", path.display()),
                None if Path::new(DEFAULT_ENV_FILE).exists() => ".env and the process's own".to_owned(),
                None => "the process's own; no .env here".to_owned(),
            };
            (ok(name, expected, found), Some(env))
        }
        Err(error) => {
            (failed(name, expected, one_line(&error.to_string()), "do what the message says"), None)
        }
    }
}

fn configuration(path: Option<&Path>, env: &Env) -> (PreflightCheck, Option<Config>) {
    let (name, expected) = ("configuration", "four files without a problem");
    match Config::load(path, env) {
        Ok(config) => {
            let hash = config.hash();
            let found = format!(
                "{} symbols, {} strategies enabled, hash {}",
                config.universe.symbols.len(),
                config.strategies.enabled().count(),
                hash.get(..12).unwrap_or(&hash)
            );
            let check = match config.notes.is_empty() {
                true => ok(name, expected, found),
                false => {
                    let found = format!("{found}; {}", config.notes.join("; "));
                    warning(name, expected, found, "remove or rename the files that nobody reads")
                }
            };
            (check, Some(config))
        }
        Err(error) => (
            failed(
                name,
                expected,
                one_line(&error.to_string()),
                "correct these lines, then: hedgectl config check",
            ),
            None,
        ),
    }
}

fn profile(flag: Option<&str>, env: &Env, config: &Config) -> (PreflightCheck, Option<Mode>) {
    let (name, expected) = ("profile", "flag, variables and hosts agree");
    match resolve(flag, env, config) {
        Ok(mode) => {
            let said: Vec<String> =
                mode.audit().iter().map(|line| line.trim_start_matches("[config] ").to_owned()).collect();
            let found = std::iter::once(mode.profile.to_string()).chain(said).collect::<Vec<_>>().join("; ");
            (ok(name, expected, found), Some(mode))
        }
        Err(error) => (failed(name, expected, one_line(&error.to_string()), "unset one of the two"), None),
    }
}

/// Whether the profile's keys are there. Their values are looked at by nobody.
fn keys(mode: &Mode, config: &Config, env: &Env, state_dir: &Path) -> PreflightCheck {
    let is_here = config.runtime.binance.is_on_this_machine();
    if mode.profile == Profile::Paper && !is_here {
        let found = match Exchange::load(state_dir) {
            Ok(exchange) => format!("none needed: the exchange of process {} has its own", exchange.pid),
            Err(_) => "none needed: the embedded exchange makes its own".to_owned(),
        };
        return ok("keys", "those of the profile are set", found);
    }
    let wanted = match mode.profile {
        Profile::Testnet if is_here && !TESTNET_KEYS.iter().any(|name| env.get(name).is_some()) => {
            MAINNET_KEYS
        }
        Profile::Testnet => TESTNET_KEYS,
        _ => MAINNET_KEYS,
    };
    let expected = format!("{} and {} are set", wanted[0], wanted[1]);
    let missing: Vec<&str> = wanted.into_iter().filter(|name| env.get(name).is_none()).collect();
    if missing.is_empty() {
        ok("keys", expected, "both are set")
    } else {
        let remedy = "write them into the file of variables, readable by its owner only (chmod 600)";
        failed("keys", expected, format!("not set: {}", missing.join(", ")), remedy)
    }
}

fn telegram(env: &Env) -> PreflightCheck {
    let set = ["TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"].map(|name| env.get(name).is_some());
    let (name, expected) = ("telegram", "TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID are set, or neither");
    match set {
        [true, true] => ok(name, expected, "both are set"),
        [false, false] => ok(name, expected, "not set: heartbeats are printed, not sent"),
        [true, false] => {
            warning(name, expected, "only TELEGRAM_BOT_TOKEN is set", "set TELEGRAM_CHAT_ID too")
        }
        [false, true] => {
            warning(name, expected, "only TELEGRAM_CHAT_ID is set", "set TELEGRAM_BOT_TOKEN too")
        }
    }
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}
