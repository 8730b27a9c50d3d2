//! One leg on its way to flat: what was sent, what is in doubt, what may be sent next.

use std::time::Duration;

use hedge_core::{
    BrokerError, ClientOrderId, Decimal, OrderAck, Outcome, RejectReason, ReportedState, SubmitError,
    Timestamp,
};
use tokio::time::Instant;

use super::{
    reader::{kind, pause},
    rules::Limits,
    venue::{Found, Held, LegId},
};

/// A reading may be this much older than our estimate of the venue's clock and still be newer than a close.
const CLOCK_SLACK: Duration = Duration::from_millis(250);
/// A market order that is live for longer than this is cancelled.
const LIVE_PATIENCE: Duration = Duration::from_secs(3);
/// Questions about an order: the first pause, and the longest.
const FIRST_QUESTION: Duration = Duration::from_millis(150);
const LAST_QUESTION: Duration = Duration::from_secs(1);
/// The same clock reading after so long means that the venue's clock stands still.
const STANDSTILL: Duration = Duration::from_secs(3);
/// So many refusals of a symbol that does not trade, and the others are settled without it.
const STUCK_AFTER: u32 = 3;
/// It is tried on, every second at first and then less often.
const PAUSES_WHILE_STUCK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
const OFTEN_UNTIL: u32 = 15;
/// The venue does not know the symbol at all.
const BAD_SYMBOL: i64 = -1121;

/// A close of which it is not known that it is over.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: ClientOrderId,
    pub(super) qty: Decimal,
    /// The position when it was sent.
    before: Decimal,
    sent_at: Instant,
    sent_venue: Timestamp,
    /// Venue time until which it may still be accepted.
    until: Timestamp,
    pub(super) ask_at: Instant,
    pub(super) asking: bool,
    asks: u32,
    /// The venue knows it and says that it is not over.
    live_since: Option<Instant>,
    cancel_at: Option<Instant>,
    /// Answers "not found" that came after it can no longer be accepted.
    absent: u32,
    /// The first of them.
    absent_since: Option<Instant>,
    first_clock: Option<(Timestamp, Instant)>,
}

/// A close whose end is known and that took something.
#[derive(Clone, Copy, Debug)]
struct LastFill {
    sent_venue: Timestamp,
    known_at: Instant,
    left: Decimal,
}

/// What has to be known to send a close, noted when it leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub(super) id: ClientOrderId,
    pub(super) qty: Decimal,
    pub(super) before: Decimal,
    pub(super) sent_at: Instant,
    pub(super) sent_venue: Timestamp,
}

/// How patient the questions are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) request_lifetime: Duration,
    pub(super) visibility_delay: Duration,
}

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    /// As of the last reading that is believed; `None` when flat.
    pub(super) held: Option<Held>,
    pub(super) first_qty: Option<Decimal>,
    /// The close that has left and is not answered.
    pub(super) on_its_way: Option<ClientOrderId>,
    /// A reading must be asked for at or after this.
    fresh_after: Instant,
    /// When the last reading that is believed was asked for.
    believed: Option<Instant>,
    pub(super) not_before: Instant,
    pub(super) pending: Option<Pending>,
    last_fill: Option<LastFill>,
    fruitless: u32,
    pub(super) limits: Limits,
    not_trading: u32,
    bad_symbol: bool,
    pub(super) closes: u32,
    pub(super) closed: Decimal,
    pub(super) flat_at: Option<Instant>,
    pub(super) trouble: Option<String>,
    last_told: Option<String>,
}

/// What the course has to do after news about a leg.
#[derive(Debug, Default)]
pub(super) struct After {
    pub(super) line: Option<String>,
    /// Resting orders of the symbol may be in the way.
    pub(super) suspect_orders: bool,
}

impl After {
    fn say(line: String) -> Self {
        Self { line: Some(line), suspect_orders: false }
    }
}

