//! The state directory: whose it is, who holds it, who can read it, how much room there is; and the person's consent.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hedge_core::{Environment, Posture, PreflightCheck, Timestamp, VenueFingerprint};
use hedge_store::{ControlDir, StateDir, free_mb};

use super::check::{Findings, failed, ok, warning};
use crate::{
    config::{Config, Mode, Profile},
    consent,
};

/// With less than this nothing can be journalled for long. Units: MB.
const LEAST_FREE_MB: u64 = 16;
/// How many exposed files are named before the rest is counted.
const NAMED: usize = 6;

/// Whose directory it is.
pub(super) fn owner(dir: &Path, mode: &Mode) -> PreflightCheck {
    let (name, expected) = ("state directory", format!("{} of profile {}", dir.display(), mode.profile));
    if !dir.exists() {
        return ok(name, expected, "made at the first start");
    }
    if !dir.join("owner.json").exists() {
        let has_journal = dir.join("journal").is_dir();
        return if has_journal {
            failed(name, expected, "a journal without owner.json", "choose another --state-dir")
        } else {
            ok(name, expected, "taken at the first start")
        };
    }
    match StateDir::resolve_for_tools(dir, Some(dir)) {
        Ok(found) if found.dir.owner().profile == mode.profile.as_str() => {
            let holder = match lock_holder(dir) {
                LockHolder::Process(pid) => format!(", in use by process {pid}"),
                LockHolder::Nobody | LockHolder::Unknown => String::new(),
            };
            ok(name, expected, format!("{}{holder}", found.dir.owner()))
        }
        Ok(found) => failed(name, expected, found.dir.owner().to_string(), "choose another --state-dir"),
        Err(error) => failed(name, expected, error.to_string(), "repair or restore the directory"),
    }
}

/// Directories 0700, files 0600.
pub(crate) fn permissions(dir: &Path) -> PreflightCheck {
    let mut findings =
        Findings::new("permissions", "directories 0700 and files 0600 below the state directory");
    if !dir.exists() {
        return findings.check("nothing there yet");
    }
    let (mut exposed, mut looked) = (Vec::new(), 0);
    walk(dir, 0, &mut exposed, &mut looked);
    let mut named: Vec<String> =
        exposed.iter().take(NAMED).map(|(path, mode)| format!("{} is {mode:04o}", path.display())).collect();
    if exposed.len() > NAMED {
        named.push(format!("and {} more", exposed.len() - NAMED));
    }
    if !named.is_empty() {
        let remedy = format!("look who could read or change them, then run: chmod -R go= {}", dir.display());
        findings.warn(named.join(", "), remedy);
    }
    findings.check(format!("{looked} looked at"))
}

/// Deep enough for a journal's folder and the control files; paper runs beside a live journal look after themselves.
#[cfg(unix)]
fn walk(path: &Path, depth: u32, exposed: &mut Vec<(PathBuf, u32)>, looked: &mut u32) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    if metadata.is_symlink() {
        return;
    }
    *looked += 1;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        exposed.push((path.to_owned(), mode));
    }
    if !metadata.is_dir()
        || depth == 2
        || (depth == 1 && path.file_name().is_some_and(|name| name == "paper"))
    {
        return;
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries.iter().for_each(|entry| walk(entry, depth + 1, exposed, looked));
}

#[cfg(not(unix))]
fn walk(_: &Path, _: u32, _: &mut Vec<(PathBuf, u32)>, _: &mut u32) {}

/// Room on the disk.
pub(crate) fn disk(dir: &Path, config: &Config) -> PreflightCheck {
    let least = config.runtime.journal.min_free_mb;
    let (name, expected) = ("disk", format!("{least} MB free"));
    // The directory itself may not exist yet.
    let existing = dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let remedy = "free some space on that disk, or choose another --state-dir";
    match free_mb(existing) {
        Ok(free) if free >= least => ok(name, expected, format!("{free} MB free")),
        Ok(free) if free >= LEAST_FREE_MB => {
            warning(name, expected, format!("{free} MB free: nothing would be opened"), remedy)
        }
        Ok(free) => failed(name, expected, format!("{free} MB free: nothing can be journalled"), remedy),
        Err(error) => warning(name, expected, format!("not known: {error}"), "look at the disk with df"),
    }
}

/// The fence file, and a panic close that is at work.
pub(crate) fn fence(dir: &Path) -> PreflightCheck {
    let (name, expected) = ("fence", "readable, and no panic close at work");
    let control = ControlDir::of(dir);
    match control.panic_runs() {
        Ok(false) => {}
        Ok(true) => {
            let remedy = "wait until hedge-panic-close has finished: no executor starts before";
            return failed(name, expected, "a panic close is at work", remedy);
        }
        Err(error) => {
            let remedy = "give the files in control/ to the user of the executor: no executor starts before";
            return failed(name, expected, error.to_string(), remedy);
        }
    }
    match control.fence() {
        Err(error) => failed(name, expected, error.to_string(), "do what the message says"),
        Ok(None) => ok(name, expected, "none yet"),
        Ok(Some(fence)) if fence.posture == Posture::Halted => warning(
            name,
            expected,
            format!("term {} of {} since {}: {}", fence.term.0, fence.by, fence.at, fence.because),
            "nothing: the next start is halted until hedgectl resume",
        ),
        Ok(Some(fence)) => {
            ok(name, expected, format!("term {} of {} since {}", fence.term.0, fence.by, fence.at))
        }
    }
}

