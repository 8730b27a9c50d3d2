//! Instants as Firestore writes them: RFC 3339 in UTC with up to nine digits after the second.

use hedge_core::Timestamp;

/// `2026-11-20T09:00:00.123456Z`, always with microseconds.
pub(super) fn to_text(at: Timestamp) -> String {
    let whole = at.to_string();
    let micros = at.ns().div_euclid(1_000).rem_euclid(1_000_000);
    format!("{}.{micros:06}Z", whole.get(..19).unwrap_or_default())
}

/// Reads zero to nine digits after the second and cuts to microseconds. `None` for another form, another zone or a year
/// that nanoseconds cannot hold.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let whole = text.get(..19)?;
    let rest = text.get(19..)?.strip_suffix('Z')?;
    let digits = match rest.strip_prefix('.') {
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits
        }
        None if rest.is_empty() => "0",
        _ => return None,
    };
    let padded = format!("{digits:0<6}");
    let micros: i64 = padded.get(..6)?.parse().ok()?;
    let second: Timestamp = format!("{whole}.000Z").parse().ok()?;
    // The parser of core saturates outside the years that fit.
    let is_in_range = second > Timestamp::from_ns(i64::MIN / 1_000_000 * 1_000_000)
        && second < Timestamp::from_ns(i64::MAX / 1_000_000 * 1_000_000);
    is_in_range.then(|| Timestamp::from_ns(second.ns() + micros * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_digits_is_read_and_six_are_written() {
        for (text, ns) in [
            ("2026-11-20T09:00:00Z", 1_795_165_200_000_000_000),
            ("2026-11-20T09:00:00.7Z", 1_795_165_200_700_000_000),
            ("2026-11-20T09:00:00.714Z", 1_795_165_200_714_000_000),
            ("2026-11-20T09:00:00.123456789Z", 1_795_165_200_123_456_000),
            ("1969-12-31T23:59:59.999999Z", -1_000),
        ] {
            assert_eq!(parse(text), Some(Timestamp::from_ns(ns)), "{text}");
        }
        assert_eq!(to_text(Timestamp::from_ns(-1_000)), "1969-12-31T23:59:59.999999Z");
        assert_eq!(to_text(Timestamp::from_ms(1_795_165_200_000)), "2026-11-20T09:00:00.000000Z");
    }

    #[test]
    fn other_forms_are_no_instant() {
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T09:00:00",
            "2026-11-20T09:00:00+01:00",
            "2026-11-20T09:00:00.Z",
            "2026-11-20T09:00:00.1234567890Z",
            "2026-02-30T09:00:00Z",
            "2026-11-20 09:00:00Z",
            "2026-11-20T09:00:0äZ",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
