//! Appends whose answers are lost, late, wrong or interrupted, and records that somebody changed.

use std::{num::NonZeroU32, time::Duration};

use hedge_core::{Seq, StateStore, StoreError};
use hedge_store::firestore::{Firestore, FirestoreError};
use hedge_testkit::{
    firestore::{FakeFirestore, Fault},
    records::{record, records},
};

use crate::stage::{commits, config, journal, store};

const FIRST: &str = "hedge/paper/journal/00000000000000000000";
const SECOND: &str = "hedge/paper/journal/00000000000000000001";
const HEAD: &str = "hedge/paper/head/journal";

#[tokio::test]
async fn documents_are_where_the_operators_look_for_them() {
    let fake = FakeFirestore::start().await;
    store(&fake).append(Seq(0), &records(0..2)).await.unwrap();
    assert_eq!(fake.names(), [HEAD, FIRST, SECOND]);
    let fields = fake.fields(SECOND).unwrap();
    assert_eq!(fields["seq"]["integerValue"], "1");
    assert_eq!(fields["kind"]["stringValue"], "fact.operator");
    assert_eq!(fields["at"]["timestampValue"], "2023-11-14T22:13:20.001000Z");
    assert!(fields["json"]["stringValue"].as_str().unwrap().starts_with("{\"seq\":1,"), "{fields:?}");
    assert_eq!(fake.fields(HEAD).unwrap()["next"]["integerValue"], "2");
}

#[tokio::test]
async fn an_append_survives_every_passing_fault_and_is_stored_once() {
    for fault in [
        Fault::Unavailable,
        Fault::Exhausted,
        Fault::Aborted,
        Fault::Internal,
        Fault::Deadline,
        Fault::DeadlineAfterApply,
        Fault::CancelledAfterApply,
        Fault::BadGateway,
        Fault::Garbage,
    ] {
        let fake = FakeFirestore::start().await;
        let store = store(&fake);
        store.append(Seq(0), &records(0..2)).await.unwrap();
        fake.fail_next(fault);
        assert_eq!(store.append(Seq(2), &records(2..4)).await.unwrap(), Seq(4), "{fault:?}");
        assert_eq!(store.append(Seq(4), &records(4..5)).await.unwrap(), Seq(5), "{fault:?}");
        assert_eq!(journal(&store).await, records(0..5), "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_the_time_out_is_looked_up() {
    let fake = FakeFirestore::start().await;
    let config = hedge_store::firestore::FirestoreConfig {
        request_timeout: Duration::from_millis(400),
        ..config(&fake.host(), "paper")
    };
    let store = Firestore::new(config).unwrap();
    store.append(Seq(0), &records(0..1)).await.unwrap();
    fake.fail_next(Fault::SlowAfterApply(Duration::from_secs(20)));
    assert_eq!(store.append(Seq(1), &records(1..3)).await.unwrap(), Seq(3));
    assert_eq!(journal(&store).await, records(0..3));
}

#[tokio::test]
async fn a_commit_that_happens_after_its_repetition_changes_nothing() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    store.append(Seq(0), &records(0..1)).await.unwrap();
    fake.fail_next(Fault::LateApply);
    assert_eq!(store.append(Seq(1), &records(1..3)).await.unwrap(), Seq(3));
    fake.apply_late();
    assert_eq!(store.append(Seq(3), &records(3..4)).await.unwrap(), Seq(4));
    assert_eq!(journal(&store).await, records(0..4));
}

#[tokio::test]
async fn a_commit_that_happens_after_everybody_gave_up_is_found_by_the_next_try() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    store.append(Seq(0), &records(0..1)).await.unwrap();
    // Commits and looks fail alike.
    fake.fail_times(60, Fault::LateApply);
    let error = store.append(Seq(1), &records(1..3)).await.unwrap_err();
    let Some(FirestoreError::Unavailable { attempts: 5, in_doubt: true, .. }) = FirestoreError::of(&error)
    else {
        panic!("{error:?}");
    };
    assert!(
        error.to_string().starts_with("appending records 1 to 3 to the journal failed: Firestore did not"),
        "{error}"
    );
    fake.come_back();
    fake.apply_late();
    assert_eq!(store.append(Seq(1), &records(1..3)).await.unwrap(), Seq(3));
    assert_eq!(journal(&store).await, records(0..3));
}

