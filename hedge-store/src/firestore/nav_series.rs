//! The NAV over time: one document a day with a list of points, fed by the view `nav`.
//!
//! The view carries the points of the last day, so after an outage shorter than that the missing ones are added. Adding is
//! "append what is not there yet", so repeating it changes nothing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hedge_core::{StoreError, Timestamp, View, ViewName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    client::Client,
    value::{Fields, Value},
    wire::{Elements, Mask, Transform, Update, Write},
};

/// The view that carries points.
const VIEW: &str = "nav";

/// One point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NavPoint {
    /// When.
    pub at: Timestamp,
    /// The net asset value, as the view wrote it.
    pub nav: String,
}

/// What of the view is read here. Everything may be missing: the view is somebody else's.
#[derive(Deserialize)]
struct NavView<'a> {
    #[serde(default, borrow)]
    series: Vec<Sample<'a>>,
}

#[derive(Deserialize)]
struct Sample<'a> {
    t: String,
    #[serde(borrow)]
    nav: &'a RawValue,
}

/// Which points are stored.
#[derive(Debug)]
pub(super) struct NavSeries {
    every: Duration,
    /// The last stored point; `None` until the documents were looked at.
    last: Mutex<Option<Timestamp>>,
}

/// Points that a commit adds.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub(super) writes: Vec<Write>,
    last: Option<Timestamp>,
}

impl NavSeries {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last: Mutex::default() }
    }

    /// The writes that add the points that are not stored yet; none for another view.
    pub(super) async fn points(
        &self,
        client: &Client,
        name: &ViewName,
        view: &View,
    ) -> Result<Points, StoreError> {
        if name.as_str() != VIEW {
            return Ok(Points::default());
        }
        let all = points_of(&view.json);
        let Some(first) = all.first() else { return Ok(Points::default()) };
        let known = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = match known {
            Some(last) => last,
            None => last_stored(client, first.at, all.last().map_or(first.at, |point| point.at)).await?,
        };
        let mut days: BTreeMap<String, Vec<&NavPoint>> = BTreeMap::new();
        let mut taken = last;
        for point in all.iter() {
            if taken == Timestamp::EPOCH || (point.at > taken && point.at.since(taken) >= self.every) {
                taken = point.at;
                days.entry(day_of(point.at)).or_default().push(point);
            }
        }
        let writes =
            days.into_iter().map(|(day, points)| add(client.paths.nav_day(&day), &day, &points)).collect();
        Ok(Points { writes, last: Some(taken) })
    }

    /// The commit with those points succeeded.
    pub(super) fn stored(&self, points: Points) {
        if let Some(last) = points.last {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        }
    }
}

/// The points of a day.
pub(super) async fn read_day(client: &Client, day: &str) -> Result<Vec<NavPoint>, StoreError> {
    let found = client.get(client.paths.nav_day(day)).await;
    let found = found.map_err(|error| error.while_doing(format!("reading the NAV series of {day}")))?;
    let fields = found.document.map(|document| document.fields).unwrap_or_default();
    Ok(points_in(&fields))
}

fn points_in(fields: &Fields) -> Vec<NavPoint> {
    let values = fields.get("points").and_then(Value::as_list).unwrap_or_default();
    let point = |value: &Value| {
        let fields = value.as_map()?;
        Some(NavPoint { at: fields.get("t")?.as_time()?, nav: fields.get("nav")?.as_text()?.to_owned() })
    };
    let mut points: Vec<NavPoint> = values.iter().filter_map(point).collect();
    points.sort_by_key(|point| point.at);
    points
}

/// The last point in the documents of the days that the view covers; the epoch if there is none.
async fn last_stored(client: &Client, first: Timestamp, last: Timestamp) -> Result<Timestamp, StoreError> {
    let mut names = vec![client.paths.nav_day(&day_of(first))];
    if day_of(last) != day_of(first) {
        names.push(client.paths.nav_day(&day_of(last)));
    }
    let found = client.get_all(&names).await;
    let found = found.map_err(|error| error.while_doing("reading the NAV series"))?;
    let points =
        found.into_iter().filter_map(|read| read.document).flat_map(|document| points_in(&document.fields));
    Ok(points.map(|point| point.at).max().unwrap_or(Timestamp::EPOCH))
}

/// The points that a view carries, oldest first. A view without any, or of another form, carries none.
fn points_of(json: &str) -> Vec<NavPoint> {
    let Ok(view) = serde_json::from_str::<NavView<'_>>(json) else { return Vec::new() };
    let point = |sample: &Sample<'_>| {
        let nav = sample.nav.get().trim_matches('"').to_owned();
        Some(NavPoint { at: sample.t.parse().ok()?, nav })
    };
    let mut points: Vec<NavPoint> = view.series.iter().filter_map(point).collect();
    points.sort_by_key(|point| point.at);
    points
}

fn add(name: String, day: &str, points: &[&NavPoint]) -> Write {
    let element = |point: &&NavPoint| {
        Value::Map(Fields::from([
            ("t".to_owned(), Value::Time(point.at)),
            ("nav".to_owned(), Value::from(point.nav.as_str())),
        ]))
    };
    let values = points.iter().map(element).collect();
    Write {
        update: Update { name, fields: Fields::from([("day".to_owned(), day.into())]) },
        // With the mask the points that are there stay.
        update_mask: Some(Mask { field_paths: vec!["day"] }),
        update_transforms: vec![Transform {
            field_path: "points",
            append_missing_elements: Elements { values },
        }],
        current_document: None,
    }
}

/// `yyyymmdd` in UTC.
fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).filter(|letter| *letter != '-').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_from_the_view_that_carries_them() {
        let json = r#"{"nav":"2","series":[{"t":"2026-11-20T09:05:00.000Z","nav":"10.50"},
            {"t":"2026-11-20T09:00:00.000Z","nav":10.25},{"t":"yesterday","nav":"1"}]}"#;
        let points = points_of(json);
        let shown: Vec<(String, &str)> = points.iter().map(|p| (p.at.to_string(), p.nav.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("2026-11-20T09:00:00.000Z".to_owned(), "10.25"),
                ("2026-11-20T09:05:00.000Z".to_owned(), "10.50")
            ]
        );
        assert_eq!(points_of("{}"), []);
        assert_eq!(points_of(r#"{"series":7}"#), []);
    }

    #[test]
    fn a_day_is_that_of_utc() {
        assert_eq!(day_of(Timestamp::from_ms(1_795_219_199_999)), "20261120");
        assert_eq!(day_of(Timestamp::from_ms(1_795_219_200_000)), "20261121");
    }
}
