//! A fake and stores on it that do not wait long.

use std::{num::NonZeroU32, time::Duration};

use hedge_core::{Envelope, Seq, StateStore, ViewName};
use hedge_store::firestore::{Firestore, FirestoreConfig, FirestoreRetry};
use hedge_testkit::firestore::FakeFirestore;

pub(crate) const NAV: ViewName = match ViewName::new("nav") {
    Some(name) => name,
    None => unreachable!(),
};

pub(crate) fn quick() -> FirestoreRetry {
    FirestoreRetry {
        base: Duration::from_millis(2),
        cap: Duration::from_millis(10),
        quota_pause: Duration::from_millis(150),
        quota_pause_cap: Duration::from_millis(300),
        ..FirestoreRetry::default()
    }
}

/// A store on that host that paces nothing.
pub(crate) fn config(host: &str, env: &str) -> FirestoreConfig {
    FirestoreConfig {
        view_interval: Duration::ZERO,
        nav_interval: Duration::from_secs(60),
        retry: quick(),
        ..FirestoreConfig::emulator(host, "hedge-tests", env)
    }
}

pub(crate) fn store(fake: &FakeFirestore) -> Firestore {
    Firestore::new(config(&fake.host(), "paper")).unwrap()
}

/// Everything in the journal.
pub(crate) async fn journal(store: &Firestore) -> Vec<Envelope> {
    let (mut found, mut from) = (Vec::new(), Some(Seq(0)));
    while let Some(place) = from {
        let page = store.read(place, NonZeroU32::MAX).await.unwrap();
        found.extend(page.records);
        from = page.next;
    }
    found
}

pub(crate) fn commits(fake: &FakeFirestore) -> usize {
    fake.calls().iter().filter(|call| *call == "commit").count()
}
