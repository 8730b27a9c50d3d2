//! Days and months in UTC, and stretches of them.

use std::fmt;

use hedge_core::Timestamp;
use jiff::civil::Date;

pub(super) const DAY_MS: i64 = 86_400_000;

/// Half-open. Units: milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stretch {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

impl Stretch {
    pub(super) const fn is_empty(self) -> bool {
        self.to_ms <= self.from_ms
    }
    pub(super) const fn contains(self, other: Self) -> bool {
        self.from_ms <= other.from_ms && other.to_ms <= self.to_ms
    }
    pub(super) fn within(self, other: Self) -> Self {
        Self { from_ms: self.from_ms.max(other.from_ms), to_ms: self.to_ms.min(other.to_ms) }
    }
}

/// A month or a day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Period {
    /// Its first day.
    Month(Date),
    Day(Date),
}

impl Period {
    /// From its first instant to that of the next one.
    pub(super) fn stretch(self) -> Stretch {
        let (first, next) = match self {
            Self::Month(first) => (first, first.last_of_month().tomorrow()),
            Self::Day(day) => (day, day.tomorrow()),
        };
        Stretch { from_ms: start_ms(first), to_ms: next.map_or(i64::MAX, start_ms) }
    }
    pub(super) const fn is_month(self) -> bool {
        matches!(self, Self::Month(_))
    }
    /// The month that it is, or is in.
    pub(super) fn month(self) -> Self {
        match self {
            Self::Month(first) => Self::Month(first),
            Self::Day(day) => Self::Month(day.first_of_month()),
        }
    }
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Month(_) => "monthly",
            Self::Day(_) => "daily",
        }
    }
    /// The days of a month; of a day itself.
    pub(super) fn days(self) -> Vec<Self> {
        let stretch = self.stretch();
        let count = (stretch.to_ms - stretch.from_ms) / DAY_MS;
        (0..count).map(|day| Self::Day(date(stretch.from_ms + day * DAY_MS))).collect()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(first) => write!(f, "{:04}-{:02}", first.year(), first.month()),
            Self::Day(day) => write!(f, "{day}"),
        }
    }
}

/// The months that a stretch touches.
pub(super) fn months(stretch: Stretch) -> Vec<Period> {
    let mut months = Vec::new();
    let mut at_ms = stretch.from_ms;
    while at_ms < stretch.to_ms {
        let month = Period::Month(date(at_ms).first_of_month());
        at_ms = month.stretch().to_ms;
        months.push(month);
    }
    months
}

/// The stretch widened to whole days.
pub(super) fn whole_days(from: Timestamp, to: Timestamp) -> Stretch {
    let from_ms = from.ms() - from.ms().rem_euclid(DAY_MS);
    let to_ms = to.ms() + (DAY_MS - to.ms().rem_euclid(DAY_MS)) % DAY_MS;
    Stretch { from_ms, to_ms }
}

fn date(ms: i64) -> Date {
    let at = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn start_ms(date: Date) -> i64 {
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp());
    midnight.map_or(0, |at| at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_stretch_is_cut_into_the_months_it_touches() {
        let stretch = whole_days(at("2023-12-15T07:00:00.000Z"), at("2024-03-01T00:00:00.000Z"));
        let names: Vec<String> = months(stretch).iter().map(Period::to_string).collect();
        assert_eq!(names, ["2023-12", "2024-01", "2024-02"]);
        assert_eq!(Timestamp::from_ms(stretch.from_ms), at("2023-12-15T00:00:00.000Z"));
        let february = months(stretch)[2];
        assert_eq!(february.days().len(), 29);
        assert_eq!(february.days()[28].to_string(), "2024-02-29");
        assert_eq!(Timestamp::from_ms(february.stretch().to_ms), at("2024-03-01T00:00:00.000Z"));
    }

    #[test]
    fn days_are_widened_to_their_ends_and_whole_days_stay() {
        let stretch = whole_days(at("2024-02-29T23:59:59.000Z"), at("2024-03-01T00:00:01.000Z"));
        assert_eq!((stretch.to_ms - stretch.from_ms) / DAY_MS, 2);
        let same = whole_days(at("2024-02-29T00:00:00.000Z"), at("2024-03-01T00:00:00.000Z"));
        assert_eq!((same.to_ms - same.from_ms) / DAY_MS, 1);
    }
}
