//! What every [`StateStore`] must do.
//!
//! ```
//! # use std::sync::Arc;
//! # use hedge_core::{StateStore, StoreError};
//! use hedge_testkit::conformance::store;
//!
//! # async fn run(my_place: &dyn store::Place) {
//! store::appends_keep_their_order(my_place).await;
//! # }
//! ```
//!
//! Each property wants a fresh, empty [`Place`]. [`all`] runs every property on places that a function makes.

use std::{num::NonZeroU32, sync::Arc};

use async_trait::async_trait;
use hedge_core::{Envelope, Seq, StateStore, StoreError, View, ViewName};

use crate::records::{every_kind, record, records};

/// Where a store keeps its data. Outlives the stores that are opened on it.
#[async_trait]
pub trait Place: Send + Sync {
    /// Opens the store; after a first store was dropped, opens what it left.
    async fn open(&self) -> Result<Arc<dyn StateStore>, StoreError>;
    /// Whether a second store must be refused while a first one is alive.
    fn is_exclusive(&self) -> bool {
        false
    }
    /// Leaves what a process leaves that dies in the middle of appending. Called while no store is open. `false` if that
    /// cannot happen here.
    async fn crash_while_appending(&self) -> bool {
        false
    }
    /// Leaves what a process leaves that dies in the middle of replacing a view. Called while no store is open.
    async fn crash_while_replacing(&self, name: &ViewName) -> bool {
        let _ = name;
        false
    }
}

/// Runs every property, each on a place of its own.
pub async fn all<P: Place>(fresh: impl Fn() -> P) {
    an_empty_store_begins_at_zero(&fresh()).await;
    appends_keep_their_order(&fresh()).await;
    pages_cover_every_record_once(&fresh()).await;
    every_kind_of_record_reads_back(&fresh()).await;
    a_large_batch_is_stored_as_a_whole(&fresh()).await;
    a_record_of_more_than_a_megabyte_reads_back(&fresh()).await;
    a_batch_with_a_gap_is_refused(&fresh()).await;
    a_batch_at_the_wrong_place_conflicts(&fresh()).await;
    the_same_batch_again_is_success(&fresh()).await;
    another_batch_at_a_taken_place_conflicts(&fresh()).await;
    an_older_batch_again_conflicts(&fresh()).await;
    an_empty_batch_only_checks_the_place(&fresh()).await;
    concurrent_appends_let_exactly_one_win(&fresh()).await;
    reopening_finds_everything(&fresh()).await;
    a_second_writer_is_refused_by_name(&fresh()).await;
    a_writer_that_was_overtaken_conflicts(&fresh()).await;
    a_torn_last_record_is_cut_off(&fresh()).await;
    a_view_reads_back_as_it_was_put(&fresh()).await;
    a_view_is_replaced_as_a_whole(&fresh()).await;
    views_of_all_names_stand_side_by_side(&fresh()).await;
    the_last_of_many_puts_is_what_the_next_process_finds(&fresh()).await;
    a_view_that_is_not_an_object_is_refused(&fresh()).await;
    a_crash_between_write_and_rename_keeps_the_old_view(&fresh()).await;
}

async fn open(place: &dyn Place) -> Arc<dyn StateStore> {
    place.open().await.expect("the store opens")
}

/// Everything in the store, read in pages of `size`.
async fn read_all(store: &dyn StateStore, size: u32) -> Vec<Envelope> {
    let size = NonZeroU32::new(size).expect("a page size above 0");
    let (mut found, mut from) = (Vec::new(), Some(Seq(0)));
    while let Some(place) = from {
        let page = store.read(place, size).await.expect("a page");
        assert!(page.records.len() <= size.get() as usize, "a page holds more than its limit");
        assert!(!page.records.is_empty() || page.next.is_none(), "an empty page claims to go on");
        found.extend(page.records);
        from = page.next;
    }
    found
}

