//! Recorded data of one venue: a file, a folder of klines, or a folder with several kinds of data.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use hedge_core::{Interval, Symbol, Timestamp};
use sha2::{Digest, Sha256};

use super::{
    error::MarketError,
    file_names::{FileKind, file_kind, file_name},
    funding::{FundingFile, FundingPayment, FundingRows},
    klines::{parse_klines, read_bytes, read_klines},
    series::{Gap, Series},
};

/// The settlements of one symbol in time order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingSeries {
    /// Which symbol.
    pub symbol: Symbol,
    /// Strictly increasing in time; empty when nothing is recorded.
    pub payments: Vec<FundingPayment>,
}

/// Bars of one interval and funding of one or more symbols, ready to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// Length of every bar.
    pub interval: Interval,
    /// One series per symbol, ordered by symbol. A symbol's position here is its `symbol_ix`.
    pub series: Vec<Series>,
    /// Funding of the same symbols in the same order, inside the time of the bars.
    pub funding: Vec<FundingSeries>,
    /// Holes of more than [`GAP_BARS`](super::GAP_BARS) bars, by symbol, then time.
    pub gaps: Vec<Gap>,
    /// Names of the funding files that gave at least one settlement.
    pub funding_files: Vec<String>,
    /// The same files with their symbol's place and the time they cover.
    pub(super) funding_spans: Vec<(Symbol, FundingFile)>,
    /// Names of the mark price files that were read.
    pub mark_files: Vec<String>,
    /// What was chosen and what was left out, one sentence each, for the operator.
    pub notes: Vec<String>,
}

