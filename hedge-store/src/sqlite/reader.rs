//! Asking a ledger. Nothing that is asked can change it.

use std::path::Path;

use hedge_core::{Seq, Timestamp};
use rusqlite::{
    Connection, ToSql,
    hooks::{AuthAction, AuthContext, Authorization},
};

use super::{
    error::{LedgerError, broken},
    numbers,
    open::for_reading,
    row::{Cell, Row},
    schema,
};

/// A ledger that is only read. May be used while a writer is at work: each query sees one moment.
#[derive(Debug)]
pub struct LedgerReader {
    conn: Connection,
    place: String,
}

/// What a ledger holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSummary {
    /// The place after the last record in it.
    pub next: Seq,
    /// The instant of its newest decision or NAV row.
    pub until: Option<Timestamp>,
    /// Each table and how many rows it has.
    pub rows: Vec<(String, u64)>,
}

/// The tables that are exported, in that order.
const TABLES: [&str; 10] = [
    "runs",
    "operator_orders",
    "orders",
    "fills",
    "positions",
    "position_changes",
    "nav",
    "decisions",
    "gate_checks",
    "cash_flows",
];

impl LedgerReader {
    /// Opens an existing ledger of this version. Errors: [`LedgerError`].
    pub fn open(file: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let mut conn = for_reading(file.as_ref())?;
        let place = file.as_ref().display().to_string();
        let found = schema::version(&conn, &place)?;
        if found < schema::VERSION {
            return Err(LedgerError::Older { place, found, known: schema::VERSION });
        }
        numbers::register(&conn).map_err(broken(&place, "setting it up"))?;
        conn.authorizer(Some(may)).map_err(broken(&place, "setting it up"))?;
        Ok(Self { conn, place })
    }

    /// The tables that hold what happened.
    pub const fn tables() -> &'static [&'static str] {
        &TABLES
    }

    /// Runs one SELECT and gives its rows in order. Money columns are decimal text: `decimal_sum`, `decimal_add` and
    /// `decimal_mul` calculate exactly with them, `utc` shows an instant.
    ///
    /// Errors: [`LedgerError::Refused`] for anything that is no pure question, [`LedgerError::Query`] for a text that cannot
    /// be understood, and what `each` says.
    pub fn query<E: From<LedgerError>>(
        &self,
        sql: &str,
        each: impl FnMut(Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.query_with(sql, &[], each)
    }

    /// The same with values for `?1`, `?2`, ….
    pub(super) fn query_with<E: From<LedgerError>>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        mut each: impl FnMut(Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.conn.prepare(sql).map_err(|error| self.explain(error))?;
        if !statement.readonly() {
            return Err(LedgerError::Refused { because: "it would write".to_owned() }.into());
        }
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query(values).map_err(|error| self.explain(error))?;
        let mut cells = Vec::with_capacity(columns.len());
        while let Some(row) = rows.next().map_err(|error| self.explain(error))? {
            cells.clear();
            for at in 0..columns.len() {
                cells.push(Cell::of(row.get_ref(at).map_err(|error| self.explain(error))?));
            }
            each(Row { columns: &columns, cells: &cells })?;
        }
        Ok(())
    }

    /// The columns that a query has, also when it has no rows. Errors: as [`query`](Self::query).
    pub fn columns(&self, sql: &str) -> Result<Vec<String>, LedgerError> {
        let statement = self.conn.prepare(sql).map_err(|error| self.explain(error))?;
        Ok(statement.column_names().map(str::to_owned).collect())
    }

    /// What it holds. Counts every table. Errors: [`LedgerError`].
    pub fn summary(&self) -> Result<LedgerSummary, LedgerError> {
        let one = |sql: &str| -> Result<Option<i64>, LedgerError> {
            self.conn.query_row(sql, [], |row| row.get(0)).map_err(|error| self.explain(error))
        };
        let next = one("SELECT next_seq FROM progress")?.unwrap_or(0);
        let until = one("SELECT max((SELECT max(at_ns) FROM decisions), (SELECT max(at_ns) FROM nav))")?;
        let mut rows = Vec::new();
        for table in TABLES {
            let count = one(&format!("SELECT count(*) FROM {table}"))?.unwrap_or(0);
            rows.push((table.to_owned(), count.unsigned_abs()));
        }
        Ok(LedgerSummary { next: Seq(next.unsigned_abs()), until: until.map(Timestamp::from_ns), rows })
    }

    fn explain(&self, error: rusqlite::Error) -> LedgerError {
        use rusqlite::ErrorCode::{AuthorizationForStatementDenied, DatabaseCorrupt, NotADatabase, ReadOnly};
        let first = |error: &rusqlite::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
        match error.sqlite_error_code() {
            Some(AuthorizationForStatementDenied | ReadOnly) => {
                LedgerError::Refused { because: first(&error) }
            }
            Some(DatabaseCorrupt | NotADatabase) => broken(&self.place, "reading it")(error),
            _ => match error {
                rusqlite::Error::MultipleStatement => {
                    LedgerError::Refused { because: "it has several statements".to_owned() }
                }
                // A forbidden function is an error of another kind than a forbidden table.
                error if error.to_string().starts_with("not authorized") => {
                    LedgerError::Refused { because: first(&error) }
                }
                error => LedgerError::Query { because: first(&error) },
            },
        }
    }
}

/// Questions about the ledger's own tables, and nothing else: no other file, no setting, no extension.
fn may(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } if !function_name.eq_ignore_ascii_case("load_extension") => {
            Authorization::Allow
        }
        AuthAction::Pragma { pragma_name, pragma_value: _ }
            if ["table_info", "table_xinfo", "table_list", "index_list"]
                .iter()
                .any(|name| pragma_name.eq_ignore_ascii_case(name)) =>
        {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}
