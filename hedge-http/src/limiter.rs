//! Request budgets in calendar windows, shared by priority.
//!
//! The limiter answers at once, with a permit or with the time to wait; it never sleeps and holds no lock while anybody
//! waits. What to do with a wait (come back, or tell the engine) is the caller's decision.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// However long a server asks for.
const LONGEST_FREEZE: Duration = Duration::from_secs(600);

/// Name of a budget, e.g. `weight-1m`.
pub type PoolName = &'static str;

/// Who is asking. The lower the priority, the earlier it is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Looking at things: may use half of a budget.
    Read,
    /// Opening a position: may use 70 %.
    Open,
    /// Closes, stops and cancels: may use all of it.
    Protect,
    /// A panic close: our own count never keeps it waiting, only what the venue itself has said does (a 429, a ban). Other
    /// processes behind the same address may have used the budget up, and a wrong count must not cost a position.
    Urgent,
}

impl Priority {
    /// Share of a budget that this priority may use, in percent.
    pub const fn share_percent(self) -> u64 {
        match self {
            Self::Read => 50,
            Self::Open => 70,
            Self::Protect | Self::Urgent => 100,
        }
    }
}

/// A budget: so many units in each calendar window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSpec {
    name: PoolName,
    window_ms: i64,
    limit: u32,
}

impl PoolSpec {
    /// `limit` units per window of `window_ms`; a window begins whenever the server clock is a multiple of it.
    pub const fn new(name: PoolName, window_ms: i64, limit: u32) -> Self {
        Self { name, window_ms: if window_ms < 1 { 1 } else { window_ms }, limit }
    }
}

/// The answer to [`Limiter::acquire`].
#[derive(Debug)]
#[must_use]
pub enum Acquire {
    /// Go ahead; the cost is booked.
    Granted(Permit),
    /// Not now: ask again after this time.
    Wait(Duration),
    /// The request costs more than its share of a whole window; waiting does not help.
    Never {
        /// The budget that is too small.
        pool: PoolName,
    },
}

/// Proof that the cost of one request is booked. Give it back with [`Limiter::refund`] if the request never left.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    at_ms: i64,
    costs: Vec<(PoolName, u32)>,
}

#[derive(Debug)]
struct Pool {
    spec: PoolSpec,
    window: i64,
    used: u64,
    frozen_until_ms: i64,
}

impl Pool {
    const fn window_of(&self, at_ms: i64) -> i64 {
        at_ms.div_euclid(self.spec.window_ms)
    }

    fn roll(&mut self, now_ms: i64) {
        let window = self.window_of(now_ms);
        if window != self.window {
            self.window = window;
            self.used = 0;
        }
    }

    const fn share(&self, priority: Priority) -> u64 {
        self.spec.limit as u64 * priority.share_percent() / 100
    }

    const fn window_end_ms(&self) -> i64 {
        (self.window + 1) * self.spec.window_ms
    }

    /// Time until this cost fits, zero when it fits now.
    fn wait_ms(&self, now_ms: i64, priority: Priority, cost: u32) -> i64 {
        let thaw_ms = (self.frozen_until_ms - now_ms).max(0);
        if priority == Priority::Urgent || self.used + u64::from(cost) <= self.share(priority) {
            return thaw_ms;
        }
        thaw_ms.max(self.window_end_ms() - now_ms)
    }
}

#[derive(Debug)]
struct State {
    pools: Vec<Pool>,
    frozen_until_ms: i64,
}

impl State {
    fn pool(&mut self, name: PoolName) -> Option<&mut Pool> {
        self.pools.iter_mut().find(|pool| pool.spec.name == name)
    }
}

/// All budgets of one venue account and address. Times are milliseconds of the **server's** clock, as well as it is known.
#[derive(Debug)]
pub struct Limiter {
    state: Mutex<State>,
}

impl Limiter {
    /// Starts with unused budgets.
    pub fn new(pools: Vec<PoolSpec>) -> Self {
        let pools = pools
            .into_iter()
            .map(|spec| Pool { spec, window: i64::MIN, used: 0, frozen_until_ms: 0 })
            .collect();
        Self { state: Mutex::new(State { pools, frozen_until_ms: 0 }) }
    }

