//! Views: paced, coalesced, newest wins; the NAV series that they feed.

use std::{sync::Arc, time::Duration};

use hedge_core::{Seq, StateStore, StoreError, View};
use hedge_store::firestore::{Firestore, FirestoreConfig};
use hedge_testkit::firestore::{FakeFirestore, Fault};

use crate::stage::{NAV, commits, config, store};

const STATE: &str = "hedge/paper/state/nav";

fn view(n: u64) -> View {
    View { as_of: Seq(n), json: format!(r#"{{"n":{n}}}"#) }
}

fn slow(fake: &FakeFirestore, view_interval: Duration) -> Arc<Firestore> {
    let config = FirestoreConfig { view_interval, ..config(&fake.host(), "paper") };
    Arc::new(Firestore::new(config).unwrap())
}

#[tokio::test]
async fn a_view_is_a_document_with_typed_fields() {
    let fake = FakeFirestore::start().await;
    let json = r#"{"nav": "10234.51", "open_legs": 2, "drawdown": 0.10, "legs": [{"qty": "0.5"}]}"#;
    store(&fake).put_view(&NAV, &View { as_of: Seq(9), json: json.to_owned() }).await.unwrap();
    let fields = serde_json::Value::Object(fake.fields(STATE).unwrap());
    assert_eq!(fields["nav"]["stringValue"], "10234.51");
    assert_eq!(fields["open_legs"]["integerValue"], "2");
    assert_eq!(fields["drawdown"]["stringValue"], "0.10", "a number that may be money keeps its digits");
    assert_eq!(fields["legs"]["arrayValue"]["values"][0]["mapValue"]["fields"]["qty"]["stringValue"], "0.5");
    assert_eq!(fields["as_of"]["integerValue"], "9");
    assert_eq!(fields["_json"]["stringValue"], json);
}

#[tokio::test]
async fn of_many_puts_in_an_interval_only_the_newest_is_written() {
    let fake = FakeFirestore::start().await;
    let store = slow(&fake, Duration::from_millis(300));
    store.put_view(&NAV, &view(0)).await.unwrap();
    let puts: Vec<_> = (1..=40)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.put_view(&NAV, &view(n)).await })
        })
        .collect();
    for put in puts {
        put.await.unwrap().unwrap();
    }
    assert_eq!(store.get_view(&NAV).await.unwrap(), Some(view(40)));
    assert_eq!(commits(&fake), 2, "one write for the first put and one for the forty after it");
}

#[tokio::test]
async fn two_writes_of_a_view_are_an_interval_apart_and_other_views_do_not_wait() {
    let fake = FakeFirestore::start().await;
    let store = slow(&fake, Duration::from_millis(400));
    let other = hedge_core::ViewName::new("health").unwrap();
    let begun = std::time::Instant::now();
    store.put_view(&NAV, &view(0)).await.unwrap();
    let (nav, health) = tokio::join!(
        async {
            store.put_view(&NAV, &view(1)).await.unwrap();
            begun.elapsed()
        },
        async {
            store.put_view(&other, &view(1)).await.unwrap();
            begun.elapsed()
        },
    );
    assert!(nav >= Duration::from_millis(400), "{nav:?}");
    assert!(health < nav, "{health:?} {nav:?}");
}

#[tokio::test]
async fn a_late_write_of_an_older_view_does_not_replace_a_newer_one() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    // The look at the document succeeds, the commit is late.
    fake.fail_next(Fault::SlowAfterApply(Duration::ZERO));
    fake.fail_next(Fault::LateApply);
    store.put_view(&NAV, &view(1)).await.unwrap();
    store.put_view(&NAV, &view(2)).await.unwrap();
    fake.apply_late();
    assert_eq!(store.get_view(&NAV).await.unwrap(), Some(view(2)));
    store.put_view(&NAV, &view(3)).await.unwrap();
    assert_eq!(store.get_view(&NAV).await.unwrap(), Some(view(3)));
}

#[tokio::test]
async fn a_view_that_somebody_else_changed_is_taken_over() {
    let fake = FakeFirestore::start().await;
    let (first, second) = (store(&fake), store(&fake));
    first.put_view(&NAV, &view(1)).await.unwrap();
    second.put_view(&NAV, &view(2)).await.unwrap();
    first.put_view(&NAV, &view(3)).await.unwrap();
    assert_eq!(second.get_view(&NAV).await.unwrap(), Some(view(3)));
    fake.tamper(STATE, |_| None);
    assert_eq!(second.get_view(&NAV).await.unwrap(), None);
    first.put_view(&NAV, &view(4)).await.unwrap();
    assert_eq!(second.get_view(&NAV).await.unwrap(), Some(view(4)));
}

