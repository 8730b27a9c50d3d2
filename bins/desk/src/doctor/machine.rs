//! This machine: its time service, the state directory and its journal, the executor that should be there.

use std::{path::Path, process::Command, time::Instant};

use hedge_core::{PreflightCheck, Seq};
use hedge_runtime::control::{AskError, Request, ask};
use hedge_store::{
    ControlDir, FileJournal, StateDir,
    tee::{FollowerState, FollowerStatus, read_status},
};

use crate::{
    config::{Config, MirrorKind, Mode},
    operate::Folded,
    preflight::{LockHolder, failed, lock_holder, ok, warning},
};

const START_ONE: &str = "start a time service (chrony, systemd-timesyncd)";

/// Whether a service keeps this machine's clock.
pub(super) fn time_service() -> PreflightCheck {
    let asked = ("timedatectl", ["show", "--property=NTPSynchronized", "--value"].as_slice());
    judge_time_service(output(asked.0, asked.1).as_deref(), output("chronyc", &["-n", "tracking"]).as_deref())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// From the words of `timedatectl` and `chronyc`, where there are any.
fn judge_time_service(timedatectl: Option<&str>, chronyc: Option<&str>) -> PreflightCheck {
    let (name, expected) = ("clock (system)", "kept by a time service");
    let leap = chronyc.and_then(|text| text.lines().find(|line| line.starts_with("Leap status")));
    match (timedatectl, leap) {
        (Some("yes"), _) => ok(name, expected, "synchronized, says timedatectl"),
        (_, Some(line)) if line.ends_with("Normal") => ok(name, expected, "synchronized, says chronyc"),
        (Some("no"), _) => warning(name, expected, "not synchronized, says timedatectl", START_ONE),
        (_, Some(_)) => warning(name, expected, "not synchronized, says chronyc", START_ONE),
        _ => warning(
            name,
            expected,
            "not known: neither timedatectl nor chronyc answers",
            "compare with the venue's clock",
        ),
    }
}

/// Whose the state directory is.
pub(super) fn owner(dir: &Path, mode: &Mode) -> PreflightCheck {
    let (name, expected) = ("state directory", format!("{} of profile {}", dir.display(), mode.profile));
    if !dir.join("owner.json").exists() {
        return ok(name, expected, "none yet: the first start takes it");
    }
    match StateDir::resolve_for_tools(dir, Some(dir)) {
        Ok(found) if found.dir.owner().profile == mode.profile.as_str() => {
            ok(name, expected, found.dir.owner().to_string())
        }
        Ok(found) => failed(
            name,
            expected,
            found.dir.owner().to_string(),
            "name its --profile, or another --state-dir",
        ),
        Err(error) => failed(name, expected, error.to_string(), "do what the message says"),
    }
}

/// Whether every record of the journal can be read, and how it ends.
pub(super) fn journal(dir: &Path, config: &Config) -> PreflightCheck {
    let (name, expected) = ("journal", "every record is whole");
    if !dir.join("journal").is_dir() {
        return ok(name, expected, "none yet");
    }
    let journal = match FileJournal::open_read_only(dir) {
        Ok(journal) => journal,
        Err(error) => {
            return failed(
                name,
                expected,
                error.to_string(),
                "hedgectl journal verify tells more; restore a copy",
            );
        }
    };
    let Seq(records) = journal.next_seq();
    let size = format!("{records} records, {} KB", journal.bytes() / 1024);
    match Folded::read(dir, config) {
        Err(error) => failed(name, expected, error.to_string(), "hedgectl journal verify tells more"),
        Ok(folded) => {
            let end = match folded {
                Some(Folded { stopped: Some(said), .. }) => {
                    format!("; its process stopped at {}: {}", said.at, said.text)
                }
                Some(folded) => format!("; last record at {}", folded.book.last_fact_at()),
                None => String::new(),
            };
            match journal.torn() {
                // A writer that is in the middle of a line looks the same.
                Some(tear) if lock_holder(dir) == LockHolder::Nobody => warning(
                    name,
                    expected,
                    format!("{size}{end}; {tear} at the next start"),
                    "nothing: it is repaired",
                ),
                _ => ok(name, expected, format!("{size}{end}")),
            }
        }
    }
}

/// How far the ledger and the mirror are, by their own last word.
pub(super) fn followers(dir: &Path, config: &Config) -> Vec<PreflightCheck> {
    let store = &config.runtime.store;
    let (name, expected) = ("followers", "ledger and mirror have what the journal has");
    let told = match read_status(dir) {
        Ok(told) => told,
        Err(error) => return vec![failed(name, expected, error.to_string(), "do what the message says")],
    };
    let wanted = [(store.ledger, "ledger"), (store.mirror == MirrorKind::Firestore, "firestore")];
    let mut checks = Vec::new();
    for (_, name) in wanted.into_iter().filter(|(is_wanted, _)| *is_wanted) {
        checks.push(match told.iter().find(|status| status.name == name) {
            None => ok(name, expected, "nothing yet: it begins with the next start"),
            Some(status) => follower(name, expected, status),
        });
    }
    checks
}

fn follower(name: &'static str, expected: &str, status: &FollowerStatus) -> PreflightCheck {
    let found = status.to_string();
    match status.state {
        FollowerState::Diverged => failed(
            name,
            expected,
            found,
            "find out whose records it holds; give this journal another store.firestore.env, or rebuild the ledger",
        ),
        FollowerState::Unreachable => warning(
            name,
            expected,
            found,
            "nothing for trading; look at its line and reach, it is caught up with",
        ),
        _ => ok(name, expected, found),
    }
}

/// Whether the executor that holds the journal also answers.
pub(super) async fn executor(dir: &Path) -> PreflightCheck {
    let (name, expected) = ("executor", "who holds the journal answers at its control socket");
    let asked = Instant::now();
    let holder = lock_holder(dir);
    match (ask(dir, &Request::Status).await, holder) {
        (Ok(_), _) => {
            let who = match holder {
                LockHolder::Process(pid) => format!("process {pid}"),
                _ => "an executor".to_owned(),
            };
            ok(name, expected, format!("{who} answers in {} ms", asked.elapsed().as_millis()))
        }
        (Err(AskError::NobodyThere { .. }), LockHolder::Process(pid)) => failed(
            name,
            expected,
            format!("process {pid} holds the journal and does not answer"),
            "look at its log; stop it with SIGTERM, then SIGKILL; stops stay at the venue meanwhile",
        ),
        (Err(AskError::NobodyThere { .. }), _) if ControlDir::of(dir).socket().exists() => {
            ok(name, expected, "none runs (a killed one left its socket; the next start replaces it)")
        }
        (Err(AskError::NobodyThere { .. }), _) => ok(name, expected, "none runs"),
        (Err(error), _) => failed(name, expected, error.to_string(), "look at the executor's log"),
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::CheckResult;

    use super::*;

    #[test]
    fn a_clock_that_nobody_keeps_is_a_warning() {
        let result = |timedatectl, chronyc| judge_time_service(timedatectl, chronyc).result;
        let tracking = "Reference ID    : 7F7F0101\nLeap status     : Normal";
        assert_eq!(result(Some("yes"), None), CheckResult::Ok);
        assert_eq!(result(Some("no"), Some(tracking)), CheckResult::Ok);
        assert_eq!(result(Some("no"), None), CheckResult::Warning);
        assert_eq!(result(None, Some("Leap status     : Not synchronised")), CheckResult::Warning);
        assert_eq!(result(None, None), CheckResult::Warning);
    }
}
