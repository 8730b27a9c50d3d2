//! Reading journals for people: finding records, saying in words what they hold, checking that they are whole.

mod place;
mod render;
mod source;
mod verify;
mod words;

pub use hedge_store::StateDirError;
pub use place::{InvalidPlace, Place, parse_time};
pub use render::Lines;
pub use source::{JournalSource, SourceError};
pub use verify::{Fresh, Replayed, Verified, VerifyError, verify};
pub use words::{check_words, intent_words, order_words, rule_meaning, verdict_words, veto_meaning};
