//! A state store in one file: journal in a hash chain, views, and the tables of the ledger beside them.

use std::{
    num::NonZeroU32,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use async_trait::async_trait;
use hedge_core::{Envelope, Page, Seq, StateStore, StoreError, View, ViewName};
use rusqlite::{Connection, OptionalExtension};
use tokio::{sync::oneshot, task::spawn_blocking};

use super::{
    core::{Core, Role, decode, encode, stored},
    error::store_failed,
    open::{SqliteOptions, for_reading},
};
use crate::{disk::failed, file::check_place, view};

/// How many bytes of waiting records are written in one transaction.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

enum Job {
    Append {
        expected: Seq,
        records: Vec<Envelope>,
        texts: Vec<String>,
        reply: oneshot::Sender<Result<Seq, StoreError>>,
    },
    View {
        name: ViewName,
        view: View,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
}

/// A journal with views and tables in one SQLite file. One process writes at a time.
///
/// A thread of the store's own writes: what waits goes into one transaction. An `append` whose future is dropped may still
/// happen; repeating it is harmless.
#[derive(Debug)]
pub struct SqliteStore {
    place: Arc<str>,
    next: Arc<Mutex<Seq>>,
    reader: Arc<Mutex<Connection>>,
    /// Closed first, so that the thread ends.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl SqliteStore {
    /// Takes the file, creating or migrating it if need be, and checks all of it.
    ///
    /// Blocking. Errors: [`StoreError::Locked`] naming the holder, [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn open(file: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let core = Core::open(file.as_ref(), options, Role::Store)?;
        let place: Arc<str> = core.place().into();
        let reader = for_reading(file.as_ref())?;
        let next = Arc::new(Mutex::new(core.next()));
        let (jobs, queue) = mpsc::channel();
        let told = Arc::clone(&next);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write_groups(core, &queue, &told))
            .map_err(failed("starting the ledger's thread"))?;
        Ok(Self { place, next, reader: Arc::new(Mutex::new(reader)), jobs: Some(jobs), thread: Some(thread) })
    }

    async fn ask<T>(
        &self,
        doing: &str,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queued = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job(reply)).is_ok());
        match answer.await {
            Ok(answer) if queued => answer,
            _ => Err(failed(format!("{}: {doing}", self.place))(std::io::Error::other(
                "the ledger's thread has ended; restart this process",
            ))),
        }
    }

    /// Asks on the reading connection.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reader, place) = (Arc::clone(&self.reader), Arc::clone(&self.place));
        let asked =
            spawn_blocking(move || look(&reader.lock().unwrap_or_else(PoisonError::into_inner), &place));
        asked
            .await
            .unwrap_or_else(|error| Err(failed("waiting for the ledger")(std::io::Error::other(error))))
    }
}

