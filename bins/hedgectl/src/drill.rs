//! `hedgectl drill`: what protects this account, shown on this machine.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Subcommand};
use hedge_desk::drill::{DRILLS, Drill, DrillOptions, Verdict, find, least_of_all, run};
use serde_json::{Value, json};

use crate::{failure::Failure, output};

/// The longest time under trouble: what the exchange remembers of orders that were never filled is days of its clock.
const LONGEST: Duration = Duration::from_secs(1_800);

/// Break something on purpose, at an exchange of its own, and see whether what protects you does.
#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    List(ListArgs),
    Run(RunArgs),
}

/// The drills there are: a name and what is broken, one a line.
///
/// Example: hedgectl drill list
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// As JSON, with what should happen.
    #[arg(long)]
    json: bool,
}

/// Hold one drill, or all of them.
///
/// Starts a simulated exchange and the real hedge-executor in a temporary folder, breaks something, checks, and writes what
/// was seen. Touches no account, no state directory and no running executor. The exit code is the verdict: 0 passed, 1 a check
/// failed, 2 wrong arguments, 10 this machine is not fit for it, 74 a folder cannot be written, 129, 130, 131, 143 stopped by a
/// signal. Who reads its lines no longer does not end it.
///
/// Example: hedgectl drill run ws-drop
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Which one, or all.
    #[arg(value_name = "NAME")]
    name: String,
    /// How long the market runs under the trouble, such as 90s or 2m. Default: a few seconds, each drill its own.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    run_for: Option<Duration>,
    /// Where the evidence goes, a folder for each drill.
    #[arg(long, value_name = "DIR", default_value = "evidence")]
    evidence: PathBuf,
    /// Which market is traded, and when things happen.
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// The report as one JSON object on stdout; of all, one a line.
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("expected a whole number and s or m, such as 90s, up to {}m", LONGEST.as_secs() / 60);
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        _ => return Err(wrong()),
    };
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    let time = Duration::from_secs(total.ok_or_else(wrong)?);
    if time > LONGEST { Err(wrong()) } else { Ok(time) }
}

pub(crate) fn run_command(command: &DrillCommand) -> Result<(), Failure> {
    match command {
        DrillCommand::List(args) => list(args),
        DrillCommand::Run(args) => hold(args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    if args.json {
        let rows: Vec<Value> = DRILLS
            .iter()
            .map(|drill| {
                json!({
                    "name": drill.name, "about": drill.about, "expected": drill.expected,
                    "usual_s": drill.usual.as_secs(), "least_s": drill.least.as_secs(),
                })
            })
            .collect();
        output::line(&Value::Array(rows).to_string());
        return Ok(());
    }
    let width = DRILLS.iter().map(|drill| drill.name.len()).max().unwrap_or(0);
    for drill in DRILLS {
        output::line(&format!("{:<width$}  {}", drill.name, drill.about));
    }
    Ok(())
}

fn hold(args: &RunArgs) -> Result<(), Failure> {
    let is_all = args.name == "all";
    let drills: Vec<&'static Drill> =
        if is_all { DRILLS.iter().collect() } else { vec![find(&args.name).map_err(Failure::usage)?] };
    let shortest = if is_all { least_of_all() } else { drills.first().copied() };
    if let (Some(run_for), Some(drill)) = (args.run_for, shortest)
        && run_for < drill.least
    {
        let (name, least) = (drill.name, drill.least.as_secs());
        return Err(Failure::usage(format!("--for: {name} shows nothing in less than {least}s")));
    }
    let options = DrillOptions { run_for: args.run_for, evidence: args.evidence.clone(), seed: args.seed };
    let (mut passed, mut failed) = (0, Vec::new());
    let json = args.json;
    let result = run(
        &drills,
        &options,
        |line| say(&mut io::stderr(), line),
        |outcome| {
            if outcome.verdict == Verdict::Passed {
                passed += 1;
            } else {
                failed.push(outcome.report["drill"].as_str().unwrap_or_default().to_owned());
            }
            say(&mut io::stdout(), &if json { outcome.report.to_string() } else { outcome.line.clone() });
        },
    );
    if is_all && !json && (result.is_ok() || passed + failed.len() > 0) {
        let line = summary(drills.len(), passed, &failed);
        say(&mut io::stdout(), &format!("{line}, evidence in {}", args.evidence.display()));
    }
    result.map_err(|error| Failure::with_code(error.exit_code(), error))?;
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed(format!(
            "{}: a check failed; report.md in its evidence says which",
            failed.join(", ")
        )))
    }
}

/// Nobody may be reading any more (`| head`): the drills, their evidence and the exit code are what was asked for.
fn say(to: &mut dyn Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

/// All drills in a line, also where something ended them before the last one.
fn summary(all: usize, passed: usize, failed: &[String]) -> String {
    let held = passed + failed.len();
    let word = match (failed, held == all) {
        ([], true) => format!("PASSED, {passed} of {all}"),
        ([], false) => format!("STOPPED after {held} of {all}, none failed"),
        (names, true) => format!("FAILED, {} of {all}: {}", names.len(), names.join(", ")),
        (names, false) => format!("STOPPED after {held} of {all}, failed: {}", names.join(", ")),
    };
    format!("drills: {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_drills_have_passed_only_if_all_were_held() {
        let failed = ["ws-drop".to_owned()];
        assert_eq!(summary(16, 16, &[]), "drills: PASSED, 16 of 16");
        assert_eq!(summary(16, 15, &failed), "drills: FAILED, 1 of 16: ws-drop");
        assert_eq!(summary(16, 3, &[]), "drills: STOPPED after 3 of 16, none failed");
        assert_eq!(summary(16, 3, &failed), "drills: STOPPED after 4 of 16, failed: ws-drop");
    }

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["90", "s", "-5s", "1h", "31m", "99999999999999999999s", ""] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
