//! The seam through which another process can take the account over without a lock.

use std::fmt;

use hedge_core::Term;

/// Asked immediately before each write to a trading socket.
///
/// An implementation re-reads the fence on each call: a newer term means that somebody else leads this account now.
pub trait Fence: fmt::Debug + Send + Sync + 'static {
    /// `Err` with the reason when nothing may be written under `term` any more.
    fn admits(&self, term: Term) -> Result<(), String>;
}

/// No fence: this process is the only one that can write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unfenced;

impl Fence for Unfenced {
    fn admits(&self, _: Term) -> Result<(), String> {
        Ok(())
    }
}
