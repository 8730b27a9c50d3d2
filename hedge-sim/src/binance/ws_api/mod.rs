//! The WS-API: requests and answers as JSON frames on one socket.
//!
//! Every method goes the way its REST twin goes: the same checks in the same order, the same faults, the same limits.
//! Source: fact sheet 10.

mod answer;
mod connection;
mod methods;
mod request;

pub(crate) use connection::{Connection, HANDSHAKE_WEIGHT};

/// Where it is served.
pub(crate) const PATH: &str = "/ws-fapi/v1";