/// Order: an empty store begins at 0 and has nothing to read.
pub async fn an_empty_store_begins_at_zero(place: &dyn Place) {
    let store = open(place).await;
    assert_eq!(store.next_seq().await.expect("next"), Seq(0));
    assert_eq!(read_all(&*store, 10).await, []);
    assert_eq!(store.get_view(&NAV).await.expect("a view"), None);
}

/// Order: what is appended is read in that order.
pub async fn appends_keep_their_order(place: &dyn Place) {
    let store = open(place).await;
    assert_eq!(store.append(Seq(0), &records(0..3)).await.expect("first batch"), Seq(3));
    assert_eq!(store.append(Seq(3), &records(3..4)).await.expect("second batch"), Seq(4));
    assert_eq!(store.next_seq().await.expect("next"), Seq(4));
    assert_eq!(read_all(&*store, 100).await, records(0..4));
}

/// Order: pages of any size neither skip nor repeat, also across many batches.
pub async fn pages_cover_every_record_once(place: &dyn Place) {
    let store = open(place).await;
    for start in (0..1_000).step_by(50) {
        store.append(Seq(start), &records(start..start + 50)).await.expect("a batch");
    }
    for size in [1, 7, 256, 1_000, 5_000] {
        assert_eq!(read_all(&*store, size).await, records(0..1_000), "pages of {size}");
    }
    let tail = store.read(Seq(990), NonZeroU32::MAX).await.expect("the tail");
    assert_eq!((tail.records, tail.next), (records(990..1_000), None));
    let beyond = store.read(Seq(1_000), NonZeroU32::MIN).await.expect("nothing");
    assert_eq!((beyond.records, beyond.next), (vec![], None));
}

/// Content: whatever kind a record is of, it reads back as it was appended, also after reopening.
pub async fn every_kind_of_record_reads_back(place: &dyn Place) {
    let all = every_kind();
    let store = open(place).await;
    for batch in all.chunks(7) {
        store.append(batch[0].seq, batch).await.expect("a batch");
    }
    assert_eq!(read_all(&*store, 50).await, all);
    drop(store);
    assert_eq!(read_all(&*open(place).await, 1_000).await, all, "after reopening");
}

/// Size: a batch of a thousand records is stored whole and in order, and repeating it stores nothing twice.
pub async fn a_large_batch_is_stored_as_a_whole(place: &dyn Place) {
    let store = open(place).await;
    store.append(Seq(0), &records(0..1)).await.expect("a batch");
    assert_eq!(store.append(Seq(1), &records(1..1_001)).await.expect("a large batch"), Seq(1_001));
    assert_eq!(store.append(Seq(1), &records(1..1_001)).await.expect("the same batch"), Seq(1_001));
    assert_eq!(store.append(Seq(1_001), &records(1_001..1_002)).await.expect("the next batch"), Seq(1_002));
    assert_eq!(read_all(&*store, 400).await, records(0..1_002));
}

/// Size: a record that is larger than what many databases take in one piece reads back.
pub async fn a_record_of_more_than_a_megabyte_reads_back(place: &dyn Place) {
    let store = open(place).await;
    let batch = [record(0, "small"), record(1, &"large ä € 😀 \" ".repeat(80_000)), record(2, "small")];
    assert_eq!(store.append(Seq(0), &batch).await.expect("a batch"), Seq(3));
    assert_eq!(store.append(Seq(0), &batch).await.expect("the same batch"), Seq(3));
    assert_eq!(read_all(&*store, 10).await, batch);
    drop(store);
    assert_eq!(read_all(&*open(place).await, 2).await, batch);
}

/// Gap: records of one batch follow each other without gaps, from the stated place.
pub async fn a_batch_with_a_gap_is_refused(place: &dyn Place) {
    let store = open(place).await;
    let gap = [record(0, "a"), record(2, "b")];
    assert!(store.append(Seq(0), &gap).await.is_err(), "a batch 0, 2 was taken");
    assert!(store.append(Seq(0), &records(1..2)).await.is_err(), "a batch 1 was taken at place 0");
    assert_eq!(read_all(&*store, 10).await, [], "a refused batch left records");
}

