//! When a reading of the account is due, and how much it is worth.

use std::time::Duration;

use hedge_core::BrokerError;
use tokio::time::Instant;

/// Pauses after failures: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// A growing pause, up to two seconds.
pub(super) fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LAST_PAUSE)
}

/// The trouble without what differs each time, so that it is told once.
pub(super) fn kind(error: &BrokerError) -> String {
    match error {
        BrokerError::RateLimited { .. } => "rate limited".to_owned(),
        other => other.to_string(),
    }
}

/// One repeated reading.
#[derive(Debug)]
pub(super) struct Reader {
    what: &'static str,
    asking: bool,
    next_at: Instant,
    pub(super) last_asked: Option<Instant>,
    /// When the last good answer was asked for: it shows nothing that happened later.
    pub(super) asked_at: Option<Instant>,
    /// When it came.
    pub(super) answered_at: Option<Instant>,
    pub(super) failures: u32,
    pub(super) has_ever_failed: bool,
    pub(super) trouble: Option<String>,
}

impl Reader {
    pub(super) const fn new(what: &'static str, now: Instant) -> Self {
        Self {
            what,
            asking: false,
            next_at: now,
            last_asked: None,
            asked_at: None,
            answered_at: None,
            failures: 0,
            has_ever_failed: false,
            trouble: None,
        }
    }

    /// Whether to ask now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.asking && now >= self.next_at
    }

    /// When it is due, unless it is being asked.
    pub(super) fn due_at(&self) -> Option<Instant> {
        (!self.asking).then_some(self.next_at)
    }

    pub(super) fn begin(&mut self, now: Instant) {
        self.asking = true;
        self.last_asked = Some(now);
    }

    /// Asks again then; a pause after a failure stays.
    pub(super) fn want(&mut self, at: Instant) {
        if self.failures == 0 && at < self.next_at {
            self.next_at = at;
        }
    }

    pub(super) fn answered(&mut self, asked_at: Instant, now: Instant, next_at: Instant) -> Option<String> {
        self.asking = false;
        self.asked_at = Some(asked_at);
        self.answered_at = Some(now);
        self.next_at = next_at;
        self.failures = 0;
        self.trouble.take().map(|_| format!("{} can be read again", self.what))
    }

    /// The line to print, when the trouble is new.
    pub(super) fn failed(&mut self, error: &BrokerError, now: Instant) -> Option<String> {
        self.asking = false;
        self.failures += 1;
        self.has_ever_failed = true;
        self.next_at = now + error.retry_after().unwrap_or_default().max(pause(self.failures));
        let text = kind(error);
        let is_new = self.trouble.as_ref() != Some(&text);
        self.trouble = Some(text);
        is_new.then(|| format!("{} could not be read ({error}); asking again", self.what))
    }

    /// Whether a good answer was asked for at or after that moment.
    pub(super) fn is_of(&self, moment: Instant) -> bool {
        self.asked_at.is_some_and(|at| at >= moment)
    }
}
