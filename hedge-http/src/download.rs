//! An answer that is read piece by piece: for files that are larger than memory should hold.

use std::time::Duration;

use crate::client::{BoxError, HttpClient, HttpError, Request, chain, checked};

/// An answer whose head has arrived and whose body has not been read yet.
#[derive(Debug)]
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// Length of the body that follows, where the server said it. Units: bytes.
    pub body_bytes: Option<u64>,
    /// First byte of the body within the whole file: what `Content-Range` says in an answer with status 206.
    pub first_byte: Option<u64>,
    target: String,
    idle: Duration,
    response: reqwest::Response,
}

impl HttpClient {
    /// Sends one request, once, and gives the answer as soon as its head is there. A status of 4xx or 5xx is an answer, not
    /// an error. The whole exchange may take as long as the request's own time-out says (the client's without one); `idle`
    /// bounds the silence between two pieces of the body.
    ///
    /// *Cancel safety*: dropping the future, or the answer, closes the connection.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn open(&self, request: Request, idle: Duration) -> Result<Incoming, HttpError> {
        let target = request.target();
        let place = match checked(&request.url) {
            Ok(place) => place,
            Err(why) => return Err(HttpError::Refused { target, why }),
        };
        let mut asked = self.files().request(request.method.to_http(), place.to_string());
        for (name, value) in &request.headers {
            asked = asked.header(*name, value.expose());
        }
        if let Some((content_type, bytes)) = request.body {
            asked = asked.header("content-type", content_type).body(bytes);
        }
        if let Some(timeout) = request.timeout {
            asked = asked.timeout(timeout);
        }
        match asked.send().await {
            Ok(response) => Ok(Incoming {
                status: response.status().as_u16(),
                body_bytes: response.content_length(),
                first_byte: response
                    .headers()
                    .get("content-range")
                    .and_then(|range| first_byte(range.to_str().ok()?)),
                target,
                idle,
                response,
            }),
            // The connection never stood, or the request could not be built.
            Err(error) if error.is_connect() || error.is_builder() => {
                Err(HttpError::NotSent { target, source: plain(error) })
            }
            Err(error) => Err(HttpError::Unknown { target, status: None, source: plain(error) }),
        }
    }
}

impl Incoming {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`HttpError::Unknown`] when the connection breaks, or is silent for too long. What was read before is good.
    pub async fn piece(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, HttpError> {
        let broken =
            |source| HttpError::Unknown { target: self.target.clone(), status: Some(self.status), source };
        match tokio::time::timeout(self.idle, self.response.chunk()).await {
            Ok(piece) => piece.map_err(|error| broken(plain(error))),
            Err(_) => Err(broken(format!("nothing came for {} s", self.idle.as_secs()).into())),
        }
    }
}

/// The cause without the URL: its query may carry a signature.
fn plain(error: reqwest::Error) -> BoxError {
    chain(&error.without_url())
}

/// `1048576` of `bytes 1048576-2097151/2097152`.
fn first_byte(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_tells_where_it_begins() {
        assert_eq!(first_byte("bytes 1048576-2097151/2097152"), Some(1_048_576));
        assert_eq!(first_byte("bytes */2097152"), None);
        assert_eq!(first_byte("lines 1-2/3"), None);
    }
}
