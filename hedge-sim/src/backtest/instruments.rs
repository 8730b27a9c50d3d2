//! Which rules the recorded symbols are traded under.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use hedge_core::{
    Asset, InstrumentId, InstrumentSpec, InstrumentStatus, InvalidId, LotRule, Notional, PositionMode, Price,
    Symbol,
};
use rust_decimal::Decimal;
use thiserror::Error;

use crate::{
    market::DataSet,
    venue::{self, InstrumentRules, SymbolStatus},
};

/// Rules that cannot be used.
#[derive(Debug, Error)]
pub enum InstrumentError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}; give another --instruments file")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not an exchangeInfo answer or a bracket table.
    #[error("{path} is not usable: {problem}; expected an exchangeInfo answer")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No source has a symbol.
    #[error("no rules for {symbol}; give --instruments with an exchangeInfo file that lists it")]
    Missing {
        /// Which symbol.
        symbol: Symbol,
    },
}

/// Rules of the symbols of a data set, and where they come from.
#[derive(Clone, Debug)]
pub struct Instruments {
    /// One per symbol, in the order of the data set.
    pub rules: Vec<InstrumentRules>,
    /// What was used, one sentence each, for the operator.
    pub notes: Vec<String>,
}

impl Instruments {
    /// From an exchangeInfo file. Errors: [`InstrumentError`].
    pub fn from_file(path: &Path, data: &DataSet) -> Result<Self, InstrumentError> {
        let known = read(path)?;
        let rules = data
            .symbols()
            .map(|symbol| {
                let found = known.iter().find(|rules| rules.symbol == symbol.as_str()).cloned();
                found.ok_or(InstrumentError::Missing { symbol })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { rules, notes: vec![format!("instruments from {}", name(path))] })
    }

    /// From a folder of exchangeInfo files (main net before test net, newer before older) and bracket tables. A file
    /// whose price grid the recorded prices do not fit is passed over; what no file has comes from the built-in table.
    ///
    /// Errors: [`InstrumentError`].
    pub fn from_folder(folder: &Path, data: &DataSet) -> Result<Self, InstrumentError> {
        let listing = fs::read_dir(folder)
            .map_err(|source| InstrumentError::Read { path: folder.to_owned(), source })?;
        let mut paths: Vec<PathBuf> = listing
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
            .collect();
        // Main net before test net, newer (by the date in the name) before older.
        paths.sort_by_key(|path| (!name(path).contains("mainnet"), std::cmp::Reverse(name(path))));
        let mut brackets = BTreeMap::new();
        let mut files = Vec::new();
        for path in paths.iter().filter(|path| name(path).contains("binance")) {
            let json = json(path)?;
            if name(path).contains("bracket") {
                let table = venue::brackets_from_json(&json).map_err(|error| InstrumentError::Shape {
                    path: path.clone(),
                    problem: error.to_string(),
                })?;
                brackets.extend(table);
            } else if name(path).contains("exchangeInfo") {
                files.push((name(path), read(path)?));
            }
        }
        let mut found = Self { rules: Vec::new(), notes: Vec::new() };
        for (ix, symbol) in data.symbols().enumerate() {
            let from_file = files.iter().find_map(|(file, known)| {
                let rules = known.iter().find(|rules| rules.symbol == symbol.as_str())?;
                fits(rules, data, ix).then(|| (file.clone(), rules.clone()))
            });
            let (source, rules) = match from_file {
                Some(found) => found,
                None => ("the built-in table".to_owned(), built_in(symbol)?),
            };
            found.notes.push(format!("{symbol} rules from {source}"));
            found.rules.push(rules.with_brackets(&brackets));
        }
        Ok(found)
    }

    /// From the built-in table. Errors: [`InstrumentError::Missing`].
    pub fn built_in(data: &DataSet) -> Result<Self, InstrumentError> {
        Self::built_in_of(data.symbols())
    }

    /// From the built-in table, of these symbols. Errors: [`InstrumentError::Missing`].
    pub fn built_in_of(symbols: impl IntoIterator<Item = Symbol>) -> Result<Self, InstrumentError> {
        let rules = symbols.into_iter().map(built_in).collect::<Result<_, _>>()?;
        let note = "no instruments folder beside the data: rules come from the built-in table".to_owned();
        Ok(Self { rules, notes: vec![note] })
    }
}

fn built_in(symbol: Symbol) -> Result<InstrumentRules, InstrumentError> {
    InstrumentRules::builtin()
        .into_iter()
        .find(|rules| rules.symbol == symbol.as_str())
        .ok_or(InstrumentError::Missing { symbol })
}

/// Whether every recorded price is on the grid (the first few thousand bars decide).
fn fits(rules: &InstrumentRules, data: &DataSet, ix: usize) -> bool {
    data.series.get(ix).is_some_and(|series| {
        series.bars.iter().take(4_096).all(|bar| {
            [bar.open, bar.high, bar.low, bar.close]
                .iter()
                .all(|&mantissa| rules.ticks_from_scaled(mantissa, u32::from(bar.price_scale)).is_some())
        })
    })
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn json(path: &Path) -> Result<serde_json::Value, InstrumentError> {
    let text =
        fs::read_to_string(path).map_err(|source| InstrumentError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text)
        .map_err(|error| InstrumentError::Shape { path: path.to_owned(), problem: error.to_string() })
}

fn read(path: &Path) -> Result<Vec<InstrumentRules>, InstrumentError> {
    InstrumentRules::from_exchange_info_json(&json(path)?)
        .map_err(|error| InstrumentError::Shape { path: path.to_owned(), problem: error.to_string() })
}

/// The engine's view of an instrument's rules. Errors: [`InvalidId`] for names that no venue can have.
pub fn spec_of(rules: &InstrumentRules) -> Result<InstrumentSpec, InvalidId> {
    let lot = |lot: &venue::LotRule| LotRule { min: lot.min, max: lot.max, step: lot.step };
    let status = match rules.status {
        SymbolStatus::Trading => InstrumentStatus::Trading,
        other => InstrumentStatus::NotTrading(other.as_str().to_owned()),
    };
    Ok(InstrumentSpec {
        id: InstrumentId::binance(&rules.symbol)?,
        status,
        base: Asset::parse(&rules.base_asset)?,
        quote: Asset::parse(&rules.quote_asset)?,
        settle: Asset::parse(&rules.margin_asset)?,
        tick: rules.tick,
        min_price: Price::new(rules.min_price).ok(),
        max_price: Price::new(rules.max_price).ok(),
        lot: lot(&rules.lot),
        market_lot: lot(&rules.market_lot),
        min_notional: Notional::new(rules.min_notional).unwrap_or(Notional::ZERO),
        contract_size: Decimal::ONE,
        price_band_up: rules.percent_price_up,
        price_band_down: rules.percent_price_down,
        mode: PositionMode::Hedge,
        delivery: None,
    })
}
