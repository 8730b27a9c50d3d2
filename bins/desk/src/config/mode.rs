//! Which profile runs: the flag names it, a variable may only forbid.

use hedge_binance::{EndpointError, Endpoints, Mainnet, Testnet};
use thiserror::Error;

use super::{Config, Profile};
use crate::{
    env::{Env, yes_or_no},
    logging,
};

/// The profile that runs, and what is said about how it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// What runs. A variable may have made it drier than the flag.
    pub profile: Profile,
    audit: Vec<String>,
}

/// Flag, variables and hosts contradict each other, or the profile is unknown. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModeError {
    /// No profile has that name.
    #[error("{0}")]
    Unknown(String),
    /// One line for each contradiction; it names both sides and where they come from.
    #[error("{}", .0.join("\n"))]
    Contradiction(Vec<String>),
}

impl ModeError {
    /// 2 for a name that is none, 78 for a contradiction.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Unknown(_) => 2,
            Self::Contradiction(_) => 78,
        }
    }
}

/// Decides which profile runs. Without a flag it is paper; no variable ever permits what the flag does not.
///
/// | set | paper | testnet | mainnet-dry | mainnet |
/// |---|---|---|---|---|
/// | `DRY_RUN=1`, `SAFE_MODE=true` | nothing changes | refused | nothing changes | mainnet-dry |
/// | `DRY_RUN=0`, `SAFE_MODE=false` | nothing changes | nothing changes | stays dry | nothing changes |
/// | `BINANCE_TESTNET=1` | nothing changes | fits | refused | refused |
/// | `BINANCE_TESTNET=0` | nothing changes | refused | fits | fits |
/// | `ENV=prod`, `ENV=mainnet` | nothing changes | refused | fits | fits |
/// | a mainnet host | refused | refused | fits | fits |
/// | a testnet host | refused | fits | refused | refused |
/// | a host on this machine | fits | fits | fits | fits |
///
/// Errors: [`ModeError`], whose [`exit_code`](ModeError::exit_code) says how a program ends.
pub fn resolve(flag: Option<&str>, env: &Env, config: &Config) -> Result<Mode, ModeError> {
    let asked = match flag {
        Some(name) => name.parse().map_err(ModeError::Unknown)?,
        None => Profile::Paper,
    };
    let source = match flag {
        Some(name) => format!("--profile {name} (command line)"),
        None => "profile paper (default)".to_owned(),
    };
    let mut table = Table { asked, source, env, config, audit: Vec::new(), contradictions: Vec::new() };
    let profile = table.dryness();
    table.testnet();
    table.installation();
    table.hosts();
    table.keys();
    table.acceptances();
    table.stop_validator();
    if table.contradictions.is_empty() {
        Ok(Mode { profile, audit: table.audit })
    } else {
        Err(ModeError::Contradiction(table.contradictions))
    }
}

impl Mode {
    /// What operators should know about how the profile was chosen, one line each.
    pub fn audit(&self) -> &[String] {
        &self.audit
    }

    /// Whether the demo venue is meant.
    pub fn is_testnet(&self) -> bool {
        self.profile == Profile::Testnet
    }

    /// Whether orders are kept from a venue that would take them.
    pub fn is_dry(&self) -> bool {
        self.profile == Profile::MainnetDry
    }

    /// `[preflight] profile=… base=… testnet=False dry_run=True`: the line that comes before the first request.
    pub fn preflight(&self, base: &str) -> logging::Line {
        logging::preflight(self.profile.as_str(), base, self.is_testnet(), self.is_dry())
    }

    /// The same as text.
    pub fn preflight_line(&self, base: &str) -> String {
        self.preflight(base).render(logging::Format::Text)
    }
}

struct Table<'a> {
    asked: Profile,
    source: String,
    env: &'a Env,
    config: &'a Config,
    audit: Vec<String>,
    contradictions: Vec<String>,
}

