//! Journal records for tests.

use hedge_core::{Envelope, Event, Fact, OperatorCommand, Seq, Timestamp};

/// At least one event of every kind, one JSON object per line, as the journal's format has them.
const EVERY_KIND: &str = include_str!("every_kind.jsonl");

/// A small record at a place. Records of different places, or with different `marks`, differ.
pub fn record(seq: u64, mark: &str) -> Envelope {
    Envelope {
        seq: Seq(seq),
        at: Timestamp::from_ms(1_700_000_000_000 + seq as i64),
        cause: seq.checked_sub(1).map(Seq),
        event: Event::Fact(Fact::Operator { command: OperatorCommand::Resume, because: mark.to_owned() }),
    }
}

/// Records at `places`.
pub fn records(places: std::ops::Range<u64>) -> Vec<Envelope> {
    places.map(|seq| record(seq, "test")).collect()
}

/// Records of every kind, numbered from 0: facts and decisions with every optional part given and missing.
pub fn every_kind() -> Vec<Envelope> {
    let events =
        EVERY_KIND.lines().map(|line| serde_json::from_str(line).expect("an event of the journal's format"));
    let numbered = events.enumerate();
    numbered.map(|(index, event)| Envelope { event, ..record(index as u64, "") }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hedge_core::Decision;

    use super::*;

    /// A new variant does not compile here until it has a name, and the count below fails until it has a line in the file.
    const fn name(event: &Event) -> &'static str {
        match event {
            Event::Fact(fact) => match fact {
                Fact::RunStarted(_) => "run_started",
                Fact::Instrument { .. } => "instrument",
                Fact::Market { .. } => "market",
                Fact::Account { .. } => "account",
                Fact::Snapshot { .. } => "snapshot",
                Fact::SubmitAcked { .. } => "submit_acked",
                Fact::SubmitFailed { .. } => "submit_failed",
                Fact::CancelAcked { .. } => "cancel_acked",
                Fact::CancelFailed { .. } => "cancel_failed",
                Fact::QueryAnswered { .. } => "query_answered",
                Fact::QueryFailed { .. } => "query_failed",
                Fact::Operator { .. } => "operator",
                Fact::Tick => "tick",
                Fact::RunStopped { .. } => "run_stopped",
            },
            Event::Decision(decision) => match decision {
                Decision::Screened { .. } => "screened",
                Decision::Intended { .. } => "intended",
                Decision::Assessed { .. } => "assessed",
                Decision::OrderApproved { .. } => "order_approved",
                Decision::CancelRequested { .. } => "cancel_requested",
                Decision::QueryRequested { .. } => "query_requested",
                Decision::AbsenceProven { .. } => "absence_proven",
                Decision::PostureChanged { .. } => "posture_changed",
                Decision::Corrected { .. } => "corrected",
                Decision::Alert { .. } => "alert",
                Decision::LegHalted { .. } => "leg_halted",
                Decision::StopMissing { .. } => "stop_missing",
                Decision::StopRepaired { .. } => "stop_repaired",
                Decision::Muted { .. } => "muted",
                Decision::FlattenRequested { .. } => "flatten_requested",
                Decision::OrderAdopted { .. } => "order_adopted",
                Decision::AdoptedCancelRequested { .. } => "adopted_cancel_requested",
            },
        }
    }

    #[test]
    fn there_is_a_record_of_every_kind() {
        let names: BTreeSet<&str> = every_kind().iter().map(|record| name(&record.event)).collect();
        assert_eq!(names.len(), 31, "{names:?}");
    }
}
