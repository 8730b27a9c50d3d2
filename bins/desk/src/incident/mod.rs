//! An incident as one file: what a run was told, what it decided, and its configuration, so that it can be looked at and
//! tested anywhere.
//!
//! A pack holds no keys, no hosts, no paths, no chat: texts from outside are redacted, of the configuration only what an
//! engine is made from is left. Equal input makes equal bytes.

mod archive;
mod error;
mod log;
mod manifest;
mod open;
mod pack;
mod redact;

pub use error::IncidentError;
pub use log::log_between;
pub use manifest::{Manifest, Mark, MemberSum, ProcessOf, Verdict};
pub use open::{Opened, look, open, read_from};
pub use pack::{Contents, Packed, Wanted, pack, save};
pub use redact::Redactor;
