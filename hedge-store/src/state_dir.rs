//! State directories: whose they are, where they are, and how tools find them.

use std::{
    fmt, fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use hedge_core::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    disk::{create_private_dir, private},
    pack,
};

const OWNER_FILE: &str = "owner.json";
/// The profile whose runs live in `paper/<run>` below the root.
const PAPER: &str = "paper";
/// The folder below the root in which mainnet is traded dry.
const DRY: &str = "mainnet-dry";

/// Which profile and venue a state directory belongs to. For good: another one needs another directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The profile, for example `paper`.
    pub profile: String,
    /// The venue and its environment, for example `binance-embedded`.
    pub venue: String,
    /// The run's folder name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {} on {}", self.profile, self.venue)
    }
}

/// A state directory cannot be used or found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateDirError {
    /// It belongs to another profile or venue.
    #[error("{path} belongs to {owner}, not to {wanted}; choose another --state-dir", path = path.display())]
    Foreign {
        /// Which directory.
        path: PathBuf,
        /// Whose it is.
        owner: Box<Owner>,
        /// Who wanted it.
        wanted: Box<Owner>,
    },
    /// It has a journal, but nothing says whose.
    #[error(
        "{path} has a journal but no owner.json, so nobody knows whose it is; choose another --state-dir",
        path = path.display()
    )]
    Unowned {
        /// Which directory.
        path: PathBuf,
    },
    /// Its owner file cannot be understood.
    #[error("{path} is damaged: {detail}; restore it from a copy", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// No directory to look at.
    #[error("no state directory: {looked}; start hedge-executor first or name one with --state-dir")]
    NotFound {
        /// Where was looked, and what was there.
        looked: String,
    },
    /// The disk said no.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

fn io_failed(doing: String) -> impl FnOnce(io::Error) -> StateDirError {
    move |source| StateDirError::Io { doing, source }
}

/// A state directory with a known owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
    owner: Owner,
}

impl StateDir {
    /// Takes a directory for an owner, creating it if need be. A directory that already belongs to the same profile and
    /// venue is taken as it is. Errors: [`StateDirError::Foreign`], [`StateDirError::Unowned`].
    pub fn claim(path: impl Into<PathBuf>, wanted: &Owner) -> Result<Self, StateDirError> {
        let path = path.into();
        create_private_dir(&path).map_err(io_failed(format!("creating {}", path.display())))?;
        if read_owner(&path)?.is_none() {
            if has_journal(&path) {
                return Err(StateDirError::Unowned { path });
            }
            write_owner(&path, wanted)?;
        }
        // Read again: another process may have been faster.
        match read_owner(&path)? {
            Some(owner) if owner.profile == wanted.profile && owner.venue == wanted.venue => {
                Ok(Self { path, owner })
            }
            Some(owner) => {
                Err(StateDirError::Foreign { path, owner: Box::new(owner), wanted: Box::new(wanted.clone()) })
            }
            None => Err(StateDirError::Unowned { path }),
        }
    }

