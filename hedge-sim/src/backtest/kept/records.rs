//! Records in the order in which they came.

use std::sync::OnceLock;

use hedge_core::{Envelope, Seq};

use super::names::Names;
use super::row::Row;
use crate::{backtest::BacktestError, venue::Rows};

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

    /// Every record, one after the other. Errors: [`BacktestError::Unreadable`], which never comes of rows that were made here.
    pub(in crate::backtest) fn iter(&self) -> impl Iterator<Item = Result<Envelope, BacktestError>> {
        let seqs = (self.first.0..).map(Seq);
        self.rows
            .iter()
            .zip(seqs)
            .map(|(row, seq)| row.record(seq, &self.names).ok_or(BacktestError::Unreadable(seq)))
    }

    /// Every record, all at once. Errors: as [`iter`](Self::iter).
    pub(in crate::backtest) fn as_slice(&self) -> Result<&[Envelope], BacktestError> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let all = self.iter().collect::<Result<Vec<_>, _>>()?;
        Ok(self.read.get_or_init(|| all))
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

#[cfg(test)]
mod tests {
    use hedge_core::{
        Decision, Event, GateChecks, InstrumentId, PositionKey, PositionSide, Timestamp, Verdict,
    };

    use super::*;

    #[test]
    fn a_row_that_does_not_read_back_is_an_error_and_no_gap() {
        let leg = PositionKey::new(InstrumentId::binance("ETHUSDT").unwrap(), PositionSide::Long);
        let record = |seq| Envelope {
            seq: Seq(seq),
            at: Timestamp::from_ms(1),
            cause: None,
            event: Event::Decision(Decision::Assessed {
                position: leg,
                checks: GateChecks::from(Vec::new()),
                verdict: Verdict::Approve,
            }),
        };
        let mut kept = KeptRecords::default();
        kept.append(&mut vec![record(7), record(8)]);
        assert_eq!(kept.as_slice().unwrap(), [record(7), record(8)]);
        kept.append(&mut vec![record(9)]);
        // As if it had not been written down which leg has which number.
        kept.names = Names::default();
        let read: Vec<_> = kept.iter().collect();
        assert!(matches!(read[..], [Err(BacktestError::Unreadable(Seq(7))), Err(_), Err(_)]), "{read:?}");
        assert!(matches!(kept.as_slice(), Err(BacktestError::Unreadable(Seq(7)))));
    }
}
