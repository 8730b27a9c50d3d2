//! Who may trade an account: the fence file and the lease together, asked before each command leaves.

mod firestore;
mod guard;
mod identity;
mod plan;
mod posture;
mod stance;
mod take;

pub(crate) use guard::{Gatekeeper, LeasedFence};
pub(crate) use plan::LeasePlan;
pub(crate) use posture::{OURS, keep_posture};
pub(crate) use stance::AccountStance;
pub(crate) use take::{Claim, take};
