//! What is in a pack.

use hedge_core::{Seq, Timestamp};
use serde::{Deserialize, Serialize};

use crate::journal::Head;

pub(super) const FORMAT: u32 = 1;
pub(super) const KIND: &str = "hedge incident";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const JOURNAL: &str = "journal.jsonl";
pub(super) const LOG: &str = "log.txt";
const CONFIGS: &str = "configs/";
/// Longest manifest: some ten thousand starts. Units: bytes.
const MOST_MANIFEST: u64 = 16 * 1024 * 1024;
/// Longest configuration. Units: bytes.
const MOST_CONFIG: u64 = 1024 * 1024;
/// Longest log. Units: bytes.
const MOST_LOG: u64 = 4 * 1024 * 1024;
/// Most members: a configuration for each change of it.
const MOST_MEMBERS: usize = 1_024;
/// All members together, unpacked. Units: bytes.
const MOST_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The first member of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) kind: String,
    pub(super) format: u32,
    /// The version of the program that made it.
    pub version: String,
    /// The profile that ran.
    pub profile: String,
    /// The venue and its environment.
    pub venue: String,
    /// Where the incident begins. The records before it are there too: what a run knows is all of them.
    pub from: Mark,
    /// The last record.
    pub to: Mark,
    /// How many records are in it.
    pub records: u64,
    /// How many of them had a text that was redacted. With none the journal's lines are those of the run.
    pub redacted: u64,
    /// The chain of the lines in the pack.
    pub head: Head,
    /// The chain of the run's own journal at the last record; the same where nothing was redacted.
    pub journal_head: Option<Head>,
    /// The processes that wrote the records.
    pub processes: Vec<ProcessOf>,
    /// What a replay of these records said when the pack was made.
    pub verdict: Verdict,
    /// Facts whose decisions are not all in it, as far as it was replayed: a power cut took the end of them, or the pack ends there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut_short: u64,
    /// The other members, in order.
    pub members: Vec<MemberSum>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A record by number and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its number.
    pub seq: Seq,
    /// When it was written.
    #[serde(with = "hedge_core::time::as_text")]
    pub at: Timestamp,
}

/// A process that wrote some of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessOf {
    /// Its first record.
    pub from: Mark,
    /// Its program's version.
    pub version: String,
    /// The hash of its configuration.
    pub config_hash: String,
}

/// What a replay said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// Every record was made again.
    Same,
    /// One was not.
    Different {
        /// The first one.
        seq: Seq,
    },
    /// Nothing could be compared.
    NotReplayed {
        /// Why.
        because: String,
    },
}

/// A member and what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSum {
    /// Its name.
    pub name: String,
    /// Its length. Units: bytes.
    pub size: u64,
    /// SHA-256 of its bytes, 64 hex digits.
    pub sha256: String,
}

/// What is too much of these members: a reader does not take it, so that no pack needs any amount of memory, and therefore
/// it is not packed either. Names and sizes.
pub(super) fn too_much<'a>(members: impl IntoIterator<Item = (&'a str, u64)>) -> Option<String> {
    let (mut count, mut total) = (0, 0_u64);
    for (name, size) in members {
        let most = match name {
            JOURNAL => MOST_BYTES,
            LOG => MOST_LOG,
            MANIFEST => MOST_MANIFEST,
            _ => MOST_CONFIG,
        };
        if size > most {
            return Some(format!("{name} has {size} bytes; at most {most} are read"));
        }
        count += 1;
        total = total.saturating_add(size);
    }
    (count > MOST_MEMBERS || total > MOST_BYTES).then(|| {
        format!("{count} members of {total} bytes together; at most {MOST_MEMBERS} and {MOST_BYTES} are read")
    })
}

pub(super) fn config_name(hash: &str) -> String {
    format!("{CONFIGS}{hash}.json")
}

/// Whether a pack may have a member of that name: these and no others, so that none can lead out of a folder.
pub(super) fn is_known(name: &str) -> bool {
    let is_config =
        name.strip_prefix(CONFIGS).and_then(|rest| rest.strip_suffix(".json")).is_some_and(|hash| {
            hash.len() == 64
                && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        });
    is_config || name == JOURNAL || name == LOG
}
