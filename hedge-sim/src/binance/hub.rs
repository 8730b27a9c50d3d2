//! Open sockets: who is subscribed to what, and the barrier that proves that clients have read everything.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::clock::VenueClock;
use super::config::Environment;
use super::faults::{Fate, Faults, lies_under};
use super::streams::{Route, Topic};

/// A socket that leaves this many messages unread is cut: it would otherwise hold memory without end.
const LONGEST_QUEUE: usize = 100_000;
/// Source: fact sheet 8.1 (1024 streams per connection).
const MOST_STREAMS: usize = 1_024;

/// What a socket's task is told to send.
#[derive(Debug, Clone)]
pub(crate) enum Push {
    Text(Utf8Bytes),
    Ping(Bytes),
    Close(&'static str),
    /// The connection ends without a word.
    Cut,
}

/// A subscription to the user data of one listenKey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserFeed {
    pub(crate) key: String,
    /// Event names wanted; `None` means all.
    pub(crate) events: Option<BTreeSet<String>>,
}

#[derive(Debug)]
struct Socket {
    push: mpsc::UnboundedSender<Push>,
    queued: Arc<AtomicUsize>,
    route: Route,
    path: String,
    combined: bool,
    names: Vec<String>,
    feeds: Vec<UserFeed>,
    opened_ms: i64,
}

impl Socket {
    fn send(&self, push: Push) {
        if self.queued.fetch_add(1, Ordering::Relaxed) == LONGEST_QUEUE {
            let _ = self.push.send(Push::Close("slow consumer"));
        } else if self.queued.load(Ordering::Relaxed) < LONGEST_QUEUE {
            // A closed channel is a socket about to be removed; what it misses it would not have read.
            let _ = self.push.send(push);
        }
    }
}

/// All open sockets of the venue.
#[derive(Debug)]
pub(crate) struct Hub {
    environment: Environment,
    symbols: Arc<Vec<String>>,
    clock: VenueClock,
    faults: Faults,
    held: RefCell<Vec<Held>>,
    next_socket: u64,
    sockets: BTreeMap<u64, Socket>,
    topics: BTreeMap<Topic, BTreeSet<u64>>,
    next_barrier: u64,
    barriers: BTreeMap<u64, Barrier>,
    user_events: u64,
}

/// Whose events a feed carries.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FeedOf {
    User { key: String, name: String },
    Market(Topic),
}

impl FeedOf {
    /// Whether events of both come to the same sockets.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User { key: a, .. }, Self::User { key: b, .. }) => a == b,
            (Self::Market(a), Self::Market(b)) => a == b,
            _ => false,
        }
    }
}

/// An event that a fault holds back.
#[derive(Debug)]
struct Held {
    fault: u64,
    due_ms: i64,
    behind_next: bool,
    feed: FeedOf,
    text: String,
}

#[derive(Debug)]
struct Barrier {
    waiting_for: BTreeSet<u64>,
    done: oneshot::Sender<()>,
}

/// A running barrier: its number and the signal that every pong came back.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) number: u64,
    pub(crate) done: oneshot::Receiver<()>,
}

impl Hub {
    pub(crate) fn new(
        environment: Environment,
        symbols: Arc<Vec<String>>,
        clock: VenueClock,
        faults: Faults,
    ) -> Self {
        Self {
            environment,
            symbols,
            clock,
            faults,
            held: RefCell::default(),
            next_socket: 1,
            sockets: BTreeMap::new(),
            topics: BTreeMap::new(),
            next_barrier: 1,
            barriers: BTreeMap::new(),
            user_events: 0,
        }
    }

    pub(crate) fn set_clock(&mut self, clock: VenueClock) {
        self.clock = clock;
    }

    /// Registers an open socket; the counter holds the messages its task has not sent yet.
    pub(crate) fn open(
        &mut self,
        (route, path): (Route, String),
        combined: bool,
        opened_ms: i64,
        push: mpsc::UnboundedSender<Push>,
        queued: Arc<AtomicUsize>,
    ) -> u64 {
        let id = self.next_socket;
        self.next_socket += 1;
        let socket =
            Socket { push, queued, route, path, combined, names: Vec::new(), feeds: Vec::new(), opened_ms };
        self.sockets.insert(id, socket);
        id
    }

    pub(crate) fn close(&mut self, id: u64) {
        self.sockets.remove(&id);
        self.topics.retain(|_, ids| {
            ids.remove(&id);
            !ids.is_empty()
        });
        self.answered(id, None);
    }

