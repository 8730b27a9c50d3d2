//! The machine's clock, and the one that the loop goes by.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use hedge_core::{Clock, Timestamp};
use tokio::time::Instant;
use tracing::warn;

/// A long sleep is cut into pieces, so that a step of the machine's clock is noticed soon.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// The machine's wall clock, UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since)
    }
    async fn sleep_until(&self, deadline: Timestamp) {
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_NAP)).await;
        }
    }
}

/// A clock that runs several times as fast as time passes: for a simulated venue whose clock does the same.
///
/// It starts at an instant of the venue's and goes by the machine's monotonic time, so it never steps back.
#[derive(Debug)]
pub struct Scaled {
    started: Instant,
    from: Mutex<Timestamp>,
    speed: NonZeroU32,
}

impl Scaled {
    /// Starts at the venue's time. Units: `speed` is seconds on this clock per second of real time.
    pub fn start(venue_now: Timestamp, speed: NonZeroU32) -> Self {
        Self { started: Instant::now(), from: Mutex::new(venue_now), speed }
    }
    /// How many times as fast it runs.
    pub const fn speed(&self) -> NonZeroU32 {
        self.speed
    }
    /// Goes on from the venue's time where that is later. An earlier one changes nothing.
    pub fn catch_up(&self, venue_now: Timestamp) {
        let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = venue_now.since(from.plus(self.passed()));
        *from = from.plus(behind);
    }
    /// Since the start, on this clock.
    fn passed(&self) -> Duration {
        self.started.elapsed().saturating_mul(self.speed.get())
    }
}

#[async_trait]
impl Clock for Scaled {
    fn now(&self) -> Timestamp {
        let from = *self.from.lock().unwrap_or_else(PoisonError::into_inner);
        from.plus(self.passed())
    }
    async fn sleep_until(&self, deadline: Timestamp) {
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            // Rounded up: a nap that ends before the deadline would be followed by one of no length.
            let nap = left / self.speed.get() + Duration::from_nanos(1);
            tokio::time::sleep(nap.min(LONGEST_NAP)).await;
        }
    }
}

/// A step back that a person should know of; smaller ones are the noise of time keeping.
const NOTABLE_STEP: Duration = Duration::from_secs(1);

/// A clock that never goes back, whatever the one below it does.
///
/// The engine takes no fact as older than the one before it. If the machine's clock is set back by an hour, engine time
/// would stand still for an hour, and with it each deadline: a leg without a stop, an order without an answer. So a step
/// back is made up for, and time goes on from the newest instant seen.
#[derive(Debug)]
pub(crate) struct Forward {
    below: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What is added to the clock below.
    ahead: Duration,
    newest: Timestamp,
}

impl Forward {
    pub(crate) fn new(below: Arc<dyn Clock>) -> Self {
        Self { below, state: Mutex::new(State { ahead: Duration::ZERO, newest: Timestamp::EPOCH }) }
    }

    /// Time goes on from this instant: the journal's newest fact.
    pub(crate) fn not_before(&self, instant: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.newest = state.newest.max(instant);
    }

    /// Now, and how far that is ahead of the clock below.
    fn read(&self) -> (Timestamp, Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: of two readers the later one must not take the other for the future.
        let below = self.below.now();
        let step_back = state.newest.since(below.plus(state.ahead));
        if step_back >= NOTABLE_STEP {
            warn!(?step_back, "the clock has gone back; time goes on from the newest fact");
        }
        state.ahead += step_back;
        state.newest = below.plus(state.ahead);
        (state.newest, state.ahead)
    }
}

#[async_trait]
impl Clock for Forward {
    fn now(&self) -> Timestamp {
        self.read().0
    }
    async fn sleep_until(&self, deadline: Timestamp) {
        loop {
            let (now, ahead) = self.read();
            if now >= deadline {
                return;
            }
            tokio::select! {
                () = self.below.sleep_until(deadline.minus(ahead)) => {}
                // A step back during the sleep would make it too long.
                () = tokio::time::sleep(LONGEST_NAP) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

    use super::*;

    const NOON_MS: i64 = 1_800_000_000_000;

    /// Follows tokio's time, and can be set.
    #[derive(Debug)]
    struct Settable(Instant, AtomicI64);

    #[async_trait]
    impl Clock for Settable {
        fn now(&self) -> Timestamp {
            Timestamp::from_ms(NOON_MS + self.1.load(SeqCst)).plus(self.0.elapsed())
        }
        async fn sleep_until(&self, deadline: Timestamp) {
            tokio::time::sleep(deadline.since(self.now())).await;
        }
    }

    fn settable() -> (Arc<Settable>, Forward) {
        let below = Arc::new(Settable(Instant::now(), AtomicI64::new(0)));
        (Arc::clone(&below), Forward::new(below))
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_kept_although_the_machines_clock_is_set_back() {
        let (below, clock) = settable();
        let started = Instant::now();
        let deadline = clock.now().plus(Duration::from_secs(3));
        let set_back = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            below.1.store(-3_600_000, SeqCst);
        };
        tokio::join!(clock.sleep_until(deadline), set_back);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let before = clock.now();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(clock.now().since(before), Duration::from_secs(10), "time does not stand still");
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_from_the_newest_fact_of_the_journal() {
        let (_, clock) = settable();
        let newest = Timestamp::from_ms(NOON_MS + 60_000);
        clock.not_before(newest);
        assert_eq!(clock.now(), newest);
        let started = Instant::now();
        clock.sleep_until(newest.plus(Duration::from_secs(3))).await;
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_only_goes_forward_is_followed_as_it_is() {
        let (below, clock) = settable();
        below.1.store(7_200_000, SeqCst);
        assert_eq!(clock.now(), Timestamp::from_ms(NOON_MS + 7_200_000));
    }

    #[tokio::test(start_paused = true)]
    async fn at_sixty_times_the_speed_a_minute_is_over_in_a_second() {
        let noon = Timestamp::from_ms(NOON_MS);
        let clock = Scaled::start(noon, NonZeroU32::new(60).unwrap());
        let started = Instant::now();
        clock.sleep_until(noon.plus(Duration::from_secs(60))).await;
        assert!(clock.now() >= noon.plus(Duration::from_secs(60)));
        assert!(started.elapsed() < Duration::from_millis(1_010), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_catches_up_with_its_venue_and_never_goes_back() {
        let noon = Timestamp::from_ms(NOON_MS);
        let clock = Scaled::start(noon, NonZeroU32::new(10).unwrap());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), noon.plus(Duration::from_secs(10)));
        clock.catch_up(noon);
        assert_eq!(clock.now(), noon.plus(Duration::from_secs(10)));
        clock.catch_up(noon.plus(Duration::from_secs(25)));
        assert_eq!(clock.now(), noon.plus(Duration::from_secs(25)));
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_is_over_at_once() {
        let clock = SystemClock;
        assert!(clock.now() > Timestamp::from_ms(1_700_000_000_000));
        clock.sleep_until(Timestamp::EPOCH).await;
    }
}
