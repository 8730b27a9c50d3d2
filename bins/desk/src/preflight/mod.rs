//! The look before a start: account, market, what is open, risk, disk. Nothing is changed and no lock is taken, so a person
//! can look while an executor runs.
//!
//! A failed check keeps real money out. A warning is for what the executor puts right at its start, or for what makes it
//! start without openings: that must never keep an executor from coming back to open positions at night. For the same reason
//! no answer is not taken for a wrong one: an executor whose directory has led before stays and asks again.

mod account;
mod check;
mod exposure;
mod look;
mod market;
mod risk;
mod state;
mod venue;

pub use check::Table;
pub use look::look;

pub(crate) use check::{failed, ok, warning};
pub(crate) use look::{Looked, look_beside, told};
pub(crate) use state::{LockHolder, disk, fence, lock_holder, permissions};
