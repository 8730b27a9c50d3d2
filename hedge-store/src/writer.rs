//! The one writer of a journal: lock, repair, compare-and-swap, group commit, rotation.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use hedge_core::{Failpoint, Failpoints, Seq, StoreError};
use tokio::sync::oneshot;

use crate::{
    disk::{create_private_dir, failed, private, sync_dir},
    file::{Durability, FileOptions},
    journal::Records,
    line::{self, Chain},
    lock,
    segment::{self, Repair, Segment, Tear},
};

/// Records that somebody wants appended, already encoded; only the writer knows what they are chained to.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) expected: Seq,
    /// Their objects, one after the other.
    pub(crate) objects: Vec<u8>,
    /// Where each of them ends.
    pub(crate) ends: Vec<usize>,
    pub(crate) reply: oneshot::Sender<Result<Seq, StoreError>>,
}

impl Job {
    /// The place after its last record.
    fn end(&self) -> Seq {
        Seq(self.expected.0 + self.ends.len() as u64)
    }
    fn objects(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.objects[start..end])
    }
}

/// What is durable; shared with readers.
pub(crate) type Index = Arc<Mutex<Vec<Segment>>>;

pub(crate) fn next_of(segments: &[Segment]) -> Seq {
    segments.last().map_or(Seq(0), |last| last.next)
}

/// Holds the lock as long as it lives.
#[derive(Debug)]
pub(crate) struct Writer {
    dir: PathBuf,
    _lock: File,
    file: File,
    index: Index,
    options: FileOptions,
    failpoints: Failpoints,
    /// Why nothing can be appended any more.
    broken: Option<String>,
    /// Records of this group that are not written yet.
    pending: Vec<Job>,
}

