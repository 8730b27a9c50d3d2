//! Which of our orders a record may have changed.

use hedge_core::{
    AccountEvent, Book, ClientOrderId, Decision, Difference, Envelope, Event, Fact, ReportedId,
};

/// The orders whose rows are written again after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// None.
    None,
    /// This one.
    One(ClientOrderId),
    /// Any that was live before or is live after.
    Live,
}

pub(super) fn touched(envelope: &Envelope, book: &Book) -> Touched {
    match &envelope.event {
        Event::Fact(fact) => by_fact(fact, book),
        Event::Decision(decision) => by_decision(decision),
    }
}

fn by_fact(fact: &Fact, book: &Book) -> Touched {
    match fact {
        Fact::SubmitAcked { order, .. }
        | Fact::SubmitFailed { order, .. }
        | Fact::CancelAcked { order }
        | Fact::CancelFailed { order, .. }
        | Fact::QueryAnswered { order, .. }
        | Fact::QueryFailed { order, .. } => Touched::One(*order),
        Fact::Account { event } => match event.as_ref() {
            AccountEvent::Order { report } => known(Some(&report.client_id), book),
            AccountEvent::Fill { fill } => known(fill.client_id.as_ref(), book),
            _ => Touched::None,
        },
        Fact::Snapshot { .. } | Fact::RunStarted(_) => Touched::Live,
        Fact::Instrument { .. }
        | Fact::Market { .. }
        | Fact::Operator { .. }
        | Fact::Tick
        | Fact::RunStopped { .. } => Touched::None,
    }
}

fn by_decision(decision: &Decision) -> Touched {
    match decision {
        Decision::OrderApproved { client_id, .. } => Touched::One(*client_id),
        Decision::CancelRequested { order, .. }
        | Decision::QueryRequested { order }
        | Decision::AbsenceProven { order } => Touched::One(*order),
        Decision::Corrected { difference } => match difference {
            Difference::NotOpen { order, .. } | Difference::State { order, .. } => Touched::One(*order),
            _ => Touched::Live,
        },
        _ => Touched::None,
    }
}

/// The order with that id; without one, the venue's number may still lead to any live order.
fn known(id: Option<&ReportedId>, book: &Book) -> Touched {
    match id.and_then(ReportedId::ours) {
        Some(id) if book.order(id).is_some() => Touched::One(*id),
        _ => Touched::Live,
    }
}
