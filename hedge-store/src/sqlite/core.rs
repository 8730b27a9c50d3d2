//! The one writer of a file: lock, schema, transactions, the fold behind the tables.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hedge_core::{Book, Envelope, Seq, StoreError};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::{
    error::{LedgerError, broken, code, store_failed},
    kept,
    open::{SqliteOptions, for_writing, side_file},
    project::Projector,
    schema,
    tables::whole,
};
use crate::{disk::failed, lock};

/// The fold is kept at least every so many records; with a longer journal, each time it has grown by a part of itself.
const FOLD_EVERY: u64 = 100_000;
const FOLD_PART: u64 = 4;
/// Keeping the fold may make an append of a store wait so long. Where it takes longer, it is kept when the file is closed only.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Records of one page while the tables catch up.
const PAGE: i64 = 4_096;

/// Where the records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// This file holds the journal.
    Store,
    /// Another store holds it.
    Projection,
}

/// A record as text, and its place in the chain.
pub(super) type Hash = [u8; 32];

/// Holds the lock and the connection as long as it lives.
#[derive(Debug)]
pub(super) struct Core {
    place: String,
    role: Role,
    conn: Connection,
    /// The place after the last record in the tables.
    next: Seq,
    /// The sum of that last record.
    last_sum: String,
    /// Hash of the last record of the journal here.
    tail: Hash,
    /// Absent after a failed transaction, which it has seen and the file has not.
    projector: Option<Projector>,
    /// How far the kept fold goes, or where keeping it was given up.
    kept: Seq,
    /// It is kept again after so many records.
    keep_every: u64,
    /// Whether it is kept on the way, not only at the end.
    keeps_on_the_way: bool,
    /// Why nothing can be written any more.
    broken: Option<String>,
    /// Freed last.
    _lock: File,
}

