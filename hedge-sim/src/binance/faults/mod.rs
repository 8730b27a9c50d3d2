//! Things that go wrong on purpose: lost answers, refusals, a wrong clock, disordered events, cut and silent sockets.
//!
//! A [`Fault`] is armed with [`ExchangeHandle::fault`](super::ExchangeHandle::fault) or over HTTP (`/sim/faults`, see
//! `docs/simulator.md`). Its times are milliseconds of the venue clock unless its kind says otherwise. Faults live in
//! memory: a restart on the same command log has none, what they made the exchange do stays.

mod acts;
mod cuttable;
mod events;
mod fault;
mod list;
mod read;
mod requests;
mod wire;

pub use fault::{Fault, FaultKind, FilterChange, Matching, OrderPool, When};
pub use list::{FaultError, FaultLog, FaultStage, FaultStatus};

pub(crate) use cuttable::{CuttableListener, Peer};
pub(crate) use events::Fate;
pub(crate) use fault::lies_under;
pub(crate) use list::Faults;
pub(crate) use requests::{End, Plan, Request};
pub(crate) use wire::routes;
