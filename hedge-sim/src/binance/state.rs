//! The exchange behind the sockets: one lock, one order of events.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::clock::{Pace, VenueClock};
use super::config::Environment;
use super::contracts::Announced;
use super::countdown::Countdowns;
use super::error::ApiError;
use super::faults::Faults;
use super::feed::Feed;
use super::hub::Hub;
use super::keys::KeyRing;
use super::limits::Limits;
use super::listen_key::{KeyChange, ListenKey};
use super::log::{CommandLog, LogError};
use super::numbers::Places;
use super::params::Params;
use super::play::Play;
use super::streams::Topic;
use super::tape::Print;
use super::user_events::{self, key_expired};
use crate::market::MarketStep;
use crate::venue::{
    AccountId, Command, InstrumentRules, Moved, Reply, SymbolId, Venue, VenueError, VenueEvent,
};

const HOUR_MS: i64 = 3_600_000;

/// The one account of a simulated exchange.
pub(crate) const ACCOUNT: AccountId = AccountId(0);

/// Everything the tasks of one exchange share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) clock: VenueClock,
    pub(crate) keys: KeyRing,
    pub(crate) faults: Faults,
    pub(crate) stop: watch::Sender<bool>,
    core: Mutex<Core>,
    requests: AtomicUsize,
}

/// Counts one request for as long as it lives.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<App>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl App {
    pub(crate) fn new(clock: VenueClock, keys: KeyRing, core: Core) -> Self {
        let (stop, _) = watch::channel(false);
        let faults = core.faults.clone();
        Self { clock, keys, faults, stop, core: Mutex::new(core), requests: AtomicUsize::new(0) }
    }

    /// Runs `work` on the exchange. Nothing awaits while it is locked.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Core) -> R) -> R {
        work(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops or continues the venue clock. Between two ticks: once this returned, no market data is on its way.
    pub(crate) fn set_paused(&self, paused: bool) -> Result<(), String> {
        self.with(|core| core.clock.set_paused(paused))
    }

    pub(crate) fn in_flight(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(self))
    }

    pub(crate) fn requests_in_flight(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Whether a socket's messages are counted; in lockstep wall time means nothing.
    pub(crate) fn limits_messages(&self) -> bool {
        self.clock.state().pace != Pace::Lockstep
    }
}

/// The exchange itself.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) environment: Environment,
    pub(crate) clock: VenueClock,
    pub(crate) venue: Venue,
    pub(crate) hub: Hub,
    pub(crate) faults: Faults,
    pub(crate) limits: Limits,
    pub(crate) key: ListenKey,
    pub(crate) countdowns: Countdowns,
    pub(crate) announced: Announced,
    pub(crate) play: Play,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) places: BTreeMap<String, Places>,
    pub(crate) log: Option<CommandLog>,
    /// Until when the live generated market was applied.
    pub(crate) live_until_ms: i64,
    /// Public news that wait for a paused clock to go on.
    pub(crate) held_news: Vec<(Topic, String)>,
    /// The largest liquidation of each symbol since the last push of them, with its notional.
    pub(crate) liquidations: BTreeMap<u16, (Decimal, String)>,
}

/// One line of the command log. Times are venue milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Record<'a> {
    /// A command.
    #[serde(rename = "c")]
    Command(i64, Cow<'a, Command>),
    /// The next market step was applied once.
    #[serde(rename = "s")]
    Step(i64),
    /// The listenKey changed.
    #[serde(rename = "k")]
    Key(i64, KeyChange),
    /// The countdown of a symbol was set to end at the second time, or stopped.
    #[serde(rename = "d")]
    Countdown(i64, Cow<'a, str>, Option<i64>),
}

/// What applying a market step did.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) step: MarketStep,
    pub(crate) events: Vec<VenueEvent>,
}

impl From<VenueError> for ApiError {
    fn from(error: VenueError) -> Self {
        Self::new(error.http, error.code, error.msg)
    }
}

impl From<LogError> for ApiError {
    /// What cannot be kept is not done: the command was not applied.
    fn from(_: LogError) -> Self {
        Self::internal()
    }
}

