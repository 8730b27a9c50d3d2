//! Places in a journal as people write them: a record number or a time.

use hedge_core::{Envelope, Seq, Timestamp};
use jiff::{civil, tz::TimeZone};
use thiserror::Error;

/// A text that is neither a record number nor a time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not usable: expected {expected}")]
pub struct InvalidPlace {
    /// What was given.
    pub text: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

/// A place in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// By record number.
    Record(Seq),
    /// By time.
    Time(Timestamp),
}

impl Place {
    /// Digits alone are a record number; everything else is a time (see [`parse_time`]). Errors: [`InvalidPlace`].
    pub fn parse(text: &str) -> Result<Self, InvalidPlace> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let expected = "a record number, or a time such as 2026-11-20T08:15:00Z";
            let number = text.parse().map_err(|_| InvalidPlace { text: text.to_owned(), expected })?;
            return Ok(Self::Record(Seq(number)));
        }
        parse_time(text).map(Self::Time).map_err(|invalid| InvalidPlace {
            expected: "a record number, or a time such as 2026-11-20T08:15:00Z",
            ..invalid
        })
    }
    /// Whether a record lies at or after this place.
    pub fn is_reached(&self, envelope: &Envelope) -> bool {
        match self {
            Self::Record(seq) => envelope.seq >= *seq,
            Self::Time(at) => envelope.at >= *at,
        }
    }
    /// Whether a record lies after this place.
    pub fn is_passed(&self, envelope: &Envelope) -> bool {
        match self {
            Self::Record(seq) => envelope.seq > *seq,
            Self::Time(at) => envelope.at > *at,
        }
    }
}

/// A time in ISO form: with a zone (`2026-11-20T08:15:00+02:00`), or without one, which then is UTC
/// (`2026-11-20 08:15`, `2026-11-20`). Errors: [`InvalidPlace`].
pub fn parse_time(text: &str) -> Result<Timestamp, InvalidPlace> {
    let invalid = || InvalidPlace {
        text: text.chars().take(64).collect(),
        expected: "a time such as 2026-11-20T08:15:00Z, \"2026-11-20 08:15\" (UTC) or 2026-11-20",
    };
    let instant: jiff::Timestamp = match text.parse() {
        Ok(instant) => instant,
        // A local time without a zone would mean different things on two machines: it is UTC.
        Err(_) => {
            let local: civil::DateTime = text.parse().map_err(|_| invalid())?;
            local.to_zoned(TimeZone::UTC).map_err(|_| invalid())?.timestamp()
        }
    };
    i64::try_from(instant.as_nanosecond()).map(Timestamp::from_ns).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_utc() {
        let noon = Timestamp::from_ms(1_795_177_800_000);
        for text in
            ["2026-11-20T12:30:00Z", "2026-11-20 12:30", "2026-11-20T12:30:00", "2026-11-20T14:30:00+02:00"]
        {
            assert_eq!(parse_time(text), Ok(noon), "{text}");
        }
        assert_eq!(parse_time("2026-11-20").map(Timestamp::ms), Ok(1_795_132_800_000));
    }

    #[test]
    fn digits_are_a_record_number_and_nonsense_is_refused_with_an_example() {
        assert_eq!(Place::parse("17"), Ok(Place::Record(Seq(17))));
        let text = Place::parse("yesterday").unwrap_err().to_string();
        assert!(text.contains("\"yesterday\"") && text.contains("2026-11-20T08:15:00Z"), "{text}");
    }
}