/// Whether a person has consented. Without a consent the executor starts, and opens nothing.
pub(super) fn consent(
    dir: &Path,
    mode: &Mode,
    account: &VenueFingerprint,
    config_hash: &str,
    now: Timestamp,
) -> PreflightCheck {
    let (name, remedy) = ("consent", "hedgectl arm --profile mainnet");
    if mode.profile != Profile::Mainnet || account.environment != Environment::Mainnet {
        return ok(name, "none needed", "none needed: no real money is traded");
    }
    let expected = "a person's, for this account and configuration, not over";
    let without = |why: String| warning(name, expected, format!("{why}; nothing would be opened"), remedy);
    match consent::load(dir) {
        Err(error) => without(error.to_string()),
        Ok(None) => without("none".to_owned()),
        Ok(Some(given)) => match consent::fits(&given, account, config_hash, now) {
            Ok(()) => ok(name, expected, format!("by {} until {}", given.operator, given.expires_at)),
            Err(misfit) => without(misfit.to_string()),
        },
    }
}

/// Who writes a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockHolder {
    /// Nobody does.
    Nobody,
    /// That process does.
    Process(u32),
    /// This system does not say.
    Unknown,
}

/// Who holds the lock of a state directory's journal. Only looks: taking the lock to find out could get in the way of an
/// executor that starts in that moment.
#[cfg(target_os = "linux")]
pub(crate) fn lock_holder(dir: &Path) -> LockHolder {
    use std::os::unix::fs::MetadataExt;
    let path = dir.join("journal").join("lock");
    let Ok(metadata) = fs::metadata(&path) else { return LockHolder::Nobody };
    let Ok(locks) = fs::read_to_string("/proc/locks") else { return LockHolder::Unknown };
    if !holds(&locks, metadata.ino()) {
        return LockHolder::Nobody;
    }
    // The number in the file is right in every namespace; the one in the table may be of another one.
    let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    pid.map_or(LockHolder::Unknown, LockHolder::Process)
}

/// Whether a table of locks has one on that file: `1: FLOCK  ADVISORY  WRITE 707 08:01:131 0 EOF`.
#[cfg(target_os = "linux")]
fn holds(locks: &str, inode: u64) -> bool {
    locks.lines().any(|line| {
        let mut words = line.split_whitespace();
        let is_lock = words.any(|word| word == "FLOCK");
        let place = words.nth(3).and_then(|place| place.rsplit(':').next()).and_then(|ino| ino.parse().ok());
        is_lock && place == Some(inode)
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn lock_holder(_: &Path) -> LockHolder {
    LockHolder::Unknown
}

#[cfg(test)]
mod tests {
    use hedge_core::{CheckResult, Term};
    use hedge_store::FenceRecord;

    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn a_panic_close_at_work_is_told_apart_from_a_lock_that_cannot_be_looked_at() {
        let temp = TempDir::new();
        assert_eq!(fence(&temp.0).result, CheckResult::Ok);
        let guard = ControlDir::of(&temp.0).begin_panic().unwrap().unwrap();
        let check = fence(&temp.0);
        assert_eq!((check.result, check.found.as_str()), (CheckResult::Failed, "a panic close is at work"));
        drop(guard);
        assert_eq!(fence(&temp.0).result, CheckResult::Ok);
        fs::remove_dir_all(temp.0.join("control")).unwrap();
        fs::write(temp.0.join("control"), "not a folder").unwrap();
        let check = fence(&temp.0);
        assert_eq!(check.result, CheckResult::Failed);
        assert!(check.found.contains("looking at") && !check.found.contains("at work"), "{check:?}");
    }

    #[test]
    fn a_halt_that_a_panic_close_left_is_a_warning_with_its_reason() {
        let temp = TempDir::new();
        let (because, by) = ("the disk was full".to_owned(), "hedge-panic-close".to_owned());
        let at = Timestamp::from_ms(1_795_168_800_000);
        let record = FenceRecord { term: Term(8), posture: Posture::Halted, because, by, at };
        ControlDir::of(&temp.0).put_fence(&record).unwrap();
        let check = fence(&temp.0);
        assert_eq!(check.result, CheckResult::Warning);
        assert_eq!(
            check.found,
            "term 8 of hedge-panic-close since 2026-11-20T10:00:00.000Z: the disk was full"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_lock_is_found_by_its_file_in_the_table_of_locks() {
        let table = "1: POSIX  ADVISORY  WRITE 707 08:01:131 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 00:2f:90210 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4712 00:2f:90211 0 EOF\n";
        assert!(holds(table, 90_210));
        assert!(!holds(table, 131), "another kind of lock");
        assert!(!holds(table, 9_021));
        assert!(!holds("", 1));
    }
}
