//! How a run stands, computed from the book at the moment of asking.

use hedge_core::{
    Book, Decimal, Exit, ForcedClose, InstrumentId, Leg, LegHalt, LegState, OrderRecord, OrderState,
    PositionKey, PositionSide, Posture, Seq, Term, Timestamp, time::as_text,
};
use serde::{Deserialize, Serialize};

use crate::lease::LeaseStatus;
use crate::views::{Standing, StopFigures, unknown_age_seconds};

/// What a status says besides the book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The profile.
    pub profile: String,
    /// Whether the money is not real although the market is.
    pub simulated: bool,
    /// The process that answers; `None` when the journal is read without one.
    pub pid: Option<u32>,
    /// Since when that process leads.
    pub started_at: Option<Timestamp>,
    /// Why the process must not open, if it must not.
    pub hold: Option<String>,
    /// The venue and its environment, for example `binance loopback (127.0.0.1:4000)`.
    pub venue: String,
    /// The lease of the process that answers.
    pub lease: Option<LeaseStatus>,
    /// What stands besides the book.
    pub standing: Standing,
}

/// How things stand. Exact as of `as_of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The profile that runs.
    pub profile: String,
    /// Whether the money is not real although the market is.
    pub simulated: bool,
    /// The state directory's run.
    pub run: String,
    /// The leading term.
    pub term: Term,
    /// The process that leads; `None` when none runs.
    pub pid: Option<u32>,
    /// Since when it leads; text.
    pub started_at: Option<String>,
    /// The last record that is counted in.
    pub as_of: Seq,
    /// When this was said.
    #[serde(with = "as_text")]
    pub at: Timestamp,
    /// The strictest of operator and risk managers.
    pub posture: Posture,
    /// Why; empty for `normal`.
    pub posture_because: String,
    /// Since when; text.
    pub posture_since: Option<String>,
    /// What the operator ordered last.
    pub operator: Posture,
    /// Why.
    pub operator_because: String,
    /// When; text.
    pub operator_since: Option<String>,
    /// Why this process must not open, if it must not.
    pub hold: Option<String>,
    /// Whether the account stream is connected.
    pub connected: bool,
    /// The venue and its environment.
    pub venue: String,
    /// Who leads the account, and for how long; absent where nobody runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseStatus>,
    /// Wallet and unrealised profit. Units: USDT.
    pub equity: Decimal,
    /// Open legs, LONG before SHORT.
    pub legs: Vec<LegStatus>,
    /// Orders of ours that are, or may be, live.
    pub live_orders: u32,
    /// Orders of ours of unknown outcome.
    pub unknown_orders: u32,
    /// How long the oldest of them has been so. Units: seconds.
    #[serde(default)]
    pub unknown_age_seconds: Option<u64>,
    /// Orders of others on this account, as last seen.
    pub foreign_orders: usize,
    /// How well legs were protected since the last start.
    #[serde(default)]
    pub stops: StopFigures,
    /// Legs that the venue has closed by force and that open nothing until a person resumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halted_legs: Vec<HaltedLeg>,
    /// Symbols that open nothing for a while.
    pub mutes: Vec<Mute>,
    /// When the last fact came in.
    #[serde(with = "as_text")]
    pub last_fact_at: Timestamp,
    /// What a person was last alerted to.
    pub last_alert: Option<String>,
}

/// One open leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegStatus {
    /// The venue's symbol.
    pub symbol: String,
    /// Which leg.
    pub side: PositionSide,
    /// Unsigned quantity.
    pub qty: Decimal,
    /// Average entry price.
    pub entry: Option<Decimal>,
    /// Mark price, once known.
    pub mark: Option<Decimal>,
    /// Unrealised profit at the mark.
    #[serde(rename = "uPnl")]
    pub u_pnl: Option<Decimal>,
    /// How it is protected.
    pub stop: StopStatus,
}

/// The stop of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopStatus {
    /// Whether a live stop covers all of the leg.
    pub covered: bool,
    /// Where it triggers.
    pub trigger: Option<Decimal>,
    /// For how long the leg has been without a confirmed stop although it should have one. Units: milliseconds.
    pub unprotected_ms: Option<u64>,
}

