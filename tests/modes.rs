//! The table of modes, row by row, with the real program: the flag names the profile, a variable may only forbid.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{fs, io::ErrorKind, net::TcpListener, os::unix::fs::PermissionsExt, process::Command};

use hedge_sim::binance::{ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, Pace};
use support::{Temp, executor, following::Following, stderr, stdout};

const MAINNET_HOSTS: [(&str, &str); 2] = [
    ("HEDGE__BINANCE__REST_URL", "https://fapi.binance.com"),
    ("HEDGE__BINANCE__WS_URL", "wss://fstream.binance.com"),
];
const TESTNET_HOSTS: [(&str, &str); 2] = [
    ("HEDGE__BINANCE__REST_URL", "https://demo-fapi.binance.com"),
    ("HEDGE__BINANCE__WS_URL", "wss://demo-fstream.binance.com"),
];

/// Keys of the exchange of these tests, under the names of both accounts.
fn with_keys(command: &mut Command) {
    for name in ["BINANCE_API_KEY", "BINANCE_UM_API_KEY_TESTNET"] {
        command.env(name, ApiKey::DEMO_KEY);
    }
    for name in ["BINANCE_API_SECRET", "BINANCE_UM_API_SECRET_TESTNET"] {
        command.env(name, ApiKey::DEMO_SECRET);
    }
}