/// Compare-and-swap: a batch after the end, or before it, conflicts and says where the journal ends.
pub async fn a_batch_at_the_wrong_place_conflicts(place: &dyn Place) {
    let store = open(place).await;
    store.append(Seq(0), &records(0..2)).await.expect("a batch");
    match store.append(Seq(5), &records(5..6)).await {
        Err(StoreError::Conflict { expected: Seq(5), found: Seq(2) }) => {}
        other => panic!("expected a conflict at 2 instead of 5, got {other:?}"),
    }
    assert_eq!(read_all(&*store, 10).await, records(0..2), "a conflict changed the journal");
}

/// Idempotence: the last batch repeated, as after a time-out, is success and stored once.
pub async fn the_same_batch_again_is_success(place: &dyn Place) {
    let store = open(place).await;
    store.append(Seq(0), &records(0..2)).await.expect("a batch");
    assert_eq!(store.append(Seq(2), &records(2..5)).await.expect("a batch"), Seq(5));
    assert_eq!(store.append(Seq(2), &records(2..5)).await.expect("the same batch"), Seq(5));
    assert_eq!(read_all(&*store, 10).await, records(0..5));
}

/// Compare-and-swap: other records at a taken place conflict, also when they differ in one letter.
pub async fn another_batch_at_a_taken_place_conflicts(place: &dyn Place) {
    let store = open(place).await;
    store.append(Seq(0), &records(0..2)).await.expect("a batch");
    let mut other = records(0..2);
    other[1] = record(1, "tesT");
    match store.append(Seq(0), &other).await {
        Err(StoreError::Conflict { expected: Seq(0), found: Seq(2) }) => {}
        result => panic!("expected a conflict, got {result:?}"),
    }
    assert_eq!(read_all(&*store, 10).await, records(0..2));
}

/// Compare-and-swap: a batch that others have followed is not the last one, so its writer is behind.
pub async fn an_older_batch_again_conflicts(place: &dyn Place) {
    let store = open(place).await;
    store.append(Seq(0), &records(0..2)).await.expect("a batch");
    store.append(Seq(2), &records(2..3)).await.expect("a batch");
    assert!(matches!(
        store.append(Seq(0), &records(0..2)).await,
        Err(StoreError::Conflict { expected: Seq(0), found: Seq(3) })
    ));
}

/// An empty batch appends nothing, and still notices another writer.
pub async fn an_empty_batch_only_checks_the_place(place: &dyn Place) {
    let store = open(place).await;
    store.append(Seq(0), &records(0..2)).await.expect("a batch");
    assert_eq!(store.append(Seq(2), &[]).await.expect("an empty batch"), Seq(2));
    assert!(matches!(store.append(Seq(1), &[]).await, Err(StoreError::Conflict { .. })));
}

/// Compare-and-swap: of several different batches for one place exactly one is taken.
pub async fn concurrent_appends_let_exactly_one_win(place: &dyn Place) {
    let store = open(place).await;
    let attempts: Vec<_> = (0..8)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.append(Seq(0), &[record(0, &format!("writer {writer}"))]).await })
        })
        .collect();
    let mut won = 0;
    for attempt in attempts {
        match attempt.await.expect("the append ends") {
            Ok(next) => {
                assert_eq!(next, Seq(1));
                won += 1;
            }
            Err(StoreError::Conflict { found: Seq(1), .. }) => {}
            Err(error) => panic!("expected a conflict, got {error}"),
        }
    }
    assert_eq!(won, 1, "several writers won one place");
    assert_eq!(read_all(&*store, 10).await.len(), 1);
}

