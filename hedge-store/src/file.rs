//! The file store: a state directory with one journal and its views.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, atomic::AtomicBool, mpsc},
    thread::JoinHandle,
};

use async_trait::async_trait;
use hedge_core::{
    BoxError, Envelope, Failpoints, Page, Seq, StateStore, StoreError, Timestamp, View, ViewName,
};
use tokio::{sync::oneshot, task::spawn_blocking};

use crate::{
    disk::{create_private_dir, failed},
    journal::Records,
    line,
    pack::{self, Packed},
    segment::Repair,
    view,
    writer::{Index, Job, Writer, next_of},
};

/// How many bytes of waiting records are written with one sync.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// What an appended record survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: each group of records is synced to the disk.
    #[default]
    Fsync,
    /// The end of the process, also by `kill -9`. A power cut may take the last seconds.
    Os,
}

/// How a file store writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// What an appended record survives.
    pub durability: Durability,
    /// Size from which on a segment is followed by a new one. Units: bytes.
    pub segment_bytes: u64,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { durability: Durability::Fsync, segment_bytes: 64 * 1024 * 1024 }
    }
}

/// A journal and views in a state directory. One process writes at a time.
///
/// Records are encoded by the caller and written by a thread of the store's own: while one group is being synced, the
/// next one gathers. An `append` whose future is dropped may still happen; repeating it is harmless.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    index: Index,
    repairs: Vec<Repair>,
    failpoints: Failpoints,
    views: std::sync::Arc<Mutex<()>>,
    /// Closed first, so that the thread ends.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl FileStore {
    /// Takes the journal of a state directory, creating what is missing and repairing what a crash left.
    ///
    /// Errors: [`StoreError::Locked`] naming the holder, [`StoreError::Corrupt`] with nothing changed, [`StoreError::Io`].
    pub fn open(state_dir: impl Into<PathBuf>, options: FileOptions) -> Result<Self, StoreError> {
        Self::open_with(state_dir, options, Failpoints::NONE)
    }
    /// [`open`](Self::open), with places before and after each write at which a test may end the process, or refuse the write.
    ///
    /// Errors: as there.
    pub fn open_with(
        state_dir: impl Into<PathBuf>,
        options: FileOptions,
        failpoints: Failpoints,
    ) -> Result<Self, StoreError> {
        let dir = state_dir.into();
        create_private_dir(&dir).map_err(failed(format!("creating {}", dir.display())))?;
        let (writer, repair) = Writer::open(&dir.join("journal"), options, failpoints.clone())?;
        let index = writer.index();
        let (jobs, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_groups(writer, &queue))
            .map_err(failed("starting the journal's thread"))?;
        Ok(Self {
            dir,
            index,
            repairs: repair.into_iter().collect(),
            failpoints,
            views: std::sync::Arc::default(),
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }
    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// What opening had to repair. Worth a line in the log each.
    pub fn repairs(&self) -> &[Repair] {
        &self.repairs
    }
    /// Compresses the segments whose newest record is older than that; the one that is being written is never one of them.
    /// Every record stays readable, by this store and every tool of ours. Blocking, some seconds for a large segment.
    ///
    /// Errors: [`StoreError::Corrupt`] and [`StoreError::Io`], with the plain segment untouched.
    pub fn pack_older(&self, before: Timestamp) -> Result<Packed, StoreError> {
        self.pack_older_until(before, &AtomicBool::new(false))
    }
    /// [`pack_older`](Self::pack_older), which goes on with no further segment once `end` is set.
    ///
    /// Errors: as there.
    pub fn pack_older_until(&self, before: Timestamp, end: &AtomicBool) -> Result<Packed, StoreError> {
        pack::pack_older(&self.dir.join("journal"), &self.index, before, end)
    }
    /// The records from a place on, as far as they are durable now. Blocking; for the boot.
    pub fn records(&self, from: Seq) -> Records {
        Records::new(self.index.lock().unwrap_or_else(PoisonError::into_inner).clone(), from)
    }
}

/// Ends the writer after everything queued is written, and frees the lock.
impl Drop for FileStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn write_groups(mut writer: Writer, queue: &mpsc::Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut bytes = first.objects.len();
        let mut group = vec![first];
        while bytes < GROUP_BYTES
            && let Ok(job) = queue.try_recv()
        {
            bytes += job.objects.len();
            group.push(job);
        }
        writer.commit(group);
    }
}

#[async_trait]
impl StateStore for FileStore {
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        let (objects, ends) = encode(expected_next, batch)?;
        let (reply, answer) = oneshot::channel();
        let job = Job { expected: expected_next, objects, ends, reply };
        let queued = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        match answer.await {
            Ok(answer) if queued => answer,
            _ => Err(failed(format!("appending to the journal in {}", self.dir.display()))(
                std::io::Error::other("the journal's thread has ended; restart this process"),
            )),
        }
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        let records = self.records(from);
        blocking(move || records.page(limit)).await
    }

    async fn next_seq(&self) -> Result<Seq, StoreError> {
        Ok(next_of(&self.index.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        let (dir, name, view) = (self.dir.clone(), *name, view.clone());
        let (turn, failpoints) = (std::sync::Arc::clone(&self.views), self.failpoints.clone());
        blocking(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            view::write(&dir, &name, &view, &failpoints)
        })
        .await
    }

    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        let (dir, name) = (self.dir.clone(), *name);
        blocking(move || view::read(&dir, &name)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(failed("waiting for file access")(std::io::Error::other(error))))
}

/// The batch as objects, and where each ends.
fn encode(expected_next: Seq, batch: &[Envelope]) -> Result<(Vec<u8>, Vec<usize>), StoreError> {
    let mut objects = Vec::with_capacity(batch.len() * 256);
    let mut ends = Vec::with_capacity(batch.len());
    let mut place = expected_next;
    for envelope in batch {
        check_place(envelope, place)?;
        line::write_object(envelope, &mut objects)
            .map_err(|error| StoreError::Encode { seq: envelope.seq, source: error.into() })?;
        ends.push(objects.len());
        place = place.next();
    }
    Ok((objects, ends))
}

/// A batch has no gaps and begins where it is appended.
pub(crate) fn check_place(envelope: &Envelope, place: Seq) -> Result<(), StoreError> {
    if envelope.seq == place {
        return Ok(());
    }
    let source = BoxError::from(format!("its place in the batch is {place}"));
    Err(StoreError::Encode { seq: envelope.seq, source })
}
