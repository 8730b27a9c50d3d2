//! Local time, at the edge: the zone's name becomes an offset and a short name, which is all the report needs.

use hedge_core::{Timestamp, report::ClockFace};
use jiff::tz::TimeZone;

/// The clock on the reader's wall at that time. A zone that does not exist becomes UTC and a sentence.
pub(crate) fn face(zone: &str, at: Timestamp) -> (ClockFace, Option<String>) {
    let found = TimeZone::get(zone.trim()).and_then(|zone| {
        Ok(zone.to_offset_info(jiff::Timestamp::from_millisecond(at.ms())?))
            .map(|info| ClockFace { offset_s: info.offset().seconds(), zone: info.abbreviation().to_owned() })
    });
    match found {
        Ok(face) => (face, None),
        Err(error) => {
            (ClockFace::utc(), Some(format!("times are in UTC: the zone {zone:?} cannot be used ({error})")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(zone: &str, ms: i64) -> String {
        face(zone, Timestamp::from_ms(ms)).0.show(Timestamp::from_ms(ms))
    }

    const SUMMER: i64 = 1_755_849_600_000; // 2025-08-22T08:00:00Z
    const WINTER: i64 = 1_768_478_400_000; // 2026-01-15T12:00:00Z

    #[test]
    fn a_zone_has_its_own_short_name_in_summer_and_winter() {
        assert_eq!(shown("Africa/Johannesburg", SUMMER), "2025-08-22 10:00 SAST");
        assert_eq!(shown("UTC", SUMMER), "2025-08-22 08:00 UTC");
        assert_eq!(shown("Europe/Berlin", SUMMER), "2025-08-22 10:00 CEST");
        assert_eq!(shown("Europe/Berlin", WINTER), "2026-01-15 13:00 CET");
        assert_eq!(shown("America/New_York", WINTER), "2026-01-15 07:00 EST");
        assert_eq!(shown("Asia/Kathmandu", SUMMER), "2025-08-22 13:45 +0545");
    }

    #[test]
    fn an_unknown_zone_is_utc_and_a_sentence() {
        let (face, problem) = face("Jozi", Timestamp::from_ms(SUMMER));
        assert_eq!(face, ClockFace::utc());
        assert!(problem.unwrap().starts_with("times are in UTC: the zone \"Jozi\" cannot be used"));
    }
}