/// Reopen: the next process finds every record and view and goes on where the last one ended.
pub async fn reopening_finds_everything(place: &dyn Place) {
    let store = open(place).await;
    let view = View { as_of: Seq(4), json: r#"{"nav":"1"}"#.to_owned() };
    store.append(Seq(0), &records(0..5)).await.expect("a batch");
    store.put_view(&NAV, &view).await.expect("a view");
    drop(store);
    let store = open(place).await;
    assert_eq!(store.next_seq().await.expect("next"), Seq(5));
    assert_eq!(read_all(&*store, 3).await, records(0..5));
    assert_eq!(store.get_view(&NAV).await.expect("a view"), Some(view));
    assert_eq!(store.append(Seq(0), &records(0..5)).await.expect("the last batch again"), Seq(5));
    assert_eq!(store.append(Seq(5), &records(5..6)).await.expect("the next batch"), Seq(6));
}

/// Lock: while one writer lives a second one is refused and told who it is; afterwards it may.
pub async fn a_second_writer_is_refused_by_name(place: &dyn Place) {
    if !place.is_exclusive() {
        return;
    }
    let first = open(place).await;
    match place.open().await {
        Err(StoreError::Locked { holder, .. }) => {
            let own = std::process::id().to_string();
            assert!(holder.contains(&own), "the holder {holder:?} does not name process {own}");
        }
        Err(error) => panic!("expected a lock, got {error}"),
        Ok(_) => panic!("a second writer was let in"),
    }
    first.append(Seq(0), &records(0..1)).await.expect("the first writer goes on");
    drop(first);
    assert_eq!(open(place).await.next_seq().await.expect("next"), Seq(1));
}

/// Compare-and-swap: where two writers can be open at the same time, the one that was overtaken conflicts, is told where the
/// journal ends, and has changed nothing.
pub async fn a_writer_that_was_overtaken_conflicts(place: &dyn Place) {
    if place.is_exclusive() {
        return;
    }
    let (first, second) = (open(place).await, open(place).await);
    first.append(Seq(0), &records(0..2)).await.expect("the first writer");
    assert_eq!(second.append(Seq(2), &records(2..4)).await.expect("the second writer"), Seq(4));
    match first.append(Seq(2), &[record(2, "overtaken")]).await {
        Err(StoreError::Conflict { expected: Seq(2), found: Seq(4) }) => {}
        other => panic!("expected a conflict at 4 instead of 2, got {other:?}"),
    }
    match first.append(Seq(2), &[record(2, "overtaken"), record(3, "overtaken")]).await {
        Err(StoreError::Conflict { expected: Seq(2), found: Seq(4) }) => {}
        other => panic!("expected a conflict at 4 instead of 2, got {other:?}"),
    }
    assert_eq!(read_all(&*first, 10).await, records(0..4), "the overtaken writer changed the journal");
}

/// Crash: an append that did not finish is gone after reopening; everything before it is there, and appending goes on.
pub async fn a_torn_last_record_is_cut_off(place: &dyn Place) {
    let store = open(place).await;
    store.append(Seq(0), &records(0..3)).await.expect("a batch");
    drop(store);
    if !place.crash_while_appending().await {
        return;
    }
    let store = open(place).await;
    assert_eq!(store.next_seq().await.expect("next"), Seq(3));
    assert_eq!(store.append(Seq(3), &records(3..5)).await.expect("a batch"), Seq(5));
    drop(store);
    assert_eq!(read_all(&*open(place).await, 10).await, records(0..5));
}

const NAV: ViewName = match ViewName::new("nav") {
    Some(name) => name,
    None => unreachable!(),
};

/// Views: text and place come back exactly, whatever the object looks like.
pub async fn a_view_reads_back_as_it_was_put(place: &dyn Place) {
    let store = open(place).await;
    for json in ["{}", r#"{"positions":[]}"#, "{\n  \"a\": {\"b\": \"x\\n\"}\n}", r#"{"as_of":7,"x":1}"#] {
        let view = View { as_of: Seq(7), json: json.to_owned() };
        store.put_view(&NAV, &view).await.expect("a view");
        assert_eq!(store.get_view(&NAV).await.expect("a view"), Some(view));
    }
}

/// Views: a reader sees the old one or the new one, never a mixture, and other views are untouched.
pub async fn a_view_is_replaced_as_a_whole(place: &dyn Place) {
    let store = open(place).await;
    let other = ViewName::new("positions").expect("a name");
    let kept = View { as_of: Seq(1), json: r#"{"positions":[]}"#.to_owned() };
    store.put_view(&other, &kept).await.expect("a view");
    let view =
        |n: u64| View { as_of: Seq(n), json: format!("{{\"text\":\"{}\"}}", n.to_string().repeat(2_000)) };
    store.put_view(&NAV, &view(0)).await.expect("a view");
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 1..=50 {
                store.put_view(&NAV, &view(n)).await.expect("a view");
            }
        })
    };
    let mut last = 0;
    while last < 50 {
        let seen = store.get_view(&NAV).await.expect("a view").expect("the view is always there");
        assert_eq!(seen, view(seen.as_of.0), "a torn view was read");
        assert!(seen.as_of.0 >= last, "an older view came back");
        last = seen.as_of.0;
        tokio::task::yield_now().await;
    }
    writer.await.expect("the writer ends");
    assert_eq!(store.get_view(&other).await.expect("a view"), Some(kept));
}

