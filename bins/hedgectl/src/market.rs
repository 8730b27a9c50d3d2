//! Recorded data that a command plays.

use std::path::PathBuf;

use clap::Args;
use hedge_core::{Symbol, Timestamp};
use hedge_desk::{backtest::RecordedMarket, compose::intervals, config::Config, journal::parse_time};

use crate::{args::symbol, failure::Failure};

/// Which part of which data, and the configuration to play it with.
#[derive(Debug, Args)]
pub(crate) struct MarketArgs {
    /// A kline file, a folder of klines, or a venue's folder with klines_* folders. `../funding` and `../mark_8h` beside
    /// the klines are used too.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: PathBuf,
    /// Which symbols, separated by commas. Default: every symbol of the universe that the data has.
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = symbol)]
    pub(crate) symbols: Option<Vec<Symbol>>,
    /// Configuration folder. Default: `config`, else what is built in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// An exchangeInfo file with the symbols' rules. Default: the folder `../../instruments` beside the klines, else a
    /// built-in table.
    #[arg(long, value_name = "FILE")]
    pub(crate) instruments: Option<PathBuf>,
    /// First bar to play, warm-up included (UTC unless a zone is given), for example 2024-02-15.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) from: Option<Timestamp>,
    /// First bar not to play any more.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) to: Option<Timestamp>,
}

impl MarketArgs {
    /// Opens the data for a configuration.
    pub(crate) fn open(&self, config: &Config) -> Result<RecordedMarket, Failure> {
        let market = RecordedMarket::open(
            &self.data,
            self.symbols.as_deref(),
            &config.universe.symbols,
            &intervals(config),
            self.instruments.as_deref(),
        )?;
        if self.from.is_none() && self.to.is_none() {
            return Ok(market);
        }
        let (from, to) = (self.from.unwrap_or(Timestamp::EPOCH), self.to.unwrap_or(Timestamp::MAX));
        let window = market.window(from, to);
        match (market.data.start(), market.data.end()) {
            (Some(start), Some(end)) if window.data.series.is_empty() => Err(Failure::failed(format!(
                "no bars between --from and --to; the data goes from {start} to {end}"
            ))),
            _ => Ok(window),
        }
    }
}
