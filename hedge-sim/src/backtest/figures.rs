//! What can be read from a backtest, while it plays and after.

use hedge_core::{Engine, Envelope};
use rust_decimal::Decimal;

use super::{
    BacktestError,
    play::Backtest,
    setup::Source,
    summary::{Summary, VetoCounts, journal_hash, vetoes},
};
use crate::venue::Venue;

impl Backtest {
    /// The engine, for its book.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
    /// The exchange, for cross-checks.
    pub const fn venue(&self) -> &Venue {
        &self.venue
    }
    /// Every journal record so far.
    pub fn records(&self) -> &[Envelope] {
        &self.records
    }
    /// Drops the records so far, to keep the memory of a long run bounded. Every figure stays right but
    /// `journal_sha256`, which covers only what is kept.
    pub fn forget_records(&mut self) {
        for (rule, times) in vetoes(&self.records) {
            *self.forgotten.entry(rule).or_default() += times;
        }
        self.records.clear();
    }
    /// How much has been played: bar times done and bar times in all, or ticks.
    pub fn progress(&self) -> (usize, usize) {
        match &self.source {
            Source::Bars(schedule) => (schedule.bar_times_done(), schedule.bar_times()),
            Source::Ticks(play) => play.progress(),
        }
    }
    /// How often each rule refused an opening.
    pub fn vetoes(&self) -> VetoCounts {
        let mut counts = self.forgotten.clone();
        for (rule, times) in vetoes(&self.records) {
            *counts.entry(rule).or_default() += times;
        }
        counts
    }
    /// The figures. Hashes the whole journal. Errors: [`BacktestError::Encode`].
    pub fn summary(&self) -> Result<Summary, BacktestError> {
        let book = self.engine.book();
        let totals = book.totals();
        let bars = match &self.source {
            Source::Bars(schedule) => Some(schedule),
            Source::Ticks(_) => None,
        };
        Ok(Summary {
            events: self.played,
            orders: self.orders,
            fills: totals.fills,
            vetoes: self.vetoes().values().sum(),
            hedged_bars: self.hedged_bars,
            nav_start: totals.nav_start,
            nav_end: book.equity(),
            realised: totals.realized,
            unrealised: book.unrealized(),
            fees_paid: totals.fees,
            funding_net: totals.funding,
            funding_files: bars.map_or_else(Vec::new, |bars| bars.data().funding_files.clone()),
            funding_mark_from_close: self.funding_mark_from_close,
            gaps: bars.map_or(0, |bars| bars.data().gaps.len() as u64),
            warmup_bars: bars.map_or(0, |bars| bars.history() as u64),
            max_drawdown_pct: self.drawdown.worst() * Decimal::ONE_HUNDRED,
            journal_sha256: journal_hash(&self.records)?,
        })
    }
}