impl Writer {
    pub(crate) fn open(
        dir: &Path,
        options: FileOptions,
        failpoints: Failpoints,
    ) -> Result<(Self, Option<Repair>), StoreError> {
        create_private_dir(dir).map_err(failed(format!("creating {}", dir.display())))?;
        let lock = lock::hold(&dir.join("lock"), dir)?;
        let (mut segments, torn) = segment::scan(dir)?;
        if let Some(repair) = &torn {
            mend(repair, segments.last())?;
        }
        // A packed segment is never written again.
        if segments.last().is_none_or(|last| last.packed) {
            let chain = segments.last().map_or(Chain::START, |last| last.end);
            segments.push(Segment::empty(dir, next_of(&segments), chain));
        }
        let path = segments[segments.len() - 1].path.clone();
        let file = private()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed(format!("opening {}", path.display())))?;
        sync_dir(dir).map_err(failed(format!("syncing {}", dir.display())))?;
        let writer = Self {
            dir: dir.to_owned(),
            _lock: lock,
            file,
            index: Arc::new(Mutex::new(segments)),
            options,
            failpoints,
            broken: None,
            pending: Vec::new(),
        };
        Ok((writer, torn))
    }

    pub(crate) fn index(&self) -> Index {
        Arc::clone(&self.index)
    }

    /// Appends what several callers want with one write and one sync, and answers each of them.
    pub(crate) fn commit(&mut self, group: Vec<Job>) {
        for job in group {
            let next = self.pending.last().map_or_else(|| self.next(), Job::end);
            if job.expected == next && self.broken.is_none() {
                self.pending.push(job);
                continue;
            }
            self.flush();
            let answer = self.repeated(&job);
            job.reply.send(answer).ok();
        }
        self.flush();
    }

    fn next(&self) -> Seq {
        next_of(&self.index.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A batch that does not belong at the end is fine only if it is the last one again.
    fn repeated(&self, job: &Job) -> Result<Seq, StoreError> {
        let segments = self.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = next_of(&segments);
        let end = job.end();
        if end == found && !job.ends.is_empty() {
            let mut stored = Records::new(segments, job.expected);
            let mut objects = job.objects();
            let mut equal = true;
            while let Some(stored) = stored.next_line() {
                let stored = stored?;
                equal &= objects.next().is_some_and(|own| line::holds(stored, own));
            }
            if equal {
                return Ok(end);
            }
        }
        match &self.broken {
            Some(why) => Err(closed(&self.dir, why)),
            None => Err(StoreError::Conflict { expected: job.expected, found }),
        }
    }

    fn flush(&mut self) {
        let jobs = std::mem::take(&mut self.pending);
        if jobs.is_empty() {
            return;
        }
        match self.write(&jobs) {
            Ok(()) => {
                for job in jobs {
                    let next = job.end();
                    job.reply.send(Ok(next)).ok();
                }
            }
            Err(error) => {
                // One cause, several callers: the first gets it whole, the others its text.
                let text = error.to_string();
                let mut first = Some(error);
                for job in jobs {
                    let error = first.take().unwrap_or_else(|| closed(&self.dir, &text));
                    job.reply.send(Err(error)).ok();
                }
            }
        }
    }

    fn write(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
        self.rotate_if_full()?;
        let (path, len, mut place, mut chain) = {
            let segments = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            let last = &segments[segments.len() - 1];
            (last.path.clone(), last.len, last.next, last.end)
        };
        self.check_unshared(&path, len)?;
        let mut text =
            Vec::with_capacity(jobs.iter().map(|job| job.objects.len() + 64 * job.ends.len()).sum());
        let mut lines = Vec::with_capacity(jobs.iter().map(|job| job.ends.len()).sum());
        for object in jobs.iter().flat_map(Job::objects) {
            let start = text.len();
            chain.seal(place, object, &mut text);
            lines.push(((text.len() - start) as u64, chain));
            place = place.next();
        }
        if let Err(error) = self.write_whole(&text) {
            // What was written of it is taken back, so that a later attempt can succeed.
            if let Err(second) = self.file.set_len(len) {
                self.broken = Some(format!("a failed write could not be taken back: {second}"));
            }
            return Err(failed(format!("appending to {}", path.display()))(error));
        }
        if let Err(error) = self.sync() {
            // After a failed sync nobody knows what is on the disk; only a restart reads it again.
            self.broken = Some(format!("an earlier sync failed: {error}"));
            return Err(failed(format!("syncing {}", path.display()))(error));
        }
        self.failpoints.pass(Failpoint::JournalAfterSync);
        let mut segments = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = segments.last_mut() {
            lines.into_iter().for_each(|(bytes, chain)| last.push(bytes, chain));
        }
        Ok(())
    }

    fn write_whole(&mut self, text: &[u8]) -> io::Result<()> {
        self.failpoints.write(Failpoint::JournalBeforeWrite)?;
        if !self.failpoints.is_armed() {
            return self.file.write_all(text);
        }
        let (first, rest) = text.split_at(text.len() / 2);
        self.file.write_all(first)?;
        self.failpoints.write(Failpoint::JournalMidWrite)?;
        self.file.write_all(rest)
    }

    fn sync(&self) -> io::Result<()> {
        self.failpoints.write(Failpoint::JournalAfterWrite)?;
        match self.options.durability {
            Durability::Fsync => self.file.sync_data(),
            Durability::Os => Ok(()),
        }
    }

    /// Notices when the file was removed, or written by a process that ignores the lock.
    fn check_unshared(&mut self, path: &Path, len: u64) -> Result<(), StoreError> {
        let metadata = self.file.metadata().map_err(failed(format!("looking at {}", path.display())))?;
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&metadata) == 0 {
            let why = format!("{} was removed while this process was writing it", path.display());
            self.broken = Some(why.clone());
            return Err(closed(&self.dir, &why));
        }
        if metadata.len() != len {
            let why = format!(
                "{} has {} bytes instead of {len}: another process has written to it",
                path.display(),
                metadata.len()
            );
            self.broken = Some(why.clone());
            return Err(closed(&self.dir, &why));
        }
        Ok(())
    }

    fn rotate_if_full(&mut self) -> Result<(), StoreError> {
        let (len, next, chain) = {
            let segments = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            let last = &segments[segments.len() - 1];
            (last.len, last.next, last.end)
        };
        if len < self.options.segment_bytes || len == 0 {
            return Ok(());
        }
        let segment = Segment::empty(&self.dir, next, chain);
        let doing = format!("starting {}", segment.path.display());
        // Also with `os` durability: only the last segment may end with a tear.
        let file = self
            .failpoints
            .write(Failpoint::JournalBeforeRotate)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| private().append(true).create_new(true).open(&segment.path))
            .and_then(|file| sync_dir(&self.dir).map(|()| file))
            .map_err(failed(doing))?;
        self.failpoints.pass(Failpoint::JournalAfterRotate);
        self.file = file;
        self.index.lock().unwrap_or_else(PoisonError::into_inner).push(segment);
        Ok(())
    }
}

fn closed(dir: &Path, why: &str) -> StoreError {
    StoreError::Io {
        doing: format!("appending to {}", dir.display()),
        source: io::Error::other(format!(
            "{why}; stop this process and look at the journal before restarting"
        ))
        .into(),
    }
}

/// Cuts off, or completes, what a crash left in the last segment.
fn mend(repair: &Repair, segment: Option<&Segment>) -> Result<(), StoreError> {
    let whole = segment.map_or(0, |segment| segment.len);
    let mend = || -> io::Result<()> {
        let mut file = private().write(true).open(&repair.file)?;
        if repair.tear == Tear::NoLineEnd {
            file.set_len(whole - 1)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(b"\n")?;
        } else {
            file.set_len(whole)?;
        }
        file.sync_all()
    };
    mend().map_err(failed(format!("repairing {}", repair.file.display())))
}
