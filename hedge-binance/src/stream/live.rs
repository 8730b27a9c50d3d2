//! Market streams for everybody: subscribed by name, each on its route, watched, and replaced before their day is over.
//!
//! Source: fact sheet 8.1 (limits, lifetime, silence) and 1 (routes).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use hedge_core::BrokerError;
use hedge_http::retry::{Backoff, SplitMix64};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    event::{StreamEvent, market_events},
    name::Stream,
    recent::Recent,
    routes::Route,
    socket::{Frame, Socket, SocketError},
};
use crate::{
    client::{Binance, Mode},
    config::StreamConfig,
    wire::event::Combined,
};

/// Streams per connection. Source: fact sheet 8.1.
pub const MAX_STREAMS: usize = 1_024;
/// Names in one command, so that a command stays a small frame.
const NAMES_PER_COMMAND: usize = 100;
/// Ten messages a second are allowed, pongs included; commands take half of them.
const BETWEEN_COMMANDS: Duration = Duration::from_millis(200);
/// A connection without a chatty stream is dead when even the venue's pings (every three minutes) stay away.
const SILENCE: Duration = Duration::from_secs(600);
/// How often the watch looks.
const TICK: Duration = Duration::from_millis(250);
/// A new connection that has not taken all subscriptions by then is given up, and another one is tried.
const STANDBY_WITHIN: Duration = Duration::from_secs(60);
/// Frames that are remembered while two connections carry the same.
const OVERLAP_FRAMES: usize = 8_192;

/// What the streams say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamUpdate {
    /// An event. Of COIN-M there are none.
    Event {
        /// The stream that it came on.
        stream: String,
        /// What.
        event: Box<StreamEvent>,
    },
    /// A message that could not be read. The connection stays.
    Unreadable {
        /// The stream that it came on.
        stream: String,
        /// Why.
        why: String,
    },
    /// Nothing arrives on this route until [`StreamUpdate::Back`]: books and candles have gaps from here on.
    Lost {
        /// Which route.
        route: Route,
        /// Why.
        why: String,
    },
    /// The route carries data again, with all its subscriptions.
    Back {
        /// Which route.
        route: Route,
    },
    /// The venue refused a command.
    Refused {
        /// Its words.
        why: String,
    },
}

/// A subscription that is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{count} streams on {route:?}, and a connection carries at most {MAX_STREAMS}")]
pub struct TooManyStreams {
    /// How many there would be.
    pub count: usize,
    /// On which route.
    pub route: Route,
}

/// Market streams of one venue: at most one connection per route.
#[derive(Debug)]
pub struct Streams {
    base: String,
    config: StreamConfig,
    seed: u64,
    lines: BTreeMap<Route, (mpsc::UnboundedSender<Vec<Stream>>, BTreeSet<Stream>)>,
    sender: mpsc::Sender<StreamUpdate>,
    updates: mpsc::Receiver<StreamUpdate>,
}

impl<M: Mode> Binance<M> {
    /// Market streams by name. Nothing is connected before the first subscription.
    pub fn streams(&self) -> Streams {
        let (base, config, seed) = self.stream_parts();
        Streams::new(base, config, seed)
    }
}

impl Streams {
    /// Streams at a host, without an account. `seed` spreads reconnects.
    pub fn new(base: impl Into<String>, config: StreamConfig, seed: u64) -> Self {
        let (sender, updates) = mpsc::channel(config.buffer.max(1));
        Self { base: base.into(), config, seed, lines: BTreeMap::new(), sender, updates }
    }

    /// Subscribes. Streams that are subscribed already stay as they are.
    ///
    /// # Errors
    /// [`TooManyStreams`]; then nothing was changed.
    pub fn subscribe(&mut self, streams: &[Stream]) -> Result<(), TooManyStreams> {
        self.change(streams, true)
    }

    /// Unsubscribes. A route without streams keeps its connection until this is dropped.
    pub fn unsubscribe(&mut self, streams: &[Stream]) {
        // Fewer streams are never too many.
        let _ = self.change(streams, false);
    }

