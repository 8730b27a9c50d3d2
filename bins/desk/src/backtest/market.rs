//! The recorded market of a backtest: bars, funding, and the rules the symbols trade under.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use hedge_core::{Interval, Symbol, Timestamp};
use hedge_sim::{
    backtest::{InstrumentError, Instruments},
    market::{DataSet, Gap, MarketError},
    venue::InstrumentRules,
};
use thiserror::Error;

/// Files that cannot be used.
#[derive(Debug, Error)]
pub enum SetupError {
    /// Bars or funding.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// Rules of the symbols.
    #[error(transparent)]
    Instruments(#[from] InstrumentError),
}

/// Recorded bars and funding with the rules of their symbols.
#[derive(Clone, Debug)]
pub struct RecordedMarket {
    /// Bars and funding.
    pub data: Arc<DataSet>,
    /// Rules, in the order of the data's symbols.
    pub rules: Vec<InstrumentRules>,
    /// What was used, chosen or left out, one sentence each.
    pub notes: Vec<String>,
    /// What may make the result differ from what the venue would have done, one sentence each.
    pub warnings: Vec<String>,
}

impl RecordedMarket {
    /// Opens a kline file, a folder of klines or a venue's folder. Without `symbols`, every symbol of `universe` that the
    /// data has is taken. Of several bar lengths, one that `intervals` asks for is taken if there is one.
    ///
    /// Rules come from the `instruments` file, else from the folder `../../instruments` beside the kline folder, else
    /// from the built-in table. Errors: [`SetupError`].
    pub fn open(
        path: &Path,
        symbols: Option<&[Symbol]>,
        universe: &[Symbol],
        intervals: &[Interval],
        instruments: Option<&Path>,
    ) -> Result<Self, SetupError> {
        let data = open_data(path, symbols, universe, intervals)?;
        let mut notes = data.notes.clone();
        let mut warnings = Vec::new();
        let found = match (instruments, instruments_folder(path, data.interval)) {
            (Some(file), _) => Instruments::from_file(file, &data)?,
            (None, Some(folder)) => Instruments::from_folder(&folder, &data)?,
            (None, None) => {
                let built_in = Instruments::built_in(&data)?;
                warnings.extend(built_in.notes.iter().cloned());
                Instruments { notes: Vec::new(), ..built_in }
            }
        };
        notes.extend(found.notes);
        if data.funding_files.is_empty() {
            warnings.push(
                "no funding files: funding is 0 here, which a real account would have paid or received"
                    .to_owned(),
            );
        }
        warnings.extend(gaps(&data.gaps));
        Ok(Self { data: Arc::new(data), rules: found.rules, notes, warnings })
    }
    /// The bars between two times, with the same rules. For one window of a folder that holds several.
    #[must_use]
    pub fn window(&self, from: Timestamp, to: Timestamp) -> Self {
        let data = self.data.window(from, to);
        let kept =
            |rules: &&InstrumentRules| data.symbols().any(|symbol| symbol.as_str() == rules.symbol.as_str());
        let rules = self.rules.iter().filter(kept).cloned().collect();
        // Holes outside of the window are nobody's business any more.
        let outside = gaps(&self.data.gaps);
        let mut warnings = self.warnings.clone();
        warnings.retain(|warning| !outside.contains(warning));
        warnings.extend(gaps(&data.gaps));
        Self { data: Arc::new(data), rules, notes: self.notes.clone(), warnings }
    }
}

fn open_data(
    path: &Path,
    symbols: Option<&[Symbol]>,
    universe: &[Symbol],
    intervals: &[Interval],
) -> Result<DataSet, MarketError> {
    let data = DataSet::open(path, symbols, Some(universe))?;
    if intervals.is_empty() || intervals.contains(&data.interval) {
        return Ok(data);
    }
    let wanted = intervals
        .iter()
        .find_map(|&interval| DataSet::open_interval(path, symbols, Some(universe), Some(interval)).ok());
    Ok(wanted.unwrap_or(data))
}

/// `../../instruments` beside the folder that holds the klines, if it is there.
fn instruments_folder(path: &Path, interval: Interval) -> Option<PathBuf> {
    let klines = if path.is_file() {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    } else {
        let below = path.join(format!("klines_{interval}"));
        if holds_files(path) || !below.is_dir() { path.to_owned() } else { below }
    };
    // Resolved first: the parent of `.` or of a link is not the folder that holds it by name.
    let klines = fs::canonicalize(klines).ok()?;
    let folder = klines.parent()?.parent()?.join("instruments");
    folder.is_dir().then_some(folder)
}

/// Whether a folder holds kline files itself, so that folders below it are not looked at.
fn holds_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.ends_with(".csv") || name.ends_with(".csv.gz")
        })
    })
}

/// One sentence a hole; symbols that miss the same bars share it.
fn gaps(gaps: &[Gap]) -> Vec<String> {
    let mut holes: Vec<(Timestamp, Timestamp, i64, Vec<&str>)> = Vec::new();
    for gap in gaps {
        match holes.iter_mut().find(|(from, to, ..)| *from == gap.from && *to == gap.to) {
            Some((.., symbols)) => symbols.push(gap.symbol.as_str()),
            None => holes.push((gap.from, gap.to, gap.missing_bars, vec![gap.symbol.as_str()])),
        }
    }
    holes.sort_by_key(|(from, ..)| *from);
    holes
        .into_iter()
        .map(|(from, to, bars, symbols)| {
            format!(
                "{bars} bars are missing from {from} to {to} in {}; indicators warm up again after it",
                symbols.join(", ")
            )
        })
        .collect()
}
