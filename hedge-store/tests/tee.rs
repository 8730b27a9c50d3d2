//! Shipping to followers: outages, lost answers, restarts, and what must never wait for them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use common::TempDir;
use hedge_core::{Envelope, Page, Seq, StateStore, StoreError, View, ViewName};
use hedge_store::{
    FileOptions, FileStore, MemoryStore,
    tee::{Follow, FollowerState, Mirror, Tee, read_status},
};
use hedge_testkit::{
    conformance::store::{self, Place},
    records::{record, records},
};
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};

/// What happens to the next call of a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Nothing arrives.
    Refused,
    /// It arrives, the answer does not.
    LostAnswer,
    /// Nothing arrives and nobody answers.
    Hangs,
    /// It arrives after the caller has given up.
    Late,
    /// The end of what is there is not found.
    Forgotten,
}

/// A memory store behind a bad line. Every call uses up one fault.
#[derive(Clone, Debug)]
struct BadLine {
    store: MemoryStore,
    faults: Arc<Mutex<Vec<Fault>>>,
    is_down: Arc<AtomicBool>,
    /// Places at which a batch arrived, for the order of arrival.
    arrived: Arc<Mutex<Vec<(Seq, usize)>>>,
}

impl BadLine {
    fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            faults: Arc::default(),
            is_down: Arc::default(),
            arrived: Arc::default(),
        }
    }
    fn down(&self, is_down: bool) {
        self.is_down.store(is_down, SeqCst);
    }
    fn error() -> StoreError {
        StoreError::Io { doing: "talking to the mirror".to_owned(), source: "the line is bad".into() }
    }
    /// Whether the call goes on, and whether its answer comes back.
    async fn pass(&self) -> Result<Fault, StoreError> {
        if self.is_down.load(SeqCst) {
            return Err(Self::error());
        }
        let fault = self.faults.lock().unwrap().pop().unwrap_or(Fault::None);
        match fault {
            Fault::Refused => Err(Self::error()),
            Fault::Hangs => std::future::pending().await,
            other => Ok(other),
        }
    }
    async fn answer<T>(fault: Fault, answer: T) -> Result<T, StoreError> {
        if fault == Fault::LostAnswer { Err(Self::error()) } else { Ok(answer) }
    }
}

#[async_trait]
impl StateStore for BadLine {
    async fn append(&self, expected: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        let fault = self.pass().await?;
        if fault == Fault::Late {
            let (own, batch) = (self.clone(), batch.to_vec());
            tokio::spawn(async move {
                sleep(Duration::from_secs(45)).await;
                own.store.append(expected, &batch).await.ok();
            });
            return std::future::pending().await;
        }
        let next = self.store.append(expected, batch).await?;
        self.arrived.lock().unwrap().push((expected, batch.len()));
        Self::answer(fault, next).await
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        let fault = self.pass().await?;
        if fault == Fault::Forgotten {
            return Ok(Page { records: Vec::new(), next: None });
        }
        Self::answer(fault, self.store.read(from, limit).await?).await
    }
    async fn next_seq(&self) -> Result<Seq, StoreError> {
        let fault = self.pass().await?;
        Self::answer(fault, self.store.next_seq().await?).await
    }
    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        let fault = self.pass().await?;
        self.store.put_view(name, view).await?;
        Self::answer(fault, ()).await
    }
    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        self.store.get_view(name).await
    }
}

const NAV: ViewName = match ViewName::new("nav") {
    Some(name) => name,
    None => unreachable!(),
};

fn follow() -> Follow {
    Follow { batch: NonZeroU32::new(7).unwrap(), ..Follow::new("mirror") }
}

fn tee(primary: &MemoryStore, mirror: &BadLine) -> Tee {
    Tee::new(Arc::new(primary.clone())).follow(Mirror::new(Arc::new(mirror.clone())), follow())
}