impl Table<'_> {
    /// `DRY_RUN=1 (.env:4)`, as it was written.
    fn variable(&self, name: &str) -> String {
        let value = self.env.get(name).unwrap_or_default().trim();
        format!("{name}={value} ({})", self.env.origin(name))
    }

    fn say(&mut self, text: String) {
        self.audit.push(format!("[config] {text}"));
    }

    fn contradict(&mut self, other: &str, why: &str) {
        self.contradictions.push(format!("{} and {other} contradict each other: {why}", self.source));
    }

    /// `DRY_RUN` and `SAFE_MODE`, which mean the same.
    fn dryness(&mut self) -> Profile {
        let switches = &self.config.switches;
        let set = [("DRY_RUN", switches.dry_run), ("SAFE_MODE", switches.safe_mode)];
        let mut profile = self.asked;
        for (name, value) in set {
            let Some(is_dry) = value else { continue };
            let variable = self.variable(name);
            let source = self.source.clone();
            match (is_dry, self.asked) {
                (true, Profile::Paper) => {
                    self.say(format!(
                        "{variable} changes nothing in profile paper: no order leaves this machine"
                    ));
                }
                (true, Profile::Testnet) => self.contradict(
                    &variable,
                    "there is no dry testnet; use --profile paper, or unset the variable",
                ),
                (true, Profile::MainnetDry) => {
                    self.say(format!("{variable} changes nothing in profile mainnet-dry: it is dry already"));
                }
                (true, Profile::Mainnet) => {
                    profile = Profile::MainnetDry;
                    self.say(format!("{variable} forbids orders: {source} runs as mainnet-dry"));
                }
                (false, Profile::MainnetDry) => {
                    self.say(format!("{variable} permits nothing: {source} stays dry"));
                }
                (false, _) => {}
            }
        }
        profile
    }

    fn testnet(&mut self) {
        let Some(is_testnet) = self.config.switches.testnet else { return };
        let variable = self.variable("BINANCE_TESTNET");
        match (self.asked, is_testnet) {
            (Profile::Paper, _) => self.say(format!(
                "{variable} changes nothing in profile paper: the exchange on this machine is neither mainnet nor testnet"
            )),
            (Profile::Testnet, false) => self.contradict(
                &variable,
                "the variable forbids the demo venue; unset it, or name another profile",
            ),
            (Profile::MainnetDry | Profile::Mainnet, true) => self.contradict(
                &variable,
                "the variable says that the demo venue is meant; unset it, or run --profile testnet",
            ),
            _ => {}
        }
    }

    /// `ENV` is a name in reports, except that an installation called after mainnet does not run on the demo venue.
    fn installation(&mut self) {
        let Some(name) = self.config.switches.installation.as_deref() else { return };
        let is_of_mainnet = ["prod", "mainnet"].iter().any(|word| name.trim().eq_ignore_ascii_case(word));
        if is_of_mainnet && self.asked == Profile::Testnet {
            let variable = self.variable("ENV");
            self.contradict(
                &variable,
                "an installation of that name does not run on the demo venue; rename it",
            );
        }
    }

    /// The hosts of the configuration, if it names any. A host on this machine fits every profile.
    fn hosts(&mut self) {
        let section = &self.config.runtime.binance;
        let (rest, ws) = (section.rest_url.as_deref(), section.ws_url.as_deref());
        let refused = match self.asked {
            Profile::Testnet => Endpoints::<Testnet>::new(rest, ws).map(|e| e.is_loopback()),
            _ => Endpoints::<Mainnet>::new(rest, ws).map(|e| e.is_loopback()),
        };
        let is_set = rest.is_some() || ws.is_some();
        match refused {
            // The configuration's keys stand together, so a lone one never comes here.
            Ok(is_loopback) if self.asked == Profile::Paper && is_set && !is_loopback => {
                let (host, place) = self.host("binance.rest_url", rest);
                self.contradict(
                    &format!("{host} ({place})"),
                    "the paper profile trades on simulated exchanges on this machine only; unset the address",
                );
            }
            Ok(_) => {}
            Err(error) => {
                let is_of_ws = matches!(&error, EndpointError::ForeignHost { host, .. }
                    if ws.is_some_and(|ws| host_in(ws, host)) && !rest.is_some_and(|rest| host_in(rest, host)));
                let (key, url) = if is_of_ws { ("binance.ws_url", ws) } else { ("binance.rest_url", rest) };
                let (host, place) = self.host(key, url);
                self.contradict(&format!("{host} ({place})"), &error.to_string());
            }
        }
    }

    fn host(&self, key: &str, url: Option<&str>) -> (String, String) {
        // Configuration accepts no address with credentials or a query in it.
        let shown: String = url.unwrap_or_default().chars().take(100).collect();
        (format!("{key} = {shown}"), self.config.sources.of(key).to_owned())
    }

    /// What lets mainnet start although a check would keep it back is never silent.
    fn acceptances(&mut self) {
        if self.asked == Profile::Mainnet && self.config.runtime.preflight.accept_withdraw {
            let place = self.config.sources.of("preflight.accept_withdraw");
            self.say(format!(
                "preflight.accept_withdraw = true ({place}): a key that may withdraw keeps no run back"
            ));
        }
    }

    /// What the operators' variables of the stop validator came to.
    fn stop_validator(&mut self) {
        let stops = self.config.runtime.stops.clone();
        let effect = [
            ("STOP_VALIDATOR_ENABLED", "stops.validator", stops.validator),
            ("STOP_VALIDATOR_REPAIR", "stops.repair", stops.repair),
            ("STOP_VALIDATOR_REPAIR_TP", "stops.repair_tp", stops.repair_tp),
        ];
        for (name, key, is_on) in effect {
            let Some(asks) = self.env.get(name).and_then(yes_or_no) else { continue };
            let variable = self.variable(name);
            match (asks, is_on) {
                (false, _) => self.say(format!(
                    "{variable} switches {key} off; a leg without a confirmed stop is closed all the same"
                )),
                (true, true) => self.say(format!("{variable} changes nothing: {key} is on")),
                (true, false) => self.say(format!(
                    "{variable} switches nothing on: {key} is off ({})",
                    self.config.sources.of(key)
                )),
            }
        }
        if stops.validator && stops.repair && stops.grace_ms >= self.config.runtime.engine.protect_within_ms {
            self.say(format!(
                "stops.grace_ms = {} repairs no stop: a leg is closed after engine.protect_within_ms = {}",
                stops.grace_ms, self.config.runtime.engine.protect_within_ms
            ));
        }
    }

    /// Which key goes where, where one might think otherwise.
    fn keys(&mut self) {
        let is_set = |name: &&str| self.env.get(name).is_some();
        let rest_url = self.config.runtime.binance.rest_url.clone();
        if self.asked != Profile::Paper {
            return;
        }
        let mut keys = Env::ACCOUNT_KEYS.into_iter().filter(is_set);
        match rest_url {
            None if keys.next().is_some() => {
                self.say(
                    "an API key changes nothing in profile paper: the embedded exchange makes its own"
                        .to_owned(),
                );
            }
            None => {}
            Some(url) => {
                if let Some(name) = keys.find(|name| name.ends_with("_TESTNET")) {
                    self.say(format!(
                        "{name} changes nothing in profile paper: the exchange on this machine takes BINANCE_API_KEY"
                    ));
                }
                if self.env.get("BINANCE_API_KEY").is_some() {
                    self.say(format!("BINANCE_API_KEY is used at {url}"));
                }
            }
        }
    }
}

