//! Puts the parts together: configuration in, engine and client out. The one place that knows every crate.

mod client;
mod engine;

pub(crate) use client::stretched;
pub use client::{ClientSettings, ClientTies, connect};
pub use engine::{ComposeError, Composition, Pacing, compose, compose_paced, intervals};
