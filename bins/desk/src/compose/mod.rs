//! Puts the parts together: configuration in, engine and client out. The one place that knows every crate.

mod client;
mod engine;

pub use client::{ClientSettings, connect};
pub(crate) use engine::intervals;
pub use engine::{ComposeError, Composition, compose};
