//! Questions that only a venue itself can answer, asked with orders that cost nothing: on a demo venue, never on mainnet.

mod dead_man;
mod entry;

pub use dead_man::{Found, ProbeError, Verdict, dead_man, plan};
