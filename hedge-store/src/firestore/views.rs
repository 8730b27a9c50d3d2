//! Views: one small document each, replaced as a whole, at most once per interval, the newest content always winning.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hedge_core::{Seq, StoreError, View, ViewName};
use tokio::time::Instant;

use super::{
    client::{Client, Failure},
    error::FirestoreError,
    json,
    nav_series::NavSeries,
    record::{corrupt, number},
    value::{Fields, Value},
    wire::{Precondition, Write},
};
use crate::view;

/// The field with the view's exact text. Typed fields beside it are for other readers.
const TEXT: &str = "_json";
const AS_OF: &str = "as_of";
/// Longest text of a view; with its typed fields it has to fit into one document of 1 MiB.
const TEXT_BYTES: usize = 1_000_000;
/// Above this only the text is stored.
const TYPED_BYTES: usize = 300_000;

/// The views of one installation.
#[derive(Debug)]
pub(super) struct Views {
    interval: Duration,
    nav: NavSeries,
    slots: Mutex<BTreeMap<&'static str, Arc<Slot>>>,
}

/// One view: what shall be written, and whose turn it is.
#[derive(Debug, Default)]
struct Slot {
    wanted: Mutex<Wanted>,
    /// Held while writing.
    turn: tokio::sync::Mutex<Written>,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Counts puts.
    count: u64,
    view: Option<View>,
}

#[derive(Debug, Default)]
struct Written {
    /// The put that is stored.
    count: u64,
    /// When the last attempt ended.
    at: Option<Instant>,
    /// What must hold for the next write; `None` until the document was looked at.
    current: Option<Precondition>,
}

impl Slot {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Views {
    pub(super) fn new(interval: Duration, nav: NavSeries) -> Self {
        Self { interval, nav, slots: Mutex::default() }
    }

    /// Replaces a view. Waits until the document may be written again; of several puts that wait, only the newest is
    /// written, and all of them succeed with it.
    pub(super) async fn put(&self, client: &Client, name: &ViewName, view: &View) -> Result<(), StoreError> {
        view::check(name, view)?;
        let slot = self.slot(name);
        let own = {
            let mut wanted = slot.wanted();
            wanted.count += 1;
            wanted.view = Some(view.clone());
            wanted.count
        };
        let mut written = slot.turn.lock().await;
        if written.count >= own {
            return Ok(());
        }
        if let Some(at) = written.at {
            tokio::time::sleep_until(at + self.interval).await;
        }
        self.write_newest(client, name, &slot, &mut written).await
    }

    /// Writes what was put and never stored because its put was abandoned. Keeps no interval.
    pub(super) async fn flush(&self, client: &Client) -> Result<(), StoreError> {
        let slots: Vec<_> = self.slots().iter().map(|(name, slot)| (*name, Arc::clone(slot))).collect();
        let mut failed = Ok(());
        for (name, slot) in slots {
            let Some(name) = ViewName::new(name) else { continue };
            let mut written = slot.turn.lock().await;
            if written.count < slot.wanted().count
                && let Err(error) = self.write_newest(client, &name, &slot, &mut written).await
            {
                failed = Err(error);
            }
        }
        failed
    }

    pub(super) async fn get(&self, client: &Client, name: &ViewName) -> Result<Option<View>, StoreError> {
        let found = client.get(client.paths.view(name.as_str())).await;
        let found = found.map_err(|error| error.while_doing(format!("reading view {}", name.as_str())))?;
        let Some(document) = found.document else { return Ok(None) };
        let (Some(as_of), Some(json)) = (document.number(AS_OF), document.text(TEXT)) else {
            let advice =
                format!("it has no fields {AS_OF} and {TEXT}; views are rebuilt, deleting it loses nothing");
            return Err(corrupt(&document, advice));
        };
        Ok(Some(View { as_of: Seq(as_of), json: json.to_owned() }))
    }

    async fn write_newest(
        &self,
        client: &Client,
        name: &ViewName,
        slot: &Slot,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let (count, view) = {
            let wanted = slot.wanted();
            (wanted.count, wanted.view.clone())
        };
        let Some(view) = view else { return Ok(()) };
        let result = self.write(client, name, &view, written).await;
        written.at = Some(Instant::now());
        if result.is_ok() {
            written.count = count;
        }
        result
    }

