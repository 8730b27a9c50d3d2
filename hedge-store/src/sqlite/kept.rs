//! The fold behind the tables, kept so that the next start need not fold everything.
//!
//! It grows with every order that ever was, so it is compressed while it is written and cut into parts: neither SQLite's limit
//! of a value nor the memory of a second copy stands in its way. It is kept beside the journal, in a transaction of its own.
//! Without it the next start is slower, and the same.

use std::io::{self, BufReader, Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use hedge_core::{Book, Seq};
use rusqlite::{Connection, OptionalExtension, Statement, TransactionBehavior, params};

use super::tables::whole;

/// Which fold can be gone on with: another version may fold otherwise.
const FORMAT: &str = concat!(env!("CARGO_PKG_VERSION"), "/2");
/// Bytes of a part.
const PART: usize = 1 << 20;
/// Parts that are kept. A fold that is larger is made again by the next start.
const MOST_PARTS: i64 = 1_024;

/// Why a fold was not kept or cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeptError {
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Keeps a fold in place of the one before, or leaves that one as it is.
pub(super) fn keep(conn: &mut Connection, book: &Book) -> Result<(), KeptError> {
    keep_in_parts(conn, book, PART, MOST_PARTS)
}

fn keep_in_parts(conn: &mut Connection, book: &Book, size: usize, most: i64) -> Result<(), KeptError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("DELETE FROM fold; DELETE FROM fold_parts;")?;
    let parts = {
        let insert = tx.prepare_cached("INSERT INTO fold_parts (n, part) VALUES (?1, ?2)")?;
        let parts = PartWriter { insert, size, most, part: Vec::with_capacity(size), written: 0 };
        let mut packed = GzEncoder::new(parts, Compression::fast());
        serde_json::to_writer(&mut packed, book)?;
        let mut parts = packed.finish()?;
        parts.end_part()?;
        parts.written
    };
    let next = whole(book.next_seq());
    tx.execute(
        "INSERT INTO fold (id, format, next_seq, parts) VALUES (0, ?1, ?2, ?3)",
        params![FORMAT, next, parts],
    )?;
    Ok(tx.commit()?)
}

/// The kept fold, if it goes no further than the tables and can be read whole.
pub(super) fn kept(conn: &Connection, until: Seq) -> rusqlite::Result<Option<Book>> {
    let head: Option<(i64, i64)> = conn
        .query_row("SELECT next_seq, parts FROM fold WHERE format = ?1", [FORMAT], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((next, parts)) = head else { return Ok(None) };
    let select = conn.prepare_cached("SELECT part FROM fold_parts WHERE n = ?1")?;
    let packed = PartReader { select, part: Vec::new(), at: 0, next: 0, parts };
    // The decoder compares its checksum at the end, which the reader of JSON goes to.
    let book: Book = match serde_json::from_reader(BufReader::with_capacity(PART, GzDecoder::new(packed))) {
        Ok(book) => book,
        Err(error) => {
            tracing::warn!(%error, "the ledger's saved state cannot be used; it is made again from the journal");
            return Ok(None);
        }
    };
    Ok((whole(book.next_seq()) == next && book.next_seq() <= until).then_some(book))
}

struct PartWriter<'a> {
    insert: rusqlite::CachedStatement<'a>,
    size: usize,
    most: i64,
    part: Vec<u8>,
    written: i64,
}

impl PartWriter<'_> {
    fn end_part(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        if self.written == self.most {
            let why = format!("it is larger than {} parts of {} bytes", self.most, self.size);
            return Err(io::Error::other(why));
        }
        self.insert.execute(params![self.written, self.part]).map_err(io::Error::other)?;
        self.written += 1;
        self.part.clear();
        Ok(())
    }
}

impl Write for PartWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.part.len() == self.size {
            self.end_part()?;
        }
        let some = bytes.len().min(self.size - self.part.len());
        self.part.extend_from_slice(&bytes[..some]);
        Ok(some)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct PartReader<'a> {
    select: rusqlite::CachedStatement<'a>,
    part: Vec<u8>,
    at: usize,
    next: i64,
    parts: i64,
}

impl Read for PartReader<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at == self.part.len() {
            if self.next == self.parts {
                return Ok(0);
            }
            self.part = part(&mut self.select, self.next)?;
            (self.at, self.next) = (0, self.next + 1);
        }
        let some = to.len().min(self.part.len() - self.at);
        to[..some].copy_from_slice(&self.part[self.at..self.at + some]);
        self.at += some;
        Ok(some)
    }
}

fn part(select: &mut Statement<'_>, n: i64) -> io::Result<Vec<u8>> {
    let part: Option<Vec<u8>> =
        select.query_row([n], |row| row.get(0)).optional().map_err(io::Error::other)?;
    part.filter(|part| !part.is_empty())
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, format!("its part {n} is missing")))
}

#[cfg(test)]
mod tests {
    use hedge_testkit::records::records;

    use super::*;
    use crate::sqlite::schema;

    fn file() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        schema::migrate(&mut conn, "memory").unwrap();
        conn
    }

    fn book(until: u64) -> Book {
        let (mut book, mut changes) = (Book::default(), Vec::new());
        records(0..until).iter().for_each(|record| book.apply(record, &mut changes));
        book
    }

    fn as_json(book: &Book) -> String {
        serde_json::to_string(book).unwrap()
    }

    #[test]
    fn a_fold_in_many_parts_comes_back_whole_and_replaces_the_one_before() {
        let mut conn = file();
        assert!(kept(&conn, Seq(100)).unwrap().is_none());
        for until in [40, 70] {
            keep_in_parts(&mut conn, &book(until), 7, i64::MAX).unwrap();
            let parts: i64 = conn.query_row("SELECT count(*) FROM fold_parts", [], |row| row.get(0)).unwrap();
            assert!(parts > 3, "{parts} parts");
            let back = kept(&conn, Seq(100)).unwrap().unwrap();
            assert_eq!((back.next_seq(), as_json(&back)), (Seq(until), as_json(&book(until))));
        }
        assert!(kept(&conn, Seq(69)).unwrap().is_none(), "the tables end before it");
    }

    #[test]
    fn a_fold_that_is_damaged_is_none() {
        for damage in [
            "DELETE FROM fold_parts WHERE n = 2",
            "UPDATE fold_parts SET part = x'00' WHERE n = 0",
            "UPDATE fold_parts SET part = zeroblob(length(part)) WHERE n = (SELECT max(n) FROM fold_parts)",
            "UPDATE fold_parts SET part = x'' WHERE n = 1",
            "UPDATE fold SET parts = parts - 1",
            "UPDATE fold SET next_seq = 12",
            "UPDATE fold SET format = 'other'",
        ] {
            let mut conn = file();
            keep_in_parts(&mut conn, &book(40), 16, i64::MAX).unwrap();
            assert_eq!(conn.execute(damage, []).unwrap(), 1, "{damage}");
            assert!(kept(&conn, Seq(100)).unwrap().is_none(), "{damage}");
        }
    }

    #[test]
    fn a_fold_that_is_too_large_is_refused_and_the_one_before_stays() {
        let mut conn = file();
        keep(&mut conn, &book(5)).unwrap();
        let error = keep_in_parts(&mut conn, &book(40), 16, 3).unwrap_err().to_string();
        assert!(error.contains("it is larger than 3 parts of 16 bytes"), "{error}");
        assert_eq!(kept(&conn, Seq(100)).unwrap().unwrap().next_seq(), Seq(5));
    }
}
