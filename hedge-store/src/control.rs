//! The fence: how one process takes an account over from another without a lock.
//!
//! `<state>/control/` holds small files. `fence` names the term that leads the account, and its posture. `ack` says which
//! process has seen which term. `panic.lock` is held by a panic close for as long as it works, `fence.lock` by whoever
//! replaces the fence, for that moment. They belong to the owner of the state directory, whoever writes them: a person who
//! panics as root must not keep the executor's own user out.
//!
//! Whoever takes over writes a greater term. A running executor reads the fence immediately before everything that it
//! sends or journals, so nothing of a smaller term leaves the process afterwards.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hedge_core::{Posture, Term, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::disk::{create_private_dir, private, replace_durably};

const FENCE: &str = "fence";
const ACK: &str = "ack";
const PANIC_LOCK: &str = "panic.lock";
const FENCE_LOCK: &str = "fence.lock";
/// Every record fills this many bytes, so that a later one fits over it on a disk that has no room left.
const RECORD_BYTES: usize = 1_024;
/// Nobody writes more than this; a larger file is not ours.
const LONGEST_FILE: u64 = 64 * 1_024;
/// How long replacing the fence waits for somebody else who does the same.
const BRIEF_HOLD: Duration = Duration::from_secs(2);
/// Whoever looks whether a panic close is at work holds its lock for a moment.
const LOOK_HOLD: Duration = Duration::from_millis(500);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Who leads the account of a state directory. One line of JSON, padded with spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRecord {
    /// The leading term. A process with a smaller one neither sends nor journals.
    pub term: Term,
    /// `Halted` when a panic close has led last: the next executor starts halted.
    pub posture: Posture,
    /// Why, for people. Cut where it would not fit.
    pub because: String,
    /// The program that wrote it, for example `hedge-executor`.
    pub by: String,
    /// When it was written.
    #[serde(with = "hedge_core::time::as_text")]
    pub at: Timestamp,
}

/// Which term a process has seen. A term that is not its own means: it has stopped sending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceAck {
    /// The term that was read from the fence.
    pub term: Term,
    /// The program that read it.
    pub by: String,
    /// Its process.
    pub pid: u32,
    /// When it was written.
    #[serde(with = "hedge_core::time::as_text")]
    pub at: Timestamp,
}

/// The control files cannot be read or written. Whoever was about to trade must not.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A file is not what this library writes.
    #[error(
        "{path} is damaged: {detail}; make sure that no other process trades this account, then remove the file; the next start \
         is halted until somebody resumes it",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
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

/// What became of a term that wanted to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publication {
    /// It leads now.
    Leads,
    /// A panic close is at work.
    PanicRuns,
    /// Another process was given the same term or a newer one meanwhile.
    Superseded(Box<FenceRecord>),
}

/// Says that a panic close is at work, for as long as it lives.
#[derive(Debug)]
pub struct PanicGuard {
    /// The lock ends with the file, also when the process is killed.
    _lock: File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One at a time.
    Alone,
    /// Several who only look.
    Shared,
}

/// The control files of a state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlDir {
    state: PathBuf,
    dir: PathBuf,
}

impl ControlDir {
    /// The control files of that state directory. Touches nothing.
    pub fn of(state_dir: &Path) -> Self {
        Self { state: state_dir.to_owned(), dir: state_dir.join("control") }
    }

    /// Where a running executor listens.
    pub fn socket(&self) -> PathBuf {
        self.state.join("control.sock")
    }

    /// Who leads; `None` before anybody ever did.
    ///
    /// Errors: unreadable or damaged. That means "forbidden" to whoever wants to trade.
    pub fn fence(&self) -> Result<Option<FenceRecord>, ControlError> {
        self.read(FENCE)
    }

    /// Names the leader, durably. The file is replaced in one piece; where that is impossible (a full disk), the existing
    /// one is overwritten in place. Waits two seconds at most for somebody else who does the same, and goes on then.
    pub fn put_fence(&self, record: &FenceRecord) -> Result<(), ControlError> {
        let _turn = self.lock(FENCE_LOCK, BRIEF_HOLD);
        self.put_record(record)
    }

    fn put_record(&self, record: &FenceRecord) -> Result<(), ControlError> {
        self.put(FENCE, &|limit| fence_text(record, limit))
    }

    /// Which term the last process has seen.
    pub fn ack(&self) -> Result<Option<FenceAck>, ControlError> {
        self.read(ACK)
    }

    /// Says which term this process has seen. Written like [`put_fence`](Self::put_fence).
    pub fn put_ack(&self, ack: &FenceAck) -> Result<(), ControlError> {
        self.put(ACK, &|limit| padded(ack, limit))
    }

