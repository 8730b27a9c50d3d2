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

    use super::*;

    /// A new kind has no line in the file yet: the count fails until it has.
    #[test]
    fn there_is_a_record_of_every_kind() {
        let names: BTreeSet<&str> = every_kind().iter().map(|record| record.event.kind()).collect();
        assert_eq!(names.len(), 31, "{names:?}");
    }
}
