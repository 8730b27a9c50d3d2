//! What a drill leaves behind: a folder with `report.json`, `report.md` and the programs' lines; of a failed one the journal too.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

use super::{
    DrillError,
    catalog::Drill,
    exchange::SPEED,
    record::{Check, Figure, Injected, Moment, Record},
    run::Verdict,
    scene::Scene,
    tail::{Closer, What},
    workplace::{private_file, private_folder},
};

/// Journal lines that are shown: the first and the last of what matters.
const JOURNAL_LINES: (usize, usize) = (60, 20);
const LOG_TAIL: usize = 60;
/// Lines that are kept in a file of their own.
const LOG_LINES: usize = 5_000;

/// A drill's report, as `report.json` has it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) drill: &'static str,
    pub(super) verdict: Verdict,
    about: &'static str,
    expected: &'static [&'static str],
    began: String,
    pub(super) took_s: f64,
    under_trouble_s: f64,
    seed: u64,
    exchange_speed: u32,
    versions: Vec<String>,
    machine: String,
    /// Variables of the person who held it that held in it.
    variables: Vec<(String, String)>,
    injected: Vec<Injected>,
    pub(super) checks: Vec<Check>,
    figures: Vec<Figure>,
    timeline: Vec<Moment>,
    account_in_the_end: Value,
    journal: Vec<String>,
    log_tail: Vec<String>,
}

/// What a report says besides what was seen.
#[derive(Clone, Debug)]
pub(super) struct Circumstances {
    pub(super) began: String,
    pub(super) seed: u64,
    pub(super) under_trouble_s: f64,
    pub(super) versions: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
}

impl Report {
    /// Of a drill that was held, to whatever end.
    pub(super) fn of(drill: &'static Drill, scene: &Scene, around: Circumstances, verdict: Verdict) -> Self {
        let Record { timeline, injected, checks, figures, .. } = &scene.record;
        let lines = scene.lines();
        let tail = lines.iter().skip(lines.len().saturating_sub(LOG_TAIL));
        Self {
            drill: drill.name,
            verdict,
            about: drill.about,
            expected: drill.expected,
            began: around.began,
            took_s: scene.record.now_s(),
            under_trouble_s: around.under_trouble_s,
            seed: around.seed,
            exchange_speed: SPEED,
            versions: around.versions,
            machine: machine(),
            variables: around.variables,
            injected: injected.clone(),
            checks: checks.clone(),
            figures: figures.clone(),
            timeline: timeline.clone(),
            account_in_the_end: scene.standing(),
            journal: journal_lines(scene),
            log_tail: tail.map(|line| format!("{:.3} {}", line.at_s, line.text)).collect(),
        }
    }

    /// The checks that do not hold.
    pub(super) fn failed(&self) -> Vec<&Check> {
        self.checks.iter().filter(|check| !check.passed).collect()
    }