    /// Leads from now on, unless a panic close is at work or somebody else was given the same or a greater term meanwhile.
    ///
    /// Comparing and writing are one step for everybody who publishes. A panic close waits for nobody: it is looked for
    /// before and after, so that one of the two always sees the other.
    pub fn publish(&self, record: &FenceRecord) -> Result<Publication, ControlError> {
        let Some(_turn) = self.lock(FENCE_LOCK, BRIEF_HOLD)? else {
            let source =
                io::Error::new(ErrorKind::TimedOut, "another process has been at it for two seconds");
            return Err(ControlError::Io {
                doing: format!("writing {}", self.dir.join(FENCE).display()),
                source,
            });
        };
        if self.panic_runs()? {
            return Ok(Publication::PanicRuns);
        }
        match self.fence()? {
            Some(found) if found.term >= record.term => {
                return Ok(Publication::Superseded(Box::new(found)));
            }
            _ => self.put_record(record)?,
        }
        // One that has begun since then may have taken its term from the fence before this one.
        Ok(if self.panic_runs()? { Publication::PanicRuns } else { Publication::Leads })
    }

    /// Begins a panic close: from here on no executor starts. `None` when another panic close is at work.
    pub fn begin_panic(&self) -> Result<Option<PanicGuard>, ControlError> {
        Ok(self.lock(PANIC_LOCK, LOOK_HOLD)?.map(|lock| PanicGuard { _lock: lock }))
    }

    /// Whether a panic close is at work. What cannot be found out counts as yes.
    pub fn is_panic_running(&self) -> bool {
        self.panic_runs().unwrap_or(true)
    }

    /// Whether a panic close is at work. Errors: that cannot be found out, and why; nobody may trade then.
    pub fn panic_runs(&self) -> Result<bool, ControlError> {
        let path = self.dir.join(PANIC_LOCK);
        let failed = |source| ControlError::Io { doing: format!("looking at {}", path.display()), source };
        match File::open(&path) {
            // Shared, so that two who look do not take each other for a panic close.
            Ok(file) => Ok(try_lock(&file, Kind::Shared).map_err(failed)?.is_none()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// `None` when somebody else holds it for longer than that.
    fn lock(&self, name: &str, patience: Duration) -> Result<Option<File>, ControlError> {
        let path = self.dir.join(name);
        let failed = |source| ControlError::Io { doing: format!("locking {}", path.display()), source };
        self.make_dir().map_err(failed)?;
        let file = private().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        give_to_owner_of(&self.state, &path);
        let until = Instant::now() + patience;
        loop {
            if try_lock(&file, Kind::Alone).map_err(failed)?.is_some() {
                return Ok(Some(file));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(LOCK_PAUSE);
        }
    }

    fn make_dir(&self) -> io::Result<()> {
        create_private_dir(&self.dir)?;
        give_to_owner_of(&self.state, &self.dir);
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ControlError> {
        let path = self.dir.join(name);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(ControlError::Damaged { path, detail: error.to_string() });
            }
            Err(source) => {
                return Err(ControlError::Io { doing: format!("reading {}", path.display()), source });
            }
        }
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| ControlError::Damaged { path, detail: error.to_string() })
    }

    /// `text_of` renders the record in at most so many bytes.
    fn put(
        &self,
        name: &str,
        text_of: &dyn Fn(usize) -> Result<Vec<u8>, io::Error>,
    ) -> Result<(), ControlError> {
        let path = self.dir.join(name);
        let replaced = self.make_dir().and_then(|()| text_of(RECORD_BYTES)).and_then(|text| {
            replace_durably(&self.dir, name, &text, |new| give_to_owner_of(&self.state, new))
        });
        let Err(source) = replaced else { return Ok(()) };
        overwrite(&path, text_of)
            .map_err(|_| ControlError::Io { doing: format!("replacing {}", path.display()), source })
    }
}

fn try_lock(file: &File, kind: Kind) -> io::Result<Option<()>> {
    let tried = if kind == Kind::Alone { file.try_lock() } else { file.try_lock_shared() };
    match tried {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What root writes would keep the directory's owner out. Nobody else can give anything away, nor needs to.
#[cfg(unix)]
fn give_to_owner_of(dir: &Path, path: &Path) {
    use std::os::unix::fs::{MetadataExt, chown};
    if let (Ok(dir), Ok(file)) = (std::fs::metadata(dir), std::fs::metadata(path))
        && dir.uid() != file.uid()
    {
        chown(path, Some(dir.uid()), Some(dir.gid())).ok();
    }
}

#[cfg(not(unix))]
fn give_to_owner_of(_: &Path, _: &Path) {}

/// Writes over an existing file and does not make it longer. A reader may see half of it, which it takes for "forbidden".
fn overwrite(path: &Path, text_of: &dyn Fn(usize) -> Result<Vec<u8>, io::Error>) -> io::Result<()> {
    let mut file = private().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut text = match text_of(length.min(RECORD_BYTES)) {
        Ok(text) => text,
        // Somebody else wrote a short file. Its disk block has room for a whole record.
        Err(_) => text_of(RECORD_BYTES)?,
    };
    if text.len() < length && text.pop().is_some() {
        text.resize(length - 1, b' ');
        text.push(b'\n');
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)?;
    file.sync_data()
}

/// The line, with as much of the reason as fits.
fn fence_text(record: &FenceRecord, limit: usize) -> io::Result<Vec<u8>> {
    let mut record = record.clone();
    loop {
        match padded(&record, limit) {
            Err(_) if !record.because.is_empty() => {
                let keep = record.because.chars().count() * 3 / 4;
                record.because = record.because.chars().take(keep).collect();
            }
            done => return done,
        }
    }
}

/// One line of exactly `limit` bytes.
fn padded(record: &impl Serialize, limit: usize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(record)?;
    if text.len() >= limit {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("{} bytes do not fit into {limit}", text.len()),
        ));
    }
    text.resize(limit - 1, b' ');
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::tests::TempDir;

    const NOON: Timestamp = Timestamp::from_ms(1_763_638_569_123);

    fn fence(term: u32, posture: Posture, because: &str) -> FenceRecord {
        let (because, by) = (because.to_owned(), "hedge-executor".to_owned());
        FenceRecord { term: Term(term), posture, because, by, at: NOON }
    }

    fn text(dir: &ControlDir, name: &str) -> String {
        fs::read_to_string(dir.dir.join(name)).unwrap()
    }

    #[test]
    fn a_fence_is_one_line_that_people_can_read() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        assert_eq!(dir.fence().unwrap(), None);
        let record = fence(8, Posture::Halted, "panic close: \"all\"\nby hand");
        dir.put_fence(&record).unwrap();
        assert_eq!(dir.fence().unwrap(), Some(record));
        assert_eq!(
            text(&dir, FENCE).trim_end(),
            "{\"term\":8,\"posture\":\"halted\",\"because\":\"panic close: \\\"all\\\"\\nby hand\",\
             \"by\":\"hedge-executor\",\"at\":\"2025-11-20T11:36:09.123Z\"}"
        );
    }

    #[test]
    fn an_ack_names_term_and_process() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        assert_eq!(dir.ack().unwrap(), None);
        let ack = FenceAck { term: Term(9), by: "hedge-executor".into(), pid: 4711, at: NOON };
        dir.put_ack(&ack).unwrap();
        assert_eq!(dir.ack().unwrap(), Some(ack));
    }