/// What a start says that is refused with 78, without a request and without a trace on the disk.
fn refused(name: &str, args: &[&str], variables: &[(&str, &str)]) -> String {
    let temp = Temp::new(name);
    let exchange = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = exchange.local_addr().unwrap();
    let mut command = executor(&temp, args);
    command
        .env("HEDGE__BINANCE__REST_URL", format!("http://{address}"))
        .env("HEDGE__BINANCE__WS_URL", format!("ws://{address}"))
        .envs(variables.iter().copied());
    with_keys(&mut command);
    let output = command.output().unwrap();
    let says = stderr(&output);
    assert_eq!(output.status.code(), Some(78), "{says}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    exchange.set_nonblocking(true).unwrap();
    let connected = exchange.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(connected, Err(ErrorKind::WouldBlock), "nothing is sent");
    assert!(!temp.join("state").exists(), "nothing is created");
    says
}

/// Both sides of a contradiction stand in one line.
fn names_both(says: &str, flag: &str, other: &str) {
    assert_eq!(says.lines().count(), 1, "{says}");
    assert!(says.contains(&format!("--profile {flag} (command line)")), "{says}");
    assert!(says.contains(other), "{says}");
}

#[test]
fn there_is_no_dry_testnet() {
    for (name, value) in [("DRY_RUN", "1"), ("SAFE_MODE", "true")] {
        let says = refused("dry-testnet", &["--profile", "testnet"], &[(name, value)]);
        names_both(&says, "testnet", &format!("{name}={value} (environment)"));
        assert!(says.contains("--profile paper"), "{says}");
    }
}

#[test]
fn a_testnet_variable_keeps_mainnet_profiles_from_running() {
    for profile in ["mainnet", "mainnet-dry"] {
        let says = refused("testnet-set", &["--profile", profile], &[("BINANCE_TESTNET", "1")]);
        names_both(&says, profile, "BINANCE_TESTNET=1 (environment)");
    }
    // Also where the other variable would have made it harmless: two wrongs are not understood better than one.
    let both = [("BINANCE_TESTNET", "true"), ("DRY_RUN", "1")];
    names_both(&refused("both-set", &["--profile", "mainnet"], &both), "mainnet", "BINANCE_TESTNET=true");
}

#[test]
fn a_variable_that_means_mainnet_keeps_testnet_from_running() {
    for (name, value) in [("BINANCE_TESTNET", "0"), ("ENV", "prod"), ("ENV", "mainnet")] {
        let says = refused("mainnet-set", &["--profile", "testnet"], &[(name, value)]);
        names_both(&says, "testnet", &format!("{name}={value} (environment)"));
    }
}

#[test]
fn a_host_of_another_venue_is_refused_with_where_it_was_set() {
    for (profile, hosts) in [
        ("mainnet", &TESTNET_HOSTS),
        ("mainnet-dry", &TESTNET_HOSTS),
        ("testnet", &MAINNET_HOSTS),
        ("paper", &MAINNET_HOSTS),
        ("paper", &TESTNET_HOSTS),
    ] {
        let says = refused("hosts", &["--profile", profile], hosts);
        names_both(&says, profile, "(HEDGE__BINANCE__REST_URL in environment)");
        assert!(says.contains(hosts[0].1), "{says}");
    }
}

#[test]
fn a_variable_of_a_file_is_named_with_its_line() {
    let temp = Temp::new("env-file");
    let file = temp.join("mine.env");
    fs::write(&file, "# dry\n\nDRY_RUN=yes\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let path = file.to_str().unwrap();
    let says = refused("env-file-run", &["--profile", "testnet", "--env-file", path], &[]);
    names_both(&says, "testnet", &format!("DRY_RUN=yes ({path}:3)"));
}

#[test]
fn a_switch_that_is_neither_yes_nor_no_is_refused_in_every_profile() {
    for profile in ["paper", "testnet", "mainnet-dry", "mainnet"] {
        let says = refused("neither", &["--profile", profile], &[("DRY_RUN", "perhaps")]);
        assert!(says.contains("DRY_RUN = \"perhaps\": expected 1, 0, true"), "{says}");
    }
}

#[test]
fn a_fast_clock_is_for_this_machine_only() {
    let temp = Temp::new("fast-clock");
    for (profile, hosts) in [("mainnet", &MAINNET_HOSTS), ("testnet", &TESTNET_HOSTS)] {
        let mut command = executor(&temp, &["--profile", profile, "--time-scale", "60"]);
        with_keys(&mut command);
        if profile == "testnet" {
            // The same key under both names would be refused first.
            command.env_remove("BINANCE_API_KEY").env_remove("BINANCE_API_SECRET");
        }
        let output = command.envs(hosts.iter().copied()).output().unwrap();
        let says = stderr(&output);
        assert_eq!(output.status.code(), Some(78), "{says}");
        assert!(
            says.lines().count() == 1 && says.contains("--time-scale is for venues on this machine"),
            "{says}"
        );
    }
    let embedded = executor(&temp, &["--time-scale", "60"]).output().unwrap();
    assert_eq!(embedded.status.code(), Some(2), "{}", stderr(&embedded));
    assert!(stderr(&embedded).contains("--speed"), "{}", stderr(&embedded));
    for times in ["0", "1001", "1.5", "-3"] {
        let output = executor(&temp, &["--time-scale", times]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{times}: {}", stderr(&output));
    }
    assert!(!temp.join("state").exists(), "nothing is created");
}

/// An exchange in this process, of the environment that a profile expects.
struct Elsewhere {
    runtime: tokio::runtime::Runtime,
    exchange: Option<ExchangeHandle>,
}

impl Elsewhere {
    fn start(environment: Environment) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = ExchangeConfig { environment, pace: Pace::Speed(1.0), ..ExchangeConfig::default() };
        let exchange = Some(runtime.block_on(Exchange::start(config)).unwrap());
        Self { runtime, exchange }
    }
    fn exchange(&self) -> &ExchangeHandle {
        self.exchange.as_ref().unwrap()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            self.runtime.block_on(exchange.shutdown());
        }
    }
}

/// Starts, waits until the account is read, stops; every line that was printed.
fn runs(name: &str, args: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    runs_in(&Temp::new(name), args, variables)
}

fn runs_in(temp: &Temp, args: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let is_testnet = args.contains(&"testnet");
    let elsewhere = Elsewhere::start(if is_testnet { Environment::Demo } else { Environment::Mainnet });
    let mut command = executor(temp, args);
    command
        .env("HEDGE__BINANCE__REST_URL", elsewhere.exchange().rest_url())
        .env("HEDGE__BINANCE__WS_URL", elsewhere.exchange().ws_url())
        .envs(variables.iter().copied());
    with_keys(&mut command);
    let mut run = Following::start(command);
    run.wait_for("[executor] account OK");
    let (_, code) = run.stop("-TERM");
    assert_eq!(code, Some(0), "{:#?}", run.seen);
    let position = |start: &str| run.seen.iter().position(|line| line.starts_with(start));
    assert!(position("[preflight]") < position("[executor]"), "{:#?}", run.seen);
    let base = format!(" base={} ", elsewhere.exchange().rest_url());
    assert!(run.seen[position("[preflight]").unwrap()].contains(&base), "{:#?}", run.seen);
    run.seen.clone()
}

/// That profile ran, and both lines that operators look at say how.
fn ran_as(lines: &[String], profile: &str, testnet: &str, dry_run: &str) {
    let line = |start: &str| lines.iter().find(|line| line.starts_with(start)).unwrap();
    let preflight = line("[preflight]");
    assert!(
        preflight.starts_with(&format!("[preflight] profile={profile} base=http://127.0.0.1:")),
        "{preflight}"
    );
    assert!(preflight.ends_with(&format!(" testnet={testnet} dry_run={dry_run}")), "{preflight}");
    let account = line("[executor] account OK");
    let wanted = format!("futures=True testnet={testnet} dry_run={dry_run} balances: [");
    assert!(account.contains(&wanted), "{account}");
}

fn says(lines: &[String], what: &str) -> usize {
    lines.iter().filter(|line| line.contains(what)).count()
}

#[test]
fn nothing_set_is_paper() {
    let temp = Temp::new("nothing");
    let output = executor(&temp, &["--dev-fast"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = stdout(&output);
    let first = lines.iter().find(|line| line.starts_with("[preflight]")).unwrap();
    assert!(first.starts_with("[preflight] profile=paper base=http://127.0.0.1:"), "{first}");
    assert!(first.ends_with(" testnet=False dry_run=False"), "{first}");
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn variables_change_nothing_in_paper_and_that_is_said_once_each() {
    let set = [("DRY_RUN", "1"), ("SAFE_MODE", "true"), ("BINANCE_TESTNET", "1"), ("ENV", "prod")];
    let lines = runs("paper", &["--follow"], &set);
    ran_as(&lines, "paper", "False", "False");
    for name in ["DRY_RUN=1", "SAFE_MODE=true", "BINANCE_TESTNET=1"] {
        let line = format!("[config] {name} (environment) changes nothing in profile paper");
        assert_eq!(says(&lines, &line), 1, "{lines:#?}");
    }
}

#[test]
fn testnet_runs_with_its_own_keys_and_says_so() {
    ran_as(&runs("testnet", &["--profile", "testnet"], &[]), "testnet", "True", "False");
    let set = [("BINANCE_TESTNET", "1"), ("DRY_RUN", "0"), ("SAFE_MODE", "false"), ("ENV", "staging")];
    ran_as(&runs("testnet-set", &["--profile", "testnet"], &set), "testnet", "True", "False");
}

#[test]
fn mainnet_dry_reads_and_simulates_whatever_a_variable_says() {
    for set in [&[][..], &[("DRY_RUN", "1")], &[("DRY_RUN", "0"), ("SAFE_MODE", "false")]] {
        let lines = runs("dry", &["--profile", "mainnet-dry"], set);
        ran_as(&lines, "mainnet-dry", "False", "True");
        if let Some((name, value)) = set.first() {
            let what =
                if *value == "1" { "changes nothing in profile mainnet-dry" } else { "permits nothing" };
            assert_eq!(
                says(&lines, &format!("[config] {name}={value} (environment) {what}")),
                1,
                "{lines:#?}"
            );
        }
    }
}

#[test]
fn a_variable_turns_mainnet_into_mainnet_dry() {
    for (name, value) in [("DRY_RUN", "1"), ("SAFE_MODE", "true")] {
        let lines = runs("turned", &["--profile", "mainnet"], &[(name, value), ("ENV", "prod")]);
        ran_as(&lines, "mainnet-dry", "False", "True");
        let line = format!("[config] {name}={value} (environment) forbids orders: --profile mainnet");
        assert_eq!(says(&lines, &line), 1, "{lines:#?}");
        assert_eq!(says(&lines, "[executor] ORDER_REQ"), 0, "{lines:#?}");
    }
}

#[test]
fn mainnet_at_a_venue_of_this_machine_may_open_without_a_consent() {
    for set in [&[][..], &[("DRY_RUN", "0"), ("BINANCE_TESTNET", "0"), ("ENV", "mainnet")]] {
        let lines = runs("mainnet", &["--profile", "mainnet"], set);
        ran_as(&lines, "mainnet", "False", "False");
        assert_eq!(says(&lines, "exit_only"), 0, "{lines:#?}");
    }
}

#[test]
fn a_variable_turns_an_installed_mainnet_dry_beside_its_journal() {
    let temp = Temp::new("installed");
    ran_as(&runs_in(&temp, &["--profile", "mainnet"], &[]), "mainnet", "False", "False");
    let segment = temp.join("state/journal/00000000000000000000.jsonl");
    let before = fs::read(&segment).unwrap();
    let lines = runs_in(&temp, &["--profile", "mainnet"], &[("DRY_RUN", "1")]);
    ran_as(&lines, "mainnet-dry", "False", "True");
    assert!(temp.join("state/mainnet-dry/journal").is_dir());
    assert_eq!(fs::read(&segment).unwrap(), before, "the other journal stays as it is");
}
