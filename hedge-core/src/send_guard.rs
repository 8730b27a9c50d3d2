//! The last word before a command leaves. Whoever composes a program brings it; a client without one asks nobody.

use std::{fmt, time::Duration};

/// What a request may do to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sending {
    /// It may open a position or make one larger.
    Opening,
    /// It changes what positions stand on: leverage, modes, margin taken away, a timer that cancels orders. Whoever leads
    /// does that, and nobody else.
    Setting,
    /// It only reduces or protects: a close, a stop, a cancel, margin put in, such a timer taken off.
    Exit,
}

/// Asked by a client for every command, after its timestamp was taken and as the last thing before its first byte is
/// written; for every signature of one call anew. Questions that change nothing are not asked about.
///
/// The timestamp comes first on purpose: a process that is stopped between the answer and the write wakes up with a request
/// whose window is over, and the venue refuses it.
pub trait SendGuard: fmt::Debug + Send + Sync + 'static {
    /// Errors: nothing of that kind may leave now, and why. A few microseconds.
    fn admits(&self, what: Sending) -> Result<(), String>;
    /// The venue's clock and ours have moved apart by so much, and how: this process may have stood still with all its clocks.
    /// Zero where it is not known yet by how much; whoever finds that out says it.
    fn time_was_lost(&self, by: Duration, how: &str) {
        let _ = (by, how);
    }
}