    #[test]
    fn a_damaged_fence_is_an_error_and_never_no_fence() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        fs::create_dir(&dir.dir).unwrap();
        let cases: [&[u8]; 6] = [
            b"",
            b"{",
            b"\xff\xfe",
            b"{\"term\":8}",
            b"{\"term\":-1,\"posture\":\"halted\",\"because\":\"\",\"by\":\"\",\"at\":\"2025-11-20T11:36:09.123Z\"}",
            b"{\"term\":1,\"posture\":\"asleep\",\"because\":\"\",\"by\":\"\",\"at\":\"2025-11-20T11:36:09.123Z\"}",
        ];
        for bytes in cases {
            fs::write(dir.dir.join(FENCE), bytes).unwrap();
            let error = dir.fence().unwrap_err();
            assert!(matches!(error, ControlError::Damaged { .. }), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn a_reason_of_any_length_fits_and_is_never_cut_inside_a_character() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        for because in ["ü".repeat(5_000), "\u{1}".repeat(900), "x".repeat(1_000)] {
            dir.put_fence(&fence(1, Posture::Halted, &because)).unwrap();
            let read = dir.fence().unwrap().unwrap();
            assert!(because.starts_with(&read.because) && read.because.len() > 50);
            assert_eq!(text(&dir, FENCE).len(), RECORD_BYTES);
        }
    }

    /// Where the temporary file would be, there is a folder: as on a full disk, no new file can be written.
    fn no_new_files(dir: &ControlDir, name: &str) {
        fs::create_dir(dir.dir.join(format!(".{name}.{}.tmp", std::process::id()))).unwrap();
    }

    #[test]
    fn where_no_file_can_be_created_the_existing_fence_is_overwritten_in_its_place() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        dir.put_fence(&fence(7, Posture::Normal, &"a long reason ".repeat(40))).unwrap();
        no_new_files(&dir, FENCE);
        let record = fence(8, Posture::Halted, "panic close");
        dir.put_fence(&record).unwrap();
        assert_eq!(dir.fence().unwrap(), Some(record));
        assert_eq!(text(&dir, FENCE).len(), RECORD_BYTES, "it has not grown");
    }

