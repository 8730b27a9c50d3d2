//! The order life cycle: one table. A row that is not listed is an error that names state and event.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{error::Outcome, venue::ReportedState};

/// Where one of our orders stands, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Decided and written down; not handed to the dispatcher.
    Journalled,
    /// Handed to the dispatcher; no answer yet.
    InFlight,
    /// Nobody knows whether the venue took it. Counts as filled for exposure, freezes openings of its leg.
    Unknown,
    /// Live at the venue.
    Working,
    /// Live with fills.
    PartiallyFilled,
    /// A cancel is on its way; still counts as live.
    Canceling,
    /// A conditional order fired; its child is live.
    Triggered,
    /// Done: everything filled.
    Filled,
    /// Done: cancelled, perhaps with fills.
    Canceled,
    /// Done: expired by the venue, perhaps with fills.
    Expired,
    /// Done: the venue refused it.
    Rejected,
    /// Done: proven never to have reached the book.
    Dropped,
}

impl OrderState {
    /// Whether nothing more should happen to it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Dropped)
    }
    /// Whether it is, or may be, at the venue.
    pub const fn is_live(self) -> bool {
        !self.is_terminal()
    }
    /// Whether the venue has confirmed that it rests there.
    pub const fn is_confirmed_live(self) -> bool {
        matches!(self, Self::Working | Self::PartiallyFilled | Self::Triggered | Self::Canceling)
    }
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEvent<'a> {
    /// The dispatcher has it.
    Dispatched,
    /// The submit failed with that knowledge.
    SubmitFailed(Outcome),
    /// The venue reports this state (in an answer, on the stream, or to a query).
    Reported(&'a ReportedState),
    /// An execution; `complete` when the whole quantity is filled now.
    Fill {
        /// Whether nothing is left to fill.
        complete: bool,
    },
    /// We ask to cancel it.
    CancelSent,
    /// The cancel was not taken; the order is as before.
    CancelFailed,
    /// A restart found it without an answer.
    ProcessDied,
    /// Absence is proven.
    AbsenceProven,
}

/// A row that is not in the table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("an order that is {state:?} cannot take {event}")]
pub struct IllegalTransition {
    /// The state it was in.
    pub state: OrderState,
    /// The event, as text.
    pub event: String,
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The new state.
    pub to: OrderState,
    /// A race was lost: the order was believed done and yet it filled. A person should know.
    pub surprise: bool,
}

