//! From flags, variables and files to the account: whatever is broken and not needed is told and left out.

use std::path::{Path, PathBuf};

use hedge_binance::{Binance, Closing};
use hedge_core::VenueReader;

use crate::{
    config::{Config, Mode, Profile, resolve},
    env::Env,
    venue::{Access, StateError, access, state_dir},
};

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// `--profile`.
    pub profile: Option<&'a str>,
    /// `--state-dir`.
    pub state_dir: Option<&'a Path>,
    /// `--config`.
    pub config: Option<&'a Path>,
    /// `--env-file`.
    pub env_file: Option<&'a Path>,
}

/// The account of a profile, ready to be closed down. Nothing was sent yet.
#[derive(Debug)]
pub struct Reached {
    /// Can look, close and cancel.
    pub venue: Binance<Closing>,
    /// Which profile.
    pub mode: Mode,
    /// REST base.
    pub base: String,
    /// Digest of the API key's public half.
    pub account: String,
    /// The state directory whose executor has to stop, if there is one.
    pub state_dir: Option<PathBuf>,
    /// The least important log messages that are shown.
    pub log_level: String,
    /// What is broken or missing and was left out, one sentence each.
    pub warnings: Vec<String>,
}

/// Why the account cannot be closed down from here. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Exit code: 2 for an unknown profile, 78 for mode, hosts and keys, 1 for a paper exchange that is not there.
    pub code: u8,
    /// Why, and what to do.
    pub message: String,
}

/// Finds hosts, keys and state directory. Errors: [`Refused`], only for what a close cannot do without.
pub fn reach(wanted: &Wanted<'_>) -> Result<Reached, Refused> {
    let unusable = |error: &dyn std::fmt::Display| Refused { code: 78, message: error.to_string() };
    let mut warnings = Vec::new();
    let (env, trouble) = Env::salvage(wanted.env_file);
    if let Some(trouble) = trouble {
        warnings.extend(trouble.problems.iter().map(|problem| format!("{problem}; going on with the rest")));
    }
    let (config, trouble) = Config::salvage(wanted.config, &env).map_err(|error| unusable(&error))?;
    if let Some(trouble) = trouble {
        let kept = config
            .runtime
            .binance
            .rest_url
            .as_deref()
            .map_or("the profile's own", |_| "those of binance.rest_url");
        warnings.extend(trouble.problems.iter().map(ToString::to_string));
        warnings.push(format!("the configuration is broken: only hosts are needed, {kept} are used"));
    }
    let mode = resolve(wanted.profile, &env, &config)
        .map_err(|error| Refused { code: error.exit_code(), message: error.to_string() })?;
    if mode.profile == Profile::MainnetDry {
        return Err(unusable(&dry(wanted.profile, &mode)));
    }
    let dir = find_state_dir(wanted, &mode, &config, &mut warnings)?;
    let Access { client, base, .. } =
        access(&mode, &config, &env, dir.as_deref()).map_err(|error| Refused {
            code: error.exit_code(),
            message: match wanted.profile {
                Some(_) => error.to_string(),
                None => format!("{error}\nno --profile was named, so this is paper; a venue's account is closed with --profile testnet or mainnet"),
            },
        })?;
    let account = client.fingerprint().key_digest.clone();
    let log_level = config.runtime.log.level.clone();
    Ok(Reached { venue: client.for_closing(), mode, base, account, state_dir: dir, log_level, warnings })
}

fn dry(flag: Option<&str>, mode: &Mode) -> String {
    if flag == Some(Profile::MainnetDry.as_str()) {
        return "profile mainnet-dry holds nothing at the venue; to close the real account name --profile mainnet"
            .to_owned();
    }
    format!("{}\na variable forbids orders: unset it to close the real account", mode.audit().join("\n"))
}

/// A directory that cannot be used is a warning; one of another profile is a contradiction.
fn find_state_dir(
    wanted: &Wanted<'_>,
    mode: &Mode,
    config: &Config,
    warnings: &mut Vec<String>,
) -> Result<Option<PathBuf>, Refused> {
    match (state_dir(mode, config, wanted.state_dir), wanted.state_dir) {
        (Ok(dir), _) => Ok(Some(dir)),
        (Err(error @ StateError::Foreign { .. }), Some(_)) => {
            Err(Refused { code: 78, message: error.to_string() })
        }
        (Err(error), Some(given)) => {
            warnings.push(error.to_string());
            Ok(Some(given.to_owned()))
        }
        (Err(error), None) => {
            warnings.push(format!(
                "{error}; no executor is told to stop, one that runs elsewhere goes on trading"
            ));
            Ok(None)
        }
    }
}