    /// What is subscribed to.
    pub fn subscribed(&self) -> impl Iterator<Item = &Stream> {
        self.lines.values().flat_map(|(_, streams)| streams)
    }

    /// The next update. Cancel-safe. `None` never comes while this lives.
    pub async fn next(&mut self) -> Option<StreamUpdate> {
        self.updates.recv().await
    }

    fn change(&mut self, streams: &[Stream], wanted: bool) -> Result<(), TooManyStreams> {
        let mut routes: BTreeMap<Route, BTreeSet<Stream>> = BTreeMap::new();
        for stream in streams {
            let route = stream.route();
            let current = || self.lines.get(&route).map(|(_, known)| known.clone()).unwrap_or_default();
            let set = routes.entry(route).or_insert_with(current);
            if wanted {
                set.insert(stream.clone());
            } else {
                set.remove(stream);
            }
        }
        if let Some((route, set)) = routes.iter().find(|(_, set)| set.len() > MAX_STREAMS) {
            return Err(TooManyStreams { count: set.len(), route: *route });
        }
        for (route, set) in routes {
            let list: Vec<Stream> = set.iter().cloned().collect();
            match self.lines.get_mut(&route) {
                Some((line, known)) => {
                    *known = set;
                    // Its task ends only with this; then nobody wants anything.
                    let _ = line.send(list);
                }
                None if set.is_empty() => {}
                None => {
                    let (line, wanted) = mpsc::unbounded_channel();
                    let _ = line.send(list);
                    let url = format!("{}{}/stream", self.base, route.path());
                    let task = Line::new(route, url, self.config, self.seed, self.sender.clone());
                    tokio::spawn(task.run(wanted));
                    self.lines.insert(route, (line, set));
                }
            }
        }
        Ok(())
    }
}

impl From<TooManyStreams> for BrokerError {
    fn from(error: TooManyStreams) -> Self {
        Self::NotSent { source: error.into() }
    }
}

/// Why reading ended.
enum End {
    /// Nobody listens any more.
    Gone,
    /// The connection is of no use.
    Lost(String),
}

impl From<SocketError> for End {
    fn from(error: SocketError) -> Self {
        Self::Lost(error.to_string())
    }
}

/// A connection and what was asked of it.
struct Wire {
    socket: Socket,
    subscribed: BTreeSet<String>,
    /// Commands that wait, each with its number.
    commands: VecDeque<(u64, Value)>,
    /// Commands that left and were not answered yet.
    unanswered: BTreeSet<u64>,
    /// Commands that the venue refused.
    refused: usize,
    opened_at: Instant,
    heard_at: Instant,
    /// When it first carried data.
    spoke_at: Option<Instant>,
    /// When the last command left.
    command_at: Option<Instant>,
    /// When the last command was answered.
    answered_at: Option<Instant>,
}

impl Wire {
    fn new(socket: Socket) -> Self {
        let now = Instant::now();
        Self {
            socket,
            subscribed: BTreeSet::new(),
            commands: VecDeque::new(),
            unanswered: BTreeSet::new(),
            refused: 0,
            opened_at: now,
            heard_at: now,
            spoke_at: None,
            command_at: None,
            answered_at: None,
        }
    }

    /// Whether everything that is wanted has been asked for, and each question answered.
    fn is_complete(&self) -> bool {
        self.commands.is_empty() && self.unanswered.is_empty()
    }

    /// Sends what waits, one command at a time.
    async fn send_next(&mut self) -> Result<(), SocketError> {
        if self.command_at.is_some_and(|at| at.elapsed() < BETWEEN_COMMANDS) {
            return Ok(());
        }
        let Some((id, command)) = self.commands.pop_front() else { return Ok(()) };
        self.command_at = Some(Instant::now());
        self.unanswered.insert(id);
        self.socket.send(command.to_string()).await
    }
}

