//! Checks what must hold at every step. It reads the records of the journal and the events of the exchange, keeps its own
//! books of both, and shares nothing with the engine but the words in which records are written.

mod journal;
mod ledger;
mod quiet;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use hedge_core::{Decimal, Envelope};
use hedge_sim::venue::{self, Command, Venue, VenueEvent};

pub(super) use self::{
    journal::{JournalBook, LegName},
    ledger::Ledger,
    quiet::{BookLook, OrderLook},
};
use super::exchange::is_opening;

/// What the limits of a run are. Units: USDT.
pub(super) const PER_ORDER_USDT: i64 = 600;
/// Per symbol.
pub(super) const PER_SYMBOL_USDT: i64 = 1_000;
/// Over everything.
pub(super) const TOTAL_USDT: i64 = 2_000;
/// How long a leg may stand without a stop. Units: milliseconds.
pub(super) const PROTECT_WITHIN_MS: i64 = 3_000;
/// What the way of a fill to the engine and of a stop to the venue may add to that. Units: milliseconds.
const ON_THE_WAY_MS: i64 = 1_500;
/// How long a closing order may outlive its position: its cancel waits its turn behind other exits of the leg, each of which
/// may take until its time-out. Units: time-outs of a request.
const LEFT_OVER_TIME_OUTS: i64 = 2;
/// The same while faults keep cancels from arriving: bans, maintenance, starts. Units: milliseconds.
const LEFT_OVER_IN_A_STORM_MS: i64 = 30_000;
/// Marks move between a decision and its arrival. Units: percent.
const MARK_TOLERANCE_PERCENT: i64 = 8;
/// An opening may be sent so long after its approval. Units: milliseconds.
pub(super) const APPROVAL_TTL_MS: i64 = 2_000;
/// A process whose machine's clock steps back counts on from where it last looked, which it does at least so often. Units:
/// milliseconds.
const STANDS_STILL_MS: i64 = 1_000;
/// By how much a drifting clock may misjudge that. Units: milliseconds.
const CLOCKS_DIFFER_MS: i64 = 20;

/// What the auditor found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which of the nine invariants, by its number.
    pub invariant: u8,
    /// When. Units: milliseconds since the start of the run.
    pub at_ms: i64,
    /// What was seen and what was expected.
    pub text: String,
}

/// The invariants by their numbers, from 1.
pub const INVARIANTS: [&str; 9] = [
    "one intent has at most one live order",
    "nothing is at the venue that the journal did not announce",
    "when all is quiet, book and venue agree leg by leg",
    "nothing opens outside Normal",
    "a close never enlarges or flips a leg",
    "exposure stays within the limits, with unknown orders counted as filled",
    "the fold of the journal is the live state",
    "money is conserved",
    "when faults end, every order has an end and every leg a stop in time",
];

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = INVARIANTS.get(usize::from(self.invariant).wrapping_sub(1)).copied().unwrap_or("?");
        write!(f, "({}) {name}: at {:.3} s {}", self.invariant, self.at_ms as f64 / 1_000.0, self.text)
    }
}

/// Watches a run.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    violation: Option<Violation>,
    /// How many comparisons were made.
    pub(super) points: u64,
    pub(super) now_ms: i64,
    /// Whether legs must be covered in time from now on.
    pub(super) strict: bool,
    pub(super) journal: JournalBook,
    pub(super) ledger: Ledger,
    /// When openings were approved, by the time that passes for everybody.
    approved_ms: BTreeMap<String, i64>,
    /// When the machine's clock last stepped back, by the time that passes for everybody.
    pub(super) stepped_back_ms: i64,
    /// When the last cancel of a conditional order was sent, by how it named the order.
    cancels_ms: BTreeMap<String, i64>,
    /// Orders that were sent.
    sent: BTreeSet<String>,
    /// Of those, the ones that the venue has refused without looking at them, and that may be signed once more.
    unread: BTreeSet<String>,
    /// What was commanded and what the stream is, as known without the journal.
    pub(super) forbidden: bool,
    pub(super) disconnected: bool,
    /// Somebody else has opened something: the account's exposure is not ours alone.
    pub(super) person_opened: bool,
    pub(super) longest_bare_ms: i64,
    /// How long a client waits for an answer.
    time_out_ms: i64,
}

impl Auditor {
    pub(super) fn new(time_out_ms: i64) -> Self {
        Self { time_out_ms, ..Self::default() }
    }

