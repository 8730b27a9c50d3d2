//! One file of the archive: what it is called there and here.

use std::path::{Path, PathBuf};

use hedge_core::{Interval, Symbol};

use super::{
    calendar::{Period, Stretch, months},
    kind::Kind,
};

/// A series of files: one kind of data of one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Track {
    pub(super) kind: Kind,
    pub(super) symbol: Symbol,
    /// Of candles.
    pub(super) interval: Interval,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Archive {
    pub(super) track: Track,
    pub(super) period: Period,
}

impl Track {
    /// In messages: `BTCUSDT klines 1m`.
    pub(super) fn name(&self) -> String {
        match self.kind.is_candles() {
            true => format!("{} {} {}", self.symbol, self.kind, self.interval),
            false => format!("{} {}", self.symbol, self.kind),
        }
    }
    pub(super) fn folder(&self, out: &Path) -> PathBuf {
        out.join(self.kind.folder(self.interval))
    }
    pub(super) fn stem(&self) -> String {
        self.kind.stem(self.symbol, self.interval)
    }
    /// What to ask the archive for: whole months where the stretch has them whole (funding: wherever it touches one), else
    /// days; nothing that is not over yet.
    pub(super) fn archives(self, wanted: Stretch, now_ms: i64) -> Vec<Archive> {
        let mut archives = Vec::new();
        for month in months(wanted) {
            let is_whole = wanted.contains(month.stretch()) || !self.kind.has_days();
            if is_whole && self.kind.has_months() && month.stretch().to_ms <= now_ms {
                archives.push(Archive { track: self, period: month });
            } else {
                archives.extend(self.days(month, wanted, now_ms));
            }
        }
        archives
    }
    /// The days of a month that are wanted and over.
    pub(super) fn days(self, month: Period, wanted: Stretch, now_ms: i64) -> Vec<Archive> {
        if !self.kind.has_days() {
            return Vec::new();
        }
        let days = month.days().into_iter();
        days.filter(|day| wanted.contains(day.stretch()) && day.stretch().to_ms <= now_ms)
            .map(|period| Archive { track: self, period })
            .collect()
    }
}

impl Archive {
    /// The archive of the whole month, if there are such and the month is over.
    pub(super) fn month(&self, now_ms: i64) -> Option<Self> {
        let period = self.period.month();
        let is_over = period.stretch().to_ms <= now_ms;
        (is_over && self.track.kind.has_months()).then_some(Self { track: self.track, period })
    }
    /// `BTCUSDT-1m-2025-01.zip`
    pub(super) fn zip_name(&self) -> String {
        let track = &self.track;
        format!("{}-{}.zip", track.kind.archive_stem(track.symbol, track.interval), self.period)
    }
    /// What the archive contains.
    pub(super) fn csv_name(&self) -> String {
        let track = &self.track;
        format!("{}-{}.csv", track.kind.archive_stem(track.symbol, track.interval), self.period)
    }
    pub(super) fn url(&self, base: &str) -> String {
        let Track { kind, symbol, interval } = self.track;
        let folder = if kind.is_candles() { format!("/{interval}") } else { String::new() };
        let period = self.period.folder();
        format!("{base}/data/futures/um/{period}/{kind}/{symbol}{folder}/{}", self.zip_name())
    }
    /// `OUT/klines_1m/BTCUSDT-1m-2025-01.csv.gz`
    pub(super) fn target(&self, out: &Path) -> PathBuf {
        self.track.folder(out).join(format!("{}-{}.csv.gz", self.track.stem(), self.period))
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::Timestamp;

    use super::*;
    use crate::fetch::calendar::whole_days;

    fn wanted(from: &str, to: &str) -> Stretch {
        let at = |day: &str| format!("{day}T00:00:00.000Z").parse::<Timestamp>().unwrap();
        whole_days(at(from), at(to))
    }
    fn track(kind: Kind) -> Track {
        Track { kind, symbol: Symbol::parse("BTCUSDT").unwrap(), interval: Interval::M1 }
    }
    fn names(kind: Kind, from: &str, to: &str, now: &str) -> Vec<String> {
        let now_ms = now.parse::<Timestamp>().unwrap().ms();
        let archives = track(kind).archives(wanted(from, to), now_ms);
        archives.iter().map(|archive| archive.period.to_string()).collect()
    }

    #[test]
    fn whole_months_are_asked_for_whole_and_the_rest_day_by_day() {
        let now = "2025-06-01T00:00:00.000Z";
        assert_eq!(names(Kind::Klines, "2025-01-01", "2025-03-01", now), ["2025-01", "2025-02"]);
        assert_eq!(
            names(Kind::Klines, "2025-01-30", "2025-03-02", now),
            ["2025-01-30", "2025-01-31", "2025-02", "2025-03-01"]
        );
        assert_eq!(names(Kind::FundingRate, "2025-01-30", "2025-02-02", now), ["2025-01", "2025-02"]);
        assert_eq!(names(Kind::Metrics, "2025-01-30", "2025-02-01", now), ["2025-01-30", "2025-01-31"]);
    }

    #[test]
    fn what_is_not_over_is_not_asked_for() {
        let now = "2025-03-02T12:00:00.000Z";
        assert_eq!(names(Kind::Klines, "2025-03-01", "2025-04-01", now), ["2025-03-01"]);
        assert!(names(Kind::FundingRate, "2025-03-01", "2025-04-01", now).is_empty());
    }

    #[test]
    fn the_address_is_the_archives_layout() {
        let archive = |kind| {
            let now_ms = i64::MAX;
            track(kind).archives(wanted("2025-01-01", "2025-02-01"), now_ms)[0]
        };
        assert_eq!(
            archive(Kind::Klines).url("https://h"),
            "https://h/data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2025-01.zip"
        );
        assert_eq!(
            archive(Kind::Metrics).url("https://h"),
            "https://h/data/futures/um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2025-01-01.zip"
        );
        let here = archive(Kind::MarkPriceKlines).target(Path::new("d"));
        assert_eq!(here, Path::new("d/mark_1m/BTCUSDT-mark-1m-2025-01.csv.gz"));
        let here = archive(Kind::FundingRate).target(Path::new("d"));
        assert_eq!(here, Path::new("d/funding/BTCUSDT-fundingRate-2025-01.csv.gz"));
    }
}
