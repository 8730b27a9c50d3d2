//! What a person at a shell does with a trading account: look at it, stop it, let it go on, close everything.
//!
//! Whoever trades is asked at its control socket. Where nobody does, the journal is read without its lock, or written under
//! it, so that the next start goes by what was ordered.

mod error;
mod flatten;
mod folded;
mod order;
mod page;
mod status;

pub use error::OperateError;
pub use flatten::{Waited, close_here, left, plan, symbols, wait_for_flat};
pub use folded::{Folded, Said};
pub use order::{By, Ordered, now, order};
pub use page::Page;
pub use status::{NextStart, Situation, situation, stopped};
