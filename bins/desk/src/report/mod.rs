//! What a run amounted to: recorded while it goes, rendered as one self-contained page.

pub(crate) mod chart;
mod closes;
mod page;
mod record;

pub use page::{Heading, render};
pub(crate) use page::{grouped, money, signed, style};
pub use record::{Record, Recorder, Trade};
