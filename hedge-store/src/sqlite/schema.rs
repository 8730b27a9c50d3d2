//! The tables, and how a file of an older version becomes one of this.
//!
//! Migrations only go forward and are never changed once released. One that adds tables which are filled from the journal
//! sets the progress back to the start, and whoever opens the file feeds the journal again.

use rusqlite::{Connection, TransactionBehavior};

use super::error::{LedgerError, broken};

/// Marks the file as a ledger of this product.
pub(super) const APPLICATION_ID: i32 = 0x4844_4745;
/// The schema that this version writes.
pub const VERSION: i64 = 4;

/// What brings a file from the version before to that version, one step each.
const STEPS: [&str; VERSION as usize] = [V1, V2, V3, V4];

/// A journal in a hash chain, and views.
const V1: &str = "
CREATE TABLE journal (
    seq    INTEGER PRIMARY KEY,
    at_ns  INTEGER NOT NULL,
    body   TEXT NOT NULL,
    hash   BLOB NOT NULL
) STRICT;
CREATE TRIGGER journal_keeps_rows BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_loses_none BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TABLE views (
    name   TEXT PRIMARY KEY,
    as_of  INTEGER NOT NULL,
    json   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What the journal says, as tables.
const V2: &str = "
-- How far the tables go, and the sum of the last record that they contain.
CREATE TABLE progress (
    id        INTEGER PRIMARY KEY CHECK (id = 0),
    next_seq  INTEGER NOT NULL,
    last_sum  TEXT NOT NULL
) STRICT;
INSERT INTO progress VALUES (0, 0, '');
-- The book as of a place, so that a start need not fold everything.
CREATE TABLE fold (
    id        INTEGER PRIMARY KEY CHECK (id = 0),
    format    TEXT NOT NULL,
    next_seq  INTEGER NOT NULL,
    book      TEXT NOT NULL
) STRICT;
CREATE TABLE runs (
    seq           INTEGER PRIMARY KEY,
    at_ns         INTEGER NOT NULL,
    run           TEXT NOT NULL,
    term          INTEGER NOT NULL,
    profile       TEXT NOT NULL,
    code_version  TEXT NOT NULL,
    config_hash   TEXT NOT NULL
) STRICT;
CREATE TABLE operator_orders (
    seq      INTEGER PRIMARY KEY,
    at_ns    INTEGER NOT NULL,
    command  TEXT NOT NULL,
    because  TEXT NOT NULL
) STRICT;
CREATE TABLE orders (
    client_id    TEXT PRIMARY KEY,
    seq          INTEGER NOT NULL,
    cause        INTEGER,
    at_ns        INTEGER NOT NULL,
    strategy     TEXT,
    venue        TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    side         TEXT NOT NULL,
    action       TEXT NOT NULL,
    order_side   TEXT NOT NULL,
    kind         TEXT NOT NULL,
    price        TEXT,
    trigger      TEXT,
    qty          TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    state        TEXT NOT NULL,
    filled       TEXT NOT NULL,
    venue_order  INTEGER,
    child_order  INTEGER,
    refusal      TEXT,
    updated_seq  INTEGER NOT NULL,
    updated_ns   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE fills (
    venue        TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    trade_id     INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    at_ns        INTEGER NOT NULL,
    venue_ns     INTEGER NOT NULL,
    client_id    TEXT,
    venue_order  INTEGER NOT NULL,
    side         TEXT NOT NULL,
    order_side   TEXT NOT NULL,
    qty          TEXT NOT NULL,
    price        TEXT NOT NULL,
    fee          TEXT NOT NULL,
    fee_asset    TEXT NOT NULL,
    realized     TEXT,
    maker        INTEGER NOT NULL,
    PRIMARY KEY (venue, symbol, trade_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE position_changes (
    seq       INTEGER NOT NULL,
    venue     TEXT NOT NULL,
    symbol    TEXT NOT NULL,
    side      TEXT NOT NULL,
    at_ns     INTEGER NOT NULL,
    qty       TEXT NOT NULL,
    entry     TEXT,
    realized  TEXT NOT NULL,
    fees      TEXT NOT NULL,
    funding   TEXT NOT NULL,
    PRIMARY KEY (seq, venue, symbol, side)
) STRICT, WITHOUT ROWID;
CREATE TABLE positions (
    venue     TEXT NOT NULL,
    symbol    TEXT NOT NULL,
    side      TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    at_ns     INTEGER NOT NULL,
    qty       TEXT NOT NULL,
    entry     TEXT,
    realized  TEXT NOT NULL,
    fees      TEXT NOT NULL,
    funding   TEXT NOT NULL,
    PRIMARY KEY (venue, symbol, side)
) STRICT, WITHOUT ROWID;
CREATE TABLE nav (
    at_ns        INTEGER PRIMARY KEY,
    seq          INTEGER NOT NULL,
    equity       TEXT NOT NULL,
    wallet       TEXT NOT NULL,
    unrealized   TEXT NOT NULL,
    realized     TEXT NOT NULL,
    fees         TEXT NOT NULL,
    funding      TEXT NOT NULL,
    transfers    TEXT NOT NULL,
    corrections  TEXT NOT NULL,
    posture      TEXT NOT NULL
) STRICT;
CREATE TABLE decisions (
    seq        INTEGER PRIMARY KEY,
    at_ns      INTEGER NOT NULL,
    cause      INTEGER,
    kind       TEXT NOT NULL,
    strategy   TEXT,
    venue      TEXT,
    symbol     TEXT,
    side       TEXT,
    client_id  TEXT,
    outcome    TEXT,
    rule       TEXT,
    qty        TEXT,
    because    TEXT,
    detail     TEXT
) STRICT;
CREATE TABLE gate_checks (
    seq       INTEGER NOT NULL REFERENCES decisions (seq),
    n         INTEGER NOT NULL,
    rule      TEXT NOT NULL,
    value     TEXT NOT NULL,
    bound     TEXT NOT NULL,
    distance  TEXT NOT NULL,
    verdict   TEXT NOT NULL,
    note      TEXT,
    PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE cash_flows (
    id        TEXT PRIMARY KEY,
    seq       INTEGER NOT NULL,
    at_ns     INTEGER NOT NULL,
    venue_ns  INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    asset     TEXT NOT NULL,
    amount    TEXT NOT NULL,
    venue     TEXT,
    symbol    TEXT
) STRICT, WITHOUT ROWID;
";

/// Questions about a time or an order need not read everything.
const V3: &str = "
CREATE INDEX orders_by_time ON orders (at_ns);
CREATE INDEX fills_by_time ON fills (venue_ns);
CREATE INDEX fills_by_order ON fills (venue_order);
CREATE INDEX position_changes_by_time ON position_changes (at_ns);
CREATE INDEX decisions_by_time ON decisions (at_ns);
CREATE INDEX cash_flows_by_time ON cash_flows (venue_ns);
";

/// The fold is kept in compressed parts: as one value it could outgrow the largest that there is.
const V4: &str = "
DROP TABLE fold;
CREATE TABLE fold (
    id        INTEGER PRIMARY KEY CHECK (id = 0),
    format    TEXT NOT NULL,
    next_seq  INTEGER NOT NULL,
    parts     INTEGER NOT NULL
) STRICT;
CREATE TABLE fold_parts (
    n     INTEGER PRIMARY KEY,
    part  BLOB NOT NULL
) STRICT;
";

/// The file's schema version, after a look at whether it is a ledger at all; 0 for an empty file.
pub(super) fn version(conn: &Connection, place: &str) -> Result<i64, LedgerError> {
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = pragma("user_version").map_err(broken(place, "reading its version"))?;
    let owner = pragma("application_id").map_err(broken(place, "reading its owner"))?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(broken(place, "listing its tables"))?;
    if owner != i64::from(APPLICATION_ID) && (version != 0 || tables != 0) {
        return Err(LedgerError::Foreign { place: place.to_owned() });
    }
    if version > VERSION {
        return Err(LedgerError::Newer { place: place.to_owned(), found: version, known: VERSION });
    }
    Ok(version)
}

/// Brings the file to this version, one transaction a step. Gives the version that it had.
pub(super) fn migrate(conn: &mut Connection, place: &str) -> Result<i64, LedgerError> {
    let found = version(conn, place)?;
    for (step, sql) in STEPS.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        let apply = |conn: &mut Connection| -> rusqlite::Result<()> {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            tx.execute_batch(sql)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", step as i64 + 1)?;
            tx.commit()
        };
        apply(conn).map_err(broken(place, &format!("bringing it to schema {}", step + 1)))?;
    }
    Ok(found)
}
