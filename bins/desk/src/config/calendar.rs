//! Time zones at the edge: the zone's name becomes transitions, which is all the pure crates see.

use hedge_core::Timestamp;
use hedge_risk::DayCalendar;
use jiff::tz::TimeZone;

/// Zone changes are resolved from here on; before it no journal exists.
const FROM_S: i64 = 1_577_836_800; // 2020-01-01
/// And up to here. Later days keep the last offset.
const UNTIL_S: i64 = 2_524_608_000; // 2050-01-01

/// The calendar of a zone, for example `Europe/Berlin`. Errors say what is wrong with the name or the hour.
pub(crate) fn resolve(zone: &str, hour: u8) -> Result<DayCalendar, String> {
    let resolved = TimeZone::get(zone.trim()).map_err(|_| {
        "expected a zone name of the IANA time zone database, such as UTC or Europe/Berlin".to_owned()
    })?;
    let start = jiff::Timestamp::from_second(FROM_S).map_err(|error| error.to_string())?;
    let transitions = resolved
        .following(start)
        .take_while(|change| change.timestamp().as_second() < UNTIL_S)
        .map(|change| (Timestamp::from_ms(change.timestamp().as_millisecond()), change.offset().seconds()))
        .collect();
    DayCalendar::new(resolved.to_offset(start).seconds(), transitions, hour)
        .map_err(|error| error.to_string())
}

/// Whether the database knows a zone of that name.
pub(crate) fn is_zone(name: &str) -> bool {
    TimeZone::get(name.trim()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_start(zone: &str, hour: u8, now_ms: i64) -> String {
        resolve(zone, hour).unwrap().next_start(Timestamp::from_ms(now_ms)).to_string()
    }

    #[test]
    fn a_day_begins_at_the_hour_of_its_zone_in_summer_and_winter() {
        // 2025-07-01T00:00Z and 2026-01-15T12:00Z.
        assert_eq!(next_start("Europe/Berlin", 0, 1_751_328_000_000), "2025-07-01T22:00:00.000Z");
        assert_eq!(next_start("Europe/Berlin", 0, 1_768_478_400_000), "2026-01-15T23:00:00.000Z");
        assert_eq!(next_start("America/New_York", 17, 1_751_328_000_000), "2025-07-01T21:00:00.000Z");
        assert_eq!(next_start("UTC", 8, 1_751_328_000_000), "2025-07-01T08:00:00.000Z");
        assert_eq!(next_start("Africa/Johannesburg", 8, 1_751_328_000_000), "2025-07-01T06:00:00.000Z");
    }

    #[test]
    fn an_unknown_zone_is_refused_with_an_example() {
        assert!(resolve("Berlin", 0).unwrap_err().contains("Europe/Berlin"));
        assert!(resolve("UTC", 24).unwrap_err().contains("0 to 23"));
    }
}
