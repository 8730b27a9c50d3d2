//! The ledger of a journal that another store holds.

use std::path::Path;

use hedge_core::{Envelope, Seq, StoreError};

use super::{
    core::{Core, Role, sum_of},
    error::LedgerError,
    open::SqliteOptions,
};

/// Tables that follow a journal. One process writes at a time.
///
/// Whoever owns it feeds records in order, from [`wanted`](Self::wanted) on; records that it has seen are recognised. What
/// [`append`](Self::append) has taken survives the process; after an error the value is opened anew.
#[derive(Debug)]
pub struct Ledger {
    core: Core,
}

impl Ledger {
    /// Takes the file, creating or migrating it if need be. Blocking.
    ///
    /// Errors: [`StoreError::Locked`] naming the holder, and everything that [`LedgerError`] says.
    pub fn open(file: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, LedgerError> {
        Ok(Self { core: Core::open(file.as_ref(), options, Role::Projection)? })
    }

    /// The place after the last record in the tables.
    pub const fn next(&self) -> Seq {
        self.core.next()
    }

    /// Where feeding begins: before the end of the tables, where the fold behind them has to be made again, and so that the
    /// last record in them is compared.
    pub fn wanted(&self) -> Seq {
        let folded = self.core.folded();
        if folded == self.core.next() { Seq(folded.0.saturating_sub(1)) } else { folded }
    }

    /// Takes records that follow each other, in one durable transaction. Gives the place after the last one. Blocking.
    ///
    /// Errors: [`StoreError::Conflict`] for a gap; [`StoreError::Corrupt`] when the journal is not the one that the tables
    /// come from; [`StoreError::Io`].
    pub fn append(&mut self, records: &[Envelope]) -> Result<Seq, StoreError> {
        let mut known = 0;
        for record in records {
            if record.seq >= self.core.next() {
                break;
            }
            known += 1;
            if record.seq.next() == self.core.next() && sum_of(record)? != self.core.last_sum() {
                return Err(StoreError::Corrupt {
                    place: self.core.place().to_owned(),
                    detail: format!(
                        "its record {} is another one than the journal's: it is the ledger of another journal, build it again with hedgectl ledger rebuild",
                        record.seq
                    ),
                });
            }
            let folded = self.core.folded();
            if record.seq > folded {
                return Err(StoreError::Conflict { expected: record.seq, found: folded });
            }
            if record.seq == folded {
                self.core.fold(record);
            }
        }
        let news = &records[known..];
        if let Some(first) = news.first() {
            let next = self.core.next();
            if first.seq != next || self.core.folded() != next {
                return Err(StoreError::Conflict { expected: first.seq, found: self.wanted() });
            }
            self.core.write(news, &[])?;
        }
        Ok(records.last().map_or(self.core.next(), |last| last.seq.next()))
    }
}
