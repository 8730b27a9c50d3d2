//! Why a leg is, or is not, where it is: the answer of `hedgectl why`, read from the journal and from nowhere else.

mod explain;
mod gather;
mod headline;
mod tree;

pub use explain::{LegNow, LiveOrder, MuteNow, PostureNow, Seen, StopNow, Why};
pub use gather::{WhyError, explain};
pub use tree::Node;
