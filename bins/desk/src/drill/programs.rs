//! Our other programs: they lie where this one lies.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::DrillError;
use crate::env::VARIABLES;

/// The trading program.
pub(super) const EXECUTOR: &str = "hedge-executor";
/// The way out.
pub(super) const PANIC_CLOSE: &str = "hedge-panic-close";
/// This program.
pub(super) const HEDGECTL: &str = "hedgectl";
/// Variables of the person at this shell that hold in a drill too: what they change is what is drilled.
const KEPT: [&str; 4] = ["STOP_VALIDATOR_", "HEDGE__STOPS__", "HEDGE__ENGINE__", "HEDGE__RECONCILE__"];
/// Variables that would lead a drill elsewhere.
const REMOVED: [&str; 7] =
    ["HEDGE_", "BINANCE_", "TELEGRAM_", "FIRESTORE_", "GOOGLE_", "GCE_", "STOP_VALIDATOR_"];

/// Where our programs are.
#[derive(Clone, Debug)]
pub(super) struct Programs(PathBuf);

impl Programs {
    /// Beside the running program. Errors: [`DrillError::NoProgram`] for the first that is missing.
    pub(super) fn beside_us() -> Result<Self, DrillError> {
        let us = env::current_exe().map_err(DrillError::Machine)?;
        let dir = us.parent().unwrap_or(Path::new(".")).to_owned();
        for program in [EXECUTOR, PANIC_CLOSE, HEDGECTL] {
            if !path(&dir, program).is_file() {
                return Err(DrillError::NoProgram { program, dir });
            }
        }
        Ok(Self(dir))
    }

    /// A program without the variables of the person at this shell, but those that say how legs are protected.
    pub(super) fn command(&self, name: &'static str) -> Command {
        let mut command = Command::new(path(&self.0, name));
        command.stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            let is_ours = REMOVED.iter().any(|start| name.starts_with(start))
                || VARIABLES.iter().any(|variable| variable.name == name);
            if is_ours && !is_kept(name) {
                command.env_remove(name);
            }
        }
        command
    }

    /// What a program says about its version.
    pub(super) fn version(&self, name: &'static str) -> String {
        let output = self.command(name).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| format!("{name}, version unknown"))
    }
}

fn path(dir: &Path, program: &str) -> PathBuf {
    dir.join(format!("{program}{}", env::consts::EXE_SUFFIX))
}

fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|start| name.starts_with(start))
}

/// The variables of the person at this shell that hold in a drill too.
pub(super) fn kept_variables() -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_kept(name))
        .collect();
    kept.sort();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_how_legs_are_protected_holds_in_a_drill_and_nothing_else_does() {
        assert!(is_kept("STOP_VALIDATOR_ENABLED") && is_kept("HEDGE__STOPS__REPAIR"));
        for other in ["HEDGE__BINANCE__REST_URL", "HEDGE_FAILPOINT", "BINANCE_API_KEY", "EVENT_STORE_ROOT"] {
            assert!(!is_kept(other), "{other}");
        }
    }
}
