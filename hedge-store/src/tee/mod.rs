//! A store whose records are followed elsewhere: a remote mirror, a ledger.
//!
//! [`Tee`] appends to its primary and returns when that is durable; nothing else is waited for. A task for each follower
//! reads the primary's journal from where the follower stands and ships it in order, in batches, for as long as it takes.
//! The primary's journal is the outbox: it survives everything that the process does not, and an outage costs no memory.
//! What was shipped is known to the follower itself, so nothing is lost, doubled or reordered by a lost answer or a restart.
//!
//! Views go to followers as the newest of each name, beside the records.
//!
//! A follower that holds something else than the primary is an alarm: shipping to it stops, everything else goes on.

mod follower;
#[cfg(feature = "sqlite")]
mod ledger;
mod mirror;
mod ship;
mod status;
mod store;
mod views;

pub use follower::{FollowError, Follower};
#[cfg(feature = "sqlite")]
pub use ledger::LedgerFollower;
pub use mirror::Mirror;
pub use status::{FollowerState, FollowerStatus, read_status};
pub use store::{Follow, Tee};
