//! Reading journals for people: finding records, saying in words what they hold, checking that they are whole.

mod engines;
mod moment;
mod place;
mod render;
mod replay;
mod runs;
mod source;
mod verify;
mod words;

pub use engines::Engines;
pub use hedge_store::StateDirError;
pub use moment::Moment;
pub use place::{InvalidPlace, Place, parse_time};
pub use render::Lines;
pub use replay::{Compared, Difference, Fresh, ReplayError, cut_words, replay};
pub use runs::find_run;
pub use source::{JournalSource, SourceError};
pub use verify::{Head, Replayed, Verified, VerifyError, verify};
pub use words::{check_words, intent_words, order_words, rule_meaning, verdict_words, veto_meaning};
