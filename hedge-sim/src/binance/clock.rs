//! The one venue clock: wall time at the start, then `speed` times as fast, or set by an in-process driver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use hedge_core::{Clock, Timestamp};
use tokio::sync::watch;

/// How the venue clock moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Venue milliseconds per wall millisecond.
    Speed(f64),
    /// Only the in-process driver moves the clock ("speed max"); it stands still in between.
    Lockstep,
}

/// What the clock is doing; published on every change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockState {
    /// Venue time at the change, milliseconds since 1970.
    pub now_ms: i64,
    /// How the clock moves from there.
    pub pace: Pace,
    /// Whether it stands still by request.
    pub paused: bool,
}

/// Shared handle on the venue clock.
#[derive(Debug, Clone)]
pub struct VenueClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<Anchor>,
    changes: watch::Sender<ClockState>,
}

#[derive(Debug)]
struct Anchor {
    venue_ms: i64,
    wall: Instant,
    pace: Pace,
    paused: bool,
}

impl Anchor {
    fn now_ms(&self, wall: Instant) -> i64 {
        match self.pace {
            Pace::Speed(speed) if !self.paused => {
                self.venue_ms
                    + (wall.saturating_duration_since(self.wall).as_secs_f64() * 1000.0 * speed) as i64
            }
            Pace::Speed(_) | Pace::Lockstep => self.venue_ms,
        }
    }

    fn re_anchor(&mut self) {
        let wall = Instant::now();
        self.venue_ms = self.now_ms(wall);
        self.wall = wall;
    }

    fn view(&self) -> ClockState {
        ClockState { now_ms: self.now_ms(Instant::now()), pace: self.pace, paused: self.paused }
    }
}

impl VenueClock {
    /// A clock that shows `start_ms` now.
    pub(crate) fn new(start_ms: i64, pace: Pace) -> Self {
        let anchor = Anchor { venue_ms: start_ms, wall: Instant::now(), pace, paused: false };
        let (changes, _) = watch::channel(anchor.view());
        Self(Arc::new(Shared { state: Mutex::new(anchor), changes }))
    }

    /// Venue time, milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.lock().now_ms(Instant::now())
    }

    /// The clock's state now.
    pub fn state(&self) -> ClockState {
        self.lock().view()
    }

    /// Tells of every change of pace or pause and, in lockstep, of every jump.
    pub fn subscribe(&self) -> watch::Receiver<ClockState> {
        self.0.changes.subscribe()
    }

    /// Milliseconds for rate windows. A paused clock would never open a new window, so while paused they follow wall
    /// time from the moment of the pause.
    pub(crate) fn window_ms(&self) -> i64 {
        let anchor = self.lock();
        match (anchor.paused, anchor.pace) {
            (true, Pace::Speed(_)) => anchor.venue_ms + anchor.wall.elapsed().as_millis() as i64,
            _ => anchor.now_ms(Instant::now()),
        }
    }

    /// Whether a request stamped with wall time may be accepted: the clock is not simply the wall clock.
    pub(crate) fn accepts_wall_time(&self) -> bool {
        let anchor = self.lock();
        let differs = (anchor.now_ms(Instant::now()) - wall_ms()).abs() > 1_000;
        anchor.paused || differs || anchor.pace != Pace::Speed(1.0)
    }

    /// Changes the speed; the shown time does not jump. Refused in lockstep and for values outside 0.001..=100000.
    pub(crate) fn set_speed(&self, speed: f64) -> Result<(), String> {
        if !(0.001..=100_000.0).contains(&speed) {
            return Err(format!("speed {speed} is outside 0.001..=100000"));
        }
        self.change(|anchor| anchor.pace = Pace::Speed(speed))
    }

    /// Stops or continues the clock. Refused in lockstep.
    pub(crate) fn set_paused(&self, paused: bool) -> Result<(), String> {
        self.change(|anchor| anchor.paused = paused)
    }

    fn change(&self, edit: impl FnOnce(&mut Anchor)) -> Result<(), String> {
        let mut anchor = self.lock();
        if anchor.pace == Pace::Lockstep {
            return Err("the clock is driven in lockstep; only the in-process driver moves it".to_owned());
        }
        anchor.re_anchor();
        edit(&mut anchor);
        self.0.changes.send_replace(anchor.view());
        Ok(())
    }

    /// Lockstep: moves the clock forward to `at_ms`. Never backwards.
    pub(crate) fn jump(&self, at_ms: i64) {
        let mut anchor = self.lock();
        if anchor.pace == Pace::Lockstep && at_ms > anchor.venue_ms {
            anchor.venue_ms = at_ms;
            self.0.changes.send_replace(anchor.view());
        }
    }

    /// How long the wall must wait for `at_ms`; `None` while the clock stands still.
    fn wall_until(&self, at_ms: i64) -> Option<Duration> {
        let anchor = self.lock();
        let Pace::Speed(speed) = anchor.pace else { return None };
        if anchor.paused {
            return None;
        }
        let left_ms = (at_ms - anchor.now_ms(Instant::now())).max(0);
        // The clock shows whole milliseconds: one more, so that it is not a moment too early.
        Duration::try_from_secs_f64((left_ms as f64 / 1000.0 / speed) + 0.001).ok()
    }

    fn lock(&self) -> MutexGuard<'_, Anchor> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for VenueClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.now_ms())
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let mut changes = self.subscribe();
        // A deadline between two milliseconds is reached with the later one.
        let at_ms = deadline.ms() + i64::from(deadline.ns().rem_euclid(1_000_000) > 0);
        while self.now_ms() < at_ms {
            let wait = self.wall_until(at_ms).unwrap_or(Duration::from_secs(3_600));
            // Both ways of waking lead to another look at the clock.
            let _ = tokio::time::timeout(wait, changes.changed()).await;
        }
    }
}

/// Wall time, milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_stands_still() {
        let clock = VenueClock::new(1_000, Pace::Speed(100_000.0));
        clock.set_paused(true).unwrap();
        let at = clock.now_ms();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(clock.now_ms(), at);
        assert!(clock.accepts_wall_time());
        assert_eq!(clock.wall_until(at + 5), None);
    }

    #[test]
    fn a_change_of_speed_does_not_jump() {
        let clock = VenueClock::new(5_000, Pace::Speed(0.001));
        clock.set_speed(0.002).unwrap();
        assert!((5_000..5_010).contains(&clock.now_ms()));
        assert!(clock.set_speed(0.0).is_err());
        assert!(clock.set_speed(f64::NAN).is_err());
    }

    #[tokio::test]
    async fn sleepers_wake_when_the_venue_clock_gets_there() {
        let fast = VenueClock::new(0, Pace::Speed(100_000.0));
        fast.sleep_until(Timestamp::from_ms(60_000)).await;
        assert!(fast.now_ms() >= 60_000);
        let driven = VenueClock::new(0, Pace::Lockstep);
        let sleeper = driven.clone();
        let asleep = tokio::spawn(async move { sleeper.sleep_until(Timestamp::from_ms(500)).await });
        driven.jump(400);
        tokio::task::yield_now().await;
        assert!(!asleep.is_finished());
        driven.jump(500);
        asleep.await.unwrap();
    }

    #[test]
    fn lockstep_moves_only_forward_and_only_by_the_driver() {
        let clock = VenueClock::new(10, Pace::Lockstep);
        let changes = clock.subscribe();
        clock.jump(50);
        clock.jump(20);
        assert_eq!(clock.now_ms(), 50);
        assert!(changes.has_changed().unwrap());
        assert!(clock.set_paused(true).is_err());
    }
}
