//! What no archive covers, from the venue's API: today, days that are not published yet, holes.

use std::{fs, path::Path, sync::Arc, time::Duration};

use hedge_binance::{
    Binance, BinanceConfig, Credentials, Endpoints, Mainnet, ReadOnly, Rest, Span,
    wire::{
        market::{FundingRate, Kline},
        text::FundingRateType,
    },
};
use hedge_core::{Clock, Timestamp};

use super::{
    archive::Track,
    calendar::Stretch,
    coverage::{FROM_API, files, holes, open_times, times},
    error::FetchError,
    gz::write_gzipped,
    kind::Kind,
    rows,
};

/// Rows of one page. Source: fact sheet 4.1 (klines, weight 10) and fundingRate.
const KLINES_A_PAGE: u32 = 1_500;
const FUNDING_A_PAGE: u32 = 1_000;
/// Pages that wait in memory for a file: what an interruption loses at most.
const PAGES_A_FILE: u32 = 20;

/// Reads public data only; there is no key.
#[derive(Debug)]
pub(super) struct Filler {
    client: Binance<ReadOnly>,
    now_ms: i64,
}

/// Candles that have come and are in no file yet.
#[derive(Debug, Default)]
struct Pending {
    rows: Vec<Kline>,
    pages: u32,
    /// How many are in files.
    placed: usize,
}

impl Filler {
    pub(super) fn new(url: Option<&str>, clock: Arc<dyn Clock>) -> Result<Self, FetchError> {
        // Nothing listens to streams here; both addresses must be of one world all the same.
        let is_here = url.is_some_and(|url| url.starts_with("http://"));
        let endpoints = Endpoints::<Mainnet>::new(url, is_here.then_some("ws://127.0.0.1:1"))?;
        let now_ms = clock.now().ms();
        let mut config = BinanceConfig::new(endpoints, clock);
        config.http.timeout = Duration::from_secs(30);
        let nobody = || "public".to_owned();
        let credentials = Credentials::<Mainnet>::new(nobody(), nobody())
            .map_err(|error| FetchError::Usage(error.to_string()))?;
        Ok(Self { client: Binance::connect(config, credentials)?, now_ms })
    }

    /// Asks for what is missing of a series and puts it into files. Gives how many rows came.
    pub(super) async fn fill(&self, track: &Track, out: &Path, wanted: Stretch) -> Result<usize, FetchError> {
        match track.kind {
            Kind::FundingRate => self.fill_funding(track, out, wanted).await,
            kind if kind.is_candles() => self.fill_candles(track, out, wanted).await,
            // Single trades and quotes: a day of them is thousands of pages, and the venue keeps no history of quotes.
            _ => Ok(0),
        }
    }

    async fn fill_candles(&self, track: &Track, out: &Path, wanted: Stretch) -> Result<usize, FetchError> {
        let over = Stretch { to_ms: wanted.to_ms.min(self.now_ms), ..wanted };
        let missing = holes(&open_times(track, out, over)?, track.interval.ms(), over);
        let mut pending = Pending::default();
        let asked = self.ask_for_candles(track, out, &missing, &mut pending).await;
        // What came before a failure is not asked for again.
        self.place_candles(track, out, &mut pending)?;
        asked.map(|()| pending.placed)
    }

    async fn ask_for_candles(
        &self,
        track: &Track,
        out: &Path,
        missing: &[Stretch],
        pending: &mut Pending,
    ) -> Result<(), FetchError> {
        for hole in missing {
            let mut from_ms = hole.from_ms;
            while from_ms < hole.to_ms {
                let page = self.candles(track, Stretch { from_ms, ..*hole }).await?;
                pending.pages += 1;
                let Some(last) = page.last() else { break };
                from_ms = last.open_time + track.interval.ms();
                pending.rows.extend(page);
                if pending.pages >= PAGES_A_FILE {
                    self.place_candles(track, out, pending)?;
                }
            }
        }
        Ok(())
    }

    /// Puts the candles that have come into a file of their own.
    fn place_candles(&self, track: &Track, out: &Path, pending: &mut Pending) -> Result<(), FetchError> {
        pending.pages = 0;
        let (Some(first), Some(last)) = (pending.rows.first(), pending.rows.last()) else { return Ok(()) };
        let end_ms = last.open_time + track.interval.ms();
        let name = self.name(track, Stretch { from_ms: first.open_time, to_ms: end_ms });
        self.place(track, out, &name, &rows::klines(&pending.rows))?;
        pending.placed += pending.rows.len();
        pending.rows.clear();
        Ok(())
    }

