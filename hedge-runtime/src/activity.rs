//! Knows whether anything is going on: the counter that lets a simulated venue move in lockstep with the engine.
//!
//! Every count is taken *before* the thing it counts becomes visible and given back only *after* its successors were
//! counted. So "nothing counted" really means: no fact queued, no effect undelivered, no request in flight.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use hedge_core::Timestamp;
use tokio::sync::Notify;

/// What is queued, in flight or due. Shared by the loop, its feeds and workers, and a lockstep driver.
///
/// A driver may [`hold`](Self::hold) timers and market facts back, so that everything which the account stream says
/// about a step is known before the step's prices are; the loop holds them back itself after each step with effects.
#[derive(Debug)]
pub struct Activity {
    stepped: bool,
    prompt: AtomicUsize,
    market: AtomicUsize,
    in_flight: AtomicUsize,
    deadline_ns: AtomicI64,
    generation: AtomicU64,
    effects: AtomicU64,
    held: AtomicBool,
    changed: Notify,
    released: Notify,
}

/// What a [`Token`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A queued operator command, effect result or account fact.
    Prompt,
    /// A queued market fact.
    Market,
    /// An effect or another errand on its way.
    Effect,
}

/// One counted thing; dropping it ends the count.
#[derive(Debug)]
pub(crate) struct Token {
    activity: Arc<Activity>,
    kind: Kind,
}

impl Activity {
    /// For real venues: nothing is ever held back.
    pub fn free() -> Arc<Self> {
        Arc::new(Self::new(false))
    }
    /// For lockstep: a driver releases timers and market facts.
    pub fn stepped() -> Arc<Self> {
        Arc::new(Self::new(true))
    }
    fn new(stepped: bool) -> Self {
        Self {
            stepped,
            prompt: AtomicUsize::new(0),
            market: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            deadline_ns: AtomicI64::new(i64::MAX),
            generation: AtomicU64::new(0),
            effects: AtomicU64::new(0),
            held: AtomicBool::new(false),
            changed: Notify::new(),
            released: Notify::new(),
        }
    }

    /// Whether nothing is queued, in flight or due at `now`. What is held back does not count.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        let held = self.is_held();
        self.in_flight.load(SeqCst) == 0
            && self.prompt.load(SeqCst) == 0
            && (held || (self.market.load(SeqCst) == 0 && self.deadline() > now))
    }
    /// Whether a timer that is due at `now` or a market fact waits for [`release`](Self::release).
    pub fn holds_work(&self, now: Timestamp) -> bool {
        self.is_held() && (self.market.load(SeqCst) > 0 || self.deadline() <= now)
    }
    /// Resolves once [`is_idle`](Self::is_idle). Cancel-safe.
    pub async fn idle(&self, now: impl Fn() -> Timestamp) {
        loop {
            let changed = self.changed.notified();
            if self.is_idle(now()) {
                return;
            }
            changed.await;
        }
    }
    /// Grows with everything that is ever counted: equal before and after means that nothing happened in between.
    pub fn generation(&self) -> u64 {
        self.generation.load(SeqCst)
    }
    /// How many effects were ever started.
    pub fn effects_started(&self) -> u64 {
        self.effects.load(SeqCst)
    }
    /// When the loop's next timer is due.
    pub fn deadline(&self) -> Timestamp {
        Timestamp::from_ns(self.deadline_ns.load(SeqCst))
    }
    /// Holds timers and market facts back. Does nothing outside lockstep.
    pub fn hold(&self) {
        if self.stepped {
            self.held.store(true, SeqCst);
            self.changed.notify_waiters();
        }
    }
    /// Lets timers and market facts through again.
    pub fn release(&self) {
        self.held.store(false, SeqCst);
        self.released.notify_waiters();
        self.changed.notify_waiters();
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(SeqCst)
    }
    /// Resolves once nothing is held back.
    pub(crate) async fn released(&self) {
        loop {
            let released = self.released.notified();
            if !self.is_held() {
                return;
            }
            released.await;
        }
    }
    pub(crate) fn count(self: &Arc<Self>, kind: Kind) -> Token {
        self.generation.fetch_add(1, SeqCst);
        if kind == Kind::Effect {
            self.effects.fetch_add(1, SeqCst);
        }
        self.counter(kind).fetch_add(1, SeqCst);
        Token { activity: Arc::clone(self), kind }
    }
    pub(crate) fn set_deadline(&self, deadline: Timestamp) {
        if self.deadline_ns.swap(deadline.ns(), SeqCst) != deadline.ns() {
            self.changed.notify_waiters();
        }
    }
    /// Whether effects are on their way, or facts other than market facts are queued.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.load(SeqCst) > 0 || self.prompt.load(SeqCst) > 0
    }
    /// Resolves once nothing [`is_busy`](Self::is_busy). Cancel-safe.
    pub(crate) async fn calm(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.is_busy() {
                return;
            }
            changed.await;
        }
    }
    /// Resolves once no effect is on its way. Cancel-safe.
    pub(crate) async fn landed(&self) {
        loop {
            let changed = self.changed.notified();
            if self.in_flight.load(SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }
    fn counter(&self, kind: Kind) -> &AtomicUsize {
        match kind {
            Kind::Prompt => &self.prompt,
            Kind::Market => &self.market,
            Kind::Effect => &self.in_flight,
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.activity.counter(self.kind).fetch_sub(1, SeqCst);
        self.activity.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000);

    #[test]
    fn a_queued_fact_and_a_running_effect_each_keep_it_busy() {
        let activity = Activity::free();
        assert!(activity.is_idle(NOW));
        let fact = activity.count(Kind::Market);
        let effect = activity.count(Kind::Effect);
        drop(fact);
        assert!(!activity.is_idle(NOW), "the effect is still on its way");
        drop(effect);
        assert!(activity.is_idle(NOW));
        assert_eq!(activity.generation(), 2);
    }

    #[test]
    fn a_due_timer_is_not_idle() {
        let activity = Activity::free();
        activity.set_deadline(NOW);
        assert!(!activity.is_idle(NOW));
        assert!(activity.is_idle(Timestamp::from_ms(999)));
    }

    #[test]
    fn what_is_held_back_waits_without_keeping_it_busy() {
        let activity = Activity::stepped();
        activity.hold();
        let _bar = activity.count(Kind::Market);
        assert!(activity.is_idle(NOW) && activity.holds_work(NOW));
        activity.release();
        assert!(!activity.is_idle(NOW) && !activity.holds_work(NOW));
    }

    #[test]
    fn outside_lockstep_nothing_is_held_back() {
        let activity = Activity::free();
        activity.hold();
        assert!(!activity.is_held());
    }

    #[tokio::test]
    async fn waiting_for_idle_ends_when_the_last_count_is_given_back() {
        let activity = Activity::free();
        let token = activity.count(Kind::Prompt);
        let waiter = tokio::spawn({
            let activity = Arc::clone(&activity);
            async move { activity.idle(|| NOW).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(token);
        waiter.await.unwrap();
    }
}
