//! How far a follower is, for people and for other processes.

use std::{
    fmt, fs,
    io::ErrorKind,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hedge_core::{Seq, StoreError};
use serde::{Deserialize, Serialize};

use crate::disk::{create_private_dir, failed, replace};

/// The folder of a state directory in which the followers' files are.
const FOLDER: &str = "followers";

/// Where a follower stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowerState {
    /// It is being asked what it has.
    Connecting,
    /// It has everything.
    Current,
    /// It is catching up.
    Behind,
    /// It does not take anything; it is tried again.
    Unreachable,
    /// It holds something else; nothing is shipped until a person has looked.
    Diverged,
}

/// How far a follower is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowerStatus {
    /// Its name, for example `firestore`.
    pub name: String,
    /// Where it stands.
    pub state: FollowerState,
    /// Everything before this place has arrived there.
    pub next: Seq,
    /// Where the journal ended then.
    pub journal_next: Seq,
    /// Since when it does not have everything. Units: milliseconds since 1970.
    pub behind_since_ms: Option<i64>,
    /// Why it does not take anything, if so.
    pub because: Option<String>,
    /// When this was written. Units: milliseconds since 1970.
    pub at_ms: i64,
    /// The process that ships.
    pub pid: u32,
}

impl FollowerStatus {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: FollowerState::Connecting,
            next: Seq(0),
            journal_next: Seq(0),
            behind_since_ms: None,
            because: None,
            at_ms: now_ms(),
            pid: std::process::id(),
        }
    }
    /// Current or behind, and since when, after the numbers have moved.
    pub(super) fn settle(&mut self) {
        if self.lag_records() == 0 {
            self.state = FollowerState::Current;
            self.behind_since_ms = None;
        } else {
            self.state = FollowerState::Behind;
            self.behind_since_ms.get_or_insert(self.at_ms);
        }
    }
    /// Records that have not arrived there.
    pub const fn lag_records(&self) -> u64 {
        self.journal_next.0.saturating_sub(self.next.0)
    }
    /// How long it has not had everything, as of when this was written.
    pub fn lag(&self) -> Duration {
        let since = self.behind_since_ms.map_or(0, |since| self.at_ms.saturating_sub(since));
        Duration::from_millis(since.max(0).unsigned_abs())
    }
    /// Whether a person should look.
    pub const fn is_alarming(&self) -> bool {
        matches!(self.state, FollowerState::Diverged)
    }
}

/// `firestore unreachable, lag 12 records, 34 s: connection refused`.
impl fmt::Display for FollowerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.state {
            FollowerState::Connecting => "connecting",
            FollowerState::Current => "current",
            FollowerState::Behind => "behind",
            FollowerState::Unreachable => "unreachable",
            FollowerState::Diverged => "DIVERGED",
        };
        write!(f, "{} {word}", self.name)?;
        if self.state != FollowerState::Current {
            write!(f, ", lag {} records, {} s", self.lag_records(), self.lag().as_secs())?;
        }
        match &self.because {
            Some(because) => write!(f, ": {because}"),
            None => Ok(()),
        }
    }
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Replaces the follower's file in a state directory. Not synced: the follower itself knows how far it came.
pub(super) fn write(state_dir: &Path, status: &FollowerStatus) -> Result<(), StoreError> {
    let dir = state_dir.join(FOLDER);
    let name = format!("{}.json", status.name);
    let doing = || format!("replacing {}", dir.join(&name).display());
    let text = serde_json::to_vec(status).map_err(|error| failed(doing())(error.into()))?;
    create_private_dir(&dir).and_then(|()| replace(&dir, &name, &[&text])).map_err(failed(doing()))
}

/// How far the followers of a state directory were when they last said so; empty where there are none. A file that cannot
/// be read counts as none: it is written again within a second of the next start.
pub fn read_status(state_dir: &Path) -> Result<Vec<FollowerStatus>, StoreError> {
    let dir = state_dir.join(FOLDER);
    let doing = || format!("listing {}", dir.display());
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(doing())(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed(doing()))?.path();
        let is_status = path.extension().is_some_and(|kind| kind == "json")
            && path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
        if is_status
            && let Some(status) = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok())
        {
            found.push(status);
        }
    }
    found.sort_by(|a: &FollowerStatus, b| a.name.cmp(&b.name));
    Ok(found)
}