/// Ends the writer after everything queued is written, and frees the lock.
impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn write_groups(mut core: Core, queue: &mpsc::Receiver<Job>, told: &Mutex<Seq>) {
    let mut waiting = None;
    while let Some(job) = waiting.take().or_else(|| queue.recv().ok()) {
        match job {
            Job::View { name, view, reply } => {
                reply.send(core.put_view(name.as_str(), view.as_of, &view.json)).ok();
            }
            Job::Append { expected, records, texts, reply } => {
                let mut group = Group::new(expected, records, texts, reply);
                while group.bytes < GROUP_BYTES {
                    match queue.try_recv() {
                        Ok(Job::Append { expected, records, texts, reply }) if expected == group.next() => {
                            group.add(records, texts, reply);
                        }
                        Ok(other) => {
                            waiting = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                group.write(&mut core, told);
            }
        }
    }
}

/// Appends that follow each other and are written together.
struct Group {
    expected: Seq,
    records: Vec<Envelope>,
    texts: Vec<String>,
    replies: Vec<(Seq, oneshot::Sender<Result<Seq, StoreError>>)>,
    bytes: usize,
}

impl Group {
    fn new(
        expected: Seq,
        records: Vec<Envelope>,
        texts: Vec<String>,
        reply: oneshot::Sender<Result<Seq, StoreError>>,
    ) -> Self {
        let mut group =
            Self { expected, records: Vec::new(), texts: Vec::new(), replies: Vec::new(), bytes: 0 };
        group.add(records, texts, reply);
        group
    }
    fn next(&self) -> Seq {
        Seq(self.expected.0 + self.records.len() as u64)
    }
    fn add(
        &mut self,
        records: Vec<Envelope>,
        texts: Vec<String>,
        reply: oneshot::Sender<Result<Seq, StoreError>>,
    ) {
        self.bytes += texts.iter().map(String::len).sum::<usize>();
        self.records.extend(records);
        self.texts.extend(texts);
        self.replies.push((self.next(), reply));
    }

    fn write(self, core: &mut Core, told: &Mutex<Seq>) {
        let Self { expected, records, texts, replies, .. } = self;
        let answer = if expected == core.next() {
            let written = core.write(&records, &texts);
            if written.is_ok() {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = core.next();
            }
            written
        } else {
            repeated(core, expected, &texts)
        };
        let mut error = answer.err();
        for (next, reply) in replies {
            let answer = match &mut error {
                None => Ok(next),
                // The first caller gets the error itself, the others what it says.
                Some(first) => Err(std::mem::replace(first, again(first))),
            };
            reply.send(answer).ok();
        }
    }
}

fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Conflict { expected, found } => {
            StoreError::Conflict { expected: *expected, found: *found }
        }
        other => StoreError::Io { doing: "appending".to_owned(), source: other.to_string().into() },
    }
}

/// A batch that does not belong at the end is fine only if it is the last one again.
fn repeated(core: &Core, expected: Seq, texts: &[String]) -> Result<(), StoreError> {
    let found = core.next();
    if Seq(expected.0 + texts.len() as u64) == found && !texts.is_empty() {
        let mut own = texts.iter();
        let mut is_equal = true;
        stored(core.connection(), core.place(), expected, i64::MAX, |text, _| {
            is_equal &= own.next().is_some_and(|own| own == text);
            Ok(())
        })?;
        if is_equal {
            return Ok(());
        }
    }
    Err(StoreError::Conflict { expected, found })
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        let mut texts = Vec::with_capacity(batch.len());
        let mut place = expected_next;
        for envelope in batch {
            check_place(envelope, place)?;
            texts.push(encode(envelope)?);
            place = place.next();
        }
        let records = batch.to_vec();
        self.ask("appending", |reply| Job::Append { expected: expected_next, records, texts, reply }).await
    }

    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        self.look(move |conn, place| {
            let mut records = Vec::new();
            // One more than wanted tells whether it goes on.
            stored(conn, place, from, i64::from(limit.get()) + 1, |text, seq| {
                records.push(decode(place, text, seq)?);
                Ok(())
            })?;
            let next = (records.len() > limit.get() as usize)
                .then(|| records.pop().map(|record| record.seq))
                .flatten();
            Ok(Page { records, next })
        })
        .await
    }

    async fn next_seq(&self) -> Result<Seq, StoreError> {
        Ok(*self.next.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        view::check(name, view)?;
        let (name, view) = (*name, view.clone());
        self.ask("replacing a view", |reply| Job::View { name, view, reply }).await
    }

    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        let name = *name;
        self.look(move |conn, place| {
            let sql = "SELECT as_of, json FROM views WHERE name = ?1";
            conn.prepare_cached(sql)
                .and_then(|mut get| {
                    let view = |row: &rusqlite::Row<'_>| {
                        let as_of: i64 = row.get(0)?;
                        Ok(View { as_of: Seq(as_of.unsigned_abs()), json: row.get(1)? })
                    };
                    get.query_row([name.as_str()], view).optional()
                })
                .map_err(store_failed(place, "reading a view"))
        })
        .await
    }
}
