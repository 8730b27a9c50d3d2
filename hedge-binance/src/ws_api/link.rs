//! One connection for requests: opened when it is needed, replaced before its day is over, never asked twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hedge_core::{Clock, Sending, Timestamp};
use hedge_http::{HttpError, Response};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::frame;
use crate::{
    config::StreamConfig,
    last_look::LastLook,
    stream::socket::{Frame, Socket},
};

/// Requests that may wait to be written.
const QUEUE: usize = 256;
/// Answers that nobody waits for any more are forgotten when so many are open.
const OPEN_REQUESTS: usize = 1_024;
/// After a connection could not be made, requests that have another way do not try again for so long.
const REOPEN_PAUSE: Duration = Duration::from_secs(10);

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
    failed_at: Mutex<Option<Instant>>,
    /// Whoever opens a connection holds it, so that nobody opens a second one beside it.
    turn: tokio::sync::Mutex<()>,
    next_id: AtomicU64,
}

/// An open connection, as its users see it. It is as it was when it was opened: one that has not logged on never does.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    commands: mpsc::Sender<Command>,
    opened_at: Instant,
    is_logged_on: bool,
}

impl Line {
    /// Whether requests on it need neither key nor signature.
    pub(crate) const fn is_logged_on(&self) -> bool {
        self.is_logged_on
    }
}

/// A `session.logon`: its id, its text, and the venue's clock when it was made, in milliseconds.
pub(crate) type LogOn = (String, String, i64);

/// One request, ready to be written.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) text: String,
    /// The venue's time, for waits that an answer states as an instant.
    pub(crate) now_ms: i64,
    pub(crate) deadline: Option<Deadline>,
    /// Who is asked where it is written.
    pub(crate) look: Option<(LastLook, Sending)>,
}

/// The instant after which a request must not leave any more.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) until: Timestamp,
}

impl Deadline {
    /// Whether it is too late.
    pub(crate) fn is_over(&self) -> bool {
        self.clock.now() > self.until
    }

    /// How long it is still good. Units: milliseconds of our clock, 0 when it is over.
    pub(crate) fn left_ms(&self) -> i64 {
        (self.until.ms() - self.clock.now().ms()).max(0)
    }
}

/// One request on its way.
#[derive(Debug)]
struct Command {
    id: String,
    text: String,
    now_ms: i64,
    deadline: Option<Deadline>,
    look: Option<(LastLook, Sending)>,
    reply: oneshot::Sender<Result<Response, Lost>>,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Its deadline had passed before it was written; no byte of it left.
    Stale,
    /// The guard did not let it leave, and why; no byte of it left.
    Guarded(String),
    /// No byte of it left.
    Unwritten(String),
    /// It was written, or the attempt was made.
    Unanswered(String),
}

/// Why a request was not to leave, by whatever way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// It was too late.
    Stale,
    /// The guard forbade it, and why.
    Guarded(String),
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoLine {
    /// It could not be made.
    Unreachable(HttpError),
    /// The venue refused the log-on.
    Refused(Response),
}

fn unwritten(target: &str, why: String) -> HttpError {
    HttpError::NotSent { target: format!("WebSocket {target}"), source: why.into() }
}

impl Lost {
    /// As an exchange by HTTP would have failed. Errors: it was not to leave at all.
    pub(crate) fn into_http(self, method: &str) -> Result<HttpError, Withheld> {
        match self {
            Self::Stale => Err(Withheld::Stale),
            Self::Guarded(because) => Err(Withheld::Guarded(because)),
            Self::Unwritten(why) => Ok(unwritten(method, why)),
            Self::Unanswered(why) => Ok(HttpError::Unknown {
                target: format!("WebSocket {method}"),
                status: None,
                source: why.into(),
            }),
        }
    }
}

