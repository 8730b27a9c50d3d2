//! One request, sent at most once.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Uri,
    body::{Body as _, Bytes, Incoming},
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{CaptureConnection, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    connect::{self, Connector},
    error::{BoxError, HttpError, chain},
    place,
    request::{Method, Request},
    response::Response,
};

/// Idle connections are kept so long.
const IDLE: Duration = Duration::from_secs(90);
/// As many headers as a request usually has, or more.
const MOST_HEADERS: usize = 8;

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
///
/// Exchanges go straight to hyper: between an order and the socket there is nothing that could repeat, redirect or rewrite
/// it, and nothing that costs time. Files ([`open`](Self::open)) are read through reqwest.
#[derive(Debug, Clone)]
pub struct HttpClient {
    exchanges: Client<Connector, Full<Bytes>>,
    files: reqwest::Client,
    agent: HeaderValue,
    connect_timeout: Duration,
    timeout: Duration,
    max_body_bytes: usize,
}

/// How an exchange ended without an answer.
enum Failure {
    NotSent(BoxError),
    Broken(BoxError),
    TooLong,
}

impl HttpClient {
    /// Builds the client. TLS is rustls with ring; there are no redirects, no proxies and no automatic repeats.
    ///
    /// # Errors
    /// When the TLS stack cannot be set up, or the user agent is no text for a header.
    pub fn new(config: &HttpConfig) -> Result<Self, HttpError> {
        let fail = |source| HttpError::NotSent { target: "HTTP client".to_owned(), source };
        let tls = connect::tls().map_err(|error| fail(chain(&error)))?;
        let agent = HeaderValue::from_str(&config.user_agent).map_err(|error| fail(chain(&error)))?;
        let files = reqwest::Client::builder()
            .use_preconfigured_tls(tls.clone())
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
            .user_agent(&config.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .build()
            .map_err(|error| fail(chain(&error.without_url())))?;
        let exchanges = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Connector::new(tls, config.connect_timeout));
        let (connect_timeout, timeout) = (config.connect_timeout, config.timeout);
        let max_body_bytes = config.max_body_bytes;
        Ok(Self { exchanges, files, agent, connect_timeout, timeout, max_body_bytes })
    }

    /// Sends one request, once, and reads the whole answer. A status of 4xx or 5xx is an answer, not an error.
    ///
    /// *Cancel safety*: dropping the future leaves the outcome unknown.
    ///
    /// # Errors
    /// See [`HttpError`]; ask [`HttpError::may_have_been_sent`] before doing anything again.
    pub async fn send(&self, mut request: Request) -> Result<Response, HttpError> {
        let place = match place::checked(&request.url) {
            Ok(place) => place,
            Err(why) => return Err(HttpError::Refused { target: request.target(), why }),
        };
        let mut built = match self.built(&mut request, place) {
            Ok(built) => built,
            Err(source) => return Err(HttpError::NotSent { target: request.target(), source }),
        };
        let limit = request.timeout.unwrap_or(self.timeout);
        // Time that is over before connecting is given up must not make an unwritten request one of unknown fate.
        let connection = (limit <= self.connect_timeout).then(|| capture_connection(&mut built));
        let mut status = None;
        let failure = match tokio::time::timeout(limit, self.exchange(built, &mut status)).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(failure)) => failure,
            Err(_) if connection.is_some_and(|connection| !has_stood(&connection)) => {
                Failure::NotSent(format!("no connection within {limit:?}").into())
            }
            Err(_) => Failure::Broken(format!("it did not arrive within {limit:?}").into()),
        };
        let target = request.target();
        Err(match (failure, status) {
            (Failure::NotSent(source), _) => HttpError::NotSent { target, source },
            (Failure::TooLong, Some(status)) => {
                HttpError::BodyTooLarge { target, status, limit: self.max_body_bytes }
            }
            (Failure::TooLong, None) => {
                HttpError::Unknown { target, status, source: "it is too long".into() }
            }
            (Failure::Broken(source), status) => HttpError::Unknown { target, status, source },
        })
    }

    fn built(&self, request: &mut Request, place: Uri) -> Result<hyper::Request<Full<Bytes>>, BoxError> {
        let mut headers = HeaderMap::with_capacity(MOST_HEADERS);
        headers.insert(USER_AGENT, self.agent.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        for (name, value) in &request.headers {
            let key =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no header"))?;
            headers.append(key, header_value(name, value.expose())?);
        }
        let body = match request.body.take() {
            Some((content_type, bytes)) => {
                headers.insert(CONTENT_TYPE, header_value("content-type", content_type)?);
                Full::from(bytes)
            }
            None => {
                if matches!(request.method, Method::Post | Method::Put) {
                    // Some gateways answer 411 to a change that does not say that it has no body.
                    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                }
                Full::default()
            }
        };
        let mut built = hyper::Request::new(body);
        *built.method_mut() = request.method.to_http();
        *built.uri_mut() = place;
        *built.headers_mut() = headers;
        Ok(built)
    }

    /// `status` is set as soon as the head of the answer is there.
    async fn exchange(
        &self,
        request: hyper::Request<Full<Bytes>>,
        status: &mut Option<u16>,
    ) -> Result<Response, Failure> {
        let response = match self.exchanges.request(request).await {
            Ok(response) => response,
            // The connection never stood, so no byte has left.
            Err(error) if error.is_connect() => return Err(Failure::NotSent(chain(&error))),
            Err(error) => return Err(Failure::Broken(chain(&error))),
        };
        let (head, body) = response.into_parts();
        let code = head.status.as_u16();
        *status = Some(code);
        Ok(Response::received(code, head.headers, self.whole(body).await?))
    }

    async fn whole(&self, mut body: Incoming) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while !body.is_end_stream() {
            let Some(frame) = body.frame().await else { break };
            // Anything else than data is a trailer.
            let Ok(data) = frame.map_err(|error| Failure::Broken(chain(&error)))?.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > self.max_body_bytes {
                return Err(Failure::TooLong);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }

    pub(crate) const fn files(&self) -> &reqwest::Client {
        &self.files
    }
}

/// Whether a connection was there for the request. It is noted before the first byte is written.
fn has_stood(connection: &CaptureConnection) -> bool {
    connection.connection_metadata().is_some()
}

/// The value itself is in no error.
fn header_value(name: &str, value: &str) -> Result<HeaderValue, BoxError> {
    HeaderValue::from_str(value)
        .map_err(|_| format!("the header {name} has letters that it must not have").into())
}
