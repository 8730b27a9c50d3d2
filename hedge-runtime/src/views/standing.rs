//! What a book does not keep about postures: their reason and their age.

use hedge_core::{Book, Decision, Envelope, Event, Fact, OrderState, Timestamp};

use super::StopWatch;

/// What stands, and since when. Folds from the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why the posture is what it is; empty for `Normal`.
    pub posture_because: String,
    /// Since when it is.
    pub posture_since: Option<Timestamp>,
    /// When the operator last ordered anything.
    pub operator_since: Option<Timestamp>,
    /// What a person was last alerted to.
    pub last_alert: Option<String>,
    /// How well legs were protected since the last start.
    pub stops: StopWatch,
}

impl Standing {
    /// Takes one record that the book has folded already.
    pub fn observe(&mut self, envelope: &Envelope, book: &Book) {
        self.stops.observe(envelope, book);
        match &envelope.event {
            Event::Fact(Fact::Operator { .. }) => self.operator_since = Some(envelope.at),
            Event::Decision(Decision::PostureChanged { because, .. }) => {
                self.posture_because = because.clone().into_owned();
                self.posture_since = Some(envelope.at);
            }
            Event::Decision(Decision::Alert { text, .. }) => {
                self.last_alert = Some(text.clone().into_owned())
            }
            _ => {}
        }
    }
}

/// How long the oldest order of unknown outcome has been so; `None` when there is none. Units: seconds.
pub(crate) fn unknown_age_seconds(book: &Book, at: Timestamp) -> Option<u64> {
    let unknown = book.questions().filter(|order| order.state == OrderState::Unknown);
    let oldest = unknown.filter_map(|order| Some(order.doubt.as_ref()?.since)).min()?;
    Some(at.since(oldest).as_secs())
}
