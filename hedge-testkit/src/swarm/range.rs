//! Many runs: one thread a job, each seed for itself.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use hedge_core::Envelope;

use super::{auditor::Violation, mutant::Mutant, plan::Plan, shrink::shrink, world::World};

/// How seeds are run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is wrong with the engine, if anything should be.
    pub mutant: Option<Mutant>,
    /// How many threads.
    pub jobs: usize,
    /// Whether the rest of the range is left out after the first violation.
    pub stop_at_first: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { mutant: None, jobs: 1, stop_at_first: true }
    }
}

/// One run, told.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// What was wrong, if anything.
    pub violation: Option<Violation>,
    /// How many comparisons were made.
    pub points: u64,
    /// Everything that happened, as one number: equal for equal runs.
    pub digest: u64,
    /// How often each fault took effect, by its kind.
    pub faults: BTreeMap<&'static str, u32>,
    /// How many executions there were.
    pub trades: usize,
    /// How many processes ran, one after the other.
    pub processes: u32,
    /// The longest time that a leg stood without a stop. Units: milliseconds.
    pub longest_bare_ms: i64,
    /// What happened, line by line; empty unless asked for.
    pub trace: Vec<String>,
    /// What was planned, line by line.
    pub plan: Vec<String>,
    /// The journal as it stood at the end.
    pub journal: Vec<Envelope>,
}

/// A seed that violates an invariant, made small.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which seed.
    pub seed: u64,
    /// What went wrong at first.
    pub violation: Violation,
    /// What still goes wrong with only these items of its plan.
    pub shrunk_violation: Violation,
    /// The items that are needed, line by line.
    pub shrunk: Vec<String>,
    /// How many items the plan had.
    pub items: usize,
    /// The end of the shrunk run, line by line.
    pub trace: Vec<String>,
}

/// What a range of seeds gave.
#[derive(Clone, Debug, Default)]
pub struct RangeReport {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many comparisons were made.
    pub points: u64,
    /// How many seeds violated an invariant.
    pub violations: u64,
    /// How often each fault took effect, by its kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// How many executions there were.
    pub trades: u64,
    /// The longest time that a leg stood without a stop while faults were at work. Units: milliseconds.
    pub longest_bare_ms: i64,
    /// The violations, by seed.
    pub found: Vec<(u64, Violation)>,
    /// The violation of the lowest seed, made small.
    pub finding: Option<Finding>,
}

/// How many lines of a run lead up to its violation.
const LAST_LINES: usize = 60;

/// Plays one seed. `traced` keeps what happened, line by line.
pub fn run_seed(seed: u64, mutant: Option<Mutant>, traced: bool) -> Run {
    let plan = Plan::of(seed);
    let outcome = World::new(&plan, mutant, traced).run();
    Run {
        seed,
        violation: outcome.violation,
        points: outcome.points,
        digest: outcome.digest,
        faults: outcome.fired,
        trades: outcome.trades,
        processes: outcome.processes,
        longest_bare_ms: outcome.longest_bare_ms,
        trace: outcome.trace,
        plan: plan.items.iter().map(ToString::to_string).collect(),
        journal: outcome.journal,
    }
}

/// Plays every seed of a range (the end is not part of it). The result does not depend on the number of jobs, unless it stops
/// at the first violation.
pub fn run_range(seeds: Range<u64>, options: Options) -> RangeReport {
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let work = || {
        let mut report = RangeReport::default();
        while !stop.load(SeqCst) {
            let seed = next.fetch_add(1, SeqCst);
            if seed >= seeds.end {
                break;
            }
            let run = run_seed(seed, options.mutant, false);
            report.add(&run);
            if run.violation.is_some() && options.stop_at_first {
                stop.store(true, SeqCst);
            }
        }
        report
    };
    let mut report = RangeReport::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(part) => report.merge(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    report.found.sort_by_key(|(seed, _)| *seed);
    report.finding = report.found.first().map(|(seed, violation)| small(*seed, options.mutant, violation));
    report
}

fn small(seed: u64, mutant: Option<Mutant>, violation: &Violation) -> Finding {
    let plan = Plan::of(seed);
    let shrunk = shrink(&plan, mutant, violation.clone());
    let mut trace = World::new(&shrunk.plan, mutant, true).run().trace;
    trace.drain(..trace.len().saturating_sub(LAST_LINES));
    Finding {
        seed,
        violation: violation.clone(),
        shrunk_violation: shrunk.violation,
        shrunk: shrunk.plan.items.iter().map(ToString::to_string).collect(),
        items: plan.items.len(),
        trace,
    }
}

impl RangeReport {
    fn add(&mut self, run: &Run) {
        self.seeds += 1;
        self.points += run.points;
        self.trades += run.trades as u64;
        self.longest_bare_ms = self.longest_bare_ms.max(run.longest_bare_ms);
        for (kind, count) in &run.faults {
            *self.faults.entry(kind).or_default() += u64::from(*count);
        }
        if let Some(violation) = &run.violation {
            self.violations += 1;
            self.found.push((run.seed, violation.clone()));
        }
    }

    fn merge(&mut self, part: Self) {
        self.seeds += part.seeds;
        self.points += part.points;
        self.trades += part.trades;
        self.violations += part.violations;
        self.longest_bare_ms = self.longest_bare_ms.max(part.longest_bare_ms);
        for (kind, count) in part.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.found.extend(part.found);
    }
}
