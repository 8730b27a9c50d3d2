//! Why reading a connection ended.

use super::{outlet::Gone, socket::SocketError};
use crate::decode::DecodeError;

/// Why reading ended.
pub(super) enum End {
    /// Nobody listens any more.
    ConsumerGone,
    /// The connection is of no use, or something was missed.
    Lost(String),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::ConsumerGone
    }
}

impl From<SocketError> for End {
    fn from(error: SocketError) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<DecodeError> for End {
    fn from(error: DecodeError) -> Self {
        Self::Lost(format!("a message could not be read: {error}"))
    }
}
