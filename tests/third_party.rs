//! Clients that nobody here wrote trade on the simulated exchange. Only on demand: their packages come over the network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{env, path::Path, process::Command};

use hedge_tests::workspace;
use support::program;

#[test]
fn unmodified_third_party_clients_trade_on_the_simulated_exchange() {
    if env::var("HEDGE_THIRD_PARTY").as_deref() != Ok("1") {
        println!("SKIP third-party clients: HEDGE_THIRD_PARTY=1 runs them; it takes python3 and a network");
        return;
    }
    let exchange = program("hedge-exchange-sim");
    let target = exchange.parent().and_then(Path::parent).unwrap();
    let status = Command::new("python3")
        .arg(workspace().join("tests/third_party/run.py"))
        .arg("--exchange-sim")
        .arg(&exchange)
        .arg("--venv")
        .arg(target.join("third-party"))
        .status()
        .expect("python3 starts");
    assert!(status.success(), "a step failed; the lines above beginning with FAIL tell which: {status}");
}
