//! One connection for requests: opened when it is needed, replaced before its day is over, never asked twice.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hedge_http::{HttpError, Response};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::frame;
use crate::{
    config::StreamConfig,
    stream::socket::{Frame, Socket},
};

/// Requests that may wait to be written.
const QUEUE: usize = 256;
/// Answers that nobody waits for any more are forgotten when so many are open.
const OPEN_REQUESTS: usize = 1_024;

/// Where, and how patiently.
#[derive(Debug, Clone)]
pub(crate) struct LinkConfig {
    pub(crate) url: String,
    /// Time from the first byte of a request to its answer.
    pub(crate) answer_within: Duration,
    pub(crate) streams: StreamConfig,
    /// Whether each connection logs on before anything else.
    pub(crate) logon: bool,
}

/// The connection manager.
#[derive(Debug)]
pub(crate) struct Link {
    config: LinkConfig,
    current: Mutex<Option<Line>>,
    next_id: AtomicU64,
}

/// An open connection, as its users see it.
#[derive(Debug, Clone)]
struct Line {
    commands: mpsc::Sender<Command>,
    opened_at: Instant,
}

/// One request on its way.
#[derive(Debug)]
struct Command {
    id: String,
    text: String,
    now_ms: i64,
    reply: oneshot::Sender<Result<Response, Lost>>,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lost {
    /// No byte of it left.
    Unwritten(String),
    /// It was written, or the attempt was made.
    Unanswered(String),
}

impl Lost {
    fn of(self, method: &str) -> HttpError {
        let target = format!("WebSocket {method}");
        match self {
            Self::Unwritten(why) => HttpError::NotSent { target, source: why.into() },
            Self::Unanswered(why) => HttpError::Unknown { target, status: None, source: why.into() },
        }
    }
}

impl Link {
    pub(crate) fn new(config: LinkConfig) -> Self {
        Self { config, current: Mutex::new(None), next_id: AtomicU64::new(1) }
    }

    /// Whether connections log on.
    pub(crate) const fn logs_on(&self) -> bool {
        self.config.logon
    }

