//! The one line that a backtest ends with, and the table for people.

use std::{collections::BTreeMap, fmt};

use hedge_core::Decimal;
use hedge_sim::{backtest::Summary, market::DataSet};
use serde::{Serialize, Serializer};

/// The figures of a backtest as one JSON object. Counts and rates are numbers, money is decimal text.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryLine {
    /// Market steps that were played, warm-up included.
    pub events: u64,
    /// How long that took. Units: seconds of wall time.
    pub seconds: f64,
    /// `events / seconds`.
    pub events_per_s: f64,
    /// Orders that were sent.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Openings that were refused.
    pub vetoes: u64,
    /// Bars, of all symbols together, at whose close the symbol held LONG and SHORT.
    pub hedged_bars: u64,
    /// Equity at the start. Units: USDT.
    #[serde(serialize_with = "text")]
    pub nav_start: Decimal,
    /// Equity at the end. Units: USDT.
    #[serde(serialize_with = "text")]
    pub nav_end: Decimal,
    /// Realised profit, before fees. Units: USDT.
    #[serde(serialize_with = "text")]
    pub realised: Decimal,
    /// Unrealised profit at the end. Units: USDT.
    #[serde(serialize_with = "text")]
    pub unrealised: Decimal,
    /// Fees paid. Units: USDT.
    #[serde(serialize_with = "text")]
    pub fees_paid: Decimal,
    /// Funding received less paid. Units: USDT.
    #[serde(serialize_with = "text")]
    pub funding_net: Decimal,
    /// Names of the funding files that were used.
    pub funding_files: Vec<String>,
    /// Largest fall of equity from its peak, in percent, at bar closes.
    #[serde(serialize_with = "number")]
    pub max_drawdown_pct: Decimal,
    /// SHA-256 over every journal record.
    pub journal_sha256: String,
    /// Settlements whose mark had to be the last close.
    pub funding_mark_from_close: u64,
    /// Holes of more than two bars, over all symbols of the data.
    pub gaps: u64,
    /// Bar times that were warm-up, without decisions.
    pub warmup_bars: u64,
    /// Bars of all symbols, warm-up included.
    pub bars: u64,
    /// Length of a bar.
    pub interval: String,
    /// What was traded.
    pub symbols: Vec<String>,
}

/// Exact, without trailing zeros.
fn text<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&value.normalize())
}

fn number<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    // Through its text: the nearest float prints as the same digits again.
    let value: f64 = value.round_dp(4).to_string().parse().map_err(serde::ser::Error::custom)?;
    serializer.serialize_f64(value)
}

impl SummaryLine {
    pub(super) fn new(summary: Summary, seconds: f64, data: &DataSet) -> Self {
        let rate = if seconds > 0.0 { summary.events as f64 / seconds } else { 0.0 };
        Self {
            events: summary.events,
            seconds: (seconds * 1e6).round() / 1e6,
            events_per_s: rate.round(),
            orders: summary.orders,
            fills: summary.fills,
            vetoes: summary.vetoes,
            hedged_bars: summary.hedged_bars,
            nav_start: summary.nav_start,
            nav_end: summary.nav_end,
            realised: summary.realised,
            unrealised: summary.unrealised,
            fees_paid: summary.fees_paid,
            funding_net: summary.funding_net,
            funding_files: summary.funding_files,
            max_drawdown_pct: summary.max_drawdown_pct,
            journal_sha256: summary.journal_sha256,
            funding_mark_from_close: summary.funding_mark_from_close,
            gaps: summary.gaps,
            warmup_bars: summary.warmup_bars,
            bars: data.series.iter().map(|series| series.bars.len() as u64).sum(),
            interval: data.interval.to_string(),
            symbols: data.symbols().map(|symbol| symbol.to_string()).collect(),
        }
    }
    /// As one line of JSON. Errors: none in practice; a number that JSON cannot hold.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// The figures for people, with the vetoes by rule.
#[derive(Clone, Copy, Debug)]
pub struct SummaryTable<'a> {
    /// The figures.
    pub line: &'a SummaryLine,
    /// How often each rule refused an opening.
    pub vetoes: &'a BTreeMap<String, u64>,
}

impl fmt::Display for SummaryTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        let money = |value: Decimal| format!("{:>16}", format!("{:.4}", value.round_dp(4)));
        writeln!(
            f,
            "{} bars of {}, all symbols together: {}",
            line.bars,
            line.interval,
            line.symbols.join(", ")
        )?;
        writeln!(f, "  net asset value at start  {} USDT", money(line.nav_start))?;
        writeln!(f, "  realised                  {}", money(line.realised))?;
        writeln!(f, "  unrealised                {}", money(line.unrealised))?;
        writeln!(f, "  fees paid                 {}", money(-line.fees_paid))?;
        writeln!(f, "  funding                   {}", money(line.funding_net))?;
        writeln!(f, "  net asset value at end    {} USDT", money(line.nav_end))?;
        writeln!(f, "  largest drawdown          {:>16} %", line.max_drawdown_pct.round_dp(2))?;
        writeln!(f, "  orders {}, fills {}, hedged bars {}", line.orders, line.fills, line.hedged_bars)?;
        let vetoes: Vec<String> = self.vetoes.iter().map(|(rule, times)| format!("{rule} {times}")).collect();
        let by_rule = if vetoes.is_empty() { String::new() } else { format!(" ({})", vetoes.join(", ")) };
        writeln!(f, "  openings refused {}{by_rule}", line.vetoes)?;
        write!(f, "  {} events in {:.3} s", line.events, line.seconds)
    }
}
