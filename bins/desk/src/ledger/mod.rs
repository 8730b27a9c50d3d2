//! The ledger of a state directory, for the tools: usual questions, files for spreadsheets, building it again.

mod export;
mod pick;
mod rebuild;

pub use export::{ExportError, Exported, export_csv};
pub use pick::{Pick, Topic};
pub use rebuild::{Rebuilt, rebuild};

use std::path::{Path, PathBuf};

/// Where a state directory's ledger is.
pub fn ledger_file(state_dir: &Path) -> PathBuf {
    state_dir.join("ledger.sqlite")
}
