//! One request, sent at most once.

mod connect;
mod error;
mod place;
mod request;
mod response;
mod sender;

pub use error::{BoxError, HttpError};
pub use place::is_loopback_host;
pub use request::{Method, Request, redacted};
pub use response::Response;
pub use sender::{HttpClient, HttpConfig};

pub(crate) use error::chain;
pub(crate) use place::checked;