// What these locks guard is replaced as a whole, so a panic elsewhere leaves nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(crate) fn new(config: LinkConfig) -> Self {
        Self {
            config,
            current: Mutex::new(None),
            failed_at: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
            next_id: AtomicU64::new(1),
        }
    }

    /// Whether connections log on.
    pub(crate) const fn logs_on(&self) -> bool {
        self.config.logon
    }

    /// A name for a request that no other request of this client has.
    pub(crate) fn new_id(&self) -> String {
        format!("h{}", self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// The connection, while one stands that takes new requests.
    pub(crate) fn line(&self) -> Option<Line> {
        lock(&self.current).as_ref().filter(|line| self.is_good(line)).cloned()
    }

    /// Whether a connection could not be made just now.
    pub(crate) fn has_just_failed(&self) -> bool {
        lock(&self.failed_at).is_some_and(|at| at.elapsed() < REOPEN_PAUSE)
    }

    fn is_good(&self, line: &Line) -> bool {
        !line.commands.is_closed() && line.opened_at.elapsed() < self.config.streams.rotate_after
    }

    /// Waits until nobody else opens a connection. Look again for a [`line`](Self::line) then.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// A connection was not made in time.
    pub(crate) fn note_failure(&self) {
        *lock(&self.failed_at) = Some(Instant::now());
    }

    /// Opens a connection in place of the one that stands. `logon` makes it one that has logged on.
    ///
    /// *Cancel safety*: what was opened so far is closed.
    pub(crate) async fn open(&self, logon: Option<LogOn>) -> Result<Line, NoLine> {
        let opened = self.try_open(logon).await;
        match &opened {
            Ok(line) => {
                // What the old connection still owes is answered there; it ends when nobody writes to it any more.
                *lock(&self.current) = Some(line.clone());
                *lock(&self.failed_at) = None;
            }
            Err(_) => self.note_failure(),
        }
        opened
    }

    async fn try_open(&self, logon: Option<LogOn>) -> Result<Line, NoLine> {
        let unreachable = |why: String| NoLine::Unreachable(unwritten("connection", why));
        let socket = Socket::connect(&self.config.url, &self.config.streams)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let (commands, queue) = mpsc::channel(QUEUE);
        tokio::spawn(Reader::new(socket, self.config.streams).run(queue));
        let is_logged_on = logon.is_some();
        if let Some((id, text, now_ms)) = logon {
            let request = Outgoing { id, text, now_ms, deadline: None, look: None };
            let answer = exchange(&commands, request, self.config.answer_within)
                .await
                .map_err(|lost| unreachable(format!("no answer to the log-on: {lost:?}")))?;
            if answer.status != 200 {
                return Err(NoLine::Refused(answer));
            }
        }
        Ok(Line { commands, opened_at: Instant::now(), is_logged_on })
    }

    /// Sends one request on this connection, once, and waits for its answer. It never opens another one: that would know
    /// nothing of the log-on that the request counts on.
    ///
    /// A connection that does not answer in time takes no further request. What it owes to others is still waited for.
    pub(crate) async fn call(&self, line: &Line, request: Outgoing) -> Result<Response, Lost> {
        let answer = exchange(&line.commands, request, self.config.answer_within).await;
        if matches!(answer, Err(Lost::Unanswered(_) | Lost::Unwritten(_))) {
            self.retire(line);
        }
        answer
    }

    /// Gives no further request to a connection.
    pub(crate) fn retire(&self, line: &Line) {
        let mut current = lock(&self.current);
        if current.as_ref().is_some_and(|standing| standing.commands.same_channel(&line.commands)) {
            tracing::warn!(target: "hedge::stream", "the connection for requests is not used any more");
            *current = None;
        }
    }
}

async fn exchange(
    commands: &mpsc::Sender<Command>,
    request: Outgoing,
    within: Duration,
) -> Result<Response, Lost> {
    let until = Instant::now() + within;
    let (reply, answer) = oneshot::channel();
    let Outgoing { id, text, now_ms, deadline, look } = request;
    match timeout(within, commands.send(Command { id, text, now_ms, deadline, look, reply })).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err(Lost::Unwritten("the connection has just ended".to_owned())),
        Err(_) => return Err(Lost::Unwritten(format!("the connection took no request within {within:?}"))),
    }
    match tokio::time::timeout_at(until, answer).await {
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
        // It may have waited behind others, and an approval of an opening does not last long.
        if command.deadline.is_some_and(|deadline| deadline.is_over()) {
            let _ = command.reply.send(Err(Lost::Stale));
            return Ok(());
        }
        if let Some(because) = command.look.and_then(|(look, what)| look.admits(what).err()) {
            let _ = command.reply.send(Err(Lost::Guarded(because)));
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use async_trait::async_trait;
    use futures_util::{SinkExt, StreamExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

    use super::*;

    #[derive(Debug)]
    struct Hand(AtomicI64);

    #[async_trait]
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_ms(self.0.load(Ordering::SeqCst))
        }
        async fn sleep_until(&self, _: Timestamp) {
            std::future::pending().await
        }
    }

    async fn venue() -> (TcpListener, LinkConfig) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = LinkConfig {
            url: format!("ws://{}", listener.local_addr().unwrap()),
            answer_within: Duration::from_secs(10),
            streams: StreamConfig::default(),
            logon: false,
        };
        (listener, config)
    }

    async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
        accept_async(listener.accept().await.unwrap().0).await.unwrap()
    }

    fn request(id: &str, text: String, deadline: Option<Deadline>) -> Outgoing {
        Outgoing { id: id.to_owned(), text, now_ms: 0, deadline, look: None }
    }

    #[tokio::test]
    async fn what_is_too_late_when_its_turn_comes_is_not_written() {
        let (listener, config) = venue().await;
        let link = Link::new(config);
        let (line, mut socket) = tokio::join!(link.open(None), accept(&listener));
        let line = line.unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_000)));
        let deadline =
            Deadline { clock: Arc::clone(&clock) as Arc<dyn Clock>, until: Timestamp::from_ms(1_000) };
        assert!(!deadline.is_over(), "the last instant counts");
        clock.0.store(1_001, Ordering::SeqCst);
        let lost = link.call(&line, request("1", "late".to_owned(), Some(deadline))).await;
        assert_eq!(lost.unwrap_err(), Lost::Stale);
        // The connection is as good as before, and the next frame on it is the next request.
        assert!(link.line().is_some());
        let asked = async { link.call(&line, request("2", "in time".to_owned(), None)).await };
        let answered = async {
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("in time"));
            socket.send(Message::text(r#"{"id":"2","status":200,"result":{}}"#)).await.unwrap();
        };
        assert_eq!(tokio::join!(asked, answered).0.unwrap().status, 200);
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up_and_holds_nobody() {
        let (listener, mut config) = venue().await;
        config.streams.pong_timeout = Duration::from_millis(200);
        config.answer_within = Duration::from_secs(60);
        let link = Link::new(config);
        let (line, _unread) = tokio::join!(link.open(None), accept(&listener));
        let line = line.unwrap();
        // More than both ends of a connection buffer.
        let huge = "x".repeat(4 << 20);
        let mut asked = tokio::task::JoinSet::new();
        let link = Arc::new(link);
        for id in 0..8 {
            let (link, line) = (Arc::clone(&link), line.clone());
            let request = request(&id.to_string(), huge.clone(), None);
            asked.spawn(async move { link.call(&line, request).await });
        }
        let told = timeout(Duration::from_secs(10), asked.join_all()).await.expect("nobody was told");
        assert!(told.iter().all(Result::is_err));
        assert!(
            told.iter().any(|lost| matches!(lost, Err(Lost::Unanswered(_)))),
            "of what may have left in part"
        );
        assert!(link.line().is_none());
    }

    #[tokio::test]
    async fn a_request_on_a_connection_that_has_ended_opens_no_other_one() {
        let (listener, config) = venue().await;
        let link = Link::new(config);
        let (line, socket) = tokio::join!(link.open(None), accept(&listener));
        let line = line.unwrap();
        drop(socket);
        // Until its end is noticed, the request may be on its way.
        let lost = link.call(&line, request("1", "x".to_owned(), None)).await.unwrap_err();
        assert_ne!(lost, Lost::Stale);
        let lost = link.call(&line, request("2", "x".to_owned(), None)).await.unwrap_err();
        assert!(matches!(lost, Lost::Unwritten(_)), "{lost:?}");
        assert!(timeout(Duration::from_millis(100), listener.accept()).await.is_err(), "nobody connected");
    }
}
