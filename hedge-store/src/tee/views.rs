//! Views on their way to a follower: the newest of each name, one after the other.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hedge_core::{StateStore, StoreError, View, ViewName};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tracing::warn;

use super::{
    ship::{FIRST_PAUSE, LONGEST_PAUSE, SAY_EVERY, Shared, ended},
    status::FollowerState,
    store::Follow,
};

/// How long the views that are left at the end may take.
const LAST_PUTS: Duration = Duration::from_secs(1);

/// The newest view of each name that has not arrived.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    views: Mutex<BTreeMap<ViewName, View>>,
    news: Notify,
}

impl Waiting {
    /// A newer view takes the place of one that still waits.
    pub(super) fn put(&self, name: ViewName, view: View) {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).insert(name, view);
        self.news.notify_one();
    }

    /// The first one after a name.
    fn after(&self, last: Option<ViewName>) -> Option<(ViewName, View)> {
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        views.range((from, Bound::Unbounded)).next().map(|(name, view)| (*name, view.clone()))
    }

    fn is_empty(&self) -> bool {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The view has arrived, or never will; a newer one of its name stays.
    fn settled(&self, name: &ViewName, view: &View) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.get(name) == Some(view) {
            views.remove(name);
        }
    }
}

fn has_diverged(shared: &Shared) -> bool {
    shared.with(|status| status.state == FollowerState::Diverged)
}

/// Puts views until the shipping ends, or the follower has diverged. None is put before the follower was found to hold this
/// journal: another one's views are not ours to replace.
pub(super) async fn ship(shared: Arc<Shared>, store: Arc<dyn StateStore>, options: Follow) {
    let mut until = shared.until.subscribe();
    let mut is_ours = shared.is_ours.subscribe();
    tokio::select! {
        biased;
        // A follower that holds another journal never becomes ours, and an end must not wait for that.
        ours = is_ours.wait_for(|ours| *ours || has_diverged(&shared)) => {
            if ours.is_err() || has_diverged(&shared) {
                return;
            }
        }
        () = ended(&mut until) => return,
    }
    let (mut pause, mut said_at) = (FIRST_PAUSE, None::<Instant>);
    loop {
        let put = tokio::select! {
            biased;
            put = put_all(&shared, store.as_ref(), &options) => Some(put),
            // A store may let a view wait for its turn for longer than an end can wait.
            () = end_asked(&mut until) => None,
        };
        let Some(put) = put else { return last_puts(&shared, &store).await };
        let mut asked = shared.until.subscribe();
        if has_diverged(&shared) {
            return;
        }
        if asked.borrow().is_some() {
            return last_puts(&shared, &store).await;
        }
        match put {
            Ok(()) => {
                pause = FIRST_PAUSE;
                wait(&shared, &mut asked, &options).await;
            }
            Err(error) => {
                if said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
                    said_at = Some(Instant::now());
                    warn!(follower = options.name, because = %error, "views do not arrive; the newest are put later");
                }
                tokio::select! {
                    () = sleep(pause) => {}
                    _ = asked.changed() => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn end_asked(until: &mut watch::Receiver<Option<Instant>>) {
    let _ = until.wait_for(Option::is_some).await;
}

/// What still waits, all at the same time and for a moment only: a store that paces its views keeps those that were given up,
/// and its owner flushes it.
async fn last_puts(shared: &Arc<Shared>, store: &Arc<dyn StateStore>) {
    let mut puts = JoinSet::new();
    let mut last = None;
    while let Some((name, view)) = shared.views.after(last) {
        if !*shared.is_ours.borrow() {
            return;
        }
        last = Some(name);
        let (shared, store) = (Arc::clone(shared), Arc::clone(store));
        puts.spawn(async move {
            if store.put_view(&name, &view).await.is_ok() {
                shared.views.settled(&name, &view);
            }
        });
    }
    // Those that are not done by then are dropped with the set.
    let all = async { while puts.join_next().await.is_some() {} };
    timeout(LAST_PUTS, all).await.ok();
}

/// Each name once, so that one that changes all the time does not keep the others waiting.
async fn put_all(shared: &Shared, store: &dyn StateStore, options: &Follow) -> Result<(), StoreError> {
    let mut last = None;
    while let Some((name, view)) = shared.views.after(last) {
        if !*shared.is_ours.borrow() {
            return Ok(());
        }
        last = Some(name);
        match timeout(options.view_within, store.put_view(&name, &view)).await {
            Ok(Ok(())) => {}
            Ok(Err(StoreError::Encode { source, .. })) => {
                warn!(follower = options.name, view = name.as_str(), %source, "a view cannot be mirrored");
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let source = format!("no answer within {} s", options.view_within.as_secs()).into();
                return Err(StoreError::Io { doing: format!("replacing view {}", name.as_str()), source });
            }
        }
        shared.views.settled(&name, &view);
    }
    Ok(())
}

async fn wait(shared: &Shared, asked: &mut watch::Receiver<Option<Instant>>, options: &Follow) {
    if shared.views.is_empty() {
        tokio::select! {
            () = shared.views.news.notified() => {}
            _ = asked.changed() => return,
        }
    }
    tokio::select! {
        () = sleep(options.gather) => {}
        _ = asked.changed() => {}
    }
}