fn host_in(url: &str, host: &str) -> bool {
    url.to_ascii_lowercase().contains(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(env: &Env) -> Config {
        let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        Config::load(Some(&shipped), env).unwrap()
    }

    fn run(flag: Option<&str>, pairs: &[(&str, &str)]) -> Result<Mode, ModeError> {
        let env = Env::from_pairs(pairs.iter().copied());
        resolve(flag, &env, &config(&env))
    }

    fn profile(flag: &str, pairs: &[(&str, &str)]) -> Profile {
        run(Some(flag), pairs).unwrap().profile
    }

    fn refused(flag: &str, pairs: &[(&str, &str)]) -> String {
        let error = run(Some(flag), pairs).unwrap_err();
        assert_eq!(error.exit_code(), 78, "{error}");
        error.to_string()
    }

    const MAINNET_HOST: [(&str, &str); 2] = [
        ("HEDGE__BINANCE__REST_URL", "https://fapi.binance.com"),
        ("HEDGE__BINANCE__WS_URL", "wss://fstream.binance.com"),
    ];
    const TESTNET_HOST: [(&str, &str); 2] = [
        ("HEDGE__BINANCE__REST_URL", "https://demo-fapi.binance.com"),
        ("HEDGE__BINANCE__WS_URL", "wss://demo-fstream.binance.com"),
    ];
    const THIS_MACHINE: [(&str, &str); 2] =
        [("HEDGE__BINANCE__REST_URL", "http://127.0.0.1:1"), ("HEDGE__BINANCE__WS_URL", "ws://127.0.0.1:2")];

    #[test]
    fn without_a_flag_it_is_paper_whatever_the_variables_say() {
        for pairs in [&[][..], &[("ENV", "prod")], &[("BINANCE_TESTNET", "1")], &[("DRY_RUN", "0")]] {
            assert_eq!(run(None, pairs).unwrap().profile, Profile::Paper, "{pairs:?}");
        }
        assert_eq!(run(None, &[]).unwrap().audit(), [] as [&str; 0]);
    }

    #[test]
    fn a_variable_turns_mainnet_dry_and_never_the_other_way_round() {
        for pair in [("DRY_RUN", "1"), ("SAFE_MODE", "true")] {
            let mode = run(Some("mainnet"), &[pair]).unwrap();
            assert_eq!(mode.profile, Profile::MainnetDry);
            assert!(mode.audit()[0].contains(pair.0) && mode.audit()[0].contains("--profile mainnet"));
        }
        for pair in [("DRY_RUN", "0"), ("SAFE_MODE", "false")] {
            assert_eq!(profile("mainnet-dry", &[pair]), Profile::MainnetDry);
            assert_eq!(profile("mainnet", &[pair]), Profile::Mainnet);
            assert_eq!(profile("testnet", &[pair]), Profile::Testnet);
        }
        assert_eq!(profile("mainnet", &[("DRY_RUN", "0"), ("SAFE_MODE", "1")]), Profile::MainnetDry);
        assert_eq!(profile("mainnet-dry", &[("DRY_RUN", "1")]), Profile::MainnetDry);
    }

    #[test]
    fn there_is_no_dry_testnet() {
        assert_eq!(
            refused("testnet", &[("SAFE_MODE", "yes")]),
            "--profile testnet (command line) and SAFE_MODE=yes (environment) contradict each other: there is no dry testnet; use --profile paper, or unset the variable"
        );
    }

    #[test]
    fn what_names_the_other_venue_is_refused_with_both_sources() {
        for (flag, pair) in [
            ("mainnet", ("BINANCE_TESTNET", "1")),
            ("mainnet-dry", ("BINANCE_TESTNET", "true")),
            ("testnet", ("BINANCE_TESTNET", "0")),
            ("testnet", ("ENV", "prod")),
            ("testnet", ("ENV", "mainnet")),
        ] {
            let text = refused(flag, &[pair]);
            assert!(text.starts_with(&format!("--profile {flag} (command line) and ")), "{text}");
            assert!(text.contains(&format!("{}={} (environment)", pair.0, pair.1)), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
        assert_eq!(profile("testnet", &[("BINANCE_TESTNET", "1"), ("ENV", "staging")]), Profile::Testnet);
        assert_eq!(profile("mainnet", &[("BINANCE_TESTNET", "0"), ("ENV", "prod")]), Profile::Mainnet);
    }

    #[test]
    fn a_host_of_the_other_venue_is_refused_and_one_on_this_machine_fits_all() {
        for (flag, hosts) in [
            ("mainnet", &TESTNET_HOST),
            ("mainnet-dry", &TESTNET_HOST),
            ("testnet", &MAINNET_HOST),
            ("paper", &MAINNET_HOST),
            ("paper", &TESTNET_HOST),
        ] {
            let text = refused(flag, hosts);
            assert!(text.contains(&format!("--profile {flag}")), "{text}");
            assert!(text.contains("HEDGE__BINANCE__REST_URL in environment"), "{text}");
        }
        for wanted in Profile::ALL {
            assert_eq!(profile(wanted.as_str(), &THIS_MACHINE), wanted);
        }
        assert_eq!(profile("mainnet", &MAINNET_HOST), Profile::Mainnet);
        assert_eq!(profile("testnet", &TESTNET_HOST), Profile::Testnet);
    }

    #[test]
    fn every_contradiction_is_named_not_only_the_first() {
        let text = refused("testnet", &[("DRY_RUN", "1"), ("ENV", "prod")]);
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn a_name_that_is_none_is_bad_usage() {
        assert_eq!(run(Some("live"), &[]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_line_before_the_first_request_is_the_operators() {
        let mode = run(Some("mainnet"), &[("DRY_RUN", "1")]).unwrap();
        assert_eq!(
            mode.preflight_line("https://fapi.binance.com"),
            "[preflight] profile=mainnet-dry base=https://fapi.binance.com testnet=False dry_run=True"
        );
    }

    #[test]
    fn old_switches_are_named_when_they_change_nothing() {
        let pairs = [("DRY_RUN", "1"), ("BINANCE_API_KEY", "hush"), ("SAFE_MODE", "0")];
        let mode = run(None, &pairs).unwrap();
        assert_eq!(mode.audit().len(), 2, "{:?}", mode.audit());
        assert!(
            mode.audit()[0].starts_with("[config] DRY_RUN=1 (environment) changes nothing in profile paper")
        );
        assert!(!mode.audit().join(" ").contains("hush"));
    }

    #[test]
    fn a_key_that_another_exchange_gets_is_not_said_to_change_nothing() {
        let mut pairs = vec![("BINANCE_API_KEY", "k"), ("BINANCE_UM_API_SECRET_TESTNET", "t")];
        pairs.extend(THIS_MACHINE);
        assert_eq!(
            run(None, &pairs).unwrap().audit(),
            [
                "[config] BINANCE_UM_API_SECRET_TESTNET changes nothing in profile paper: the exchange on this machine takes BINANCE_API_KEY",
                "[config] BINANCE_API_KEY is used at http://127.0.0.1:1",
            ]
        );
    }

    #[test]
    fn what_the_stop_validators_variables_came_to_is_said_in_one_line_each() {
        let audit = |pairs: &[(&str, &str)]| run(None, pairs).unwrap().audit().to_vec();
        assert_eq!(
            audit(&[("STOP_VALIDATOR_REPAIR", "0")]),
            [
                "[config] STOP_VALIDATOR_REPAIR=0 (environment) switches stops.repair off; a leg without a confirmed stop is closed all the same"
            ]
        );
        assert_eq!(
            audit(&[("STOP_VALIDATOR_ENABLED", "1")]),
            ["[config] STOP_VALIDATOR_ENABLED=1 (environment) changes nothing: stops.validator is on"]
        );
        let forbidden = audit(&[("STOP_VALIDATOR_ENABLED", "1"), ("HEDGE__STOPS__VALIDATOR", "false")]);
        assert!(forbidden[0].contains("switches nothing on: stops.validator is off"), "{forbidden:?}");
        let late = audit(&[("STOP_VALIDATOR_GRACE_SEC", "3")]);
        assert!(late[0].contains("repairs no stop"), "{late:?}");
    }
}
