//! The same backtest over many combinations of parameters: in parallel, with the data loaded once; what came out best, where
//! the results are stable, and how much of the best one is luck.

mod compare;
mod error;
mod grid;
mod neighbours;
mod normal;
mod odometer;
mod outcome;
mod parameters;
mod pool;
mod report;
mod resume;
mod run;
mod sharpe;
mod table;
mod trial;
mod walk_forward;

pub use compare::{Best, Comparison};
pub use error::SweepError;
pub use grid::{Axis, Space};
pub use normal::{phi, phi_inverse};
pub use outcome::{Outcome, Row};
pub use parameters::Parameters;
pub use report::report;
pub use run::{Choice, Sweep, SweepPlan, Swept};
pub use sharpe::{Moments, Period, deflated_sharpe, expected_best_sharpe, probabilistic_sharpe};
pub use table::{csv, json, line, summary_table};
pub use trial::{Figures, Trial};
pub use walk_forward::{Fold, WalkForward};
