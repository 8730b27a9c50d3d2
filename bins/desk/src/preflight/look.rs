//! All checks, in the order in which a person would ask.

use std::path::Path;

use hedge_core::{Environment, PreflightCheck, PreflightReport, StoreError, Symbol, VenueReader};

use super::{
    account, exposure,
    exposure::Ours,
    market, risk, state,
    venue::{Seen, silence},
};
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
    let journal = state_dir.map_or(Ok(None), |dir| Folded::read(dir, config)).map_err(told);
    look_beside(&journal, access, config, mode, state_dir, symbols).await.report
}

/// A journal's end, or why it cannot be read.
pub(crate) type Journal = Result<Option<Folded>, String>;

pub(crate) fn told(error: StoreError) -> String {
    error.to_string()
}

/// What came of one look.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) report: PreflightReport,
    /// What nobody has answered, where checks failed for that alone: nothing is known to be wrong.
    pub(crate) unanswered: Option<String>,
    /// Why nothing may be opened although no check failed.
    pub(crate) hold: Option<String>,
}

/// The same beside a journal that is read already.
pub(crate) async fn look_beside(
    journal: &Journal,
    access: &Access,
    config: &Config,
    mode: &Mode,
    state_dir: Option<&Path>,
    symbols: &[Symbol],
) -> Looked {
    let (client, clock) = (&access.client, access.clock.as_ref());
    let seen = Seen::read(client, clock, symbols).await;
    let fingerprint = client.fingerprint();
    let is_loopback = fingerprint.environment == Environment::Loopback;
    let journal: risk::Journal<'_> = journal.as_ref().map(Option::as_ref).map_err(Clone::clone);
    let ours = Ours {
        book: journal.as_ref().ok().and_then(|folded| folded.map(|folded| &folded.book)),
        config,
        symbols,
        mode,
    };
    let preflight = &config.runtime.preflight;
    let max_skew_ms = preflight.max_clock_skew_ms;
    let mut checks = Checks::default();
    checks.add(account::environment(mode, fingerprint));
    checks.add(account::host(fingerprint));
    let clock_check = account::clock(&seen.clock, max_skew_ms, is_loopback, ours.book.is_some());
    let clock_is_off =
        account::is_off(&seen.clock, max_skew_ms, is_loopback).then(|| clock_check.found.clone());
    checks.add_by(clock_check, silence(&seen.clock));
    if seen.clock.is_ok() {
        checks.add_by(account::keys(&seen.config, mode), silence(&seen.config));
        if let Ok(account) = &seen.config {
            checks.add(account::withdrawals(account, fingerprint.environment, preflight.accept_withdraw));
            checks.add_by(account::hedge_mode(account, &seen, mode), seen.silence_on_exposure());
            checks.add(account::multi_assets(account));
            let settings = silence(&seen.settings);
            checks.add_by(account::margin_type(&seen.settings, &seen, symbols, mode), settings);
            checks.add_by(account::leverage(&seen.settings, config, symbols, mode), settings);
            checks.add_by(account::settlement(&seen), silence(&seen.account));
        }
        checks.add_by(market::listed(&seen.listed, symbols), silence(&seen.listed));
        let entries = market::entries(&seen.listed, &seen.marks, config, symbols);
        checks.add_by(entries, seen.silence_on_rules());
        if seen.config.is_ok() {
            checks.add_by(exposure::positions(&seen, ours), silence(&seen.held));
            checks.add_by(exposure::stops(&seen, ours), seen.silence_on_exposure());
            checks.add_by(exposure::orders(&seen.orders, ours), silence(&seen.orders));
            let slots = exposure::slots(&seen, client.capabilities().max_conditional_orders);
            checks.add_by(slots, silence(&seen.orders));
        }
    }
    let now = clock.now();
    checks.add(risk::kill_switch(&journal));
    checks.add(risk::breakers(&journal, config, now));
    risk::doubts(&journal).into_iter().for_each(|check| checks.add(check));
    if let Some(dir) = state_dir {
        checks.add(state::owner(dir, mode));
        checks.add(state::permissions(dir));
        checks.add(state::disk(dir, config));
        checks.add(state::fence(dir));
        checks.add(state::consent(dir, mode, fingerprint, &config.hash(), now));
    }
    Looked {
        unanswered: checks.unanswered.filter(|_| !checks.has_wrong_answer),
        hold: clock_is_off.map(|found| format!("the clock is {found}; restart when it is right")),
        report: PreflightReport { fingerprint: fingerprint.clone(), checks: checks.all },
    }
}

/// Checks, and why those failed that did.
#[derive(Debug, Default)]
struct Checks {
    all: Vec<PreflightCheck>,
    unanswered: Option<String>,
    has_wrong_answer: bool,
}

impl Checks {
    fn add(&mut self, check: PreflightCheck) {
        self.add_by(check, None);
    }

    /// `silence` is what was said instead of an answer that this check is made of.
    fn add_by(&mut self, check: PreflightCheck, silence: Option<&str>) {
        if !check.passed() {
            match silence {
                Some(words) => {
                    self.unanswered.get_or_insert_with(|| format!("{}: {words}", check.name));
                }
                None => self.has_wrong_answer = true,
            }
        }
        self.all.push(check);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::check::{failed, warning},
        *,
    };

    #[test]
    fn what_nobody_answered_counts_only_where_nothing_is_known_to_be_wrong() {
        let mut checks = Checks::default();
        checks.add_by(warning("leverage", "3x", "20x", ""), Some("connection refused"));
        assert_eq!(checks.unanswered, None, "it passed all the same");
        checks.add_by(failed("clock", "near", "nothing", ""), Some("connection refused"));
        checks.add_by(failed("keys", "good", "nothing", ""), Some("503"));
        assert_eq!(checks.unanswered.as_deref(), Some("clock: connection refused"));
        assert!(!checks.has_wrong_answer);
        checks.add(failed("margin assets", "single", "multi", ""));
        assert!(checks.has_wrong_answer);
        assert_eq!(checks.all.len(), 4);
    }
}
