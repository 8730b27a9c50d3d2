//! WebSocket streams: routes, connections that prove that data flows, and what they say in our words.

mod catch_up;
mod market;
mod outlet;
mod private;
mod recent;
pub mod routes;
mod socket;
mod tracker;
pub mod user;

pub(crate) use market::market_events;
pub(crate) use private::account_events;
pub(crate) use tracker::Tracker;
