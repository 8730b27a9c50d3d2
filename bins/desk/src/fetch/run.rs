//! The whole download: archives of months, of days where a month is not there, the API for the rest, then what is missing.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hedge_core::{Clock, Interval, Symbol, Timestamp};
use hedge_http::{HttpClient, HttpConfig};
use serde::Serialize;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    archive::{Archive, Track},
    calendar::{Stretch, whole_days},
    coverage::{files, holes, open_times, times},
    error::FetchError,
    filler::{Filler, is_from_api},
    kind::Kind,
    tell::Tell,
    transfer::{Came, Transfer},
};
use crate::backtest::prepare_folder;

/// Where the public archive is. Source: Binance public data archive; fact sheet section 1.
pub const ARCHIVE_URL: &str = "https://data.binance.vision";
/// Candles of the mark price that a backtest settles funding with.
const MARK_INTERVAL: Interval = Interval::H8;

/// What to fetch, from where, into which folder.
#[derive(Clone, Debug)]
pub struct FetchPlan {
    /// Which data.
    pub kinds: Vec<Kind>,
    /// Of what.
    pub symbols: Vec<Symbol>,
    /// Length of candles. Mark price candles are always of 8 hours unless they are asked for alone.
    pub interval: Interval,
    /// First instant; widened to the start of its day.
    pub from: Timestamp,
    /// End, itself not wanted any more; widened to the end of its day.
    pub to: Timestamp,
    /// A venue's folder, as `hedgectl backtest --data` reads it.
    pub out: PathBuf,
    /// Base address of the archive.
    pub archive_url: String,
    /// Base address of the API; the venue's own without one.
    pub api_url: Option<String>,
    /// Downloads at a time.
    pub jobs: usize,
    /// Before a failed request is tried again; doubles with every further one.
    pub pause: Duration,
}

/// Data that nobody has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Of what.
    pub symbol: String,
    /// Which data.
    pub kind: String,
    /// First instant without data.
    pub from: String,
    /// First instant with data again, or the end.
    pub to: String,
    /// How many candles that would be; absent for other data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candles: Option<i64>,
}

/// What a download came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Archives that were downloaded.
    pub downloaded: usize,
    /// Archives that were there already.
    pub kept: usize,
    /// Bytes that were downloaded.
    pub bytes: u64,
    /// Rows that came from the API.
    pub api_rows: usize,
    /// What is still missing.
    pub missing: Vec<Missing>,
    /// What a person should know, one sentence each.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Downloads. What is in the folder already is not asked for again, so the same call goes on after an interruption.
///
/// *Cancel safety*: dropping the future leaves finished files and parts that the next call goes on with.
///
/// # Errors
/// [`FetchError`]; finished files stay.
pub async fn fetch(plan: &FetchPlan, clock: Arc<dyn Clock>) -> Result<Fetched, FetchError> {
    let now_ms = clock.now().ms();
    let wanted = whole_days(plan.from, plan.to);
    check(plan, wanted, now_ms)?;
    prepare_folder(&plan.out).map_err(FetchError::disk("writing", &plan.out))?;
    let http = HttpClient::new(&HttpConfig { timeout: Duration::from_secs(30), ..HttpConfig::default() })
        .map_err(|error| FetchError::Server { file: plan.archive_url.clone(), why: error.to_string() })?;
    let base = plan.archive_url.trim_end_matches('/').to_owned();
    let transfer = Arc::new(Transfer { http, base, out: plan.out.clone(), pause: plan.pause });
    let tell = Arc::new(Tell::on_stderr());
    let mut work =
        Work { plan, wanted, now_ms, tell, transfer, placed: Vec::new(), fetched: Fetched::default() };
    let tracks = tracks(plan);
    work.archives(&tracks).await?;
    work.fill(&tracks, clock).await?;
    work.look(&tracks)?;
    work.tell.finish();
    work.fetched.bytes = work.tell.bytes();
    Ok(work.fetched)
}

fn check(plan: &FetchPlan, wanted: Stretch, now_ms: i64) -> Result<(), FetchError> {
    if plan.from >= plan.to {
        return Err(FetchError::Usage(format!("--from {} is not before --to {}", plan.from, plan.to)));
    }
    if wanted.from_ms > now_ms {
        return Err(FetchError::Usage(format!("--from {} is in the future", plan.from)));
    }
    let names_a_folder =
        |symbol: &&Symbol| symbol.as_str().contains(['/', '\\']) || symbol.as_str().starts_with('.');
    if let Some(symbol) = plan.symbols.iter().find(names_a_folder) {
        return Err(FetchError::Usage(format!(
            "--symbol {symbol} is no symbol: files are named after it, and it has a slash or begins with a dot"
        )));
    }
    Ok(())
}

