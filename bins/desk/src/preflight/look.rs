//! All checks, in the order in which a person would ask.

use std::path::Path;

use hedge_core::{Environment, PreflightReport, Symbol, VenueReader};

use super::{account, exposure, exposure::Ours, market, risk, state, venue::Seen};
use crate::{
    config::{Config, Mode},
    operate::Folded,
    venue::Access,
};

/// Looks at everything that must hold before those symbols are traded. Changes nothing and takes no lock; a question that
/// gets no answer is a check that fails. `state_dir` need not exist yet; without one nothing is said about it.
pub async fn look(
    access: &Access,
    config: &Config,
    mode: &Mode,
    state_dir: Option<&Path>,
    symbols: &[Symbol],
) -> PreflightReport {
    let (client, clock) = (&access.client, access.clock.as_ref());
    let folded = match state_dir {
        Some(dir) => Folded::read(dir, config).map_err(|error| error.to_string()),
        None => Ok(None),
    };
    let seen = Seen::read(client, clock, symbols).await;
    let fingerprint = client.fingerprint();
    let is_loopback = fingerprint.environment == Environment::Loopback;
    let journal: risk::Journal<'_> = folded.as_ref().map(Option::as_ref).map_err(Clone::clone);
    let ours = Ours {
        book: journal.as_ref().ok().and_then(|folded| folded.map(|folded| &folded.book)),
        config,
        symbols,
        mode,
    };
    let preflight = &config.runtime.preflight;
    let mut checks = vec![
        account::environment(mode, fingerprint),
        account::host(fingerprint),
        account::clock(&seen.clock, preflight.max_clock_skew_ms, is_loopback),
    ];
    if seen.clock.is_ok() {
        checks.push(account::keys(&seen.config, mode));
        if let Ok(account) = &seen.config {
            checks.push(account::withdrawals(account, fingerprint.environment, preflight.accept_withdraw));
            checks.push(account::hedge_mode(account, &seen, mode));
            checks.push(account::multi_assets(account));
            checks.push(account::margin_type(&seen.settings, &seen, symbols, mode));
            checks.push(account::leverage(&seen.settings, config, symbols, mode));
            checks.push(account::settlement(&seen));
        }
        checks.push(market::listed(&seen.listed, symbols));
        checks.push(market::entries(&seen.listed, &seen.marks, config, symbols));
        if seen.config.is_ok() {
            checks.push(exposure::positions(&seen, ours));
            checks.push(exposure::stops(&seen, ours));
            checks.push(exposure::orders(&seen.orders, ours));
            checks.push(exposure::slots(&seen, client.capabilities().max_conditional_orders));
        }
    }
    let now = clock.now();
    checks.push(risk::kill_switch(&journal));
    checks.push(risk::breakers(&journal, config, now));
    checks.extend(risk::doubts(&journal));
    if let Some(dir) = state_dir {
        checks.push(state::owner(dir, mode));
        checks.push(state::permissions(dir));
        checks.push(state::disk(dir, config));
        checks.push(state::fence(dir));
        checks.push(state::consent(dir, mode, fingerprint, &config.hash(), now));
    }
    PreflightReport { fingerprint: fingerprint.clone(), checks }
}
