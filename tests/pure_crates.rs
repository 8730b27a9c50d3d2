//! The crates that decide do no I/O: neither an async runtime nor an HTTP client is in their tree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use hedge_tests::workspace;

/// Every package in a crate's normal dependency tree, as `name` lines.
fn tree(package: &str, features: &[&str]) -> Vec<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args([
            "tree",
            "--locked",
            "--offline",
            "-e",
            "normal",
            "--prefix",
            "none",
            "-f",
            "{p}",
            "-p",
            package,
        ])
        .args(features)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_crates_that_decide_have_neither_runtime_nor_http_client() {
    for package in ["hedge-core", "hedge-risk", "hedge-strategy", "hedge-sim"] {
        let tree = tree(package, &["--no-default-features"]);
        assert!(
            tree.iter().any(|name| name == "rust_decimal"),
            "the tree of {package} is not read: {tree:?}"
        );
        for forbidden in ["tokio", "reqwest", "hyper", "axum", "rusqlite"] {
            assert!(!tree.iter().any(|name| name == forbidden), "{package} depends on {forbidden}");
        }
    }
}

#[test]
fn the_runtime_knows_only_the_core() {
    let tree = tree("hedge-runtime", &[]);
    let ours: Vec<&String> =
        tree.iter().filter(|name| name.starts_with("hedge-") && *name != "hedge-runtime").collect();
    assert!(ours.iter().all(|name| *name == "hedge-core"), "{ours:?}");
}

#[test]
fn a_venue_crate_knows_neither_stores_nor_strategies_nor_the_simulator() {
    let tree = tree("hedge-binance", &[]);
    for name in tree.iter().filter(|name| name.starts_with("hedge-")) {
        assert!(["hedge-binance", "hedge-core", "hedge-http"].contains(&name.as_str()), "{name}");
    }
}
