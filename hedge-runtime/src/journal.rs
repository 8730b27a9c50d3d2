//! One task writes the journal; records of several steps become one append.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hedge_core::{Envelope, Seq, StateStore, StoreError, Term};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use crate::{error::RunError, fence::Fence};

/// More waiting records than this are written without lingering.
const LARGE_BATCH: usize = 4_096;

/// The place after the last record of a step; [`Journal::durable`] waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(Seq);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Everything before this place is durable.
    Durable(Seq),
    /// An append failed; nothing after it will be written.
    Failed,
}

/// Why nothing more is written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The store failed.
    Store(StoreError),
    /// Another process leads the account.
    Fenced(String),
}

impl From<WriteError> for RunError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Store(error) => Self::Journal(error),
            WriteError::Fenced(because) => Self::Fenced { because },
        }
    }
}

/// Asked immediately before each append.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) fence: Arc<dyn Fence>,
    pub(crate) term: Term,
}

/// The loop's end of the writer.
#[derive(Debug)]
pub(crate) struct Journal {
    batches: Option<mpsc::UnboundedSender<Vec<Envelope>>>,
    progress: watch::Receiver<Progress>,
    hurry: Arc<Notify>,
    error: Arc<Mutex<Option<WriteError>>>,
    writer: JoinHandle<()>,
}

impl Journal {
    /// Starts the writer at the journal's end.
    pub(crate) fn start(store: Arc<dyn StateStore>, gate: Gate, next: Seq, linger: Duration) -> Self {
        let (batches, receiver) = mpsc::unbounded_channel();
        let (sender, progress) = watch::channel(Progress::Durable(next));
        let hurry = Arc::new(Notify::new());
        let error = Arc::new(Mutex::new(None));
        let writer = Writer {
            store,
            gate,
            next,
            linger,
            receiver,
            hurry: Arc::clone(&hurry),
            progress: sender,
            error: Arc::clone(&error),
        };
        Self { batches: Some(batches), progress, hurry, error, writer: tokio::spawn(writer.run()) }
    }

    /// Hands a step's records to the writer. They are durable within the linger time, or at once if asked for.
    pub(crate) fn append_behind(&self, expected_next: Seq, records: Vec<Envelope>) -> Ticket {
        let ticket = Ticket(Seq(expected_next.0 + records.len() as u64));
        if !records.is_empty()
            && let Some(batches) = &self.batches
        {
            // A writer that is gone has failed; `durable` and `failed` tell.
            let _ = batches.send(records);
        }
        ticket
    }

    /// Errors: the append that failed, if one has.
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        let failed = *self.progress.borrow() == Progress::Failed;
        if failed { Err(self.take_error()) } else { Ok(()) }
    }

    /// Waits until everything up to the ticket is durable. Errors: the append that failed.
    pub(crate) async fn durable(&self, ticket: Ticket) -> Result<(), WriteError> {
        let mut progress = self.progress.clone();
        if *progress.borrow() != Progress::Failed {
            self.hurry.notify_one();
        }
        let reached = progress
            .wait_for(|progress| match progress {
                Progress::Durable(next) => Ticket(*next) >= ticket,
                Progress::Failed => true,
            })
            .await;
        match reached.as_deref() {
            Ok(Progress::Durable(_)) => Ok(()),
            Ok(Progress::Failed) | Err(_) => Err(self.take_error()),
        }
    }

    /// Resolves once everything up to the ticket is durable, with `false` when it never will be. Outlives the loop's turn.
    pub(crate) fn settled(&self, ticket: Ticket) -> impl Future<Output = bool> + Send + 'static {
        self.hurry.notify_one();
        self.settled_by_itself(ticket.0)
    }

    /// Resolves once everything before a place is durable, without making it so any sooner; with `false` when it never will be.
    pub(crate) fn settled_by_itself(&self, next: Seq) -> impl Future<Output = bool> + Send + 'static {
        let mut progress = self.progress.clone();
        async move {
            let reached = progress
                .wait_for(|progress| match progress {
                    Progress::Durable(durable) => *durable >= next,
                    Progress::Failed => true,
                })
                .await;
            matches!(reached.as_deref(), Ok(Progress::Durable(_)))
        }
    }

    /// Resolves only when an append has failed. Cancel-safe.
    pub(crate) async fn failed(&self) -> WriteError {
        let mut progress = self.progress.clone();
        // A closed channel means that the writer died, which is a failure too.
        let _ = progress.wait_for(|progress| *progress == Progress::Failed).await;
        self.take_error()
    }

    /// Writes what is waiting and ends the writer. Harmless when it has ended.
    pub(crate) async fn close(&mut self) -> Result<(), WriteError> {
        self.batches = None;
        self.hurry.notify_one();
        if !self.writer.is_finished() {
            let _ = (&mut self.writer).await;
        }
        let failed = *self.progress.borrow() == Progress::Failed;
        if failed { Err(self.take_error()) } else { Ok(()) }
    }

    fn take_error(&self) -> WriteError {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.unwrap_or_else(|| {
            WriteError::Store(StoreError::Io {
                doing: "writing the journal".to_owned(),
                source: "the writer has ended".into(),
            })
        })
    }
}

struct Writer {
    store: Arc<dyn StateStore>,
    gate: Gate,
    next: Seq,
    linger: Duration,
    receiver: mpsc::UnboundedReceiver<Vec<Envelope>>,
    hurry: Arc<Notify>,
    progress: watch::Sender<Progress>,
    error: Arc<Mutex<Option<WriteError>>>,
}

impl Writer {
    async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            match self.append(&batch).await {
                Ok(next) => {
                    self.next = next;
                    self.progress.send_replace(Progress::Durable(next));
                }
                Err(error) => {
                    *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    self.progress.send_replace(Progress::Failed);
                    return;
                }
            }
        }
    }

    async fn append(&self, batch: &[Envelope]) -> Result<Seq, WriteError> {
        self.gate.fence.admits(self.gate.term).map_err(WriteError::Fenced)?;
        self.store.append(self.next, batch).await.map_err(WriteError::Store)
    }

    /// The next group: everything that comes within the linger time, or until somebody waits for it.
    async fn gather(&mut self) -> Option<Vec<Envelope>> {
        let mut batch = self.receiver.recv().await?;
        let until = Instant::now() + self.linger;
        while batch.len() < LARGE_BATCH {
            tokio::select! {
                biased;
                () = self.hurry.notified() => {
                    while let Ok(more) = self.receiver.try_recv() {
                        batch.extend(more);
                    }
                    break;
                }
                more = timeout_at(until, self.receiver.recv()) => match more {
                    Ok(Some(more)) => batch.extend(more),
                    Ok(None) | Err(_) => break,
                },
            }
        }
        Some(batch)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Closing the channel lets the writer finish what it has.
        self.batches = None;
        self.hurry.notify_one();
    }
}