impl Leg {
    pub(super) const fn new(id: LegId, now: Instant) -> Self {
        Self {
            id,
            held: None,
            first_qty: None,
            on_its_way: None,
            fresh_after: now,
            believed: None,
            not_before: now,
            pending: None,
            last_fill: None,
            fruitless: 0,
            limits: Limits { at_most: None, as_held: false },
            not_trading: 0,
            bad_symbol: false,
            closes: 0,
            closed: Decimal::ZERO,
            flat_at: None,
            trouble: None,
            last_told: None,
        }
    }

    /// Whether the others are settled without it: its symbol takes no orders.
    pub(super) const fn is_stuck(&self) -> bool {
        self.not_trading >= STUCK_AFTER
    }

    /// Whether trying on is pointless.
    pub(super) const fn is_unknown_to_venue(&self) -> bool {
        self.bad_symbol
    }

    /// Whether the next close may leave: on a believed reading that was asked for after all that happened since, and at or
    /// after `since`.
    pub(super) fn may_close(&self, since: Option<Instant>, now: Instant) -> bool {
        self.held.is_some()
            && self.on_its_way.is_none()
            && self.pending.is_none()
            && self.believed.is_some_and(|at| at >= self.fresh_after && since.is_none_or(|since| at >= since))
            && now >= self.not_before
    }

    /// Takes over what a reading says of this leg. A reading that was asked for before the last news, or that a lagging
    /// replica gave, changes nothing. Says whether it counts.
    pub(super) fn read(
        &mut self,
        held: Option<Held>,
        asked_at: Instant,
        now: Instant,
        patience: Patience,
    ) -> bool {
        if self.on_its_way.is_some()
            || asked_at < self.fresh_after
            || self.is_stale(held.as_ref(), now, patience)
        {
            return false;
        }
        match held {
            Some(held) => {
                self.first_qty.get_or_insert(held.qty.get());
                self.flat_at = None;
            }
            None if self.held.is_some() => self.flat_at = Some(now),
            None => {}
        }
        self.held = held;
        self.believed = Some(asked_at);
        true
    }

    /// More than is left after our last close, and the venue says itself that this is from before it.
    fn is_stale(&self, held: Option<&Held>, now: Instant, patience: Patience) -> bool {
        let (Some(held), Some(last)) = (held, self.last_fill) else { return false };
        held.qty.get() > last.left
            && held.updated.is_some_and(|at| at < last.sent_venue.minus(CLOCK_SLACK))
            && now < last.known_at + patience.visibility_delay
    }

    /// A close leaves.
    pub(super) fn sending(&mut self, id: ClientOrderId) {
        self.on_its_way = Some(id);
        self.closes += 1;
    }

    /// The answer to a close.
    pub(super) fn answered(
        &mut self,
        sent: Sending,
        result: Result<OrderAck, SubmitError>,
        now: Instant,
        patience: Patience,
    ) -> After {
        self.on_its_way = None;
        self.fresh_after = now;
        match result {
            Ok(ack) if ack.state.is_terminal() => self.ended(sent, &ack.state, ack.filled, now),
            Ok(ack) => {
                self.doubt(sent, sent.sent_venue.plus(patience.request_lifetime), now);
                if let Some(pending) = &mut self.pending {
                    pending.live_since = Some(now);
                }
                After::say(format!(
                    "{}: close {} is {:?}; asking until it is over",
                    self.id, sent.id, ack.state
                ))
            }
            Err(SubmitError { error, acceptable_until }) => match error.outcome() {
                Outcome::Unknown => {
                    let until =
                        acceptable_until.unwrap_or_else(|| sent.sent_venue.plus(patience.request_lifetime));
                    self.doubt(sent, until, now);
                    self.trouble = Some(error.to_string());
                    After::say(format!(
                        "{}: nobody knows what became of close {} ({error}); asking, no second close meanwhile",
                        self.id, sent.id
                    ))
                }
                Outcome::NotSent => {
                    self.closes -= 1;
                    self.fruitless += 1;
                    self.not_before =
                        now + error.retry_after().unwrap_or_default().max(pause(self.fruitless));
                    self.tell(&error, "was not executed")
                }
                Outcome::Rejected => {
                    self.closes -= 1;
                    self.refused(sent, &error, now)
                }
            },
        }
    }

