//! `hedge-swarm`: seeded fault simulation.

mod args;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use clap::Parser;
use hedge_testkit::swarm::{Finding, Mutant, Options, RangeReport, fault_kinds, run_range, run_seed};

use crate::args::{Args, Choice};

fn main() -> ExitCode {
    match run(&Args::parse(), &mut io::stdout().lock()) {
        Ok(clean) => ExitCode::from(u8::from(!clean)),
        // Whoever reads no further has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hedge-swarm: {error}");
            ExitCode::from(1)
        }
    }
}

/// Whether nothing was wrong.
fn run(args: &Args, out: &mut impl Write) -> io::Result<bool> {
    let mutant = match args.mutant {
        Some(Choice::List) => {
            for mutant in Mutant::all() {
                writeln!(out, "{}", mutant.name())?;
            }
            return Ok(true);
        }
        Some(Choice::One(mutant)) => Some(mutant),
        None => None,
    };
    if let Some(mutant) = mutant {
        writeln!(out, "mutant {}: an engine that {}", mutant.name(), mutant.about())?;
    }
    if let Some(seed) = args.seed.filter(|_| args.verbose || args.journal) {
        return tell(seed, mutant, args.journal, out);
    }
    let seeds =
        args.seeds.clone().or_else(|| args.seed.map(|seed| seed..seed.saturating_add(1))).unwrap_or(0..2_000);
    let began = Instant::now();
    let options = Options { mutant, jobs: args.jobs.get(), stop_at_first: !args.all };
    let report = run_range(seeds, options);
    let seconds = began.elapsed().as_secs_f64();
    if args.faults {
        print_faults(&report, out)?;
    }
    for (seed, violation) in report.found.iter().skip(1) {
        writeln!(out, "seed {seed} violates {violation}")?;
    }
    if let Some(finding) = &report.finding {
        print_finding(finding, out)?;
    }
    summary(&report, seconds, out)?;
    Ok(report.violations == 0)
}

/// The last line: others read it.
fn summary(report: &RangeReport, seconds: f64, out: &mut impl Write) -> io::Result<()> {
    let RangeReport { seeds, points, violations, .. } = report;
    let rate = *seeds as f64 / seconds.max(1e-9);
    writeln!(out, "seeds = {seeds}, points = {points}, violations = {violations}, seeds/s = {rate:.1}")
}

fn print_finding(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "seed {} violates {}", finding.seed, finding.violation)?;
    writeln!(out, "{} of {} events are enough:", finding.shrunk.len(), finding.items)?;
    for line in &finding.shrunk {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "with these: {}", finding.shrunk_violation)?;
    writeln!(out, "what led there:")?;
    for line in &finding.trace {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

fn print_faults(report: &RangeReport, out: &mut impl Write) -> io::Result<()> {
    for kind in fault_kinds() {
        writeln!(out, "{kind:<28} {:>8}", report.faults.get(kind).copied().unwrap_or(0))?;
    }
    writeln!(
        out,
        "executions {}, longest time without a stop in a storm {} ms",
        report.trades, report.longest_bare_ms
    )
}

/// One run, told.
fn tell(seed: u64, mutant: Option<Mutant>, journal: bool, out: &mut impl Write) -> io::Result<bool> {
    let began = Instant::now();
    let run = run_seed(seed, mutant, !journal);
    let seconds = began.elapsed().as_secs_f64();
    if journal {
        for record in &run.journal {
            writeln!(out, "{}", serde_json::to_string(record)?)?;
        }
        return Ok(run.violation.is_none());
    }
    writeln!(out, "plan of seed {seed}:")?;
    for line in run.plan.iter().chain(["what happened:".to_owned()].iter()).chain(&run.trace) {
        writeln!(out, "{line}")?;
    }
    for (kind, count) in &run.faults {
        writeln!(out, "{kind}: {count}")?;
    }
    writeln!(
        out,
        "{} executions, {} processes, {} records, longest time without a stop {} ms, digest {:016x}",
        run.trades,
        run.processes,
        run.journal.len(),
        run.longest_bare_ms,
        run.digest
    )?;
    if let Some(violation) = &run.violation {
        writeln!(out, "seed {seed} violates {violation}")?;
    }
    let violations = u64::from(run.violation.is_some());
    let report = RangeReport { seeds: 1, points: run.points, violations, ..RangeReport::default() };
    summary(&report, seconds, out)?;
    Ok(run.violation.is_none())
}