async fn until(what: &str, tee: &Tee, reached: impl Fn(&hedge_store::tee::FollowerStatus) -> bool) {
    let wait = async {
        while !tee.status().iter().all(&reached) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let within = timeout(Duration::from_secs(3_600), wait).await;
    within.unwrap_or_else(|_: tokio::time::error::Elapsed| panic!("{what}: {:?}", tee.status()));
}

struct Teed(MemoryStore, MemoryStore);

#[async_trait]
impl Place for Teed {
    async fn open(&self) -> Result<Arc<dyn StateStore>, StoreError> {
        let tee = Tee::new(Arc::new(self.0.clone()));
        Ok(Arc::new(tee.follow(Mirror::new(Arc::new(self.1.clone())), follow())))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tee_conforms_like_its_primary() {
    store::all(|| Teed(MemoryStore::new(), MemoryStore::new())).await;
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_in_order_and_in_batches() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    let tee = tee(&primary, &mirror);
    for place in 0..50 {
        tee.append(Seq(place), &records(place..place + 1)).await.unwrap();
    }
    until("current", &tee, |status| status.next == Seq(50)).await;
    assert_eq!(mirror.store.records(), records(0..50));
    let arrived = mirror.arrived.lock().unwrap().clone();
    assert!(arrived.len() <= 9, "{} batches for 50 records: {arrived:?}", arrived.len());
    let status = tee.status();
    assert_eq!((status[0].state, status[0].lag_records()), (FollowerState::Current, 0));
    assert_eq!(status[0].to_string(), "mirror current");
}

#[tokio::test(start_paused = true)]
async fn an_append_never_waits_for_a_mirror_that_hangs() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    mirror.faults.lock().unwrap().extend([Fault::Hangs; 200]);
    let tee = tee(&primary, &mirror);
    let started = Instant::now();
    for place in 0..1_000 {
        tee.append(Seq(place), &records(place..place + 1)).await.unwrap();
    }
    let view = View { as_of: Seq(999), json: "{}".to_owned() };
    tee.put_view(&NAV, &view).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(tee.read(Seq(999), NonZeroU32::MIN).await.unwrap().records, records(999..1_000));
    assert_eq!(tee.get_view(&NAV).await.unwrap(), Some(view));
}

#[tokio::test(start_paused = true)]
async fn a_start_without_the_mirror_works_and_says_so_and_the_mirror_is_caught_up_with_later() {
    let dir = TempDir::new();
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    mirror.down(true);
    let tee = Tee::new(Arc::new(primary.clone()))
        .telling(dir.path())
        .follow(Mirror::new(Arc::new(mirror.clone())), follow());
    for place in (0..3_000).step_by(10) {
        tee.append(Seq(place), &records(place..place + 10)).await.unwrap();
    }
    until("unreachable", &tee, |status| status.state == FollowerState::Unreachable).await;
    sleep(Duration::from_secs(600)).await;
    let status = tee.status()[0].clone();
    assert_eq!((status.lag_records(), status.next), (3_000, Seq(0)));
    let text = status.to_string();
    assert!(text.starts_with("mirror unreachable, lag 3000 records, "), "{text}");
    assert!(text.ends_with("talking to the mirror failed: the line is bad"), "{text}");
    let told = read_status(dir.path()).unwrap();
    assert_eq!((told[0].state, told[0].journal_next), (FollowerState::Unreachable, Seq(3_000)));
    mirror.down(false);
    until("current", &tee, |status| status.state == FollowerState::Current).await;
    assert_eq!(mirror.store.records(), primary.records());
    sleep(Duration::from_secs(5)).await;
    let told = read_status(dir.path()).unwrap();
    assert_eq!(
        (told[0].state, told[0].next, told[0].because.clone()),
        (FollowerState::Current, Seq(3_000), None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_does_not_answer_is_spoken_of_before_it_is_given_up() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    mirror.faults.lock().unwrap().push(Fault::Hangs);
    let tee = tee(&primary, &mirror);
    tee.append(Seq(0), &records(0..3)).await.unwrap();
    let started = Instant::now();
    until("unreachable", &tee, |status| status.state == FollowerState::Unreachable).await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(tee.status()[0].because.as_deref(), Some("no answer yet"));
    until("current", &tee, |status| status.next == Seq(3)).await;
    assert!(started.elapsed() > Duration::from_secs(29), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_many_views_in_an_outage_the_newest_of_each_name_arrives() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    mirror.down(true);
    let tee = tee(&primary, &mirror);
    tee.append(Seq(0), &records(0..1)).await.unwrap();
    for n in 0..500 {
        tee.put_view(&NAV, &View { as_of: Seq(n), json: format!("{{\"n\":{n}}}") }).await.unwrap();
    }
    until("unreachable", &tee, |status| status.state == FollowerState::Unreachable).await;
    mirror.down(false);
    let arrived = async {
        while mirror.store.get_view(&NAV).await.unwrap().map(|view| view.as_of) != Some(Seq(499)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(120), arrived).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_does_not_hold_its_own_end_is_an_alarm_and_not_an_outage() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    primary.append(Seq(0), &records(0..5)).await.unwrap();
    mirror.store.append(Seq(0), &records(0..4)).await.unwrap();
    // The look at where it ends, then the one at its last record.
    *mirror.faults.lock().unwrap() = vec![Fault::Forgotten, Fault::None];
    let tee = tee(&primary, &mirror);
    until("diverged", &tee, |status| status.state == FollowerState::Diverged).await;
    let why = tee.status()[0].because.clone().unwrap();
    assert!(why.contains("it ends at 4, and does not hold record 3"), "{why}");
    tee.append(Seq(5), &records(5..9)).await.unwrap();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(mirror.store.records(), records(0..4), "nothing is put behind a hole");
}

#[tokio::test(start_paused = true)]
async fn a_mirror_with_another_record_is_an_alarm_and_gets_nothing_more() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    primary.append(Seq(0), &records(0..5)).await.unwrap();
    mirror.store.append(Seq(0), &records(0..4)).await.unwrap();
    mirror.store.append(Seq(4), &[record(4, "somebody else's")]).await.unwrap();
    let tee = tee(&primary, &mirror);
    until("diverged", &tee, |status| status.state == FollowerState::Diverged).await;
    tee.append(Seq(5), &records(5..9)).await.unwrap();
    tee.put_view(&NAV, &View { as_of: Seq(8), json: "{}".to_owned() }).await.unwrap();
    sleep(Duration::from_secs(300)).await;
    let status = tee.status()[0].clone();
    assert!(status.is_alarming());
    assert!(mirror.store.get_view(&NAV).await.unwrap().is_none(), "another desk's view was replaced");
    let because = status.because.unwrap();
    assert_eq!(because, "record 4 is another one in the mirror than in the journal");
    assert_eq!(mirror.store.records().len(), 5, "something was shipped to a diverged mirror");
    assert_eq!(primary.records().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_is_ahead_of_the_journal_is_an_alarm() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    mirror.store.append(Seq(0), &records(0..4)).await.unwrap();
    let tee = tee(&primary, &mirror);
    until("diverged", &tee, |status| status.state == FollowerState::Diverged).await;
    assert!(tee.status()[0].because.as_ref().unwrap().contains("holds 4 records, the journal only 0"));
    // Its clock stands still while nobody waits.
    let asked_at = tokio::time::Instant::now();
    let ended = tee.close(Duration::from_secs(20)).await;
    assert_eq!(ended[0].state, FollowerState::Diverged);
    assert!(asked_at.elapsed() < Duration::from_secs(1), "an end waits for what can never come");
}

#[tokio::test(start_paused = true)]
async fn a_mirror_that_lost_its_end_gets_it_again() {
    let (primary, mirror) = (MemoryStore::new(), BadLine::new());
    primary.append(Seq(0), &records(0..40)).await.unwrap();
    mirror.store.append(Seq(0), &records(0..15)).await.unwrap();
    let tee = tee(&primary, &mirror);
    until("current", &tee, |status| status.next == Seq(40)).await;
    assert_eq!(mirror.store.records(), primary.records());
    assert_eq!(mirror.arrived.lock().unwrap()[0], (Seq(15), 7));
}

#[tokio::test(start_paused = true)]
async fn closing_ships_what_is_left_and_gives_up_in_time() {
    let (dir, primary, mirror) = (TempDir::new(), MemoryStore::new(), BadLine::new());
    let start = || {
        let tee = Tee::new(Arc::new(primary.clone())).telling(dir.path());
        tee.follow(Mirror::new(Arc::new(mirror.clone())), follow())
    };
    let tee_up = start();
    tee_up.append(Seq(0), &records(0..100)).await.unwrap();
    tee_up.put_view(&NAV, &View { as_of: Seq(99), json: "{}".to_owned() }).await.unwrap();
    let status = tee_up.close(Duration::from_secs(10)).await;
    assert_eq!((status[0].state, status[0].next), (FollowerState::Current, Seq(100)));
    assert_eq!(mirror.store.records(), records(0..100));
    assert!(mirror.store.get_view(&NAV).await.unwrap().is_some());
    drop(tee_up);

    mirror.down(true);
    let tee_down = start();
    tee_down.append(Seq(100), &records(100..101)).await.unwrap();
    let started = Instant::now();
    let status = tee_down.close(Duration::from_secs(10)).await;
    assert_eq!((status[0].state, status[0].lag_records()), (FollowerState::Unreachable, 1));
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(12), "{took:?}");
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let one = prop_oneof![
        6 => Just(Fault::None),
        2 => Just(Fault::Refused),
        2 => Just(Fault::LostAnswer),
        1 => Just(Fault::Hangs),
        1 => Just(Fault::Late),
    ];
    proptest::collection::vec(one, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Batches of any size, faults in any order, restarts in between: in the end the mirror is the journal.
    #[test]
    fn after_any_outages_the_mirror_is_the_journal(
        faults in faults(),
        batches in proptest::collection::vec((1_u64..40, 0_u64..90, any::<bool>()), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (primary, mirror) = (MemoryStore::new(), BadLine::new());
            *mirror.faults.lock().unwrap() = faults;
            let mut shipping = tee(&primary, &mirror);
            let mut next = 0;
            for (count, pause_s, restarts) in batches {
                shipping.append(Seq(next), &records(next..next + count)).await.unwrap();
                next += count;
                sleep(Duration::from_secs(pause_s)).await;
                // What is there is always the beginning of the journal.
                let there = mirror.store.records();
                assert_eq!(there, records(0..there.len() as u64));
                if restarts {
                    drop(shipping);
                    shipping = tee(&primary, &mirror);
                }
            }
            until("current", &shipping, |status| status.next == Seq(next)).await;
            assert_eq!(mirror.store.records(), records(0..next));
            // A request that arrives long after its caller has given up changes nothing either.
            sleep(Duration::from_secs(200)).await;
            assert_eq!(mirror.store.records(), records(0..next));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_shipping_from_the_files_on_disk() {
    let dir = TempDir::new();
    let mirror = BadLine::new();
    mirror.down(true);
    let open = || Arc::new(FileStore::open(dir.path(), FileOptions::default()).unwrap());
    let tee = Tee::new(open()).follow(Mirror::new(Arc::new(mirror.clone())), follow());
    tee.append(Seq(0), &records(0..30)).await.unwrap();
    tee.close(Duration::ZERO).await;
    drop(tee);
    assert_eq!(mirror.store.records(), []);
    mirror.down(false);
    // The task of the first one may hold the files for a moment still.
    let store = loop {
        match FileStore::open(dir.path(), FileOptions::default()) {
            Ok(store) => break Arc::new(store),
            Err(StoreError::Locked { .. }) => sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    };
    let tee = Tee::new(store).follow(Mirror::new(Arc::new(mirror.clone())), follow());
    tee.append(Seq(30), &records(30..31)).await.unwrap();
    until("current", &tee, |status| status.next == Seq(31)).await;
    assert_eq!(mirror.store.records(), records(0..31));
}
