//! Why there is no answer.

use std::error::Error;

/// A boxed error source.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why there is no answer. The variants differ in what is known about the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// We did not try.
    #[error("{target} was refused before sending: {why}")]
    Refused {
        /// Verb, host and path.
        target: String,
        /// What was wrong.
        why: &'static str,
    },
    /// No byte of the request reached the server.
    #[error("{target} was not sent: {source}")]
    NotSent {
        /// Verb, host and path.
        target: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The request may have left; nobody knows what the server did with it.
    #[error("{target} may have reached the server but its answer did not arrive: {source}")]
    Unknown {
        /// Verb, host and path.
        target: String,
        /// The status, when the head of the answer arrived and the body did not.
        status: Option<u16>,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The answer is longer than we are willing to read.
    #[error("the answer of {target} (status {status}) is longer than {limit} bytes")]
    BodyTooLarge {
        /// Verb, host and path.
        target: String,
        /// HTTP status.
        status: u16,
        /// The limit that was passed.
        limit: usize,
    },
}

impl HttpError {
    /// Whether the server may have acted on the request.
    pub const fn may_have_been_sent(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::BodyTooLarge { .. })
    }

    /// The status, where the head of an answer arrived and its body did not.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Unknown { status, .. } => *status,
            Self::BodyTooLarge { status, .. } => Some(*status),
            Self::Refused { .. } | Self::NotSent { .. } => None,
        }
    }
}

/// An error with everything behind it, as text.
pub(crate) fn chain(error: &dyn Error) -> BoxError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.into()
}