    /// Writes one view, under the precondition that nobody has written since this process did: a write of its own that
    /// comes late never replaces a newer one.
    async fn write(
        &self,
        client: &Client,
        name: &ViewName,
        view: &View,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        let doing = || format!("writing view {}", name.as_str());
        let document = client.paths.view(name.as_str());
        let fields = fields_of(name, view)?;
        let points = self.nav.points(client, name, view).await?;
        let mut attempt = 1;
        loop {
            let current = match written.current.take() {
                Some(current) => current,
                None => {
                    let found =
                        client.get(document.clone()).await.map_err(|error| error.while_doing(doing()))?;
                    found
                        .document
                        .map_or(Precondition::Exists(false), |it| Precondition::UpdateTime(it.update_time))
                }
            };
            let mut writes = vec![Write::replace(document.clone(), fields.clone(), Some(current.clone()))];
            writes.extend(points.writes.iter().cloned());
            let failure = match client.commit_once(&writes).await {
                Ok(committed) => {
                    let version = committed.write_results.into_iter().next().and_then(|it| it.update_time);
                    written.current = version.map(Precondition::UpdateTime);
                    self.nav.stored(points);
                    return Ok(());
                }
                Err(failure) => failure,
            };
            if let Failure::Precondition(_) = failure {
                // An earlier attempt of this very write, or somebody else. Either way the newest content is this one, and the
                // next round looks at the document again.
                if attempt >= client.retry.attempts.get() {
                    return Err(client.give_up(failure, attempt).while_doing(doing()));
                }
            } else {
                written.current = Some(current);
                match client.wait(attempt, &failure) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(client.give_up(failure, attempt).while_doing(doing())),
                }
            }
            attempt += 1;
        }
    }

    fn slot(&self, name: &ViewName) -> Arc<Slot> {
        Arc::clone(self.slots().entry(name.as_str()).or_default())
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The view's own fields, its place and its exact text.
fn fields_of(name: &ViewName, view: &View) -> Result<Fields, StoreError> {
    let refused = |source: hedge_core::BoxError| StoreError::Encode { seq: view.as_of, source };
    if view.json.len() > TEXT_BYTES {
        let what = format!("view {}", name.as_str());
        return Err(refused(
            FirestoreError::TooLarge { what, bytes: view.json.len(), limit: TEXT_BYTES }.into(),
        ));
    }
    let mut fields =
        if view.json.len() <= TYPED_BYTES { json::fields(&view.json) } else { None }.unwrap_or_default();
    let as_of = number(view.as_of).ok_or_else(|| refused("its place is too large".into()))?;
    fields.insert(AS_OF.to_owned(), as_of);
    fields.insert(TEXT.to_owned(), Value::from(view.json.as_str()));
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAV: ViewName = match ViewName::new("nav") {
        Some(name) => name,
        None => unreachable!(),
    };

    #[test]
    fn a_view_is_typed_fields_for_others_and_its_text_for_us() {
        let view = View { as_of: Seq(7), json: r#"{"nav": "1.50", "legs": 2}"#.to_owned() };
        let fields = fields_of(&NAV, &view).unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), [TEXT, AS_OF, "legs", "nav"]);
        assert_eq!(
            (&fields["nav"], &fields["legs"], &fields[AS_OF]),
            (&"1.50".into(), &Value::Int(2), &Value::Int(7))
        );
        assert_eq!(fields[TEXT], Value::from(view.json));
    }

    #[test]
    fn a_large_view_is_text_only_and_a_larger_one_is_refused() {
        let view = |size: usize| View { as_of: Seq(7), json: format!("{{\"a\":\"{}\"}}", "x".repeat(size)) };
        assert_eq!(fields_of(&NAV, &view(400_000)).unwrap().len(), 2);
        let error = fields_of(&NAV, &view(1_000_000)).unwrap_err();
        assert!(
            error.to_string().contains("view nav has 1000008 bytes, and Firestore takes 1000000"),
            "{error}"
        );
    }
}
