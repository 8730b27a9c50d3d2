//! Which profile runs, and what is said about it before the first request.

use std::{fmt, str::FromStr};

use crate::env::{Env, Switches};

/// A way of running. The others are known by name and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Orders go to the embedded exchange on this machine.
    Paper,
}

impl Profile {
    /// The name, as in journals and state directories.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paper => "paper",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "paper" => Ok(Self::Paper),
            other => Err(format!("profile {other:?} cannot run in this version: only paper can")),
        }
    }
}

/// The line before the first request, with booleans as operators' tools expect them.
pub fn preflight_line(profile: Profile, base: &str, testnet: bool, dry_run: bool) -> String {
    let word = |yes| if yes { "True" } else { "False" };
    format!("[preflight] profile={profile} base={base} testnet={} dry_run={}", word(testnet), word(dry_run))
}

/// What the operators' old variables mean for this profile, one line for each that is set and changes nothing.
pub fn audit(profile: Profile, env: &Env, switches: &Switches) -> Vec<String> {
    let Profile::Paper = profile;
    let mut lines = Vec::new();
    let mut say = |name: &str, why: &str| {
        lines.push(format!("[config] {name} changes nothing in profile paper: {why}"))
    };
    if switches.dry_run {
        say("DRY_RUN", "no order leaves this machine");
    }
    if switches.safe_mode {
        say("SAFE_MODE", "no order leaves this machine");
    }
    if switches.testnet {
        say("BINANCE_TESTNET", "the embedded exchange is neither mainnet nor testnet");
    }
    if Env::SECRETS.iter().any(|name| env.get(name).is_some()) {
        say("an API key", "the embedded exchange makes its own");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paper_runs_and_the_others_are_refused_with_one_sentence() {
        assert_eq!("paper".parse(), Ok(Profile::Paper));
        assert_eq!(
            "mainnet".parse::<Profile>(),
            Err("profile \"mainnet\" cannot run in this version: only paper can".to_owned())
        );
    }

    #[test]
    fn the_preflight_line_has_the_operators_form() {
        assert_eq!(
            preflight_line(Profile::Paper, "http://127.0.0.1:4321", false, false),
            "[preflight] profile=paper base=http://127.0.0.1:4321 testnet=False dry_run=False"
        );
    }

    #[test]
    fn old_switches_are_named_when_they_change_nothing() {
        let env = Env::from_pairs([("DRY_RUN", "1"), ("BINANCE_API_KEY", "k"), ("SAFE_MODE", "0")]);
        let lines = audit(Profile::Paper, &env, &env.switches().unwrap());
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("[config] DRY_RUN changes nothing in profile paper"), "{lines:?}");
        assert!(!lines.join(" ").contains("\"k\""));
    }
}
