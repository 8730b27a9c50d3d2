//! What can be read from a backtest, while it plays and after.

use hedge_core::{Engine, Envelope};
use rust_decimal::Decimal;

use super::{
    BacktestError,
    play::Backtest,
    setup::Source,
    summary::{Summary, VetoCounts, journal_hash},
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
    ///
    /// While it plays they are kept in fewer bytes: the first call after a step makes all of them again, and holds them.
    /// Who only goes through them once takes [`each_record`](Self::each_record).
    ///
    /// Errors: [`BacktestError::Unreadable`].
    pub fn records(&self) -> Result<&[Envelope], BacktestError> {
        self.records.as_slice()
    }
    /// Every journal record so far, one after the other. Errors: [`BacktestError::Unreadable`].
    pub fn each_record(&self) -> impl Iterator<Item = Result<Envelope, BacktestError>> {
        self.records.iter()
    }
    /// How many journal records there are.
    pub fn record_count(&self) -> usize {
        self.records.len()
    }
    /// Drops the records so far, to keep the memory of a long run bounded. Every figure stays right but
    /// `journal_sha256`, which covers only what is kept.
    pub fn forget_records(&mut self) {
        self.forgotten = self.vetoes();
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
        for rule in self.records.refusals() {
            *counts.entry(rule.to_owned()).or_default() += 1;
        }
        counts
    }
    /// The figures. Hashes the whole journal. Errors: [`BacktestError::Encode`], [`BacktestError::Unreadable`].
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
            journal_sha256: journal_hash(self.each_record())?,
        })
    }
}
