//! Holding drills, one after the other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hedge_core::Clock;
use hedge_runtime::SystemClock;
use serde::Serialize;
use serde_json::Value;

use super::{
    DrillError,
    catalog::Drill,
    error::Halt,
    evidence::{Circumstances, Report, open_folder},
    interrupt::Interrupt,
    programs::{EXECUTOR, PANIC_CLOSE, Programs, kept_variables},
    record::Record,
    scene::{Opening, Scene},
};

/// How drills are held.
#[derive(Clone, Debug)]
pub struct DrillOptions {
    /// How long the market runs under the trouble; each drill's own time without.
    pub run_for: Option<Duration>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// Which market, and which moments.
    pub seed: u64,
}

/// What a drill says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that should happen did.
    Passed,
    /// Something did not.
    Failed,
    /// It was stopped before its end.
    Stopped,
}

impl Verdict {
    /// As it is printed.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A drill that was held.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its verdict.
    pub verdict: Verdict,
    /// The verdict in a line.
    pub line: String,
    /// The report as JSON.
    pub report: Value,
    /// Where the evidence is.
    pub folder: PathBuf,
}

/// Holds one drill after the other. `say` takes lines of progress, `told` each outcome as it comes.
///
/// Every process that was started has ended when this returns, also after an error or a signal.
///
/// Errors: [`DrillError`] when one could not be held; those before it were told.
pub fn run(
    drills: &[&'static Drill],
    options: &DrillOptions,
    say: fn(&str),
    mut told: impl FnMut(&Outcome),
) -> Result<(), DrillError> {
    let programs = Programs::beside_us()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.map_err(DrillError::Machine)?);
    let interrupt = Interrupt::listen(runtime.handle()).map_err(DrillError::Machine)?;
    let ours = format!("hedgectl {}", env!("CARGO_PKG_VERSION"));
    let versions = vec![ours, programs.version(EXECUTOR), programs.version(PANIC_CLOSE)];
    for drill in drills {
        interrupt.check()?;
        say(&format!("drill {}: {}", drill.name, drill.about));
        drill.expected.iter().for_each(|sentence| say(&format!("           - {sentence}")));
        let opening = Opening {
            drill,
            run_for: options.run_for.unwrap_or(drill.usual),
            seed: options.seed,
            programs: &programs,
            interrupt: &interrupt,
            runtime: &runtime,
        };
        told(&hold(&opening, options, &versions, say)?);
    }
    Ok(())
}

fn hold(
    opening: &Opening<'_>,
    options: &DrillOptions,
    versions: &[String],
    say: fn(&str),
) -> Result<Outcome, DrillError> {
    let began = SystemClock.now().to_string();
    let stamp: String = began.chars().filter(|c| !matches!(c, '-' | ':')).take(15).collect();
    let drill = opening.drill;
    let folder = open_folder(&options.evidence, &format!("{stamp}Z-{}", drill.name))?;
    let mut scene = Scene::open(opening, Record::new(say))?;
    // A defect of a drill is a failed drill, and its programs end all the same.
    let ended = catch_unwind(AssertUnwindSafe(|| (drill.steps)(&mut scene)));
    scene.dismiss();
    let stopped_by = match ended {
        Ok(Err(Halt::Error(error))) => Some(error),
        Ok(Ok(())) => None,
        Ok(Err(Halt::Failed)) => {
            if scene.record.has_passed() {
                scene.record.gave_up("it ended early, though no check had failed");
            }
            None
        }
        Err(_) => {
            scene.record.gave_up("it crashed: a defect of the drill");
            None
        }
    };
    if stopped_by.is_none() {
        scene.check_journal();
    }
    let verdict = match (&stopped_by, scene.record.has_passed()) {
        (Some(_), _) => Verdict::Stopped,
        (None, true) => Verdict::Passed,
        (None, false) => Verdict::Failed,
    };
    let around = Circumstances {
        began,
        seed: options.seed,
        under_trouble_s: opening.run_for.as_secs_f64(),
        versions: versions.to_vec(),
        variables: kept_variables(),
    };
    let report = Report::of(drill, &scene, around, verdict);
    let written = report.write(&folder, &scene);
    // Who asked for the end is answered first, also where the disk is full.
    if let Some(error) = stopped_by {
        return Err(error);
    }
    written?;
    let line = line(&report, &folder.display().to_string());
    let report = serde_json::to_value(&report).unwrap_or_default();
    Ok(Outcome { verdict, line, report, folder })
}

fn line(report: &Report, folder: &str) -> String {
    let (name, word, took_s) = (report.drill, report.verdict.word(), report.took_s);
    let count = report.checks.len();
    let checks = match report.failed().as_slice() {
        [] => format!("{count} checks"),
        failed => {
            let names: Vec<&str> = failed.iter().map(|check| check.check.as_str()).collect();
            format!("{} of {count} checks: {}", failed.len(), names.join("; "))
        }
    };
    format!("drill {name}: {word}, {checks}, {took_s:.1} s, evidence in {folder}")
}