    #[test]
    fn a_short_file_of_somebody_else_is_not_made_longer_where_the_reason_can_be_cut() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        fs::create_dir(&dir.dir).unwrap();
        fs::write(dir.dir.join(FENCE), "x".repeat(200)).unwrap();
        no_new_files(&dir, FENCE);
        dir.put_fence(&fence(8, Posture::Halted, &"panic close ".repeat(50))).unwrap();
        let read = dir.fence().unwrap().unwrap();
        assert_eq!((read.term, read.posture), (Term(8), Posture::Halted));
        assert_eq!(text(&dir, FENCE).len(), 200);
    }

    #[test]
    fn without_a_fence_to_overwrite_a_failed_write_is_an_error() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        fs::create_dir(&dir.dir).unwrap();
        no_new_files(&dir, FENCE);
        assert!(matches!(dir.put_fence(&fence(8, Posture::Halted, "")), Err(ControlError::Io { .. })));
        assert_eq!(dir.fence().unwrap(), None);
    }

    #[test]
    fn one_panic_close_runs_at_a_time_and_its_end_frees_the_place() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        assert!(!dir.is_panic_running());
        let guard = dir.begin_panic().unwrap().unwrap();
        assert!(dir.is_panic_running());
        assert!(dir.begin_panic().unwrap().is_none());
        assert_eq!(dir.publish(&fence(1, Posture::Normal, "")).unwrap(), Publication::PanicRuns);
        assert_eq!(dir.fence().unwrap(), None);
        drop(guard);
        assert!(!dir.is_panic_running());
        assert!(dir.begin_panic().unwrap().is_some());
    }

    #[test]
    fn a_panic_close_begins_and_leads_although_somebody_hangs_while_writing_the_fence() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        let _hangs = dir.lock(FENCE_LOCK, Duration::ZERO).unwrap().unwrap();
        let _panic = dir.begin_panic().unwrap().unwrap();
        let record = fence(8, Posture::Halted, "panic close");
        dir.put_fence(&record).unwrap();
        assert_eq!(dir.fence().unwrap(), Some(record));
    }

    #[test]
    fn somebody_who_only_looks_is_no_panic_close_and_keeps_none_away() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        drop(dir.begin_panic().unwrap());
        let looks = File::open(dir.dir.join(PANIC_LOCK)).unwrap();
        try_lock(&looks, Kind::Shared).unwrap().unwrap();
        assert!(!dir.panic_runs().unwrap());
        assert_eq!(dir.publish(&fence(1, Posture::Normal, "")).unwrap(), Publication::Leads);
        let begins = std::thread::spawn({
            let dir = dir.clone();
            move || dir.begin_panic().unwrap().is_some()
        });
        std::thread::sleep(LOCK_PAUSE * 4);
        drop(looks);
        assert!(begins.join().unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn what_root_writes_belongs_to_the_owner_of_the_state_directory() {
        use std::os::unix::fs::{MetadataExt, chown};
        let temp = TempDir::new();
        // Only root can play this.
        if chown(&temp.0, Some(12_345), Some(12_345)).is_err() {
            return;
        }
        let dir = ControlDir::of(&temp.0);
        dir.put_fence(&fence(1, Posture::Normal, "")).unwrap();
        drop(dir.begin_panic().unwrap());
        for name in ["", FENCE, PANIC_LOCK, FENCE_LOCK] {
            assert_eq!(fs::metadata(dir.dir.join(name)).unwrap().uid(), 12_345, "{name}");
        }
    }

    #[test]
    fn a_lock_that_cannot_be_looked_at_is_an_error_and_no_panic_close() {
        let temp = TempDir::new();
        // A file where the folder should be.
        fs::write(temp.0.join("control"), "").unwrap();
        let dir = ControlDir::of(&temp.0);
        assert!(matches!(dir.panic_runs(), Err(ControlError::Io { .. })));
        assert!(dir.is_panic_running(), "nobody trades on a guess");
    }

    #[test]
    fn of_two_that_want_the_same_term_only_the_first_one_leads() {
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        assert_eq!(dir.publish(&fence(3, Posture::Normal, "first")).unwrap(), Publication::Leads);
        let second = dir.publish(&fence(3, Posture::Normal, "second")).unwrap();
        assert_eq!(second, Publication::Superseded(Box::new(fence(3, Posture::Normal, "first"))));
        assert_eq!(dir.publish(&fence(4, Posture::Normal, "next")).unwrap(), Publication::Leads);
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_their_owners_only() {
        use std::os::unix::fs::PermissionsExt;
        let temp = TempDir::new();
        let dir = ControlDir::of(&temp.0);
        dir.put_fence(&fence(1, Posture::Normal, "")).unwrap();
        drop(dir.begin_panic().unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.dir), 0o700);
        assert_eq!(mode(&dir.dir.join(FENCE)), 0o600);
        assert_eq!(mode(&dir.dir.join(PANIC_LOCK)), 0o600);
    }
}