    // A panic while holding the lock can leave at most one count too high or low; the next header corrects it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Books the cost of one request in all its budgets, or in none of them.
    pub fn acquire(&self, now_ms: i64, priority: Priority, costs: &[(PoolName, u32)]) -> Acquire {
        let mut state = self.state();
        let mut wait_ms = (state.frozen_until_ms - now_ms).max(0);
        // What costs nothing in a budget does not wait for it.
        for (name, cost) in costs.iter().filter(|(_, cost)| *cost > 0) {
            let Some(pool) = state.pool(name) else { continue };
            pool.roll(now_ms);
            if priority != Priority::Urgent && u64::from(*cost) > pool.share(priority) {
                return Acquire::Never { pool: name };
            }
            wait_ms = wait_ms.max(pool.wait_ms(now_ms, priority, *cost));
        }
        if wait_ms > 0 {
            return Acquire::Wait(Duration::from_millis(wait_ms.unsigned_abs()));
        }
        for (name, cost) in costs {
            if let Some(pool) = state.pool(name) {
                pool.used += u64::from(*cost);
            }
        }
        Acquire::Granted(Permit { at_ms: now_ms, costs: costs.to_vec() })
    }

    /// Returns the cost of a request that never left this machine.
    pub fn refund(&self, permit: Permit) {
        let mut state = self.state();
        for (name, cost) in permit.costs {
            let Some(pool) = state.pool(name) else { continue };
            if pool.window_of(permit.at_ms) == pool.window {
                pool.used = pool.used.saturating_sub(u64::from(cost));
            }
        }
    }

    /// Takes over the server's own count, as its response header told. `sent_at_ms` is when the request left.
    ///
    /// The larger of both counts stays: the server has not yet counted what is on its way, and we do not know what
    /// other processes behind the same address use.
    pub fn observe_used(&self, sent_at_ms: i64, name: PoolName, used: u32) {
        let mut state = self.state();
        let Some(pool) = state.pool(name) else { return };
        if pool.window_of(sent_at_ms) == pool.window {
            pool.used = pool.used.max(u64::from(used));
        }
    }

    /// Takes over a limit the server told (it differs between environments).
    pub fn set_limit(&self, name: PoolName, limit: u32) {
        if let Some(pool) = self.state().pool(name) {
            pool.spec.limit = limit;
        }
    }

    /// Lets nothing through until then: the address is banned.
    pub fn freeze_all_until(&self, until_ms: i64) {
        let mut state = self.state();
        state.frozen_until_ms = state.frozen_until_ms.max(until_ms);
    }

    /// Until when nothing is let through, where the address is banned.
    pub fn banned_until_ms(&self, now_ms: i64) -> Option<i64> {
        Some(self.state().frozen_until_ms).filter(|until_ms| *until_ms > now_ms)
    }

    /// Lets nothing of one budget through for `retry_after`, or until its window ends when the server named no time. At most
    /// ten minutes: a damaged answer must not silence closes, and a server that means it says so again.
    ///
    /// Returns how long that is.
    pub fn freeze_pool(&self, now_ms: i64, name: PoolName, retry_after: Option<Duration>) -> Duration {
        let mut state = self.state();
        let Some(pool) = state.pool(name) else { return retry_after.unwrap_or_default() };
        pool.roll(now_ms);
        let until_ms = match retry_after {
            Some(wait) => {
                let wait = wait.min(LONGEST_FREEZE);
                now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
            }
            None => pool.window_end_ms(),
        };
        pool.frozen_until_ms = pool.frozen_until_ms.max(until_ms);
        Duration::from_millis((pool.frozen_until_ms - now_ms).max(0).unsigned_abs())
    }