#[tokio::test]
async fn an_abandoned_put_is_written_by_the_flush_at_the_end() {
    let fake = FakeFirestore::start().await;
    let store = slow(&fake, Duration::from_secs(3_600));
    store.put_view(&NAV, &view(1)).await.unwrap();
    let put = tokio::time::timeout(Duration::from_millis(20), store.put_view(&NAV, &view(2))).await;
    assert!(put.is_err(), "it waits for its turn");
    assert_eq!(store.get_view(&NAV).await.unwrap(), Some(view(1)));
    store.flush(Duration::from_secs(30)).await.unwrap();
    assert_eq!(store.get_view(&NAV).await.unwrap(), Some(view(2)));
    let before = commits(&fake);
    store.flush(Duration::from_secs(30)).await.unwrap();
    assert_eq!(commits(&fake), before, "nothing is left");
}

#[tokio::test]
async fn a_flush_ends_in_time_also_when_nothing_answers() {
    let fake = FakeFirestore::start().await;
    let store = slow(&fake, Duration::from_secs(3_600));
    store.put_view(&NAV, &view(1)).await.unwrap();
    tokio::time::timeout(Duration::from_millis(20), store.put_view(&NAV, &view(2))).await.unwrap_err();
    fake.fail_times(10, Fault::SlowAfterApply(Duration::from_secs(60)));
    let error = store.flush(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error.to_string(), "writing the last views failed: not done after 0.1 s");
}

#[tokio::test]
async fn a_damaged_view_says_that_it_may_be_deleted() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    store.put_view(&NAV, &view(1)).await.unwrap();
    fake.tamper(STATE, |_| Some(serde_json::Map::new()));
    let error = store.get_view(&NAV).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("deleting it loses nothing"), "{error}");
}

fn nav_at(points: &[(&str, &str)]) -> View {
    let series: Vec<String> =
        points.iter().map(|(t, nav)| format!(r#"{{"t":"{t}","nav":"{nav}"}}"#)).collect();
    View { as_of: Seq(1), json: format!(r#"{{"nav":"1","series":[{}]}}"#, series.join(",")) }
}

#[tokio::test]
async fn the_nav_series_is_a_document_a_day_fed_by_the_view() {
    let fake = FakeFirestore::start().await;
    let first = store(&fake);
    let a = ("2026-11-20T23:50:00.000Z", "100.10");
    let b = ("2026-11-20T23:55:00.000Z", "100.20");
    let c = ("2026-11-21T00:00:00.000Z", "100.30");
    let d = ("2026-11-21T00:05:00.000Z", "100.40");
    first.put_view(&NAV, &nav_at(&[a])).await.unwrap();
    // A lost answer repeats the commit; the point is there once.
    fake.fail_next(Fault::DeadlineAfterApply);
    first.put_view(&NAV, &nav_at(&[a, b, c])).await.unwrap();
    // A new process looks first, and adds what an outage left out.
    let second = store(&fake);
    second.put_view(&NAV, &nav_at(&[a, b, c, d])).await.unwrap();
    let shown = async |day: &str| -> Vec<(String, String)> {
        let points = second.nav_day(day).await.unwrap();
        points.into_iter().map(|point| (point.at.to_string(), point.nav)).collect()
    };
    let owned = |points: &[(&str, &str)]| -> Vec<(String, String)> {
        points.iter().map(|(t, nav)| ((*t).to_owned(), (*nav).to_owned())).collect()
    };
    assert_eq!(shown("20261120").await, owned(&[a, b]));
    assert_eq!(shown("20261121").await, owned(&[c, d]));
    assert_eq!(shown("20261122").await, []);
}

#[tokio::test]
async fn points_closer_than_the_interval_are_left_out() {
    let fake = FakeFirestore::start().await;
    let store = store(&fake);
    let points = [
        ("2026-11-20T09:00:00.000Z", "1"),
        ("2026-11-20T09:00:30.000Z", "2"),
        ("2026-11-20T09:01:00.000Z", "3"),
    ];
    store.put_view(&NAV, &nav_at(&points)).await.unwrap();
    let navs: Vec<String> =
        store.nav_day("20261120").await.unwrap().into_iter().map(|point| point.nav).collect();
    assert_eq!(navs, ["1", "3"]);
}
