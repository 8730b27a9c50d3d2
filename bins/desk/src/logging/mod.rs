//! The lines that operators grep, and the rest of the log.
//!
//! Lines keep the tags of the operators' runbook. In text a line is its tag and its content; with `--log json` each line
//! is one JSON object with the same fields, the tag in `tag`. Everything goes to stdout, or to the configured file.

mod lines;
mod operator;
mod requests;
mod rotate;
mod sink;

pub use lines::{Line, account_ok, preflight};
pub use operator::{Environment, OperatorLog};
pub use rotate::reopen_on_hangup;
pub use sink::{Format, Sink, init};
