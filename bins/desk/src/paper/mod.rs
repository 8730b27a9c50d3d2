//! The paper profile: the real client on a simulated exchange, from the first socket to the report.
//!
//! Embedded at lockstep speed (the default), embedded at a finite speed, or against an exchange that somebody else runs on
//! this machine: the same engine, client, journal and loop each time. Only the clock and the driver differ.

mod bars;
mod clock;
mod disk;
mod error;
mod exchange;
mod last_bar;
mod lockstep;
mod market;
mod options;
mod preflight;
mod run;
mod summary;

pub use clock::VenueTime;
pub use error::PaperError;
pub use last_bar::LastBar;
pub use lockstep::{Driven, Lockstep};
pub use options::PaperOptions;
pub use run::{Finished, run, run_and_inspect};