    /// A name for a request that no other request of this client has.
    pub(crate) fn new_id(&self) -> String {
        format!("h{}", self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the next request needs no handshake.
    pub(crate) async fn is_open(&self) -> bool {
        self.current.lock().await.as_ref().is_some_and(|line| self.is_good(line))
    }

    fn is_good(&self, line: &Line) -> bool {
        !line.commands.is_closed() && line.opened_at.elapsed() < self.config.streams.rotate_after
    }

    /// Opens a connection unless one stands. `logon` is the text of a `session.logon`, and its id.
    pub(crate) async fn open(&self, logon: Option<(String, String)>) -> Result<(), HttpError> {
        self.line(logon).await.map(|_| ()).map_err(|lost| lost.of("connection"))
    }

    /// Sends one request, once, and waits for its answer.
    pub(crate) async fn call(
        &self,
        method: &'static str,
        id: String,
        text: String,
        now_ms: i64,
    ) -> Result<Response, HttpError> {
        let commands = self.line(None).await.map_err(|lost| lost.of(method))?.commands;
        exchange(&commands, id, text, now_ms, self.config.answer_within).await.map_err(|lost| lost.of(method))
    }

    async fn line(&self, logon: Option<(String, String)>) -> Result<Line, Lost> {
        let mut current = self.current.lock().await;
        if let Some(line) = current.as_ref().filter(|line| self.is_good(line)) {
            return Ok(line.clone());
        }
        let socket = Socket::connect(&self.config.url, self.config.streams.connect_timeout)
            .await
            .map_err(|error| Lost::Unwritten(error.to_string()))?;
        let (commands, queue) = mpsc::channel(QUEUE);
        tokio::spawn(Reader::new(socket, self.config.streams).run(queue));
        if let Some((id, text)) = logon {
            let answer = exchange(&commands, id, text, 0, self.config.answer_within)
                .await
                .map_err(|lost| Lost::Unwritten(format!("no answer to the log-on: {lost:?}")))?;
            if answer.status != 200 {
                let why = String::from_utf8_lossy(&answer.body).chars().take(200).collect::<String>();
                return Err(Lost::Unwritten(format!("the venue refused the log-on: {why}")));
            }
        }
        // What the old connection still owes is answered there; it ends when nobody writes to it any more.
        let line = Line { commands, opened_at: Instant::now() };
        *current = Some(line.clone());
        Ok(line)
    }
}

async fn exchange(
    commands: &mpsc::Sender<Command>,
    id: String,
    text: String,
    now_ms: i64,
    within: Duration,
) -> Result<Response, Lost> {
    let (reply, answer) = oneshot::channel();
    let command = Command { id, text, now_ms, reply };
    if commands.send(command).await.is_err() {
        return Err(Lost::Unwritten("the connection has just ended".to_owned()));
    }
    match timeout(within, answer).await {
        Ok(Ok(result)) => result,
        // Its task is gone without a word: nobody knows how far it came.
        Ok(Err(_)) => Err(Lost::Unanswered("the connection ended".to_owned())),
        Err(_) => Err(Lost::Unanswered(format!("no answer within {within:?}"))),
    }
}

/// Owns the socket.
struct Reader {
    socket: Socket,
    timing: StreamConfig,
    open: BTreeMap<String, (oneshot::Sender<Result<Response, Lost>>, i64)>,
    heard_at: Instant,
    asked_at: Option<Instant>,
}

impl Reader {
    fn new(socket: Socket, timing: StreamConfig) -> Self {
        Self { socket, timing, open: BTreeMap::new(), heard_at: Instant::now(), asked_at: None }
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let why = self.serve(&mut queue).await;
        for (reply, _) in std::mem::take(&mut self.open).into_values() {
            // Whoever waits no longer has been told "unknown" by its own clock.
            let _ = reply.send(Err(Lost::Unanswered(why.clone())));
        }
        // What was never written never left.
        queue.close();
        while let Some(command) = queue.recv().await {
            let _ = command.reply.send(Err(Lost::Unwritten(why.clone())));
        }
        self.socket.close().await;
    }

    async fn serve(&mut self, queue: &mut mpsc::Receiver<Command>) -> String {
        let mut tick = interval((self.timing.pong_timeout / 4).max(Duration::from_millis(10)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_wanted = true;
        loop {
            tokio::select! {
                // Answers first: a burst of requests must not keep one waiting.
                biased;
                frame = self.socket.next() => match frame {
                    Ok(frame) => {
                        (self.heard_at, self.asked_at) = (Instant::now(), None);
                        if let Err(error) = self.on_frame(frame).await {
                            return error;
                        }
                    }
                    Err(error) => return error.to_string(),
                },
                command = queue.recv(), if is_wanted => match command {
                    Some(command) => {
                        if let Err(error) = self.write(command).await {
                            return error;
                        }
                    }
                    None => is_wanted = false,
                },
                _ = tick.tick() => {
                    if !is_wanted && self.open.values().all(|(reply, _)| reply.is_closed()) {
                        return "it was replaced".to_owned();
                    }
                    if let Err(error) = self.keep_alive().await {
                        return error;
                    }
                }
            }
        }
    }

    async fn on_frame(&mut self, frame: Frame) -> Result<(), String> {
        match frame {
            Frame::Text(text) => {
                // The answer's clock matters for stated waits only; the request's is near enough.
                let now_ms = self.open.values().next().map_or(0, |(_, now_ms)| *now_ms);
                match frame::response(&text, now_ms) {
                    Some((id, response)) => match self.open.remove(&id) {
                        Some((reply, _)) => {
                            let _ = reply.send(Ok(response));
                        }
                        None => {
                            tracing::warn!(target: "hedge::stream", id, "an answer that nobody waits for")
                        }
                    },
                    None => tracing::warn!(target: "hedge::stream", "a frame that is no response"),
                }
                Ok(())
            }
            Frame::Ping => self.socket.pong().await.map_err(|error| error.to_string()),
            Frame::Other => Ok(()),
        }
    }

    async fn write(&mut self, command: Command) -> Result<(), String> {
        // Given up before it was written: it is not sent any more.
        if command.reply.is_closed() {
            return Ok(());
        }
        if self.open.len() >= OPEN_REQUESTS {
            self.open.retain(|_, (reply, _)| !reply.is_closed());
        }
        // Noted before it is written: a failed write may have left in part.
        self.open.insert(command.id, (command.reply, command.now_ms));
        self.socket.send(command.text).await.map_err(|error| error.to_string())
    }

    /// A connection that is not used says nothing for minutes, so it is asked whether it lives.
    async fn keep_alive(&mut self) -> Result<(), String> {
        match self.asked_at {
            Some(at) if at.elapsed() > self.timing.pong_timeout => Err("no pong came".to_owned()),
            None if self.heard_at.elapsed() > self.timing.private_ping => {
                self.asked_at = Some(Instant::now());
                self.socket.ping().await.map_err(|error| error.to_string())
            }
            _ => Ok(()),
        }
    }
}
