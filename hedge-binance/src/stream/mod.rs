//! WebSocket streams: routes, connections that prove that data flows, and what they say in our words.

mod catch_up;
mod contract;
mod end;
mod event;
mod forced;
mod live;
mod market;
mod name;
mod outlet;
mod private;
mod recent;
pub mod routes;
pub(crate) mod socket;
mod tracker;
pub mod user;

pub(crate) use contract::rules_changed;
pub(crate) use forced::{Unnamed, name_forced};
pub(crate) use market::market_events;
pub(crate) use private::account_events;
pub(crate) use tracker::Tracker;

pub use event::{StreamEvent, market_events as read_market_events};
pub use live::{MAX_STREAMS, StreamUpdate, Streams, TooManyStreams};
pub use name::{DepthLevels, DepthSpeed, InvalidStream, Stream};
pub use routes::Route;
