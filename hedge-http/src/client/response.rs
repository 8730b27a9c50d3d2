//! What came back.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// A complete answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer that came another way than by HTTP. A header that HTTP could not carry is left out.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let header = |(name, value): (String, String)| {
            HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok())
        };
        Self { status, headers: headers.into_iter().filter_map(header).collect(), body }
    }

    pub(super) const fn received(status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    /// First value of a header, where it is text; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers whose value is text, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// `Retry-After` in its form as a number of seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_came_another_way_has_headers_too() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers =
            vec![pair("X-MBX-Used-Weight-1m", "7"), pair("bad name", "1"), pair("retry-after", "3")];
        let response = Response::new(429, headers, Vec::new());
        assert_eq!(response.header("x-mbx-USED-weight-1m"), Some("7"));
        assert_eq!(response.retry_after(), Some(Duration::from_secs(3)));
        let names: Vec<&str> = response.headers().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-mbx-used-weight-1m", "retry-after"]);
    }
}
