//! What a report tells about an account: typed until it is rendered, pure, without a clock or a zone table of its own.
//!
//! [`Heartbeat`] is the operators' eight-hour message. [`Heartbeat::text`] renders the text, [`Heartbeat::json`] its twin for
//! machines; both forms are fixed, for people and scripts read them. What is not known is `None`: it becomes `n/a` in the
//! text and `null` in the JSON, never a zero.

mod heartbeat;
mod json;
mod note;
mod number;
mod text;

pub use heartbeat::{Delta, Heartbeat, Holding, Kpis, Nav, Screened, Trade, Trades, Trend};
pub use note::{Note, Topic};
pub use text::ClockFace;
