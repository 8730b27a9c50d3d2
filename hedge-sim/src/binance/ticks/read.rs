//! Files and folders of recorded ticks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use hedge_core::Symbol;
use sha2::{Digest, Sha256};

use super::super::exchange::ExchangeError;
use super::event::{Grid, Tick, What};
use super::frames::Reader;
use super::table::Table;
use crate::venue::InstrumentRules;

/// The recording of one symbol, in the order of time.
#[derive(Debug)]
pub(crate) struct TickSeries {
    pub(crate) symbol: Symbol,
    pub(crate) ticks: Vec<Tick>,
    /// What identifies the recording.
    pub(crate) digest: String,
    /// What a reader should know.
    pub(crate) notes: Vec<String>,
}

/// The files of one symbol.
#[derive(Debug, Default)]
struct Files {
    frames: Vec<PathBuf>,
    tables: Vec<PathBuf>,
}

/// Reads a file or a folder; symbols that are not wanted are passed over.
///
/// # Errors
/// One line: file, line, what was found and what was expected.
pub(crate) fn read(
    path: &Path,
    wanted: &[String],
    rules: &[InstrumentRules],
) -> Result<Vec<TickSeries>, ExchangeError> {
    let mut by_symbol: BTreeMap<String, Files> = BTreeMap::new();
    for file in files(path)? {
        let symbol = symbol_of(&file)?;
        if !wanted.is_empty() && !wanted.contains(&symbol) {
            continue;
        }
        let files = by_symbol.entry(symbol).or_default();
        if is_frames(&file) { files.frames.push(file) } else { files.tables.push(file) }
    }
    if let Some(missing) = wanted.iter().find(|symbol| !by_symbol.contains_key(*symbol)) {
        return Err(setting(format!("{} holds no ticks of {missing}", path.display())));
    }
    if by_symbol.is_empty() {
        let expected = "expected SYMBOL-….jsonl or .csv, plain or .gz";
        return Err(setting(format!("{} holds no recorded ticks; {expected}", path.display())));
    }
    let series = |(symbol, files): (String, Files)| {
        let rules = rules.iter().find(|rules| rules.symbol == symbol).ok_or_else(|| {
            setting(format!("there are ticks of {symbol} but no instrument; give an instrument file with it"))
        })?;
        read_symbol(rules, files)
    };
    by_symbol.into_iter().map(series).collect()
}

fn read_symbol(rules: &InstrumentRules, mut files: Files) -> Result<TickSeries, ExchangeError> {
    let symbol = Symbol::parse(&rules.symbol).map_err(|error| setting(error.to_string()))?;
    let mut digest = Sha256::new();
    let mut notes = Vec::new();
    let mut ticks = Vec::new();
    files.frames.sort();
    files.tables.sort();
    if files.frames.is_empty() {
        for file in &files.tables {
            ticks.extend(read_table(file, Grid(rules), &mut digest)?);
        }
        // Each table is in its order; between tables time decides.
        ticks.sort_by_key(|tick| tick.at_ms);
        notes
            .push(format!("ticks of {symbol}: best prices and trades only; the book behind them is made up"));
    } else {
        let mut reader = Reader::default();
        for file in &files.frames {
            each_line(file, &mut digest, |_, line| reader.line(line, Grid(rules)))?;
        }
        if reader.breaks > 0 {
            notes.push(format!("ticks of {symbol}: {} holes in the changes of the book", reader.breaks));
        }
        if !files.tables.is_empty() {
            notes.push(format!(
                "ticks of {symbol}: raw frames are played, {} tables beside them are not",
                files.tables.len()
            ));
        }
        ticks = reader.finish();
    }
    let has = |is: fn(&What) -> bool| ticks.iter().any(|tick| is(&tick.what));
    if !has(|what| matches!(what, What::Best { .. })) || !has(|what| matches!(what, What::Trade { .. })) {
        return Err(setting(format!("the ticks of {symbol} need best prices (bookTicker) and trades, both")));
    }
    let span_ms = ticks.last().map_or(0, |tick| tick.at_ms) - ticks.first().map_or(0, |tick| tick.at_ms);
    notes.push(format!("ticks of {symbol}: {} events over {} s", ticks.len(), span_ms / 1_000));
    let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(TickSeries { symbol, ticks, digest, notes })
}

fn read_table(path: &Path, grid: Grid<'_>, digest: &mut Sha256) -> Result<Vec<Tick>, ExchangeError> {
    let mut table = None;
    let mut ticks = Vec::new();
    each_line(path, digest, |number, line| {
        match &table {
            None if number == 1 => table = Some(Table::of(line)?),
            Some(table) => ticks.push(table.line(line, grid)?),
            None => {}
        }
        Ok(())
    })?;
    Ok(ticks)
}

/// Gives every line that is not empty, with its number from 1.
fn each_line(
    path: &Path,
    digest: &mut Sha256,
    mut take: impl FnMut(usize, &str) -> Result<(), String>,
) -> Result<(), ExchangeError> {
    let fail = |what: String| setting(format!("{}{what}", path.display()));
    let mut lines = open(path)?;
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if lines.read_line(&mut line).map_err(|error| fail(format!(": {error}")))? == 0 {
            break;
        }
        digest.update(line.as_bytes());
        if !line.trim().is_empty() {
            take(number, &line).map_err(|what| fail(format!(", line {number}: {what}")))?;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, ExchangeError> {
    let file =
        File::open(path).map_err(|error| setting(format!("cannot read {}: {error}", path.display())))?;
    let is_gz = path.extension().is_some_and(|extension| extension == "gz");
    let plain: Box<dyn Read> = if is_gz { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(Box::new(BufReader::with_capacity(1 << 16, plain)))
}

/// The files that may hold ticks.
fn files(path: &Path) -> Result<Vec<PathBuf>, ExchangeError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let fail = |error: std::io::Error| setting(format!("cannot read {}: {error}", path.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let file = entry.map_err(fail)?.path();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        if file.is_file() && (plain.ends_with(".jsonl") || plain.ends_with(".csv")) {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

fn is_frames(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.strip_suffix(".gz").unwrap_or(&name).ends_with(".jsonl")
}

/// From the file's name, up to the first hyphen; frames name it themselves.
fn symbol_of(path: &Path) -> Result<String, ExchangeError> {
    if is_frames(path) {
        let mut named = None;
        let mut line = String::new();
        let mut lines = open(path)?;
        while named.is_none() {
            line.clear();
            let read = lines.read_line(&mut line);
            if read.map_err(|error| setting(format!("{}: {error}", path.display())))? == 0 {
                break;
            }
            named = Reader::symbol(&line);
        }
        return named.ok_or_else(|| setting(format!("{}: no line names a symbol", path.display())));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let symbol = name.split('-').next().unwrap_or_default();
    if symbol.is_empty() || symbol.len() == name.len() {
        return Err(setting(format!("{}: expected a name such as BTCUSDT-trades-….csv", path.display())));
    }
    Ok(symbol.to_owned())
}

fn setting(text: String) -> ExchangeError {
    ExchangeError::Setting(text)
}