    /// Fills the folder that [`open_folder`] has made.
    pub(super) fn write(&self, folder: &Path, scene: &Scene) -> Result<(), DrillError> {
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        private_file(&folder.join("report.json"), format!("{json}\n").as_bytes())?;
        private_file(&folder.join("report.md"), self.page().as_bytes())?;
        let lines = scene.lines();
        let mut log = String::new();
        for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES)) {
            let _ = writeln!(log, "{:.3} {}", line.at_s, line.text);
        }
        private_file(&folder.join("programs.log"), log.as_bytes())?;
        if self.verdict != Verdict::Passed {
            keep_journal(&scene.path("state").join("journal"), &folder.join("journal"))?;
        }
        Ok(())
    }

    /// The report for people.
    fn page(&self) -> String {
        let mut page = String::new();
        // Writing into a text cannot fail.
        let _ = self.write_page(&mut page);
        page
    }

    fn write_page(&self, page: &mut String) -> std::fmt::Result {
        let verdict = self.verdict.word();
        writeln!(page, "# Drill {}: {verdict}\n\n{}.\n", self.drill, self.about)?;
        writeln!(page, "| | |\n|---|---|")?;
        writeln!(page, "| held | {}, {:.1} s |", self.began, self.took_s)?;
        writeln!(page, "| under trouble | {:.1} s |", self.under_trouble_s)?;
        writeln!(page, "| seed, speed of the exchange's clock | {}, {} |", self.seed, self.exchange_speed)?;
        writeln!(page, "| programs | {} |", self.versions.join("; "))?;
        writeln!(page, "| machine | {} |", self.machine)?;
        for (name, value) in &self.variables {
            writeln!(page, "| variable of yours | `{name}={value}` |")?;
        }
        writeln!(page, "\n## What should happen\n")?;
        self.expected.iter().try_for_each(|sentence| writeln!(page, "- {sentence}"))?;
        writeln!(page, "\n## What was done to it\n")?;
        for injected in &self.injected {
            writeln!(page, "- {:.1} s: `{}`", injected.at_s, injected.what)?;
        }
        writeln!(page, "\n## Checks\n\n| | Check | Expected | Found |\n|---|---|---|---|")?;
        for check in &self.checks {
            let mark = if check.passed { "ok" } else { "**FAILED**" };
            let [name, expected, found] =
                [&check.check, &check.expected, &check.found].map(|text| cell(text));
            writeln!(page, "| {mark} | {name} | {expected} | {found} |")?;
        }
        writeln!(page, "\n## Figures\n\n| Figure | Value |\n|---|---|")?;
        for figure in &self.figures {
            writeln!(page, "| {} | {} {} |", figure.name, figure.value, figure.unit)?;
        }
        writeln!(page, "\nThe account in the end: `{}`", self.account_in_the_end)?;
        writeln!(page, "\n## Timeline\n\n| s | |\n|---|---|")?;
        for moment in &self.timeline {
            writeln!(page, "| {:.3} | {} |", moment.at_s, cell(&moment.what))?;
        }
        writeln!(page, "\n## From the journal\n\n```text\n{}\n```", self.journal.join("\n"))?;
        writeln!(page, "\n## The programs' last lines\n\n```text\n{}\n```", self.log_tail.join("\n"))
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn journal_lines(scene: &Scene) -> Vec<String> {
    let matters: Vec<&str> =
        scene.tail.notes.iter().filter(|note| !is_usual(&note.what)).map(|note| note.line.as_str()).collect();
    let (first, last) = JOURNAL_LINES;
    if matters.len() <= first + last {
        return matters.into_iter().map(str::to_owned).collect();
    }
    let left_out = format!("… {} records that matter are left out here …", matters.len() - first - last);
    let (head, tail) = (matters.iter().take(first), matters.iter().skip(matters.len() - last));
    head.map(|line| (*line).to_owned()).chain([left_out]).chain(tail.map(|line| (*line).to_owned())).collect()
}

/// What happens all the time, in trouble and without.
const fn is_usual(what: &What) -> bool {
    match what {
        What::Opening(_) | What::Compared => true,
        What::Closing { by, .. } => !matches!(by, Closer::Engine),
        _ => false,
    }
}

fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} {}, {processors} processors", std::env::consts::OS, std::env::consts::ARCH)
}

/// Makes the folder before the drill is held: what cannot be written is known at once.
pub(super) fn open_folder(evidence: &Path, name: &str) -> Result<PathBuf, DrillError> {
    let folder = free(evidence, name);
    private_folder(&folder)?;
    // A folder that is there already may still take nothing.
    private_file(&folder.join("report.json"), b"{}\n")?;
    Ok(folder)
}

/// Two drills may begin in one second.
fn free(evidence: &Path, name: &str) -> PathBuf {
    let numbered = |number: u32| match number {
        1 => evidence.join(name),
        number => evidence.join(format!("{name}-{number}")),
    };
    (1..1_000).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| evidence.join(name))
}

/// A failed drill is looked into: the whole journal goes with it.
fn keep_journal(from: &Path, to: &Path) -> Result<(), DrillError> {
    let Ok(files) = fs::read_dir(from) else { return Ok(()) };
    private_folder(to)?;
    for file in files.flatten().filter(|file| file.path().is_file()) {
        let bytes = fs::read(file.path()).map_err(DrillError::disk(file.path()))?;
        private_file(&to.join(file.file_name()), &bytes)?;
    }
    Ok(())
}