    /// Makes a new directory `root/paper/<run>`, named by the time of the start, and points `root/paper/last` at it.
    pub fn new_paper_run(root: &Path, venue: &str, now: Timestamp) -> Result<Self, StateDirError> {
        let paper = root.join(PAPER);
        create_private_dir(&paper).map_err(io_failed(format!("creating {}", paper.display())))?;
        let stem = run_name(now);
        for attempt in 1_u32.. {
            let run = if attempt == 1 { stem.clone() } else { format!("{stem}-{attempt}") };
            let path = paper.join(&run);
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(io_failed(format!("creating {}", path.display()))(error)),
            }
            restrict(&path).map_err(io_failed(format!("restricting {}", path.display())))?;
            let owner = Owner { profile: PAPER.to_owned(), venue: venue.to_owned(), run: Some(run.clone()) };
            let dir = Self::claim(path, &owner)?;
            point_last(&paper, &run).map_err(io_failed(format!("linking {}/last", paper.display())))?;
            return Ok(dir);
        }
        Err(StateDirError::NotFound { looked: format!("{} has no free run name", paper.display()) })
    }

    /// The directory that a tool should look at: the given one, else the root when a live profile owns it, else that of
    /// mainnet-dry below the root, else the last paper run. Changes nothing.
    pub fn resolve_for_tools(root: &Path, option: Option<&Path>) -> Result<Resolved, StateDirError> {
        if let Some(path) = option {
            return match read_owner(path)? {
                Some(owner) => Ok(Resolved::new(path.to_owned(), owner, "given")),
                None => {
                    Err(StateDirError::NotFound { looked: format!("{} has no {OWNER_FILE}", path.display()) })
                }
            };
        }
        let mut looked = Vec::new();
        match read_owner(root)? {
            Some(owner) if owner.profile != PAPER => {
                return Ok(Resolved::new(root.to_owned(), owner, "a live profile owns it"));
            }
            Some(owner) => looked.push(format!("{} belongs to {owner}", root.display())),
            None => looked.push(format!("no live profile owns {}", root.display())),
        }
        let dry = root.join(DRY);
        if let Some(owner) = read_owner(&dry)? {
            return Ok(Resolved::new(dry, owner, "a dry run; no live profile owns the root"));
        }
        let paper = root.join(PAPER);
        let because = "the last paper run; no live profile owns the root";
        match last_run(&paper) {
            Some(path) => match read_owner(&path)? {
                Some(owner) => return Ok(Resolved::new(path, owner, because)),
                None => looked.push(format!("{} has no {OWNER_FILE}", path.display())),
            },
            None => looked.push(format!("{} has no link last", paper.display())),
        }
        Err(StateDirError::NotFound { looked: looked.join(", ") })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Whose it is.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }
}

/// The state directory that a tool found. Its `Display` is the line that says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The directory.
    pub dir: StateDir,
    /// Why this one.
    pub because: &'static str,
}

impl Resolved {
    fn new(path: PathBuf, owner: Owner, because: &'static str) -> Self {
        Self { dir: StateDir { path, owner }, because }
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state directory {} ({}; {})", self.dir.path.display(), self.dir.owner, self.because)
    }
}

fn read_owner(dir: &Path) -> Result<Option<Owner>, StateDirError> {
    let path = dir.join(OWNER_FILE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| StateDirError::Damaged { path, detail: error.to_string() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_failed(format!("reading {}", path.display()))(error)),
    }
}

/// Puts the whole file in place at once and never over an existing one.
fn write_owner(dir: &Path, owner: &Owner) -> Result<(), StateDirError> {
    let path = dir.join(OWNER_FILE);
    let temporary = dir.join(format!(".{OWNER_FILE}.{}.tmp", std::process::id()));
    let text = serde_json::to_string(owner).unwrap_or_default();
    let write = || -> io::Result<()> {
        let mut file = private().write(true).create(true).truncate(true).open(&temporary)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        match fs::hard_link(&temporary, &path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    let written = write();
    fs::remove_file(&temporary).ok();
    written.map_err(io_failed(format!("writing {}", path.display())))
}

fn has_journal(dir: &Path) -> bool {
    fs::read_dir(dir.join("journal")).is_ok_and(|entries| {
        let is_segment = |name: &str| name.ends_with(".jsonl") || name.ends_with(pack::SUFFIX);
        entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_segment))
    })
}

/// `20251120T113609Z`.
fn run_name(now: Timestamp) -> String {
    let text = now.to_string();
    let whole_seconds = text.split('.').next().unwrap_or(&text);
    format!("{}Z", whole_seconds.replace(['-', ':'], ""))
}

#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Replaces the link `last` in one step.
#[cfg(unix)]
fn point_last(paper: &Path, run: &str) -> io::Result<()> {
    let temporary = paper.join(format!(".last.{}.tmp", std::process::id()));
    fs::remove_file(&temporary).ok();
    std::os::unix::fs::symlink(run, &temporary)?;
    fs::rename(&temporary, paper.join("last"))
}

#[cfg(not(unix))]
fn point_last(paper: &Path, run: &str) -> io::Result<()> {
    crate::disk::replace(paper, "last", &[run.as_bytes()])
}