    /// Subscribes to a stream, or to the user data of a key where the route serves it. Unknown names are listed and
    /// stay silent, as on the venue.
    pub(crate) fn subscribe(&mut self, id: u64, name: &str) -> Result<(), String> {
        let Some(socket) = self.sockets.get_mut(&id) else { return Ok(()) };
        if socket.names.iter().any(|known| known == name) {
            return Ok(());
        }
        if socket.names.len() >= MOST_STREAMS {
            return Err(format!("Invalid request: more than {MOST_STREAMS} streams on one connection"));
        }
        socket.names.push(name.to_owned());
        match Topic::parse(name, &self.symbols) {
            Some(topic) if topic.served_on(socket.route, self.environment) => {
                self.topics.entry(topic).or_default().insert(id);
            }
            Some(_) => {}
            None => self.follow(id, UserFeed { key: name.to_owned(), events: None }),
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(&mut self, id: u64, name: &str) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.names.retain(|known| known != name);
        socket.feeds.retain(|feed| feed.key != name);
        if let Some(ids) = Topic::parse(name, &self.symbols).and_then(|topic| self.topics.get_mut(&topic)) {
            ids.remove(&id);
        }
    }

    /// Follows the user data of a key. A key nobody was given is accepted and stays silent.
    pub(crate) fn follow(&mut self, id: u64, feed: UserFeed) {
        let environment = self.environment;
        if let Some(socket) = self.sockets.get_mut(&id)
            && socket.route.serves_user_data(environment)
            && !socket.feeds.contains(&feed)
        {
            socket.feeds.push(feed);
        }
    }

    pub(crate) fn names(&self, id: u64) -> Vec<String> {
        self.sockets.get(&id).map(|socket| socket.names.clone()).unwrap_or_default()
    }

    pub(crate) fn combined(&self, id: u64) -> bool {
        self.sockets.get(&id).is_some_and(|socket| socket.combined)
    }

    pub(crate) fn set_combined(&mut self, id: u64, combined: bool) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.combined = combined;
        }
    }

    /// Whether anybody gets this stream; lets callers skip the work of preparing it.
    pub(crate) fn has(&self, topic: Topic) -> bool {
        self.topics.get(&topic).is_some_and(|ids| !ids.is_empty())
    }

    /// Every subscribed topic, in order.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        self.topics.iter().filter(|(_, ids)| !ids.is_empty()).map(|(topic, _)| *topic).collect()
    }

    /// Sends one market event to the subscribers of a stream.
    pub(crate) fn publish(&self, topic: Topic, event: impl FnOnce() -> String) {
        if !self.has(topic) {
            return;
        }
        if self.faults.is_quiet() && self.held.borrow().is_empty() {
            self.send_market(topic, event());
            return;
        }
        let fate = self.faults.market_event(|| topic.name(&self.symbols), self.clock.now_ms());
        self.meet(fate, FeedOf::Market(topic), event());
    }

    /// Sends one user-data event to everybody who follows `key` and wants events of that name.
    pub(crate) fn publish_user(&mut self, key: Option<&str>, name: &str, event: String) {
        self.user_events += 1;
        let Some(key) = key else { return };
        let fate = self.faults.user_event(name, &event, self.clock.now_ms());
        self.meet(fate, FeedOf::User { key: key.to_owned(), name: name.to_owned() }, event);
    }

    /// Does to an event what a fault wants.
    fn meet(&self, fate: Fate, feed: FeedOf, text: String) {
        match fate {
            Fate::Lost => return,
            Fate::Held { fault, due_ms, behind_next } => {
                self.held.borrow_mut().push(Held { fault, due_ms, behind_next, feed, text });
                return;
            }
            Fate::SentTwice => {
                self.deliver(&feed, text.clone());
                self.deliver(&feed, text);
            }
            Fate::Sent => self.deliver(&feed, text),
        }
        // What was held until the next event has now been overtaken.
        self.release(|held| held.behind_next && held.feed.is_same(&feed));
    }

    fn deliver(&self, feed: &FeedOf, text: String) {
        match feed {
            FeedOf::User { key, name } => self.send_user(key, name, text),
            FeedOf::Market(topic) => self.send_market(*topic, text),
        }
    }

    fn send_market(&self, topic: Topic, event: String) {
        let Some(ids) = self.topics.get(&topic) else { return };
        let mut message = Message::new(event);
        for socket in ids.iter().filter_map(|id| self.sockets.get(id)) {
            let text =
                if socket.combined { message.wrapped(|| topic.name(&self.symbols)) } else { message.bare() };
            self.send_to(socket, Push::Text(text));
        }
    }

    fn send_user(&self, key: &str, name: &str, event: String) {
        let mut message = Message::new(event);
        for socket in self.sockets.values() {
            let wanted = |feed: &UserFeed| {
                feed.key == key && feed.events.as_ref().is_none_or(|events| events.contains(name))
            };
            if socket.feeds.iter().any(wanted) {
                let text = if socket.combined { message.wrapped(|| key.to_owned()) } else { message.bare() };
                self.send_to(socket, Push::Text(text));
            }
        }
    }

    /// Sends what a fault held back until now.
    pub(crate) fn release_held(&self, now_ms: i64) {
        self.release(|held| held.due_ms <= now_ms);
    }

    /// Sends what that fault holds back.
    pub(crate) fn release_held_by(&self, fault: u64) {
        self.release(|held| held.fault == fault);
    }

    fn release(&self, is_free: impl Fn(&Held) -> bool) {
        if self.held.borrow().is_empty() {
            return;
        }
        let (mut free, kept): (Vec<Held>, Vec<Held>) = self.held.take().into_iter().partition(is_free);
        self.held.replace(kept);
        free.sort_by_key(|held| held.due_ms);
        for held in free {
            self.deliver(&held.feed, held.text);
        }
    }

    /// Sends to a socket unless it is silent.
    fn send_to(&self, socket: &Socket, push: Push) {
        if !self.faults.is_silent(&socket.path, self.clock.now_ms()) {
            socket.send(push);
        }
    }

    /// Cuts every socket opened under `path`, without a word; how many there were.
    pub(crate) fn cut_under(&self, path: &str) -> usize {
        let cut = self.sockets.values().filter(|socket| lies_under(&socket.path, path));
        cut.map(|socket| socket.send(Push::Cut)).count()
    }

    /// User-data events since the start, also those nobody followed.
    pub(crate) fn user_events(&self) -> u64 {
        self.user_events
    }

    /// Every open socket, with its streams. The key of user data is a secret and only named.
    pub(crate) fn connections(&self, key: Option<&str>) -> Vec<Value> {
        let now_ms = self.clock.now_ms();
        let masked = |text: &str| match key {
            Some(key) => text.replace(key, "<listenKey>"),
            None => text.to_owned(),
        };
        let row = |(id, socket): (&u64, &Socket)| {
            json!({
                "id": id,
                "path": masked(&socket.path),
                "combined": socket.combined,
                "streams": socket.names.iter().map(|name| masked(name)).collect::<Vec<_>>(),
                "user_data": socket.feeds.iter().any(|feed| Some(feed.key.as_str()) == key),
                "opened_ms": socket.opened_ms,
                "queued": socket.queued.load(Ordering::Relaxed),
                "silent": self.faults.is_silent(&socket.path, now_ms),
            })
        };
        self.sockets.iter().map(row).collect()
    }

    pub(crate) fn open_sockets(&self) -> usize {
        self.sockets.len()
    }

    /// Cuts every socket opened before `opened_before_ms`.
    pub(crate) fn cut_older(&self, opened_before_ms: i64) {
        for socket in self.sockets.values().filter(|socket| socket.opened_ms <= opened_before_ms) {
            socket.send(Push::Close("24 hours"));
        }
    }

    /// Tells a socket's task something.
    pub(crate) fn push(&self, id: u64, push: Push) {
        if let Some(socket) = self.sockets.get(&id) {
            socket.send(push);
        }
    }

    pub(crate) fn send(&self, id: u64, text: String) {
        if let Some(socket) = self.sockets.get(&id) {
            self.send_to(socket, Push::Text(text.into()));
        }
    }

    /// Pings every open socket with a payload of its own kind; done when each has answered or closed.
    pub(crate) fn start_barrier(&mut self) -> Pending {
        let number = self.next_barrier;
        self.next_barrier += 1;
        let (sender, done) = oneshot::channel();
        for socket in self.sockets.values() {
            socket.send(Push::Ping(Bytes::from(format!("barrier-{number}"))));
        }
        let waiting_for: BTreeSet<u64> = self.sockets.keys().copied().collect();
        self.barriers.insert(number, Barrier { waiting_for, done: sender });
        self.finish_barriers();
        Pending { number, done }
    }

    /// How many sockets have not answered barrier `number`; forgets it.
    pub(crate) fn give_up_barrier(&mut self, number: u64) -> usize {
        self.barriers.remove(&number).map_or(0, |barrier| barrier.waiting_for.len())
    }

    /// A pong came in. A pong for a later barrier answers the earlier ones too: pings are read in order.
    pub(crate) fn pong(&mut self, id: u64, payload: &[u8]) {
        let number =
            std::str::from_utf8(payload).ok().and_then(|text| text.strip_prefix("barrier-")?.parse().ok());
        if let Some(number) = number {
            self.answered(id, Some(number));
        }
    }

    fn answered(&mut self, id: u64, up_to: Option<u64>) {
        for (number, barrier) in &mut self.barriers {
            if up_to.is_none_or(|last| *number <= last) {
                barrier.waiting_for.remove(&id);
            }
        }
        self.finish_barriers();
    }

    fn finish_barriers(&mut self) {
        let finished: Vec<u64> = self
            .barriers
            .iter()
            .filter(|(_, barrier)| barrier.waiting_for.is_empty())
            .map(|(n, _)| *n)
            .collect();
        for barrier in finished.iter().filter_map(|number| self.barriers.remove(number)) {
            // The waiter may have given up; nobody is left to tell then.
            let _ = barrier.done.send(());
        }
    }
}

