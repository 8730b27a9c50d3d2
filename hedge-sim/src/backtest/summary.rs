//! What a backtest comes to, and the hash of its journal.

use std::collections::BTreeMap;

use hedge_core::Envelope;
use rust_decimal::Decimal;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::BacktestError;

/// How often each rule refused an opening.
pub type VetoCounts = BTreeMap<String, u64>;

/// One backtest in figures. Counts are numbers, money is decimal text.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Market steps that were played, warm-up included.
    pub events: u64,
    /// Orders that were sent.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Openings that were refused.
    pub vetoes: u64,
    /// Bars, of all symbols together, at whose close the symbol held LONG and SHORT, what was decided on the bar included.
    pub hedged_bars: u64,
    /// Equity at the start.
    pub nav_start: Decimal,
    /// Equity at the end.
    pub nav_end: Decimal,
    /// Realised profit, before fees.
    pub realised: Decimal,
    /// Unrealised profit at the end.
    pub unrealised: Decimal,
    /// Fees paid.
    pub fees_paid: Decimal,
    /// Funding received less paid.
    pub funding_net: Decimal,
    /// Funding files that were used.
    pub funding_files: Vec<String>,
    /// Settlements whose mark had to be the last close.
    pub funding_mark_from_close: u64,
    /// Holes of more than two bars, over all symbols of the data; a strategy of such a symbol warms up again.
    pub gaps: u64,
    /// Bar times that were warm-up.
    pub warmup_bars: u64,
    /// Largest fall of equity from its peak, in percent, at bar closes.
    #[serde(serialize_with = "as_number")]
    pub max_drawdown_pct: Decimal,
    /// SHA-256 over every journal record.
    pub journal_sha256: String,
}

fn as_number<S: serde::Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    use rust_decimal::prelude::ToPrimitive;
    serializer.serialize_f64(value.round_dp(4).to_f64().unwrap_or(f64::NAN))
}

/// SHA-256 over the JSON text of every record, each followed by a line feed.
pub(super) fn journal_hash(
    records: impl Iterator<Item = Result<Envelope, BacktestError>>,
) -> Result<String, BacktestError> {
    let mut hash = Sha256::new();
    let mut line = Vec::with_capacity(1_024);
    for record in records {
        line.clear();
        serde_json::to_writer(&mut line, &record?)?;
        line.push(b'\n');
        hash.update(&line);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
