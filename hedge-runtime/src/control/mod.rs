//! How people and tools speak with a running process: lines of JSON over `<state>/control.sock`.
//!
//! One request a line, one answer a line:
//!
//! ```text
//! {"command":"status"}                               {"ok":true,"status":{…}}
//! {"command":"halt","because":"news at 14:30"}       {"ok":true,"seq":812,"posture":"halted",…}
//! {"command":"dance"}                                {"ok":false,"error":"unknown command \"dance\"; …"}
//! ```
//!
//! The loop itself answers, between two steps: a status is exact, and a command is answered once its record is durable.
//! [`ask`] is the client. Where nobody listens, [`offline`] writes the same record into the journal.

#[cfg(unix)]
mod client;
mod offline;
mod protocol;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod socket;
mod status;

#[cfg(unix)]
pub use client::ask;
pub use client_error::AskError;
pub use offline::{Folded, OfflineError, fold, offline};
pub(crate) use protocol::Ask;
pub use protocol::{Answer, Done, Request};
#[cfg(unix)]
pub(crate) use server::Server;
pub use status::{HaltedLeg, LegStatus, Mute, Origin, Status, StopStatus};

mod client_error;
