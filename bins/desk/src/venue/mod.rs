//! How every program reaches the account of its profile: hosts, keys, clock, and a client that can only look.

mod access;
mod embedded;
mod state;

pub use access::{Access, AccessError, access};
pub use embedded::{EmbeddedError, Exchange, ExchangeFile};
pub use state::{StateError, state_dir, venue_name};
