//! The course of a panic close as a state machine: news in, jobs out. It sends nothing itself and reads no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hedge_core::{
    BrokerError, ClientOrderId, InstrumentSpec, OrderAck, OrderRef, SubmitError, Symbol, Timestamp,
};
use tokio::time::Instant;

mod jobs;
mod news;
mod phases;
mod telling;

use super::{
    ids::PanicIds,
    leg::{Leg, Patience, Sending},
    reader::{Reader, pause},
    rules::Rules,
    venue::{CloseOrder, Found, Held, LegId, Resting, Waiting},
    verdict::End,
};

/// The first close does not wait longer for the list of orders, or for the symbols' rules: both only help.
const ORDERS_PATIENCE: Duration = Duration::from_millis(1_000);
const RULES_PATIENCE: Duration = Duration::from_millis(1_500);
/// Positions are read so often while something is under way, and at most so rarely.
const AT_ONCE: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_millis(150);
const SELDOM: Duration = Duration::from_secs(2);
/// While it waits for the second reading.
const WATCHING: Duration = Duration::from_secs(1);
/// The list of all orders costs 40 of the minute's weight (fact sheet 4.4).
const FIRST_LISTS: Duration = Duration::from_millis(250);
const BETWEEN_LISTS: Duration = Duration::from_millis(500);
const LISTS_SELDOM: Duration = Duration::from_secs(5);
/// Positions are not read more often than this once the first closes are through.
const BETWEEN_READINGS: Duration = Duration::from_millis(250);
const FIRST_READINGS: u32 = 8;
/// Conditional orders that were cancelled may be listed for some seconds (fact sheet 14.6, item 6).
const BETWEEN_SWEEPS: Duration = Duration::from_millis(500);
/// Added to a request's lifetime between the two readings.
const AFTER_LIFETIME: Duration = Duration::from_secs(5);
/// Closes on their way at once.
const IN_FLIGHT: usize = 40;
/// The key is refused for so long and nothing else was answered: it will not get better.
const KEY_PATIENCE: Duration = Duration::from_secs(20);

/// Something to be done outside.
#[derive(Debug)]
pub(in crate::panic) enum Job {
    Rules,
    Held {
        another_way: bool,
    },
    Resting,
    Waiting,
    /// The plain orders of a symbol: one by one, or all with one call where no stop can be hurt by it.
    CancelPlain {
        symbol: Symbol,
        orders: Vec<OrderRef>,
        at_once: bool,
    },
    /// A conditional order that would open a leg.
    CancelOpening(Symbol, OrderRef),
    /// A market close that the venue keeps live.
    CancelLive(LegId, ClientOrderId),
    Sweep(Symbol),
    Close(LegId, Box<CloseOrder>, Sending),
    Ask(LegId, ClientOrderId),
}

/// What came of it. Readings bear the moment they were asked for.
#[derive(Debug)]
pub(in crate::panic) enum News {
    Rules(Result<Vec<InstrumentSpec>, BrokerError>),
    Held(Instant, Result<Vec<Held>, BrokerError>),
    Resting(Instant, Result<Vec<Resting>, BrokerError>),
    Waiting(Instant, Result<Vec<Waiting>, BrokerError>),
    PlainCancelled(Symbol, Result<(), BrokerError>),
    OpeningCancelled(OrderRef, Result<(), BrokerError>),
    LiveCancelled(LegId),
    Swept(Symbol, Result<(), BrokerError>),
    Closed(LegId, Sending, Result<OrderAck, SubmitError>),
    Asked {
        leg: LegId,
        id: ClientOrderId,
        clock: Result<Timestamp, BrokerError>,
        found: Result<Option<Found>, BrokerError>,
    },
}

