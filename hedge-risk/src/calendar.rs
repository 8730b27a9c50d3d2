//! When a trading day begins, in a zone that somebody else has resolved.
//!
//! Daylight saving is data here: the edge reads the zone's transitions and hands them over, so the same journal gives the same
//! days on every machine.

use std::time::Duration;

use hedge_core::Timestamp;
use thiserror::Error;

const DAY_S: i64 = 86_400;

/// Why zone data makes no calendar.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidCalendar {
    /// The day cannot begin then.
    #[error("the day cannot begin at hour {0}; expected 0 to 23")]
    Hour(u8),
    /// No place on earth is that far from UTC.
    #[error("an offset of {0} s from UTC is not usable; expected -93600 to 93600")]
    Offset(i32),
    /// Transitions must ascend.
    #[error("the zone change at {0} is not after the one before it")]
    Order(Timestamp),
}

/// A zone's offsets and the hour at which its trading day begins.
///
/// ```
/// use hedge_core::Timestamp;
/// use hedge_risk::DayCalendar;
///
/// let utc = DayCalendar::utc(0)?;
/// let noon = Timestamp::from_ms(12 * 3_600_000);
/// assert_eq!(utc.next_start(noon).to_string(), "1970-01-02T00:00:00.000Z");
/// # Ok::<(), hedge_risk::InvalidCalendar>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayCalendar {
    first_offset_s: i32,
    transitions: Vec<(Timestamp, i32)>,
    hour: u8,
}

impl DayCalendar {
    /// A calendar from a zone's offset before the first transition and its transitions: the instant of each, and the offset
    /// from then on. Units: seconds east of UTC.
    pub fn new(
        first_offset_s: i32,
        transitions: Vec<(Timestamp, i32)>,
        hour: u8,
    ) -> Result<Self, InvalidCalendar> {
        if hour > 23 {
            return Err(InvalidCalendar::Hour(hour));
        }
        let offsets = std::iter::once(first_offset_s).chain(transitions.iter().map(|&(_, offset)| offset));
        for offset in offsets {
            if offset.abs() > 26 * 3_600 {
                return Err(InvalidCalendar::Offset(offset));
            }
        }
        for pair in transitions.windows(2) {
            if pair[1].0 <= pair[0].0 {
                return Err(InvalidCalendar::Order(pair[1].0));
            }
        }
        Ok(Self { first_offset_s, transitions, hour })
    }

    /// Days that begin at that hour UTC.
    pub fn utc(hour: u8) -> Result<Self, InvalidCalendar> {
        Self::new(0, Vec::new(), hour)
    }

    /// The first start of a day after `now`.
    ///
    /// Where the clock is put forward over that hour, the day begins with the change; where it is put back, with the first of the
    /// two.
    pub fn next_start(&self, now: Timestamp) -> Timestamp {
        let now_s = now.ms().div_euclid(1_000);
        let first = self.transitions.partition_point(|&(at, _)| at <= now);
        let begins_s = i64::from(self.hour) * 3_600;
        let local_s = now_s + i64::from(self.offset(first));
        let next_local_s = ((local_s - begins_s).div_euclid(DAY_S) + 1) * DAY_S + begins_s;
        // Local time runs evenly between two changes: look for the first stretch that reaches the wanted reading.
        for stretch in first..=self.transitions.len() {
            let starts_s = match stretch.checked_sub(1).and_then(|i| self.transitions.get(i)) {
                Some(&(at, _)) => at.ms().div_euclid(1_000),
                None => i64::MIN,
            };
            let reached_s = (next_local_s - i64::from(self.offset(stretch))).max(starts_s);
            let ends_s = self.transitions.get(stretch).map_or(i64::MAX, |&(at, _)| at.ms().div_euclid(1_000));
            if reached_s < ends_s {
                return Timestamp::from_ms(reached_s.saturating_mul(1_000));
            }
        }
        now.plus(Duration::from_secs(DAY_S.unsigned_abs()))
    }

