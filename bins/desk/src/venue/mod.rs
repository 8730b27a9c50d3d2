//! How every program reaches the account of its profile: hosts, keys, clock, and a client that can only look.

mod access;
mod embedded;
mod state;

pub(crate) use access::access_by;
pub use access::{Access, AccessError, access};
pub use embedded::{EmbeddedError, Exchange, ExchangeFile, Pace};
pub use state::{StateError, default_dir, state_dir, venue_name};
