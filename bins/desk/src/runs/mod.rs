//! Where a run lives and how far it goes.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use hedge_core::{Symbol, Timestamp};
use hedge_store::{Owner, StateDir, StateDirError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

const PLAN_FILE: &str = "plan.json";

/// A run's folder or plan cannot be used.
#[derive(Debug, Error)]
pub enum RunsError {
    /// The state directory.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The plan file.
    #[error("{path}: {detail}", path = path.display())]
    Plan {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// Takes the state directory of a paper run: the given one, else a new one below `root`.
///
/// Errors: [`StateDirError::Foreign`] for a directory of another profile or venue.
pub fn open(given: Option<&Path>, root: &Path, venue: &str, now: Timestamp) -> Result<StateDir, RunsError> {
    Ok(match given {
        Some(path) => claim(path, "paper", venue)?,
        None => StateDir::new_paper_run(root, venue, now)?,
    })
}

/// Takes a directory for a profile at a venue. Errors: [`StateDirError::Foreign`] for one of another profile or venue.
pub fn claim(path: &Path, profile: &str, venue: &str) -> Result<StateDir, RunsError> {
    let owner = Owner { profile: profile.to_owned(), venue: venue.to_owned(), run: None };
    Ok(StateDir::claim(path, &owner)?)
}

/// What the run was asked to play. Kept in its folder, so that a run that was killed goes on to the same end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Venue time at which the bars of this plan begin. Units: milliseconds since 1970.
    pub from_ms: i64,
    /// Bars per symbol to play from there.
    pub bars: u64,
    /// Whether they were played to the end.
    pub finished: bool,
    /// Length of a bar. Units: milliseconds.
    pub bar_ms: i64,
    /// Seed of a generated market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// File or folder of a recorded market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Symbols, in order.
    pub symbols: Vec<Symbol>,
    /// Bars of history before the first start.
    pub history: usize,
}

impl Plan {
    /// The plan in a run's folder, if there is one.
    pub fn load(dir: &Path) -> Result<Option<Self>, RunsError> {
        let path = dir.join(PLAN_FILE);
        let bad = |detail: String| RunsError::Plan { path: path.clone(), detail };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| bad(format!("not a plan ({error}); choose another --state-dir"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(bad(error.to_string())),
        }
    }

    /// Writes the plan, whole or not at all.
    pub fn save(&self, dir: &Path) -> Result<(), RunsError> {
        let path = dir.join(PLAN_FILE);
        let bad = |detail: String| RunsError::Plan { path: path.clone(), detail };
        let text = serde_json::to_string(self).map_err(|error| bad(error.to_string()))?;
        write_private(&path, (text + "\n").as_bytes()).map_err(|error| bad(error.to_string()))
    }

    /// First venue time that is not played any more. Units: milliseconds since 1970.
    pub const fn until_ms(&self) -> i64 {
        self.from_ms + self.bars as i64 * self.bar_ms
    }

    /// The plan of this start: a killed run goes on to its end, a finished one plays `bars` more from `now_ms`.
    #[must_use]
    pub fn next(self, now_ms: i64, bars: u64) -> Self {
        if self.finished {
            // Bars begin on the grid of the first ones.
            let played = (now_ms - self.from_ms).div_euclid(self.bar_ms);
            let from_ms = self.from_ms + played * self.bar_ms;
            Self { from_ms, bars, finished: false, ..self }
        } else {
            self
        }
    }
}

/// Writes a file of a run, whole or not at all, for its owner only, as the journal is.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    // One that a kill left behind may have other rights.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            from_ms: 900_000,
            bars: 10,
            finished: false,
            bar_ms: 900_000,
            seed: Some(1),
            data: None,
            symbols: vec![Symbol::parse("BTCUSDT").unwrap()],
            history: 500,
        }
    }

    #[test]
    fn a_killed_run_goes_on_to_its_own_end() {
        assert_eq!(plan().next(4_500_000, 99), plan());
        assert_eq!(plan().until_ms(), 9_900_000);
    }

    #[test]
    fn a_finished_run_plays_more_from_where_the_market_stands() {
        let more = Plan { finished: true, ..plan() }.next(9_900_000, 3);
        assert_eq!((more.from_ms, more.until_ms(), more.finished), (9_900_000, 12_600_000, false));
    }

    #[test]
    fn a_plan_reads_back_what_it_wrote() {
        let dir = std::env::temp_dir().join(format!("hedge-plan-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        assert_eq!(Plan::load(&dir).unwrap(), None);
        plan().save(&dir).unwrap();
        assert_eq!(Plan::load(&dir).unwrap(), Some(plan()));
        fs::write(dir.join(PLAN_FILE), "{").unwrap();
        assert!(Plan::load(&dir).unwrap_err().to_string().contains("not a plan"));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_plan_is_for_its_owner_only_also_where_an_older_one_was_not() {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("hedge-plan-rights-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for name in [PLAN_FILE, ".plan.json.tmp"] {
            fs::write(dir.join(name), "older").unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        plan().save(&dir).unwrap();
        let mode = fs::metadata(dir.join(PLAN_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Plan::load(&dir).unwrap(), Some(plan()));
        fs::remove_dir_all(&dir).unwrap();
    }
}