/// One route.
struct Line {
    route: Route,
    url: String,
    config: StreamConfig,
    random: SplitMix64,
    updates: mpsc::Sender<StreamUpdate>,
    wanted: BTreeMap<String, Stream>,
    /// When each chatty stream last spoke.
    heard: BTreeMap<String, Instant>,
    /// Frames of the last seconds, while two connections carry the same.
    seen: Recent<String>,
    next_id: u64,
    failures: u32,
}

impl Line {
    fn new(
        route: Route,
        url: String,
        config: StreamConfig,
        seed: u64,
        updates: mpsc::Sender<StreamUpdate>,
    ) -> Self {
        Self {
            route,
            url,
            config,
            random: SplitMix64::new(seed),
            updates,
            wanted: BTreeMap::new(),
            heard: BTreeMap::new(),
            seen: Recent::new(OVERLAP_FRAMES),
            next_id: 1,
            failures: 0,
        }
    }

    async fn run(mut self, mut wanted: mpsc::UnboundedReceiver<Vec<Stream>>) {
        match wanted.recv().await {
            Some(list) => self.want(list),
            None => return,
        }
        let mut was_lost = false;
        loop {
            let wire = match self.open().await {
                Ok(wire) => wire,
                Err(error) => {
                    if !std::mem::replace(&mut was_lost, true)
                        && self.say_lost(error.to_string()).await.is_err()
                    {
                        return;
                    }
                    if self.pause().await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            if std::mem::take(&mut was_lost)
                && self.say(StreamUpdate::Back { route: self.route }).await.is_err()
            {
                return;
            }
            match self.read(wire, &mut wanted).await {
                End::Gone => return,
                End::Lost(why) => {
                    tracing::warn!(target: "hedge::stream", route = ?self.route, why, "market streams lost");
                    was_lost = true;
                    if self.say_lost(why).await.is_err() || self.pause().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn want(&mut self, list: Vec<Stream>) {
        self.wanted = list.into_iter().map(|stream| (stream.as_str().to_owned(), stream)).collect();
        let now = Instant::now();
        self.heard.retain(|name, _| self.wanted.contains_key(name));
        for (name, stream) in &self.wanted {
            if stream.kind().and_then(|kind| kind.silence_limit()).is_some() {
                self.heard.entry(name.clone()).or_insert(now);
            }
        }
    }

    async fn say(&self, update: StreamUpdate) -> Result<(), End> {
        self.updates.send(update).await.map_err(|_| End::Gone)
    }

    async fn say_lost(&self, why: String) -> Result<(), End> {
        self.say(StreamUpdate::Lost { route: self.route, why }).await
    }

    async fn pause(&mut self) -> Result<(), End> {
        let (base, cap) = self.config.reconnect;
        self.failures = self.failures.saturating_add(1);
        let wait = Backoff { base, cap }.delay(self.failures, &mut self.random);
        tokio::select! {
            () = self.updates.closed() => Err(End::Gone),
            () = sleep(wait) => Ok(()),
        }
    }

    async fn open(&mut self) -> Result<Wire, SocketError> {
        let socket = Socket::connect(&self.url, &self.config).await?;
        let now = Instant::now();
        for at in self.heard.values_mut() {
            *at = now;
        }
        let mut wire = Wire::new(socket);
        self.adjust(&mut wire);
        Ok(wire)
    }

    /// A second connection, made beside the reading: no event waits for a handshake.
    fn open_standby(&self) -> JoinHandle<Result<Socket, SocketError>> {
        let (url, config) = (self.url.clone(), self.config);
        tokio::spawn(async move { Socket::connect(&url, &config).await })
    }

    /// Whether a new connection carries all that the old one does: every subscription was answered and has spoken, where its
    /// streams always speak, and what left before that on the old one has had time to arrive.
    fn is_ready(&self, new: &Wire) -> bool {
        let spoke_at = new.spoke_at.or(new.answered_at.filter(|_| self.heard.is_empty()));
        let since = spoke_at.max(new.answered_at).filter(|_| spoke_at.is_some());
        new.is_complete() && since.is_some_and(|at| at.elapsed() >= self.config.rotate_overlap)
    }

    /// Queues the commands that make a connection carry what is wanted.
    fn adjust(&mut self, wire: &mut Wire) {
        let gone: Vec<String> =
            wire.subscribed.iter().filter(|name| !self.wanted.contains_key(*name)).cloned().collect();
        let new: Vec<String> =
            self.wanted.keys().filter(|name| !wire.subscribed.contains(*name)).cloned().collect();
        for (method, names) in [("UNSUBSCRIBE", gone), ("SUBSCRIBE", new)] {
            for names in names.chunks(NAMES_PER_COMMAND) {
                let id = self.next_id;
                wire.commands.push_back((id, json!({"method": method, "params": names, "id": id})));
                self.next_id += 1;
            }
        }
        wire.subscribed = self.wanted.keys().cloned().collect();
    }

    async fn read(&mut self, mut wire: Wire, wanted: &mut mpsc::UnboundedReceiver<Vec<Stream>>) -> End {
        let mut tick = interval(TICK.min(BETWEEN_COMMANDS));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut opening: Option<JoinHandle<Result<Socket, SocketError>>> = None;
        let mut standby: Option<Wire> = None;
        let mut rotate_at = wire.opened_at + self.config.rotate_after;
        loop {
            let is_doubled = standby.is_some();
            // What befalls the new connection is no reason to give up the old one.
            let mut trouble: Option<String> = None;
            let step: Result<(), End> = tokio::select! {
                () = self.updates.closed() => return End::Gone,
                list = wanted.recv() => match list {
                    Some(list) => {
                        self.want(list);
                        self.adjust(&mut wire);
                        if let Some(new) = &mut standby {
                            self.adjust(new);
                        }
                        Ok(())
                    }
                    None => return End::Gone,
                },
                frame = wire.socket.next() => match frame {
                    Ok(frame) => self.on_frame(frame, &mut wire, is_doubled).await,
                    // The old connection may end once the new one carries everything.
                    Err(error) => match standby.take().filter(|new| new.is_complete() && new.spoke_at.is_some()) {
                        Some(new) => {
                            wire = new;
                            rotate_at = wire.opened_at + self.config.rotate_after;
                            Ok(())
                        }
                        None => Err(error.into()),
                    },
                },
                frame = next_of(standby.as_mut()) => match (frame, standby.as_mut()) {
                    (Ok(frame), Some(new)) => match self.on_frame(frame, new, true).await {
                        Err(End::Lost(why)) => {
                            trouble = Some(why);
                            Ok(())
                        }
                        // The old one has taken the same, so it would be a gap.
                        Ok(()) if new.refused > wire.refused => {
                            trouble = Some("the venue refused a subscription".to_owned());
                            Ok(())
                        }
                        step => step,
                    },
                    (Err(error), _) => {
                        trouble = Some(error.to_string());
                        Ok(())
                    }
                    (Ok(_), None) => Ok(()),
                },
                _ = tick.tick() => {
                    if standby.as_ref().is_some_and(|new| self.is_ready(new)) {
                        if let Some(new) = standby.take() {
                            std::mem::replace(&mut wire, new).socket.close().await;
                            rotate_at = wire.opened_at + self.config.rotate_after;
                            self.seen = Recent::new(OVERLAP_FRAMES);
                            tracing::info!(target: "hedge::stream", route = ?self.route, "market streams rotated");
                        }
                    } else if let Some(opened) = opening.take_if(|opening| opening.is_finished()) {
                        match opened.await {
                            Ok(Ok(socket)) => {
                                let mut new = Wire::new(socket);
                                self.adjust(&mut new);
                                standby = Some(new);
                            }
                            Ok(Err(error)) => trouble = Some(error.to_string()),
                            Err(error) => trouble = Some(error.to_string()),
                        }
                    } else if standby.is_none() && opening.is_none() && Instant::now() >= rotate_at {
                        opening = Some(self.open_standby());
                    }
                    if let Some(new) = &mut standby {
                        match new.send_next().await {
                            Ok(()) if new.opened_at.elapsed() < STANDBY_WITHIN => {}
                            Ok(()) => trouble = Some(format!("it was not ready within {STANDBY_WITHIN:?}")),
                            Err(error) => trouble = Some(error.to_string()),
                        }
                    }
                    self.on_tick(&mut wire).await
                }
            };
            if let Some(why) = trouble {
                tracing::warn!(target: "hedge::stream", why, "the new connection failed; the old one stays");
                standby = None;
                rotate_at = Instant::now() + self.config.connect_timeout;
            }
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Sends what waits, and looks whether everything still speaks.
    async fn on_tick(&mut self, wire: &mut Wire) -> Result<(), End> {
        wire.send_next().await?;
        let silent = self.heard.iter().find(|(name, at)| {
            let limit = self.wanted.get(*name).and_then(|stream| stream.kind()?.silence_limit());
            limit.is_some_and(|limit| at.elapsed() > limit)
        });
        if let Some((name, at)) = silent {
            return Err(End::Lost(format!("{name} has said nothing for {:?}", at.elapsed())));
        }
        if wire.heard_at.elapsed() > SILENCE {
            return Err(End::Lost(format!("nothing was said for {SILENCE:?}")));
        }
        Ok(())
    }

    async fn on_frame(&mut self, frame: Frame, wire: &mut Wire, is_doubled: bool) -> Result<(), End> {
        wire.heard_at = Instant::now();
        match frame {
            Frame::Text(text) => self.on_text(&text, wire, is_doubled).await,
            Frame::Ping => Ok(wire.socket.pong().await?),
            Frame::Other => Ok(()),
        }
    }

    async fn on_text(&mut self, text: &str, wire: &mut Wire, is_doubled: bool) -> Result<(), End> {
        let Ok(frame) = serde_json::from_str::<Combined<'_>>(text) else {
            return self.on_answer(text, wire).await;
        };
        wire.spoke_at.get_or_insert_with(Instant::now);
        self.failures = 0;
        let stream = &*frame.stream;
        if let Some(at) = self.heard.get_mut(stream) {
            *at = Instant::now();
        }
        // What was given up may still be on its way, and during a rotation each frame comes twice.
        if !self.wanted.contains_key(stream) || (is_doubled && !self.seen.insert(text.to_owned(), ())) {
            return Ok(());
        }
        match market_events(stream, frame.data.get()) {
            Ok(events) => {
                for event in events {
                    self.say(StreamUpdate::Event { stream: stream.to_owned(), event: Box::new(event) })
                        .await?;
                }
                Ok(())
            }
            Err(error) => {
                self.say(StreamUpdate::Unreadable { stream: stream.to_owned(), why: error.to_string() }).await
            }
        }
    }

    /// The answer to a command: `{"result":null,"id":1}`, or an error in one of two shapes (fact sheet 8.1).
    async fn on_answer(&self, text: &str, wire: &mut Wire) -> Result<(), End> {
        let answer: Value = match serde_json::from_str(text) {
            Ok(answer) => answer,
            Err(_) => {
                return self.say(StreamUpdate::Refused { why: "a frame that is not JSON".to_owned() }).await;
            }
        };
        if answer.get("id").and_then(Value::as_u64).is_some_and(|id| wire.unanswered.remove(&id)) {
            wire.answered_at = Some(Instant::now());
        }
        let error = answer.get("error").unwrap_or(&answer);
        match (error.get("code"), error.get("msg")) {
            (Some(code), Some(msg)) => {
                wire.refused += 1;
                self.say(StreamUpdate::Refused { why: format!("code {code}: {msg}") }).await
            }
            _ => Ok(()),
        }
    }
}

async fn next_of(standby: Option<&mut Wire>) -> Result<Frame, SocketError> {
    match standby {
        Some(standby) => standby.socket.next().await,
        None => std::future::pending().await,
    }
}
