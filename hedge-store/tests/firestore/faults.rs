//! What outages, quotas and refusals look like, and what they cost.

use std::time::{Duration, Instant};

use hedge_core::{Seq, StateStore};
use hedge_store::firestore::{Firestore, FirestoreError, FirestoreRetry};
use hedge_testkit::{
    firestore::{FakeFirestore, Fault},
    records::records,
};

use crate::stage::{config, journal, quick, store};

#[tokio::test]
async fn a_store_is_made_while_the_service_is_down_and_works_when_it_is_up() {
    let kept = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = kept.local_addr().unwrap();
    drop(kept);
    let store = Firestore::new(config(&address.to_string(), "paper")).unwrap();
    let error = store.append(Seq(0), &records(0..1)).await.unwrap_err();
    let cause = FirestoreError::of(&error).unwrap();
    assert!(
        cause.is_retryable() && matches!(cause, FirestoreError::Unavailable { in_doubt: false, .. }),
        "{error:?}"
    );
    assert!(store.usage().last_error.unwrap().contains("was not sent"));

    let fake = FakeFirestore::start_on(std::net::TcpListener::bind(address).unwrap()).await;
    assert_eq!(store.append(Seq(0), &records(0..1)).await.unwrap(), Seq(1));
    assert_eq!(store.usage().last_error, None);
    assert_eq!(fake.names().len(), 2);
}

#[tokio::test]
async fn an_outage_is_tried_five_times_and_then_told() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    fake.go_down();
    let error = store.next_seq().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "reading where the journal ends failed: Firestore did not take it in 5 attempts: The service is currently unavailable. \
         (UNAVAILABLE)"
    );
    assert_eq!(fake.calls().len(), 5);
    fake.come_back();
    assert_eq!(store.next_seq().await.unwrap(), Seq(0));
}

#[tokio::test]
async fn an_exhausted_quota_is_typed_and_nothing_is_sent_during_the_pause() {
    let fake = FakeFirestore::start().await;
    let ten_minutes = Duration::from_secs(600);
    let retry = FirestoreRetry { quota_pause: ten_minutes, quota_pause_cap: ten_minutes, ..quick() };
    let store =
        Firestore::new(hedge_store::firestore::FirestoreConfig { retry, ..config(&fake.host(), "paper") })
            .unwrap();
    fake.fail_times(100, Fault::Exhausted);
    let error = store.append(Seq(0), &records(0..1)).await.unwrap_err();
    assert!(matches!(FirestoreError::of(&error), Some(FirestoreError::QuotaExhausted { .. })), "{error:?}");
    let sent = fake.calls().len();
    assert_eq!(sent, 5);
    for _ in 0..50 {
        let error = store.append(Seq(0), &records(0..1)).await.unwrap_err();
        let wait = FirestoreError::of(&error).unwrap().retry_after().unwrap();
        assert!(wait <= Duration::from_secs(600) && wait > Duration::from_secs(500), "{wait:?}");
    }
    assert_eq!(fake.calls().len(), sent, "something was sent during the pause");
    assert!(store.usage().paused_for.is_some());
}

#[tokio::test]
async fn after_the_pause_the_same_append_succeeds() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    fake.fail_times(5, Fault::Exhausted);
    store.append(Seq(0), &records(0..2)).await.unwrap_err();
    let begun = Instant::now();
    while store.append(Seq(0), &records(0..2)).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the pause does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(journal(&store).await, records(0..2));
}

#[tokio::test]
async fn refusals_are_told_apart_and_not_repeated() {
    for (fault, expected) in [
        (Fault::Denied, "roles/datastore.user"),
        (Fault::NoDatabase, "create it, or correct store.firestore.project and .database"),
        (Fault::Unauthenticated, "check the service account's key and this machine's clock"),
    ] {
        let fake = FakeFirestore::start().await;
        let store = store(&fake);
        fake.fail_next(fault);
        let error = store.next_seq().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!FirestoreError::of(&error).unwrap().is_retryable(), "{error:?}");
        assert_eq!(fake.calls().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn what_was_written_and_read_today_is_counted() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    store.append(Seq(0), &records(0..3)).await.unwrap();
    let usage = store.usage();
    assert_eq!(
        (usage.writes_today, usage.reads_today),
        (4, 1),
        "three records and the head; the head was read once"
    );
}
