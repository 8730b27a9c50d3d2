//! Which market a run plays, and which symbols of the universe it has.

use hedge_core::{Interval, Symbol};
use hedge_sim::{
    binance::{Instruments, MarketSource},
    market::SymbolProfile,
};

use crate::{
    backtest::RecordedMarket,
    compose::intervals,
    config::Config,
    live,
    trade::{TradeError, TradeOptions},
};

/// The market of an embedded exchange.
#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) source: MarketSource,
    pub(crate) instruments: Instruments,
    /// Symbols in the engine's order.
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) interval: Interval,
    /// Seed, where the market is generated.
    pub(crate) seed: Option<u64>,
    /// For the report and people.
    pub(crate) label: String,
    /// Hash of recorded data.
    pub(crate) data_hash: Option<String>,
    /// Sentences for the operator.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn open(options: &TradeOptions, config: &Config) -> Result<Market, TradeError> {
    let wanted = live::symbols(options, config)?;
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

fn generated(options: &TradeOptions, config: &Config, wanted: Vec<Symbol>) -> Result<Market, TradeError> {
    let seed = options.seed.unwrap_or(config.runtime.paper.seed);
    let (symbols, strange): (Vec<Symbol>, Vec<Symbol>) =
        wanted.into_iter().partition(|symbol| SymbolProfile::built_in(*symbol).is_some());
    if options.symbols.is_some()
        && let Some(stranger) = strange.first()
    {
        return Err(TradeError::Usage(format!(
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