/// The table. `filled` tells whether the order has fills already.
///
/// Errors: [`IllegalTransition`] for a row that is not listed.
pub fn transition(
    state: OrderState,
    event: &OrderEvent<'_>,
    filled: bool,
) -> Result<Transition, IllegalTransition> {
    use OrderEvent as E;
    use OrderState as S;
    let live = if filled { S::PartiallyFilled } else { S::Working };
    let to = match (state, event) {
        (S::Journalled, E::Dispatched) => S::InFlight,
        (S::Journalled | S::InFlight, E::SubmitFailed(Outcome::NotSent)) => S::Dropped,
        (S::Journalled | S::InFlight, E::SubmitFailed(Outcome::Rejected)) => S::Rejected,
        (S::Journalled | S::InFlight, E::SubmitFailed(Outcome::Unknown) | E::ProcessDied) => S::Unknown,
        // The answer was lost but the stream had already told us: evidence beats the missing answer.
        (_, E::SubmitFailed(_)) if state != S::Unknown => state,
        (S::Unknown, E::SubmitFailed(_) | E::ProcessDied) => S::Unknown,
        (_, E::ProcessDied) => state,
        (S::Unknown, E::AbsenceProven) => S::Dropped,
        // It was live once, and the venue no longer knows it.
        (S::Working | S::PartiallyFilled | S::Triggered | S::Canceling, E::AbsenceProven) => S::Expired,

        (_, E::Fill { complete }) => {
            let surprise = matches!(state, S::Canceled | S::Expired | S::Dropped | S::Rejected);
            let to = match (complete, state) {
                (true, _) => S::Filled,
                // A late fill of a done order is booked; the order stays done.
                (false, done) if surprise => done,
                (false, S::Canceling | S::Triggered | S::Filled) => state,
                (false, _) => S::PartiallyFilled,
            };
            return Ok(Transition { to, surprise });
        }

        (S::Working | S::PartiallyFilled | S::Triggered, E::CancelSent) => S::Canceling,
        (S::Canceling, E::CancelSent) => S::Canceling,
        (S::Canceling, E::CancelFailed) => live,
        (done, E::CancelFailed) if done.is_terminal() => done,

        // A report about a done order changes nothing: reports overtake each other.
        (done, E::Reported(_)) if done.is_terminal() => done,
        (_, E::Reported(reported)) => match reported {
            // A word we do not know is no evidence; an order that was on its way is now in doubt.
            ReportedState::Unknown(_) => match state {
                S::Journalled | S::InFlight => S::Unknown,
                other => other,
            },
            ReportedState::Working | ReportedState::Triggering => match state {
                S::Canceling | S::PartiallyFilled | S::Triggered => state,
                _ => live,
            },
            ReportedState::PartiallyFilled => match state {
                S::Canceling | S::Triggered => state,
                _ => S::PartiallyFilled,
            },
            ReportedState::Triggered => S::Triggered,
            // "Filled" without all its fills: the fills decide; until they arrive it is live.
            ReportedState::Filled | ReportedState::Finished => S::Filled,
            ReportedState::Canceled => S::Canceled,
            ReportedState::Expired => S::Expired,
            ReportedState::Rejected => S::Rejected,
        },
        (state, event) => return Err(IllegalTransition { state, event: format!("{event:?}") }),
    };
    Ok(Transition { to, surprise: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(state: OrderState, event: OrderEvent<'_>) -> Option<OrderState> {
        transition(state, &event, false).ok().map(|t| t.to)
    }

    #[test]
    fn a_time_out_is_unknown_and_only_evidence_or_proof_ends_it() {
        use OrderState::*;
        assert_eq!(to(InFlight, OrderEvent::SubmitFailed(Outcome::Unknown)), Some(Unknown));
        assert_eq!(to(Unknown, OrderEvent::SubmitFailed(Outcome::NotSent)), Some(Unknown));
        assert_eq!(to(Unknown, OrderEvent::Reported(&ReportedState::Working)), Some(Working));
        assert_eq!(to(Unknown, OrderEvent::AbsenceProven), Some(Dropped));
        assert_eq!(to(Working, OrderEvent::AbsenceProven), Some(Expired));
        assert_eq!(to(Filled, OrderEvent::AbsenceProven), None);
        let word = ReportedState::Unknown("PARKED".to_owned());
        assert_eq!(to(InFlight, OrderEvent::Reported(&word)), Some(Unknown));
        assert_eq!(to(Working, OrderEvent::Reported(&word)), Some(Working));
    }

    #[test]
    fn a_restart_makes_an_unanswered_order_unknown() {
        assert_eq!(to(OrderState::InFlight, OrderEvent::ProcessDied), Some(OrderState::Unknown));
        assert_eq!(to(OrderState::Working, OrderEvent::ProcessDied), Some(OrderState::Working));
    }

    #[test]
    fn a_lost_answer_does_not_undo_what_the_stream_said() {
        let working = OrderState::Working;
        assert_eq!(to(working, OrderEvent::SubmitFailed(Outcome::Unknown)), Some(working));
    }

    #[test]
    fn a_fill_after_cancel_is_booked_and_reported() {
        let lost = transition(OrderState::Canceled, &OrderEvent::Fill { complete: true }, false).unwrap();
        assert_eq!(lost, Transition { to: OrderState::Filled, surprise: true });
    }

    #[test]
    fn a_report_never_revives_a_done_order() {
        assert_eq!(
            to(OrderState::Canceled, OrderEvent::Reported(&ReportedState::Working)),
            Some(OrderState::Canceled)
        );
    }

    #[test]
    fn an_order_that_was_never_sent_cannot_be_cancelled() {
        let error = transition(OrderState::Journalled, &OrderEvent::CancelSent, false).unwrap_err();
        assert_eq!(error.to_string(), "an order that is Journalled cannot take CancelSent");
    }
}
