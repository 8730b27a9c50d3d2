//! Which market a run plays, and which symbols of the universe it has.

use hedge_core::{Interval, Symbol};
use hedge_sim::{
    binance::{Instruments, MarketSource},
    market::SymbolProfile,
};

use super::{error::PaperError, options::PaperOptions};
use crate::{backtest::RecordedMarket, compose::intervals, config::Config};

/// The market of an embedded exchange.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) source: MarketSource,
    pub(super) instruments: Instruments,
    /// Symbols in the engine's order.
    pub(super) symbols: Vec<Symbol>,
    pub(super) interval: Interval,
    /// Seed, where the market is generated.
    pub(super) seed: Option<u64>,
    /// For the report and people.
    pub(super) label: String,
    /// Hash of recorded data.
    pub(super) data_hash: Option<String>,
    /// Sentences for the operator.
    pub(super) notes: Vec<String>,
}

/// Symbols of the universe, or those asked for; all of them must be in the universe.
pub(super) fn wanted(options: &PaperOptions, config: &Config) -> Result<Vec<Symbol>, PaperError> {
    let universe = &config.universe.symbols;
    let Some(asked) = &options.symbols else { return Ok(universe.clone()) };
    match asked.iter().find(|symbol| !universe.contains(symbol)) {
        Some(stranger) => Err(PaperError::Usage(format!(
            "{stranger} is not in {}; add it there or leave it out of --symbols",
            config.file(crate::config::FileKind::Universe)
        ))),
        None => {
            let mut once: Vec<Symbol> = Vec::new();
            for symbol in asked {
                if !once.contains(symbol) {
                    once.push(*symbol);
                }
            }
            Ok(once)
        }
    }
}

pub(super) fn open(options: &PaperOptions, config: &Config) -> Result<Market, PaperError> {
    let wanted = wanted(options, config)?;
    match &options.data {
        Some(path) => {
            let asked = options.symbols.as_deref();
            let lengths = intervals(config);
            let recorded =
                RecordedMarket::open(path, asked, &wanted, &lengths, options.instruments.as_deref())?;
            let hash = recorded.data.content_hash();
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            Ok(Market {
                symbols: recorded.data.symbols().collect(),
                interval: recorded.data.interval,
                label: format!("recorded {name} ({})", hash.get(..12).unwrap_or(&hash)),
                seed: None,
                data_hash: Some(hash),
                notes: recorded.notes.into_iter().chain(recorded.warnings).collect(),
                source: MarketSource::Data(recorded.data),
                instruments: Instruments::Rules(recorded.rules),
            })
        }
        None => generated(options, config, wanted),
    }
}

fn generated(options: &PaperOptions, config: &Config, wanted: Vec<Symbol>) -> Result<Market, PaperError> {
    let seed = options.seed.unwrap_or(config.runtime.paper.seed);
    let (symbols, strange): (Vec<Symbol>, Vec<Symbol>) =
        wanted.into_iter().partition(|symbol| SymbolProfile::built_in(*symbol).is_some());
    if options.symbols.is_some()
        && let Some(stranger) = strange.first()
    {
        return Err(PaperError::Usage(format!(
            "the generated market has no {stranger}; leave it out of --symbols or play recorded data with --data"
        )));
    }
    let notes = strange.iter().map(|symbol| format!("the generated market has no {symbol}; it is left out"));
    let interval = intervals(config).first().copied().unwrap_or(Interval::M15);
    Ok(Market {
        notes: notes.collect(),
        source: MarketSource::Generated {
            seed,
            symbols: symbols.iter().map(ToString::to_string).collect(),
            bars: interval,
        },
        instruments: match &options.instruments {
            Some(path) => Instruments::File(path.clone()),
            None => Instruments::Builtin,
        },
        symbols,
        interval,
        seed: Some(seed),
        label: format!("generated, seed {seed}"),
        data_hash: None,
    })
}