    /// The offset of a stretch: 0 is before the first transition.
    fn offset(&self, stretch: usize) -> i32 {
        match stretch.checked_sub(1).and_then(|i| self.transitions.get(i)) {
            Some(&(_, offset)) => offset,
            None => self.first_offset_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// 2024 in central Europe: +1 h, +2 h from 31 March 01:00 UTC, +1 h from 27 October 01:00 UTC.
    fn berlin(hour: u8) -> DayCalendar {
        let spring = Timestamp::from_ms(1_711_846_800_000);
        let autumn = Timestamp::from_ms(1_729_990_800_000);
        DayCalendar::new(3_600, vec![(spring, 7_200), (autumn, 3_600)], hour).unwrap()
    }

    fn starts(calendar: &DayCalendar, from_ms: i64, count: usize) -> Vec<String> {
        let mut at = Timestamp::from_ms(from_ms);
        (0..count)
            .map(|_| {
                at = calendar.next_start(at);
                at.to_string().trim_end_matches(":00.000Z").to_owned()
            })
            .collect()
    }

    #[test]
    fn a_utc_day_begins_at_its_hour_and_the_next_one_a_day_later() {
        let calendar = DayCalendar::utc(8).unwrap();
        assert_eq!(starts(&calendar, 0, 2), ["1970-01-01T08:00", "1970-01-02T08:00"]);
        // The start itself belongs to the new day.
        assert_eq!(starts(&calendar, 8 * HOUR_MS - 1, 1), ["1970-01-01T08:00"]);
        assert_eq!(starts(&calendar, 8 * HOUR_MS, 1), ["1970-01-02T08:00"]);
    }

    #[test]
    fn the_day_of_the_spring_change_has_23_hours_and_of_the_autumn_change_25() {
        let days = starts(&berlin(0), 1_711_753_200_000, 4); // 29 March 23:00 UTC
        assert_eq!(days, ["2024-03-30T23:00", "2024-03-31T22:00", "2024-04-01T22:00", "2024-04-02T22:00"]);
        let days = starts(&berlin(0), 1_729_893_600_000, 3); // 25 October 22:00 UTC
        assert_eq!(days, ["2024-10-26T22:00", "2024-10-27T23:00", "2024-10-28T23:00"]);
    }

    #[test]
    fn a_day_that_would_begin_in_the_skipped_hour_begins_with_the_change() {
        // 02:00 local does not exist on 31 March; the clock jumps from 02:00 to 03:00 at 01:00 UTC.
        assert_eq!(
            starts(&berlin(2), 1_711_760_400_000, 3), // 30 March 01:00 UTC
            ["2024-03-31T01:00", "2024-04-01T00:00", "2024-04-02T00:00"]
        );
    }

    #[test]
    fn a_day_that_begins_in_the_repeated_hour_begins_once() {
        // 02:00 local happens at 00:00 UTC and again at 01:00 UTC on 27 October.
        assert_eq!(
            starts(&berlin(2), 1_729_900_800_000, 3), // 26 October 00:00 UTC
            ["2024-10-27T00:00", "2024-10-28T01:00", "2024-10-29T01:00"]
        );
    }

    #[test]
    fn zone_data_that_cannot_be_is_refused() {
        assert_eq!(DayCalendar::utc(24), Err(InvalidCalendar::Hour(24)));
        assert!(matches!(DayCalendar::new(200_000, Vec::new(), 0), Err(InvalidCalendar::Offset(_))));
        let twice = vec![(Timestamp::from_ms(5), 0), (Timestamp::from_ms(5), 3_600)];
        assert!(matches!(DayCalendar::new(0, twice, 0), Err(InvalidCalendar::Order(_))));
    }

    proptest! {
        #[test]
        fn the_next_start_is_always_ahead_and_less_than_26_hours_away(
            minutes in 28_401_120_i64..28_927_000, // 2024
            hour in 0_u8..24,
        ) {
            let now = Timestamp::from_ms(minutes * 60_000);
            let next = berlin(hour).next_start(now);
            prop_assert!(next > now);
            prop_assert!(next.since(now) <= Duration::from_secs(26 * 3_600));
        }
    }
}