    fn ended(&mut self, sent: Sending, state: &ReportedState, filled: Decimal, now: Instant) -> After {
        self.fresh_after = now;
        self.closed += filled;
        let left = (sent.before - filled).max(Decimal::ZERO);
        if filled > Decimal::ZERO {
            self.not_trading = 0;
            self.last_fill = Some(LastFill { sent_venue: sent.sent_venue, known_at: now, left });
            self.trouble = None;
        }
        if filled >= sent.qty {
            self.fruitless = 0;
            self.not_before = now;
            return After::say(format!("{}: closed {} at the market", self.id, filled.normalize()));
        }
        // Thin book: what lies outside the venue's band expires (fact sheet 4.2, marketTakeBound).
        self.fruitless += 1;
        self.not_before = now + pause(self.fruitless);
        After::say(format!(
            "{}: closed {} of {}, the rest ended {state:?}; going on",
            self.id,
            filled.normalize(),
            sent.qty.normalize()
        ))
    }

    fn refused(&mut self, sent: Sending, error: &BrokerError, now: Instant) -> After {
        self.fruitless += 1;
        self.not_before = now + pause(self.fruitless);
        let mut after = self.tell(error, "was refused");
        match (error.reason(), error.code()) {
            (Some(RejectReason::NothingToClose), _) => after.suspect_orders = true,
            // Above the largest quantity (fact sheet 4.2): the rules could not be read, or have changed.
            (Some(RejectReason::Filter), Some(-4005)) => {
                let half = (sent.qty / Decimal::TWO).trunc_with_scale(sent.qty.normalize().scale());
                self.limits.at_most = Some(half);
                self.not_before = now;
            }
            (Some(RejectReason::Filter), _) => self.limits.as_held = !self.limits.as_held,
            (Some(RejectReason::NotTrading), _) => {
                self.not_trading += 1;
                self.bad_symbol = error.code() == Some(BAD_SYMBOL);
                let (often, seldom) = PAUSES_WHILE_STUCK;
                self.not_before = now + if self.not_trading < OFTEN_UNTIL { often } else { seldom };
            }
            _ => {}
        }
        after
    }

    fn doubt(&mut self, sent: Sending, until: Timestamp, now: Instant) {
        self.pending = Some(Pending {
            id: sent.id,
            qty: sent.qty,
            before: sent.before,
            sent_at: sent.sent_at,
            sent_venue: sent.sent_venue,
            until,
            ask_at: now + FIRST_QUESTION,
            asking: false,
            asks: 0,
            live_since: None,
            cancel_at: None,
            absent: 0,
            absent_since: None,
            first_clock: None,
        });
    }

    /// Tells a trouble once.
    fn tell(&mut self, error: &BrokerError, what: &str) -> After {
        self.trouble = Some(error.to_string());
        let kind = kind(error);
        if self.last_told.as_ref() == Some(&kind) {
            return After::default();
        }
        self.last_told = Some(kind);
        After::say(format!("{}: the close {what} ({error}); trying again from a fresh reading", self.id))
    }

    /// Whether a live market order should be cancelled now.
    pub(super) fn take_cancel(&mut self, now: Instant) -> Option<ClientOrderId> {
        let pending = self.pending.as_mut()?;
        let due = pending.cancel_at.or_else(|| pending.live_since.map(|since| since + LIVE_PATIENCE))?;
        (now >= due).then(|| {
            pending.cancel_at = Some(now + LIVE_PATIENCE);
            pending.id
        })
    }

