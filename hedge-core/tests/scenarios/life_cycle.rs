//! The table of the order life cycle, row by row and as a whole.

use hedge_core::{
    order_state::{OrderEvent, transition},
    *,
};

use crate::given::every_state;

const STATES: [OrderState; 12] = [
    OrderState::Journalled,
    OrderState::InFlight,
    OrderState::Unknown,
    OrderState::Working,
    OrderState::PartiallyFilled,
    OrderState::Canceling,
    OrderState::Triggered,
    OrderState::Filled,
    OrderState::Canceled,
    OrderState::Expired,
    OrderState::Rejected,
    OrderState::Dropped,
];

fn events(words: &[ReportedState]) -> Vec<OrderEvent<'_>> {
    let mut events = vec![
        OrderEvent::Dispatched,
        OrderEvent::SubmitFailed(Outcome::NotSent),
        OrderEvent::SubmitFailed(Outcome::Rejected),
        OrderEvent::SubmitFailed(Outcome::Unknown),
        OrderEvent::Fill { complete: false },
        OrderEvent::Fill { complete: true },
        OrderEvent::CancelSent,
        OrderEvent::CancelFailed,
        OrderEvent::ProcessDied,
        OrderEvent::AbsenceProven,
    ];
    events.extend(words.iter().map(OrderEvent::Reported));
    events
}

/// Every row: what it was, what happened, what it is.
fn rows() -> Vec<(OrderState, String, bool, OrderState)> {
    let words = every_state();
    let mut rows = Vec::new();
    for state in STATES {
        for event in events(&words) {
            for filled in [false, true] {
                match transition(state, &event, filled) {
                    Ok(next) => rows.push((state, format!("{event:?}"), filled, next.to)),
                    Err(error) => {
                        let text = error.to_string();
                        assert!(text.contains(&format!("{state:?}")), "{text}");
                        assert!(text.contains(&format!("{event:?}")), "{text}");
                    }
                }
            }
        }
    }
    rows
}

#[test]
fn nothing_brings_a_done_order_back_and_only_a_fill_changes_how_it_ended() {
    for (from, event, _, to) in rows() {
        if from.is_terminal() {
            assert!(to.is_terminal(), "{from:?} {event} {to:?}");
            if to != from {
                assert!(event.starts_with("Fill") && to == OrderState::Filled, "{from:?} {event} {to:?}");
            }
        }
    }
}

#[test]
fn an_order_ends_by_the_venue_s_word_by_a_fill_or_by_proof_and_never_by_silence() {
    for (from, event, _, to) in rows() {
        if from.is_live() && to.is_terminal() {
            let never_answered = matches!(from, OrderState::Journalled | OrderState::InFlight);
            let evidence = event.starts_with("Reported")
                || event.starts_with("Fill")
                || event == "AbsenceProven"
                || (never_answered
                    && ["SubmitFailed(NotSent)", "SubmitFailed(Rejected)"].contains(&event.as_str()));
            assert!(evidence, "{from:?} {event} {to:?}");
        }
    }
}

#[test]
fn unknown_ends_only_by_a_report_a_fill_or_proof() {
    for (from, event, _, to) in rows() {
        if from == OrderState::Unknown && to != from {
            assert!(
                event.starts_with("Reported") || event.starts_with("Fill") || event == "AbsenceProven",
                "{event} {to:?}"
            );
        }
    }
}

#[test]
fn a_word_that_nobody_knows_confirms_nothing() {
    for (from, event, _, to) in rows() {
        if event.contains("ODD") {
            assert_eq!(to.is_confirmed_live(), from.is_confirmed_live(), "{from:?} {event} {to:?}");
            assert_eq!(to.is_terminal(), from.is_terminal(), "{from:?} {event} {to:?}");
        }
    }
}

#[test]
fn an_order_is_live_or_done_and_confirmed_only_while_live() {
    for state in STATES {
        assert_ne!(state.is_live(), state.is_terminal());
        assert!(!state.is_confirmed_live() || state.is_live());
    }
}

#[test]
fn an_order_that_is_on_its_way_can_be_nothing_but_waited_for() {
    for state in [OrderState::Journalled, OrderState::InFlight, OrderState::Unknown] {
        assert!(transition(state, &OrderEvent::CancelSent, false).is_err());
    }
    for state in [OrderState::Journalled, OrderState::InFlight] {
        assert!(
            transition(state, &OrderEvent::AbsenceProven, false).is_err(),
            "there is nothing to prove yet"
        );
    }
}

#[test]
fn a_cancel_that_failed_leaves_the_order_as_it_was() {
    let back = |filled| transition(OrderState::Canceling, &OrderEvent::CancelFailed, filled).unwrap().to;
    assert_eq!((back(false), back(true)), (OrderState::Working, OrderState::PartiallyFilled));
}

#[test]
fn only_a_fill_of_an_order_that_was_believed_done_without_it_is_a_surprise() {
    let words = every_state();
    for state in STATES {
        for event in events(&words) {
            if let Ok(next) = transition(state, &event, false) {
                let done = matches!(
                    state,
                    OrderState::Canceled | OrderState::Expired | OrderState::Rejected | OrderState::Dropped
                );
                let fills = matches!(event, OrderEvent::Fill { .. });
                assert_eq!(next.surprise, done && fills, "{state:?} {event:?}");
            }
        }
    }
}