    /// Units used in the current window, for metrics.
    pub fn used(&self, now_ms: i64, name: PoolName) -> Option<u64> {
        let mut state = self.state();
        let pool = state.pool(name)?;
        pool.roll(now_ms);
        Some(pool.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_795_168_800_000;
    const WEIGHT: PoolName = "weight-1m";

    fn limiter() -> Limiter {
        Limiter::new(vec![PoolSpec::new(WEIGHT, 60_000, 100), PoolSpec::new("orders-10s", 10_000, 10)])
    }

    fn granted(limiter: &Limiter, now_ms: i64, priority: Priority, cost: u32) -> bool {
        matches!(limiter.acquire(now_ms, priority, &[(WEIGHT, cost)]), Acquire::Granted(_))
    }

    #[test]
    fn reads_stop_at_half_openings_at_seventy_and_closes_at_all() {
        let limiter = limiter();
        assert!(granted(&limiter, T, Priority::Read, 50));
        assert!(!granted(&limiter, T, Priority::Read, 1));
        assert!(granted(&limiter, T, Priority::Open, 20));
        assert!(!granted(&limiter, T, Priority::Open, 1));
        assert!(granted(&limiter, T, Priority::Protect, 30));
        assert!(!granted(&limiter, T, Priority::Protect, 1));
    }

    #[test]
    fn a_refused_request_waits_until_the_calendar_minute_ends() {
        let limiter = limiter();
        assert!(granted(&limiter, T + 59_000, Priority::Read, 50));
        let Acquire::Wait(wait) = limiter.acquire(T + 59_400, Priority::Read, &[(WEIGHT, 1)]) else {
            panic!("expected a wait")
        };
        assert_eq!(wait, Duration::from_millis(600));
        assert!(granted(&limiter, T + 60_000, Priority::Read, 1));
    }

    #[test]
    fn a_request_is_booked_in_all_budgets_or_in_none() {
        let limiter = limiter();
        let order = [(WEIGHT, 1), ("orders-10s", 10)];
        assert!(matches!(limiter.acquire(T, Priority::Protect, &order), Acquire::Granted(_)));
        assert!(matches!(limiter.acquire(T, Priority::Protect, &order), Acquire::Wait(_)));
        assert_eq!(limiter.used(T, WEIGHT), Some(1));
    }

    #[test]
    fn a_cost_above_the_share_is_refused_for_good() {
        let answer = limiter().acquire(T, Priority::Read, &[(WEIGHT, 51)]);
        assert!(matches!(answer, Acquire::Never { pool: WEIGHT }));
    }

    #[test]
    fn the_servers_higher_count_replaces_ours() {
        let limiter = limiter();
        limiter.observe_used(T, WEIGHT, 99);
        assert_eq!(limiter.used(T, WEIGHT), Some(0), "no window is open before the first request");
        assert!(granted(&limiter, T, Priority::Read, 1));
        limiter.observe_used(T, WEIGHT, 49);
        assert!(granted(&limiter, T, Priority::Read, 1));
        assert!(!granted(&limiter, T, Priority::Read, 1));
    }

    #[test]
    fn a_header_of_the_previous_window_is_ignored() {
        let limiter = limiter();
        assert!(granted(&limiter, T + 60_000, Priority::Read, 1));
        limiter.observe_used(T + 59_990, WEIGHT, 100);
        assert!(granted(&limiter, T + 60_100, Priority::Read, 1));
    }

    #[test]
    fn a_ban_stops_closes_too_and_ends_on_time() {
        let limiter = limiter();
        limiter.freeze_all_until(T + 120_000);
        let Acquire::Wait(wait) = limiter.acquire(T, Priority::Protect, &[(WEIGHT, 1)]) else {
            panic!("expected a wait")
        };
        assert_eq!(wait, Duration::from_secs(120));
        assert!(granted(&limiter, T + 120_000, Priority::Protect, 1));
    }

    #[test]
    fn a_frozen_pool_leaves_the_others_alone() {
        let limiter = limiter();
        assert_eq!(limiter.freeze_pool(T + 4_000, "orders-10s", None), Duration::from_secs(6));
        assert!(granted(&limiter, T + 4_000, Priority::Read, 1));
        assert!(matches!(
            limiter.acquire(T + 4_000, Priority::Protect, &[("orders-10s", 1)]),
            Acquire::Wait(wait) if wait == Duration::from_secs(6)
        ));
        let free = limiter.acquire(T + 4_000, Priority::Read, &[("orders-10s", 0)]);
        assert!(matches!(free, Acquire::Granted(_)));
    }

    #[test]
    fn however_long_a_server_asks_for_a_pool_thaws_after_ten_minutes() {
        let limiter = limiter();
        let frozen = limiter.freeze_pool(T, WEIGHT, Some(Duration::MAX));
        assert_eq!(frozen, Duration::from_secs(600));
        assert!(!granted(&limiter, T + 599_999, Priority::Urgent, 1));
        assert!(granted(&limiter, T + 600_000, Priority::Urgent, 1));
    }

    #[test]
    fn what_is_urgent_waits_for_the_venue_and_never_for_our_own_count() {
        let limiter = limiter();
        assert!(granted(&limiter, T, Priority::Protect, 100));
        assert!(granted(&limiter, T, Priority::Urgent, 40));
        assert!(granted(&limiter, T, Priority::Urgent, 101), "also what costs more than a whole window");
        let _ = limiter.freeze_pool(T, WEIGHT, Some(Duration::from_secs(2)));
        assert!(!granted(&limiter, T, Priority::Urgent, 1), "a 429 is the venue's own word");
        assert_eq!(limiter.banned_until_ms(T), None);
        limiter.freeze_all_until(T + 9_000);
        assert_eq!(limiter.banned_until_ms(T), Some(T + 9_000));
        assert_eq!(limiter.banned_until_ms(T + 9_000), None);
    }

    #[test]
    fn a_refund_gives_the_units_back() {
        let limiter = limiter();
        let Acquire::Granted(permit) = limiter.acquire(T, Priority::Read, &[(WEIGHT, 50)]) else {
            panic!("expected a permit")
        };
        limiter.refund(permit);
        assert!(granted(&limiter, T, Priority::Read, 50));
    }
}
