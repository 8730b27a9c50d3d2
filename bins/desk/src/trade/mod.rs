//! One run of any profile: folder, venue, preflight, client, engine, loop, summary, report.
//!
//! The profile decides where the account is ([`paper`](crate::paper) or `live`) and which broker is built
//! on it; from there on there is one composition. No flag inside says whether money moves.

mod bars;
mod broker;
mod disk;
mod driver;
mod error;
mod fenced;
mod followers;
mod options;
mod patience;
mod place;
mod plan;
mod retention;
mod run;
mod session;
mod standby;
mod summary;

pub(crate) use disk::OURS as DISK;
pub use error::TradeError;
pub(crate) use followers::firestore_config;
pub use options::TradeOptions;
pub(crate) use place::Place;
pub use run::{Fingerprint, Finished, Setup, fingerprint, run, run_and_inspect, run_standing_by};
