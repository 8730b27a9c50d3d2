//! One request, sent at most once.

use std::{error::Error, fmt, time::Duration};

use reqwest::Url;

use crate::secret::Secret;

/// A boxed error source.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

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

    const fn to_reqwest(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Delete => reqwest::Method::DELETE,
        }
    }
}

/// One request, complete with its signature. `Debug` shows verb, host and path, nothing else.
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(&'static str, Secret<String>)>,
    body: Option<(&'static str, Vec<u8>)>,
    timeout: Option<Duration>,
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

    pub(crate) fn url(&self) -> &str {
        &self.url
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

/// A complete answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer that came another way than by HTTP. Header names are in lower case.
    pub const fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    /// First value of a header; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `Retry-After` in its form as a number of seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}

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
}

/// Limits of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Time for TCP and TLS.
    pub connect_timeout: Duration,
    /// Time for the whole exchange.
    pub timeout: Duration,
    /// Longest answer that is read.
    pub max_body_bytes: usize,
    /// `User-Agent`.
    pub user_agent: String,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            // The largest documented answer (exchangeInfo of all symbols) is about 2 MB.
            max_body_bytes: 16 * 1024 * 1024,
            user_agent: concat!("hedge/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Sends requests. Cheap to clone; clones share the connection pool.
#[derive(Debug, Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    max_body_bytes: usize,
}

impl HttpClient {
    /// Builds the client. TLS is rustls with ring; there are no redirects, no proxies and no automatic repeats.
    ///
    /// # Errors
    /// When the TLS stack cannot be set up.
    pub fn new(config: &HttpConfig) -> Result<Self, HttpError> {
        let inner = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .user_agent(&config.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .build()
            .map_err(|error| HttpError::NotSent { target: "HTTP client".to_owned(), source: plain(error) })?;
        Ok(Self { inner, max_body_bytes: config.max_body_bytes })
    }

    /// Sends one request, once, and reads the whole answer. A status of 4xx or 5xx is an answer, not an error.
    ///
    /// *Cancel safety*: dropping the future leaves the outcome unknown.
    ///
    /// # Errors
    /// See [`HttpError`]; ask [`HttpError::may_have_been_sent`] before doing anything again.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let target = request.target();
        let url = match checked(&request.url) {
            Ok(url) => url,
            Err(why) => return Err(HttpError::Refused { target, why }),
        };
        let built = match self.build(request, url) {
            Ok(built) => built,
            Err(error) => return Err(HttpError::NotSent { target, source: plain(error) }),
        };
        match self.inner.execute(built).await {
            Ok(response) => self.read(target, response).await,
            Err(error) if never_left(&error) => Err(HttpError::NotSent { target, source: plain(error) }),
            Err(error) => Err(HttpError::Unknown { target, status: None, source: plain(error) }),
        }
    }

    pub(crate) fn build(&self, request: Request, url: Url) -> reqwest::Result<reqwest::Request> {
        let mut builder = self.inner.request(request.method.to_reqwest(), url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.expose());
        }
        if let Some((content_type, bytes)) = request.body {
            builder = builder.header("content-type", content_type).body(bytes);
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        builder.build()
    }

    pub(crate) const fn inner(&self) -> &reqwest::Client {
        &self.inner
    }

    async fn read(&self, target: String, mut response: reqwest::Response) -> Result<Response, HttpError> {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > self.max_body_bytes => {
                    return Err(HttpError::BodyTooLarge { target, status, limit: self.max_body_bytes });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(Response { status, headers, body }),
                Err(error) => {
                    return Err(HttpError::Unknown { target, status: Some(status), source: plain(error) });
                }
            }
        }
    }
}

/// Whether no byte can have left: the connection never stood, or the request could not be built.
pub(crate) fn never_left(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

/// The cause as text with its chain, without the URL: its query carries the signature.
pub(crate) fn plain(error: reqwest::Error) -> BoxError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.into()
}

pub(crate) fn checked(url: &str) -> Result<Url, &'static str> {
    let url = Url::parse(url).map_err(|_| "the URL cannot be read")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL carries a user name or password");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) || is_metadata_server(&url) => Ok(url),
        "http" => Err("plain http is for loopback hosts only; use https"),
        _ => Err("only https (and http on loopback) is possible"),
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

/// The metadata server of Google's machines speaks plain http only, on a link that does not leave the machine.
/// Source: fact sheet "services", section a.8.
fn is_metadata_server(url: &Url) -> bool {
    matches!(url.host_str(), Some("metadata.google.internal" | "169.254.169.254"))
}

/// Whether a host name or address (brackets of IPv6 allowed, no port) is this machine.
pub fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_is_accepted() {
        for url in [
            "https://api.example.com/x",
            "http://127.0.0.1:80/x",
            "http://localhost/x",
            "http://[::1]:9/x",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://169.254.169.254/computeMetadata/v1/",
        ] {
            assert!(checked(url).is_ok(), "{url}");
        }
        for url in [
            "http://api.example.com/x",
            "http://metadata.google.internal.example.com/x",
            "http://127.0.0.1.example.com/",
            "ftp://localhost/",
            "https://u:p@h/",
            "x",
        ] {
            assert!(checked(url).is_err(), "{url}");
        }
    }

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