    /// The answer to a question about the close in doubt: the venue's clock, read before the question, and what it knows.
    pub(super) fn asked(
        &mut self,
        id: ClientOrderId,
        clock: Result<Timestamp, BrokerError>,
        found: Result<Option<Found>, BrokerError>,
        now: Instant,
        patience: Patience,
    ) -> After {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.id == id) else {
            return After::default();
        };
        pending.asking = false;
        pending.asks += 1;
        let step = FIRST_QUESTION.saturating_mul(1 << pending.asks.min(4)).min(LAST_QUESTION);
        let wait = |error: &BrokerError| error.retry_after().unwrap_or_default();
        match found {
            Ok(Some(found)) if found.state.is_terminal() => {
                let sent = pending.sending();
                self.pending = None;
                return self.ended(sent, &found.state, found.filled, now);
            }
            Ok(Some(_)) => {
                pending.live_since.get_or_insert(now);
                pending.ask_at = now + step;
            }
            Ok(None) => {
                pending.ask_at = now + step;
                match clock {
                    Ok(clock) => pending.not_found(clock, now, patience),
                    Err(error) => pending.ask_at = now + step.max(wait(&error)),
                }
            }
            Err(error) => pending.ask_at = now + step.max(wait(&error)),
        }
        After::default()
    }

    /// Ends the doubt when the close is proven never to have arrived: it can no longer be accepted, was then not found
    /// twice, and a later reading shows the position as it was. A position that shrank otherwise (a stop fired) has to be
    /// confirmed by twice as many answers.
    pub(super) fn prove_absence(&mut self, legs_asked_at: Option<Instant>, now: Instant) -> Option<String> {
        let pending = self.pending.as_ref()?;
        let since = pending.absent_since?;
        if legs_asked_at.is_none_or(|asked| asked < since || asked < self.fresh_after) {
            return None;
        }
        let is_unchanged = self.held.is_some_and(|held| held.qty.get() == pending.before);
        if pending.absent < if is_unchanged { 2 } else { 4 } {
            return None;
        }
        let line = if is_unchanged {
            self.closes -= 1;
            format!(
                "{}: close {} never arrived: its time is over and the venue does not know it",
                self.id, pending.id
            )
        } else {
            format!(
                "{}: the venue does not know close {}, its time is over, and the position changed otherwise",
                self.id, pending.id
            )
        };
        self.pending = None;
        self.not_before = now;
        Some(line)
    }

    /// When something about this leg is due next.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let question = self.pending.as_ref().filter(|pending| !pending.asking).map(|pending| pending.ask_at);
        let close = (self.held.is_some() && self.on_its_way.is_none() && self.pending.is_none())
            .then_some(self.not_before);
        question.or(close)
    }
}

impl Pending {
    const fn sending(&self) -> Sending {
        Sending {
            id: self.id,
            qty: self.qty,
            before: self.before,
            sent_at: self.sent_at,
            sent_venue: self.sent_venue,
        }
    }

    /// Whether the venue says that it is not over.
    pub(super) const fn is_live(&self) -> bool {
        self.live_since.is_some()
    }

    /// Whether the venue said that it does not know it when it could no longer be accepted.
    pub(super) const fn seems_absent(&self) -> bool {
        self.absent > 0
    }

    fn not_found(&mut self, clock: Timestamp, now: Instant, patience: Patience) {
        let (first, first_at) = *self.first_clock.get_or_insert((clock, now));
        let stands_still = clock == first && now.duration_since(first_at) >= STANDSTILL;
        let over = clock > self.until.plus(patience.visibility_delay);
        // A clock that stands still (a paused simulator) never gets there: ours counts then.
        let over_by_ours =
            stands_still && now > self.sent_at + patience.request_lifetime + patience.visibility_delay;
        if over || over_by_ours {
            self.absent += 1;
            self.absent_since.get_or_insert(now);
        }
    }
}