/// A leg that opens nothing until a person resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaltedLeg {
    /// The venue's symbol.
    pub symbol: String,
    /// Which leg.
    pub side: PositionSide,
    /// What the venue did.
    pub forced: ForcedClose,
    /// When this process learned it.
    #[serde(with = "as_text")]
    pub since: Timestamp,
}

/// A symbol that opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Which symbol.
    pub symbol: String,
    /// Until when.
    #[serde(with = "as_text")]
    pub until: Timestamp,
}

impl Status {
    /// Reads a book.
    pub fn of(book: &Book, origin: Origin, at: Timestamp) -> Self {
        let (operator, because) = book.operator();
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let standing = origin.standing;
        Self {
            profile: origin.profile,
            simulated: origin.simulated,
            run: book.run().to_string(),
            term: book.term(),
            pid: origin.pid,
            started_at: text(origin.started_at),
            as_of: Seq(book.next_seq().0.saturating_sub(1)),
            at,
            posture: book.posture(),
            posture_because: standing.posture_because,
            posture_since: text(standing.posture_since),
            operator,
            operator_because: because.to_owned(),
            operator_since: text(standing.operator_since),
            hold: origin.hold,
            connected: book.is_connected(),
            venue: origin.venue,
            lease: origin.lease,
            equity: tidy(book.equity()),
            legs: book.open_legs().map(|leg| leg_status(book, leg, at)).collect(),
            live_orders: book.live_order_count(),
            unknown_orders: book.doubtful_orders(),
            unknown_age_seconds: unknown_age_seconds(book, at),
            foreign_orders: book.foreign_orders().len(),
            stops: standing.stops.figures(at),
            halted_legs: halted_legs(book),
            mutes: mutes(book, at),
            last_fact_at: book.last_fact_at(),
            last_alert: standing.last_alert,
        }
    }
}

fn leg_status(book: &Book, leg: &LegState, at: Timestamp) -> LegStatus {
    let mark = book.mark_of(&leg.key.instrument).map(|(mark, _)| mark);
    LegStatus {
        symbol: leg.key.instrument.symbol.to_string(),
        side: leg.key.side,
        qty: leg.qty.normalize(),
        entry: leg.entry().map(|entry| tidy(entry.get())),
        mark: mark.map(|mark| tidy(mark.get())),
        u_pnl: mark.map(|mark| tidy(leg.unrealized(mark))),
        stop: stop_status(book, leg, at),
    }
}

fn stop_status(book: &Book, leg: &LegState, at: Timestamp) -> StopStatus {
    let ours = book.stops_of(&leg.key).filter_map(trigger_of).last();
    let theirs = book.foreign_stop(&leg.key);
    StopStatus {
        covered: book.is_protected(&leg.key) || theirs.is_some(),
        trigger: ours.or_else(|| theirs?.trigger.map(|trigger| trigger.get().normalize())),
        unprotected_ms: leg.unprotected_since.map(|since| at.since(since).as_millis() as u64),
    }
}

fn trigger_of(order: &OrderRecord) -> Option<Decimal> {
    match order.leg {
        Leg::Close(Exit::StopMarket { trigger, .. }, _) if order.state != OrderState::Unknown => {
            Some(trigger.get().normalize())
        }
        _ => None,
    }
}

fn halted_legs(book: &Book) -> Vec<HaltedLeg> {
    let row = |(key, halt): (PositionKey, LegHalt)| HaltedLeg {
        symbol: key.instrument.symbol.to_string(),
        side: key.side,
        forced: halt.forced,
        since: halt.since,
    };
    book.halted_legs().map(row).collect()
}

fn mutes(book: &Book, at: Timestamp) -> Vec<Mute> {
    let until = |id: &InstrumentId| book.muted_until(id).filter(|until| *until > at);
    book.instruments()
        .filter_map(|(_, spec)| Some(Mute { symbol: spec.id.symbol.to_string(), until: until(&spec.id)? }))
        .collect()
}

/// Without trailing zeros, at the venue's eight places.
fn tidy(value: Decimal) -> Decimal {
    value.round_dp(8).normalize()
}

impl LegStatus {
    /// Whether this is that leg.
    pub fn is(&self, key: &PositionKey) -> bool {
        self.side == key.side && self.symbol == key.instrument.symbol.as_str()
    }
}