    /// The closed candles of a page, in order, that open inside the hole.
    async fn candles(&self, track: &Track, hole: Stretch) -> Result<Vec<Kline>, FetchError> {
        let (rest, symbol, interval) = (self.rest(), track.symbol.as_str(), track.interval);
        let (span, most) = (span(hole), KLINES_A_PAGE);
        let page = match track.kind {
            Kind::MarkPriceKlines => rest.mark_price_klines(symbol, interval, span, most).await,
            Kind::IndexPriceKlines => rest.index_price_klines(symbol, interval, span, most).await,
            Kind::PremiumIndexKlines => rest.premium_index_klines(symbol, interval, span, most).await,
            _ => rest.klines(symbol, interval, span, most).await,
        };
        let mut page = page.map_err(|source| rest_error(track, source))?;
        page.retain(|row| {
            (hole.from_ms..hole.to_ms).contains(&row.open_time)
                && row.open_time % interval.ms() == 0
                && row.open_time + interval.ms() <= self.now_ms
        });
        page.sort_by_key(|row| row.open_time);
        page.dedup_by_key(|row| row.open_time);
        Ok(page)
    }

    /// Settlements have no grid: months without an archive are asked for whole, again each time. They are few: at most one an
    /// hour, so that years of them are a few pages and one file.
    async fn fill_funding(&self, track: &Track, out: &Path, wanted: Stretch) -> Result<usize, FetchError> {
        let mut rows: Vec<FundingRate> = Vec::new();
        let mut months = super::calendar::months(wanted);
        months.retain(|month| {
            let archive = super::archive::Archive { track: *track, period: *month };
            !archive.target(out).exists()
        });
        for month in months {
            let part = month.stretch().within(wanted);
            let mut from_ms = part.from_ms;
            while from_ms < part.to_ms.min(self.now_ms) {
                let page = self.rest().funding_rate(
                    track.symbol.as_str(),
                    span(Stretch { from_ms, ..part }),
                    FUNDING_A_PAGE,
                );
                let mut page = page.await.map_err(|source| rest_error(track, source))?;
                page.retain(|row| (from_ms..part.to_ms).contains(&row.funding_time));
                page.sort_by_key(|row| row.funding_time);
                let Some(last) = page.last() else { break };
                from_ms = last.funding_time + 1;
                // Dividend-like adjustments of tokenised shares are no funding (fact sheet 14.3).
                let is_regular = |row: &FundingRate| {
                    row.rate_type.as_ref().is_none_or(|kind| *kind == FundingRateType::Regular)
                };
                rows.extend(page.into_iter().filter(is_regular));
            }
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(0) };
        let name = self.name(track, Stretch { from_ms: first.funding_time, to_ms: last.funding_time });
        for path in files(track, out)? {
            if is_from_api(&path) && !path.ends_with(&name) {
                let within =
                    times(&path)?.iter().all(|time| rows.iter().any(|row| row.funding_time == *time));
                if within {
                    fs::remove_file(&path).map_err(FetchError::disk("removing", &path))?;
                }
            }
        }
        self.place(track, out, &name, &rows::funding(&rows))?;
        Ok(rows.len())
    }

    /// `BTCUSDT-1m-20250131T0000_20250201T0000-rest.csv.gz`
    fn name(&self, track: &Track, stretch: Stretch) -> String {
        format!("{}-{}_{}{FROM_API}", track.stem(), stamp(stretch.from_ms), stamp(stretch.to_ms))
    }

    fn place(&self, track: &Track, out: &Path, name: &str, csv: &str) -> Result<(), FetchError> {
        let folder = track.folder(out);
        fs::create_dir_all(&folder).map_err(FetchError::disk("creating", &folder))?;
        let path = folder.join(name);
        write_gzipped(&path, csv.as_bytes()).map_err(FetchError::disk("writing", &path))
    }

    fn rest(&self) -> &Rest {
        self.client.rest()
    }
}

pub(super) fn is_from_api(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(FROM_API))
}

fn span(stretch: Stretch) -> Span {
    // The venue counts both ends in.
    Span { from: Some(Timestamp::from_ms(stretch.from_ms)), to: Some(Timestamp::from_ms(stretch.to_ms - 1)) }
}

/// `20250131T0000`
fn stamp(ms: i64) -> String {
    let text = Timestamp::from_ms(ms).to_string();
    text.chars().take(16).filter(|c| !matches!(c, '-' | ':')).collect()
}

fn rest_error(track: &Track, source: hedge_core::BrokerError) -> FetchError {
    FetchError::Rest { what: track.kind.as_str(), symbol: track.symbol.to_string(), source }
}
