//! Who a start of a process is, and whether another start in the same directory on the same machine was before it.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::runs::write_private;

/// What the last holder of this state directory has left in it.
const FILE: &str = "lease.json";
/// Characters of a boot id.
const ID_CHARS: usize = 24;

/// The last holder of the lease in a state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Footprint {
    boot_id: String,
    /// The machine, from one start of it to the next; and the directory on it. A directory that was copied, moved to another
    /// machine or restored from a backup has another one of the two.
    machine: String,
    place: (u64, u64),
    /// Which process, as the lock of the directory names it.
    pid: u32,
    /// Whether it had waited before its first opening, or need not: then nobody from before it opens any more.
    #[serde(default)]
    pub(super) is_proven: bool,
    /// Whether its journal has what the leader before it left.
    #[serde(default = "yes")]
    pub(super) is_heeded: bool,
}

/// Earlier versions took nothing over.
const fn yes() -> bool {
    true
}

/// The holder that a start succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Predecessor {
    pub(super) boot_id: String,
    pub(super) is_proven: bool,
    pub(super) is_heeded: bool,
}

impl Footprint {
    /// Of a start in that directory. Where the machine does not say who it is, nobody succeeds it.
    pub(super) fn of(dir: &Path, boot_id: &str) -> Self {
        let (machine, place) = (machine().unwrap_or_default(), place(dir).unwrap_or_default());
        let (boot_id, pid) = (boot_id.to_owned(), std::process::id());
        Self { boot_id, machine, place, pid, is_proven: false, is_heeded: false }
    }

    /// Left for the next start. A start that finds none waits; it is not worth more than a line.
    pub(super) fn leave(&self, dir: &Path) {
        let text = serde_json::to_string(self).unwrap_or_default();
        if let Err(error) = write_private(&dir.join(FILE), (text + "\n").as_bytes()) {
            warn!(%error, "{FILE} was not written; after a crash the next start waits until the lease has run out");
        }
    }

    fn left_in(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(FILE)).ok()?).ok()
    }

    /// Whether anybody has led from this directory, or a copy of it, under a lease. What cannot be read was somebody.
    pub(super) fn is_in(dir: &Path) -> bool {
        fs::symlink_metadata(dir.join(FILE)).is_ok()
    }

    /// Whether the last holder of this directory was the process that the lock has named so.
    pub(super) fn was_left_by(dir: &Path, lock_holder: &str) -> bool {
        Self::left_in(dir).is_some_and(|left| lock_holder == format!("pid {}", left.pid))
    }

    /// The holder that this start succeeds: one in the same directory, on the same machine, since that was started. Whoever
    /// asks holds the directory's lock, so that holder is gone.
    pub(super) fn predecessor(dir: &Path) -> Option<Predecessor> {
        let left = Self::left_in(dir)?;
        let is_here = left.machine == machine()? && left.place == place(dir)?;
        let Self { boot_id, is_proven, is_heeded, .. } = left;
        is_here.then_some(Predecessor { boot_id, is_proven, is_heeded })
    }
}

/// A name of this start that no other one has.
pub(super) fn new_boot_id() -> String {
    static STARTS: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let (machine, pid, start) =
        (machine().unwrap_or_default(), std::process::id(), STARTS.fetch_add(1, Relaxed));
    let parts = format!("{} {machine} {pid} {now} {start}", host());
    let digest = Sha256::digest(parts.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().chars().take(ID_CHARS).collect()
}

/// For people: host and process.
pub(super) fn holder() -> String {
    format!("{} pid {}", host(), std::process::id())
}

fn host() -> String {
    let named = || std::env::var("HOSTNAME").ok();
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(named).unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(64).collect();
    if name.is_empty() { "a host without a name".to_owned() } else { name }
}

/// A name of this machine's current uptime. Only Linux says one.
fn machine() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

#[cfg(unix)]
fn place(dir: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(dir).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn place(_: &Path) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn two_starts_never_have_the_same_name() {
        let (a, b) = (new_boot_id(), new_boot_id());
        assert_ne!(a, b);
        assert_eq!(a.len(), ID_CHARS);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_directory_knows_its_last_holder_and_a_copy_of_it_does_not() {
        let temp = TempDir::new();
        let (here, copy) = (temp.0.join("here"), temp.0.join("copy"));
        for dir in [&here, &copy] {
            fs::create_dir_all(dir).unwrap();
        }
        assert_eq!((Footprint::predecessor(&here), Footprint::is_in(&here)), (None, false));
        let of_a =
            |is_proven, is_heeded| Some(Predecessor { boot_id: "boot-a".to_owned(), is_proven, is_heeded });
        let mut left = Footprint::of(&here, "boot-a");
        left.leave(&here);
        assert_eq!((Footprint::predecessor(&here), Footprint::is_in(&here)), (of_a(false, false), true));
        (left.is_proven, left.is_heeded) = (true, true);
        left.leave(&here);
        assert_eq!(Footprint::predecessor(&here), of_a(true, true));
        let earlier = fs::read_to_string(here.join(FILE)).unwrap().replace(",\"is_heeded\":true", "");
        fs::write(here.join(FILE), earlier).unwrap();
        assert_eq!(Footprint::predecessor(&here), of_a(true, true), "of an earlier version");
        let pid = std::process::id();
        assert!(Footprint::was_left_by(&here, &format!("pid {pid}")));
        assert!(!Footprint::was_left_by(&here, &format!("pid {pid}0")));
        fs::copy(here.join(FILE), copy.join(FILE)).unwrap();
        assert_eq!(Footprint::predecessor(&copy), None, "the process of the first directory may be alive");
        Footprint { machine: "another uptime".to_owned(), ..left }.leave(&here);
        assert_eq!(Footprint::predecessor(&here), None);
        fs::write(here.join(FILE), "{").unwrap();
        assert_eq!((Footprint::predecessor(&here), Footprint::is_in(&here)), (None, true));
    }
}
