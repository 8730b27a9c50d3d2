//! What a book does not keep about postures: their reason and their age.

use hedge_core::{Decision, Envelope, Event, Fact, Timestamp};

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
}

impl Standing {
    /// Takes one record.
    pub fn observe(&mut self, envelope: &Envelope) {
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
