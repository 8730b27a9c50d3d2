//! `hedgectl preflight` against exchanges whose account is not as it should be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;

use hedge_sim::{
    binance::ApiKey,
    venue::{Command, PositionSide, Seed, SymbolId, SymbolStatus},
};
use serde_json::Value;
use support::{
    Folder, Run,
    venue::{Venue, dec},
};

/// The checks of a run by name: result and what was found.
#[derive(Debug)]
struct Checks(Vec<Value>);

impl Checks {
    fn of(run: &Run) -> Self {
        let report: Value =
            serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        assert_eq!(report["ok"], (run.code == 0), "{run:?}");
        Self(report["checks"].as_array().unwrap().clone())
    }
    fn get(&self, name: &str) -> (&str, &str) {
        let check =
            self.0.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {self:?}"));
        (check["result"].as_str().unwrap(), check["found"].as_str().unwrap())
    }
    fn failed(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter(|check| check["result"] == "failed")
            .map(|check| check["name"].as_str().unwrap())
            .collect()
    }
}

async fn preflight(venue: &Venue, profile: &str, more: &[(&str, &str)]) -> (Run, Checks) {
    let run = venue.hedgectl(&Folder::new(), &["preflight", "--json", "--profile", profile], more).await;
    let checks = Checks::of(&run);
    (run, checks)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_as_it_should_be_passes_in_every_profile_and_nothing_changes() {
    let venue = Venue::prepared().await;
    let before = venue.picture();
    for profile in ["paper", "testnet", "mainnet-dry", "mainnet"] {
        let (run, checks) = preflight(&venue, profile, &[]).await;
        assert_eq!((run.code, checks.failed()), (0, vec![]), "{run:?}");
        let dry = if profile == "mainnet-dry" { "True" } else { "False" };
        let line = format!("[preflight] profile={profile} base={} testnet=", venue.exchange.rest_url());
        assert!(
            run.stderr.contains(&line) && run.stderr.contains(&format!("dry_run={dry}")),
            "{}",
            run.stderr
        );
        // The account could withdraw: no matter away from mainnet.
        assert_eq!(checks.get("withdrawals").0, "warning");
        assert_eq!(checks.get("hedge mode"), ("ok", "on"));
        assert_eq!(checks.get("leverage").0, "ok", "{checks:?}");
        assert_eq!(checks.get("consent").0, "ok");
    }
    assert_eq!(venue.picture(), before, "looking changed the account");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_executor_sets_right_is_a_warning_that_says_so() {
    let venue = Venue::start().await;
    venue.isolate("ETHUSDT");
    let (run, checks) = preflight(&venue, "mainnet", &[]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(checks.get("hedge mode"), ("warning", "off; the executor switches it on at its start"));
    assert_eq!(
        checks.get("margin type"),
        ("warning", "ETHUSDT ISOLATED; the executor sets CROSSED at its start")
    );
    let (result, found) = checks.get("leverage");
    assert!(result == "warning" && found.contains("the executor sets 3x"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_open_orders_and_positions_keep_as_they_are_fail_and_name_them() {
    let venue = Venue::start().await;
    venue.isolate("ETHUSDT");
    venue.bid("ETHUSDT", "0.1", None, "by-hand-1");
    let (run, checks) = preflight(&venue, "mainnet", &[]).await;
    assert_eq!(run.code, 10, "{run:?}");
    assert_eq!(checks.failed(), ["hedge mode", "margin type"]);
    assert!(checks.get("hedge mode").1.contains("order by-hand-1 on ETHUSDT"), "{checks:?}");
    assert!(checks.get("margin type").1.contains("0 positions and 1 orders"), "{checks:?}");
    assert!(run.stderr.contains("preflight failed: hedge mode, margin type"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_of_somebody_else_is_named_and_a_bare_one_is_protected_or_refused() {
    let venue = Venue::prepared().await;
    venue.long("BTCUSDT", "0.01");
    let leave = ("HEDGE__FOREIGN__POSITIONS", "leave");
    let (run, checks) = preflight(&venue, "mainnet", &[]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let taken_over = "BTCUSDT LONG 0.01 is somebody else's; it is taken over with a stop";
    assert_eq!(checks.get("positions"), ("warning", taken_over));
    assert!(checks.get("stops").1.contains("the executor places one at its start"), "{checks:?}");

    let (run, checks) = preflight(&venue, "mainnet", &[leave]).await;
    assert_eq!((run.code, checks.failed()), (10, vec!["stops"]), "{run:?}");
    assert!(checks.get("positions").1.contains("it is left alone"), "{checks:?}");

    // A dry run protects nobody, and stands in nobody's way.
    let (run, checks) = preflight(&venue, "mainnet-dry", &[leave]).await;
    assert_eq!((run.code, checks.get("stops").0), (0, "warning"), "{run:?}");

    venue.stop("BTCUSDT");
    let (run, checks) = preflight(&venue, "mainnet", &[leave]).await;
    assert_eq!((run.code, checks.get("stops")), (0, ("ok", "1 legs covered")), "{run:?}");
    assert!(checks.get("orders").1.starts_with("1 of somebody else, they are left alone: "), "{checks:?}");
    assert_eq!(checks.get("conditional orders").1, "199 free");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_somebody_else_is_named_with_what_it_does() {
    let venue = Venue::prepared().await;
    venue.bid("ETHUSDT", "0.1", Some(PositionSide::Long), "by-hand-2");
    let (run, checks) = preflight(&venue, "mainnet", &[]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let named = "1 of somebody else, they are left alone: by-hand-2 opens ETHUSDT LONG";
    assert_eq!(checks.get("orders"), ("warning", named));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbol_that_does_not_trade_fails() {
    let venue = Venue::prepared().await;
    let symbol = venue.exchange.query(|exchange| exchange.symbol_id("ETHUSDT")).unwrap_or(SymbolId(0));
    venue.apply(Command::SetStatus { symbol, status: SymbolStatus::Settling });
    let (run, checks) = preflight(&venue, "mainnet", &[]).await;
    assert_eq!((run.code, checks.failed()), (10, vec!["symbols"]), "{run:?}");
    assert_eq!(checks.get("symbols").1, "ETHUSDT is SETTLING");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_too_small_for_its_symbol_fails_with_what_to_raise() {
    let venue = Venue::prepared().await;
    let folder = Folder::new();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config");
    for name in ["pairs_universe.json", "strategy_config.json", "risk_limits.json", "runtime.toml"] {
        let text = fs::read_to_string(format!("{shipped}/{name}")).unwrap();
        folder.write(
            &format!("config/{name}"),
            &text.replace("\"capital_per_trade\": \"500\"", "\"capital_per_trade\": \"20\""),
        );
    }
    let run = venue.hedgectl(&folder, &["preflight", "--json", "--profile", "mainnet"], &[]).await;
    let checks = Checks::of(&run);
    assert_eq!((run.code, checks.failed()), (10, vec!["filters"]), "{run:?}");
    assert!(
        checks.get("filters").1.starts_with("btc_breakout on BTCUSDT: capital_per_trade 20 "),
        "{checks:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_with_other_assets_or_without_usdt_is_a_warning() {
    let venue = Venue::prepared().await;
    let account = venue.exchange.account();
    for (asset, balance) in [("BNB", "1.5"), ("USDT", "0")] {
        let asset = asset.to_owned();
        venue.apply(Command::Seed(Box::new(Seed::Wallet { account, asset, balance: dec(balance) })));
    }
    let (run, checks) = preflight(&venue, "mainnet", &[]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(checks.get("settlement"), ("warning", "0 USDT; 1.5 BNB that no limit counts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_venue_refuses_fail_and_are_never_shown() {
    let venue = Venue::prepared().await;
    let secret = "aSecretThatMustNotBeSeenAnywhere00000000000000000000000000000000";
    let more = [("BINANCE_API_SECRET", secret), ("LOG_LEVEL", "trace"), ("RUST_LOG", "trace")];
    let (run, checks) = preflight(&venue, "mainnet", &more).await;
    assert_eq!((run.code, checks.failed()), (10, vec!["keys"]), "{run:?}");
    assert!(checks.get("keys").1.contains("-1022"), "{checks:?}");
    for hidden in [secret, ApiKey::DEMO_KEY] {
        assert!(!run.stdout.contains(hidden) && !run.stderr.contains(hidden), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_not_there_fails_soon_and_is_not_asked_twenty_times() {
    let venue = Venue::start().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let began = std::time::Instant::now();
    let (run, checks) = preflight(&venue, "mainnet", &[("HEDGE__BINANCE__REST_URL", &url)]).await;
    assert_eq!((run.code, checks.failed()), (10, vec!["clock"]), "{run:?}");
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    // What needs no venue is looked at all the same.
    assert_eq!(checks.get("disk").0, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_for_people_says_what_was_expected_and_what_to_do() {
    let venue = Venue::start().await;
    let run = venue.hedgectl(&Folder::new(), &["preflight", "--profile", "mainnet"], &[]).await;
    assert_eq!(run.code, 0, "{run:?}");
    for part in [
        "ok       environment",
        "warning  hedge mode",
        "expected: on: LONG and SHORT",
        "do: nothing, or switch it on",
        " failed\n",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
}

#[test]
fn a_profile_without_keys_or_with_a_contradiction_is_exit_78_and_an_unknown_one_2() {
    let folder = Folder::new();
    let run = |args: &[&str], variables: &[(&str, &str)]| support::hedgectl_with(&folder.0, args, variables);
    let missing = run(&["preflight", "--profile", "mainnet"], &[]);
    assert_eq!(missing.code, 78, "{missing:?}");
    assert!(missing.stderr.contains("BINANCE_API_KEY is not set"), "{missing:?}");
    let contradiction = run(&["preflight", "--profile", "testnet"], &[("DRY_RUN", "1")]);
    assert_eq!(contradiction.code, 78, "{contradiction:?}");
    assert_eq!(run(&["preflight", "--profile", "mainet"], &[]).code, 2);
    let nobody = run(&["preflight"], &[]);
    assert!(nobody.code == 78 || nobody.code == 1, "{nobody:?}");
    assert_eq!(nobody.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{nobody:?}");
}
