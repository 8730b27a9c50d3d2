//! A ledger as CSV files, one a table.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use hedge_store::sqlite::{LedgerError, LedgerReader, Row};
use thiserror::Error;

/// An export that did not come to its end.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The files.
    #[error("writing {path} failed: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The file.
    pub path: PathBuf,
    /// Its rows, without the heading.
    pub rows: u64,
}

/// Writes every table into a folder as `TABLE.csv`, which only the owner can read. Existing ones are replaced, each as a whole.
///
/// The first line names the columns. Money is the exact decimal text of the ledger; nothing is an empty field.
pub fn export_csv(reader: &LedgerReader, dir: &Path) -> Result<Vec<Exported>, ExportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Io { path, source }
    };
    fs::create_dir_all(dir).map_err(failed(dir))?;
    let mut exported = Vec::new();
    for table in LedgerReader::tables() {
        let (path, part) = (dir.join(format!("{table}.csv")), dir.join(format!(".{table}.csv.part")));
        let mut out = BufWriter::new(private(&part).map_err(failed(&part))?);
        let sql = format!("SELECT * FROM {table}");
        let heading = reader.columns(&sql)?;
        writeln!(out, "{}", heading.join(",")).map_err(failed(&part))?;
        let mut rows = 0;
        reader.query(&sql, |row: Row<'_>| {
            rows += 1;
            writeln!(out, "{}", line(&row)).map_err(failed(&part))
        })?;
        let file = out.into_inner().map_err(|error| failed(&part)(error.into_error()))?;
        file.sync_all().map_err(failed(&part))?;
        fs::rename(&part, &path).map_err(failed(&path))?;
        exported.push(Exported { path, rows });
    }
    Ok(exported)
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn line(row: &Row<'_>) -> String {
    row.texts().iter().map(|text| field(text)).collect::<Vec<_>>().join(",")
}

/// As RFC 4180 wants it.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::{Envelope, Event, Fact, OperatorCommand, Seq, Timestamp};
    use hedge_store::sqlite::{Ledger, SqliteOptions};

    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn every_table_becomes_a_file_and_awkward_text_survives() {
        let temp = TempDir::new();
        let file = super::super::ledger_file(&temp.0);
        let because = "a \"quoted\", long\nreason".to_owned();
        let command = Fact::Operator { command: OperatorCommand::Halt, because };
        let record =
            Envelope { seq: Seq(0), at: Timestamp::from_ms(2), cause: None, event: Event::Fact(command) };
        Ledger::open(&file, SqliteOptions::default()).unwrap().append(&[record]).unwrap();
        let reader = LedgerReader::open(&file).unwrap();
        for _ in 0..2 {
            let exported = export_csv(&reader, &temp.0.join("csv")).unwrap();
            assert_eq!(exported.len(), LedgerReader::tables().len());
            assert_eq!(exported.iter().map(|file| file.rows).sum::<u64>(), 1);
        }
        let text = fs::read_to_string(temp.0.join("csv/operator_orders.csv")).unwrap();
        assert_eq!(text, "seq,at_ns,command,because\n0,2000000,halt,\"a \"\"quoted\"\", long\nreason\"\n");
        let empty = fs::read_to_string(temp.0.join("csv/fills.csv")).unwrap();
        assert!(empty.starts_with("venue,symbol,trade_id,") && empty.lines().count() == 1, "{empty}");
        assert_eq!(fs::read_dir(temp.0.join("csv")).unwrap().count(), LedgerReader::tables().len());
    }
}
