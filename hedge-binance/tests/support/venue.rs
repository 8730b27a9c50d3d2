//! A WebSocket venue that a test drives by hand.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Bytes, Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

/// Longer than anything takes; a test that waits so long has failed.
pub const LONG: Duration = Duration::from_secs(10);

/// Accepts connections and hands them to the test, one by one.
pub struct Venue {
    pub url: String,
    connections: mpsc::UnboundedReceiver<Connection>,
}

/// One accepted connection.
pub struct Connection {
    /// Path and query.
    pub uri: String,
    inner: WebSocketStream<TcpStream>,
}

impl Venue {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (sender, connections) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut uri = String::new();
                #[allow(clippy::result_large_err, reason = "the callback's type is given")]
                let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                    uri = request.uri().to_string();
                    Ok(response)
                };
                let Ok(inner) = accept_hdr_async(stream, note).await else { continue };
                if sender.send(Connection { uri, inner }).is_err() {
                    return;
                }
            }
        });
        Self { url, connections }
    }

    /// The next connection that a client opens.
    pub async fn accept(&mut self) -> Connection {
        timeout(LONG, self.connections.recv()).await.expect("nobody connected").unwrap()
    }

    /// Whether nobody has connected since.
    pub fn is_quiet(&mut self) -> bool {
        self.connections.try_recv().is_err()
    }
}

impl Connection {
    pub async fn send(&mut self, event: Value) {
        self.text(event.to_string()).await;
    }

    pub async fn text(&mut self, text: String) {
        self.inner.send(Message::Text(text.into())).await.unwrap();
    }

    pub async fn stream(&mut self, name: &str, data: Value) {
        self.send(serde_json::json!({ "stream": name, "data": data })).await;
    }

    pub async fn ping(&mut self) {
        self.inner.send(Message::Ping(Bytes::from_static(b"1"))).await.unwrap();
    }

    /// What the client says, `None` once it is gone.
    pub async fn heard(&mut self) -> Option<Message> {
        timeout(LONG, self.inner.next()).await.expect("the client said nothing").and_then(Result::ok)
    }

    /// Whether the client says nothing for a while.
    pub async fn is_silent_for(&mut self, wait: Duration) -> bool {
        timeout(wait, self.inner.next()).await.is_err()
    }

    /// Reads (and so answers pings) until the client goes away.
    pub async fn until_closed(mut self) {
        while let Some(message) = self.heard().await {
            if message.is_close() {
                return;
            }
        }
    }

    /// Reads in the background, so that pings are answered.
    pub fn keep_reading(self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            let mut inner = self.inner;
            while let Some(Ok(_)) = inner.next().await {}
        })
    }
}
