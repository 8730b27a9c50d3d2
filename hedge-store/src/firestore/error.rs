//! What Firestore's answers mean for the caller.

use std::time::Duration;

use hedge_core::{BoxError, StoreError};
use serde::Deserialize;

use super::auth::CredentialsError;

/// Why Firestore could not do what was asked. One variant per thing that a person or a program would do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirestoreError {
    /// It cannot be reached, or does not manage to answer. Repeating later helps.
    #[error("Firestore did not take it in {attempts} attempts: {detail}{}", doubt(*.in_doubt))]
    Unavailable {
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt met.
        detail: String,
        /// Whether a write may have happened. The next attempt finds out; nothing is stored twice.
        in_doubt: bool,
    },
    /// Too many requests, or the day's quota is used up. Nothing is sent until the pause is over.
    #[error(
        "Firestore's quota is exhausted ({detail}); nothing is sent for the next {} s (the day's quota starts again at \
         midnight Pacific time; see docs/stores.md, \"Costs\")",
        .retry_after.as_secs()
    )]
    QuotaExhausted {
        /// How long nothing is sent.
        retry_after: Duration,
        /// What the service said.
        detail: String,
    },
    /// The token is not taken, also not a fresh one.
    #[error(
        "Firestore refuses the credentials: {detail}; check the service account's key and this machine's clock"
    )]
    Unauthenticated {
        /// What the service said.
        detail: String,
    },
    /// The account may not do that.
    #[error(
        "Firestore denies access: {detail}; give the service account the role roles/datastore.user in this project, and check \
         that the project and the API are the right ones"
    )]
    PermissionDenied {
        /// What the service said.
        detail: String,
    },
    /// The project has no such database.
    #[error(
        "Firestore knows no such database: {detail}; create it, or correct store.firestore.project and .database"
    )]
    DatabaseMissing {
        /// What the service said.
        detail: String,
    },
    /// A precondition did not hold: somebody else changed the document.
    #[error("a Firestore document was changed by somebody else: {detail}")]
    Precondition {
        /// What the service said.
        detail: String,
    },
    /// The service says that the request is wrong.
    #[error("Firestore says the request is wrong ({status}): {detail}")]
    Refused {
        /// Its word for it.
        status: String,
        /// What the service said.
        detail: String,
    },
    /// The answer is not what is documented.
    #[error("Firestore's answer is not what is documented: {detail}")]
    Malformed {
        /// Where and how.
        detail: String,
    },
    /// Larger than a document or a request may be.
    #[error("{what} has {bytes} bytes, and Firestore takes {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// Its size. Units: bytes.
        bytes: usize,
        /// The limit. Units: bytes.
        limit: usize,
    },
    /// There is no token.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

const fn doubt(in_doubt: bool) -> &'static str {
    if in_doubt { " (it may have been written; the next attempt finds out)" } else { "" }
}

