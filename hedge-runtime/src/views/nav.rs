//! Net asset value over time: peak, drawdown, the last day.

use std::{collections::VecDeque, time::Duration};

use hedge_core::{Book, Decimal, Timestamp};
use serde::Serialize;

/// Distance of the kept points.
const SAMPLE_EVERY: Duration = Duration::from_secs(300);
/// How long points are kept: a day and one sample.
const KEPT: Duration = Duration::from_secs(86_700);
const DAY: Duration = Duration::from_secs(86_400);

/// Follows the book's equity. Transfers move everything before them by the same amount.
#[derive(Clone, Debug, Default)]
pub(crate) struct NavTrack {
    peak: Option<Decimal>,
    peak_at: Timestamp,
    points: VecDeque<(Timestamp, Decimal)>,
    transfers: Decimal,
}

/// `nav.json`.
#[derive(Debug, Serialize)]
pub(crate) struct NavView {
    at: String,
    nav: Decimal,
    wallet: Decimal,
    unrealized: Decimal,
    nav_start: Decimal,
    realized: Decimal,
    fees: Decimal,
    funding: Decimal,
    transfers: Decimal,
    corrections: Decimal,
    peak: Decimal,
    drawdown_pct: Decimal,
    nav_24h_delta_abs: Option<Decimal>,
    nav_24h_delta_pct: Option<Decimal>,
    series: Vec<Point>,
}

/// One point of the series.
#[derive(Debug, Serialize)]
struct Point {
    t: String,
    nav: Decimal,
}

/// `peak_state.json`.
#[derive(Debug, Serialize)]
pub(crate) struct PeakView {
    at: String,
    peak: Decimal,
    peak_at: String,
    nav: Decimal,
    drawdown_pct: Decimal,
}

impl NavTrack {
    /// Takes the book's equity as of now.
    pub(crate) fn sample(&mut self, at: Timestamp, book: &Book) {
        if !book.is_started() {
            return;
        }
        let moved = book.totals().transfers - self.transfers;
        if !moved.is_zero() {
            self.transfers = book.totals().transfers;
            self.peak = self.peak.map(|peak| peak + moved);
            for (_, nav) in &mut self.points {
                *nav += moved;
            }
        }
        let nav = book.equity();
        if self.peak.is_none_or(|peak| nav > peak) {
            self.peak = Some(nav);
            self.peak_at = at;
        }
        if self.points.back().is_none_or(|(last, _)| at.since(*last) >= SAMPLE_EVERY) {
            self.points.push_back((at, nav));
            while self.points.front().is_some_and(|(first, _)| at.since(*first) > KEPT) {
                self.points.pop_front();
            }
        }
    }

    pub(crate) fn view(&self, book: &Book, at: Timestamp) -> NavView {
        let totals = book.totals();
        let nav = book.equity();
        let before = self.day_ago(at);
        NavView {
            at: at.to_string(),
            nav: tidy(nav),
            wallet: tidy(nav - book.unrealized()),
            unrealized: tidy(book.unrealized()),
            nav_start: tidy(totals.nav_start),
            realized: tidy(totals.realized),
            fees: tidy(totals.fees),
            funding: tidy(totals.funding),
            transfers: tidy(totals.transfers),
            corrections: tidy(totals.corrections),
            peak: tidy(self.peak.unwrap_or(nav)),
            drawdown_pct: self.drawdown_pct(nav),
            nav_24h_delta_abs: before.map(|before| tidy(nav - before)),
            nav_24h_delta_pct: before.and_then(|before| percent(nav - before, before)),
            series: self.points.iter().map(|(t, nav)| Point { t: t.to_string(), nav: tidy(*nav) }).collect(),
        }
    }

    pub(crate) fn peak_view(&self, book: &Book, at: Timestamp) -> PeakView {
        let nav = book.equity();
        PeakView {
            at: at.to_string(),
            peak: tidy(self.peak.unwrap_or(nav)),
            peak_at: self.peak_at.to_string(),
            nav: tidy(nav),
            drawdown_pct: self.drawdown_pct(nav),
        }
    }

    fn drawdown_pct(&self, nav: Decimal) -> Decimal {
        self.peak.and_then(|peak| percent((peak - nav).max(Decimal::ZERO), peak)).unwrap_or_default()
    }

    /// The newest point that is at least a day old.
    fn day_ago(&self, at: Timestamp) -> Option<Decimal> {
        self.points.iter().rev().find(|(t, _)| at.since(*t) >= DAY).map(|(_, nav)| *nav)
    }
}

fn percent(part: Decimal, whole: Decimal) -> Option<Decimal> {
    (whole > Decimal::ZERO).then(|| tidy((part / whole * Decimal::ONE_HUNDRED).round_dp(4)))
}

/// Without trailing zeros, at the venue's eight places.
pub(crate) fn tidy(value: Decimal) -> Decimal {
    value.round_dp(8).normalize()
}