    pub(super) fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(super) fn report(&mut self, invariant: u8, text: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { invariant, at_ms: self.now_ms, text: text() });
        }
    }

    fn check(&mut self, invariant: u8, holds: bool, text: impl FnOnce() -> String) {
        self.points += 1;
        if !holds {
            self.report(invariant, text);
        }
    }

    /// The engine has made records. They may not be durable yet.
    pub(super) fn made(&mut self, records: &[Envelope]) {
        for record in records {
            let Some((id, opening)) = journal::opening_in(record) else { continue };
            self.approved_ms.insert(id, self.now_ms);
            let (forbidden, disconnected) = (self.forbidden, self.disconnected);
            self.check(4, !forbidden, || format!("{opening} was approved although openings are forbidden"));
            self.check(4, !disconnected, || format!("{opening} was approved without an account stream"));
        }
    }

    /// Records have become durable.
    pub(super) fn durable(&mut self, records: &[Envelope]) {
        for record in records {
            let mut found = Vec::new();
            self.journal.read(record, self.now_ms, &mut found);
            self.points += 1;
            for (invariant, text) in found {
                self.report(invariant, || text);
            }
        }
    }

    /// A process has died and another reads what is on the disk: that is all there is.
    pub(super) fn restarted(&mut self, records: &[Envelope]) {
        let before = std::mem::take(&mut self.journal);
        for record in records {
            let mut found = Vec::new();
            self.journal.read(record, self.now_ms, &mut found);
            for (invariant, text) in found {
                self.report(invariant, || text);
            }
        }
        let lost = before.len() > self.journal.len();
        let (had, has) = (before.len(), self.journal.len());
        self.check(7, !lost, || format!("{had} records were durable, and the disk holds {has}"));
        self.forbidden = self.journal.is_forbidden();
        self.disconnected = false;
        let unannounced = self.ledger.ours().find(|id| !self.journal.announced(id)).map(str::to_owned);
        self.check(2, unannounced.is_none(), || {
            format!(
                "order {} is at the venue, and the journal does not know it",
                unannounced.unwrap_or_default()
            )
        });
    }

    /// A command leaves the process.
    pub(super) fn sent(&mut self, command: &Command) {
        match command {
            Command::Place(_) | Command::PlaceAlgo(_) => {
                let (id, opens) = named(command);
                let announced = self.journal.announced(&id);
                self.check(2, announced, || format!("order {id} is sent before its record is durable"));
                let mismatch = self.journal.differs(&id, command);
                self.check(2, mismatch.is_none(), || {
                    format!("order {id} is not sent as it was announced: {}", mismatch.unwrap_or_default())
                });
                let again = !self.sent.insert(id.clone());
                let proven = self.unread.remove(&id);
                self.check(1, !again || proven, || {
                    format!(
                        "order {id} is sent again, and nothing proves that it was not taken the first time"
                    )
                });
                let approved_ms = self.approved_ms.get(&id).copied().unwrap_or(self.now_ms);
                let stood_ms = if self.stepped_back_ms >= approved_ms { STANDS_STILL_MS } else { 0 };
                // Refused for its stamp it is signed once more, without asking the loop; that refusal takes at most so long.
                let again_ms = if again { self.time_out_ms } else { 0 };
                let most_ms = APPROVAL_TTL_MS + CLOCKS_DIFFER_MS + stood_ms + again_ms;
                let late_ms = self.now_ms - approved_ms;
                self.check(4, !opens || late_ms <= most_ms, || {
                    format!("opening {id} is sent {late_ms} ms after its approval")
                });
            }
            Command::Cancel { order: venue::OrderRef::Client(id), .. }
            | Command::CancelAlgo { algo: venue::AlgoRef::Client(id), .. } => {
                let id = id.clone();
                let announced = self.journal.cancel_announced(&id);
                self.check(2, announced, || format!("a cancel of {id} is sent that is not in the journal"));
            }
            Command::Cancel { order: venue::OrderRef::Id(number), .. } => self.cancel_sent(*number, false),
            Command::CancelAlgo { algo: venue::AlgoRef::Id(number), .. } => self.cancel_sent(*number, true),
            _ => {}
        }
        if let Command::CancelAlgo { .. } = command {
            self.cancels_ms.insert(named_algo(command), self.now_ms);
        }
    }

    fn cancel_sent(&mut self, number: u64, algo: bool) {
        let Some(id) = self.ledger.client_of(number, algo).map(str::to_owned) else { return };
        let announced = self.journal.cancel_announced(&id) || self.journal.adopted_cancel_announced(number);
        self.check(2, announced, || format!("a cancel of {id} is sent that is not in the journal"));
    }

    /// The exchange has refused a command for its stamp (-1021), which proves that it has not looked at it.
    pub(super) fn unread(&mut self, command: &Command) {
        self.unread.insert(named(command).0);
    }

    /// The exchange has taken a command of ours; its events follow with [`happened`](Self::happened).
    pub(super) fn accepted(&mut self, command: &Command, venue: &Venue) {
        match command {
            Command::Place(order) => {
                let id = order.client_order_id.clone().unwrap_or_default();
                let again = !self.ledger.first_time(&id, false);
                self.check(1, !again, || format!("the venue has taken order {id} twice"));
                if is_opening(order.side, order.position_side) {
                    self.check_exposure(&id, venue);
                }
            }
            Command::PlaceAlgo(algo) => {
                let id = algo.client_algo_id.clone().unwrap_or_default();
                let again = !self.ledger.first_time(&id, true);
                self.check(1, !again, || format!("the venue has taken conditional order {id} twice"));
            }
            _ => {}
        }
    }

    /// Legs at the mark and openings that rest, against the limits. Marks have moved since the decision.
    fn check_exposure(&mut self, id: &str, venue: &Venue) {
        if self.person_opened {
            return;
        }
        let exposures = self.ledger.exposures(venue);
        let total: Decimal = exposures.values().sum();
        let room = Decimal::new(100 + MARK_TOLERANCE_PERCENT, 2);
        let most =
            exposures.iter().max_by_key(|(_, usdt)| **usdt).map(|(symbol, usdt)| (symbol.clone(), *usdt));
        self.check(6, total <= Decimal::from(TOTAL_USDT) * room, || {
            format!("with {id} the account is exposed with {total} USDT; the limit is {TOTAL_USDT}")
        });
        if let Some((symbol, usdt)) = most {
            self.check(6, usdt <= Decimal::from(PER_SYMBOL_USDT) * room, || {
                format!("with {id} {symbol} is exposed with {usdt} USDT; the limit is {PER_SYMBOL_USDT}")
            });
        }
    }

    /// What the exchange told, in its order. `by_us` is whether a command of ours was the reason.
    pub(super) fn happened(&mut self, events: &[VenueEvent], by_us: Option<&Command>) {
        for event in events {
            let (mut closes, mut found) = (Vec::new(), Vec::new());
            self.ledger.read(event, &mut closes, &mut found);
            self.points += 1;
            for text in found {
                self.report(5, || text);
            }
            for id in closes {
                self.check_close(&id);
            }
        }
        if let Some(command @ Command::CancelAlgo { .. }) = by_us {
            let sent_ms = self.cancels_ms.get(&named_algo(command)).copied().unwrap_or(self.now_ms);
            // A stop that outlived its position is no protection: it goes, and the next position gets its own.
            let bare = self.ledger.uncovered_now(events, self.now_ms - sent_ms);
            let bare = bare.filter(|(_, id)| self.journal.outlived_ms(id, self.now_ms).is_none());
            let bare =
                bare.map(|(leg, id)| format!("our own cancel of {id} has taken the last stop of {leg}"));
            self.check(9, bare.is_none(), || bare.unwrap_or_default());
        }
        self.cover();
    }

    /// A close that has filled was decided for the position that it took from, or for one whose end was news.
    fn check_close(&mut self, id: &str) {
        let most_ms =
            if self.strict { LEFT_OVER_TIME_OUTS * self.time_out_ms } else { LEFT_OVER_IN_A_STORM_MS };
        let outlived_ms = self.journal.outlived_ms(id, self.now_ms).unwrap_or(0);
        self.check(5, outlived_ms <= most_ms, || {
            format!("{id} has closed a part of another position: its own has been gone for {outlived_ms} ms")
        });
    }

    /// Looks at every leg's stop.
    pub(super) fn cover(&mut self) {
        let now_ms = self.now_ms;
        self.ledger.cover(now_ms);
        self.points += 1;
        let longest = self.ledger.longest_bare(now_ms);
        let Some((leg, bare_ms)) = longest else { return };
        self.longest_bare_ms = self.longest_bare_ms.max(bare_ms);
        if self.strict {
            self.check(9, bare_ms <= PROTECT_WITHIN_MS + ON_THE_WAY_MS, || {
                format!("{leg} has had no stop for {bare_ms} ms")
            });
        }
    }
}

/// How a cancel names its conditional order.
fn named_algo(command: &Command) -> String {
    match command {
        Command::CancelAlgo { algo, .. } => format!("{algo:?}"),
        _ => String::new(),
    }
}

/// The client id of an order that is sent, and whether it opens.
fn named(command: &Command) -> (String, bool) {
    match command {
        Command::Place(order) => {
            (order.client_order_id.clone().unwrap_or_default(), is_opening(order.side, order.position_side))
        }
        Command::PlaceAlgo(algo) => (algo.client_algo_id.clone().unwrap_or_default(), false),
        _ => (String::new(), false),
    }
}
