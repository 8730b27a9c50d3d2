//! What the day has cost so far, and the pause after the service said that it is enough.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::config::FirestoreRetry;

/// Midnight Pacific time, taken as UTC−8 all year: the count of the day is for people, an hour's error in summer is none.
const PACIFIC_OFFSET_S: u64 = 8 * 3_600;

/// What this process has done since about midnight Pacific time, and how it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Documents written.
    pub writes_today: u64,
    /// Documents read.
    pub reads_today: u64,
    /// How long nothing is sent, because the quota is exhausted.
    pub paused_for: Option<Duration>,
    /// What the last failed call met, until a call succeeds.
    pub last_error: Option<String>,
}

/// Counts and pauses.
#[derive(Debug)]
pub(super) struct Quota {
    pause: Duration,
    cap: Duration,
    gate: Mutex<Gate>,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Gate {
    paused_until: Option<Instant>,
    strikes: u32,
    last_error: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    day: u64,
    writes: u64,
    reads: u64,
}

impl Quota {
    pub(super) fn new(retry: &FirestoreRetry) -> Self {
        Self::counting_with(Arc::default(), retry)
    }

    /// One with pauses of its own that counts into the same day.
    pub(super) fn beside(&self, retry: &FirestoreRetry) -> Self {
        Self::counting_with(Arc::clone(&self.counts), retry)
    }

    fn counting_with(counts: Arc<Mutex<Counts>>, retry: &FirestoreRetry) -> Self {
        Self { pause: retry.quota_pause, cap: retry.quota_pause_cap, gate: Mutex::default(), counts }
    }

    /// How long to wait before anything may be sent.
    pub(super) fn pause_left(&self) -> Option<Duration> {
        let until = lock(&self.gate).paused_until?;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// The service has said that the quota is exhausted, also after waiting. Gives the pause.
    pub(super) fn exhausted(&self) -> Duration {
        let mut gate = lock(&self.gate);
        let pause = self.pause.saturating_mul(1_u32 << gate.strikes.min(16)).min(self.cap);
        gate.strikes = gate.strikes.saturating_add(1);
        gate.paused_until = Some(Instant::now() + pause);
        pause
    }

    /// A call succeeded.
    pub(super) fn succeeded(&self, writes: u64, reads: u64) {
        {
            let mut counts = self.today();
            counts.writes += writes;
            counts.reads += reads;
        }
        *lock(&self.gate) = Gate::default();
    }

    /// A call failed.
    pub(super) fn failed(&self, error: String) {
        lock(&self.gate).last_error = Some(error);
    }

    pub(super) fn usage(&self) -> Usage {
        let (writes_today, reads_today) = {
            let counts = self.today();
            (counts.writes, counts.reads)
        };
        let paused_for = self.pause_left();
        Usage { writes_today, reads_today, paused_for, last_error: lock(&self.gate).last_error.clone() }
    }

    fn today(&self) -> MutexGuard<'_, Counts> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let day = now_s.saturating_sub(PACIFIC_OFFSET_S) / 86_400;
        let mut counts = lock(&self.counts);
        if counts.day != day {
            *counts = Counts { day, writes: 0, reads: 0 };
        }
        counts
    }
}

/// Counters and instants: a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a day of writing costs, in documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteBudget {
    /// How many views are written.
    pub views: u64,
    /// Shortest distance of two writes of one view.
    pub view_interval: Duration,
    /// Distance of the points of the NAV series.
    pub nav_interval: Duration,
    /// Writes a day that cost nothing.
    pub free_per_day: u64,
}

impl WriteBudget {
    /// The most that views can write in a day.
    pub fn views_per_day(&self) -> u64 {
        self.views.saturating_mul(per_day(self.view_interval))
    }
    /// Points of the NAV series in a day; each is one more write.
    pub fn nav_points_per_day(&self) -> u64 {
        per_day(self.nav_interval)
    }
    /// What is left for journal records. Each record is a document, and each commit of up to 399 records one more.
    pub fn left_for_journal(&self) -> u64 {
        self.free_per_day.saturating_sub(self.views_per_day()).saturating_sub(self.nav_points_per_day())
    }
}

fn per_day(every: Duration) -> u64 {
    86_400_000 / u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// One line for the start of a log.
impl std::fmt::Display for WriteBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Firestore writes a day: {} views every {} s at most {}, NAV points {}; of {} free ones {} are left for journal \
             records (one write each, and one for each commit)",
            self.views,
            self.view_interval.as_secs_f32(),
            self.views_per_day(),
            self.nav_points_per_day(),
            self.free_per_day,
            self.left_for_journal()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_says_what_is_left_for_the_journal() {
        let budget = WriteBudget {
            views: 8,
            view_interval: Duration::from_secs(60),
            nav_interval: Duration::from_secs(300),
            free_per_day: 20_000,
        };
        assert_eq!(budget.views_per_day(), 11_520);
        assert_eq!(
            budget.to_string(),
            "Firestore writes a day: 8 views every 60 s at most 11520, NAV points 288; of 20000 free ones 8192 are left for \
             journal records (one write each, and one for each commit)"
        );
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_a_success_ends_them() {
        let retry = FirestoreRetry {
            quota_pause: Duration::from_secs(60),
            quota_pause_cap: Duration::from_secs(150),
            ..FirestoreRetry::default()
        };
        let quota = Quota::new(&retry);
        assert_eq!(quota.pause_left(), None);
        let pauses: Vec<u64> = (0..4).map(|_| quota.exhausted().as_secs()).collect();
        assert_eq!(pauses, [60, 120, 150, 150]);
        assert!(quota.pause_left().is_some());
        quota.succeeded(3, 2);
        assert_eq!(
            quota.usage(),
            Usage { writes_today: 3, reads_today: 2, paused_for: None, last_error: None }
        );
        assert_eq!(quota.exhausted().as_secs(), 60);
    }
}
