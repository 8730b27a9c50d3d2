//! What was sent and is not answered, and how long what could not be sent waits.

use std::time::Duration;

use super::run::{Cx, Engine};
use crate::{
    book::heeded,
    error::Outcome,
    event::{Event, Fact},
    id::{ClientOrderId, OrderPurpose},
    instrument::InstrumentSpec,
    position::{Action, PositionKey},
    time::Timestamp,
};

/// The least time between two attempts to close the same leg by force.
const CLOSE_PAUSE: Duration = Duration::from_secs(1);
/// The same of a symbol that does not trade.
const HALTED_PAUSE: Duration = Duration::from_secs(60);
/// The same of what is too small for an order: a stop that is refused will be again.
const DUST_PAUSE: Duration = Duration::from_secs(10);
/// How often [`CLOSE_PAUSE`] doubles while nothing leaves and nobody says for how long.
const DOUBLINGS: u32 = 2;

/// The last attempt to close a leg by force, or to guard one for which no close can be sent.
#[derive(Debug)]
pub(super) struct Attempt {
    key: PositionKey,
    at: Timestamp,
    /// Attempts in a row that did not leave.
    unsent: u32,
    /// It did not leave: the next one waits until then.
    not_before: Option<Timestamp>,
}

/// Whether a command left; where not, when that was learned and from when on it may.
#[derive(Clone, Copy)]
enum Sent {
    Yes,
    No(Timestamp, Option<Timestamp>),
}

impl Engine {
    /// A command leaves with this step. Exits of one leg leave one after the other, openings behind everything of their leg.
    pub(super) fn is_sent(&mut self, id: &ClientOrderId, key: &PositionKey) {
        self.under_way.push((*id, *key));
    }

    /// Whether a command of this leg is without an answer: what is decided now may leave only after that.
    pub(super) fn is_busy(&self, key: &PositionKey) -> bool {
        self.under_way.iter().any(|(_, other)| other == key)
    }

    /// Whether a command about this order is without an answer.
    pub(super) fn is_under_way(&self, id: &ClientOrderId) -> bool {
        self.under_way.iter().any(|(other, _)| other == id)
    }

    /// Takes note of an answer to a command: of which leg, where what waited for it may be decided now. A cancel of a live order
    /// that failed has a question of its own, which comes with another look.
    pub(super) fn take_answer(&mut self, cx: &Cx<'_>) -> Option<PositionKey> {
        let Event::Fact(fact) = &cx.step.events.first()?.event else { return None };
        let id = match fact {
            Fact::SubmitAcked { order, .. } => {
                self.note_attempt(order, Sent::Yes);
                order
            }
            Fact::SubmitFailed { order, outcome, retry_at, .. } => {
                let sent = if *outcome == Outcome::NotSent { Sent::No(cx.at, *retry_at) } else { Sent::Yes };
                self.note_attempt(order, sent);
                order
            }
            Fact::CancelAcked { order } | Fact::CancelFailed { order, .. } => order,
            _ => return None,
        };
        let answered = self.under_way.iter().position(|(other, _)| other == id)?;
        let key = self.under_way[answered].1;
        let mut place = 0;
        // What was sent before it on the same leg is answered too, or is no reason to wait: exits do not follow openings.
        self.under_way.retain(|(_, other)| {
            place += 1;
            *other != key || place > answered + 1
        });
        let is_asked_about = matches!(fact, Fact::CancelFailed { .. })
            && self.book.order(id).is_some_and(|order| order.state.is_live());
        (!is_asked_about).then_some(key)
    }

    /// What became of an exit says when its leg is tried again.
    fn note_attempt(&mut self, id: &ClientOrderId, sent: Sent) {
        if self.attempts.is_empty() {
            return;
        }
        let Some(order) = self.book.order(id) else { return };
        let is_attempt = order.leg.action() == Action::Close && order.purpose != OrderPurpose::TakeProfit;
        let tried = self.attempts.iter_mut().find(|tried| is_attempt && tried.key == order.position);
        let Some(tried) = tried else { return };
        let Sent::No(at, retry_at) = sent else {
            (tried.unsent, tried.not_before) = (0, None);
            return;
        };
        // A close in pieces is one attempt.
        tried.unsent += u32::from(tried.not_before.is_none());
        let pause = CLOSE_PAUSE * (1 << tried.unsent.saturating_sub(1).min(DOUBLINGS));
        tried.not_before = Some(retry_at.map_or(at.plus(pause), |named| heeded(at, named)));
    }

    /// Remembers when something was last forced upon a leg.
    pub(super) fn stamp(&mut self, key: &PositionKey, at: Timestamp) {
        let known = self.attempts.iter_mut().find(|tried| tried.key == *key);
        let Some(tried) = known else {
            return self.attempts.push(Attempt { key: *key, at, unsent: 0, not_before: None });
        };
        (tried.at, tried.not_before) = (at, None);
    }

    /// The leg is flat: the next position has nothing to do with what was tried.
    pub(super) fn forget_attempts(&mut self, key: &PositionKey) {
        self.attempts.retain(|tried| tried.key != *key);
    }

    /// When a leg may be closed by force again; `None` when that was not tried.
    pub(super) fn next_close(&self, key: &PositionKey) -> Option<Timestamp> {
        self.next_attempt(key, || self.close_pause(key))
    }

    /// When a leg for which no close can be sent may be guarded again; `None` when that was not tried.
    pub(super) fn next_guard(&self, key: &PositionKey) -> Option<Timestamp> {
        self.next_attempt(key, || CLOSE_PAUSE)
    }

    fn next_attempt(&self, key: &PositionKey, pause: impl FnOnce() -> Duration) -> Option<Timestamp> {
        let tried = self.attempts.iter().find(|tried| tried.key == *key)?;
        Some(tried.not_before.unwrap_or_else(|| tried.at.plus(pause())))
    }

    /// How long to wait between two attempts: a venue that takes no orders for a symbol is not asked every second, and what
    /// is too small for an order is not tried every second.
    fn close_pause(&self, key: &PositionKey) -> Duration {
        let trading = self.spec_of(key).is_none_or(InstrumentSpec::is_trading);
        match (trading, self.is_dust(key)) {
            (true, false) => CLOSE_PAUSE,
            (true, true) => DUST_PAUSE,
            (false, _) => HALTED_PAUSE,
        }
    }
}