/// Follows the link, so that what is printed names the run.
fn last_run(paper: &Path) -> Option<PathBuf> {
    let last = paper.join("last");
    let run = fs::read_link(&last).ok().or_else(|| fs::read_to_string(&last).ok().map(PathBuf::from))?;
    Some(paper.join(run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::tests::TempDir;

    fn owner(profile: &str, venue: &str) -> Owner {
        Owner { profile: profile.into(), venue: venue.into(), run: None }
    }
    const NOON: Timestamp = Timestamp::from_ms(1_763_638_569_123);

    #[test]
    fn a_directory_of_another_profile_or_venue_is_refused_by_name() {
        let temp = TempDir::new();
        let dir = temp.0.join("d");
        StateDir::claim(&dir, &owner("paper", "binance-embedded")).unwrap();
        StateDir::claim(&dir, &owner("paper", "binance-embedded")).unwrap();
        let text = StateDir::claim(&dir, &owner("mainnet", "binance")).unwrap_err().to_string();
        assert!(text.contains("belongs to profile paper on binance-embedded"), "{text}");
        assert!(text.contains("not to profile mainnet on binance"), "{text}");
        assert!(StateDir::claim(&dir, &owner("paper", "okx-embedded")).is_err());
    }

    #[test]
    fn a_directory_whose_journal_has_no_owner_is_refused() {
        let temp = TempDir::new();
        fs::create_dir(temp.0.join("journal")).unwrap();
        for ending in ["jsonl", "jsonl.gz"] {
            let segment = temp.0.join(format!("journal/00000000000000000000.{ending}"));
            fs::write(&segment, "").unwrap();
            let error = StateDir::claim(&temp.0, &owner("paper", "binance")).unwrap_err();
            assert!(matches!(error, StateDirError::Unowned { .. }), "{error}");
            fs::remove_file(segment).unwrap();
        }
    }

    #[test]
    fn tools_find_a_dry_run_below_the_root_where_no_live_profile_owns_it() {
        let temp = TempDir::new();
        let dry =
            StateDir::claim(temp.0.join("mainnet-dry"), &owner("mainnet-dry", "binance-mainnet")).unwrap();
        StateDir::new_paper_run(&temp.0, "binance-embedded", NOON).unwrap();
        assert_eq!(StateDir::resolve_for_tools(&temp.0, None).unwrap().dir, dry);
        let live = StateDir::claim(&temp.0, &owner("mainnet", "binance-mainnet")).unwrap();
        assert_eq!(StateDir::resolve_for_tools(&temp.0, None).unwrap().dir, live, "real money comes first");
    }

    #[test]
    fn a_damaged_owner_file_is_named_and_kept() {
        let temp = TempDir::new();
        fs::write(temp.0.join("owner.json"), "{").unwrap();
        let error = StateDir::claim(&temp.0, &owner("paper", "binance")).unwrap_err();
        assert!(error.to_string().contains("owner.json is damaged"), "{error}");
        assert_eq!(fs::read_to_string(temp.0.join("owner.json")).unwrap(), "{");
    }

    #[test]
    fn each_paper_run_gets_a_new_folder_and_the_link_follows() {
        let temp = TempDir::new();
        let first = StateDir::new_paper_run(&temp.0, "binance-embedded", NOON).unwrap();
        let second = StateDir::new_paper_run(&temp.0, "binance-embedded", NOON).unwrap();
        assert_eq!(first.path(), temp.0.join("paper/20251120T113609Z"));
        assert_eq!(second.path(), temp.0.join("paper/20251120T113609Z-2"));
        let found = StateDir::resolve_for_tools(&temp.0, None).unwrap();
        assert_eq!(found.dir, second);
        assert!(found.to_string().contains("the last paper run"), "{found}");
    }

    #[test]
    fn tools_prefer_the_given_directory_then_a_live_root_then_the_last_paper_run() {
        let temp = TempDir::new();
        let text = StateDir::resolve_for_tools(&temp.0, None).unwrap_err().to_string();
        assert!(text.starts_with("no state directory: no live profile owns "), "{text}");
        let paper = StateDir::new_paper_run(&temp.0, "binance-embedded", NOON).unwrap();
        assert_eq!(StateDir::resolve_for_tools(&temp.0, None).unwrap().dir, paper);
        let live = StateDir::claim(&temp.0, &owner("mainnet", "binance")).unwrap();
        assert_eq!(StateDir::resolve_for_tools(&temp.0, None).unwrap().dir, live);
        let given = StateDir::resolve_for_tools(&temp.0, Some(paper.path())).unwrap();
        assert_eq!(given.dir, paper);
        assert!(StateDir::resolve_for_tools(&temp.0, Some(&temp.0.join("absent"))).is_err());
    }
}