impl Core {
    pub(super) fn open(path: &Path, options: SqliteOptions, role: Role) -> Result<Self, LedgerError> {
        let place = path.display().to_string();
        let lock = hold(path)?;
        let mut conn = for_writing(path, options)?;
        schema::migrate(&mut conn, &place)?;
        let (next, last_sum) = conn
            .query_row("SELECT next_seq, last_sum FROM progress", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(broken(&place, "reading its progress"))?;
        let mut core = Self {
            place,
            role,
            conn,
            next: Seq(next.unsigned_abs()),
            last_sum,
            tail: [0; 32],
            projector: None,
            kept: Seq(0),
            keep_every: FOLD_EVERY,
            keeps_on_the_way: true,
            broken: None,
            _lock: lock,
        };
        core.check_role()?;
        if role == Role::Store {
            core.check_journal()?;
        }
        core.recover()?;
        Ok(core)
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }
    /// The place after the last record in the tables.
    pub(super) const fn next(&self) -> Seq {
        self.next
    }
    /// The sum of the record before that.
    pub(super) fn last_sum(&self) -> &str {
        &self.last_sum
    }
    /// The place that the fold needs next; not after the tables' end.
    pub(super) fn folded(&self) -> Seq {
        self.projector.as_ref().map_or(Seq(0), Projector::next)
    }
    pub(super) const fn connection(&self) -> &Connection {
        &self.conn
    }

    /// A file plays one part for good.
    fn check_role(&self) -> Result<(), LedgerError> {
        let rows = "SELECT EXISTS (SELECT 1 FROM journal)";
        let has_journal: bool = self
            .conn
            .query_row(rows, [], |row| row.get(0))
            .map_err(broken(&self.place, "looking for a journal"))?;
        let why = match self.role {
            Role::Projection if has_journal => {
                "it holds a journal of its own and cannot be the ledger of another one"
            }
            Role::Store if !has_journal && self.next > Seq(0) => {
                "it is the ledger of another journal and holds none itself"
            }
            _ => return Ok(()),
        };
        Err(LedgerError::Damaged { place: self.place.clone(), detail: why.to_owned() })
    }

    /// Every page, no gap, and a chain that holds to its end.
    fn check_journal(&mut self) -> Result<(), LedgerError> {
        quick_check(&self.conn, &self.place)?;
        let wrap = |doing| broken(&self.place, doing);
        let (count, last): (i64, Option<i64>) = self
            .conn
            .query_row("SELECT count(*), max(seq) FROM journal", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(wrap("counting its records"))?;
        let damaged = |detail: String| LedgerError::Damaged { place: self.place.clone(), detail };
        let Some(last) = last else { return Ok(()) };
        if last + 1 != count {
            return Err(damaged(format!("its last record is {last}, but there are {count}")));
        }
        self.tail = hash_of(&self.conn, last)
            .map_err(wrap("reading its last record"))?
            .ok_or_else(|| damaged(format!("record {last} has no usable hash")))?;
        let from = Seq(last.unsigned_abs().saturating_sub(1_000));
        let check = stored(&self.conn, &self.place, from, i64::MAX, |_, _| Ok(()));
        check.map(|_| ()).map_err(LedgerError::Store)
    }

    /// The fold as kept, and the tables brought to the journal's end where that is here.
    pub(super) fn recover(&mut self) -> Result<(), LedgerError> {
        let (book, minute) = self.kept_fold().map_err(broken(&self.place, "reading its fold"))?;
        self.kept = book.next_seq();
        let mut projector = Projector::new(book, minute);
        if self.role == Role::Projection {
            self.projector = Some(projector);
            return Ok(());
        }
        loop {
            let mut page = Vec::new();
            let from = projector.next();
            stored(&self.conn, &self.place, from, PAGE, |text, seq| {
                page.push(decode(&self.place, text, seq)?);
                Ok(())
            })?;
            let Some(last) = page.last() else { break };
            let is_folded = last.seq < self.next;
            if is_folded {
                page.iter().for_each(|record| projector.fold(record));
                continue;
            }
            let written = page.iter().position(|record| record.seq >= self.next).unwrap_or(page.len());
            page[..written].iter().for_each(|record| projector.fold(record));
            let tx = self
                .conn
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(broken(&self.place, "beginning"))?;
            for record in &page[written..] {
                projector.write(&tx, record).map_err(broken(&self.place, "filling its tables"))?;
            }
            let (next, sum) = (last.seq.next(), sum_of(last)?);
            note_progress(&tx, next, &sum)
                .and_then(|()| tx.commit())
                .map_err(broken(&self.place, "filling its tables"))?;
            (self.next, self.last_sum) = (next, sum);
        }
        self.projector = Some(projector);
        Ok(())
    }

    fn kept_fold(&self) -> rusqlite::Result<(Book, i64)> {
        let minute: Option<i64> = self.conn.query_row("SELECT max(at_ns) FROM nav", [], |row| row.get(0))?;
        let minute = minute.map_or(i64::MIN, |ns| super::tables::minute(hedge_core::Timestamp::from_ns(ns)));
        Ok((kept::kept(&self.conn, self.next)?.unwrap_or_default(), minute))
    }

    /// Keeps the fold once it has grown enough. Whether that works is nobody's business who appends.
    fn keep_fold_if_due(&mut self) {
        let due = self.keep_every.max(self.kept.0 / FOLD_PART);
        if !self.keeps_on_the_way || self.next.0.saturating_sub(self.kept.0) < due {
            return;
        }
        let Some(projector) = &self.projector else { return };
        let started = Instant::now();
        if let Err(error) = kept::keep(&mut self.conn, projector.book()) {
            tracing::warn!(file = %self.place, %error, "the ledger's state was not saved; its next start takes longer");
        }
        // After a failure, too: it is tried again when there is that much more to keep.
        self.kept = self.next;
        if self.role == Role::Store && started.elapsed() > LONGEST_PAUSE {
            self.keeps_on_the_way = false;
        }
    }

    /// Folds a record whose rows are there.
    pub(super) fn fold(&mut self, envelope: &Envelope) {
        if let Some(projector) = &mut self.projector {
            projector.fold(envelope);
        }
    }

    /// Writes records in one transaction: rows and progress, with a store also the journal. Nothing of it is there after an
    /// error. `texts` are the records as they are kept; empty for a projection.
    pub(super) fn write(&mut self, records: &[Envelope], texts: &[String]) -> Result<(), StoreError> {
        if let Some(why) = &self.broken {
            let source = format!("{why}; stop this process and look at the file before restarting");
            return Err(StoreError::Io { doing: format!("writing {}", self.place), source: source.into() });
        }
        if self.projector.is_none() {
            self.recover().map_err(StoreError::from)?;
        }
        let Some(last) = records.last() else { return Ok(()) };
        let (next, sum) = (last.seq.next(), sum_of(last)?);
        match self.transact(records, texts, next, &sum) {
            Ok(tail) => {
                (self.next, self.last_sum, self.tail) = (next, sum, tail);
                self.keep_fold_if_due();
                Ok(())
            }
            Err(error) => {
                self.projector = None;
                if code(&error) == Some(ErrorCode::SystemIoFailure) {
                    // Nobody knows what is on the disk; only a restart reads it again.
                    self.broken = Some(format!("an earlier write failed: {error}"));
                }
                Err(store_failed(&self.place, "appending")(error))
            }
        }
    }

    fn transact(
        &mut self,
        records: &[Envelope],
        texts: &[String],
        next: Seq,
        sum: &str,
    ) -> rusqlite::Result<Hash> {
        let mut tail = self.tail;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if self.role == Role::Store {
            let mut insert =
                tx.prepare_cached("INSERT INTO journal (seq, at_ns, body, hash) VALUES (?1, ?2, ?3, ?4)")?;
            for (record, text) in records.iter().zip(texts) {
                tail = chained(&tail, text);
                insert.execute(params![whole(record.seq), record.at.ns(), text, tail.as_slice()])?;
            }
        }
        if let Some(projector) = &mut self.projector {
            for record in records {
                projector.write(&tx, record)?;
            }
        }
        note_progress(&tx, next, sum)?;
        tx.commit()?;
        Ok(tail)
    }

    /// Replaces a view.
    pub(super) fn put_view(&self, name: &str, as_of: Seq, json: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO views (name, as_of, json) VALUES (?1, ?2, ?3)
                   ON CONFLICT (name) DO UPDATE SET as_of = excluded.as_of, json = excluded.json";
        self.conn
            .prepare_cached(sql)
            .and_then(|mut put| put.execute(params![name, whole(as_of), json]))
            .map(|_| ())
            .map_err(store_failed(&self.place, "replacing a view"))
    }
}

/// Keeps the fold for the next start, and leaves no write-ahead log behind.
impl Drop for Core {
    fn drop(&mut self) {
        if self.broken.is_none()
            && let Some(projector) = &self.projector
            && projector.next() == self.next
            && self.next > self.kept
        {
            // Without it the next start folds more: slower, and the same.
            if let Err(error) = kept::keep(&mut self.conn, projector.book()) {
                tracing::warn!(file = %self.place, %error, "the ledger's state was not saved; its next start takes longer");
            }
        }
        self.conn.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
    }
}

/// The lock of a ledger's one writer.
pub(super) fn hold(path: &Path) -> Result<File, StoreError> {
    if let Some(parent) = path.parent() {
        crate::disk::create_private_dir(parent).map_err(failed(format!("creating {}", parent.display())))?;
    }
    lock::hold(&lock_file(path), path)
}

fn lock_file(path: &Path) -> PathBuf {
    side_file(path, ".lock")
}

pub(super) fn quick_check(conn: &Connection, place: &str) -> Result<(), LedgerError> {
    check_with(conn, place, "quick_check")
}

/// Runs one of SQLite's own checks, whose answer is `ok` or a list of what is wrong.
pub(super) fn check_with(conn: &Connection, place: &str, pragma: &str) -> Result<(), LedgerError> {
    let answer: String =
        conn.pragma_query_value(None, pragma, |row| row.get(0)).map_err(broken(place, "checking it"))?;
    if answer == "ok" {
        return Ok(());
    }
    let detail = answer.lines().next().unwrap_or_default().to_owned();
    Err(LedgerError::Damaged { place: place.to_owned(), detail })
}

fn note_progress(conn: &Connection, next: Seq, sum: &str) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE progress SET next_seq = ?1, last_sum = ?2")?
        .execute(params![whole(next), sum])?;
    Ok(())
}

/// A record as this file keeps it.
pub(super) fn encode(envelope: &Envelope) -> Result<String, StoreError> {
    serde_json::to_string(envelope)
        .map_err(|error| StoreError::Encode { seq: envelope.seq, source: error.into() })
}

/// What tells one record at a place from another one: 64 bits of the hash of its text.
pub(super) fn sum_of(envelope: &Envelope) -> Result<String, StoreError> {
    let digest = Sha256::digest(encode(envelope)?.as_bytes());
    Ok(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn chained(before: &Hash, text: &str) -> Hash {
    Sha256::new().chain_update(before).chain_update(text.as_bytes()).finalize().into()
}

fn hash_of(conn: &Connection, seq: i64) -> rusqlite::Result<Option<Hash>> {
    let hash: Option<Vec<u8>> = conn
        .prepare_cached("SELECT hash FROM journal WHERE seq = ?1")?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    Ok(hash.and_then(|hash| hash.try_into().ok()))
}

/// Gives the texts of the records from a place on, after checking the chain. Gives how many there were.
pub(super) fn stored(
    conn: &Connection,
    place: &str,
    from: Seq,
    limit: i64,
    mut each: impl FnMut(&str, Seq) -> Result<(), StoreError>,
) -> Result<i64, StoreError> {
    let wrap = |doing| store_failed(place, doing);
    let corrupt = |seq: i64, detail: &str| StoreError::Corrupt {
        place: format!("{place}, record {seq} of its journal"),
        detail: detail.to_owned(),
    };
    let first = whole(from);
    let mut before: Hash = [0; 32];
    if first > 0 {
        match hash_of(conn, first - 1).map_err(wrap("reading its journal"))? {
            Some(hash) => before = hash,
            None => return Ok(0),
        }
    }
    let mut select = conn
        .prepare_cached("SELECT seq, body, hash FROM journal WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
        .map_err(wrap("reading its journal"))?;
    let mut rows = select.query(params![first, limit]).map_err(wrap("reading its journal"))?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(wrap("reading its journal"))? {
        let seq: i64 = row.get(0).map_err(wrap("reading its journal"))?;
        if seq != first + count {
            return Err(corrupt(first + count, "it is missing"));
        }
        let text = row.get_ref(1).map_err(wrap("reading its journal"))?;
        let text = text.as_str().map_err(|_| corrupt(seq, "it is not text"))?;
        let hash = row.get_ref(2).map_err(wrap("reading its journal"))?;
        before = chained(&before, text);
        if hash.as_blob().ok() != Some(before.as_slice()) {
            return Err(corrupt(seq, "its content does not fit the chain of hashes"));
        }
        each(text, Seq(seq.unsigned_abs()))?;
        count += 1;
    }
    Ok(count)
}

pub(super) fn decode(place: &str, text: &str, seq: Seq) -> Result<Envelope, StoreError> {
    let corrupt = |detail: String| StoreError::Corrupt {
        place: format!("{place}, record {seq} of its journal"),
        detail,
    };
    let record: Envelope = serde_json::from_str(text).map_err(|error| {
        corrupt(format!("this version cannot read it ({error}); a newer one may have written it"))
    })?;
    if record.seq == seq {
        Ok(record)
    } else {
        Err(corrupt(format!("it calls itself record {}", record.seq)))
    }
}

#[cfg(test)]
mod tests {
    use hedge_testkit::records::records;

    use super::*;
    use crate::disk::tests::TempDir;

    #[test]
    fn a_state_that_cannot_be_saved_fails_no_append() {
        let dir = TempDir::new();
        let file = dir.0.join("ledger.sqlite");
        let open = || Core::open(&file, SqliteOptions::default(), Role::Projection).unwrap();
        let mut core = open();
        core.keep_every = 5;
        core.conn
            .execute_batch(
                "CREATE TRIGGER full BEFORE INSERT ON fold_parts BEGIN SELECT RAISE(FAIL, 'full'); END",
            )
            .unwrap();
        for page in records(0..20).chunks(4) {
            core.write(page, &[]).unwrap();
        }
        assert_eq!(core.next(), Seq(20));
        drop(core);
        let mut core = open();
        assert_eq!(
            (core.next(), core.folded()),
            (Seq(20), Seq(0)),
            "nothing was saved, and the tables are there"
        );
        records(0..20).iter().for_each(|record| core.fold(record));
        core.conn.execute_batch("DROP TRIGGER full").unwrap();
        core.keep_every = 5;
        core.write(&records(20..26), &[]).unwrap();
        assert_eq!(core.kept, Seq(26));
        assert!(kept::kept(&core.conn, Seq(26)).unwrap().is_some(), "it is saved as soon as that works");
        drop(core);
        assert_eq!(open().folded(), Seq(26));
    }
}