impl DataSet {
    /// Opens a kline file, a folder of kline files, or a folder with `klines_*` folders (15m is preferred).
    ///
    /// `symbols` must all be there; without it every symbol of `universe` that the data has is taken, and without
    /// both every symbol. Errors: [`MarketError`]; nothing is repaired or skipped silently.
    pub fn open(
        path: &Path,
        symbols: Option<&[Symbol]>,
        universe: Option<&[Symbol]>,
    ) -> Result<Self, MarketError> {
        Self::open_interval(path, symbols, universe, None)
    }
    /// As [`open`](Self::open), with bars of a given length where the data has several.
    pub fn open_interval(
        path: &Path,
        symbols: Option<&[Symbol]>,
        universe: Option<&[Symbol]>,
        interval: Option<Interval>,
    ) -> Result<Self, MarketError> {
        let mut notes = Vec::new();
        let found = find_klines(path, interval, &mut notes)?;
        let chosen = choose_symbols(&found, path, symbols, universe, &mut notes)?;
        let mut series = Vec::new();
        for symbol in &chosen {
            let paths = found.files.get(symbol).map(Vec::as_slice).unwrap_or_default();
            let files = paths.iter().map(|path| read_klines(path)).collect::<Result<Vec<_>, _>>()?;
            series.push(Series::join(files)?);
        }
        let mut data = Self::from_series(found.interval, series);
        data.notes = notes;
        data.add_funding(&found.folder)?;
        Ok(data)
    }
    /// A data set from bars that are already in memory, ordered by symbol here. Errors: [`MarketError`] unless each
    /// symbol is there once and its bars are of that interval, on its grid, in time order, valid and at one scale.
    pub fn new(
        interval: Interval,
        mut series: Vec<Series>,
        funding: Vec<FundingSeries>,
    ) -> Result<Self, MarketError> {
        series.sort_by_key(|one| one.symbol);
        if let Some(pair) = series.windows(2).find(|pair| pair[0].symbol == pair[1].symbol) {
            return Err(MarketError::Selection(format!(
                "{} is there twice; join its bars first",
                pair[0].symbol
            )));
        }
        for one in &series {
            one.check(interval)?;
        }
        let mut data = Self::from_series(interval, series);
        for mut one in funding {
            let Some(at) = data.index_of(one.symbol) else {
                return Err(MarketError::Selection(format!(
                    "funding of {} comes without bars of it",
                    one.symbol
                )));
            };
            one.payments.sort_by_key(|payment| payment.at_ms);
            data.funding[at] = one;
        }
        Ok(data)
    }
    /// A data set without funding.
    pub(super) fn from_series(interval: Interval, series: Vec<Series>) -> Self {
        let gaps = series.iter().flat_map(Series::gaps).collect();
        let funding =
            series.iter().map(|one| FundingSeries { symbol: one.symbol, payments: Vec::new() }).collect();
        Self {
            interval,
            series,
            funding,
            gaps,
            funding_files: Vec::new(),
            funding_spans: Vec::new(),
            mark_files: Vec::new(),
            notes: Vec::new(),
        }
    }
    /// The symbols in the order of their indices.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.series.iter().map(|series| series.symbol)
    }
    /// The position of a symbol.
    pub fn index_of(&self, symbol: Symbol) -> Option<usize> {
        self.series.iter().position(|series| series.symbol == symbol)
    }
    /// Open of the earliest bar.
    pub fn start(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(Series::start).min()
    }
    /// End of the latest bar.
    pub fn end(&self) -> Option<Timestamp> {
        self.series.iter().filter_map(Series::end).max()
    }
    /// Only the bars that open in `[from, to)` and the funding inside them; symbols without such a bar are left out.
    /// Only files with a settlement inside are still named.
    pub fn window(&self, from: Timestamp, to: Timestamp) -> Self {
        let mut series = Vec::new();
        let mut funding = Vec::new();
        for (bars, payments) in self.series.iter().zip(&self.funding) {
            let first = bars.bars.partition_point(|bar| bar.open_time < from);
            let last = bars.bars.partition_point(|bar| bar.open_time < to);
            if first >= last {
                continue;
            }
            let inside = |payment: &&FundingPayment| (from.ms()..=to.ms()).contains(&payment.at_ms);
            series.push(Series { bars: bars.bars[first..last].to_vec(), ..bars.clone() });
            funding.push(FundingSeries {
                symbol: payments.symbol,
                payments: payments.payments.iter().filter(inside).copied().collect(),
            });
        }
        let gaps = series.iter().flat_map(Series::gaps).collect();
        let mut window = Self { series, funding, gaps, ..self.clone() };
        let symbols: Vec<Symbol> = window.symbols().collect();
        window.funding_spans.retain(|(symbol, file)| {
            symbols.contains(symbol) && file.first_ms <= to.ms() && file.last_ms >= from.ms()
        });
        window.funding_files = window.funding_spans.iter().map(|(_, file)| file.name.clone()).collect();
        window.notes.retain(|note| {
            !["funding from", "funding marks", "no funding"].iter().any(|start| note.starts_with(start))
        });
        window.note_funding();
        window
    }
    /// SHA-256 over the parsed content (bars, funding, marks) in hex: the same data gives the same hash wherever it
    /// lies and however its numbers are padded.
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("hedge data 1 {}\n", self.interval));
        for (series, funding) in self.series.iter().zip(&self.funding) {
            let scales = (series.price_scale(), series.volume_scale());
            hash.update(format!("{} {scales:?} {}\n", series.symbol, series.bars.len()));
            for bar in &series.bars {
                let fields = [bar.open_time.ms(), bar.open, bar.high, bar.low, bar.close, bar.volume];
                let mut row = [0; 48];
                for (slot, field) in row.chunks_exact_mut(8).zip(fields) {
                    slot.copy_from_slice(&field.to_le_bytes());
                }
                hash.update(row);
            }
            for payment in &funding.payments {
                let mark = payment.mark.map(|mark| mark.normalize().to_string()).unwrap_or_default();
                hash.update(format!("{} {} {mark}\n", payment.at_ms, payment.rate.normalize()));
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
    /// Reads `funding` and `mark_8h` beside the kline folder.
    fn add_funding(&mut self, kline_folder: &Path) -> Result<(), MarketError> {
        let (Some(start), Some(end)) = (self.start(), self.end()) else { return Ok(()) };
        let folder = kline_folder.join("..").join("funding");
        let mark_folder = kline_folder.join("..").join("mark_8h");
        let (funding_paths, mark_paths) = (list_files(&folder)?, list_files(&mark_folder)?);
        for at in 0..self.series.len() {
            let symbol = self.series[at].symbol;
            let mut rows = FundingRows::default();
            for (path, _) in of_kind(&funding_paths, |kind| kind == FileKind::Funding(symbol)) {
                rows.read(path, symbol)?;
            }
            let marks = read_marks(&mark_paths, symbol)?;
            let (payments, files) = rows.payments(start.ms(), end.ms(), marks.as_ref());
            self.funding_files.extend(files.iter().map(|file| file.name.clone()));
            self.funding_spans.extend(files.into_iter().map(|file| (symbol, file)));
            if !payments.is_empty() {
                self.mark_files.extend(marks.into_iter().flat_map(|marks| marks.sources));
            }
            self.funding[at].payments = payments;
        }
        self.note_funding();
        Ok(())
    }
    fn note_funding(&mut self) {
        if self.funding_files.is_empty() {
            self.notes.push("no funding files beside the klines: no funding is paid".to_owned());
            return;
        }
        self.notes.push(format!("funding from {}", self.funding_files.join(", ")));
        if !self.mark_files.is_empty() {
            self.notes.push(format!("funding marks from {}", self.mark_files.join(", ")));
        }
        let without: Vec<&str> = self
            .funding
            .iter()
            .filter(|funding| funding.payments.is_empty())
            .map(|funding| funding.symbol.as_str())
            .collect();
        if !without.is_empty() {
            self.notes
                .push(format!("no funding recorded in the time of the bars for {}", without.join(", ")));
        }
    }
}

/// The kline files of one interval, by symbol.
struct Found {
    interval: Interval,
    folder: PathBuf,
    files: BTreeMap<Symbol, Vec<PathBuf>>,
}

/// Bars of this length are taken when the data has several and nobody says which.
const PREFERRED: Interval = Interval::M15;

fn find_klines(path: &Path, wanted: Option<Interval>, notes: &mut Vec<String>) -> Result<Found, MarketError> {
    let meta = fs::metadata(path).map_err(|source| MarketError::io(path, source))?;
    if meta.is_file() {
        return found_in(path.parent().unwrap_or(Path::new("")), vec![path.to_owned()], path, wanted, notes);
    }
    let files = list_files(path)?;
    if of_kind(&files, |kind| matches!(kind, FileKind::Klines(..))).next().is_some() {
        return found_in(path, files, path, wanted, notes);
    }
    let folders = kline_folders(path)?;
    let names: Vec<String> = folders.keys().map(|interval| format!("klines_{interval}")).collect();
    let interval = pick_interval(folders.keys().copied(), wanted).ok_or_else(|| match wanted {
        Some(wanted) if !folders.is_empty() => {
            MarketError::Selection(format!("{} has no klines_{wanted}, only {}", path.display(), names.join(", ")))
        }
        _ => MarketError::Selection(format!(
            "{} holds no klines; expected files named SYMBOL-INTERVAL-….csv[.gz] or folders named klines_15m, klines_1m, …",
            path.display()
        )),
    })?;
    if folders.len() > 1 {
        notes.push(format!("klines_{interval} chosen of {}", names.join(", ")));
    }
    let folder = &folders[&interval];
    found_in(folder, list_files(folder)?, folder, Some(interval), notes)
}

fn kline_folders(path: &Path) -> Result<BTreeMap<Interval, PathBuf>, MarketError> {
    let mut folders = BTreeMap::new();
    for entry in fs::read_dir(path).map_err(|source| MarketError::io(path, source))? {
        let entry = entry.map_err(|source| MarketError::io(path, source))?.path();
        let name = file_name(&entry);
        if let Some(interval) = name.strip_prefix("klines_").and_then(Interval::parse)
            && entry.is_dir()
        {
            folders.insert(interval, entry);
        }
    }
    Ok(folders)
}

fn found_in(
    folder: &Path,
    paths: Vec<PathBuf>,
    shown: &Path,
    wanted: Option<Interval>,
    notes: &mut Vec<String>,
) -> Result<Found, MarketError> {
    let mut by_interval: BTreeMap<Interval, BTreeMap<Symbol, Vec<PathBuf>>> = BTreeMap::new();
    for (path, kind) in of_kind(&paths, |kind| matches!(kind, FileKind::Klines(..))) {
        if let FileKind::Klines(symbol, interval) = kind {
            by_interval.entry(interval).or_default().entry(symbol).or_default().push(path.to_owned());
        }
    }
    let intervals: Vec<String> = by_interval.keys().map(Interval::to_string).collect();
    let interval = pick_interval(by_interval.keys().copied(), wanted).ok_or_else(|| {
        if intervals.is_empty() {
            return MarketError::Selection(format!(
                "{} holds no klines by name; expected SYMBOL-INTERVAL-….csv[.gz], such as BTCUSDT-15m-2026-10.csv",
                shown.display()
            ));
        }
        let wanted = wanted.map(|wanted| wanted.to_string()).unwrap_or_default();
        MarketError::Selection(format!("{} has no {wanted} klines, only {}", shown.display(), intervals.join(", ")))
    })?;
    if intervals.len() > 1 {
        notes.push(format!("{interval} klines chosen of {}", intervals.join(", ")));
    }
    let files = by_interval.remove(&interval).unwrap_or_default();
    Ok(Found { interval, folder: folder.to_owned(), files })
}

fn pick_interval(have: impl Iterator<Item = Interval>, wanted: Option<Interval>) -> Option<Interval> {
    let have: Vec<Interval> = have.collect();
    match wanted {
        Some(wanted) => have.contains(&wanted).then_some(wanted),
        None if have.contains(&PREFERRED) => Some(PREFERRED),
        None => have.first().copied(),
    }
}

fn choose_symbols(
    found: &Found,
    path: &Path,
    symbols: Option<&[Symbol]>,
    universe: Option<&[Symbol]>,
    notes: &mut Vec<String>,
) -> Result<Vec<Symbol>, MarketError> {
    let list = |symbols: &mut dyn Iterator<Item = &Symbol>| {
        symbols.map(Symbol::as_str).collect::<Vec<_>>().join(", ")
    };
    let have = list(&mut found.files.keys());
    if let Some(symbols) = symbols {
        let missing = list(&mut symbols.iter().filter(|symbol| !found.files.contains_key(symbol)));
        if !missing.is_empty() {
            return Err(MarketError::Selection(format!(
                "{} has no bars of {missing}, only of {have}",
                path.display()
            )));
        }
        let chosen: BTreeSet<Symbol> = symbols.iter().copied().collect();
        return match chosen.is_empty() {
            true => Err(MarketError::Selection(
                "an empty list of symbols was asked for; name one or none".to_owned(),
            )),
            false => Ok(chosen.into_iter().collect()),
        };
    }
    let Some(universe) = universe else { return Ok(found.files.keys().copied().collect()) };
    let chosen: Vec<Symbol> =
        found.files.keys().filter(|symbol| universe.contains(symbol)).copied().collect();
    if chosen.is_empty() {
        let universe = list(&mut universe.iter());
        return Err(MarketError::Selection(format!(
            "{} has bars of {have}, none of which is in the universe ({universe}); name one with --symbols",
            path.display()
        )));
    }
    let left_out = list(&mut found.files.keys().filter(|symbol| !universe.contains(symbol)));
    if !left_out.is_empty() {
        notes.push(format!("not in the universe, left out: {left_out}"));
    }
    Ok(chosen)
}

/// The files of a folder ordered by name; none when there is no such folder.
fn list_files(folder: &Path) -> Result<Vec<PathBuf>, MarketError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| MarketError::io(folder, source))? {
        let path = entry.map_err(|source| MarketError::io(folder, source))?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn of_kind(paths: &[PathBuf], wanted: impl Fn(FileKind) -> bool) -> impl Iterator<Item = (&Path, FileKind)> {
    paths.iter().filter_map(move |path| {
        let kind = file_kind(&file_name(path))?;
        wanted(kind).then_some((path.as_path(), kind))
    })
}

fn read_marks(paths: &[PathBuf], symbol: Symbol) -> Result<Option<Series>, MarketError> {
    let mut files = Vec::new();
    for (path, _) in of_kind(paths, |kind| kind == FileKind::Marks(symbol, Interval::H8)) {
        files.push(parse_klines(&read_bytes(path)?, &file_name(path), symbol, Interval::H8)?);
    }
    if files.is_empty() { Ok(None) } else { Series::join(files).map(Some) }
}
