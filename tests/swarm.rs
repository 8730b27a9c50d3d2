//! The swarm: the real engine is clean, wrong ones are found, and what was found once is played again.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    process::Command,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use hedge_testkit::swarm::{Mutant, Options, fault_kinds, run_range, run_seed};

/// What a continuous run plays.
const SEEDS: u64 = 2_000;
/// What a debug build plays, which is several times slower.
const SEEDS_UNOPTIMISED: u64 = 300;
/// How long all of them may take: a minute on the machine that runs these tests, and more on a slow one.
const WITHIN: Duration = Duration::from_secs(240);

fn options(mutant: Option<Mutant>) -> Options {
    let jobs = available_parallelism().map_or(1, usize::from);
    Options { mutant, jobs, stop_at_first: mutant.is_some(), shrink: false }
}

#[test]
fn the_real_engine_violates_nothing() {
    let seeds = if cfg!(debug_assertions) { SEEDS_UNOPTIMISED } else { SEEDS };
    let report = run_range(0..seeds, options(None));
    assert_eq!(report.found, [], "play one with `hedge-swarm --seed N --verbose`");
    assert_eq!(report.seeds, seeds);
    assert!(report.points > seeds * 500, "{} points are few for {seeds} seeds", report.points);
    assert!(report.trades > seeds * 5, "{} executions are few for {seeds} seeds", report.trades);
}

#[test]
fn the_optimised_binary_plays_two_thousand_seeds_soon() {
    let binary = support::released("hedge-swarm");
    let began = Instant::now();
    let output = Command::new(binary).args(["--seeds", &format!("0..{SEEDS}")]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with(&format!("seeds = {SEEDS}, points = ")), "{last}");
    assert!(last.contains(", violations = 0, seeds/s = "), "{last}");
    println!("SWARM {last}");
    assert!(began.elapsed() < WITHIN, "{:?}: {last}", began.elapsed());
}

#[test]
fn every_kind_of_fault_takes_effect() {
    let report = run_range(0..SEEDS_UNOPTIMISED, options(None));
    let silent: Vec<&str> =
        fault_kinds().into_iter().filter(|kind| !report.faults.contains_key(kind)).collect();
    assert!(silent.is_empty(), "never at work in {SEEDS_UNOPTIMISED} seeds: {silent:?}");
}

#[test]
fn every_mutant_is_found() {
    assert!(Mutant::all().count() >= 12);
    for mutant in Mutant::all() {
        let report = run_range(0..SEEDS, options(Some(mutant)));
        let Some((seed, violation)) = report.found.first() else {
            panic!("{} survived {SEEDS} seeds", mutant.name());
        };
        println!("{:<24} seed {seed:>4}: {violation}", mutant.name());
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..12 {
        let (first, second) = (run_seed(seed, None, true), run_seed(seed, None, false));
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_eq!(first.journal, second.journal, "seed {seed}");
        assert_eq!(first.points, second.points, "seed {seed}");
        assert!(!first.trace.is_empty() && second.trace.is_empty());
    }
    assert_ne!(run_seed(1, None, false).digest, run_seed(2, None, false).digest);
}

#[test]
fn threads_change_nothing() {
    let of = |jobs| {
        let report = run_range(0..16, Options { jobs, ..options(None) });
        (report.points, report.trades, report.faults, report.longest_bare_ms)
    };
    assert_eq!(of(1), of(3));
}

#[test]
fn a_failure_is_made_small_and_stays_the_same_failure() {
    let mutant = Some(Mutant::DropStop);
    let report = run_range(0..20, Options { jobs: 1, shrink: true, ..options(mutant) });
    let finding = report.finding.expect("a mutant without stops is found");
    assert!(finding.shrunk.len() <= 4, "{:#?}", finding.shrunk);
    assert!(finding.shrunk.len() * 4 < finding.items, "{} of {}", finding.shrunk.len(), finding.items);
    assert_eq!(finding.shrunk_violation.invariant, finding.violation.invariant);
    assert!(finding.trace.last().unwrap().contains("VIOLATION"), "{:#?}", finding.trace);
}

/// Seeds by line; `#` begins a remark.
fn regressions() -> Vec<u64> {
    let lines = include_str!("swarm/regressions.txt").lines();
    lines.filter_map(|line| line.split('#').next()?.trim().parse().ok()).collect()
}

#[test]
fn what_failed_once_does_not_fail_again() {
    for seed in regressions() {
        assert_eq!(run_seed(seed, None, false).violation, None, "seed {seed}");
    }
}
