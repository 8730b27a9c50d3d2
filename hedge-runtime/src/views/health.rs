//! `health.json`: whether a person should look.

use hedge_core::{Book, Posture, Timestamp};
use serde::Serialize;

use crate::lease::LeaseStatus;

use super::{Standing, StopFigures, unknown_age_seconds};

#[derive(Debug, Serialize)]
pub(crate) struct HealthView {
    at: String,
    status: &'static str,
    posture: Posture,
    operator: Posture,
    operator_because: String,
    connected: bool,
    run: String,
    term: u32,
    last_fact_at: String,
    last_venue_time: String,
    oldest_mark_age_ms: Option<u64>,
    open_legs: usize,
    unprotected: Vec<String>,
    live_orders: u32,
    doubtful_orders: u32,
    unknown_orders: u32,
    unknown_age_seconds: Option<u64>,
    foreign_orders: usize,
    #[serde(flatten)]
    stops: StopFigures,
    last_alert: Option<String>,
    /// Where it runs out; a lock does not, and says nothing that the term does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseStatus>,
}

pub(crate) fn health(
    book: &Book,
    at: Timestamp,
    standing: &Standing,
    lease: Option<&LeaseStatus>,
) -> HealthView {
    let (operator, because) = book.operator();
    let unprotected: Vec<String> = book
        .open_legs()
        .filter(|leg| leg.unprotected_since.is_some())
        .map(|leg| leg.key.to_string())
        .collect();
    let needs_attention = !book.is_connected() || !unprotected.is_empty() || book.doubtful_orders() > 0;
    HealthView {
        at: at.to_string(),
        status: match book.posture() {
            Posture::Halted => "halted",
            Posture::ExitOnly => "exit_only",
            Posture::Normal if needs_attention => "degraded",
            Posture::Normal => "ok",
        },
        posture: book.posture(),
        operator,
        operator_because: because.to_owned(),
        connected: book.is_connected(),
        run: book.run().to_string(),
        term: book.term().0,
        last_fact_at: book.last_fact_at().to_string(),
        last_venue_time: book.last_venue_time().to_string(),
        oldest_mark_age_ms: book
            .instruments()
            .filter_map(|(ix, _)| book.mark(ix))
            .map(|(_, learned)| at.since(learned).as_millis() as u64)
            .max(),
        open_legs: book.open_legs().count(),
        unprotected,
        live_orders: book.live_order_count(),
        doubtful_orders: book.doubtful_orders(),
        unknown_orders: book.doubtful_orders(),
        unknown_age_seconds: unknown_age_seconds(book, at),
        foreign_orders: book.foreign_orders().len(),
        stops: standing.stops.figures(at),
        last_alert: standing.last_alert.clone(),
        lease: lease.filter(|lease| lease.left_s.is_some() || lease.note.is_some()).cloned(),
    }
}