#[tokio::test]
async fn another_record_after_a_lost_answer_is_corruption_and_names_the_document() {
    let fake = FakeFirestore::start().await;
    let config = hedge_store::firestore::FirestoreConfig {
        request_timeout: Duration::from_millis(1_500),
        ..config(&fake.host(), "paper")
    };
    let store = Firestore::new(config).unwrap();
    store.append(Seq(0), &records(0..1)).await.unwrap();
    fake.fail_next(Fault::SlowAfterApply(Duration::from_secs(20)));
    let append = tokio::spawn(async move { store.append(Seq(1), &records(1..2)).await });
    while fake.fields(SECOND).is_none() {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Somebody replaces it by a sound record, before the writer looks.
    let other = FakeFirestore::start().await;
    crate::stage::store(&other).append(Seq(0), &[record(0, "test"), record(1, "foreign")]).await.unwrap();
    fake.tamper(SECOND, |_| other.fields(SECOND));
    let error = append.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "Firestore document {SECOND} is corrupt: after a commit whose answer was lost"
        )),
        "{text}"
    );
}

#[tokio::test]
async fn a_writer_that_was_overtaken_in_the_middle_of_its_work_conflicts() {
    let fake = FakeFirestore::start().await;
    let (first, second) = (store(&fake), store(&fake));
    first.append(Seq(0), &records(0..1)).await.unwrap();
    second.append(Seq(1), &records(1..3)).await.unwrap();
    // The first one still believes that the journal ends at 1, and learns better from the refusal alone.
    for _ in 0..2 {
        match first.append(Seq(1), &[record(1, "mine")]).await {
            Err(StoreError::Conflict { expected: Seq(1), found: Seq(3) }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(journal(&first).await, records(0..3));
}

#[tokio::test]
async fn a_batch_of_several_commits_goes_on_where_it_was_interrupted() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    store.append(Seq(0), &records(0..10)).await.unwrap();
    // One commit works, then nothing does.
    fake.fail_times(1, Fault::SlowAfterApply(Duration::ZERO));
    fake.fail_times(60, Fault::Unavailable);
    store.append(Seq(10), &records(10..1_010)).await.unwrap_err();
    fake.come_back();
    assert_eq!(store.next_seq().await.unwrap(), Seq(409), "399 records and the head are a commit");
    assert_eq!(journal(&store).await, records(0..409), "the journal has no gap meanwhile");
    // Neither another batch nor a part of this one is taken for it.
    for batch in [records(10..900), vec![record(10, "other")]] {
        match store.append(Seq(10), &batch).await {
            Err(StoreError::Conflict { expected: Seq(10), found: Seq(409) }) => {}
            other => panic!("{other:?}"),
        }
    }
    let mut other = records(10..1_010);
    other[3] = record(13, "other");
    assert!(matches!(store.append(Seq(10), &other).await, Err(StoreError::Conflict { .. })));
    let before = commits(&fake);
    assert_eq!(store.append(Seq(10), &records(10..1_010)).await.unwrap(), Seq(1_010));
    assert_eq!(commits(&fake) - before, 2, "399 and 202 records were left");
    assert_eq!(journal(&store).await, records(0..1_010));
    assert_eq!(fake.largest_commit(), 400);
}

#[tokio::test]
async fn a_writer_of_a_restarted_process_may_go_on_behind_an_interrupted_batch() {
    let fake = FakeFirestore::start().await;
    let first = store(&fake);
    fake.fail_times(1, Fault::SlowAfterApply(Duration::ZERO));
    fake.fail_times(1, Fault::SlowAfterApply(Duration::ZERO));
    fake.fail_times(60, Fault::Unavailable);
    first.append(Seq(0), &records(0..500)).await.unwrap_err();
    fake.come_back();
    let second = store(&fake);
    let next = second.next_seq().await.unwrap();
    assert_eq!(next, Seq(399));
    assert_eq!(second.append(next, &records(399..420)).await.unwrap(), Seq(420));
    assert_eq!(journal(&second).await, records(0..420));
}

#[tokio::test]
async fn a_record_behind_the_end_is_corruption() {
    let fake = FakeFirestore::start().await;
    store(&fake).append(Seq(0), &records(0..2)).await.unwrap();
    fake.tamper(HEAD, |mut head| {
        head["next"]["integerValue"] = "1".into();
        Some(head)
    });
    let error = store(&fake).append(Seq(1), &records(1..2)).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!(
            "Firestore document {SECOND} is corrupt: it exists, though the journal ends at 1"
        )),
        "{error}"
    );
}

