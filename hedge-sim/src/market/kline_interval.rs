//! Every kline length the venue serves, including the three that are no multiple of a day's division.
//!
//! Source: Binance USD-M docs, Kline/Candlestick Data; fact sheet 4.3.

use std::fmt;

use hedge_core::Interval;

const DAY_MS: i64 = 86_400_000;

/// The length of a kline as the venue names it; [`Interval`] plus `3d`, `1w` and `1M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KlineInterval {
    /// A length that divides a day.
    Fixed(Interval),
    /// Three days, counted from 1970-01-01.
    D3,
    /// A week from Monday 00:00 UTC.
    W1,
    /// A calendar month.
    Month,
}

impl From<Interval> for KlineInterval {
    fn from(interval: Interval) -> Self {
        Self::Fixed(interval)
    }
}

impl KlineInterval {
    /// Every interval, shortest first.
    pub fn all() -> impl Iterator<Item = Self> {
        Interval::ALL.into_iter().map(Self::Fixed).chain([Self::D3, Self::W1, Self::Month])
    }
    /// The venue spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed(interval) => interval.as_str(),
            Self::D3 => "3d",
            Self::W1 => "1w",
            Self::Month => "1M",
        }
    }
    /// The interval of that spelling, case-sensitive: `1M` is a month, `1m` a minute.
    pub fn parse(text: &str) -> Option<Self> {
        Self::all().find(|interval| interval.as_str() == text)
    }
    /// Open time of the kline that contains `at_ms`.
    pub fn open_ms(self, at_ms: i64) -> i64 {
        match self {
            Self::Fixed(interval) => at_ms - at_ms.rem_euclid(interval.ms()),
            Self::D3 => at_ms - at_ms.rem_euclid(3 * DAY_MS),
            // 1970-01-01 was a Thursday: Monday weeks begin four days later.
            Self::W1 => at_ms - (at_ms - 4 * DAY_MS).rem_euclid(7 * DAY_MS),
            Self::Month => month_start_ms(month_of(at_ms)),
        }
    }
    /// Open time of the kline after the one that opens at `open_ms`.
    pub fn next_open_ms(self, open_ms: i64) -> i64 {
        self.shift_ms(open_ms, 1)
    }
    /// Open time of the kline `count` klines after (before, when negative) the one that opens at `open_ms`.
    pub fn shift_ms(self, open_ms: i64, count: i64) -> i64 {
        match self {
            Self::Fixed(interval) => open_ms + count * interval.ms(),
            Self::D3 => open_ms + count * 3 * DAY_MS,
            Self::W1 => open_ms + count * 7 * DAY_MS,
            Self::Month => month_start_ms(month_of(open_ms) + count),
        }
    }
}

impl fmt::Display for KlineInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Months since year 0 of the month that contains `at_ms`.
fn month_of(at_ms: i64) -> i64 {
    let days = at_ms.div_euclid(DAY_MS);
    // A mean month has 30.436875 days; the guess is at most one off and is corrected.
    let mut month = 1_970 * 12 + (days * 10_000).div_euclid(304_369);
    while month_start_ms(month) > at_ms {
        month -= 1;
    }
    while month_start_ms(month + 1) <= at_ms {
        month += 1;
    }
    month
}

/// First instant of a month counted from year 0 (proleptic Gregorian).
fn month_start_ms(month: i64) -> i64 {
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    // Years begin in March here, so that the leap day is the last day of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * month + 2) / 5;
    (era * 146_097 + day_of_era - 719_468) * DAY_MS
}

#[cfg(test)]
mod tests {
    use hedge_core::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn day(ms: i64) -> String {
        Timestamp::from_ms(ms).to_string()[..10].to_owned()
    }

    #[test]
    fn months_weeks_and_three_days_open_where_the_calendar_says() {
        let at = 1_709_208_000_000; // 2024-02-29T12:00Z, a Thursday
        assert_eq!(day(KlineInterval::Month.open_ms(at)), "2024-02-01");
        assert_eq!(day(KlineInterval::Month.next_open_ms(at)), "2024-03-01");
        assert_eq!(day(KlineInterval::W1.open_ms(at)), "2024-02-26");
        assert_eq!(day(KlineInterval::D3.open_ms(at)), "2024-02-29");
        assert_eq!(day(KlineInterval::Month.shift_ms(at, -1_500)), "1899-02-01");
    }

    #[test]
    fn a_month_and_a_minute_differ_by_case() {
        assert_eq!(KlineInterval::parse("1M"), Some(KlineInterval::Month));
        assert_eq!(KlineInterval::parse("1m"), Some(KlineInterval::Fixed(Interval::M1)));
        assert_eq!(KlineInterval::parse("1s"), None);
        assert_eq!(KlineInterval::all().count(), 15);
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_exactly_one_kline(at in -4_000_000_000_000_i64..8_000_000_000_000) {
            for interval in KlineInterval::all() {
                let open = interval.open_ms(at);
                let next = interval.next_open_ms(open);
                prop_assert!(open <= at && at < next);
                prop_assert_eq!(interval.open_ms(next - 1), open);
                prop_assert_eq!(interval.open_ms(next), next);
                prop_assert_eq!(interval.shift_ms(next, -1), open);
            }
        }
    }
}
