//! Journal records for tests.

use hedge_core::{Envelope, Event, Fact, OperatorCommand, Seq, Timestamp};

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