impl Core {
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The clock that a replayed log leaves behind.
    pub(crate) fn set_clock(&mut self, clock: VenueClock) {
        self.hub.set_clock(clock.clone());
        self.clock = clock;
    }

    /// How numbers of a symbol are written.
    pub(crate) fn places(&self, symbol: &str) -> Places {
        self.places.get(symbol).copied().unwrap_or_default()
    }

    /// The instrument that `symbol` names.
    pub(crate) fn symbol(&self, params: &Params) -> Result<(SymbolId, &InstrumentRules), ApiError> {
        let id = self.venue.symbol_id(params.need("symbol")?).ok_or_else(ApiError::bad_symbol)?;
        let rules = self.venue.rules(id).ok_or_else(ApiError::bad_symbol)?;
        Ok((id, rules))
    }

    /// The instrument that `symbol` names, or all.
    pub(crate) fn rules_of(&self, params: &Params) -> Result<Vec<&InstrumentRules>, ApiError> {
        match params.get("symbol") {
            Some(_) => Ok(vec![self.symbol(params)?.1]),
            None => Ok(self.venue.instruments().map(|(_, rules)| rules).collect()),
        }
    }

    /// Logs, applies and announces one command of a client.
    pub(crate) fn command(&mut self, command: Command) -> Result<Reply, ApiError> {
        if let Some(reply) = self.overruled(&command)? {
            return Ok(reply);
        }
        Ok(self.command_at(self.now_ms(), &command)??)
    }

    /// Logs, applies and announces one command. The outer error means that nothing was done.
    pub(crate) fn command_at(
        &mut self,
        at_ms: i64,
        command: &Command,
    ) -> Result<Result<Reply, VenueError>, LogError> {
        self.append(&Record::Command(at_ms, Cow::Borrowed(command)))?;
        let mut events = Vec::new();
        let reply = self.venue.apply(at_ms, command, &mut events);
        if reply.is_ok() {
            self.announced.note(command);
        }
        self.announce(&events);
        Ok(reply)
    }

    /// Logs the next market step and applies it once; what it did is not announced yet.
    pub(crate) fn play_next(&mut self) -> Result<Option<Applied>, LogError> {
        let Some(step) = self.play.next().copied() else { return Ok(None) };
        self.append(&Record::Step(step.at_ms()))?;
        Ok(Some(self.apply_next(step, step.at_ms())))
    }

    fn apply_next(&mut self, step: MarketStep, at_ms: i64) -> Applied {
        let mut events = Vec::new();
        let mut done = true;
        match step {
            MarketStep::Move { symbol_ix, to, jump, .. } => {
                if let Some(command) = self.movement(symbol_ix, to, jump) {
                    // A symbol that left trading does not move any more: a refusal ends the step.
                    let reply = self.venue.apply(at_ms, &command, &mut events);
                    done = !matches!(reply, Ok(Reply::Moved(Moved { reached: false, .. })));
                }
            }
            MarketStep::Funding { symbol_ix, rate, mark, .. } => {
                let command = Command::Funding { symbol: SymbolId(symbol_ix), rate, mark };
                // Funding of a symbol that left trading is refused and paid by nobody.
                let _ = self.venue.apply(at_ms, &command, &mut events);
            }
            MarketStep::BarClosed { .. } | MarketStep::Warmup { .. } => {}
        }
        if done {
            self.play.advance();
        }
        Applied { step, events }
    }

    /// The command that brings a symbol to a price of its bars.
    pub(crate) fn movement(&self, symbol_ix: u16, to: i64, jump: bool) -> Option<Command> {
        let symbol = SymbolId(symbol_ix);
        let scale = u32::from(self.play.price_scale(symbol_ix));
        let to = self.venue.rules(symbol)?.ticks_from_scaled(to, scale)?;
        Some(if jump {
            Command::Jump { symbol, to, mark: None }
        } else {
            Command::Move { symbol, to, mark: None }
        })
    }

    /// Tells everybody what a command or step did.
    pub(crate) fn announce(&mut self, events: &[VenueEvent]) {
        if events.is_empty() {
            return;
        }
        let places = |symbol: &str| self.places.get(symbol).copied().unwrap_or_default();
        let encoded = user_events::encode(events, places);
        let key = self.key.active();
        for event in encoded {
            self.hub.publish_user(key.as_deref(), event.name, event.text);
        }
        self.announce_market(events);
    }