fn tracks(plan: &FetchPlan) -> Vec<Track> {
    let alone = plan.kinds.iter().all(|kind| *kind == Kind::MarkPriceKlines);
    let mut tracks = BTreeSet::new();
    for &symbol in &plan.symbols {
        for &kind in &plan.kinds {
            let interval = match kind {
                Kind::MarkPriceKlines if !alone => MARK_INTERVAL,
                _ => plan.interval,
            };
            tracks.insert(Track { kind, symbol, interval });
        }
    }
    tracks.into_iter().collect()
}

struct Work<'a> {
    plan: &'a FetchPlan,
    wanted: Stretch,
    now_ms: i64,
    tell: Arc<Tell>,
    transfer: Arc<Transfer>,
    placed: Vec<Archive>,
    fetched: Fetched,
}

impl Work<'_> {
    /// Months and days; then the days of months that are not there, and the months of days that are not there.
    async fn archives(&mut self, tracks: &[Track]) -> Result<(), FetchError> {
        let mut wanted = Vec::new();
        for track in tracks {
            wanted.extend(track.archives(self.wanted, self.now_ms));
        }
        let asked: BTreeSet<Archive> = wanted.iter().copied().collect();
        let absent = self.wave(wanted).await?;
        let days: Vec<Archive> = absent
            .iter()
            .filter(|archive| archive.period.is_month())
            .flat_map(|archive| archive.track.days(archive.period, self.wanted, self.now_ms))
            .collect();
        self.wave(days).await?;
        // A month that is wanted in part only: more than was asked for, but the archive's own.
        let days = absent.into_iter().filter(|archive| !archive.period.is_month());
        let months: BTreeSet<Archive> =
            days.filter_map(|day| day.month(self.now_ms)).filter(|month| !asked.contains(month)).collect();
        self.wave(months.into_iter().collect()).await?;
        Ok(())
    }

    /// Fetches archives, so many at a time. Gives those that are not there.
    async fn wave(&mut self, archives: Vec<Archive>) -> Result<Vec<Archive>, FetchError> {
        let (mut needed, mut known) = (Vec::new(), BTreeMap::new());
        for archive in archives {
            if self.is_there(&archive, &mut known)? { self.fetched.kept += 1 } else { needed.push(archive) }
        }
        self.tell.expect(needed.len());
        let slots = Arc::new(Semaphore::new(self.plan.jobs.max(1)));
        let mut running = JoinSet::new();
        for archive in needed {
            let (slots, transfer, tell) = (slots.clone(), self.transfer.clone(), self.tell.clone());
            running.spawn(async move {
                // The semaphore is never closed; without a slot the download would still be right.
                let _slot = slots.acquire().await.ok();
                transfer.fetch(&archive, &tell).await.map(|came| (archive, came))
            });
        }
        let mut absent = Vec::new();
        while let Some(done) = running.join_next().await {
            let ended = |why: tokio::task::JoinError| FetchError::Server {
                file: "a download".to_owned(),
                why: why.to_string(),
            };
            match done.map_err(ended)?? {
                (archive, Came::Placed) => {
                    self.forget_api_rows(&archive)?;
                    self.fetched.downloaded += 1;
                    self.placed.push(archive);
                }
                (archive, Came::NotThere) => absent.push(archive),
            }
        }
        absent.sort();
        Ok(absent)
    }

    /// Whether a file is there, or all of its candles are in other archives.
    fn is_there(&self, archive: &Archive, known: &mut BTreeMap<Track, Vec<i64>>) -> Result<bool, FetchError> {
        if archive.target(&self.plan.out).exists() {
            return Ok(true);
        }
        let track = &archive.track;
        if !track.kind.is_candles() {
            return Ok(false);
        }
        let times = match known.entry(*track) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(archived_times(track, &self.plan.out)?),
        };
        let stretch = archive.period.stretch();
        let first = times.partition_point(|at| *at < stretch.from_ms);
        let last = times.partition_point(|at| *at < stretch.to_ms);
        Ok(holes(&times[first..last], track.interval.ms(), stretch).is_empty())
    }

    /// The archive's word counts from now on: two sources of one candle may differ in a digit.
    fn forget_api_rows(&self, archive: &Archive) -> Result<(), FetchError> {
        let stretch = archive.period.stretch();
        for path in files(&archive.track, &self.plan.out)? {
            let overlaps = |at: &i64| (stretch.from_ms..stretch.to_ms).contains(at);
            if is_from_api(&path) && times(&path)?.iter().any(overlaps) {
                fs::remove_file(&path).map_err(FetchError::disk("removing", &path))?;
            }
        }
        Ok(())
    }

    async fn fill(&mut self, tracks: &[Track], clock: Arc<dyn Clock>) -> Result<(), FetchError> {
        let mut filler = None;
        for track in tracks {
            if !self.needs_api(track)? {
                continue;
            }
            let filler = match &mut filler {
                Some(filler) => filler,
                none => none.insert(Filler::new(self.plan.api_url.as_deref(), clock.clone())?),
            };
            let rows = filler.fill(track, &self.plan.out, self.wanted).await?;
            if rows > 0 {
                self.tell.note(&format!("{}: {rows} rows from the API, which no archive has", track.name()));
            }
            self.fetched.api_rows += rows;
        }
        Ok(())
    }

    fn needs_api(&self, track: &Track) -> Result<bool, FetchError> {
        Ok(match track.kind {
            kind if kind.is_candles() => !self.holes(track)?.is_empty(),
            Kind::FundingRate => {
                let months = super::calendar::months(self.wanted);
                months
                    .into_iter()
                    .any(|period| !Archive { track: *track, period }.target(&self.plan.out).exists())
            }
            _ => false,
        })
    }

    /// What is missing of candles that are over by now.
    fn holes(&self, track: &Track) -> Result<Vec<Stretch>, FetchError> {
        let over = Stretch { to_ms: self.wanted.to_ms.min(self.now_ms), ..self.wanted };
        Ok(holes(&open_times(track, &self.plan.out, over)?, track.interval.ms(), over))
    }

    /// Reads what is there now, as a backtest will.
    fn look(&mut self, tracks: &[Track]) -> Result<(), FetchError> {
        for track in tracks {
            if files(track, &self.plan.out)?.is_empty() {
                let symbol = track.symbol.to_string();
                return Err(FetchError::Nothing { what: track.kind.to_string(), symbol });
            }
            let missing = if track.kind.is_candles() {
                self.missing_candles(track)?
            } else {
                self.missing_files(track)
            };
            self.fetched.missing.extend(missing);
        }
        for archive in self.placed.iter().filter(|archive| archive.track.kind == Kind::Klines) {
            if let Err(error) = hedge_sim::market::read_klines(&archive.target(&self.plan.out)) {
                self.fetched.warnings.push(format!("a backtest will refuse this file: {error}"));
            }
        }
        Ok(())
    }

    fn missing_candles(&self, track: &Track) -> Result<Vec<Missing>, FetchError> {
        let step_ms = track.interval.ms();
        let missing = |hole: Stretch| Missing {
            candles: Some((hole.to_ms - hole.from_ms) / step_ms),
            ..missing(track, hole)
        };
        Ok(self.holes(track)?.into_iter().map(missing).collect())
    }

    /// Days (months, where there are no days) of which there is no file.
    fn missing_files(&self, track: &Track) -> Vec<Missing> {
        if track.kind == Kind::FundingRate {
            return Vec::new();
        }
        let is_here = |period| Archive { track: *track, period }.target(&self.plan.out).exists();
        let months = super::calendar::months(self.wanted);
        let days = months.into_iter().filter(|month| !is_here(*month)).flat_map(|month| month.days());
        let absent = days.filter(|day| {
            let stretch = day.stretch();
            self.wanted.contains(stretch) && stretch.from_ms < self.now_ms && !is_here(*day)
        });
        absent.map(|day| missing(track, day.stretch())).collect()
    }
}

/// The open times that archives have, in order.
fn archived_times(track: &Track, out: &Path) -> Result<Vec<i64>, FetchError> {
    let mut all = Vec::new();
    for path in files(track, out)?.into_iter().filter(|path| !is_from_api(path)) {
        all.extend(times(&path)?);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn missing(track: &Track, stretch: Stretch) -> Missing {
    let time = |ms| Timestamp::from_ms(ms).to_string();
    Missing {
        symbol: track.symbol.to_string(),
        kind: track.kind.to_string(),
        from: time(stretch.from_ms),
        to: time(stretch.to_ms),
        candles: None,
    }
}
