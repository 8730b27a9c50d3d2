//! What the archive holds.

use std::fmt;

use hedge_core::{Interval, Symbol};

/// One kind of data in the public archive. Source: Binance public data archive; fact sheet section 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Candles of the last price.
    Klines,
    /// Candles of the mark price.
    MarkPriceKlines,
    /// Candles of the index.
    IndexPriceKlines,
    /// Candles of the premium index.
    PremiumIndexKlines,
    /// Settlements of funding.
    FundingRate,
    /// Trades, those of one taker order at one price together.
    AggTrades,
    /// Trades.
    Trades,
    /// Best bid and ask.
    BookTicker,
    /// Depth in bands around the price.
    BookDepth,
    /// Open interest and ratios every five minutes.
    Metrics,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Klines,
        Self::MarkPriceKlines,
        Self::IndexPriceKlines,
        Self::PremiumIndexKlines,
        Self::FundingRate,
        Self::AggTrades,
        Self::Trades,
        Self::BookTicker,
        Self::BookDepth,
        Self::Metrics,
    ];

    /// The archive's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Klines => "klines",
            Self::MarkPriceKlines => "markPriceKlines",
            Self::IndexPriceKlines => "indexPriceKlines",
            Self::PremiumIndexKlines => "premiumIndexKlines",
            Self::FundingRate => "fundingRate",
            Self::AggTrades => "aggTrades",
            Self::Trades => "trades",
            Self::BookTicker => "bookTicker",
            Self::BookDepth => "bookDepth",
            Self::Metrics => "metrics",
        }
    }
    /// The kind of that spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
    /// Whether its rows are candles.
    pub const fn is_candles(self) -> bool {
        matches!(
            self,
            Self::Klines | Self::MarkPriceKlines | Self::IndexPriceKlines | Self::PremiumIndexKlines
        )
    }
    /// Whether there are archives of whole months.
    pub(super) const fn has_months(self) -> bool {
        !matches!(self, Self::BookDepth | Self::Metrics)
    }
    /// Whether there are archives of single days.
    pub(super) const fn has_days(self) -> bool {
        !matches!(self, Self::FundingRate)
    }

    /// What the archive calls a file of it, without the period.
    pub(super) fn archive_stem(self, symbol: Symbol, interval: Interval) -> String {
        if self.is_candles() { format!("{symbol}-{interval}") } else { format!("{symbol}-{self}") }
    }
    /// The folder in the output, as [`hedge_sim::market::DataSet::open`] looks for it.
    pub(super) fn folder(self, interval: Interval) -> String {
        match self {
            Self::Klines => format!("klines_{interval}"),
            Self::MarkPriceKlines => format!("mark_{interval}"),
            Self::IndexPriceKlines => format!("index_{interval}"),
            Self::PremiumIndexKlines => format!("premium_{interval}"),
            Self::FundingRate => "funding".to_owned(),
            other => other.as_str().to_owned(),
        }
    }
    /// What a file in that folder is called, without the period.
    pub(super) fn stem(self, symbol: Symbol, interval: Interval) -> String {
        match self {
            Self::MarkPriceKlines => format!("{symbol}-mark-{interval}"),
            Self::IndexPriceKlines => format!("{symbol}-index-{interval}"),
            Self::PremiumIndexKlines => format!("{symbol}-premium-{interval}"),
            _ => self.archive_stem(symbol, interval),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