/// What a course is started with.
#[derive(Debug)]
pub(in crate::panic) struct Setup {
    pub(in crate::panic) symbols: Option<BTreeSet<Symbol>>,
    pub(in crate::panic) ids: PanicIds,
    pub(in crate::panic) patience: Patience,
    /// When the program began: times are told from here.
    pub(in crate::panic) started: Instant,
    pub(in crate::panic) deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Closing and cancelling.
    Work,
    /// Seen flat at this moment; waiting for the second reading.
    Settle(Instant),
    /// Seen flat twice; cancelling conditional orders since then.
    Sweep(Instant),
    /// They are gone; one more look at positions and plain orders, asked for at or after this moment.
    LastLook(Instant),
    /// Flat but for symbols that take no orders, which are tried until time is over.
    Stuck,
    Over,
}

/// What is known about the plain orders of a symbol.
#[derive(Debug, Default)]
struct Book {
    orders: Vec<Resting>,
    cancelling: bool,
    /// Cancels that were tried since orders were seen.
    tried: u32,
    finished_at: Option<Instant>,
    not_before: Option<Instant>,
    trouble: Option<String>,
}

#[derive(Debug, Default)]
struct Chore {
    busy: bool,
    failures: u32,
    not_before: Option<Instant>,
}

impl Chore {
    fn is_due(&self, now: Instant) -> bool {
        !self.busy && self.not_before.is_none_or(|at| now >= at)
    }
    fn failed(&mut self, error: &BrokerError, now: Instant) {
        self.busy = false;
        self.failures += 1;
        self.not_before = Some(now + error.retry_after().unwrap_or_default().max(pause(self.failures)));
    }
    fn due_at(&self) -> Option<Instant> {
        self.not_before.filter(|_| !self.busy)
    }
}

/// The state machine.
#[derive(Debug)]
pub(in crate::panic) struct Course {
    setup: Setup,
    began: Instant,
    phase: Phase,
    rules: Option<Rules>,
    rules_chore: Chore,
    held: Reader,
    resting: Reader,
    waiting: Reader,
    legs: BTreeMap<LegId, Leg>,
    books: BTreeMap<Symbol, Book>,
    /// Conditional orders as last listed, in scope.
    conditional: Vec<Waiting>,
    openings: BTreeMap<OrderRef, (Symbol, Chore)>,
    sweeps: BTreeMap<Symbol, Chore>,
    /// The last time something was finished that changes the account.
    last_action: Instant,
    /// Orders should be listed at or after this.
    suspicion: Option<Instant>,
    quiet: Duration,
    /// Between two lists of all orders; grows while they bring nothing new.
    list_gap: Duration,
    lists: u32,
    readings: u32,
    canceled: BTreeSet<Symbol>,
    swept: BTreeSet<Symbol>,
    told_odd: BTreeSet<Symbol>,
    key_refused_since: Option<Instant>,
    flat_since: Option<Instant>,
    lines: Vec<String>,
    end: Option<(End, String)>,
}

impl Course {
    pub(in crate::panic) fn new(setup: Setup, now: Instant) -> Self {
        Self {
            setup,
            began: now,
            phase: Phase::Work,
            rules: None,
            rules_chore: Chore::default(),
            held: Reader::new("positions", now),
            resting: Reader::new("plain orders", now),
            waiting: Reader::new("conditional orders", now),
            legs: BTreeMap::new(),
            books: BTreeMap::new(),
            conditional: Vec::new(),
            openings: BTreeMap::new(),
            sweeps: BTreeMap::new(),
            last_action: now,
            suspicion: None,
            quiet: SOON,
            list_gap: BETWEEN_LISTS,
            lists: 0,
            readings: 0,
            canceled: BTreeSet::new(),
            swept: BTreeSet::new(),
            told_odd: BTreeSet::new(),
            key_refused_since: None,
            flat_since: None,
            lines: Vec::new(),
            end: None,
        }
    }

    pub(in crate::panic) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Lines to print, with the time since the start of the program.
    pub(in crate::panic) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn is_meant(&self, symbol: &Symbol) -> bool {
        self.setup.symbols.as_ref().is_none_or(|symbols| symbols.contains(symbol))
    }

    fn gap(&self) -> Duration {
        self.setup.patience.request_lifetime + AFTER_LIFETIME
    }
}