/// One event in the two forms a socket can want, each built at most once.
struct Message {
    bare: String,
    shared: Option<Utf8Bytes>,
    wrapped: Option<Utf8Bytes>,
}

impl Message {
    fn new(bare: String) -> Self {
        Self { bare, shared: None, wrapped: None }
    }

    fn bare(&mut self) -> Utf8Bytes {
        self.shared.get_or_insert_with(|| Utf8Bytes::from(self.bare.as_str())).clone()
    }

    fn wrapped(&mut self, name: impl FnOnce() -> String) -> Utf8Bytes {
        let bare = &self.bare;
        let wrap = || Utf8Bytes::from(format!("{{\"stream\":\"{}\",\"data\":{bare}}}", name()));
        self.wrapped.get_or_insert_with(wrap).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Pace;
    use super::*;

    fn hub() -> Hub {
        let clock = VenueClock::new(0, Pace::Lockstep);
        Hub::new(Environment::Mainnet, Arc::new(vec!["ETHUSDT".to_owned()]), clock, Faults::new())
    }

    fn open(hub: &mut Hub, route: Route, combined: bool) -> (u64, mpsc::UnboundedReceiver<Push>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (hub.open((route, "/ws".to_owned()), combined, 0, sender, Arc::default()), receiver)
    }

    fn text(receiver: &mut mpsc::UnboundedReceiver<Push>) -> Option<String> {
        match receiver.try_recv() {
            Ok(Push::Text(text)) => Some(text.to_string()),
            _ => None,
        }
    }

    #[test]
    fn a_combined_socket_gets_the_stream_name_around_the_event() {
        let mut hub = hub();
        let (bare, mut bare_rx) = open(&mut hub, Route::Public, false);
        let (wrapped, mut wrapped_rx) = open(&mut hub, Route::Public, true);
        hub.subscribe(bare, "ethusdt@bookTicker").unwrap();
        hub.subscribe(wrapped, "ethusdt@bookTicker").unwrap();
        hub.publish(Topic::BookTicker(0), || "{}".to_owned());
        assert_eq!(text(&mut bare_rx).as_deref(), Some("{}"));
        assert_eq!(text(&mut wrapped_rx).as_deref(), Some(r#"{"stream":"ethusdt@bookTicker","data":{}}"#));
    }

    #[test]
    fn user_events_reach_only_followers_of_the_key_that_want_them() {
        let mut hub = hub();
        let (all, mut all_rx) = open(&mut hub, Route::Private, false);
        let (some, mut some_rx) = open(&mut hub, Route::Private, false);
        let (wrong_route, mut wrong_rx) = open(&mut hub, Route::Market, false);
        hub.subscribe(all, "K").unwrap();
        hub.follow(some, UserFeed { key: "K".to_owned(), events: Some(BTreeSet::from(["B".to_owned()])) });
        hub.subscribe(wrong_route, "K").unwrap();
        hub.publish_user(Some("K"), "A", "a".to_owned());
        hub.publish_user(Some("other"), "B", "b".to_owned());
        assert_eq!(text(&mut all_rx).as_deref(), Some("a"));
        assert_eq!(text(&mut all_rx), None);
        assert_eq!(text(&mut some_rx), None);
        assert_eq!(text(&mut wrong_rx), None);
        assert_eq!(hub.user_events(), 2);
    }

    #[test]
    fn a_barrier_ends_when_every_socket_answered_or_closed() {
        let mut hub = hub();
        let (first, _first_rx) = open(&mut hub, Route::Public, false);
        let (second, _second_rx) = open(&mut hub, Route::Public, false);
        let mut pending = hub.start_barrier();
        hub.pong(first, b"barrier-1");
        assert!(pending.done.try_recv().is_err());
        hub.close(second);
        assert!(pending.done.try_recv().is_ok());
        assert!(hub.start_barrier().done.try_recv().is_err(), "one socket is still open");
    }

    #[test]
    fn more_streams_than_the_venue_allows_are_refused() {
        let mut hub = hub();
        let (id, _rx) = open(&mut hub, Route::Public, false);
        for n in 0..MOST_STREAMS {
            hub.subscribe(id, &format!("x{n}@trade")).unwrap();
        }
        assert!(hub.subscribe(id, "ethusdt@trade").is_err());
    }
}
