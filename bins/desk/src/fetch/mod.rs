//! Downloads recorded market data into the folders that a backtest reads: the venue's public archives with their checksums
//! first, its REST API for what no archive covers.
//!
//! Source: Binance public data archive; fact sheet section 13 (layout, columns, what is missing from it).

mod archive;
mod calendar;
mod coverage;
mod error;
mod filler;
mod gz;
mod kind;
mod rows;
mod run;
mod tell;
mod transfer;
mod zip;

pub use error::FetchError;
pub use kind::Kind;
pub use run::{ARCHIVE_URL, FetchPlan, Fetched, Missing, fetch};