/// Views: every name has its own view, also the longest one.
pub async fn views_of_all_names_stand_side_by_side(place: &dyn Place) {
    let store = open(place).await;
    let names = ["nav", "positions", "health", "a", "trade_log", "0123456789_0123456789_0123456789_0123456"];
    let names = names.map(|name| ViewName::new(name).expect("a name"));
    let view =
        |n: usize| View { as_of: Seq(n as u64), json: format!(r#"{{"n":{n},"name":"äöü 😀 \\ \""}}"#) };
    for (n, name) in names.iter().enumerate() {
        store.put_view(name, &view(n)).await.expect("a view");
    }
    for (n, name) in names.iter().enumerate() {
        assert_eq!(store.get_view(name).await.expect("a view"), Some(view(n)), "{}", name.as_str());
    }
}

/// Views: many puts at once and one after them leave the last one, for the next process too.
pub async fn the_last_of_many_puts_is_what_the_next_process_finds(place: &dyn Place) {
    let store = open(place).await;
    let view = |n: u64| View { as_of: Seq(n), json: format!(r#"{{"n":{n}}}"#) };
    let puts: Vec<_> = (0..20)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.put_view(&NAV, &view(n)).await })
        })
        .collect();
    for put in puts {
        put.await.expect("the put ends").expect("a view");
    }
    store.put_view(&NAV, &view(20)).await.expect("the last view");
    drop(store);
    assert_eq!(open(place).await.get_view(&NAV).await.expect("a view"), Some(view(20)));
}

/// Views: text that is no JSON object, or that claims another place, is refused and the old view stays.
pub async fn a_view_that_is_not_an_object_is_refused(place: &dyn Place) {
    let store = open(place).await;
    let good = View { as_of: Seq(1), json: "{}".to_owned() };
    store.put_view(&NAV, &good).await.expect("a view");
    for json in ["", "[]", "1", "{", "{} {}", r#"{"as_of":9}"#] {
        let bad = View { as_of: Seq(2), json: json.to_owned() };
        assert!(store.put_view(&NAV, &bad).await.is_err(), "{json:?} was taken");
    }
    assert_eq!(store.get_view(&NAV).await.expect("a view"), Some(good));
}

/// Crash: a replacement that was written but not put in place leaves the old view, and the next replacement works.
pub async fn a_crash_between_write_and_rename_keeps_the_old_view(place: &dyn Place) {
    let store = open(place).await;
    let old = View { as_of: Seq(1), json: r#"{"nav":"1"}"#.to_owned() };
    store.put_view(&NAV, &old).await.expect("a view");
    drop(store);
    if !place.crash_while_replacing(&NAV).await {
        return;
    }
    let store = open(place).await;
    assert_eq!(store.get_view(&NAV).await.expect("a view"), Some(old));
    let new = View { as_of: Seq(2), json: r#"{"nav":"2"}"#.to_owned() };
    store.put_view(&NAV, &new).await.expect("a view");
    assert_eq!(store.get_view(&NAV).await.expect("a view"), Some(new));
}
