//! The course of a panic close as a state machine: news in, jobs out. It sends nothing itself and reads no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hedge_core::{
    BrokerError, ClientOrderId, InstrumentSpec, OrderAck, OrderRef, RejectReason, SubmitError, Symbol,
    Timestamp,
};
use tokio::time::Instant;

use super::{
    ids::PanicIds,
    leg::{After, Leg, Patience, Sending},
    reader::{Reader, kind, pause},
    rules::Rules,
    venue::{CloseOrder, Found, Held, LegId, Resting, Waiting},
    verdict::{End, LegReport, Remaining, Verdict},
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
pub(super) enum Job {
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
pub(super) enum News {
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
pub(super) struct Setup {
    pub(super) symbols: Option<BTreeSet<Symbol>>,
    pub(super) ids: PanicIds,
    pub(super) patience: Patience,
    /// When the program began: times are told from here.
    pub(super) started: Instant,
    pub(super) deadline: Instant,
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
pub(super) struct Course {
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
    pub(super) fn new(setup: Setup, now: Instant) -> Self {
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

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Lines to print, with the time since the start of the program.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
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

    // --- jobs -----------------------------------------------------------------------------------------------------

    /// What is to be done now.
    pub(super) fn decide(&mut self, now: Instant) -> Vec<Job> {
        let mut jobs = Vec::new();
        if now >= self.setup.deadline && !self.is_over() {
            if self.phase == Phase::Stuck {
                self.finish(End::NotTrading, self.stuck_because());
            } else {
                self.finish(End::OutOfTime, "the time allowed with --within is over".to_owned());
            }
        }
        self.advance(now);
        if self.is_over() {
            return jobs;
        }
        self.readings(now, &mut jobs);
        self.cancels(now, &mut jobs);
        self.closes(now, &mut jobs);
        self.questions(now, &mut jobs);
        jobs
    }

    fn readings(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        if self.rules.is_none() && self.rules_chore.is_due(now) {
            self.rules_chore.busy = true;
            jobs.push(Job::Rules);
        }
        if self.held.is_due(now) {
            self.held.begin(now);
            self.readings += 1;
            jobs.push(Job::Held { another_way: self.held.failures % 2 == 1 });
        }
        if self.wants_orders(now) && self.resting.is_due(now) {
            self.resting.begin(now);
            jobs.push(Job::Resting);
        }
        if self.wants_conditional(now) && self.waiting.is_due(now) {
            self.waiting.begin(now);
            jobs.push(Job::Waiting);
        }
    }

    /// The list of all orders is dear, so there is always a reason.
    fn wants_orders(&self, now: Instant) -> bool {
        let Some(asked) = self.resting.asked_at else { return true };
        if self.suspicion.is_some_and(|since| asked < since) {
            return true;
        }
        match self.phase {
            Phase::Work => asked < self.last_action && self.open_legs().next().is_none(),
            Phase::Settle(since) => now >= since + self.gap() && asked < since + self.gap(),
            Phase::LastLook(since) => asked < since,
            Phase::Sweep(_) | Phase::Stuck | Phase::Over => false,
        }
    }

    fn wants_conditional(&self, now: Instant) -> bool {
        match self.phase {
            // Once, for those that would open a leg.
            Phase::Work | Phase::Settle(_) => self.waiting.asked_at.is_none(),
            Phase::Sweep(since) => {
                let wanted = self.listing_wanted_at(since);
                now >= wanted && !self.waiting.is_of(wanted)
            }
            Phase::LastLook(_) | Phase::Stuck | Phase::Over => false,
        }
    }

    /// From when on a list of conditional orders tells whether the sweep has worked.
    fn listing_wanted_at(&self, since: Instant) -> Instant {
        self.sweeps.values().filter_map(|chore| chore.not_before).max().map_or(since, |at| at.max(since))
    }

    fn cancels(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        // Whether the call that cancels all plain orders leaves conditional ones alone is UNCONFIRMED (fact sheet 16).
        let is_bare = self.waiting.asked_at.is_some();
        let guarded: BTreeSet<Symbol> = self.conditional.iter().map(|waiting| waiting.symbol).collect();
        let open: BTreeSet<Symbol> =
            self.legs.values().filter(|leg| leg.held.is_some()).map(|leg| leg.id.symbol).collect();
        let positions_known = self.held.asked_at.is_some();
        for (symbol, book) in &mut self.books {
            let is_due = book.not_before.is_none_or(|at| now >= at);
            if !book.orders.is_empty() && !book.cancelling && is_due {
                book.cancelling = true;
                let has_no_stop = is_bare && !guarded.contains(symbol);
                let at_once = has_no_stop || (positions_known && !open.contains(symbol));
                let orders = book.orders.iter().map(|order| order.order).collect();
                jobs.push(Job::CancelPlain { symbol: *symbol, orders, at_once });
            }
        }
        for (order, (symbol, chore)) in self.openings.iter_mut().filter(|(_, (_, chore))| chore.is_due(now)) {
            chore.busy = true;
            jobs.push(Job::CancelOpening(*symbol, *order));
        }
        if let Phase::Sweep(since) = self.phase
            && self.waiting.is_of(self.listing_wanted_at(since))
        {
            for waiting in &self.conditional {
                let chore = self.sweeps.entry(waiting.symbol).or_default();
                if chore.is_due(now) {
                    chore.busy = true;
                    jobs.push(Job::Sweep(waiting.symbol));
                }
            }
        }
    }

    fn closes(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        let waited = now.duration_since(self.began);
        let orders_known = self.resting.asked_at.is_some() || self.resting.has_ever_failed;
        let rules_known = self.rules.is_some() || self.rules_chore.failures > 0;
        if !(orders_known || waited >= ORDERS_PATIENCE) || !(rules_known || waited >= RULES_PATIENCE) {
            return;
        }
        let mut in_flight = self.legs.values().filter(|leg| leg.on_its_way.is_some()).count();
        let nothing = Rules::default();
        for leg in self.legs.values_mut() {
            let book = self.books.get(&leg.id.symbol);
            let since = book.and_then(|book| book.finished_at);
            if in_flight >= IN_FLIGHT || must_wait(book) || !leg.may_close(since, now) {
                continue;
            }
            let Some(held) = leg.held else { continue };
            let resting = book.map_or(&[][..], |book| &book.orders);
            let spoken_for = resting.iter().filter(|order| order.closes(&held)).map(|order| order.open_qty);
            let free = held.qty.get() - spoken_for.sum::<hedge_core::Decimal>();
            let (id, term) = (self.setup.ids.another(), self.setup.ids.term());
            let rules = self.rules.as_ref().unwrap_or(&nothing);
            let Some(order) = rules.close(id, term, &held, free, leg.limits) else { continue };
            let sent_venue = Timestamp::EPOCH; // the driver puts the venue's time in as it sends
            let sending =
                Sending { id, qty: order.qty().get(), before: held.qty.get(), sent_at: now, sent_venue };
            leg.sending(id);
            in_flight += 1;
            jobs.push(Job::Close(leg.id, Box::new(order), sending));
        }
    }

    fn questions(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        for leg in self.legs.values_mut() {
            if let Some(id) = leg.take_cancel(now) {
                jobs.push(Job::CancelLive(leg.id, id));
            }
            let Some(pending) = leg.pending.as_mut() else { continue };
            if !pending.asking && now >= pending.ask_at {
                pending.asking = true;
                jobs.push(Job::Ask(leg.id, pending.id));
            }
        }
    }

    /// When something is due although no news comes.
    pub(super) fn wake(&self, now: Instant) -> Instant {
        let mut due = vec![self.setup.deadline];
        due.extend(self.held.due_at());
        if self.wants_orders(now) {
            due.extend(self.resting.due_at());
        }
        if self.wants_conditional(now) {
            due.extend(self.waiting.due_at());
        }
        if let Phase::Settle(since) = self.phase {
            due.push(since + self.gap());
        }
        if self.rules.is_none() {
            due.extend(self.rules_chore.due_at());
        }
        due.extend([ORDERS_PATIENCE, RULES_PATIENCE].map(|patience| self.began + patience));
        due.extend(self.legs.values().filter_map(Leg::due_at));
        due.extend(
            self.books
                .values()
                .filter(|book| !book.orders.is_empty() && !book.cancelling)
                .filter_map(|b| b.not_before),
        );
        due.extend(self.openings.values().filter_map(|(_, chore)| chore.due_at()));
        due.extend(self.sweeps.values().filter_map(Chore::due_at));
        // What is due already has been done, or waits for news.
        let later = due.into_iter().filter(|at| *at > now).min();
        later.unwrap_or(self.setup.deadline).min(now + SELDOM)
    }

    // --- news -----------------------------------------------------------------------------------------------------

    /// Takes news in.
    pub(super) fn apply(&mut self, news: News, now: Instant) {
        match news {
            News::Rules(Ok(specs)) => self.rules = Some(Rules::new(specs)),
            News::Rules(Err(error)) => {
                if self.rules_chore.failures == 0 {
                    self.say(format!("the symbols' rules could not be read ({error}); going on without"));
                }
                self.rules_chore.failed(&error, now);
            }
            News::Held(asked_at, Ok(rows)) => self.took_positions(asked_at, rows, now),
            News::Held(_, Err(error)) => {
                if error.reason() == Some(RejectReason::Auth) && self.held.asked_at.is_none() {
                    let since = *self.key_refused_since.get_or_insert(now);
                    if now.duration_since(since) >= KEY_PATIENCE {
                        return self
                            .finish(End::KeysRefused, format!("the venue refuses the API key: {error}"));
                    }
                }
                let line = self.held.failed(&error, now);
                self.lines.extend(line);
            }
            News::Resting(asked_at, Ok(rows)) => self.took_orders(asked_at, rows, now),
            News::Resting(_, Err(error)) => {
                let line = self.resting.failed(&error, now);
                self.lines.extend(line);
            }
            News::Waiting(asked_at, Ok(rows)) => self.took_conditional(asked_at, rows, now),
            News::Waiting(_, Err(error)) => {
                let line = self.waiting.failed(&error, now);
                self.lines.extend(line);
            }
            News::PlainCancelled(symbol, result) => self.cancelled(symbol, result, now),
            News::OpeningCancelled(order, result) => self.opening_cancelled(order, result, now),
            News::LiveCancelled(leg) => {
                if let Some(pending) = self.legs.get_mut(&leg).and_then(|leg| leg.pending.as_mut()) {
                    pending.ask_at = now;
                }
            }
            News::Swept(symbol, result) => self.swept(symbol, result, now),
            News::Closed(leg, sending, result) => {
                let patience = self.setup.patience;
                let Some(leg) = self.legs.get_mut(&leg) else { return };
                let after = leg.answered(sending, result, now, patience);
                if leg.is_stuck() && leg.pending.is_none() {
                    // The others are settled without it; it is tried again and again.
                    self.lines.extend(after.line);
                } else {
                    self.after(after, now);
                }
            }
            News::Asked { leg, id, clock, found } => {
                let patience = self.setup.patience;
                let Some(leg) = self.legs.get_mut(&leg) else { return };
                let after = leg.asked(id, clock, found, now, patience);
                match &leg.pending {
                    None => self.after(after, now),
                    // Proof of absence needs a reading of the position from after the last possible moment.
                    Some(pending) if pending.seems_absent() => self.held.want(now + SOON),
                    Some(_) => {}
                }
            }
        }
    }

    fn after(&mut self, after: After, now: Instant) {
        self.lines.extend(after.line);
        self.last_action = now;
        if after.suspect_orders {
            self.suspicion = Some(now);
            self.resting.want(now);
        }
        self.look_soon(now);
    }

    /// Positions are read again at once, or shortly when more news is about to come.
    fn look_soon(&mut self, now: Instant) {
        self.quiet = SOON;
        let is_busy = self.legs.values().any(|leg| leg.on_its_way.is_some());
        let wait = if is_busy { SOON } else { Duration::ZERO };
        let wait = if self.readings < FIRST_READINGS { wait } else { BETWEEN_READINGS };
        let spaced = self.held.last_asked.map_or(now, |at| at + wait);
        self.held.want(spaced.max(now));
        if let Phase::Settle(_) = self.phase {
            self.phase = Phase::Work;
        }
    }

    fn took_positions(&mut self, asked_at: Instant, rows: Vec<Held>, now: Instant) {
        self.key_refused_since = None;
        let patience = self.setup.patience;
        let mut next = now + SELDOM;
        let mut found: BTreeMap<LegId, Held> = rows
            .into_iter()
            .filter(|held| self.is_meant(&held.leg.symbol))
            .map(|held| (held.leg, held))
            .collect();
        for id in found.keys() {
            self.legs.entry(*id).or_insert_with(|| Leg::new(*id, asked_at));
        }
        let mut lines = Vec::new();
        for (id, leg) in &mut self.legs {
            let row = found.remove(id);
            let (before, first) = (leg.held.map(|held| held.qty), leg.first_qty);
            if !leg.read(row, asked_at, now, patience) {
                next = next.min(now + SOON);
                continue;
            }
            match (before, leg.held) {
                (None, Some(held)) if first.is_none() => {
                    lines.push(format!("{id}: {} is open", held.qty.get().normalize()));
                }
                (None, Some(held)) => {
                    lines.push(format!("{id}: {} is open again", held.qty.get().normalize()))
                }
                (Some(_), None) => lines.push(format!("{id}: flat")),
                _ => {}
            }
            lines.extend(leg.prove_absence(Some(asked_at), now));
        }
        if self.phase == Phase::Work {
            next = next.min(now + self.quiet);
            self.quiet = (self.quiet * 2).min(SELDOM);
        } else {
            next = next.min(now + WATCHING);
        }
        for line in lines {
            self.say(line);
        }
        // It was asked for before the last news, so somebody waits for the next one.
        if asked_at < self.last_action {
            let wait = if self.readings < FIRST_READINGS { AT_ONCE } else { BETWEEN_READINGS };
            next = next.min(asked_at + wait).max(now);
        }
        let line = self.held.answered(asked_at, now, next);
        self.lines.extend(line);
        self.mention_odd_symbols();
    }

    fn mention_odd_symbols(&mut self) {
        let Some(rules) = &self.rules else { return };
        let mut lines = Vec::new();
        for leg in self.legs.values().filter(|leg| leg.held.is_some()) {
            let symbol = leg.id.symbol;
            if let Some(word) = rules.oddity(&symbol).filter(|_| self.told_odd.insert(symbol)) {
                lines.push(format!("{symbol} does not trade normally ({word}): trying all the same"));
            }
        }
        self.lines.extend(lines);
    }

    fn took_orders(&mut self, asked_at: Instant, rows: Vec<Resting>, now: Instant) {
        let mut by_symbol: BTreeMap<Symbol, Vec<Resting>> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| self.is_meant(&row.leg.symbol)) {
            by_symbol.entry(row.leg.symbol).or_default().push(row);
        }
        for symbol in by_symbol.keys() {
            self.books.entry(*symbol).or_default();
        }
        let mut lines = Vec::new();
        let mut is_news = false;
        for (symbol, book) in &mut self.books {
            // A list from before the cancel came back shows what is gone.
            if book.cancelling || book.finished_at.is_some_and(|at| asked_at < at) {
                continue;
            }
            let orders = by_symbol.remove(symbol).unwrap_or_default();
            if !orders.is_empty() && book.orders.is_empty() {
                lines.push(format!("{symbol}: cancelling {} plain orders", orders.len()));
                book.tried = 0;
            }
            is_news |= book.orders != orders;
            book.orders = orders;
        }
        self.lists += 1;
        self.list_gap = if is_news { BETWEEN_LISTS } else { (self.list_gap * 2).min(LISTS_SELDOM) };
        let gap = if self.lists <= 2 { FIRST_LISTS } else { self.list_gap };
        let line = self.resting.answered(asked_at, now, now + gap);
        self.lines.extend(line);
        self.lines.extend(lines);
    }

    fn took_conditional(&mut self, asked_at: Instant, rows: Vec<Waiting>, now: Instant) {
        self.conditional = rows.into_iter().filter(|row| self.is_meant(&row.symbol)).collect();
        if self.phase == Phase::Work {
            for waiting in self.conditional.iter().filter(|waiting| waiting.opens) {
                self.lines.push(format!(
                    "{}: cancelling conditional order {}, which would open a leg",
                    waiting.symbol, waiting.client_id
                ));
                self.openings.entry(waiting.order).or_insert_with(|| (waiting.symbol, Chore::default()));
            }
        }
        // Legs on symbols that take no orders keep their stops.
        let kept: BTreeSet<Symbol> = self.stuck().map(|leg| leg.id.symbol).collect();
        if matches!(self.phase, Phase::Sweep(_)) {
            self.conditional.retain(|waiting| !kept.contains(&waiting.symbol));
        }
        let line = self.waiting.answered(asked_at, now, now + BETWEEN_LISTS);
        self.lines.extend(line);
    }

    fn cancelled(&mut self, symbol: Symbol, result: Result<(), BrokerError>, now: Instant) {
        let book = self.books.entry(symbol).or_default();
        book.cancelling = false;
        book.finished_at = Some(now);
        book.tried += 1;
        match result {
            Ok(()) => {
                book.orders.clear();
                book.not_before = None;
                book.trouble = None;
                self.canceled.insert(symbol);
            }
            Err(error) => {
                let wait = error.retry_after().unwrap_or_default().max(pause(book.tried));
                book.not_before = Some(now + wait);
                let text = kind(&error);
                if book.trouble.as_ref() != Some(&text) {
                    let line =
                        format!("{symbol}: its plain orders could not be cancelled ({error}); trying again");
                    self.lines.push(line);
                    book.trouble = Some(text);
                }
                // Also a cancel whose answer was lost may have worked: the list tells.
                self.suspicion = Some(now);
            }
        }
        self.last_action = now;
        self.look_soon(now);
    }

    fn opening_cancelled(&mut self, order: OrderRef, result: Result<(), BrokerError>, now: Instant) {
        self.last_action = now;
        match result {
            Ok(()) => {
                self.openings.remove(&order);
            }
            // It is gone, or has become a plain order that the next list shows.
            Err(error) if error.reason() == Some(RejectReason::NotFound) => {
                self.openings.remove(&order);
                self.suspicion = Some(now);
            }
            Err(error) => {
                if let Some((_, chore)) = self.openings.get_mut(&order) {
                    chore.failed(&error, now);
                }
            }
        }
        self.look_soon(now);
    }

    fn swept(&mut self, symbol: Symbol, result: Result<(), BrokerError>, now: Instant) {
        let chore = self.sweeps.entry(symbol).or_default();
        match result {
            Ok(()) => {
                chore.busy = false;
                chore.failures = 0;
                chore.not_before = Some(now + BETWEEN_SWEEPS);
                if self.swept.insert(symbol) {
                    self.say(format!("{symbol}: flat, its conditional orders are cancelled"));
                }
            }
            Err(error) => {
                if chore.failures == 0 {
                    let line = format!(
                        "{symbol}: conditional orders could not be cancelled ({error}); trying again"
                    );
                    self.lines.push(line);
                }
                chore.failed(&error, now);
            }
        }
        self.waiting.want(now);
    }

    // --- phases ---------------------------------------------------------------------------------------------------

    /// Legs with a position that may still be closed.
    fn open_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values().filter(|leg| leg.held.is_some() && !leg.is_stuck())
    }

    fn stuck(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values().filter(|leg| leg.held.is_some() && leg.is_stuck())
    }

    /// Nothing is open, resting, on its way or known to be live.
    fn is_clean(&self) -> bool {
        let stuck: BTreeSet<Symbol> = self.stuck().map(|leg| leg.id.symbol).collect();
        // A stuck leg is tried on beside everything else.
        let is_live = |leg: &Leg| {
            (leg.on_its_way.is_some() && !leg.is_stuck())
                || leg.pending.as_ref().is_some_and(super::leg::Pending::is_live)
        };
        let has_orders = |(symbol, book): (&Symbol, &Book)| {
            book.cancelling || (!book.orders.is_empty() && !stuck.contains(symbol))
        };
        self.open_legs().next().is_none()
            && !self.legs.values().any(is_live)
            && !self.books.iter().any(has_orders)
            && self.openings.is_empty()
    }

    fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Over => {}
            _ if !self.is_clean() => {
                self.flat_since = None;
                self.phase = Phase::Work;
            }
            Phase::Work => {
                let both = self.held.is_of(self.last_action) && self.resting.is_of(self.last_action);
                if let Some(seen) = self.held.answered_at.max(self.resting.answered_at).filter(|_| both) {
                    self.flat_since.get_or_insert(seen);
                    let gap = self.gap().as_secs_f32();
                    self.say(format!("no position and no plain order; reading again in {gap:.1} s"));
                    self.phase = Phase::Settle(seen);
                }
            }
            Phase::Settle(since) => {
                let second = since + self.gap();
                if now >= second && !self.held.is_of(second) {
                    self.held.want(now);
                }
                if self.held.is_of(second) && self.resting.is_of(second) {
                    self.phase = Phase::Sweep(now);
                    self.waiting.want(now);
                }
            }
            Phase::Sweep(since) => {
                let listed = self.waiting.is_of(self.listing_wanted_at(since));
                if listed && self.conditional.is_empty() && !self.sweeps.values().any(|chore| chore.busy) {
                    self.phase = Phase::LastLook(now);
                    self.held.want(now);
                    self.resting.want(now);
                }
            }
            Phase::LastLook(since) => {
                if self.held.is_of(since) && self.resting.is_of(since) {
                    if self.stuck().next().is_none() {
                        self.finish(End::Flat, String::new());
                    } else if self.stuck().all(Leg::is_unknown_to_venue) {
                        self.finish(End::NotTrading, self.stuck_because());
                    } else {
                        let because = self.stuck_because();
                        self.say(format!("{because}; everything else is flat; trying on until time is over"));
                        self.phase = Phase::Stuck;
                    }
                }
            }
            Phase::Stuck => {
                // It trades again, or the venue has settled it: everything is verified once more.
                if self.stuck().next().is_none() {
                    self.last_action = now;
                    self.phase = Phase::Work;
                }
            }
        }
    }

    fn stuck_because(&self) -> String {
        let names = self.stuck().map(|leg| leg.id.to_string()).collect::<Vec<_>>().join(", ");
        format!(
            "the venue takes no orders for {names}; its stops stay; run this again, or wait for the venue to settle it"
        )
    }

    fn finish(&mut self, end: End, because: String) {
        self.phase = Phase::Over;
        self.end = Some((end, because));
    }

    /// A person wants it to stop.
    pub(super) fn interrupt(&mut self) {
        if !self.is_over() {
            self.finish(End::Interrupted, "stopped by hand".to_owned());
        }
    }

    // --- telling --------------------------------------------------------------------------------------------------

    /// Where things stand, for a person who asks.
    pub(super) fn state(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for leg in self.legs.values() {
            if let Some(held) = leg.held {
                let doubt = leg.pending.as_ref().map_or_else(String::new, |pending| {
                    format!(", close {} of {} is in doubt", pending.id, pending.qty.normalize())
                });
                lines.push(format!("{}: {} still open{doubt}", leg.id, held.qty.get().normalize()));
            }
        }
        let orders: usize = self.books.values().map(|book| book.orders.len()).sum();
        lines.push(match (lines.is_empty(), self.phase) {
            (true, Phase::Settle(_)) => {
                format!("no leg open, {orders} plain orders; waiting for the second reading")
            }
            (true, Phase::Work) if self.held.asked_at.is_none() => "positions not read yet".to_owned(),
            (true, _) => format!("no leg open, {orders} plain orders; sweeping conditional orders"),
            (false, _) => format!("{orders} plain orders; stops of open legs are untouched"),
        });
        lines
    }

    /// Named symbols that neither the rules nor any reading knows.
    fn unseen(&self) -> Vec<Symbol> {
        let named = self.setup.symbols.iter().flatten();
        let is_known = |symbol: &&Symbol| {
            self.rules.as_ref().is_some_and(|rules| rules.knows(symbol))
                || self.legs.keys().any(|leg| leg.symbol == **symbol)
                || self.books.contains_key(*symbol)
                || self.conditional.iter().any(|waiting| waiting.symbol == **symbol)
        };
        named.filter(|symbol| !is_known(symbol)).copied().collect()
    }

    /// The story so far.
    pub(super) fn verdict(&self, now: Instant) -> Verdict {
        let ms = |at: Instant| {
            u64::try_from(at.duration_since(self.setup.started).as_millis()).unwrap_or(u64::MAX)
        };
        let (end, because) = self.end.clone().unwrap_or((End::Interrupted, "stopped by hand".to_owned()));
        let legs: Vec<LegReport> = self
            .legs
            .values()
            .filter(|leg| leg.first_qty.is_some())
            .map(|leg| LegReport {
                symbol: leg.id.symbol,
                side: leg.id.side,
                qty: leg.first_qty.unwrap_or_default(),
                closed: leg.closed,
                closes: leg.closes,
                flat_ms: leg.flat_at.map(ms),
                left: leg.held.map(|held| held.qty.get()),
                trouble: leg.trouble.clone().filter(|_| leg.held.is_some()),
            })
            .collect();
        let flat = end == End::Flat;
        let last_leg = legs.iter().filter_map(|leg| leg.flat_ms).max();
        Verdict {
            flat,
            end,
            because,
            time_to_flat_ms: last_leg
                .or_else(|| self.flat_since.filter(|_| !legs.is_empty()).map(ms))
                .filter(|_| flat),
            took_ms: ms(now),
            remaining: Remaining {
                legs: self.legs.values().filter(|leg| leg.held.is_some()).count(),
                orders: self.books.values().map(|book| book.orders.len()).sum(),
                conditional: self.waiting.asked_at.map(|_| self.conditional.len()),
            },
            unknown: self
                .legs
                .values()
                .filter_map(|leg| leg.pending.as_ref().map(|pending| pending.id).or(leg.on_its_way))
                .map(|id| id.to_string())
                .collect(),
            unseen: self.unseen(),
            legs,
            orders_canceled: self.canceled.clone(),
            conditional_canceled: self.swept.clone(),
        }
    }
}

/// Whether a leg's close waits for the cancel of its symbol's plain orders: for the first try, and no longer.
fn must_wait(book: Option<&Book>) -> bool {
    book.is_some_and(|book| !book.orders.is_empty() && book.tried == 0)
}
