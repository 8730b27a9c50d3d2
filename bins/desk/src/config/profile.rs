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

/// What the operators' old variables mean for this profile: one line for each that is set. `rest_url` is the exchange on
/// this machine that is traded at instead of the embedded one, if there is one.
pub fn audit(profile: Profile, env: &Env, switches: &Switches, rest_url: Option<&str>) -> Vec<String> {
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
        say("BINANCE_TESTNET", "the exchange on this machine is neither mainnet nor testnet");
    }
    let is_set = |name: &&str| env.get(name).is_some();
    let mut secrets = Env::SECRETS.into_iter().filter(is_set);
    match rest_url {
        None if secrets.next().is_some() => {
            say("an API key", "the embedded exchange makes its own");
        }
        None => {}
        Some(_) => {
            if let Some(name) = secrets.find(|name| name.ends_with("_TESTNET")) {
                say(name, "the exchange on this machine takes BINANCE_API_KEY");
            }
        }
    }
    if let Some(url) = rest_url.filter(|_| env.get("BINANCE_API_KEY").is_some()) {
        lines.push(format!("[config] BINANCE_API_KEY is used at {url}"));
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
    fn old_switches_are_named_when_they_change_nothing() {
        let env = Env::from_pairs([("DRY_RUN", "1"), ("BINANCE_API_KEY", "k"), ("SAFE_MODE", "0")]);
        let lines = audit(Profile::Paper, &env, &env.switches().unwrap(), None);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("[config] DRY_RUN changes nothing in profile paper"), "{lines:?}");
        assert!(!lines.join(" ").contains("\"k\""));
    }

    #[test]
    fn a_key_that_another_exchange_gets_is_not_said_to_change_nothing() {
        let env = Env::from_pairs([("BINANCE_API_KEY", "k"), ("BINANCE_UM_API_SECRET_TESTNET", "t")]);
        let lines = audit(Profile::Paper, &env, &env.switches().unwrap(), Some("http://127.0.0.1:8080"));
        assert_eq!(
            lines,
            [
                "[config] BINANCE_UM_API_SECRET_TESTNET changes nothing in profile paper: the exchange on this machine takes BINANCE_API_KEY",
                "[config] BINANCE_API_KEY is used at http://127.0.0.1:8080",
            ]
        );
    }
}
