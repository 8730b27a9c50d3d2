//! What a run knew at one record: posture, legs, stops, orders, and what led there.

use std::fmt;

use hedge_core::{Envelope, OrderRecord, RunStarted, Seq};
use hedge_runtime::control::{Origin, Status};
use hedge_store::Owner;
use serde::Serialize;

use super::{Lines, words::order_words};
use crate::{
    config::{Config, Profile},
    operate::{Folded, Page},
};

/// How far back causes are followed.
const MOST_CAUSES: usize = 24;

/// How things stood after a record.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// The record.
    pub seq: Seq,
    /// It, and what led to it, the oldest first: a line each.
    pub led_to_by: Vec<String>,
    /// Posture, legs with their stops, figures: as `hedgectl status` would have told then.
    pub status: Status,
    /// Orders that were live, a line each.
    pub orders: Vec<String>,
}

impl Moment {
    /// After the last of `records`, which begin with the journal's first; `None` when there are none.
    pub fn after(records: &[Envelope], owner: &Owner, config: &Config) -> Option<Self> {
        let last = records.last()?;
        let folded = Folded::of(records, config);
        let mut orders: Vec<&OrderRecord> = folded.book.live_orders().collect();
        orders.sort_by_key(|order| order.seq);
        let orders = orders.into_iter().map(order_line).collect();
        let simulated = owner.profile == Profile::MainnetDry.as_str();
        let origin = Origin {
            profile: folded
                .started
                .as_ref()
                .map_or_else(|| owner.profile.clone(), |(run, _)| run.profile.clone()),
            simulated,
            pid: None,
            started_at: folded.started.as_ref().map(|(_, at)| *at),
            hold: None,
            venue: owner.venue.clone(),
            lease: None,
            standing: folded.standing,
        };
        let status = Status::of(&folded.book, origin, last.at);
        Some(Self { seq: last.seq, led_to_by: causes(records, last), status, orders })
    }
    /// The process that ran then.
    pub fn process(records: &[Envelope]) -> Option<&RunStarted> {
        use hedge_core::{Event, Fact};
        records.iter().rev().find_map(|record| match &record.event {
            Event::Fact(Fact::RunStarted(run)) => Some(run),
            _ => None,
        })
    }
}

fn causes(records: &[Envelope], last: &Envelope) -> Vec<String> {
    let mut lines = Lines::default();
    records.iter().for_each(|record| lines.learn(record));
    let mut found = vec![lines.line(last)];
    let mut cause = last.cause.filter(|earlier| *earlier < last.seq);
    while let Some(seq) = cause.filter(|_| found.len() < MOST_CAUSES) {
        let record = usize::try_from(seq.0).ok().and_then(|place| records.get(place));
        let Some(record) = record.filter(|record| record.seq == seq) else { break };
        found.push(lines.line(record));
        cause = record.cause.filter(|earlier| *earlier < seq);
    }
    found.reverse();
    found
}

fn order_line(order: &OrderRecord) -> String {
    let what = order_words(order.purpose, &order.position, &order.leg, order.qty);
    let filled = if order.filled.is_zero() { String::new() } else { format!(", {} filled", order.filled) };
    let doubt = if order.doubt.is_some() { ", the venue is being asked" } else { "" };
    format!("{} {:?}{filled}{doubt}: {what} (record {})", order.client_id, order.state, order.seq)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "after     record {}, {}", self.seq, self.status.at)?;
        // It ran then, so the page must not say that nobody guards the legs; which process it was nobody knows any more.
        let status = Status { pid: Some(0), ..self.status.clone() };
        let page = Page { status: &status, stopped: None, next_start: None, starting: None, followers: &[] }
            .to_string();
        for line in page.lines().filter(|line| !line.starts_with("executor ")) {
            writeln!(f, "{line}")?;
        }
        for order in &self.orders {
            writeln!(f, "order     {order}")?;
        }
        for line in &self.led_to_by {
            writeln!(f, "led by    {line}")?;
        }
        Ok(())
    }
}
