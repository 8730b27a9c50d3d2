//! The ledger: what happened, as tables that can be asked.
//!
//! One SQLite file plays two parts. As [`Ledger`] it is a projection that is fed from the journal of another store: it
//! can be deleted and built again at any time. As [`SqliteStore`] it is a [`StateStore`](hedge_core::StateStore) of its
//! own, with the journal in a hash chain beside the same tables. Both fill the tables in the transaction that takes the
//! records, remember how far they came, and write through one connection; readers have their own.
//!
//! ```
//! use hedge_core::{Envelope, Event, Fact, OperatorCommand, Seq, Timestamp};
//! use hedge_store::sqlite::{Ledger, LedgerError, LedgerReader, SqliteOptions};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = std::env::temp_dir().join(format!("hedge-store-ledger-doc-{}", std::process::id()));
//! let file = dir.join("ledger.sqlite");
//! let mut ledger = Ledger::open(&file, SqliteOptions::default())?;
//! let command = Fact::Operator { command: OperatorCommand::Halt, because: "a test".to_owned() };
//! let record = Envelope { seq: Seq(0), at: Timestamp::from_ms(0), cause: None, event: Event::Fact(command) };
//! ledger.append(&[record])?;
//!
//! let mut rows = Vec::new();
//! let sql = "SELECT command, because FROM operator_orders";
//! LedgerReader::open(&file)?.query::<LedgerError>(sql, |row| { rows.push(row.texts()); Ok(()) })?;
//! assert_eq!(rows, [["halt", "a test"]]);
//! # drop(ledger);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok(())
//! # }
//! # run().unwrap();
//! ```

mod copy;
mod core;
mod error;
mod kept;
mod ledger;
mod numbers;
mod open;
mod orders;
mod project;
mod reader;
mod row;
mod schema;
mod store;
mod tables;

pub use copy::{Copied, backup, replace_with, restore};
pub use error::LedgerError;
pub use ledger::Ledger;
pub use open::SqliteOptions;
pub use reader::{LedgerReader, LedgerSummary};
pub use row::{Cell, Row};
pub use schema::VERSION as SCHEMA_VERSION;
pub use store::SqliteStore;