impl FirestoreError {
    /// What is inside a store's error, if it came from Firestore.
    pub fn of(error: &StoreError) -> Option<&Self> {
        match error {
            StoreError::Io { source, .. } | StoreError::Encode { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::QuotaExhausted { .. } => true,
            Self::Credentials(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// How long to wait first, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QuotaExhausted { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// As the stores' common error.
    pub(super) fn while_doing(self, doing: impl Into<String>) -> StoreError {
        StoreError::Io { doing: doing.into(), source: BoxError::from(self) }
    }
}

/// The service's words for failures, as far as they are acted on differently. HTTP 409 is two of them, so the HTTP status
/// alone never decides. Source: fact sheet "services", sections a.4 and a.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Contention; nothing happened.
    Aborted,
    ResourceExhausted,
    /// Nothing happened.
    Unavailable,
    /// The outcome is unknown: DEADLINE_EXCEEDED, CANCELLED, INTERNAL, UNKNOWN.
    InDoubt,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    Other,
}

/// A failed call as the service tells it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: Status,
    /// Its own word, or the HTTP status where it has none.
    pub(super) word: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    One {
        error: Inner,
    },
    /// Streaming calls wrap it in a list.
    List(Vec<Wrapped>),
}

#[derive(Deserialize)]
struct Wrapped {
    error: Inner,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    /// Reads an answer whose HTTP status is not 2xx, also one that a proxy gave in place of the service.
    pub(super) fn read(http: u16, body: &[u8]) -> Self {
        let inner = match serde_json::from_slice(body) {
            Ok(Body::One { error }) => Some(error),
            Ok(Body::List(list)) => list.into_iter().next().map(|wrapped| wrapped.error),
            Err(_) => None,
        };
        let (word, message) = match inner {
            Some(inner) if !inner.status.is_empty() => (inner.status, inner.message),
            Some(inner) => (format!("HTTP {http}"), inner.message),
            None => (format!("HTTP {http}"), shortened(&String::from_utf8_lossy(body))),
        };
        let status = match word.as_str() {
            "ABORTED" => Status::Aborted,
            "RESOURCE_EXHAUSTED" => Status::ResourceExhausted,
            "UNAVAILABLE" => Status::Unavailable,
            "DEADLINE_EXCEEDED" | "CANCELLED" | "INTERNAL" | "UNKNOWN" => Status::InDoubt,
            "UNAUTHENTICATED" => Status::Unauthenticated,
            "PERMISSION_DENIED" => Status::PermissionDenied,
            "NOT_FOUND" => Status::NotFound,
            "ALREADY_EXISTS" => Status::AlreadyExists,
            "FAILED_PRECONDITION" => Status::FailedPrecondition,
            _ => match http {
                401 => Status::Unauthenticated,
                403 => Status::PermissionDenied,
                429 => Status::ResourceExhausted,
                // A front end's 5xx says nothing about what happened behind it.
                499..=599 => Status::InDoubt,
                _ => Status::Other,
            },
        };
        Self { status, word, message: shortened(&message) }
    }

    pub(super) fn detail(&self) -> String {
        if self.message.is_empty() { self.word.clone() } else { format!("{} ({})", self.message, self.word) }
    }
}

/// One line of at most 300 characters: messages of the service end in logs.
pub(super) fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(http: u16, body: &str) -> Status {
        Refusal::read(http, body.as_bytes()).status
    }

    #[test]
    fn the_word_decides_and_not_the_http_status() {
        let aborted = r#"{"error":{"code":409,"message":"Transaction lock timeout.","status":"ABORTED"}}"#;
        let exists =
            r#"{"error":{"code":409,"message":"entity already exists: x","status":"ALREADY_EXISTS"}}"#;
        assert_eq!((status(409, aborted), status(409, exists)), (Status::Aborted, Status::AlreadyExists));
        let wrapped = r#"[{"error":{"code":400,"message":"m","status":"FAILED_PRECONDITION"}}]"#;
        assert_eq!(status(400, wrapped), Status::FailedPrecondition);
    }

    #[test]
    fn an_answer_that_is_not_the_services_is_read_by_its_http_status() {
        for (http, expected) in [
            (401, Status::Unauthenticated),
            (429, Status::ResourceExhausted),
            (502, Status::InDoubt),
            (503, Status::InDoubt),
            (302, Status::Other),
        ] {
            assert_eq!(status(http, "<html>\nno</html>"), expected, "{http}");
        }
        assert_eq!(Refusal::read(502, b"<html>\nno</html>").detail(), "<html> no</html> (HTTP 502)");
    }

    #[test]
    fn a_word_that_is_not_known_is_kept() {
        let refusal = Refusal::read(418, br#"{"error":{"status":"TEAPOT","message":"short and stout"}}"#);
        assert_eq!((refusal.status, refusal.detail().as_str()), (Status::Other, "short and stout (TEAPOT)"));
    }
}
