//! Renews a lease beside the loop, on a thread of its own: neither of the two waits for the other.

use std::{io, sync::Arc, thread::JoinHandle, time::Duration};

use hedge_core::Clock;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tracing::{error, info, warn};

use super::{LeaseRefusal, LeaseState, LeaseStore, Taken};
use crate::clock::SystemClock;

/// How long giving a lease back may take at the end of a process.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);
/// How often the last word on an account is stored in vain.
const STORE_ATTEMPTS: u32 = 3;
/// Longest distance of the warnings about a store that does not answer.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How often a lease is looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// From one renewal to the next.
    pub renew_every: Duration,
    /// After one that failed.
    pub retry_every: Duration,
    /// How long the first opening waits under a lease that nobody gave back.
    pub first_opening_after: Duration,
}

#[derive(Debug)]
enum Ask {
    Take(oneshot::Sender<Result<Taken, LeaseRefusal>>),
    TryOn,
    Store(oneshot::Sender<()>),
    Release(oneshot::Sender<()>),
}

/// Holds a lease for as long as it lives. Dropped without [`release`](Self::release), the lease runs out.
#[derive(Debug)]
pub struct Keeper {
    asks: Option<mpsc::UnboundedSender<Ask>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread. Nothing is taken yet. Errors: the operating system gives no thread.
    pub fn start(store: impl LeaseStore, state: Arc<LeaseState>, beat: Beat) -> io::Result<Self> {
        let (asks, queue) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let crash = Crash(Arc::clone(&state));
        let keeping = Keeping { store, state, beat, told_at: None, found: None };
        let thread = std::thread::Builder::new().name("lease".to_owned()).spawn(move || {
            let _crash = crash;
            runtime.block_on(keeping.run(queue));
        })?;
        Ok(Self { asks: Some(asks), thread: Some(thread) })
    }

