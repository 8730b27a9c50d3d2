//! Raw messages of the venue, explained: what they are, what we understand, and every field of theirs that we read.
//!
//! A tool for looking at recorded traffic and for holding the decoder against other implementations (`hedgectl decode`). It
//! reads with the same structs as the live client; the live paths are [`stream`](crate::stream) and
//! [`client`](crate::client).
//!
//! ```
//! use hedge_binance::decode::{Explainer, Source};
//!
//! let mut explainer = Explainer::new(Source::parse("ws")?);
//! let line = r#"{"e":"bookTicker","u":1,"E":2,"T":2,"s":"ABCUSDT","b":"1.20","B":"3","a":"1.21","A":"4","odd":true}"#;
//! let rows = explainer.line(line)?;
//! assert_eq!(rows[0].kind, "bookTicker");
//! assert_eq!(rows[0].fields["bid"], "1.20");
//! assert_eq!(rows[0].venue["b"], "1.20");
//! assert!(rows[0].venue.get("odd").is_none(), "nobody asked for it");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod echo;
mod path;
mod rest;
mod row;
mod ws;
mod wsapi;

use std::collections::BTreeMap;

use serde_json::Value;

pub use path::FieldError;
pub use row::Explained;

use rest::Endpoint;

/// Where a message comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A market or user stream: bare events, combined frames, arrays, and answers to SUBSCRIBE.
    Ws,
    /// The WebSocket API: requests and responses.
    WsApi,
    /// The body of a REST answer.
    Rest(&'static Endpoint),
}

/// A source that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Neither of the three.
    #[error("source {0:?} is not known; expected ws, wsapi or 'rest:METHOD /path'")]
    Form(String),
    /// A method and path that this version does not read.
    #[error("no answer of {0:?} is known; expected one of: {1}")]
    Endpoint(String, String),
}

impl Source {
    /// Reads `ws`, `wsapi` or `rest:METHOD /path`; a query behind the path is ignored.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        match text {
            "ws" => return Ok(Self::Ws),
            "wsapi" => return Ok(Self::WsApi),
            _ => {}
        }
        let call = text.strip_prefix("rest:").ok_or_else(|| SourceError::Form(text.to_owned()))?;
        let (method, path) = call.trim().split_once(' ').ok_or_else(|| SourceError::Form(text.to_owned()))?;
        let path = path.trim().split(['?', '#']).next().unwrap_or_default();
        let method = method.to_ascii_uppercase();
        rest::find(&method, path).map(Self::Rest).ok_or_else(|| {
            let near: Vec<String> = rest::near(path);
            SourceError::Endpoint(format!("{method} {path}"), near.join(", "))
        })
    }
}

/// Every method and path whose answers are known.
pub fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    rest::ENDPOINTS.iter().map(|endpoint| (endpoint.method, endpoint.path))
}

/// Why a message was not explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// A required field is missing, or a field is malformed.
    #[error("{0}")]
    Field(#[from] FieldError),
    /// A kind of message that this version does not know.
    #[error("{kind:?} is no kind of message that this version knows")]
    UnknownKind {
        /// The venue's word for it, or what it looks like.
        kind: String,
    },
}

/// Explains the messages of one source, in their order.
#[derive(Debug)]
pub struct Explainer {
    source: Source,
    /// Requests whose responses may follow, by id.
    asked: BTreeMap<String, String>,
}

/// So many requests may wait for their responses.
const REMEMBERED: usize = 4_096;

impl Explainer {
    /// For messages of this source.
    pub const fn new(source: Source) -> Self {
        Self { source, asked: BTreeMap::new() }
    }

    /// Explains one message: a row for each event in it, so that an array gives as many as it has elements.
    ///
    /// # Errors
    /// [`ExplainError`]; the first one in the message.
    pub fn line(&mut self, text: &str) -> Result<Vec<Explained>, ExplainError> {
        self.each(text).into_iter().collect()
    }

    /// As [`line`](Self::line), but a bad element does not keep the others from being explained: each has its own outcome. At
    /// least one.
    pub fn each(&mut self, text: &str) -> Vec<Result<Explained, ExplainError>> {
        let message: Value = match serde_json::from_str(text) {
            Ok(message) => message,
            Err(error) => return vec![Err(ExplainError::NotJson(error.to_string()))],
        };
        match self.source {
            Source::Ws => ws::message(&message),
            Source::WsApi => {
                if self.asked.len() > REMEMBERED {
                    self.asked.pop_first();
                }
                wsapi::message(&message, &mut self.asked)
            }
            Source::Rest(endpoint) => rest::answer(endpoint, &message),
        }
    }
}

/// What became of each event of a message.
type Outcomes = Vec<Result<Explained, ExplainError>>;
