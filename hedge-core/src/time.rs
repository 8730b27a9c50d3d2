//! Time as data. The engine never reads a clock; the shell brings one.

use std::{fmt, str::FromStr, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// An instant in UTC. Units: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch. Used as "before everything", never as "unknown".
    pub const EPOCH: Self = Self(0);
    /// Later than every other instant; the deadline of something that never falls due.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    #[inline]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }
    /// From milliseconds since the epoch, the unit of every venue. Saturates.
    #[inline]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }
    /// Nanoseconds since the epoch.
    #[inline]
    pub const fn ns(self) -> i64 {
        self.0
    }
    /// Whole milliseconds since the epoch, rounded down.
    #[inline]
    pub const fn ms(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        let ns = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(if ns > 0 { ns as u64 } else { 0 })
    }
    /// This instant moved into the future. Saturates.
    pub const fn plus(self, by: Duration) -> Self {
        let ns = by.as_nanos();
        Self(self.0.saturating_add(if ns > i64::MAX as u128 { i64::MAX } else { ns as i64 }))
    }
    /// This instant moved into the past. Saturates.
    pub const fn minus(self, by: Duration) -> Self {
        let ns = by.as_nanos();
        Self(self.0.saturating_sub(if ns > i64::MAX as u128 { i64::MAX } else { ns as i64 }))
    }
}

/// `2025-08-22T08:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.ms();
        let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
        let (y, m, d) = civil_from_days(days);
        let (h, min, s, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
        write!(f, "{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{milli:03}Z")
    }
}

/// A text that is not a time as [`Timestamp`] writes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time like 2025-08-22T08:00:00.000Z")]
pub struct InvalidTime {
    /// What was found.
    pub text: String,
}

/// Reads what `Display` writes, and nothing else: UTC with milliseconds.
impl FromStr for Timestamp {
    type Err = InvalidTime;
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let invalid = || InvalidTime { text: text.chars().take(40).collect() };
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let parse = || {
            let (y, m, d) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
            let (h, min, s, milli) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
            let days = days_from_civil(y, m, d);
            Some(Self::from_ms(days * 86_400_000 + h * 3_600_000 + min * 60_000 + s * 1_000 + milli))
        };
        // Writing it again shows wrong separators and days that do not exist.
        parse().filter(|at| at.to_string() == text).ok_or_else(invalid)
    }
}

/// The inverse of [`civil_from_days`].
const fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month, day of a day count since 1970-01-01 in the Gregorian calendar.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

/// For `#[serde(with = "hedge_core::time::as_text")]`: an instant as people read it, for files and answers that they see.
pub mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Timestamp;

    /// Writes `2025-08-22T08:00:00.000Z`.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }
    /// Reads it. Errors: any other form.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The length of a bar, in the spelling every venue shares (`15m`, `1h`, …).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Interval {
    /// One minute.
    #[serde(rename = "1m")]
    M1,
    /// Three minutes.
    #[serde(rename = "3m")]
    M3,
    /// Five minutes.
    #[serde(rename = "5m")]
    M5,
    /// Fifteen minutes.
    #[serde(rename = "15m")]
    M15,
    /// Thirty minutes.
    #[serde(rename = "30m")]
    M30,
    /// One hour.
    #[serde(rename = "1h")]
    H1,
    /// Two hours.
    #[serde(rename = "2h")]
    H2,
    /// Four hours.
    #[serde(rename = "4h")]
    H4,
    /// Six hours.
    #[serde(rename = "6h")]
    H6,
    /// Eight hours.
    #[serde(rename = "8h")]
    H8,
    /// Twelve hours.
    #[serde(rename = "12h")]
    H12,
    /// One day, opening at 00:00 UTC.
    #[serde(rename = "1d")]
    D1,
}

impl Interval {
    /// Every interval, shortest first.
    pub const ALL: [Self; 12] = [
        Self::M1,
        Self::M3,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H2,
        Self::H4,
        Self::H6,
        Self::H8,
        Self::H12,
        Self::D1,
    ];

    /// Length in milliseconds.
    pub const fn ms(self) -> i64 {
        let minutes = match self {
            Self::M1 => 1,
            Self::M3 => 3,
            Self::M5 => 5,
            Self::M15 => 15,
            Self::M30 => 30,
            Self::H1 => 60,
            Self::H2 => 120,
            Self::H4 => 240,
            Self::H6 => 360,
            Self::H8 => 480,
            Self::H12 => 720,
            Self::D1 => 1_440,
        };
        minutes * 60_000
    }
    /// Length as a [`Duration`].
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.ms() as u64)
    }
    /// The venue spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M3 => "3m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H2 => "2h",
            Self::H4 => "4h",
            Self::H6 => "6h",
            Self::H8 => "8h",
            Self::H12 => "12h",
            Self::D1 => "1d",
        }
    }
    /// The interval of that spelling, case-sensitive as on every venue (`1M` is not `1m`).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == text)
    }
    /// The interval of that length, if there is one.
    pub fn from_ms(ms: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.ms() == ms)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The shell's clock. Nothing below the shell holds one.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
    /// Resolves once [`now`](Self::now) has reached `deadline`. Cancel-safe.
    async fn sleep_until(&self, deadline: Timestamp);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_utc_with_milliseconds() {
        assert_eq!(Timestamp::from_ms(1_755_849_600_123).to_string(), "2025-08-22T08:00:00.123Z");
        assert_eq!(Timestamp::from_ms(1_709_164_800_000).to_string(), "2024-02-29T00:00:00.000Z");
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_time_is_read_only_as_it_is_written() {
        for ms in [0, 1_755_849_600_123, 1_709_164_800_000, 951_782_400_000, 4_102_444_799_999] {
            let at = Timestamp::from_ms(ms);
            assert_eq!(at.to_string().parse(), Ok(at));
        }
        let wrong = [
            "",
            "2025-08-22",
            "2025-08-22T08:00:00Z",
            "2025-08-22 08:00:00.000Z",
            "2025-02-29T08:00:00.000Z",
            "2025-08-22T08:00:00.000Zz",
            "9999-08-22T08:00:00.000Z",
            "2025-00-22T08:00:00.000Z",
            "2025-08-2\u{fc}T08:00:00.00Z",
        ];
        for text in wrong {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_interval_is_read_in_the_venue_spelling_only() {
        assert_eq!(Interval::parse("15m"), Some(Interval::M15));
        assert_eq!(Interval::parse("1M"), None);
    }
}
