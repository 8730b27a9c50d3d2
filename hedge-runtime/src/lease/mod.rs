//! A lease on an account: which process may open positions while several could, on this host or another one.
//!
//! The lock of a state directory keeps two processes of one directory apart. A lease does the same for two directories, on
//! two hosts: a document elsewhere names the holder and its term, and runs out unless it is renewed. A [`Keeper`] renews it
//! beside the loop, on a thread of its own; [`LeaseState`] is what the rest of the process asks, immediately before each
//! command leaves.
//!
//! What a process may do:
//!
//! | The lease | Openings | Leverage, modes, margin out, countdowns | Closes, stops, cancels |
//! |---|---|---|---|
//! | held, and not over | leave, once the first wait is over | leave | leave |
//! | over, and the store was asked since and did not answer, or refused | do not leave | do not leave | leave: they only reduce and protect, and a host that has lost nothing but the store must not leave its legs bare |
//! | over, and nobody has asked since: this process was stopped, or its host slept | do not leave | do not leave | are refused until the store was asked, which is done at once; whoever wanted them decides again |
//! | not to be had at the start, in a directory that has led under one | do not leave | do not leave | leave |
//! | somebody else's | do not leave | do not leave | do not leave; the process ends |
//!
//! A lease counts as over, too, when the venue's clock and ours have moved apart ([`LeaseState::time_was_lost`]): a machine that
//! is paused may stop all of its own clocks. Exits go on where that was less than the margin: then nobody else can lead yet.
//!
//! No venue checks any of this. What keeps a request of a stopped process from being executed late is its timestamp, which is
//! taken before the question, and a window that is shorter than the lease's margin.

mod keeper;
mod state;

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use hedge_core::{Stance, Term, Timestamp};
use thiserror::Error;

pub use keeper::{Beat, Keeper};
pub use state::{Asking, Identity, LeaseState, LeaseStatus};

/// Where a lease is kept. One value is one process's claim: what it has taken it remembers.
#[async_trait]
pub trait LeaseStore: fmt::Debug + Send + 'static {
    /// Takes the lease, if nobody else holds it. Errors: [`LeaseRefusal`].
    async fn take(&mut self, wall: Timestamp) -> Result<Taken, LeaseRefusal>;
    /// Makes what was taken last longer; one attempt. `stance` is what the next holder is to find; without one, what this one
    /// has found. Errors: [`LeaseRefusal`].
    async fn renew(&mut self, wall: Timestamp, stance: Option<Stance>) -> Result<Validity, LeaseRefusal>;
    /// Gives back what was taken, so that the next holder need not wait. Errors: it runs out by itself.
    async fn release(&mut self, wall: Timestamp, stance: Option<Stance>) -> Result<(), LeaseRefusal>;
}

/// A lease that this process holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its term; greater than that of every holder before.
    pub term: Term,
    /// For how long.
    pub validity: Validity,
    /// Whether whoever held it before is known to send nothing any more: it gave the lease back, or it was a process of this
    /// very state directory, whose lock this one has.
    pub is_succession: bool,
    /// How the holder before left the account, where it is neither as usual nor known from the own journal: halted, or to be
    /// closed only.
    pub left: Option<Stance>,
}

/// The end of a lease, less its margin, by both clocks of this machine.
///
/// The monotonic one is not fooled by a clock that somebody sets back; but it stands still while the machine sleeps, and the
/// other one does not. A lease is good while both say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    monotonic: Instant,
    wall: SystemTime,
}

impl Validity {
    /// Valid until both, each counted from before the request was sent that made it so: an answer that comes after a sleep
    /// must not count the sleep as time that is left.
    pub const fn new(monotonic: Instant, wall: SystemTime) -> Self {
        Self { monotonic, wall }
    }

    /// Valid until that monotonic instant, as seen from now.
    pub fn until(monotonic: Instant) -> Self {
        let left = monotonic.saturating_duration_since(Instant::now());
        Self { monotonic, wall: SystemTime::now() + left }
    }

    /// How long it is still good.
    pub fn left(&self) -> Duration {
        let by_wall = self.wall.duration_since(SystemTime::now()).unwrap_or_default();
        self.monotonic.saturating_duration_since(Instant::now()).min(by_wall)
    }
}

/// Why a lease was not taken, renewed or given back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LeaseRefusal {
    /// Somebody else holds it, for as long as it says.
    #[error("the lease is held by {holder} (term {term}), for another {} s unless it is renewed", .left.as_secs())]
    Held {
        /// Who.
        holder: String,
        /// Their term.
        term: Term,
        /// How long.
        left: Duration,
        /// Another one after each renewal.
        version: String,
    },
    /// It was this process's and is somebody else's now.
    #[error("the lease is lost: {holder} holds it now (term {term})")]
    Lost {
        /// Who.
        holder: String,
        /// Their term.
        term: Term,
    },
    /// Nobody knows.
    #[error("the lease store does not answer: {because}")]
    Unreachable {
        /// Why.
        because: String,
    },
    /// The store has answered, and does not let this process at the lease: credentials, a role, the database. No later question
    /// is answered otherwise before somebody has changed something.
    #[error("the lease store refuses: {because}")]
    Refused {
        /// What it says.
        because: String,
    },
    /// What is stored is no lease, or it cannot be used; a person must look.
    #[error("the lease cannot be used: {because}")]
    Damaged {
        /// What is wrong.
        because: String,
    },
}