    /// Takes the lease; from then on it is renewed. Errors: [`LeaseRefusal`].
    pub async fn take(&self) -> Result<Taken, LeaseRefusal> {
        let (reply, answer) = oneshot::channel();
        let gone = || LeaseRefusal::Unreachable { because: "the thread that keeps it has ended".to_owned() };
        self.asks.as_ref().ok_or_else(gone)?.send(Ask::Take(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// From here on, what could not be taken is tried again and again; whoever says so goes on without it until then.
    pub fn try_on(&self) {
        if let Some(asks) = &self.asks {
            // A thread that has ended has said so.
            let _ = asks.send(Ask::TryOn);
        }
    }

    /// Stores how the account is left, within five seconds, where it is not to be given back. The lease runs out then.
    pub async fn store(&self) {
        let (reply, done) = oneshot::channel();
        if self.asks.as_ref().is_some_and(|asks| asks.send(Ask::Store(reply)).is_ok()) {
            // Each renewal has tried, too.
            let _ = timeout(RELEASE_WITHIN, done).await;
        }
    }

    /// Gives the lease back, within five seconds. Nothing may leave any more when this is called.
    pub async fn release(mut self) {
        let (reply, done) = oneshot::channel();
        if let Some(asks) = self.asks.take()
            && asks.send(Ask::Release(reply)).is_ok()
        {
            // It runs out by itself where this fails.
            let _ = timeout(RELEASE_WITHIN, done).await;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The thread ends with its queue; a request of it that hangs is not waited for.
        self.asks = None;
        self.thread = None;
    }
}

/// In the thread of a keeper: nobody would renew after its crash, and nobody ask the store before an exit.
struct Crash(Arc<LeaseState>);

impl Drop for Crash {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!(
                "the thread that keeps the lease has crashed; this is a defect, please report it with the journal"
            );
            self.0.over("the thread that keeps the lease has crashed");
        }
    }
}

struct Keeping<S> {
    store: S,
    state: Arc<LeaseState>,
    beat: Beat,
    told_at: Option<Instant>,
    /// Somebody's lease as it was first found when the store answered at last: whoever lives changes it.
    found: Option<String>,
}

impl<S: LeaseStore> Keeping<S> {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Ask>) {
        // Nothing is renewed, and nothing tried again, before somebody has asked for it.
        let mut next: Option<Instant> = None;
        loop {
            let due = next.unwrap_or_else(Instant::now);
            let state = Arc::clone(&self.state);
            let ask = tokio::select! {
                biased;
                ask = queue.recv() => Some(ask),
                () = state.wanted.notified(), if next.is_some() => None,
                () = sleep_until(due), if next.is_some() => None,
            };
            let ask = match ask {
                Some(ask) => ask,
                // What may be taken already is waited for; a renewal is not, its lease is about to be given back.
                None if state.term().is_none() => {
                    next = self.look_after().await;
                    continue;
                }
                None => tokio::select! {
                    biased;
                    ask = queue.recv() => ask,
                    then = self.look_after() => {
                        next = then;
                        continue;
                    }
                },
            };
            match ask {
                None => return,
                Some(Ask::Take(reply)) => {
                    let taken = self.take().await;
                    next = taken.is_ok().then(|| Instant::now() + self.beat.renew_every);
                    let _ = reply.send(taken);
                }
                Some(Ask::TryOn) => next = next.or_else(|| Some(Instant::now() + self.beat.retry_every)),
                Some(Ask::Store(reply)) => {
                    next = self.store_last_word(next).await;
                    let _ = reply.send(());
                }
                Some(Ask::Release(reply)) => {
                    self.release().await;
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }

    async fn take(&mut self) -> Result<Taken, LeaseRefusal> {
        let taken = self.store.take(SystemClock.now()).await?;
        self.state.taken(&taken, self.beat.first_opening_after);
        Ok(taken)
    }

    /// Renews, or takes what could not be had at the start. When next; never again once it is somebody else's.
    async fn look_after(&mut self) -> Option<Instant> {
        let now = SystemClock.now();
        let asking = self.state.asking();
        let (done, what) = match self.state.term() {
            Some(_) => {
                let stance = self.state.stance();
                let renewed = self.store.renew(now, stance).await;
                (renewed.map(|longer| self.state.renewed(asking, longer)), "renewed")
            }
            None => (self.take().await.map(|taken| info!(term = %taken.term, "the lease is ours")), "taken"),
        };
        match done {
            Ok(()) => {
                if self.told_at.take().is_some() {
                    info!(what, "the lease store answers again");
                }
                Some(Instant::now() + self.beat.renew_every)
            }
            Err(LeaseRefusal::Held { holder, term, version, .. })
                if self.state.term().is_none()
                    && self.found.as_ref().is_none_or(|found| *found == version) =>
            {
                if self.found.replace(version).is_none() {
                    let because = format!(
                        "{holder} (term {term}) has the lease; if nobody renews it, it is waited for"
                    );
                    warn!(because, "the lease is not ours yet: only exits leave");
                    self.state.exits_alone(because);
                }
                Some(Instant::now() + self.beat.retry_every)
            }
            Err(refusal @ (LeaseRefusal::Lost { .. } | LeaseRefusal::Held { .. })) => {
                error!(because = %refusal, "another process leads this account");
                self.state.over(refusal.to_string());
                None
            }
            Err(refusal) => {
                self.state.asked_in_vain(asking);
                if self.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    warn!(because = %refusal, "the lease was not {what}; trying on");
                    self.told_at = Some(Instant::now());
                }
                Some(Instant::now() + self.beat.retry_every)
            }
        }
    }

    /// Only while it is this process's; when next.
    async fn store_last_word(&mut self, mut next: Option<Instant>) -> Option<Instant> {
        for _ in 0..STORE_ATTEMPTS {
            if self.state.term().is_none() {
                break;
            }
            next = self.look_after().await;
            if self.told_at.is_none() {
                break;
            }
            tokio::time::sleep(self.beat.retry_every).await;
        }
        next
    }

    async fn release(&mut self) {
        let held = self.state.term().is_some();
        let is_alone = !self.state.waits_for_first_opening();
        self.state.over("the lease was given back: this process ends");
        if !held {
            return;
        }
        if !is_alone {
            // Whoever finds it given back waits for nothing.
            info!("the lease is not given back: who led before may not know yet; it runs out by itself");
            return;
        }
        match self.store.release(SystemClock.now(), self.state.stance()).await {
            Ok(()) => info!("the lease is given back"),
            Err(refusal) => warn!(because = %refusal, "the lease was not given back; it runs out by itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use async_trait::async_trait;
    use hedge_core::{Posture, Sending, Stance, Term, Timestamp};

    use super::*;
    use crate::lease::{Identity, Validity};

    const PATIENCE: Duration = Duration::from_secs(20);
    const TTL: Duration = Duration::from_secs(3_600);

    /// Answers as it is told, then "yes"; and what it was asked.
    #[derive(Clone, Debug, Default)]
    struct Script(Arc<Mutex<(Answers, Vec<&'static str>)>>, Arc<Mutex<Option<Stance>>>);

    type Answers = VecDeque<Result<Duration, LeaseRefusal>>;

    impl Script {
        fn of(answers: impl IntoIterator<Item = Result<Duration, LeaseRefusal>>) -> Self {
            let script = Self::default();
            script.0.lock().unwrap().0.extend(answers);
            script
        }
        fn asked(&self) -> Vec<&'static str> {
            self.0.lock().unwrap().1.clone()
        }
        fn answer(&self, what: &'static str) -> Result<Validity, LeaseRefusal> {
            let mut script = self.0.lock().unwrap();
            script.1.push(what);
            let left = script.0.pop_front().unwrap_or(Ok(TTL))?;
            Ok(Validity::until(std::time::Instant::now() + left))
        }
    }

    #[async_trait]
    impl LeaseStore for Script {
        async fn take(&mut self, _: Timestamp) -> Result<Taken, LeaseRefusal> {
            Ok(Taken { term: Term(1), validity: self.answer("take")?, is_succession: true, left: None })
        }
        async fn renew(&mut self, _: Timestamp, stance: Option<Stance>) -> Result<Validity, LeaseRefusal> {
            let renewed = self.answer("renew")?;
            *self.1.lock().unwrap() = stance;
            Ok(renewed)
        }
        async fn release(&mut self, _: Timestamp, stance: Option<Stance>) -> Result<(), LeaseRefusal> {
            *self.1.lock().unwrap() = stance;
            self.answer("release").map(|_| ())
        }
    }

    fn unreachable() -> LeaseRefusal {
        LeaseRefusal::Unreachable { because: "down".to_owned() }
    }

    fn kept(script: &Script, renew_every: Duration) -> (Arc<LeaseState>, Keeper) {
        let identity = Identity { kind: "test", holder: "a".to_owned(), boot_id: "b".to_owned() };
        let state = Arc::new(LeaseState::new(identity));
        let retry_every = Duration::from_millis(5);
        let beat = Beat { renew_every, retry_every, first_opening_after: Duration::ZERO };
        let keeper = Keeper::start(script.clone(), Arc::clone(&state), beat).unwrap();
        (state, keeper)
    }

    async fn until(what: &str, reached: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !reached() {
            assert!(Instant::now() < end, "{what} did not come");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn a_lease_is_renewed_and_given_back_at_the_end() {
        let script = Script::default();
        let (state, keeper) = kept(&script, Duration::from_millis(5));
        assert_eq!(keeper.take().await.unwrap().term, Term(1));
        until("three renewals", || script.asked().len() > 3).await;
        assert_eq!(state.admits(Sending::Opening), Ok(()));
        keeper.release().await;
        assert_eq!(script.asked().last(), Some(&"release"));
        assert!(state.admits(Sending::Exit).unwrap_err().contains("given back"));
    }

    fn halted() -> Stance {
        Stance { posture: Posture::Halted, because: "ann: what is this?".into() }
    }

    #[tokio::test]
    async fn how_the_account_is_left_is_stored_at_once_and_given_back_with_the_lease() {
        let script = Script::default();
        let (state, keeper) = kept(&script, TTL);
        keeper.take().await.unwrap();
        state.leave(Stance::NORMAL);
        state.leave(halted());
        until("the news", || *script.1.lock().unwrap() == Some(halted())).await;
        assert_eq!(script.asked(), ["take", "renew"], "as usual is no news");
        state.leave(Stance::NORMAL);
        until("the other news", || *script.1.lock().unwrap() == Some(Stance::NORMAL)).await;
        state.leave(halted());
        keeper.release().await;
        assert_eq!(*script.1.lock().unwrap(), Some(halted()));
        assert_eq!(script.asked().last(), Some(&"release"));
    }

    #[tokio::test]
    async fn a_process_that_may_not_give_its_lease_back_stores_its_last_word_although_the_store_stumbles() {
        let script = Script::of([Ok(TTL), Err(unreachable()), Ok(TTL)]);
        let (state, keeper) = kept(&script, TTL);
        keeper.take().await.unwrap();
        state.leave(halted());
        keeper.store().await;
        assert_eq!(*script.1.lock().unwrap(), Some(halted()));
        assert!(!script.asked().contains(&"release"), "{:?}", script.asked());
    }

    #[tokio::test]
    async fn a_store_that_is_down_stops_openings_at_the_end_and_its_return_lifts_that() {
        let down = std::iter::repeat_with(|| Err(unreachable())).take(200);
        let script = Script::of(std::iter::once(Ok(Duration::from_millis(100))).chain(down));
        let (state, keeper) = kept(&script, Duration::from_millis(5));
        keeper.take().await.unwrap();
        until("the end of the lease", || state.opens().is_err()).await;
        until("an answer in vain", || state.admits(Sending::Exit).is_ok()).await;
        until("the renewal", || state.opens().is_ok()).await;
        assert_eq!(state.term(), Some(Term(1)), "the same term");
    }

    #[tokio::test]
    async fn a_lease_that_somebody_else_has_is_over_and_never_asked_for_again() {
        let lost = LeaseRefusal::Lost { holder: "b".to_owned(), term: Term(2) };
        let script = Script::of([Ok(TTL), Err(lost)]);
        let (state, keeper) = kept(&script, Duration::from_millis(5));
        keeper.take().await.unwrap();
        until("the loss", || state.stands().is_err()).await;
        assert!(state.stands().unwrap_err().contains("b holds it now (term 2)"));
        assert_eq!(script.asked(), ["take", "renew"]);
    }

    #[tokio::test]
    async fn who_slept_asks_at_once_and_not_at_the_next_beat() {
        let script = Script::of([Ok(Duration::ZERO)]);
        let (state, keeper) = kept(&script, TTL);
        keeper.take().await.unwrap();
        assert!(state.admits(Sending::Exit).unwrap_err().contains("asked first"));
        until("the renewal", || state.admits(Sending::Exit).is_ok()).await;
        // Whoever asks twice while the first renewal is made may cause another one.
        assert_eq!(script.asked()[..2], ["take", "renew"]);
    }

    #[tokio::test]
    async fn what_could_not_be_had_at_the_start_is_taken_when_it_can() {
        let script = Script::of([Err(unreachable()), Err(unreachable()), Ok(TTL)]);
        let (state, keeper) = kept(&script, TTL);
        assert_eq!(keeper.take().await, Err(unreachable()));
        state.lock_alone(None);
        keeper.try_on();
        until("the lease", || state.term().is_some()).await;
        // And where another one has it meanwhile and renews it, this one ends.
        let held = |version: &str| {
            let (holder, version) = ("b".to_owned(), version.to_owned());
            Err(LeaseRefusal::Held { holder, term: Term(2), left: TTL, version })
        };
        let (state, keeper) = kept(&Script::of([Err(unreachable()), held("1"), held("1"), held("2")]), TTL);
        keeper.take().await.unwrap_err();
        state.lock_alone(None);
        keeper.try_on();
        until("the loss", || state.stands().is_err()).await;
        // One that nobody renews is of a process that has gone: nothing is opened until it has run out.
        let script = Script::of([Err(unreachable()), held("1"), held("1"), held("1"), Ok(TTL)]);
        let (state, keeper) = kept(&script, TTL);
        keeper.take().await.unwrap_err();
        state.lock_alone(None);
        keeper.try_on();
        until("the other one's lease", || state.opens().is_err()).await;
        until("the lease", || state.term().is_some()).await;
        assert_eq!(state.stands(), Ok(()));
    }

    #[tokio::test]
    async fn who_waits_is_not_tried_for_behind_its_back() {
        let script = Script::of([Err(unreachable())]);
        let (state, keeper) = kept(&script, TTL);
        keeper.take().await.unwrap_err();
        keeper.take().await.unwrap();
        assert_eq!((state.term(), script.asked().len()), (Some(Term(1)), 2));
    }

    type Asked = Arc<Mutex<Vec<&'static str>>>;

    /// Crashes, or never answers, at the first renewal.
    #[derive(Debug)]
    struct Broken {
        hangs: bool,
        is_succession: bool,
        asked: Asked,
    }

    #[async_trait]
    impl LeaseStore for Broken {
        async fn take(&mut self, _: Timestamp) -> Result<Taken, LeaseRefusal> {
            let validity = Validity::until(std::time::Instant::now() + TTL);
            Ok(Taken { term: Term(1), validity, is_succession: self.is_succession, left: None })
        }
        async fn renew(&mut self, _: Timestamp, _: Option<Stance>) -> Result<Validity, LeaseRefusal> {
            self.asked.lock().unwrap().push("renew");
            assert!(self.hangs, "a defect");
            std::future::pending().await
        }
        async fn release(&mut self, _: Timestamp, _: Option<Stance>) -> Result<(), LeaseRefusal> {
            self.asked.lock().unwrap().push("release");
            Ok(())
        }
    }

    fn broken(hangs: bool, is_succession: bool) -> (Arc<LeaseState>, Keeper, Asked) {
        let identity = Identity { kind: "test", holder: "a".to_owned(), boot_id: "b".to_owned() };
        let (state, asked) = (Arc::new(LeaseState::new(identity)), Asked::default());
        let every = Duration::from_millis(1);
        let beat = Beat { renew_every: every, retry_every: every, first_opening_after: TTL };
        let store = Broken { hangs, is_succession, asked: Arc::clone(&asked) };
        (Arc::clone(&state), Keeper::start(store, state, beat).unwrap(), asked)
    }

    #[tokio::test]
    async fn a_crash_of_the_thread_is_the_end_of_the_lease() {
        let (state, keeper, _) = broken(false, true);
        keeper.take().await.unwrap();
        until("the end", || state.stands().is_err()).await;
        assert!(state.stands().unwrap_err().contains("has crashed"));
    }

    #[tokio::test]
    async fn a_renewal_that_hangs_does_not_delay_giving_the_lease_back() {
        let (_, keeper, asked) = broken(true, true);
        keeper.take().await.unwrap();
        until("a renewal", || !asked.lock().unwrap().is_empty()).await;
        keeper.release().await;
        assert_eq!(*asked.lock().unwrap(), ["renew", "release"]);
    }

    #[tokio::test]
    async fn a_lease_whose_first_opening_still_waits_runs_out_and_is_not_given_back() {
        let (state, keeper, asked) = broken(true, false);
        keeper.take().await.unwrap();
        keeper.release().await;
        assert!(!asked.lock().unwrap().contains(&"release") && state.stands().is_err());
    }
}
