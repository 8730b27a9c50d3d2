//! What must hold before the client is armed for a simulated exchange.

use hedge_core::{
    CheckResult, Environment, InstrumentSpec, PreflightCheck, PreflightReport, Symbol, VenueReader,
};

/// Looks at the account through a client that cannot trade yet.
pub(super) async fn look(client: &dyn VenueReader, symbols: &[Symbol]) -> PreflightReport {
    let fingerprint = client.fingerprint().clone();
    let mut checks = vec![check(
        "host",
        "a host on this machine",
        fingerprint.host.clone(),
        fingerprint.environment == Environment::Loopback,
        "the paper profile trades on simulated exchanges only; unset binance.rest_url",
    )];
    let time = client.server_time().await;
    checks.push(check(
        "venue clock",
        "an answer",
        time.as_ref().map_or_else(ToString::to_string, ToString::to_string),
        time.is_ok(),
        "start the exchange, or correct binance.rest_url",
    ));
    match client.account().await {
        Ok(account) => {
            checks.push(check(
                "margin assets",
                "single-asset mode",
                if account.multi_assets { "multi-assets mode" } else { "single-asset mode" }.to_owned(),
                !account.multi_assets,
                "switch the account to single-asset mode at the venue",
            ));
            checks.push(check(
                "permission",
                "may trade",
                if account.can_trade == Some(false) { "may not trade" } else { "may trade" }.to_owned(),
                account.can_trade != Some(false),
                "enable futures trading for this key",
            ));
        }
        Err(error) => checks.push(check(
            "account",
            "an answer",
            error.to_string(),
            false,
            "check BINANCE_API_KEY and BINANCE_API_SECRET against the exchange's",
        )),
    }
    match client.instruments().await {
        Ok(listed) => checks.push(instruments(&listed, symbols)),
        Err(error) => {
            checks.push(check(
                "instruments",
                "an answer",
                error.to_string(),
                false,
                "start the exchange again",
            ));
        }
    }
    PreflightReport { fingerprint, checks }
}

fn instruments(listed: &[InstrumentSpec], symbols: &[Symbol]) -> PreflightCheck {
    let missing: Vec<&str> = symbols
        .iter()
        .filter(|symbol| !listed.iter().any(|spec| spec.id.symbol == **symbol && spec.is_trading()))
        .map(Symbol::as_str)
        .collect();
    let found = if missing.is_empty() {
        format!("{} trading", symbols.len())
    } else {
        format!("not trading: {}", missing.join(", "))
    };
    let remedy = "remove them from pairs_universe.json or name others with --symbols";
    check("instruments", "every symbol trading", found, missing.is_empty(), remedy)
}

fn check(name: &str, expected: &str, found: String, passed: bool, remedy: &str) -> PreflightCheck {
    PreflightCheck {
        name: name.to_owned(),
        expected: expected.to_owned(),
        found,
        result: if passed { CheckResult::Ok } else { CheckResult::Failed },
        remedy: remedy.to_owned(),
    }
}
