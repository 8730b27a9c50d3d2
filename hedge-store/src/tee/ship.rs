//! The task that ships to one follower.

use std::{
    num::NonZeroU32,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hedge_core::{Seq, StateStore, StoreError};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{error, info, warn};

use super::{
    follower::{FollowError, Follower},
    status::{self, FollowerState, FollowerStatus, now_ms},
    store::Follow,
    views::Waiting,
};

/// The first pause after a failure; doubled up to the longest.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often the lag is said and written down while nothing else changes.
pub(super) const SAY_EVERY: Duration = Duration::from_secs(60);
/// A follower that has not answered for so long is spoken of.
const SILENT_FOR: Duration = Duration::from_secs(2);
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// What the tee and the task of one follower share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) status: Mutex<FollowerStatus>,
    /// Something was appended.
    pub(super) news: Notify,
    /// Views on their way.
    pub(super) views: Waiting,
    /// Whether the follower was seen to hold this journal and no other one. Nothing is put into it before.
    pub(super) is_ours: watch::Sender<bool>,
    /// When shipping must end, once somebody has asked for the end.
    pub(super) until: watch::Sender<Option<Instant>>,
}

impl Shared {
    /// As it was when somebody last wrote it down; only the follower itself knows more.
    pub(super) fn new(name: &str, earlier: Option<FollowerStatus>) -> Self {
        let mut status = FollowerStatus::new(name);
        if let Some(earlier) = earlier {
            status.next = earlier.next;
            status.journal_next = earlier.journal_next;
            status.behind_since_ms = earlier.behind_since_ms;
        }
        Self {
            status: Mutex::new(status),
            news: Notify::new(),
            views: Waiting::default(),
            is_ours: watch::Sender::new(false),
            until: watch::Sender::new(None),
        }
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut FollowerStatus) -> T) -> T {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.at_ms = now_ms();
        change(&mut status)
    }

    /// The journal has grown to there.
    pub(super) fn appended(&self, next: Seq) {
        self.with(|status| {
            status.journal_next = status.journal_next.max(next);
            let state = status.state;
            status.settle();
            // Only an answer of the follower ends these.
            if matches!(
                state,
                FollowerState::Connecting | FollowerState::Unreachable | FollowerState::Diverged
            ) {
                status.state = state;
            }
        });
        self.news.notify_one();
    }
}

/// Ships until it is told to end, or until the follower has diverged.
#[derive(Debug)]
pub(super) struct Shipping {
    pub(super) primary: Arc<dyn StateStore>,
    pub(super) follower: Box<dyn Follower>,
    pub(super) shared: Arc<Shared>,
    pub(super) options: Follow,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) pause: Duration,
    pub(super) said_at: Option<Instant>,
    pub(super) written_at: Option<Instant>,
    pub(super) is_unwritten: bool,
}

impl Shipping {
    pub(super) fn new(
        primary: Arc<dyn StateStore>,
        follower: Box<dyn Follower>,
        shared: Arc<Shared>,
        options: Follow,
        state_dir: Option<PathBuf>,
    ) -> Self {
        Self {
            primary,
            follower,
            shared,
            options,
            state_dir,
            pause: FIRST_PAUSE,
            said_at: None,
            written_at: None,
            is_unwritten: false,
        }
    }

    pub(super) async fn run(mut self) {
        let mut until = self.shared.until.subscribe();
        loop {
            let failure = tokio::select! {
                biased;
                failure = self.ship() => failure,
                () = ended(&mut until) => break,
            };
            match failure {
                // Everything has arrived, and that was the end.
                None => break,
                Some(FollowError::Diverged { because }) => {
                    self.diverged(because).await;
                    break;
                }
                Some(FollowError::Failed(error)) => self.failed(&error).await,
            }
            if !self.paused(&mut until).await {
                break;
            }
        }
        self.write_status().await;
    }

    /// Waits before the next attempt; `false` when there is no time for one.
    async fn paused(&mut self, until: &mut watch::Receiver<Option<Instant>>) -> bool {
        let mut pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        let mut asked = self.shared.until.subscribe();
        if asked.borrow().is_some() {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            biased;
            () = ended(until) => false,
            () = sleep(pause) => true,
            // Before the end it is tried at once.
            _ = asked.changed() => true,
        }
    }

    /// Ships until something fails; `None` once everything has arrived after the end was asked for.
    async fn ship(&mut self) -> Option<FollowError> {
        self.ship_on().await.err()
    }

    async fn ship_on(&mut self) -> Result<(), FollowError> {
        let within = self.options.try_within;
        let mut next = self.find(within).await?;
        self.shared.is_ours.send_replace(true);
        loop {
            let end = self.primary.next_seq().await?;
            self.reached(next, end).await;
            if next >= end {
                if self.shared.until.borrow().is_some() {
                    return Ok(());
                }
                self.wait().await;
                continue;
            }
            let page = self.primary.read(next, self.options.batch).await?;
            if page.records.is_empty() {
                let source = format!("record {next} cannot be read any more").into();
                return Err(StoreError::Io { doing: "reading the journal".to_owned(), source }.into());
            }
            let shipped = self.follower.append(page.records);
            next = timeout(within, shipped).await.unwrap_or_else(|_| Err(late("appending", within)))?;
            self.pause = FIRST_PAUSE;
        }
    }