#[tokio::test]
async fn a_record_that_was_deleted_or_changed_is_corruption_and_is_named() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    store.append(Seq(0), &records(0..3)).await.unwrap();
    fake.tamper(SECOND, |mut fields| {
        let json = fields["json"]["stringValue"].as_str().unwrap().replace("test", "tesT");
        fields["json"]["stringValue"] = json.into();
        Some(fields)
    });
    let error = store.read(Seq(0), NonZeroU32::MAX).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("Firestore document {SECOND} is corrupt: its checksum is ")),
        "{error}"
    );
    let again = store.append(Seq(0), &records(0..3)).await.unwrap_err().to_string();
    assert_eq!(again, error, "a damaged record is not an equal one");

    fake.tamper(SECOND, |_| None);
    for error in [
        store.read(Seq(0), NonZeroU32::MAX).await.unwrap_err().to_string(),
        store.append(Seq(0), &records(0..3)).await.unwrap_err().to_string(),
    ] {
        assert!(
            error.starts_with(&format!("Firestore document {SECOND} is corrupt: it is missing")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_end_that_was_deleted_is_corruption_and_no_end() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    store.append(Seq(0), &records(0..3)).await.unwrap();
    fake.tamper(&SECOND.replace("01", "02"), |_| None);
    let third = SECOND.replace("01", "02");
    for from in [0, 1, 2] {
        let error = store.read(Seq(from), NonZeroU32::MAX).await.unwrap_err().to_string();
        let expected = "is corrupt: it is missing, though the journal goes on until 3";
        assert!(error.starts_with(&format!("Firestore document {third} {expected}")), "{error}");
    }
    let page = store.read(Seq(0), NonZeroU32::new(2).unwrap()).await;
    assert!(page.is_err(), "a page that ends where the journal does not");
    assert_eq!(store.read(Seq(3), NonZeroU32::MAX).await.unwrap().records, []);
    fake.tamper(SECOND, |_| None);
    assert!(store.read(Seq(1), NonZeroU32::MAX).await.is_err(), "nothing is left of its end");
}

#[tokio::test]
async fn a_head_that_is_damaged_stops_appending_and_changes_nothing() {
    let fake = FakeFirestore::start().await;
    store(&fake).append(Seq(0), &records(0..2)).await.unwrap();
    fake.tamper(HEAD, |mut head| {
        head.remove("next");
        Some(head)
    });
    let before = fake.names();
    let error = store(&fake).append(Seq(2), &records(2..3)).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "Firestore document {HEAD} is corrupt: it has no place next; restore it from a copy, nothing was changed"
        )
    );
    assert_eq!(fake.names(), before);
}

#[tokio::test]
async fn a_journal_may_begin_at_a_later_place_if_it_is_empty() {
    let fake = FakeFirestore::start().await;
    let first = store(&fake);
    fake.fail_next(Fault::SlowAfterApply(Duration::ZERO));
    fake.fail_next(Fault::DeadlineAfterApply);
    first.start_at(Seq(100)).await.unwrap();
    first.start_at(Seq(100)).await.unwrap();
    assert!(matches!(first.start_at(Seq(90)).await, Err(StoreError::Conflict { .. })));
    assert_eq!(first.append(Seq(100), &records(100..102)).await.unwrap(), Seq(102));
    assert!(matches!(first.start_at(Seq(100)).await, Err(StoreError::Conflict { .. })));
    let page = first.read(Seq(0), NonZeroU32::MAX).await.unwrap();
    assert_eq!(page.records, records(100..102), "reading from before the beginning begins there");
    assert!(matches!(first.append(Seq(98), &records(98..102)).await, Err(StoreError::Conflict { .. })));
}

#[tokio::test]
async fn pages_shrink_until_the_answer_can_be_read() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    let large = |seq: u64| record(seq, &"x".repeat(800_000));
    for seq in 0..24 {
        store.append(Seq(seq), &[large(seq)]).await.unwrap();
    }
    // All of them are longer than the 16 MiB that are read of one answer.
    assert_eq!(journal(&store).await, (0..24).map(large).collect::<Vec<_>>());
}
