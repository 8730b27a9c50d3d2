//! Looks at the exchange a hundred times a second: which legs are bare, since when. Knows nothing of the executor.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use super::exchange::{Exchange, LegName};

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A stretch of time in which an open leg had no stop over all of it. Units: seconds since the drill began.
#[derive(Clone, Debug)]
pub(super) struct Bare {
    pub(super) leg: LegName,
    pub(super) from_s: f64,
    /// Until it was covered or flat; of one that goes on, until now.
    pub(super) until_s: f64,
    /// How it ended: the leg was covered again, or it was gone.
    pub(super) was_covered: bool,
}

impl Bare {
    pub(super) fn seconds(&self) -> f64 {
        self.until_s - self.from_s
    }
}

#[derive(Debug, Default)]
struct Seen {
    going_on: BTreeMap<LegName, f64>,
    over: Vec<Bare>,
}

/// A look-out. Ends with its value.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    /// Closed when the look-out is to end.
    open: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    began: Instant,
}

impl Watch {
    pub(super) fn start(exchange: Exchange, began: Instant) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let told = Arc::clone(&seen);
        let (open, closed) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            loop {
                let account = exchange.account();
                let at_s = began.elapsed().as_secs_f64();
                note(&mut lock(&told), &account.bare, |leg| account.legs.contains_key(leg), at_s);
                // The exchange tells nobody when a leg becomes bare: it is asked.
                if closed.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { seen, open: Some(open), thread: Some(thread), began }
    }

    /// All stretches that went on at that time or after it.
    pub(super) fn since(&self, from_s: f64) -> Vec<Bare> {
        let now_s = self.began.elapsed().as_secs_f64();
        let seen = lock(&self.seen);
        let going_on = seen.going_on.iter().map(|(leg, from_s)| Bare {
            leg: leg.clone(),
            from_s: *from_s,
            until_s: now_s,
            was_covered: false,
        });
        let mut all: Vec<Bare> = seen.over.iter().cloned().chain(going_on).collect();
        all.retain(|bare| bare.until_s >= from_s);
        all
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.open = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(seen: &mut Seen, bare: &[LegName], is_open: impl Fn(&LegName) -> bool, at_s: f64) {
    for leg in bare {
        seen.going_on.entry(leg.clone()).or_insert(at_s);
    }
    let ended: Vec<LegName> = seen.going_on.keys().filter(|leg| !bare.contains(leg)).cloned().collect();
    for leg in ended {
        if let Some(from_s) = seen.going_on.remove(&leg) {
            let was_covered = is_open(&leg);
            seen.over.push(Bare { leg, from_s, until_s: at_s, was_covered });
        }
    }
}

#[cfg(test)]
mod tests {
    use hedge_sim::venue::PositionSide;

    use super::*;

    #[test]
    fn a_stretch_lasts_from_the_first_bare_look_to_the_first_other_one() {
        let leg = ("BTCUSDT".to_owned(), PositionSide::Long);
        let mut seen = Seen::default();
        note(&mut seen, &[], |_| true, 1.0);
        note(&mut seen, std::slice::from_ref(&leg), |_| true, 2.0);
        note(&mut seen, std::slice::from_ref(&leg), |_| true, 2.5);
        assert!(seen.over.is_empty());
        note(&mut seen, &[], |_| true, 3.0);
        assert_eq!(seen.over.len(), 1);
        assert!((seen.over[0].seconds() - 1.0).abs() < 1e-9 && seen.over[0].was_covered);
        note(&mut seen, std::slice::from_ref(&leg), |_| true, 4.0);
        note(&mut seen, &[], |_| false, 5.0);
        assert!(!seen.over[1].was_covered, "it was closed");
    }
}