    /// Asks where it stands. A follower that keeps trying by itself is not waited for in silence.
    async fn find(&mut self, within: Duration) -> Result<Seq, FollowError> {
        let mut found = self.follower.find(self.primary.as_ref());
        if let Ok(found) = timeout(SILENT_FOR, &mut found).await {
            return found;
        }
        let lag_records = self.shared.with(|status| {
            status.state = FollowerState::Unreachable;
            status.because.get_or_insert_with(|| "no answer yet".to_owned());
            status.lag_records()
        });
        if self.said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            self.said_at = Some(Instant::now());
            warn!(
                follower = self.options.name,
                lag_records, "the follower does not answer; trading goes on, it is caught up with later"
            );
        }
        let rest = within.saturating_sub(SILENT_FOR);
        timeout(rest, found).await.unwrap_or_else(|_| Err(late("asking where it stands", within)))
    }

    /// News gather a little, so that a follower is not asked for each record.
    async fn wait(&mut self) {
        let mut until = self.shared.until.subscribe();
        if until.borrow().is_some() {
            return;
        }
        loop {
            let write_at = self.written_at.map_or_else(Instant::now, |at| at + WRITE_EVERY);
            tokio::select! {
                () = self.shared.news.notified() => break,
                _ = until.changed() => return,
                () = sleep_until(write_at), if self.is_unwritten => self.write_status().await,
            }
        }
        tokio::select! {
            () = sleep(self.options.gather) => {}
            _ = until.changed() => {}
        }
    }

    /// The follower has everything before `next`.
    async fn reached(&mut self, next: Seq, end: Seq) {
        let was = self.shared.with(|status| {
            let was = status.state;
            status.next = next;
            status.journal_next = status.journal_next.max(end);
            status.because = None;
            status.settle();
            was
        });
        self.is_unwritten = true;
        let is_back = matches!(was, FollowerState::Connecting | FollowerState::Unreachable);
        if is_back && (was == FollowerState::Unreachable || next < end) {
            let records = end.0.saturating_sub(next.0);
            info!(follower = self.options.name, records, "the follower is there; what it lacks is shipped");
            self.said_at = None;
        }
        if is_back || self.written_at.is_none_or(|at| at.elapsed() >= WRITE_EVERY) {
            self.write_status().await;
        }
    }

    async fn failed(&mut self, failure: &StoreError) {
        let status = self.shared.with(|status| {
            status.state = FollowerState::Unreachable;
            status.because = Some(failure.to_string());
            status.clone()
        });
        // Once, and then from time to time: an outage of an hour is not a thousand lines.
        if self.said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            self.said_at = Some(Instant::now());
            warn!(
                follower = self.options.name,
                lag_records = status.lag_records(),
                lag_s = status.lag().as_secs(),
                because = %failure,
                "the follower takes nothing; trading goes on, it is caught up with later"
            );
        }
        self.write_status().await;
    }

    async fn diverged(&mut self, because: String) {
        error!(
            follower = self.options.name,
            because,
            "the follower holds something else than the journal; nothing is shipped to it any more, trading goes on"
        );
        self.shared.with(|status| {
            status.state = FollowerState::Diverged;
            status.because = Some(because);
        });
        // Whoever wakes up from this looks at the state.
        self.shared.is_ours.send_replace(false);
    }

    async fn write_status(&mut self) {
        self.written_at = Some(Instant::now());
        self.is_unwritten = false;
        let Some(dir) = self.state_dir.clone() else { return };
        let status = self.shared.with(|status| status.clone());
        let written = tokio::task::spawn_blocking(move || status::write(&dir, &status)).await;
        if let Ok(Err(error)) = written {
            warn!(follower = self.options.name, %error, "how far the follower is cannot be written down");
        }
    }
}

fn late(doing: &str, within: Duration) -> FollowError {
    let source = format!("no answer within {} s", within.as_secs()).into();
    FollowError::Failed(StoreError::Io { doing: doing.to_owned(), source })
}

/// Resolves at the instant at which shipping must end; never while nobody has asked for the end.
pub(super) async fn ended(until: &mut watch::Receiver<Option<Instant>>) {
    if let Ok(Some(at)) = until.wait_for(Option::is_some).await.map(|at| *at) {
        sleep_until(at).await;
    }
}

/// Batches that suit most stores.
pub(super) const BATCH: NonZeroU32 = match NonZeroU32::new(400) {
    Some(batch) => batch,
    None => NonZeroU32::MIN,
};
