//! What is to be sent.

use std::{fmt, time::Duration};

use crate::secret::Secret;

/// HTTP verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create.
    Post,
    /// Change.
    Put,
    /// Remove.
    Delete,
}

impl Method {
    /// The verb on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) const fn to_http(self) -> hyper::Method {
        match self {
            Self::Get => hyper::Method::GET,
            Self::Post => hyper::Method::POST,
            Self::Put => hyper::Method::PUT,
            Self::Delete => hyper::Method::DELETE,
        }
    }
}

/// One request, complete with its signature. `Debug` shows verb, host and path, nothing else.
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, Secret<String>)>,
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
    pub(crate) timeout: Option<Duration>,
    shown_as: Option<String>,
}

impl Request {
    /// A request to a whole URL, query included, exactly as it will travel.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: None, timeout: None, shown_as: None }
    }

    /// Adds a header. Values are treated as secrets throughout.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Secret::new(value.into())));
        self
    }

    /// Sets the body and its content type.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, bytes: Vec<u8>) -> Self {
        self.body = Some((content_type, bytes));
        self
    }

    /// Overrides the client's time-out for the whole exchange.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// For a URL whose path carries a secret: errors and `Debug` show this text in place of it.
    #[must_use]
    pub fn shown_as(mut self, text: impl Into<String>) -> Self {
        self.shown_as = Some(text.into());
        self
    }

    /// Verb, host and path, or what it is shown as: what may be shown.
    pub fn target(&self) -> String {
        let place = self.shown_as.clone().unwrap_or_else(|| redacted(&self.url));
        format!("{} {place}", self.method.as_str())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.target()).finish()
    }
}

/// Strips everything secret from a URL: the query (signatures, listen keys), the fragment and user info.
pub fn redacted(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match bare.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_query_nor_headers_nor_body() {
        let request = Request::new(Method::Post, "https://h.example/v1/order?signature=abc123")
            .header("X-MBX-APIKEY", "key-456")
            .body("text/plain", b"body-789".to_vec());
        assert_eq!(format!("{request:?}"), r#"Request("POST https://h.example/v1/order")"#);
    }

    #[test]
    fn a_secret_in_the_path_is_shown_neither_by_debug_nor_by_errors() {
        let request = Request::new(Method::Post, "ftp://h.example/bot123:token-abc/send")
            .shown_as("https://h.example/bot…/send");
        assert_eq!(format!("{request:?}"), r#"Request("POST https://h.example/bot…/send")"#);
        assert_eq!(request.target(), "POST https://h.example/bot…/send");
    }

    #[test]
    fn redaction_drops_query_fragment_and_user() {
        assert_eq!(redacted("wss://user:pw@h.example:1/ws?listenKey=K#f"), "wss://h.example:1/ws");
        assert_eq!(redacted("https://h.example?a=b"), "https://h.example");
    }
}
