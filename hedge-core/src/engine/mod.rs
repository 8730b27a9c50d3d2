//! The engine: one fact in, journal records and effects out. No clock, no I/O, no randomness.
//!
//! [`Engine::step`] folds a fact into the [`Book`](crate::Book), lets protection react first, then asks the strategies, and
//! appends journal records and [`Effect`]s to a reused [`Step`].
//!
//! **Invariant.** State moves before anything is durable. A failed append must therefore end the process: continuing would
//! act on records that nobody can replay.

mod closing;
mod deadline;
mod doubt;
mod forced;
mod foreign;
mod intents;
mod market;
mod protection;
mod react;
mod run;
mod sent;
mod step;
mod unknown;
mod validator;
mod withdrawn;

pub use run::Engine;
pub use step::{Effect, EngineConfig, ForeignOrders, Step};
pub use validator::{Guard, StopValidator};
