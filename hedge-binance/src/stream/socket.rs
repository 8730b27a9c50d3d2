//! One WebSocket connection. Its URL may hold a listen key and is never shown.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Bytes, Error, Message, Utf8Bytes},
};

use crate::config::StreamConfig;

/// How long [`Socket::last_look`] looks.
const GRACE: Duration = Duration::from_millis(50);

/// What a connection said.
#[derive(Debug)]
pub(crate) enum Frame {
    /// Data.
    Text(Utf8Bytes),
    /// A question for life. It is answered by [`Socket::pong`], or by the next read.
    Ping,
    /// Anything else that proves life.
    Other,
}

/// Why a connection is of no use any more. The text holds no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SocketError(String);

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::Url(_) | Error::HttpFormat(_) => "the WebSocket URL cannot be used".to_owned(),
            Error::Http(response) => {
                format!("the handshake was answered with HTTP {}", response.status().as_u16())
            }
            Error::ConnectionClosed | Error::AlreadyClosed => "the connection is closed".to_owned(),
            other => other.to_string(),
        })
    }
}

#[derive(Debug)]
pub(crate) struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// A peer that takes nothing for so long is gone. Without it, whoever writes would not read either.
    write_within: Duration,
}

impl Socket {
    pub(crate) async fn connect(url: &str, timing: &StreamConfig) -> Result<Self, SocketError> {
        let within = timing.connect_timeout;
        // Small frames, and each pong counts: no waiting for more to send.
        let connect = connect_async_with_config(url, None, true);
        match timeout(within, connect).await {
            Ok(Ok((inner, _))) => Ok(Self { inner, write_within: timing.pong_timeout }),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(SocketError(format!("no connection within {within:?}"))),
        }
    }

    /// The next frame. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Frame, SocketError> {
        match self.inner.next().await {
            Some(Ok(Message::Text(text))) => Ok(Frame::Text(text)),
            Some(Ok(Message::Ping(_))) => Ok(Frame::Ping),
            Some(Ok(Message::Close(frame))) => Err(SocketError(match frame {
                Some(frame) => format!("closed by the venue with code {}", u16::from(frame.code)),
                None => "closed by the venue".to_owned(),
            })),
            Some(Ok(_)) => Ok(Frame::Other),
            Some(Err(error)) => Err(error.into()),
            None => Err(SocketError("the connection ended".to_owned())),
        }
    }

    /// What may lie in the buffer before the connection is called dead: after a pause of the whole process the timers are due
    /// and the data is there as well.
    pub(crate) async fn last_look(&mut self) -> Option<Result<Frame, SocketError>> {
        timeout(GRACE, self.next()).await.ok()
    }

    /// Sends the pong that the last ping asked for.
    pub(crate) async fn pong(&mut self) -> Result<(), SocketError> {
        in_time(self.write_within, self.inner.flush()).await
    }

    /// Sends a text frame. After an error the connection is of no use: part of the frame may have left.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), SocketError> {
        in_time(self.write_within, self.inner.send(Message::Text(text.into()))).await
    }

    /// Asks for a pong.
    pub(crate) async fn ping(&mut self) -> Result<(), SocketError> {
        in_time(self.write_within, self.inner.send(Message::Ping(Bytes::new()))).await
    }

    /// Says good-bye without waiting for an answer.
    pub(crate) async fn close(mut self) {
        let _ = timeout(Duration::from_millis(500), self.inner.close(None)).await;
    }
}

async fn in_time(
    within: Duration,
    write: impl Future<Output = Result<(), Error>>,
) -> Result<(), SocketError> {
    match timeout(within, write).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(SocketError(format!("the other side took nothing within {within:?}"))),
    }
}
