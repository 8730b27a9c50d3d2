//! `hedgectl probe`: what it asks before it places anything, and where it never does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Folder, hedgectl_with};

const TESTNET: [(&str, &str); 2] =
    [("BINANCE_UM_API_KEY_TESTNET", "key"), ("BINANCE_UM_API_SECRET_TESTNET", "secret-of-a-test")];
const MAINNET: [(&str, &str); 2] = [("BINANCE_API_KEY", "key"), ("BINANCE_API_SECRET", "secret-of-a-test")];

#[test]
fn it_never_runs_on_mainnet() {
    for profile in ["mainnet", "mainnet-dry"] {
        let folder = Folder::new();
        let args = ["probe", "deadman", "--profile", profile, "--yes"];
        let run = hedgectl_with(&folder.0, &args, &MAINNET);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("name a demo venue with --profile testnet"), "{run:?}");
        assert!(!run.stderr.contains("secret-of-a-test"));
    }
}

#[test]
fn where_nobody_can_be_asked_it_shows_the_plan_and_places_nothing() {
    let folder = Folder::new();
    let args = ["probe", "deadman", "--profile", "testnet", "--symbol", "XRPUSDT"];
    let run = hedgectl_with(&folder.0, &args, &TESTNET);
    assert_eq!(run.code, 2, "{run:?}");
    for part in ["on XRPUSDT, where no leg is open", "10 % below the mark, post-only", "nothing was placed"] {
        assert!(run.stderr.contains(part), "{part}: {run:?}");
    }
    assert_eq!(run.stdout, "");
}
