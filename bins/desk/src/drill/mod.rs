//! Drills: what protects an account, shown on this machine. Each one starts an exchange of its own and the real executor,
//! breaks something, looks whether that is survived as promised, and writes down what it saw.
//!
//! A drill is one small file in `each`: what should happen, the steps, the checks. Everything else is here. The exchange is
//! asked in process, by code that shares nothing with the client; the journal is read from its files.

mod audit;
mod catalog;
mod checks;
mod dice;
mod each;
mod error;
mod evidence;
mod exchange;
mod history;
mod interrupt;
mod process;
mod programs;
mod record;
mod run;
mod scene;
mod setup;
mod tail;
mod takeover;
mod watch;
mod workplace;

pub use catalog::{DRILLS, Drill, find, least_of_all};
pub use error::DrillError;
pub use run::{DrillOptions, Outcome, Verdict, run};
