//! A backtest from recorded files to its summary line: what `hedgectl backtest` does, usable by other binaries.

mod curve;
mod folder;
mod market;
mod play;
mod prepare;
mod report;
mod summary_line;

pub use curve::{Curve, CurvePoint};
pub use folder::{prepare_folder, write_folder};
pub use market::{RecordedMarket, SetupError};
pub(crate) use play::check_balance;
pub use play::{PlayError, Played, play};
pub use prepare::{account, engine, remarks};
pub use report::report;
pub use summary_line::{SummaryLine, SummaryTable};
