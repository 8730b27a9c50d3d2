//! Records in the order in which they came.

use std::sync::OnceLock;

use hedge_core::{Envelope, Seq};

use super::names::Names;
use super::row::Row;
use crate::venue::Rows;

/// All records of a run, as rows; and as they were, from the first time somebody asks until the next record comes.
#[derive(Debug, Default)]
pub(in crate::backtest) struct KeptRecords {
    /// The journal place of the first row.
    first: Seq,
    rows: Rows<Row>,
    names: Names,
    read: OnceLock<Vec<Envelope>>,
}

impl KeptRecords {
    pub(in crate::backtest) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes the records of a step.
    #[inline]
    pub(in crate::backtest) fn append(&mut self, records: &mut Vec<Envelope>) {
        if records.is_empty() {
            return;
        }
        if self.rows.len() == 0 {
            self.first = records.first().map_or(Seq(0), |record| record.seq);
        }
        self.read.take();
        let next = self.first.0 + self.rows.len() as u64;
        for (record, seq) in records.iter().zip((next..).map(Seq)) {
            let row = Row::of(record, seq, &mut self.names);
            debug_assert_eq!(row.record(seq, &self.names).as_ref(), Some(record), "nothing is lost");
            self.rows.push(row);
        }
        records.clear();
    }

    /// Every record, one after the other.
    pub(in crate::backtest) fn iter(&self) -> impl Iterator<Item = Envelope> {
        let seqs = (self.first.0..).map(Seq);
        self.rows.iter().zip(seqs).filter_map(|(row, seq)| row.record(seq, &self.names))
    }

    /// Every record, all at once.
    pub(in crate::backtest) fn as_slice(&self) -> &[Envelope] {
        self.read.get_or_init(|| self.iter().collect())
    }

    /// The rules that refused openings, one for each time.
    pub(in crate::backtest) fn refusals(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(Row::refused_by)
    }

    /// Drops all of them.
    pub(in crate::backtest) fn clear(&mut self) {
        self.rows.clear();
        self.read.take();
    }
}