    /// Changes the listenKey: logged, then done.
    pub(crate) fn change_key(&mut self, change: KeyChange) -> Result<(), LogError> {
        let now_ms = self.now_ms();
        self.append(&Record::Key(now_ms, change))?;
        let key = self.key.active();
        self.key.apply(change, now_ms);
        if let (KeyChange::Expired, Some(key)) = (change, key) {
            let event = key_expired(&key, now_ms);
            self.hub.publish_user(Some(&key), event.name, event.text);
        }
        Ok(())
    }

    /// Sets or stops the countdown of a symbol: logged, then done.
    pub(crate) fn set_countdown(&mut self, symbol: &str, end_ms: Option<i64>) -> Result<(), LogError> {
        self.append(&Record::Countdown(self.now_ms(), Cow::Borrowed(symbol), end_ms))?;
        self.countdowns.set(symbol, end_ms);
        Ok(())
    }

    /// Does again what a log tells, without telling anybody.
    pub(crate) fn replay(&mut self, record: Record<'_>) -> i64 {
        match record {
            Record::Command(at_ms, command) => {
                if let Command::CountdownElapsed { symbol, .. } = &*command {
                    self.countdowns.set(symbol, None);
                }
                // A refused command was refused then, too.
                if self.venue.apply(at_ms, &command, &mut Vec::new()).is_ok() {
                    self.announced.note(&command);
                }
                at_ms
            }
            Record::Step(at_ms) => {
                if let Some(step) = self.play.next().copied() {
                    self.apply_next(step, at_ms);
                }
                at_ms
            }
            Record::Key(at_ms, change) => {
                self.key.apply(change, at_ms);
                at_ms
            }
            Record::Countdown(at_ms, symbol, end_ms) => {
                self.countdowns.set(&symbol, end_ms);
                at_ms
            }
        }
    }

    fn append(&mut self, record: &Record<'_>) -> Result<(), LogError> {
        self.log.as_mut().map_or(Ok(()), |log| log.append(record))
    }

    /// Public trades: from an id, inside a time window, or the newest.
    pub(crate) fn prints(
        &self,
        id: SymbolId,
        from_id: Option<u64>,
        start_ms: Option<i64>,
        end_ms: Option<i64>,
        limit: usize,
    ) -> Vec<Print> {
        let now_ms = self.now_ms();
        // Whoever names only one end of a window means the hour beside it.
        let end = end_ms
            .unwrap_or_else(|| start_ms.map_or(now_ms, |start| start.saturating_add(HOUR_MS)))
            .min(now_ms);
        let start = start_ms.unwrap_or_else(|| end.saturating_sub(HOUR_MS));
        let whole_tape = start_ms.is_none() && end_ms.is_none();
        if self.play.knows_prints() {
            return match from_id {
                Some(from_id) => self.play.prints_from(id.0, from_id, limit, now_ms),
                None if whole_tape => self.play.newest_prints(id.0, limit, now_ms),
                None => self.play.prints_between(id.0, start.saturating_sub(1), end, limit),
            };
        }
        let Some(feed) = self.feeds.get(usize::from(id.0)) else { return Vec::new() };
        match from_id {
            Some(from_id) => feed.tape.since_id(from_id, limit).copied().collect(),
            None if whole_tape => feed.tape.newest(limit).copied().collect(),
            None => feed.tape.between(start, end, limit).copied().collect(),
        }
    }

    /// Public trades from a trade id on.
    pub(crate) fn prints_from_trade(&self, id: SymbolId, trade_id: u64, limit: usize) -> Vec<Print> {
        if self.play.knows_prints() {
            return self.play.prints_from_trade(id.0, trade_id, limit, self.now_ms());
        }
        let Some(feed) = self.feeds.get(usize::from(id.0)) else { return Vec::new() };
        feed.tape.since_id(trade_id, limit).copied().collect()
    }

    pub(crate) fn last_print(&self, id: SymbolId) -> Option<Print> {
        self.feeds.get(usize::from(id.0))?.tape.last().copied()
    }
}
